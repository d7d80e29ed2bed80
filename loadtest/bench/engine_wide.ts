/** Beyond one book: a million orders over ten thousand instruments, a long run's heap. */
import type { Command, Envelope, PlaceOrder } from '../../engine/commands.ts';
import { BUY, GTC, IOC, SELL, marketOf } from '../../engine/vocabulary.ts';
import type { Side } from '../../engine/vocabulary.ts';
import type { Engine } from '../../engine/engine.ts';
import { KIND, decodeEvent, forEachEvent } from '../../engine/events.ts';
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { BUYERS, CANCEL, PROVIDERS, generateOrderFlow, type Mix, type OrderFlow } from './order_flow.ts';
import { collectAndSweep, collectGarbage, median } from './benchmark.ts';
import { START, applyAll, hoursAfterStart, inEnvelope, openMarket, order, placement, verifyInvariants, type BenchMarket } from './engine_market.ts';
import { Random } from './random.ts';

const MEGABYTE = 1_048_576;
const REGIONS = 5;
/** 5 regions of 2,000 hours each. */
const HOURS = 2_000;
const FIRST_HOUR = hoursAfterStart(24);
const RESTING = 1_000_000;
/** Before the first that counts: a market that has traded has compiled how, which takes V8 up to 400,000 of them; the other mixes have four rounds for that. */
const UNTIMED = 500_000;
/** Of which the median counts, as it does of the other mixes' rounds: a market of this size is made once. */
const STRETCHES = 5;
const GPUS = 1_000_000;

/** More regions, in which every provider has capacity. */
function openRegions({ engine, providers }: BenchMarket): void {
  const regions = Array.from({ length: REGIONS - 1 }, (_, region): Command => ({ type: 'addRegion', name: `region-${region}` }));
  const capacities = providers.flatMap((company) => Array.from({ length: REGIONS - 1 }, (_, region): Command[] => {
    const market = marketOf(0, region + 1);
    return [{ type: 'declareCapacity', company, market, gpus: GPUS }, { type: 'verifyCapacity', company, market, gpus: GPUS }];
  }).flat());
  applyAll(engine, [...regions, ...capacities].map(inEnvelope));
}

/** A million orders resting over ten thousand instruments, and operations in the shares of the standard mix, each in a book of its own choice. */
export function wideMarket(operations: number, resting = RESTING): { engine: Engine; commands: Envelope[] } {
  const bench = openMarket();
  openRegions(bench);
  const { engine, buyers, providers } = bench;
  const random = new Random(1);
  const live: { company: number; order: number }[] = [];
  const add = (price: number, timeInForce: number): PlaceOrder => {
    const side: Side = random.below(2) === 0 ? BUY : SELL;
    const company = side === BUY ? buyers[random.below(BUYERS)] : providers[random.below(PROVIDERS)];
    const distance = side === BUY ? -price : price;
    return order(company, marketOf(0, random.below(REGIONS)), FIRST_HOUR + random.below(HOURS), side, 20_000 + distance, 100 + random.below(2_000), timeInForce);
  };
  const perform = (command: Command): void => {
    engine.apply(inEnvelope(command));
    const batch = engine.buffer.take();
    forEachEvent(batch, (kind, at) => {
      const event = kind === KIND.orderRested && command.type === 'place' ? decodeEvent(batch, at) : undefined;
      if (event?.kind === 'orderRested' && command.type === 'place') live.push({ company: command.company, order: event.order });
    });
  };
  while (live.length < resting) perform(add(1 + random.below(40), GTC));
  const commands: Envelope[] = Array.from({ length: operations }, () => {
    const draw = random.next();
    if (draw < 0.35) {
      const place = random.below(live.length);
      const target = live[place];
      live[place] = live[live.length - 1];
      live.pop();
      return inEnvelope({ type: 'cancel', ...target });
    }
    return inEnvelope(draw < 0.9 ? add(1 + random.below(40), GTC) : add(-100, IOC));
  });
  return { engine, commands };
}

/** Operations per second of that market. */
export async function manyBooksRate(operations: number, resting = RESTING): Promise<number> {
  const untimed = Math.min(UNTIMED, operations);
  const { engine, commands } = wideMarket(untimed + operations, resting);
  applyAll(engine, commands, 0, untimed);
  // What making them has left is none of the engine's.
  if (globalThis.gc !== undefined) await collectAndSweep();
  const stretch = Math.ceil(operations / STRETCHES);
  const rates: number[] = [];
  for (let from = untimed; from < commands.length; from += stretch) {
    const to = Math.min(commands.length, from + stretch);
    const started = performance.now();
    applyAll(engine, commands, from, to);
    rates.push(((to - from) * 1_000) / (performance.now() - started));
  }
  verifyInvariants(engine);
  return median(rates);
}

/** Hours that the long run lives through; a tenth of them is longer than anything of an hour is kept for claims. */
const LIFE_HOURS = 2_100;

/**
 * How JavaScript's heap and its buffers have grown over a long run once a tenth of it has passed, in megabytes. The
 * market lives as it would: each hour is traded until it begins, shrinks as it runs, and is delivered and settled.
 */
export function heapOverLongRun(mix: Mix, operations: number, seed: number): number {
  const bench = openMarket();
  const { engine } = bench;
  const now = hoursAfterStart(0);
  let before = 0;
  for (let hour = 0; hour < LIFE_HOURS; hour++) {
    tradeHour(bench, generateOrderFlow(mix, Math.ceil(operations / LIFE_HOURS), seed + hour), now + hour + 1);
    engine.apply(inEnvelope({ type: 'tick', now: START + (hour + 1) * MILLIS_PER_HOUR }));
    engine.apply(inEnvelope({ type: 'endHour', hour: now + hour, pending: [] }));
    engine.buffer.clear();
    if (hour === LIFE_HOURS / 10) before = heapBytes();
  }
  const growth = heapBytes() - before;
  verifyInvariants(engine);
  return growth / MEGABYTE;
}

/** All that is ordered and cancelled in one hour's book. Commands are made as they are sent. */
function tradeHour({ engine, market, buyers, providers }: BenchMarket, flow: OrderFlow, hour: number): void {
  const orderOf = new Float64Array(flow.length);
  for (let row = 0; row < flow.length; row++) {
    const company = (flow.side[row] === BUY ? buyers : providers)[flow.trader[row]];
    const cancel = flow.kind[row] === CANCEL;
    const command: Command = cancel ? { type: 'cancel', company, order: orderOf[flow.target[row]] } : placement(flow, row, company, market, hour);
    engine.apply(inEnvelope(command));
    if (!cancel) orderOf[row] = acceptedOrder(engine);
    engine.buffer.clear();
  }
}

/** The number of the order that the last command placed: the first field of its `orderAccepted`. */
function acceptedOrder({ buffer }: Engine): number {
  const { words, length } = buffer;
  for (let at = 0; at < length; at += 2 + words[at + 1]) if (words[at] === KIND.orderAccepted) return words[at + 2];
  throw new Error('an order of the flow was refused');
}

/** Of JavaScript's heap and its buffers, without what is garbage. */
export function heapBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
