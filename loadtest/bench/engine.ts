/**
 * The whole engine (risk, hold, match, ledger, events) on one core, against nodejs-order-book, which
 * is a book alone, on the same operations. Both make exactly the trades of the reference book.
 */
import type { Envelope } from '../../engine/commands.ts';
import { BUY } from '../../engine/commands.ts';
import type { Engine } from '../../engine/engine.ts';
import { median, percentile, type BenchOptions, type BenchResult } from './benchmark.ts';
import { openMarket, rehearse, restingOrders, verifyInvariants } from './engine_market.ts';
import { CANCEL, DEEP_MIX, MIX, TAKE, generateOrderFlow, type OrderFlow } from './order_flow.ts';
import { loadPeer } from './peer.ts';

const SEED = 1;
/** Commands between two collections of the events, as the sequencer's batches. */
const BATCH = 256;
const RESTING_SAMPLE = 200_000;
const MEGABYTE = 1_048_576;

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
  options.say(`generating ${operations} operations of each mix, seed ${SEED}`);
  const mixed = generateOrderFlow(MIX, operations, SEED);
  const deep = generateOrderFlow(DEEP_MIX, operations, SEED);
  const engine = engineRuns(mixed, rounds, options);
  const deepRate = throughput('deep mix', deep, rehearse(deep, openMarket()), rounds, options);
  const peerRate = peerRounds('mix', mixed, rounds, peer, options);
  const peerDeepRate = peerRounds('deep mix', deep, rounds, peer, options);
  return Promise.resolve({
    ops_per_second: engine.rate,
    deep_ops_per_second: deepRate,
    p50_us: engine.p50,
    p99_us: engine.p99,
    max_us: engine.max,
    peer_ops_per_second: peerRate,
    peer_deep_ops_per_second: peerDeepRate,
    ratio: engine.rate / peerRate,
    deep_ratio: deepRate / peerDeepRate,
    heap_growth_mb: engine.growth,
    bytes_per_order: bytesPerOrder(),
  });
}

/** Everything that is measured of the engine on the mix. */
function engineRuns(flow: OrderFlow, rounds: number, options: BenchOptions): { rate: number; p50: number; p99: number; max: number; growth: number } {
  const envelopes = rehearse(flow, openMarket());
  const rate = throughput('mix', flow, envelopes, rounds, options);
  options.say('engine, mix: latency and heap');
  return { rate, ...latencies(envelopes), growth: heapGrowth(envelopes) };
}

/** Operations per second of the median round; every round begins with a new market and ends with its invariants. */
function throughput(name: string, flow: OrderFlow, envelopes: readonly Envelope[], rounds: number, options: BenchOptions): number {
  options.say(`engine, ${name}: ${flow.fills} fills, ${flow.resting} orders rest at the end`);
  const rates: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const { engine } = openMarket();
    collectGarbage();
    const started = performance.now();
    applyAll(engine, envelopes);
    rates.push((flow.length * 1_000) / (performance.now() - started));
    verifyInvariants(engine);
    options.say(`engine, ${name}, round ${round} of ${rounds}: ${Math.round(rates[rates.length - 1])} operations a second, invariants hold`);
  }
  return median(rates);
}

function applyAll(engine: Engine, envelopes: readonly Envelope[]): void {
  const { length } = envelopes;
  for (let from = 0; from < length; from += BATCH) {
    const to = Math.min(length, from + BATCH);
    for (let row = from; row < to; row++) engine.apply(envelopes[row]);
    engine.buffer.take();
  }
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
    if (row % BATCH === BATCH - 1) engine.buffer.take();
  }
  verifyInvariants(engine);
  micros.sort();
  return { p50: percentile(micros, 0.5), p99: percentile(micros, 0.99), max: micros[micros.length - 1] };
}

function peerRounds(name: string, flow: OrderFlow, rounds: number, { OrderBook }: PeerModule, options: BenchOptions): number {
  const operations = peerOperations(flow);
  const rates: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const book = new OrderBook();
    collectGarbage();
    const started = performance.now();
    for (const operation of operations) {
      if (typeof operation === 'string') book.cancel(operation);
      else book.limit(operation);
    }
    rates.push((flow.length * 1_000) / (performance.now() - started));
    verifyPeer(flow, book);
    options.say(`peer, ${name}, round ${round} of ${rounds}: ${Math.round(rates[rates.length - 1])} operations a second`);
  }
  return median(rates);
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

/** What the engine keeps of a run of the mix (orders, fills, allocations), in megabytes after a full collection. */
function heapGrowth(envelopes: readonly Envelope[]): number {
  const { engine } = openMarket();
  const before = heapBytes();
  applyAll(engine, envelopes);
  const growth = heapBytes() - before;
  verifyInvariants(engine);
  return growth / MEGABYTE;
}

function bytesPerOrder(): number {
  const bench = openMarket();
  const orders = restingOrders(bench, RESTING_SAMPLE);
  const before = heapBytes();
  applyAll(bench.engine, orders);
  const bytes = (heapBytes() - before) / RESTING_SAMPLE;
  verifyInvariants(bench.engine);
  return bytes;
}

function heapBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('run node with --expose-gc');
  globalThis.gc();
}
