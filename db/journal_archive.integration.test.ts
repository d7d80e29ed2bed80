import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { archiveJournal, restoreArchive } from './journal_archive.ts';
import { copyCauses } from './copy_out.ts';
import { readRows, requireRowsFrom, verifyJournal } from './journal_reader.ts';
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
  await follow(22);
  expect(await archiveJournal(client, folder, 5)).toMatchObject({ rows: 10, firstSequence: 1, lastSequence: 20 });
  // The row that the snapshot ends with is there still: without it the snapshot could not be used.
  expect((await rows())[0].lastSequence).toBe(22);
  await verifyJournal(client);
  await follow(40);
  await client.query('delete from snapshots where sequence = 22');
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

test('notices damage over the cut, and files that are missing or changed, by name; nothing is put back then', async () => {
  await write(10);
  await follow(20);
  await archiveJournal(client, folder, 7);
  await archiveJournal(client, folder, 3);
  await client.query('delete from journal where first_sequence = (select min(first_sequence) from journal)');
  await expect(verifyJournal(client)).rejects.toThrow('damaged at sequence 13');
  const [first, second] = readdirSync(folder).sort().map((name) => join(folder, name));
  const bytes = readFileSync(second);
  const kept = await rows();
  const refuses = async (why: RegExp): Promise<void> => {
    await expect(restoreArchive(client, folder)).rejects.toThrow(why);
    expect(await rows()).toEqual(kept);
  };
  writeFileSync(second, 'not what it was');
  await refuses(new RegExp(`damaged at sequence 5: ${second} cannot be read on`));
  writeFileSync(second, bytes.subarray(0, bytes.length - 40));
  await refuses(new RegExp(`damaged at sequence [0-9]+: ${second} cannot be read on`));
  const lines = gunzipSync(bytes).toString().split('\n');
  writeFileSync(second, gzipSync(lines.filter((_, line) => line !== 1).join('\n')));
  await refuses(new RegExp(`damaged at sequence 7: ${second}`));
  writeFileSync(second, gzipSync(`${lines[0]}\n`));
  await refuses(new RegExp(`damaged at sequence 7: ${second} does not hold the rows to 12`));
  rmSync(second);
  await refuses(new RegExp(`damaged at sequence 5: ${second} is missing, which holds the rows to 12`));
  rmSync(first);
  await refuses(new RegExp(`damaged at sequence 1: ${first} is missing, which holds the rows to 4`));
});

test('goes on after an archive that was killed, whatever it left', async () => {
  await write(20);
  await follow(40);
  const before = await rows();
  const moved = await archiveJournal(client, folder, 5);
  const [file] = readdirSync(folder);
  // Killed amid the file: half of it stands under another name.
  await restoreArchive(client, folder);
  renameSync(join(folder, file), join(folder, `${file}.partial`));
  truncateSync(join(folder, `${file}.partial`), 500);
  expect(await archiveJournal(client, folder, 5)).toEqual(moved);
  expect(readdirSync(folder)).toEqual([file]);
  // Killed before its rows were deleted: the file is whole, and the database does not know of it. Later more is old enough.
  await restoreArchive(client, folder);
  expect(await archiveJournal(client, folder, 5)).toEqual(moved);
  await restoreArchive(client, folder);
  expect(await archiveJournal(client, folder, 3)).toMatchObject({ rows: 16 });
  expect(readdirSync(folder)).toHaveLength(2);
  expect(await restoreArchive(client, folder)).toBe(16);
  expect(await rows()).toEqual(before);
});

test('writes over no file of another journal, and lets one archive or restore run at a time', async () => {
  await write(20);
  await follow(40);
  await archiveJournal(client, folder, 5);
  const [file] = readdirSync(folder);
  const bytes = readFileSync(join(folder, file));
  await restoreArchive(client, folder);
  const lines = gunzipSync(bytes).toString().trimEnd().split('\n');
  const last = JSON.parse(lines[lines.length - 1]) as object;
  writeFileSync(join(folder, file), gzipSync(`${JSON.stringify({ ...last, hash: randomBytes(32).toString('base64') })}\n`));
  await expect(archiveJournal(client, folder, 5)).rejects.toThrow('holds rows of another journal');
  expect(await rows()).toHaveLength(20);
  const other = new pg.Client({ connectionString: database.url });
  await other.connect();
  await other.query('select pg_advisory_lock(7301848)');
  await expect(archiveJournal(client, folder, 5)).rejects.toThrow('archived or restored already');
  await expect(restoreArchive(client, folder)).rejects.toThrow('archived or restored already');
  await other.end();
});

test('says what needs rows that are archived', async () => {
  await write(10);
  await follow(20);
  await requireRowsFrom(client, 1);
  await archiveJournal(client, folder, 3);
  await expect(requireRowsFrom(client, 1)).rejects.toThrow('commands up to 12 are archived');
  await expect(copyCauses(database.url, 1).next()).rejects.toThrow('put them back first');
  expect((await copyCauses(database.url, 13).next()).value).toMatchObject({ firstSequence: 13 });
});
