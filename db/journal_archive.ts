/**
 * Old rows of the journal, moved into files and back. The chain goes on over the cut: the database
 * keeps the hash of the last row that was moved. A file is written, made durable, read back and
 * compared before anything is deleted.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { readArchived, readRows } from './journal_reader.ts';
import type { Queryable } from './journal_reader.ts';
import { GENESIS_HASH, JournalCorrupt, verifyRow } from './journal_record.ts';
import type { JournalRow } from './journal_record.ts';

/** Repeats of a command are answered from the journal, for as long as idempotency keys are remembered and then some. */
export const KEEP_DAYS_MIN = 2;
const MILLIS_PER_DAY = 86_400_000;
const NAME = /^journal-([0-9]{16})-([0-9]{16})\.ndjson\.gz$/;
const digits = (sequence: number): string => String(sequence).padStart(16, '0');

/** A row as a line of JSON: numbers as they are, bytes in base64. */
const lineOf = (row: JournalRow): string =>
  `${JSON.stringify({ ...row, commands: base64(row.commands), events: base64(row.events), hash: base64(row.hash) })}\n`;
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

function rowOf(line: string): JournalRow {
  const row = JSON.parse(line) as Omit<JournalRow, 'commands' | 'events' | 'hash'> & Record<'commands' | 'events' | 'hash', string>;
  return { ...row, commands: Buffer.from(row.commands, 'base64'), events: Buffer.from(row.events, 'base64'), hash: Buffer.from(row.hash, 'base64') };
}

/** The rows of a file, in order. */
export async function* readArchive(file: string): AsyncGenerator<JournalRow> {
  for await (const line of createInterface({ input: createReadStream(file).pipe(createGunzip()), crlfDelay: Infinity })) yield rowOf(line);
}

/**
 * The last sequence that may be moved: covered by every snapshot and by every projection, and older
 * than `keepDays` of engine time. 0: none.
 */
async function lastToMove(client: Queryable, keepDays: number): Promise<number> {
  const { rows } = await client.query<{ last: string | null }>(
    `select max(last_sequence) as last from journal
     where last_sequence <= coalesce((select min(sequence) from snapshots), 0)
       and last_sequence <= coalesce((select min(sequence) from projections.positions), 0)
       and engine_time < (select max(engine_time) from journal) - $1::bigint`,
    [keepDays * MILLIS_PER_DAY],
  );
  return Number(rows[0].last ?? 0);
}

export interface Archived {
  file: string;
  rows: number;
  firstSequence: number;
  lastSequence: number;
}

/**
 * Moves what is older than `keepDays` into one file of `folder`. A server may be running meanwhile.
 * @returns undefined when nothing is that old, or nothing covers it
 * @throws JournalCorrupt when the rows do not continue what was moved before
 */
export async function archiveJournal(client: Queryable, folder: string, keepDays: number): Promise<Archived | undefined> {
  if (keepDays < KEEP_DAYS_MIN) throw new RangeError(`at least ${KEEP_DAYS_MIN} days must be kept`);
  const last = await lastToMove(client, keepDays);
  const base = await readArchived(client);
  if (last <= base.lastSequence) return undefined;
  const firstSequence = base.lastSequence + 1;
  const file = join(folder, `journal-${digits(firstSequence)}-${digits(last)}.ndjson.gz`);
  let rows = 0;
  let hash = base.hash;
  const write = async function* (): AsyncGenerator<string> {
    let sequence = base.lastSequence;
    for await (const row of readRows(client, firstSequence)) {
      if (row.firstSequence > last) return;
      verifyRow(sequence, hash, row);
      ({ lastSequence: sequence, hash } = row);
      rows++;
      yield lineOf(row);
    }
  };
  await pipeline(Readable.from(write()), createGzip(), createWriteStream(file, { flags: 'wx', mode: 0o600 }));
  await makeDurable(file);
  await compare(file, base, rows, last);
  await client.query('begin');
  await client.query('insert into journal_archive (first_sequence, last_sequence, hash, file) values ($1, $2, $3, $4)', [firstSequence, last, hash, file]);
  await client.query('delete from journal where last_sequence <= $1', [last]);
  await client.query('commit');
  return { file, rows, firstSequence, lastSequence: last };
}

async function makeDurable(file: string): Promise<void> {
  for (const path of [file, join(file, '..')]) {
    const handle = await open(path, 'r');
    await handle.sync();
    await handle.close();
  }
}

/** What was written is what was read. @throws JournalCorrupt, Error */
async function compare(file: string, base: { lastSequence: number; hash: Uint8Array }, rows: number, last: number): Promise<void> {
  let { lastSequence, hash } = base;
  let count = 0;
  for await (const row of readArchive(file)) {
    verifyRow(lastSequence, hash, row);
    ({ lastSequence, hash } = row);
    count++;
  }
  if (count !== rows || lastSequence !== last) throw new Error(`${file} holds ${count} rows to ${lastSequence} instead of ${rows} to ${last}: nothing was deleted`);
}

/**
 * Puts everything that was moved back, from the files of `folder`; nothing else needs them any more.
 * @returns the number of rows
 * @throws JournalCorrupt naming the first sequence that is missing or changed
 */
export async function restoreArchive(client: Queryable, folder: string): Promise<number> {
  const base = await readArchived(client);
  const files = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  let before: Pick<JournalRow, 'lastSequence' | 'hash'> = { lastSequence: 0, hash: GENESIS_HASH };
  let rows = 0;
  await client.query('begin');
  try {
    for (const file of files) {
      for await (const row of readArchive(join(folder, file))) {
        if (row.lastSequence > base.lastSequence) break;
        verifyRow(before.lastSequence, before.hash, row);
        before = row;
        await insert(client, row);
        rows++;
      }
    }
    if (before.lastSequence !== base.lastSequence || Buffer.compare(before.hash, base.hash) !== 0) {
      throw new JournalCorrupt(before.lastSequence + 1, `the files end there; rows up to ${base.lastSequence} were moved`);
    }
    await client.query('delete from journal_archive');
    await client.query('commit');
    return rows;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

const insert = (client: Queryable, row: JournalRow): Promise<unknown> =>
  client.query(
    'insert into journal (first_sequence, last_sequence, engine_time, epoch, rules_version, commands, events, hash) values ($1, $2, $3, $4, $5, $6, $7, $8)',
    [row.firstSequence, row.lastSequence, row.engineTime, row.epoch, row.rulesVersion, row.commands, row.events, row.hash],
  );
