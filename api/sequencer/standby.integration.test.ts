import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Command, Envelope } from '../../engine/commands.ts';
import { LEASE_MILLIS, PostgresJournal } from '../../db/journal.ts';
import { openDatabase } from '../../db/database.ts';
import { freshDatabase } from '../../db/test/fresh_database.ts';
import type { FreshDatabase } from '../../db/test/fresh_database.ts';
import { TEST_EPOCH } from './in_process.ts';
import { startSequencer } from './start.ts';
import type { StartOptions } from './start.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let fresh: FreshDatabase;

beforeAll(async () => {
  execFileSync(process.execPath, ['api/cli/build.mjs', 'sequencer_worker'], { cwd: root });
  fresh = await freshDatabase();
});
afterAll(() => fresh.drop());

const fatal: Error[] = [];
const start = (options: Partial<StartOptions> = {}) =>
  startSequencer({ url: () => fresh.url, clock: 'manual', manualStart: TEST_EPOCH, onFatal: (error) => fatal.push(error), ...options });
const envelope = (command: Command): Envelope => ({ command, idempotencyKey: '', bodyHash: '' });

test('a standby follows warm and continues with the same state under a new epoch when the lead is free', async () => {
  const leader = await start();
  let followed = 0;
  const standby = start({ standby: true, onFollowing: (sequence) => (followed = sequence) });
  for (const name of ['a', 'b', 'c']) await leader.submit(envelope({ type: 'registerCompany', name, role: 'borrower', group: '' }));
  const { sequence, stateHash } = await leader.query('status', {});
  await expect.poll(() => followed, { timeout: 20_000 }).toBe(sequence);
  await leader.close();
  const successor = await standby;
  expect((await successor.query('status', {})).stateHash).toBe(stateHash);
  const { epoch, leaseAge } = await successor.status();
  expect(epoch).toBe(2);
  expect(leaseAge).toBeLessThan(LEASE_MILLIS);
  await successor.submit(envelope({ type: 'registerCompany', name: 'd', role: 'borrower', group: '' }));
  await successor.close();
  expect(fatal).toEqual([]);
});

test('a standby that lets its engine go first is warm meanwhile, and leads when no engine comes', async () => {
  await (await start()).close();
  const begun = performance.now();
  let warmAfter = Infinity;
  const successor = await start({ standby: true, letsFirst: true, onFollowing: () => (warmAfter = Math.min(warmAfter, performance.now() - begun)) });
  const ledAfter = performance.now() - begun;
  // On a machine that is slow to be warm nothing may be left of the time that it lets its engine have.
  expect(ledAfter - warmAfter).toBeGreaterThan(warmAfter < 2_000 ? 500 : 0);
  expect(ledAfter).toBeGreaterThan(3_000);
  await successor.close();
  expect(fatal).toEqual([]);
});

test('a standby that has seen an engine lead does not wait for it when it has gone before the standby is warm', async () => {
  const engine = await PostgresJournal.lead({ url: fresh.url, holder: 'engine', waitMillis: LEASE_MILLIS });
  const database = openDatabase(fresh.url, 2);
  const held = await database.transaction();
  await held.raw('lock table snapshots');
  let warmAt = Infinity;
  const standby = start({ standby: true, letsFirst: true, onFollowing: () => (warmAt = Math.min(warmAt, performance.now())) });
  const waits = () => database('pg_stat_activity').where({ wait_event_type: 'Lock' }).whereRaw(`datname = current_database() and query like 'select sequence from snapshots%'`).then(({ length }) => length);
  await expect.poll(waits, { timeout: 20_000 }).toBe(1);
  await engine.close();
  await held.rollback();
  const successor = await standby;
  expect(performance.now() - warmAt).toBeLessThan(1_000);
  await successor.close();
  await database.destroy();
  expect(fatal).toEqual([]);
});

test('a standby is not warm and does not lead before it has looked at the whole chain, also at what a snapshot covers', async () => {
  const database = openDatabase(fresh.url, 1);
  const [{ first_sequence: first, events }] = await database('journal').orderBy('first_sequence').limit(1);
  const changed = Buffer.from(events as Buffer);
  changed[changed.length - 1] ^= 1;
  expect(await database('snapshots').count({ count: '*' }).first()).not.toEqual({ count: '0' });
  await database('journal').where({ first_sequence: first }).update({ events: changed });
  let isWarm = false;
  await expect(start({ standby: true, onFollowing: () => (isWarm = true) })).rejects.toThrow(`damaged at sequence ${String(first)}`);
  expect(isWarm).toBe(false);
  await database('journal').where({ first_sequence: first }).update({ events });
  await database.destroy();
});
