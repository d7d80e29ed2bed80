/**
 * The journal is changed behind the market's back, at random. Each change must be found, with the
 * sequence where it begins, or leave nothing different. The changes are made and undone in one
 * transaction each, so that a thousand of them take seconds; a few are left in for a real start.
 */
import pg from 'pg';
import { checkJournal } from '../../db/journal_reader.ts';
import { JournalCorrupt } from '../../db/journal_record.ts';
import type { Fault } from './fault.ts';
import type { FaultWorld } from './fault_world.ts';

interface Row {
  first: number;
  last: number;
  commands: number;
  events: number;
}
interface Mutation {
  name: string;
  statement: string;
  values: unknown[];
  /** The sequence that must be named. */
  sequence: number;
}

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)];
const below = (count: number): number => Math.floor(Math.random() * count);

const KINDS: ((rows: readonly Row[]) => Mutation)[] = [
  (rows) => flipped(pick(rows), 'commands'),
  (rows) => flipped(pick(rows), 'events'),
  (rows) => flipped(pick(rows), 'hash'),
  (rows) => truncated(pick(rows), 'commands'),
  (rows) => truncated(pick(rows), 'events'),
  (rows) => {
    const column = pick(['engine_time', 'epoch', 'rules_version']);
    const row = pick(rows);
    return { name: `${column} changed`, statement: `update journal set ${column} = ${column} + $2 where first_sequence = $1`, values: [row.first, 1 + below(5)], sequence: row.first };
  },
  (rows) => {
    const row = pick(rows);
    return { name: 'row deleted', statement: 'delete from journal where first_sequence = $1', values: [row.first], sequence: row.first };
  },
  (rows) => {
    const row = pick(rows);
    return { name: 'end cut off', statement: 'delete from journal where first_sequence >= $1', values: [row.first], sequence: row.first };
  },
  (rows) => {
    const [a, b] = [pick(rows), pick(rows)].sort((one, other) => one.first - other.first);
    if (a === b) return flipped(a, 'hash');
    const columns = ['engine_time', 'commands', 'events', 'hash'].map((column) => `${column} = other.${column}`).join(', ');
    return {
      name: 'rows swapped', values: [a.first, b.first], sequence: a.first,
      statement: `update journal set ${columns} from journal other where (journal.first_sequence, other.first_sequence) in (($1, $2), ($2, $1))`,
    };
  },
  (rows) => {
    const row = pick(rows);
    const end = rows[rows.length - 1].last;
    return {
      name: 'row doubled', values: [row.first, end], sequence: end + 1,
      statement: `insert into journal select $2::bigint + 1, $2::bigint + 1 + last_sequence - first_sequence, engine_time, epoch, rules_version, commands, events, hash from journal where first_sequence = $1::bigint`,
    };
  },
  () => ({ name: 'high-water mark changed', statement: 'update journal_lease set high_water = high_water - $1', values: [1 + below(50)], sequence: -1 }),
  () => ({ name: 'lease deleted', statement: 'delete from journal_lease', values: [], sequence: -1 }),
];

function flipped(row: Row, column: 'commands' | 'events' | 'hash'): Mutation {
  const length = column === 'hash' ? 32 : row[column];
  const bit = below(length * 8);
  return { name: `bit of ${column} flipped`, statement: `update journal set ${column} = set_bit(${column}, $2, 1 - get_bit(${column}, $2)) where first_sequence = $1`, values: [row.first, bit], sequence: row.first };
}
function truncated(row: Row, column: 'commands' | 'events'): Mutation {
  return { name: `${column} cut short`, statement: `update journal set ${column} = substr(${column}, 1, $2) where first_sequence = $1`, values: [row.first, below(row[column])], sequence: row.first };
}

async function applied(client: pg.Client, mutation: Mutation): Promise<string | undefined> {
  await client.query('begin');
  try {
    await client.query(mutation.statement, mutation.values);
    await checkJournal(client);
    return `${mutation.name} at ${mutation.sequence} was not noticed`;
  } catch (error) {
    if (!(error instanceof JournalCorrupt)) return `${mutation.name}: ${error instanceof Error ? error.message : String(error)}`;
    const wrong = mutation.sequence !== -1 && error.sequence !== mutation.sequence;
    return wrong ? `${mutation.name} at ${mutation.sequence} was told as: ${error.message}` : undefined;
  } finally {
    await client.query('rollback');
  }
}

async function rowsOf(client: pg.Client): Promise<Row[]> {
  const { rows } = await client.query<Row>(
    'select first_sequence::int as first, last_sequence::int as last, length(commands) as commands, length(events) as events from journal order by first_sequence',
  );
  return rows;
}

const journalMutated: Fault = {
  name: 'journal rows flipped, cut, swapped, deleted, doubled',
  times: { short: 100, long: 1_000 },
  async run(world, times) {
    await world.progress(50);
    await world.load.stop();
    const { millis } = await world.server.stop();
    const findings: string[] = [];
    const client = new pg.Client({ connectionString: world.databaseUrl });
    await client.connect();
    try {
      const rows = await rowsOf(client);
      for (let time = 0; time < times; time++) {
        const problem = await applied(client, pick(KINDS)(rows));
        if (problem !== undefined) findings.push(problem);
      }
    } finally {
      await client.end();
    }
    findings.push(...(await refusesToStart(world)));
    await world.restart();
    world.newLoad();
    findings.push(...(await world.verdict()));
    return { times, findings: findings.slice(0, 5), note: `each found with its sequence; stopped in ${Math.round(millis)} ms` };
  },
};

/** With the damage left in, a server says where it is and does not serve. */
async function refusesToStart(world: FaultWorld): Promise<string[]> {
  const [{ first }] = await world.query<{ first: number }>('select first_sequence::int as first from journal offset 10 limit 1');
  const flip = `update journal set events = set_byte(events, 1, get_byte(events, 1) # 1) where first_sequence = $1`;
  await world.query(flip, [first]);
  const server = world.spawn();
  const served = await server.ready().then(() => true, () => false);
  if (served) await server.kill();
  await world.query(flip, [first]);
  if (served) return ['a server started on a damaged journal'];
  return server.output.includes(`damaged at sequence ${first}`) ? [] : [`the sequence ${first} is not named: ${server.output.slice(-300)}`];
}

const SNAPSHOT_DAMAGE: Record<string, string> = {
  'a bit of its state': 'state = set_byte(state, length(state) / 2, get_byte(state, length(state) / 2) # 1)',
  'its end cut off': 'state = substr(state, 1, length(state) / 2)',
  'its format of another version': 'state = set_byte(state, 7, 99)',
  'its hash': `state_hash = encode(sha256(state_hash::bytea), 'hex')`,
  'its place in the journal': 'journal_hash = sha256(journal_hash)',
};

const snapshotMutated: Fault = {
  name: 'newest snapshot damaged, cut, of another version',
  times: { short: 2, long: 25 },
  async run(world, times) {
    const findings: string[] = [];
    const damages = Object.entries(SNAPSHOT_DAMAGE);
    for (let time = 0; time < times; time++) {
      await world.progress(5);
      await world.server.stop();
      const [name, change] = damages[time % damages.length];
      await world.query(`update snapshots set ${change} where sequence = (select max(sequence) from snapshots)`);
      await world.restart();
      if (!/the snapshot at \d+ is not used/.test(world.server.output)) findings.push(`${name}: nobody was told`);
    }
    findings.push(...(await world.verdict()));
    return { times, findings };
  },
};

export const damageFaults: Fault[] = [journalMutated, snapshotMutated];
