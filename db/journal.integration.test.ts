import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AnotherLeads, PostgresJournal, isLed, requireHolder } from './journal.ts';
import type { LeadOptions } from './journal.ts';
import { copyRows } from './copy_out.ts';
import { NotDurable } from './durability.ts';
import { readLastRow, verifyJournal } from './journal_reader.ts';
import { GENESIS_HASH, JournalCorrupt, StaleEpoch, verifyRow } from './journal_record.ts';
import type { JournalRecord, JournalRow } from './journal_record.ts';
import { PostgresSnapshots } from './snapshots.ts';
import { query } from './test/databases.ts';
import { freshDatabase } from './test/fresh_database.ts';
import type { FreshDatabase } from './test/fresh_database.ts';

let fresh: FreshDatabase;
let url: string;
const open: PostgresJournal[] = [];

beforeEach(async () => {
  fresh = await freshDatabase();
  ({ url } = fresh);
});
afterEach(async () => {
  for (const journal of open.splice(0)) await journal.close();
  await fresh.drop();
});

async function lead(options: Partial<LeadOptions> = {}): Promise<PostgresJournal> {
  const journal = await PostgresJournal.lead({ url, holder: 'test', ...options });
  open.push(journal);
  return journal;
}
const record = (firstSequence: number, lastSequence: number): JournalRecord => ({
  firstSequence, lastSequence, engineTime: 1_796_083_200_000 + firstSequence, rulesVersion: 1, commands: randomBytes(200), events: randomBytes(300),
});
async function write(journal: PostgresJournal, rows: number): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for (let row = 0; row < rows; row++) {
    const next = record(journal.lastSequence + 1, journal.lastSequence + 1 + (row % 3));
    await journal.append(next);
    records.push(next);
  }
  return records;
}
/** Alone, and with one who helps: both must come to the same. */
async function verify(): Promise<void> {
  const clients = [1, 2].map(() => new pg.Client({ connectionString: url }));
  const [client, helper] = clients;
  try {
    for (const one of clients) await one.connect();
    const outcomes: unknown[] = [];
    for (const help of [undefined, helper]) outcomes.push(await verifyJournal(client, help).then(() => undefined, (error: unknown) => error));
    const [alone, helped] = outcomes.map((error) => (error instanceof JournalCorrupt ? error.sequence : error));
    expect(helped).toEqual(alone);
    if (outcomes[1] !== undefined) throw outcomes[1] as Error;
  } finally {
    for (const one of clients) await one.end();
  }
}
async function read(journal: PostgresJournal, from: number): Promise<JournalRow[]> {
  const rows: JournalRow[] = [];
  for await (const row of journal.rows(from)) rows.push(row);
  return rows;
}

/** So few that a collection of everything is not due by the end of a test. */
const LARGE_ROWS = 20;
const LARGE_BYTES = 100_000;
async function appendLarge(journal: PostgresJournal): Promise<void> {
  for (let row = 0; row < LARGE_ROWS; row++) {
    const sequence = journal.lastSequence + 1;
    await journal.append({ ...record(sequence, sequence), commands: new Uint8Array(LARGE_BYTES / 2), events: new Uint8Array(LARGE_BYTES / 2) });
  }
}
/** As V8 does all the time. What it finds dead is given back by the time of the next. */
async function collectYoung(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  for (let times = 0; times < 3; times++) {
    collect({ type: 'minor' });
    await sleep(20);
  }
}

/** The first leader's renewals do not arrive any more. */
const SILENT = `
  create function forget() returns trigger language plpgsql as $$ begin if new.epoch = 1 then new.renewed_at := '-infinity'; end if; return new; end $$;
  create trigger forget before update on journal_lease for each row execute function forget();
  update journal_lease set renewed_at = '-infinity'`;

describe('the journal', () => {
  test('keeps what is appended, in order, page by page', async () => {
    const journal = await lead();
    const records = await write(journal, 150);
    const rows = await read(journal, 1);
    expect(rows.map(({ epoch: _epoch, hash: _hash, ...kept }) => kept)).toEqual(records);
    let last = { sequence: 0, hash: GENESIS_HASH };
    for (const row of rows) {
      verifyRow(last.sequence, last.hash, row);
      last = { sequence: row.lastSequence, hash: row.hash };
    }
    expect((await read(journal, 3)).map(({ firstSequence }) => firstSequence)).toEqual(records.slice(1).map(({ firstSequence }) => firstSequence));
    for (const sequence of [1, 3, journal.lastSequence, journal.lastSequence + 1]) {
      const copied: JournalRow[] = [];
      for await (const row of copyRows(url, sequence)) copied.push(row);
      expect(copied).toEqual(await read(journal, sequence));
    }
    for await (const row of copyRows(url, 1)) if (row.firstSequence > 1) break;
    expect(await journal.rowOf(records[10].lastSequence)).toMatchObject({ firstSequence: records[10].firstSequence });
    expect(await journal.rowOf(journal.lastSequence + 1)).toBeUndefined();
    await verify();
  });

  test('keeps nothing alive of what it has appended', async () => {
    const journal = await lead();
    await appendLarge(journal);
    await collectYoung();
    const before = process.memoryUsage().arrayBuffers;
    for (let times = 0; times < 6; times++) {
      await appendLarge(journal);
      await collectYoung();
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * LARGE_ROWS * LARGE_BYTES);
  });

  test('continues under a new epoch, chained to what was there', async () => {
    const first = await lead();
    await write(first, 3);
    await first.close();
    const second = await lead();
    expect(second).toMatchObject({ epoch: first.epoch + 1, lastSequence: first.lastSequence });
    await write(second, 3);
    await verify();
  });

  test('refuses a sequence twice or with a gap', async () => {
    const journal = await lead();
    const [first] = await write(journal, 1);
    await expect(journal.append(first)).rejects.toBeInstanceOf(JournalCorrupt);
    await expect(journal.append(record(9, 9))).rejects.toBeInstanceOf(JournalCorrupt);
    expect(await read(journal, 1)).toHaveLength(1);
  });
});

