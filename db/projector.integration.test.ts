import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import { JournalWriter } from './projections/test/journal_writer.ts';
import { startProjector } from './projector.ts';
import { ProjectionWaiter } from './queries/positions.ts';
import { freshDatabase } from './test/fresh_database.ts';
import type { FreshDatabase } from './test/fresh_database.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const file = `${root}dist/projector_worker.js`;
let database: FreshDatabase;
beforeAll(async () => {
  execFileSync(process.execPath, ['api/cli/build.mjs', 'projector_worker'], { cwd: root, stdio: 'ignore' });
  database = await freshDatabase();
});
afterAll(() => database.drop());

test('a worker follows the journal, also after its connection broke, until it is stopped', async () => {
  const db = openDatabase(database.url, 2);
  const journal = await JournalWriter.open(database.url);
  const problems: string[] = [];
  let asked = 0;
  const url = (): string => {
    asked++;
    return database.url;
  };
  const worker = await startProjector({ file, url, onProblem: (message) => problems.push(message) });
  const waiter = new ProjectionWaiter(db);
  await journal.run({ type: 'tick', now: 1_000 });
  expect(await waiter.waitFor(1, 20_000)).toBe(true);
  expect(asked).toBe(1);

  const { rows } = await db.raw<{ rows: unknown[] }>(`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like '% projector'`);
  expect(rows).toHaveLength(1);
  await journal.run({ type: 'tick', now: 2_000 });
  expect(await waiter.waitFor(2, 20_000)).toBe(true);
  expect(problems).toHaveLength(1);
  expect(asked).toBe(2);

  await worker.stop();
  await journal.run({ type: 'tick', now: 3_000 });
  expect(await waiter.waitFor(3, 300)).toBe(false);
  await journal.close();
  await db.destroy();
});

test('a worker that cannot go on says why', async () => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`update projections.positions set version = 1000 where name = 'orders'`);
  await client.end();
  const problems: string[] = [];
  const starting = startProjector({ file, url: () => database.url, onProblem: (message) => problems.push(message) });
  await expect(starting).rejects.toThrow('the projection orders was built by a newer version of this program');
  expect(problems).toHaveLength(1);
});

/** A thread that is ready at once. @param told what it does when it is told to stop */
const threadThat = (told: string): URL =>
  new URL(`data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads'; parentPort.postMessage({ kind: 'ready' }); parentPort.on('message', () => { ${told} });`)}`);

test.each([
  ['does not look at what it is told', 'for (;;);', 3_500],
  ['has closed everything, but cannot end yet', `parentPort.postMessage({ kind: 'stopped' }); setInterval(() => undefined, 1000);`, 1_500],
])('a thread that %s is not waited for', { timeout: 20_000 }, async (_what, told, millisMax) => {
  const worker = await startProjector({ file: threadThat(told), url: () => database.url, onProblem: () => undefined });
  const begun = performance.now();
  await worker.stop();
  expect(performance.now() - begun).toBeLessThan(millisMax);
});
