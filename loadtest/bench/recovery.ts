/**
 * How long a market takes to come back: the replay of every command of its journal, the restart after
 * a crash from the last snapshot, and the taking of a snapshot; with `--only restart` the second alone. The journal is the one that a sequencer would write, written at once.
 */
import { fork } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { copyRows } from '../../db/copy_out.ts';
import { COLUMNS, readRowOf } from '../../db/journal_reader.ts';
import type { JournalRow } from '../../db/journal_record.ts';
import { PostgresSnapshots } from '../../db/snapshots.ts';
import type { Snapshot } from '../../db/snapshots.ts';
import { LEADER_DEFAULTS } from '../../api/sequencer/leader.ts';
import { recover } from '../../api/sequencer/recovery.ts';
import { replayInThreads } from '../../api/sequencer/replay_thread.ts';
import { WORKER_FILE } from '../../api/sequencer/start.ts';
import { TAKEN_LATE_TIMES } from '../../api/sequencer/snapshotter.ts';
import { meetLargeIds } from '../../api/sequencer/warm_up.ts';
import { Engine } from '../../engine/engine.ts';
import { RULES_VERSION } from '../../engine/rules.ts';
import { YOUNG } from './benchmark.ts';
import type { BenchOptions, BenchResult } from './benchmark.ts';
import { DurableMarket } from './durable_market.ts';
import { verifyInvariants } from './engine_market.ts';
import { EPOCH, journalRows } from './journal_rows.ts';
import { generateOrderFlow, MIX } from './order_flow.ts';

const SEED = 1;
const COMMANDS_PER_ROW = 5_000;
const ROWS_PER_PART = 50;
/** Commands after the last snapshot when the next one is due in any case. */
const REPLAYED_MAX = LEADER_DEFAULTS.snapshotEvery * TAKEN_LATE_TIMES;

export async function run(options: BenchOptions): Promise<BenchResult> {
  const operations = options.number('operations', 10_000_000);
  const market = await DurableMarket.open(options.say);
  try {
    const stateHash = await writeJournal(market, operations, options);
    const restart = await restartSeconds(market, stateHash);
    if (options.choice('only', ['all', 'restart'], 'all') === 'restart') return { restart_seconds: restart, journal_commands: operations };
    options.say('replaying the whole journal');
    const replayed = await replayApart(market.url);
    if (replayed.stateHash !== stateHash) throw new Error('replay does not come to the state the market had');
    return {
      replay_commands_per_second: (replayed.replayedCommands / replayed.replayMillis) * 1000,
      restart_seconds: restart,
      snapshot_seconds: replayed.snapshotMillis / 1000,
      journal_commands: replayed.replayedCommands,
    };
  } finally {
    await market.close();
  }
}

/** As a market under load leaves it: the last snapshot is almost as old as it may become. @returns the hash of the state it leads to */
async function writeJournal(market: DurableMarket, operations: number, { say }: BenchOptions): Promise<string> {
  say(`preparing ${operations} operations`);
  const flow = generateOrderFlow(MIX, operations, SEED);
  const engine = Engine.spacious();
  const client = await market.connect();
  const begun = performance.now();
  let written = Promise.resolve();
  let part: JournalRow[] = [];
  let snapshot: Snapshot | undefined;
  let last = { lastSequence: 0 };
  // One part is on its way while the next is made.
  const write = async () => {
    const rows = part;
    part = [];
    await written;
    written = copyIn(client, rows);
    written.catch(() => undefined);
    say(`${rows[rows.length - 1].lastSequence} commands after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  };
  for (const row of journalRows(engine, flow, COMMANDS_PER_ROW)) {
    part.push(row);
    last = row;
    if (part.length === ROWS_PER_PART) await write();
    if (snapshot === undefined && row.lastSequence >= operations - REPLAYED_MAX) snapshot = { sequence: row.lastSequence, rulesVersion: RULES_VERSION, journalHash: row.hash, state: engine.snapshot() };
  }
  if (part.length > 0) await write();
  await written;
  await client.query('update journal_lease set epoch = $1, high_water = $2', [EPOCH, last.lastSequence]);
  await client.end();
  if (snapshot !== undefined) await new PostgresSnapshots(market.url).save(snapshot);
  return engine.stateHash();
}

/** Rows into the journal, as COPY takes them: what is large goes as it is. */
async function copyIn(client: pg.Client, rows: readonly JournalRow[]): Promise<void> {
  const stream = client.query(copyFrom(`copy journal (${COLUMNS}) from stdin (format binary)`));
  await pipeline(Readable.from(binaryRows(rows)), stream);
}

/** Signature, flags and no extension; for each row how many fields it has, and each with its length; an end. */
function* binaryRows(rows: readonly JournalRow[]): Generator<Uint8Array> {
  yield Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
  for (const row of rows) {
    const numbers = [row.firstSequence, row.lastSequence, row.engineTime, row.epoch, row.rulesVersion];
    const head = Buffer.alloc(2 + numbers.length * 12);
    head.writeInt16BE(numbers.length + 3, 0);
    numbers.forEach((value, index) => {
      head.writeInt32BE(8, 2 + index * 12);
      head.writeBigInt64BE(BigInt(value), 6 + index * 12);
    });
    yield head;
    for (const bytes of [row.commands, row.events, row.hash]) {
      const length = Buffer.alloc(4);
      length.writeInt32BE(bytes.length);
      yield length;
      yield bytes;
    }
  }
  yield Buffer.from([0xff, 0xff]);
}

/** Until the market would serve: lead, verified chain, snapshot, replay. @throws Error when the state is another */
async function restartSeconds(market: DurableMarket, stateHash: string): Promise<number> {
  const begun = performance.now();
  const port = await market.start();
  const seconds = (performance.now() - begun) / 1000;
  const restarted = await port.query('stateHash', {}).finally(() => port.close());
  if (restarted.stateHash !== stateHash) throw new Error('the restarted market has not the state it had');
  return seconds;
}

interface Replayed {
  replayedCommands: number;
  replayMillis: number;
  /** Taken and stored. */
  snapshotMillis: number;
  stateHash: string;
}

/** In a process of its own with as much room for what is young as the market's thread has. */
function replayApart(url: string): Promise<Replayed> {
  const child = fork(process.argv[1], ['recovery-replay', url], { execArgv: ['--enable-source-maps', ...YOUNG] });
  return new Promise((resolve, reject) => {
    child.once('message', (replayed) => resolve(replayed as Replayed));
    child.once('exit', (code) => reject(new Error(`the replay ended with ${code}`)));
  });
}

/** As `npm run replay` does: every command from the first, its events compared, the invariants checked; then a snapshot of what it comes to. */
async function replayAll(url: string): Promise<Replayed> {
  const replay = replayInThreads(WORKER_FILE, url);
  meetLargeIds();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { engine, journalHash, replayedCommands, replayMillis } = await recover({ journal: { rowOf: (sequence) => readRowOf(client, sequence), rows: (sequence) => copyRows(url, sequence) }, replay });
  await client.end();
  verifyInvariants(engine);
  const begun = performance.now();
  await new PostgresSnapshots(url).save({ sequence: engine.sequence, rulesVersion: RULES_VERSION, journalHash, state: engine.snapshot() });
  return { replayedCommands, replayMillis, snapshotMillis: performance.now() - begun, stateHash: engine.stateHash() };
}

/** The process of `replayApart`. */
export function serveReplay(): void {
  replayAll(process.argv[3]).then((replayed) => process.send?.(replayed, () => process.disconnect()), (error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}