describe('the lead', () => {
  test('appends nothing while a commit is no promise', async () => {
    const journal = await lead();
    await write(journal, 1);
    const { client } = journal as unknown as { client: pg.Client };
    await client.query('set synchronous_commit = off');
    await expect(journal.append(record(2, 2))).rejects.toThrow(NotDurable);
    expect(await query(url, 'select max(last_sequence)::int as last, (select high_water::int from journal_lease) as mark from journal')).toEqual([{ last: 1, mark: 1 }]);
    await client.query('set synchronous_commit = on');
    await journal.append(record(2, 2));
    expect(journal.lastSequence).toBe(2);
  });

  test('belongs to one', async () => {
    await lead({ holder: 'first' });
    await expect(lead()).rejects.toThrow(AnotherLeads);
    await expect(lead({ waitMillis: 300 })).rejects.toThrow('first');
  });

  test('passes on at once when the leader\'s session is gone', async () => {
    const losses: Error[] = [];
    const first = await lead({ onLost: (error) => losses.push(error) });
    await write(first, 1);
    await query(url, `select pg_terminate_backend(pid) from pg_stat_activity where application_name like '%journal' and datname = current_database()`);
    const second = await lead({ waitMillis: 15_000 });
    await write(second, 1);
    await expect(first.append(record(2, 2))).rejects.toThrow();
    expect(losses).toHaveLength(1);
    await verify();
  });

  test('passes on when a leader is silent; what it appends afterwards is not written', async () => {
    const losses: Error[] = [];
    const first = await lead({ onLost: (error) => losses.push(error) });
    await write(first, 1);
    // As after a takeover while it was paused: its session stands, its epoch is over.
    await query(url, 'update journal_lease set epoch = epoch + 1');
    await expect(first.append(record(2, 2))).rejects.toBeInstanceOf(StaleEpoch);
    await expect.poll(() => losses).toEqual([expect.any(StaleEpoch)]);
    expect((await read(await lead({ waitMillis: 15_000 }), 1))).toHaveLength(1);
  });

  test('is taken from a session that does not renew it', async () => {
    const first = await lead();
    await write(first, 1);
    await query(url, SILENT);
    const second = await lead();
    expect(second.epoch).toBe(first.epoch + 1);
    await expect(first.append(record(2, 2))).rejects.toThrow();
    await write(second, 2);
    await verify();
  });
});

describe('damage', () => {
  const DAMAGE: Record<string, [string, number]> = {
    'a byte of the commands': ['update journal set commands = set_byte(commands, 7, get_byte(commands, 7) # 1) where first_sequence = 4', 4],
    'a byte of the events': ['update journal set events = set_byte(events, 0, get_byte(events, 0) # 128) where first_sequence = 4', 4],
    'a byte moved from commands to events': ['update journal set commands = substr(commands, 1, 199), events = substr(commands, 200) || events where first_sequence = 4', 4],
    'the time': ['update journal set engine_time = engine_time + 1 where first_sequence = 4', 4],
    'the epoch': ['update journal set epoch = 7 where first_sequence = 4', 4],
    'the rules version': ['update journal set rules_version = 2 where first_sequence = 4', 4],
    'the hash': ['update journal set hash = sha256(hash) where first_sequence = 4', 4],
    'a row deleted': ['delete from journal where first_sequence = 4', 4],
    'the first row deleted': ['delete from journal where first_sequence = 1', 1],
    'the last row deleted': ['delete from journal where first_sequence = (select max(first_sequence) from journal)', 10],
    'a row doubled at the end': ['insert into journal select last_sequence + 1, last_sequence + 1, engine_time, epoch, rules_version, commands, events, hash from journal order by 1 desc limit 1', 13],
    'two rows swapped': ['update journal a set commands = b.commands, events = b.events from journal b where (a.first_sequence, b.first_sequence) in ((4, 7), (7, 4))', 4],
    'a longer row': ['update journal set last_sequence = last_sequence + 1 where first_sequence = 4', 4],
  };

  test.each(Object.entries(DAMAGE))('of %s is found', async (_, [statement, sequence]) => {
    // Rows of 1, 2, 3 commands in turn: 1, 2, 4, 7, 8, 10.
    await write(await lead(), 6);
    await verify();
    await query(url, statement);
    const error = await verify().then(() => undefined, (reason: unknown) => reason);
    expect(error).toBeInstanceOf(JournalCorrupt);
    expect((error as JournalCorrupt).sequence).toBe(sequence);
  });

  test('a journal whose lease is missing has no leader, and is told as damaged', async () => {
    await query(url, 'delete from journal_lease');
    await expect(lead()).rejects.toThrow(JournalCorrupt);
    await expect(requireHolder({ url, holder: 'test' })).rejects.toThrow('its lease, with the high-water mark, is missing');
  });
});

