/**
 * The whole engine (risk, hold, match, ledger, events) on one core, against nodejs-order-book, which
 * is a book alone, on the same operations. Both make exactly the trades of the reference book.
 */
import { execFileSync } from 'node:child_process';
import type { Envelope } from '../../engine/commands.ts';
import { BUY } from '../../engine/vocabulary.ts';
import { YOUNG, median, percentile, type BenchOptions, type BenchResult } from './benchmark.ts';
import { blockLatency } from './blocks.ts';
import { BATCH, applyAll, openMarket, rehearse, restingOrders, verifyInvariants } from './engine_market.ts';
import { heapOverLongRun, manyBooksRate } from './engine_wide.ts';
import { CANCEL, SPREAD, TAKE, generateOrderFlow, mixes, type Mix, type OrderFlow } from './order_flow.ts';
import { loadPeer } from './peer.ts';

const SEED = 1;
const RESTING_SAMPLE = 500_000;
/** What `--only` leaves of the benchmark. */
const PARTS = ['bytes', 'mix', 'heap', 'wide', 'blocks', 'deep'] as const;
type Part = (typeof PARTS)[number];
const KEYS = [
  'ops_per_second', 'deep_ops_per_second', 'p50_us', 'p99_us', 'max_us', 'peer_ops_per_second', 'peer_deep_ops_per_second', 'ratio', 'deep_ratio',
  'heap_growth_mb', 'bytes_per_order', 'many_books_ops_per_second', 'many_books_ratio', 'block_p50_us', 'block_p99_us',
] as const;

/**
 * One engine and one book of the peer that live as long as the run. What V8 has compiled goes when the last
 * object of its kind does; no server drops its only engine, and rounds that begin cold would measure the compiler.
 */
const alive: object[] = [];
function kept<Thing extends object>(thing: Thing): Thing {
  alive.push(thing);
  return thing;
}

interface PeerOrder {
  id: string;
  side: 'buy' | 'sell';
  size: number;
  price: number;
  timeInForce: 'GTC' | 'IOC';
}
interface PeerBook {
  limit(order: PeerOrder): { err: Error | null };
  cancel(id: string): unknown;
  depth(): [[number, number][], [number, number][]];
}
interface PeerModule {
  OrderBook: new () => PeerBook;
}

interface Sizes {
  operations: number;
  rounds: number;
  spread: number;
  long: number;
}

export function run(options: BenchOptions): Promise<BenchResult> {
  const sizes: Sizes = {
    operations: options.number('operations', 1_000_000), rounds: options.number('rounds', 5), spread: options.number('spread', SPREAD), long: options.number('long', 1_000_000),
  };
  const only = options.choice('only', ['all', ...PARTS], 'all');
  const result = only === 'all' ? allApart(sizes) : measure(only, sizes, options);
  return Promise.resolve(Object.fromEntries(KEYS.filter((key) => key in result).map((key) => [key, result[key]])));
}

/**
 * Each part in a process of its own, engine and peer alike: what the parts before have taught the compiler, and the memory they
 * have used, would make of each figure one of the order in which they are taken.
 */
