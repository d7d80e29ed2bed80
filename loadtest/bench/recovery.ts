/**
 * How long a market takes to come back: the replay of every command of its journal, the restart after
 * a crash from the last snapshot taken while it ran, and the taking of a snapshot.
 */
import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { copyRows } from '../../db/copy_out.ts';
import { readRowOf } from '../../db/journal_reader.ts';
import { PostgresSnapshots } from '../../db/snapshots.ts';
import { recover } from '../../api/sequencer/recovery.ts';
import { RULES_VERSION } from '../../engine/rules.ts';
import type { BenchOptions, BenchResult } from './benchmark.ts';
import { DurableMarket, submitAll, submitMarket } from './durable_market.ts';
import { FlowCommands, openMarket, verifyInvariants } from './engine_market.ts';
import { generateOrderFlow, MIX } from './order_flow.ts';

const SEED = 1;
const OUTSTANDING = 10_000;
/** Operations that are prepared at a time. */
const PART = 250_000;
const YOUNG_MEGABYTES = 32;
const SNAPSHOT_MILLIS_MAX = 60_000;

export async function run(options: BenchOptions): Promise<BenchResult> {
  const operations = options.number('operations', 2_000_000);
  const market = await DurableMarket.open(options.say);
  try {
    const sequence = await writeJournal(market, operations, options);
    const stateHash = await liveHash(market);
    await forgetCleanStop(market, sequence);
    const restart = await restartSeconds(market, stateHash);
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

/** @returns the sequence of the last command */
async function writeJournal(market: DurableMarket, operations: number, { say }: BenchOptions): Promise<number> {
  say(`preparing ${operations} operations`);
  const flow = generateOrderFlow(MIX, operations, SEED);
  const port = await market.start();
  say('writing the journal');
  const begun = performance.now();
  await submitMarket(port, OUTSTANDING);
  const commands = new FlowCommands(flow, openMarket());
  for (let from = 0; from < operations; from += PART) {
    const to = Math.min(operations, from + PART);
    commands.rehearse(to);
    await submitAll(port, (row) => commands.envelope(row), from, to, OUTSTANDING);
  }
  await haveSnapshot(market);
  const { sequence } = await port.status();
  say(`wrote ${sequence} commands in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  await port.close();
  return sequence;
}

/** One is on its way since the market has run for a while. */
async function haveSnapshot(market: DurableMarket): Promise<void> {
  const client = await market.connect();
  for (const end = performance.now() + SNAPSHOT_MILLIS_MAX; performance.now() < end; await sleep(100)) {
    const { rows } = await client.query('select 1 from snapshots limit 1');
    if (rows.length > 0) break;
  }
  await client.end();
}

async function liveHash(market: DurableMarket): Promise<string> {
  const port = await market.start();
  const { stateHash } = await port.query('status', {});
  await port.close();
  return stateHash;
}

/** A crash leaves no snapshot of the last moment, only those taken on the way. */
async function forgetCleanStop(market: DurableMarket, sequence: number): Promise<void> {
  const client = await market.connect();
  await client.query('delete from snapshots where sequence >= $1', [sequence]);
  await client.end();
}

/** Until the market would serve: lead, verified chain, snapshot, replay. @throws Error when the state is another */
async function restartSeconds(market: DurableMarket, stateHash: string): Promise<number> {
  const begun = performance.now();
  const port = await market.start();
  const seconds = (performance.now() - begun) / 1000;
  const status = await port.query('status', {});
  await port.close();
  if (status.stateHash !== stateHash) throw new Error('the restarted market has not the state it had');
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
  const child = fork(process.argv[1], ['recovery-replay', url], { execArgv: ['--enable-source-maps', `--max-semi-space-size=${YOUNG_MEGABYTES}`] });
  return new Promise((resolve, reject) => {
    child.once('message', (replayed) => resolve(replayed as Replayed));
    child.once('exit', (code) => reject(new Error(`the replay ended with ${code}`)));
  });
}

/** Every command from the first, its events compared, the invariants checked; then a snapshot of what it comes to. */
async function replayAll(url: string): Promise<Replayed> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { engine, journalHash, replayedCommands, replayMillis } = await recover({ journal: { rowOf: (sequence) => readRowOf(client, sequence), rows: (sequence) => copyRows(url, sequence) } });
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
