/**
 * Old rows of the journal, moved into files and back. The chain goes on over the cut: the database
 * keeps the hash of the last row that was moved. A file is written, made durable, read back and
 * compared before anything is deleted.
 */
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { COLUMNS, readArchived, readRows } from './journal_reader.ts';
import type { Queryable } from './journal_reader.ts';
import { GENESIS_HASH, JournalCorrupt, verifyRow } from './journal_record.ts';
import type { JournalRow } from './journal_record.ts';

/** Repeats of a command are answered from the journal, for as long as idempotency keys are remembered and then some. */
export const KEEP_DAYS_MIN = 2;
const MILLIS_PER_DAY = 86_400_000;
const LOCK = 7_301_848;
/** Rows that are put back at once. */
const GROUP = 200;
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
 * than `keepDays` of engine time. 0: none. The row that a snapshot ends with stays: by its hash a start
 * knows that the snapshot is of this journal.
 */
async function lastToMove(client: Queryable, keepDays: number): Promise<number> {
  const { rows } = await client.query<{ last: string | null }>(
    `select max(last_sequence) as last from journal
     where last_sequence < coalesce((select min(sequence) from snapshots), 0)
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
 * Moves what is older than `keepDays` into one file of `folder`. A server may be running meanwhile. Killed at any moment it
 * leaves every row in the database or in a file that the database knows of; what else it leaves is written over by the next one.
 * @returns undefined when nothing is that old, or nothing covers it
 * @throws JournalCorrupt when the rows do not continue what was moved before
 * @throws Error when rows are being moved by another, or a file of that name holds other rows
 */
export async function archiveJournal(client: Queryable, folder: string, keepDays: number): Promise<Archived | undefined> {
  if (keepDays < KEEP_DAYS_MIN) throw new RangeError(`at least ${KEEP_DAYS_MIN} days must be kept`);
  return alone(client, async () => {
    const last = await lastToMove(client, keepDays);
    const base = await readArchived(client);
    if (last <= base.lastSequence) return undefined;
    const firstSequence = base.lastSequence + 1;
    const file = join(folder, `journal-${digits(firstSequence)}-${digits(last)}.ndjson.gz`);
    const partial = `${file}.partial`;
    const { rows, hash } = await write(client, partial, base, last);
    await compare(partial, base, rows, last);
    await requireReplaceable(file, hash);
    await rename(partial, file);
    await makeDurable(file);
    await inTransaction(client, async () => {
      await client.query('insert into journal_archive (first_sequence, last_sequence, hash, file) values ($1, $2, $3, $4)', [firstSequence, last, hash, file]);
      await client.query('delete from journal where last_sequence <= $1', [last]);
    });
    return { file, rows, firstSequence, lastSequence: last };
  });
}

/** One archive or restore at a time. */
async function alone<T>(client: Queryable, work: () => Promise<T>): Promise<T> {
  const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [LOCK]);
  if (!rows[0].locked) throw new Error('rows of this journal are being archived or restored already');
  try {
    return await work();
  } finally {
    await client.query('select pg_advisory_unlock($1)', [LOCK]);
  }
}

async function inTransaction<T>(client: Queryable, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

interface End {
  lastSequence: number;
  hash: Uint8Array;
}

/** @throws JournalCorrupt when the rows do not follow one another */
async function write(client: Queryable, file: string, base: End, last: number): Promise<{ rows: number; hash: Uint8Array }> {
  let rows = 0;
  let { lastSequence, hash } = base;
  const lines = async function* (): AsyncGenerator<string> {
    for await (const row of readRows(client, base.lastSequence + 1)) {
      if (row.firstSequence > last) return;
      verifyRow(lastSequence, hash, row);
      ({ lastSequence, hash } = row);
      rows++;
      yield lineOf(row);
    }
  };
  await pipeline(Readable.from(lines()), createGzip(), createWriteStream(file, { mode: 0o600 }));
  await makeDurable(file);
  return { rows, hash };
}

/** What an archive that was killed has left is no loss; another market's is not ours to write over. */
async function requireReplaceable(file: string, hash: Uint8Array): Promise<void> {
  if (!existsSync(file)) return;
  let found: Uint8Array | undefined;
  for await (const row of readArchive(file)) found = row.hash;
  if (found === undefined || Buffer.compare(found, hash) !== 0) throw new Error(`${file} holds rows of another journal: name another folder. Nothing was deleted`);
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
 * @throws JournalCorrupt naming the file and the first sequence that is missing or changed; nothing is put back then
 */
export async function restoreArchive(client: Queryable, folder: string): Promise<number> {
  return alone(client, () => inTransaction(client, async () => {
    const { rows: parts } = await client.query<{ last_sequence: string; hash: Buffer; file: string }>('select last_sequence, hash, file from journal_archive order by first_sequence');
    let end: End = { lastSequence: 0, hash: GENESIS_HASH };
    let rows = 0;
    for (const part of parts) {
      const file = join(folder, basename(part.file));
      const [last, begun] = [Number(part.last_sequence), end.lastSequence];
      if (!existsSync(file)) throw new JournalCorrupt(begun + 1, `${file} is missing, which holds the rows to ${last}`);
      for await (const some of inGroups(rowsOf(file, end))) {
        await insert(client, some);
        rows += some.length;
        end = some[some.length - 1];
      }
      if (end.lastSequence !== last || Buffer.compare(end.hash, part.hash) !== 0) throw new JournalCorrupt(end.lastSequence + 1, `${file} does not hold the rows to ${last} that were moved there`);
    }
    await client.query('delete from journal_archive');
    return rows;
  }));
}

/** The rows of a file as they follow `before`. @throws JournalCorrupt */
async function* rowsOf(file: string, before: End): AsyncGenerator<JournalRow> {
  let { lastSequence, hash } = before;
  try {
    for await (const row of readArchive(file)) {
      verifyRow(lastSequence, hash, row);
      ({ lastSequence, hash } = row);
      yield row;
    }
  } catch (error) {
    if (error instanceof JournalCorrupt) throw new JournalCorrupt(error.sequence, `${file}: ${error.what}`);
    throw new JournalCorrupt(lastSequence + 1, `${file} cannot be read on: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function* inGroups(rows: AsyncIterable<JournalRow>): AsyncGenerator<JournalRow[]> {
  let group: JournalRow[] = [];
  for await (const row of rows) {
    group.push(row);
    if (group.length < GROUP) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

const insert = (client: Queryable, rows: readonly JournalRow[]): Promise<unknown> =>
  client.query({
    name: `journal_restore_${rows.length}`,
    text: `insert into journal (${COLUMNS}) values ${rows.map((_, row) => `(${Array.from({ length: 8 }, (_, column) => `$${row * 8 + column + 1}`).join(', ')})`).join(', ')}`,
    values: rows.flatMap((row): unknown[] => [row.firstSequence, row.lastSequence, row.engineTime, row.epoch, row.rulesVersion, row.commands, row.events, row.hash]),
  });