describe('snapshots', () => {
  const snapshot = (sequence: number, bytes = 5_000) => ({ sequence, rulesVersion: 1, journalHash: randomBytes(32), state: new Uint8Array(randomBytes(bytes)) });
  const stored = async () => {
    const found = [];
    for await (const item of new PostgresSnapshots(url).newestFirst()) found.push(item);
    return found;
  };

  test('come back newest first, and three are kept', async () => {
    const snapshots = [10, 20, 30, 40].map(snapshot);
    for (const one of snapshots) await new PostgresSnapshots(url).save(one);
    expect(await stored()).toMatchObject(snapshots.slice(1).reverse());
  });

  test('that are large are written in pieces, at most so much in a second, and go as a whole', async () => {
    const large = snapshot(10, 700_000);
    const begun = performance.now();
    await new PostgresSnapshots(url, { bytesPerSecond: 2_000_000 }).save(large);
    expect(performance.now() - begun).toBeGreaterThan(250);
    // Compared as bytes: an assertion looks at each of them.
    const isStored = async ({ state }: { state: Uint8Array }) => (await stored()).map((found) => 'state' in found && Buffer.compare(found.state, state) === 0);
    expect(await isStored(large)).toEqual([true]);
    const parts = async () => (await query(url, 'select sequence from snapshot_parts')).map(({ sequence }) => Number(sequence));
    expect(await parts()).toEqual([10, 10]);
    const again = snapshot(10, 300_000);
    await new PostgresSnapshots(url).save(again);
    expect(await isStored(again)).toEqual([true]);
    await query(url, `update snapshot_parts set bytes = set_byte(bytes, 7, get_byte(bytes, 7) # 1); insert into snapshot_parts values (99, 1, '')`);
    expect(await stored()).toMatchObject([{ sequence: 10, damage: expect.any(String) as string }]);
    for (const sequence of [20, 30, 40]) await new PostgresSnapshots(url).save(snapshot(sequence));
    expect(await parts()).toEqual([]);
  });

  test('that are damaged are told', async () => {
    for (const sequence of [10, 20, 30]) await new PostgresSnapshots(url).save(snapshot(sequence));
    await query(url, 'update snapshots set state = substr(state, 2) where sequence = 30');
    await query(url, 'update snapshots set journal_hash = sha256(journal_hash) where sequence = 20');
    expect(await stored()).toMatchObject([{ sequence: 30, damage: expect.any(String) as string }, { sequence: 20, damage: expect.any(String) as string }, { sequence: 10 }]);
  });

  test('that were found damaged go for the next one, and those before them stay', async () => {
    for (const sequence of [10, 20, 30]) await new PostgresSnapshots(url).save(snapshot(sequence));
    await query(url, 'update snapshots set state = substr(state, 2) where sequence = 30');
    const store = new PostgresSnapshots(url);
    for await (const found of store.newestFirst()) if (!('damage' in found)) break;
    await store.save(snapshot(40));
    expect(await stored()).toMatchObject([{ sequence: 40 }, { sequence: 20 }, { sequence: 10 }]);
    // One that is written where the damaged one stood is not taken for it.
    await query(url, 'update snapshots set state = substr(state, 2) where sequence = 40');
    for await (const found of store.newestFirst()) if (!('damage' in found)) break;
    const again = snapshot(40);
    await store.save(again);
    expect(await stored()).toMatchObject([again, { sequence: 20 }, { sequence: 10 }]);
  });
});

test('whether somebody leads is known to anybody', async () => {
  expect(await isLed(url)).toBe(false);
  const journal = await lead();
  expect(await isLed(url)).toBe(true);
  await journal.close();
  expect(await isLed(url)).toBe(false);
});

test('reads nothing from an empty journal', async () => {
  const journal = await lead();
  expect(await read(journal, 1)).toEqual([]);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  expect(await readLastRow(client)).toBeUndefined();
  await client.end();
  await verify();
});
