/**
 * The whole engine (risk, hold, match, ledger, events) on one core, against nodejs-order-book, which
 * is a book alone, on the same operations. Both make exactly the trades of the reference book.
 */
import type { Envelope } from '../../engine/commands.ts';
import { BUY } from '../../engine/commands.ts';
import { median, percentile, type BenchOptions, type BenchResult } from './benchmark.ts';
import { blockLatency } from './blocks.ts';
import { BATCH, applyAll, openMarket, rehearse, restingOrders, verifyInvariants } from './engine_market.ts';
import { heapOverLongRun, manyBooksRate } from './engine_wide.ts';
import { CANCEL, SPREAD, TAKE, generateOrderFlow, mixes, type OrderFlow } from './order_flow.ts';
import { loadPeer } from './peer.ts';

const SEED = 1;
const RESTING_SAMPLE = 500_000;
/** What `--only` leaves of the benchmark. */
const PARTS = ['all', 'bytes', 'mix', 'heap', 'wide', 'blocks', 'deep'] as const;
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

export async function run(options: BenchOptions): Promise<BenchResult> {
  const operations = options.number('operations', 1_000_000);
  const rounds = options.number('rounds', 5);
  const peer = loadPeer<PeerModule>('nodejs-order-book', 'nodejs-order-book', options.say);
  const spread = options.number('spread', SPREAD);
  const long = options.number('long', 1_000_000);
  const { standard, deep } = mixes(spread);
  const only = options.choice('only', PARTS, 'all');
  const measures = (part: (typeof PARTS)[number]): boolean => only === 'all' || only === part;
  options.say(`${operations} operations of each mix, ${spread} ticks from the mid on average, seed ${SEED}, ${rounds} rounds`);
  const result: BenchResult = {};
  // First, while no memory stands ready that something else has used before.
  if (measures('bytes')) result['bytes_per_order'] = bytesPerOrder();
  if (measures('mix')) Object.assign(result, standardMix(generateOrderFlow(standard, operations, SEED), rounds, peer, options));
  if (measures('heap')) {
    options.say(`heap over ${long} operations`);
    result['heap_growth_mb'] = heapOverLongRun(standard, long, SEED);
  }
  if (measures('wide')) {
    options.say('many books');
    result['many_books_ops_per_second'] = manyBooksRate(operations);
    if (only === 'all') result['many_books_ratio'] = result['many_books_ops_per_second'] / result['ops_per_second'];
  }
  if (measures('blocks')) {
    options.say('blocks');
    const { p50, p99 } = blockLatency();
    Object.assign(result, { block_p50_us: p50, block_p99_us: p99 });
  }
  if (measures('deep')) {
    const flow = generateOrderFlow(deep, operations, SEED);
    const rates = compare('deep mix', flow, rehearse(flow, kept(openMarket())), rounds, peer, options);
    Object.assign(result, { deep_ops_per_second: rates.engine, peer_deep_ops_per_second: rates.peer, deep_ratio: rates.engine / rates.peer });
  }
  return Promise.resolve(Object.fromEntries(KEYS.filter((key) => key in result).map((key) => [key, result[key]])));
}

/** Against the peer, then each command timed alone. */
function standardMix(flow: OrderFlow, rounds: number, peer: PeerModule, options: BenchOptions): BenchResult {
  const envelopes = rehearse(flow, kept(openMarket()));
  const { engine, peer: other } = compare('mix', flow, envelopes, rounds, peer, options);
  options.say('mix: latency');
  const { p50, p99, max } = latencies(envelopes);
  return { ops_per_second: engine, peer_ops_per_second: other, ratio: engine / other, p50_us: p50, p99_us: p99, max_us: max };
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
