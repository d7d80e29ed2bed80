/** What pg and Knex really throw where the database goes away amid something, and where it only refuses. */
import type { Knex } from 'knex';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { isDatabaseAway } from './away.ts';
import { openDatabase } from './database.ts';
import { query } from './test/databases.ts';
import { freshDatabase } from './test/fresh_database.ts';
import type { FreshDatabase } from './test/fresh_database.ts';

let fresh: FreshDatabase;
let database: Knex;

beforeAll(async () => {
  fresh = await freshDatabase();
});
afterAll(() => fresh.drop());
// A pool of its own for each test: one whose sessions were ended may still give out a connection of which it has not heard that it is dead.
beforeEach(() => {
  database = openDatabase(fresh.url, 2);
});
afterEach(() => database.destroy());

const failureOf = (work: PromiseLike<unknown>): Promise<unknown> => Promise.resolve(work).then(() => 'nothing failed', (error: unknown) => error);

/** The sockets beneath a pool, which nobody can name but the pool. */
async function cut(): Promise<void> {
  interface Inside {
    connection: { stream: { destroy(error?: Error): void } };
  }
  const { pool } = database.client as { pool: { used: { resource: Inside }[] } };
  for (const { resource } of pool.used) resource.connection.stream.destroy();
  await new Promise((resolve) => setImmediate(resolve));
}

const SLEEPS = `select pid from pg_stat_activity where datname = current_database() and state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid()`;
/** Harms once the server is at it. */
async function whileAsked(begin: () => PromiseLike<unknown>, harm: () => Promise<unknown>): Promise<unknown> {
  // The server sleeps on for those that were cut off.
  const before = await query(fresh.url, SLEEPS);
  const failure = failureOf(begin());
  await expect.poll(() => query(fresh.url, SLEEPS)).toHaveLength(before.length + 1);
  await harm();
  return failure;
}

const endSessions = async (): Promise<unknown> => {
  const other = openDatabase(fresh.url, 1);
  return Promise.resolve(other.raw('select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()')).finally(() => other.destroy());
};

test('a connection that breaks amid a statement, a transaction or its beginning is one that is away', async () => {
  const failures = [
    await whileAsked(() => database.raw('select pg_sleep(?)', [20]), cut),
    await whileAsked(() => database.transaction((transaction) => transaction.raw('select pg_sleep(20)')), cut),
    await failureOf(database.transaction(async (transaction) => {
      await cut();
      await transaction('journal').first();
    })),
    await whileAsked(() => database('journal').select(database.raw('pg_sleep(20)')).from(database.raw('generate_series(1, 1)')), endSessions),
  ];
  for (const failure of failures) {
    expect(failure).toBeInstanceOf(Error);
    expect([(failure as Error).message, isDatabaseAway(failure)]).toEqual([(failure as Error).message, true]);
  }
  // Knex tells of it behind the statement, which is why this test asks Knex.
  expect((failures[0] as Error).message).toMatch(/^select pg_sleep.* - Connection terminated/);
});

test('a statement that is wrong is not', async () => {
  for (const failure of [
    await failureOf(database('no_such_table').first()),
    await failureOf(database.raw('select ?::int', ['x - Connection terminated unexpectedly'])),
    await failureOf(database.raw('select 1/0')),
  ]) expect([(failure as Error).message, isDatabaseAway(failure)]).toEqual([(failure as Error).message, false]);
});

test('no server is away', async () => {
  const nobody = openDatabase('postgres://nobody@127.0.0.1:1/none', 1);
  expect(isDatabaseAway(await failureOf(nobody.raw('select 1')))).toBe(true);
  await nobody.destroy();
});
