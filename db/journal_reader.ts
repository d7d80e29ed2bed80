/** Reads the journal: for recovery, replay and projections. None of it needs the lead. */
import type { QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { GENESIS_HASH, JournalCorrupt } from './journal_record.ts';
import type { JournalRow } from './journal_record.ts';

/** A connection: pg's, or one that lets its callers in one at a time. */
export interface Queryable {
  query<R extends QueryResultRow>(query: string | QueryConfig<unknown[]>, values?: unknown[]): Promise<QueryResult<R>>;
}

export const LEASE_MISSING = 'its lease, with the high-water mark, is missing';
/** Rows fetched at once; a row holds up to a few thousand commands. */
const PAGE = 64;
export const COLUMNS = 'first_sequence, last_sequence, engine_time, epoch, rules_version, commands, events, hash';
export const CAUSE_COLUMNS = COLUMNS.replace(' events,', '');

/** As pg reads it: 64-bit integers are text. */
interface RawRow {
  first_sequence: string;
  last_sequence: string;
  engine_time: string;
  epoch: string;
  rules_version: string;
  commands: Buffer;
  events: Buffer;
  hash: Buffer;
}

const rowFrom = (row: RawRow): JournalRow => ({
  firstSequence: Number(row.first_sequence), lastSequence: Number(row.last_sequence), engineTime: Number(row.engine_time), epoch: Number(row.epoch),
  rulesVersion: Number(row.rules_version), commands: row.commands, events: row.events, hash: row.hash,
});

async function fetchRows(client: Queryable, name: string, rest: string, values: number[]): Promise<JournalRow[]> {
  const { rows } = await client.query<RawRow>({ name, text: `select ${COLUMNS} from journal ${rest}`, values });
  return rows.map(rowFrom);
}

/** The row that holds a sequence. */
export async function readRowOf(client: Queryable, sequence: number): Promise<JournalRow | undefined> {
  const [row] = await fetchRows(client, 'journal_row', 'where first_sequence <= $1 order by first_sequence desc limit 1', [sequence]);
  return row !== undefined && row.lastSequence >= sequence ? row : undefined;
}

export async function readLastRow(client: Queryable): Promise<JournalRow | undefined> {
  const [row] = await fetchRows(client, 'journal_last', 'order by first_sequence desc limit 1', []);
  return row;
}

const readPage = (client: Queryable, from: number): Promise<JournalRow[]> =>
  fetchRows(client, 'journal_page', `where first_sequence >= $1 order by first_sequence limit ${PAGE}`, [from]);

/** Rows from the one that holds `sequence` (or the first after it), in order, to the end as it is on the way. */
export async function* readRows(client: Queryable, sequence: number): AsyncGenerator<JournalRow> {
  const holding = await readRowOf(client, sequence);
  let page = readPage(client, holding?.firstSequence ?? sequence);
  for (;;) {
    const rows = await page;
    const last = rows.at(-1);
    if (last === undefined) return;
    // The next page is on its way while this one is used. If nobody asks for it, nobody need hear that it failed.
    page = readPage(client, last.lastSequence + 1);
    page.catch(() => undefined);
    yield* rows;
  }
}

/** For who reads it from a sequence on. @throws Error naming what of it is archived, and what puts it back */
export async function requireRowsFrom(client: Queryable, sequence: number): Promise<void> {
  const { lastSequence } = await readArchived(client);
  if (lastSequence >= sequence) throw new Error(`commands up to ${lastSequence} are archived, and this needs their rows: put them back first (npm run journal -- restore --from FOLDER)`);
}

/** The highest sequence ever appended, as noted apart from the journal. */
export async function readHighWater(client: Queryable): Promise<number> {
  const { rows } = await client.query<{ high_water: string }>('select high_water from journal_lease');
  if (rows.length !== 1) throw new JournalCorrupt(1, LEASE_MISSING);
  return Number(rows[0].high_water);
}

/**
 * Checks every row against its hash and its predecessor, inside the database, and the end against
 * the high-water mark. @param helper another connection, which checks the first half meanwhile
 * @throws JournalCorrupt naming the first sequence that is wrong
 */
export async function verifyJournal(client: Queryable, helper?: Queryable): Promise<void> {
  await client.query('begin isolation level repeatable read, read only');
  try {
    await checkJournal(client, helper);
  } finally {
    await client.query('rollback');
  }
}

/** As `verifyJournal`, in the caller's transaction. */
export async function checkJournal(client: Queryable, helper?: Queryable): Promise<void> {
  const base = await readArchived(client);
  const middle = helper === undefined ? undefined : await readMiddle(client);
  if (helper === undefined || middle === undefined) await verifyChain(client, base);
  else {
    const [first, second] = await Promise.allSettled([verifyChain(helper, base, { until: middle.firstSequence }), verifyChain(client, middle, { after: middle.firstSequence })]);
    for (const half of [first, second]) if (half.status === 'rejected') throw half.reason as Error;
  }
  await verifyEnd(client);
}

/** A row, of which nothing is known yet to be true, with as many commands before it as after it; undefined where there are none. */
async function readMiddle(client: Queryable): Promise<(Link & { firstSequence: number }) | undefined> {
  const { rows } = await client.query<{ first_sequence: string; last_sequence: string; hash: Buffer }>(
    `select first_sequence, last_sequence, hash from journal
     where first_sequence <= (select (min(first_sequence) + max(first_sequence)) / 2 from journal) order by first_sequence desc limit 1`,
  );
  return rows.length === 0 ? undefined : { firstSequence: Number(rows[0].first_sequence), lastSequence: Number(rows[0].last_sequence), hash: rows[0].hash };
}

/** What of a row the next one continues. */
interface Link {
  lastSequence: number;
  hash: Uint8Array;
}

/** The last row that was moved into a file: what the journal's first row continues. */
export async function readArchived(client: Queryable): Promise<Link> {
  const { rows } = await client.query<{ last_sequence: string; hash: Buffer }>('select last_sequence, hash from journal_archive order by last_sequence desc limit 1');
  return rows.length === 0 ? { lastSequence: 0, hash: GENESIS_HASH } : { lastSequence: Number(rows[0].last_sequence), hash: rows[0].hash };
}

/** Rows that begin after and until the given sequences, all unless given, the first of which continues `base`. */
async function verifyChain(client: Queryable, base: Link, { after = -Number.MAX_SAFE_INTEGER, until = Number.MAX_SAFE_INTEGER } = {}): Promise<void> {
  const { rows } = await client.query<{ first_sequence: string; expected: string }>(
    `select first_sequence, expected from (
       select first_sequence, last_sequence, hash, lag(last_sequence, 1, $2::bigint) over chain + 1 as expected,
         sha256(lag(hash, 1, $1::bytea) over chain || int8send(first_sequence) || int8send(last_sequence) || int8send(engine_time)
           || int8send(epoch) || int8send(rules_version) || int8send(length(commands)::bigint) || commands || events) as computed
       from journal where first_sequence > $3 and first_sequence <= $4 window chain as (order by first_sequence)
     ) as checked
     where first_sequence <> expected or last_sequence < first_sequence or computed <> hash
     order by first_sequence limit 1`,
    [Buffer.from(base.hash), base.lastSequence, after, until],
  );
  if (rows.length === 0) return;
  const { first_sequence: first, expected } = rows[0];
  if (first !== expected) throw new JournalCorrupt(Math.min(Number(first), Number(expected)), `the next row begins at ${first}, not at ${expected}`);
  throw new JournalCorrupt(Number(first), 'its hash does not match');
}

/** The furthest that a snapshot or a projection has come: neither is ever ahead of the journal. */
async function readFurthestFollower(client: Queryable): Promise<number> {
  const { rows } = await client.query<{ furthest: string }>(
    'select greatest((select max(sequence) from snapshots), (select max(sequence) from projections.positions), 0) as furthest',
  );
  return Number(rows[0].furthest);
}

/** The end against the high-water mark alone. @throws JournalCorrupt */
export async function verifyEnd(client: Queryable): Promise<void> {
  const { rows } = await client.query<{ last: string }>(
    'select coalesce(max(last_sequence), (select max(last_sequence) from journal_archive), 0) as last from journal',
  );
  const last = Number(rows[0].last);
  const highWater = await readHighWater(client);
  const known = await readFurthestFollower(client);
  if (last < known) throw new JournalCorrupt(last + 1, `it ends at ${last}; what follows it has seen ${known}`);
  if (last < highWater) throw new JournalCorrupt(last + 1, `it once reached ${highWater} and ends at ${last}`);
  if (last > highWater) throw new JournalCorrupt(highWater + 1, `it reaches ${last}, beyond what was ever appended`);
}
