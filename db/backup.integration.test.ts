/** As docs/backup.md: a copy of the cluster that is made while the market runs, started as a Postgres of its own. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import { PostgresJournal } from './journal.ts';
import { readRows, verifyJournal } from './journal_reader.ts';
import { migrate } from './migrate.ts';
import { openPostgres } from './postgres.ts';
import type { Postgres } from './postgres.ts';

const folders: string[] = [];
const running: Postgres[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'ccx-backup-'));
  chmodSync(made, 0o755);
  folders.push(made);
  return made;
};
const open = async (dataDir: string): Promise<Postgres> => {
  const postgres = await openPostgres({ databaseUrl: undefined, dataDir });
  running.push(postgres);
  return postgres;
};
afterAll(async () => {
  for (const postgres of running) await postgres.stop();
  for (const made of folders) rmSync(made, { recursive: true, force: true });
});

async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return work(client).finally(() => client.end());
}

/** The chained hash of each row: equal hashes mean equal journals. */
const hashes = (url: string): Promise<string[]> =>
  connected(url, async (client) => {
    await verifyJournal(client);
    const found: string[] = [];
    for await (const row of readRows(client, 1)) found.push(Buffer.from(row.hash).toString('hex'));
    return found;
  });

/** As a base backup: told to Postgres, copied while it goes on, with the log up to its end. */
async function baseBackup(from: Postgres, home: string, target: string): Promise<void> {
  await connected(from.url, async (client) => {
    await client.query(`select pg_backup_start('test', true)`);
    mkdirSync(target, { recursive: true });
    // Files may vanish while they are copied; cp goes on, and the log makes up for it.
    spawnSync('cp', ['-a', join(home, 'cluster'), target]);
    const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
    cpSync(join(home, 'cluster', 'pg_wal'), join(target, 'cluster', 'pg_wal'), { recursive: true, preserveTimestamps: true });
    writeFileSync(join(target, 'cluster', 'backup_label'), rows[0].labelfile);
  });
  for (const name of ['postmaster.pid', 'postmaster.opts']) rmSync(join(target, 'cluster', name), { force: true });
  cpSync(join(home, 'password'), join(target, 'password'));
  const owner = execFileSync('stat', ['-c', '%u:%g', join(home, 'cluster')], { encoding: 'utf8' }).trim();
  execFileSync('chown', ['-R', owner, join(target, 'cluster')]);
}

test('a copy made while the journal grows is whole, and a part of the journal it was made of', async () => {
  const dataDir = folder();
  const original = await open(dataDir);
  const knex = openDatabase(original.url, 2);
  await migrate(knex);
  await knex.destroy();
  const journal = await PostgresJournal.lead({ url: original.url, holder: 'test' });
  const append = (): Promise<void> => {
    const sequence = journal.lastSequence + 1;
    return journal.append({ firstSequence: sequence, lastSequence: sequence, engineTime: sequence, rulesVersion: 1, commands: Buffer.alloc(2_000, sequence), events: Buffer.alloc(3_000, sequence) });
  };
  for (let row = 0; row < 50; row++) await append();
  let copying = true;
  const writing = (async () => {
    while (copying) await append();
  })();
  const location = join(dataDir, 'postgres', 'location');
  const home = existsSync(location) ? readFileSync(location, 'utf8').trim() : join(dataDir, 'postgres');
  const copy = folder();
  await baseBackup(original, home, join(copy, 'postgres'));
  copying = false;
  await writing;
  await journal.close();
  const restored = await hashes((await open(copy)).url);
  const all = await hashes(original.url);
  expect(restored.length).toBeGreaterThanOrEqual(50);
  expect(restored).toEqual(all.slice(0, restored.length));
});
