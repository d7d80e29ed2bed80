import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { archiveJournal, restoreArchive } from './journal_archive.ts';
import { readRows, verifyJournal } from './journal_reader.ts';
import type { JournalRow } from './journal_record.ts';
import { PostgresJournal } from './journal.ts';
import { PostgresSnapshots } from './snapshots.ts';
import { freshDatabase } from './test/fresh_database.ts';
import type { FreshDatabase } from './test/fresh_database.ts';

const DAY = 86_400_000;
let database: FreshDatabase;
let client: pg.Client;
let folder: string;

beforeEach(async () => {
  database = await freshDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  folder = mkdtempSync(join(tmpdir(), 'ccx-archive-'));
});
afterEach(async () => {
  await client.end();
  await database.drop();
  rmSync(folder, { recursive: true });
});

/** A row a day, of two commands each. */
async function write(days: number): Promise<void> {
  const journal = await PostgresJournal.lead({ url: database.url, holder: 'test' });
  for (let day = 0; day < days; day++) {
    const { lastSequence } = journal;
    await journal.append({ firstSequence: lastSequence + 1, lastSequence: lastSequence + 2, engineTime: (lastSequence / 2) * DAY, rulesVersion: 1, commands: randomBytes(50), events: randomBytes(80) });
  }
  await journal.close();
}
async function follow(sequence: number): Promise<void> {
  await new PostgresSnapshots(database.url).save({ sequence, rulesVersion: 1, journalHash: randomBytes(32), state: new Uint8Array(10) });
  await client.query(`insert into projections.positions (name, version, sequence, engine_time) values ('orders', 1, $1, 0)
    on conflict (name) do update set sequence = excluded.sequence`, [sequence]);
}
async function rows(): Promise<JournalRow[]> {
  const found: JournalRow[] = [];
  for await (const row of readRows(client, 1)) found.push(row);
  return found;
}

test('moves what is old and covered, chains the rest to it, and puts all of it back', async () => {
  await write(20);
  const before = await rows();
  expect(await archiveJournal(client, folder, 5)).toBeUndefined();
  await follow(20);
  expect(await archiveJournal(client, folder, 5)).toMatchObject({ rows: 10, firstSequence: 1, lastSequence: 20 });
  await verifyJournal(client);
  await follow(40);
  await client.query('delete from snapshots where sequence = 20');
  // The last row is of day 19; rows before day 14 are older than five days.
  expect(await archiveJournal(client, folder, 5)).toMatchObject({ firstSequence: 21, lastSequence: 28 });
  expect(await archiveJournal(client, folder, 5)).toBeUndefined();
  await write(1);
  await verifyJournal(client);
  expect((await rows())[0].firstSequence).toBe(29);
  expect(await restoreArchive(client, folder)).toBe(14);
  await verifyJournal(client);
  expect((await rows()).slice(0, 20)).toEqual(before);
});

test('notices damage over the cut, and files that are missing or changed', async () => {
  await write(10);
  await follow(20);
  await archiveJournal(client, folder, 3);
  await client.query('delete from journal where first_sequence = (select min(first_sequence) from journal)');
  await expect(verifyJournal(client)).rejects.toThrow('damaged at sequence 13');
  const [file] = readdirSync(folder);
  rmSync(join(folder, file));
  await expect(restoreArchive(client, folder)).rejects.toThrow('damaged at sequence 1');
  writeFileSync(join(folder, file), 'not what it was');
  await expect(restoreArchive(client, folder)).rejects.toThrow();
});