function allApart(sizes: Sizes): BenchResult {
  const given = Object.entries(sizes).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const parts = PARTS.map((part) => {
    const output = execFileSync(process.execPath, [...process.execArgv, ...YOUNG, process.argv[1], 'engine', '--json', '--only', part, ...given], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as BenchResult;
  });
  const result: BenchResult = Object.assign({}, ...parts);
  return { ...result, many_books_ratio: result['many_books_ops_per_second'] / result['ops_per_second'] };
}

function measure(part: Part, { operations, rounds, spread, long }: Sizes, options: BenchOptions): BenchResult {
  const { standard, deep } = mixes(spread);
  const flowOf = (mix: Mix): OrderFlow => {
    options.say(`${operations} operations, ${spread} ticks from the mid on average, seed ${SEED}, ${rounds} rounds`);
    return generateOrderFlow(mix, operations, SEED);
  };
  switch (part) {
    case 'bytes':
      return { bytes_per_order: bytesPerOrder() };
    case 'mix':
      return standardMix(flowOf(standard), rounds, options);
    case 'heap':
      options.say(`heap over ${long} operations`);
      return { heap_growth_mb: heapOverLongRun(standard, long, SEED) };
    case 'wide':
      options.say('many books');
      return { many_books_ops_per_second: manyBooksRate(operations) };
    case 'blocks': {
      options.say('blocks');
      const { p50, p99 } = blockLatency();
      return { block_p50_us: p50, block_p99_us: p99 };
    }
    case 'deep':
      return deepMix(flowOf(deep), rounds, options);
  }
}

const peerModule = (options: BenchOptions): PeerModule => loadPeer<PeerModule>('nodejs-order-book', 'nodejs-order-book', options.say);

/** Against the peer, then each command timed alone. */
function standardMix(flow: OrderFlow, rounds: number, options: BenchOptions): BenchResult {
  const envelopes = rehearse(flow, kept(openMarket()));
  const { engine, peer: other } = compare('mix', flow, envelopes, rounds, peerModule(options), options);
  options.say('mix: latency');
  const { p50, p99, max } = latencies(envelopes);
  return { ops_per_second: engine, peer_ops_per_second: other, ratio: engine / other, p50_us: p50, p99_us: p99, max_us: max };
}

function deepMix(flow: OrderFlow, rounds: number, options: BenchOptions): BenchResult {
  const { engine, peer } = compare('deep mix', flow, rehearse(flow, kept(openMarket())), rounds, peerModule(options), options);
  return { deep_ops_per_second: engine, peer_deep_ops_per_second: peer, deep_ratio: engine / peer };
}

/** Operations per second of the median rounds; engine and peer take turns, so that what disturbs the machine disturbs both. */
function compare(name: string, flow: OrderFlow, envelopes: readonly Envelope[], rounds: number, peer: PeerModule, options: BenchOptions): { engine: number; peer: number } {
  options.say(`${name}: ${flow.fills} fills, ${flow.resting} orders rest at the end`);
  const operations = peerOperations(flow);
  const rates: { engine: number[]; peer: number[] } = { engine: [], peer: [] };
  for (let round = 1; round <= rounds; round++) {
    rates.engine.push(engineRate(envelopes));
    const book = new peer.OrderBook();
    rates.peer.push(peerRate(flow, operations, round === 1 ? kept(book) : book));
    const [engine, other] = [rates.engine, rates.peer].map((list) => Math.round(list[round - 1]));
    options.say(`${name}, round ${round} of ${rounds}: engine ${engine} operations a second (invariants hold), peer ${other}`);
  }
  return { engine: median(rates.engine), peer: median(rates.peer) };
}

/** Every round begins with a new market and ends with its invariants. */
function engineRate(envelopes: readonly Envelope[]): number {
  const { engine } = openMarket();
  collectGarbage();
  const started = performance.now();
  applyAll(engine, envelopes);
  const rate = (envelopes.length * 1_000) / (performance.now() - started);
  verifyInvariants(engine);
  return rate;
}

/** Each command timed alone, the next sent when it is done. Microseconds. */
function latencies(envelopes: readonly Envelope[]): { p50: number; p99: number; max: number } {
  const { engine } = openMarket();
  const micros = new Float64Array(envelopes.length);
  collectGarbage();
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

function peerRate(flow: OrderFlow, operations: readonly (PeerOrder | string)[], book: PeerBook): number {
  collectGarbage();
  const started = performance.now();
  for (const operation of operations) {
    if (typeof operation === 'string') book.cancel(operation);
    else book.limit(operation);
  }
  const rate = (operations.length * 1_000) / (performance.now() - started);
  verifyPeer(flow, book);
  return rate;
}

/** A limit order, or the id of the one to cancel. */
function peerOperations(flow: OrderFlow): (PeerOrder | string)[] {
  return Array.from({ length: flow.length }, (_, row) => {
    if (flow.kind[row] === CANCEL) return String(flow.target[row]);
    return {
      id: String(row),
      side: flow.side[row] === BUY ? 'buy' : 'sell',
      size: flow.quantity[row],
      price: flow.price[row],
      timeInForce: flow.kind[row] === TAKE ? 'IOC' : 'GTC',
    };
  });
}

/** What rests in the peer's book must be what was placed less what was cancelled and filled. */
function verifyPeer(flow: OrderFlow, book: PeerBook): void {
  const [asks, bids] = book.depth();
  const resting = [...asks, ...bids].reduce((sum, [, quantity]) => sum + quantity, 0);
  if (Math.abs(resting - flow.restingQuantity) > 1e-6) throw new Error(`the peer's book holds ${resting} steps, the reference ${flow.restingQuantity}`);
}

/** What resting orders take of the machine's memory, in an engine with room for them as the server's has. */
function bytesPerOrder(): number {
  const bench = openMarket();
  const orders = restingOrders(bench, RESTING_SAMPLE);
  collectGarbage();
  const before = process.memoryUsage().rss;
  applyAll(bench.engine, orders);
  const bytes = (process.memoryUsage().rss - before) / RESTING_SAMPLE;
  verifyInvariants(bench.engine);
  return bytes;
}

function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('run node with --expose-gc');
  // Twice: buffers outside the heap are given back only by the collection after the one that drops them.
  globalThis.gc();
  globalThis.gc();
}
