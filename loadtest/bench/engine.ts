/**
 * The whole engine (risk, hold, match, ledger, events) on one core, against nodejs-order-book, which
 * is a book alone, on the same operations. Both make exactly the trades of the reference book.
 */
import { execFileSync } from 'node:child_process';
import { compileWhole } from '../../api/sequencer/compiler.ts';
import type { Envelope } from '../../engine/commands.ts';
import { YOUNG, collectAndSweep, median, percentile, type BenchOptions, type BenchResult } from './benchmark.ts';
import { blockLatency } from './blocks.ts';
import { BATCH, applyAll, openMarket, rehearse, restingOrders, verifyInvariants } from './engine_market.ts';
import { heapBytes, heapOverLongRun, manyBooksRate } from './engine_wide.ts';
import { SPREAD, generateOrderFlow, mixes, type Mix } from './order_flow.ts';
import { PeerProcess, type PeerTask } from './peer_book.ts';

const SEED = 1;
const RESTING_SAMPLE = 500_000;
const RESTING_STEP = 10_000;
/**
 * Rounds in which V8 compiles for batches what the rehearsal, command by command, has taught it: two where nothing else runs, four where
 * the thread that compiles waits for a processor. The peer's first is as quick as its others.
 */
const UNTIMED_ROUNDS = 4;
/** The engine's turn is a tenth to a fortieth as long as the peer's, and so what disturbs the machine meets it whole or not at all: the middle one of three counts. */
const TIMES_A_TURN = 3;
/** What `--only` leaves of the benchmark. */
const PARTS = ['bytes', 'mix', 'heap', 'wide', 'blocks', 'deep'] as const;
type Part = (typeof PARTS)[number];
const KEYS = [
  'ops_per_second', 'deep_ops_per_second', 'p50_us', 'p99_us', 'max_us', 'peer_ops_per_second', 'peer_deep_ops_per_second', 'ratio', 'deep_ratio',
  'heap_growth_mb', 'bytes_per_order', 'many_books_ops_per_second', 'many_books_ratio', 'block_p50_us', 'block_p99_us',
] as const;

/**
 * One engine that lives as long as the run. What V8 has compiled goes when the last
 * object of its kind does; no server drops its only engine, and rounds that begin cold would measure the compiler.
 */
const alive: object[] = [];
function kept<Thing extends object>(thing: Thing): Thing {
  alive.push(thing);
  return thing;
}

interface Sizes {
  operations: number;
  rounds: number;
  spread: number;
  long: number;
}

export async function run(options: BenchOptions): Promise<BenchResult> {
  compileWhole();
  const sizes: Sizes = {
    operations: options.number('operations', 1_000_000), rounds: options.number('rounds', 5), spread: options.number('spread', SPREAD), long: options.number('long', 1_000_000),
  };
  const only = options.choice('only', ['all', ...PARTS], 'all');
  const isPart = only !== 'all' && YOUNG.every((flag) => process.execArgv.includes(flag));
  const result = isPart ? await measure(only, sizes, options) : eachApart(only === 'all' ? PARTS : [only], sizes);
  return Object.fromEntries(KEYS.filter((key) => key in result).map((key) => [key, result[key]]));
}

/**
 * Each part in a process of its own, and the peer's rounds in another: what the parts before have taught the compiler, and the memory they
 * have used, would make of each figure one of the order in which they are taken. One part alone is measured as it is among all.
 */
