/**
 * Commands a second through the sequencer, each acknowledged after its batch's commit, against the
 * bare insert of as many rows of the same size on the same Postgres. Latency is measured apart, with
 * commands offered evenly, from when each was due, and is told beside what a bare insert of such a batch takes as often on the same disk: a
 * command waits for the insert under way and for its own.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SequencerPort } from '../../api/sequencer/port.ts';
import { percentile, type BenchOptions, type BenchResult } from './benchmark.ts';
import { DurableMarket, submitAll, submitMarket } from './durable_market.ts';
import { FlowCommands, openMarket } from './engine_market.ts';
import { generateOrderFlow, MIX } from './order_flow.ts';

const SEED = 1;
const RAW_SECONDS = 3;
const OFFERED = 50_000;
/** Of the operations, at most half and so many are offered evenly. */
const EVENLY = 500_000;
/** What of them comes first is not counted: V8 compiles the way of a batch only when thousands have gone it, and before there were few, but large. */
const RUN_IN = 2 / 5;

export async function run(options: BenchOptions): Promise<BenchResult> {
  const operations = options.number('operations', 1_000_000);
  const outstanding = options.number('outstanding', 10_000);
  const commands = new FlowCommands(generateOrderFlow(MIX, operations, SEED), openMarket());
  commands.rehearse();
  const market = await DurableMarket.open(options.say);
  try {
    const port = await market.start();
    await submitMarket(port, outstanding);
    const timed = operations - Math.min(operations >> 1, EVENLY);
    const warm = timed >> 2;
    await submitAll(port, (row) => commands.envelope(row), 0, warm, outstanding);
    const { batches } = await rowsWritten(market);
    settle();
    const rate = await throughput(port, commands, { from: warm, to: timed, outstanding });
    const written = await rowsWritten(market);
    const perBatch = (timed - warm) / (written.batches - batches);
    options.say(`${Math.round(rate)} commands a second with ${outstanding} outstanding, ${Math.round(perBatch)} in a batch, ${Math.round(written.bytes / written.commands)} bytes each`);
    const offered = options.number('offered', OFFERED);
    settle();
    const before = await rowsWritten(market);
    const latencies = await latenciesAt(port, commands, { from: timed, to: operations, perSecond: offered });
    const after = await rowsWritten(market);
    await port.close();
    const bytes = Math.round((after.bytes - before.bytes) / (after.batches - before.batches));
    const bare = await rawLatencies(market, bytes, (offered * (after.batches - before.batches)) / (operations - timed));
    options.say(`with ${Math.round(offered)} commands a second offered p50 ${percentile(latencies, 0.5).toFixed(1)} ms, p99 ${percentile(latencies, 0.99).toFixed(1)} ms; bare inserts of as many bytes, as often: p50 ${percentile(bare, 0.5).toFixed(1)} ms, p99 ${percentile(bare, 0.99).toFixed(1)} ms`);
    const raw = await rawBatches(market, Math.round((written.bytes / written.commands) * perBatch));
    return {
      commands_per_second: rate,
      p50_ms: percentile(latencies, 0.5),
      p99_ms: percentile(latencies, 0.99),
      raw_p50_ms: percentile(bare, 0.5),
      raw_p99_ms: percentile(bare, 0.99),
      raw_batches_per_second: raw,
      ratio_to_raw: rate / perBatch / raw,
    };
  } finally {
    await market.close();
  }
}

async function rowsWritten(market: DurableMarket): Promise<{ batches: number; commands: number; bytes: number }> {
  const client = await market.connect();
  const { rows } = await client.query<{ batches: number; commands: number; bytes: number }>(
    'select count(*)::int as batches, max(last_sequence)::int as commands, sum(length(commands) + length(events))::float8 as bytes from journal',
  );
  await client.end();
  return rows[0];
}

async function throughput(port: SequencerPort, commands: FlowCommands, { from, to, outstanding }: { from: number; to: number; outstanding: number }): Promise<number> {
  const begun = performance.now();
  await submitAll(port, (row) => commands.envelope(row), from, to, outstanding);
  return ((to - from) / (performance.now() - begun)) * 1000;
}

/** Milliseconds from when a command was due to its acknowledgement, sorted: a late sender hides nothing. What is acknowledged leaves nothing behind to collect. */
async function latenciesAt(port: SequencerPort, commands: FlowCommands, { from, to, perSecond }: { from: number; to: number; perSecond: number }): Promise<Float64Array> {
  const latencies = new Float64Array(to - from);
  let waiting = latencies.length;
  let broken: unknown;
  const begun = performance.now();
  const submit = (place: number) => {
    const dueAt = begun + (place / perSecond) * 1000;
    port.submit(commands.envelope(from + place)).then(() => {
      latencies[place] = performance.now() - dueAt;
      waiting--;
    }, (error: unknown) => (broken = error));
  };
  for (let next = 0; waiting > 0 && broken === undefined; await sleep(1)) {
    const due = Math.min(latencies.length, Math.floor(((performance.now() - begun) / 1000) * perSecond));
    while (next < due) submit(next++);
  }
  if (broken !== undefined) throw broken;
  return latencies.subarray(Math.round(latencies.length * RUN_IN)).sort();
}

/** What was prepared is moved to where the collector of young objects leaves it alone: else its pauses are counted as the market's. */
function settle(): void {
  globalThis.gc?.();
}

async function openRaw(market: DurableMarket, bytes: number): Promise<{ insert: () => Promise<unknown>; end: () => Promise<void> }> {
  const client = await market.connect();
  await client.query('create table if not exists raw (sequence bigserial primary key, batch bytea not null); alter table raw alter column batch set storage external');
  const batch = randomBytes(bytes);
  return { insert: () => client.query({ name: 'raw', text: 'insert into raw (batch) values ($1)', values: [batch] }), end: () => client.end() };
}

/** One row after the other into a bare table, on one connection. */
async function rawBatches(market: DurableMarket, bytes: number): Promise<number> {
  const { insert, end } = await openRaw(market, bytes);
  const begun = performance.now();
  let rows = 0;
  for (; performance.now() - begun < RAW_SECONDS * 1000; rows++) await insert();
  const rate = (rows / (performance.now() - begun)) * 1000;
  await end();
  return rate;
}

/** Milliseconds that each of so many a second takes, or as many as one after the other can be, sorted. */
async function rawLatencies(market: DurableMarket, bytes: number, perSecond: number): Promise<Float64Array> {
  const { insert, end } = await openRaw(market, bytes);
  const latencies: number[] = [];
  const first = performance.now();
  for (let begun = first; begun - first < RAW_SECONDS * 1000; begun = performance.now()) {
    await insert();
    const took = performance.now() - begun;
    latencies.push(took);
    const early = 1000 / perSecond - took;
    if (early > 1) await sleep(early);
  }
  await end();
  return Float64Array.from(latencies).sort();
}