function eachApart(parts: readonly Part[], sizes: Sizes): BenchResult {
  const given = Object.entries(sizes).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const results = parts.map((part) => {
    const output = execFileSync(process.execPath, [...process.execArgv, ...YOUNG, process.argv[1], 'engine', '--json', '--only', part, ...given], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as BenchResult;
  });
  const result: BenchResult = Object.assign({}, ...results);
  return parts.length === 1 ? result : { ...result, many_books_ratio: result['many_books_ops_per_second'] / result['ops_per_second'] };
}

async function measure(part: Part, { operations, rounds, spread, long }: Sizes, options: BenchOptions): Promise<BenchResult> {
  const { standard, deep } = mixes(spread);
  const taskOf = (mix: Mix): PeerTask => ({ mix, operations, seed: SEED });
  switch (part) {
    case 'bytes':
      return { bytes_per_order: bytesPerOrder() };
    case 'mix':
      return await standardMix(taskOf(standard), rounds, options);
    case 'heap':
      options.say(`heap over ${long} operations`);
      return { heap_growth_mb: heapOverLongRun(standard, long, SEED) };
    case 'wide':
      options.say('many books');
      return { many_books_ops_per_second: await manyBooksRate(operations) };
    case 'blocks': {
      options.say('blocks');
      const { p50, p99 } = blockLatency();
      return { block_p50_us: p50, block_p99_us: p99 };
    }
    case 'deep':
      return await deepMix(taskOf(deep), rounds, options);
  }
}

/** Against the peer, then each command timed alone. */
async function standardMix(task: PeerTask, rounds: number, options: BenchOptions): Promise<BenchResult> {
  const { engine, peer: other, envelopes } = await compare('mix', task, rounds, options);
  options.say('mix: latency');
  const { p50, p99, max } = await latencies(envelopes);
  return { ops_per_second: engine, peer_ops_per_second: other, ratio: engine / other, p50_us: p50, p99_us: p99, max_us: max };
}

async function deepMix(task: PeerTask, rounds: number, options: BenchOptions): Promise<BenchResult> {
  const { engine, peer } = await compare('deep mix', task, rounds, options);
  return { deep_ops_per_second: engine, peer_deep_ops_per_second: peer, deep_ratio: engine / peer };
}

interface Compared {
  engine: number;
  peer: number;
  envelopes: readonly Envelope[];
}

/** Operations per second of the median rounds; engine and peer take turns, so that what disturbs the machine disturbs both. */
async function compare(name: string, task: PeerTask, rounds: number, options: BenchOptions): Promise<Compared> {
  options.say(`${task.operations} operations, ${task.mix.spread} ticks from the mid on average, seed ${task.seed}, ${rounds} rounds`);
  const other = new PeerProcess(task, options.say);
  const flow = generateOrderFlow(task.mix, task.operations, task.seed);
  const envelopes = rehearse(flow, kept(openMarket()));
  options.say(`${name}: ${flow.fills} fills, ${flow.resting} orders rest at the end`);
  for (let round = 0; round < UNTIMED_ROUNDS; round++) await engineRate(envelopes);
  const rates: { engine: number[]; peer: number[] } = { engine: [], peer: [] };
  for (let round = 1; round <= rounds; round++) {
    rates.engine.push(await turnRate(envelopes));
    rates.peer.push(await other.round());
    const [engine, peer] = [rates.engine, rates.peer].map((list) => Math.round(list[round - 1]));
    options.say(`${name}, round ${round} of ${rounds}: engine ${engine} operations a second (invariants hold), peer ${peer}`);
  }
  other.close();
  return { engine: median(rates.engine), peer: median(rates.peer), envelopes };
}

async function turnRate(envelopes: readonly Envelope[]): Promise<number> {
  const rates: number[] = [];
  for (let time = 0; time < TIMES_A_TURN; time++) rates.push(await engineRate(envelopes));
  return median(rates);
}

/** Begins with a new market and ends with its invariants. */
async function engineRate(envelopes: readonly Envelope[]): Promise<number> {
  const { engine } = openMarket();
  await collectAndSweep();
  const started = performance.now();
  applyAll(engine, envelopes);
  const rate = (envelopes.length * 1_000) / (performance.now() - started);
  verifyInvariants(engine);
  return rate;
}

/** Each command timed alone, the next sent when it is done. Microseconds. */
async function latencies(envelopes: readonly Envelope[]): Promise<{ p50: number; p99: number; max: number }> {
  const { engine } = openMarket();
  const micros = new Float64Array(envelopes.length);
  await collectAndSweep();
  for (let row = 0; row < envelopes.length; row++) {
    const started = performance.now();
    engine.apply(envelopes[row]);
    micros[row] = (performance.now() - started) * 1_000;
    if (row % BATCH === BATCH - 1) engine.buffer.clear();
  }
  verifyInvariants(engine);
  micros.sort();
  return { p50: percentile(micros, 0.5), p99: percentile(micros, 0.99), max: micros[micros.length - 1] };
}

/**
 * What a resting order takes of the machine's memory, in an engine with room for it as the server's has: by how much the process grows with each
 * step of orders, the median of the steps, since V8 takes and gives back memory of its own meanwhile, in few of them; and what
 * JavaScript's heap and its buffers have grown by.
 */
function bytesPerOrder(): number {
  const rehearsed = kept(openMarket());
  const orders = restingOrders(rehearsed, RESTING_SAMPLE);
  applyAll(rehearsed.engine, orders);
  const { engine } = openMarket();
  const before = heapBytes();
  const steps: number[] = [];
  for (let from = 0; from < orders.length; from += RESTING_STEP) {
    const resident = process.memoryUsage.rss();
    applyAll(engine, orders, from, from + RESTING_STEP);
    steps.push((process.memoryUsage.rss() - resident) / RESTING_STEP);
  }
  const bytes = median(steps) + (heapBytes() - before) / RESTING_SAMPLE;
  verifyInvariants(engine);
  return bytes;
}
