/** The operations of the engine benchmark, made once from a seed and given to every system alike. */
import { BUY, SELL } from '../../engine/vocabulary.ts';
import type { Side } from '../../engine/vocabulary.ts';
import { Random } from './random.ts';
import { ReferenceBook } from './reference_book.ts';

export const ADD = 0;
export const CANCEL = 1;
export const TAKE = 2;

export interface Mix {
  /** Shares of limit adds and cancels; the rest are marketable immediate-or-cancel orders. */
  adds: number;
  cancels: number;
  /** Mean distance of an add from the mid, in ticks. */
  spread: number;
}
/**
 * Near the mid: a tenth of a percent from it on average, in both mixes. The deep mix is deep because
 * more is added than leaves, so its queues are long, not because its orders lie far away.
 */
export const SPREAD = 20;
export const mixes = (spread: number): { standard: Mix; deep: Mix } => ({
  standard: { adds: 0.55, cancels: 0.35, spread },
  deep: { adds: 0.65, cancels: 0.3, spread },
});
export const { standard: MIX, deep: DEEP_MIX } = mixes(SPREAD);

export const BUYERS = 1_000;
export const PROVIDERS = 100;

/** One column per field; row = operation. */
export interface OrderFlow {
  length: number;
  kind: Uint8Array;
  side: Uint8Array;
  /** Index of the buyer or of the provider, by side. */
  trader: Uint16Array;
  /** Ticks and steps. */
  price: Int32Array;
  quantity: Int32Array;
  /** Of a cancel: the operation that placed the order. */
  target: Int32Array;
  /** What any correct book makes of it. */
  fills: number;
  filledQuantity: number;
  resting: number;
  restingQuantity: number;
}

const MID_START = 20_000;
const MID_LOW = 15_000;
const MID_HIGH = 25_000;
/** The mid drifts by at most a tick in so many operations. */
const ROWS_PER_MOVE = 10;
const PRICE_LOW = 1_000;
const PRICE_HIGH = 39_000;
/** How far beyond the best opposite price a marketable order reaches. */
const REACH = 20;

export function generateOrderFlow(mix: Mix, length: number, seed: number): OrderFlow {
  const random = new Random(seed);
  const book = new ReferenceBook(length);
  const flow = emptyFlow(length);
  let mid = MID_START;
  for (let row = 0; row < length; row += 1) {
    if (row % ROWS_PER_MOVE === 0) mid = Math.min(MID_HIGH, Math.max(MID_LOW, mid + random.below(3) - 1));
    const side: Side = random.below(2) === 0 ? BUY : SELL;
    const draw = random.next();
    const opposite = book.best(side === BUY ? SELL : BUY);
    if (draw >= mix.adds && draw < mix.adds + mix.cancels && book.resting > 0) cancel(flow, row, book, random);
    else if (draw >= mix.adds + mix.cancels && opposite > 0) take(flow, row, side, book, random, opposite);
    else add(flow, row, side, book, random, mid, mix.spread);
  }
  return Object.assign(flow, { fills: book.fills, filledQuantity: book.filledQuantity, resting: book.resting, restingQuantity: book.restingQuantity });
}

function emptyFlow(length: number): OrderFlow {
  return {
    length,
    kind: new Uint8Array(length),
    side: new Uint8Array(length),
    trader: new Uint16Array(length),
    price: new Int32Array(length),
    quantity: new Int32Array(length),
    target: new Int32Array(length).fill(-1),
    fills: 0,
    filledQuantity: 0,
    resting: 0,
    restingQuantity: 0,
  };
}

function cancel(flow: OrderFlow, row: number, book: ReferenceBook, random: Random): void {
  const target = book.restingAt(random.below(book.resting));
  flow.kind[row] = CANCEL;
  flow.side[row] = flow.side[target];
  flow.trader[row] = flow.trader[target];
  flow.target[row] = target;
  book.cancel(target);
}

function take(flow: OrderFlow, row: number, side: Side, book: ReferenceBook, random: Random, opposite: number): void {
  const price = side === BUY ? opposite + REACH : Math.max(1, opposite - REACH);
  place(flow, row, TAKE, side, random, price, 100 + random.below(2_000));
  book.add(row, side, price, flow.quantity[row], true);
}

function add(flow: OrderFlow, row: number, side: Side, book: ReferenceBook, random: Random, mid: number, spread: number): void {
  const distance = 1 + Math.floor(-Math.log(1 - random.next()) * spread);
  const price = Math.min(PRICE_HIGH, Math.max(PRICE_LOW, side === BUY ? mid - distance : mid + distance));
  place(flow, row, ADD, side, random, price, 100 + random.below(2_000));
  book.add(row, side, price, flow.quantity[row], false);
}

function place(flow: OrderFlow, row: number, kind: number, side: Side, random: Random, price: number, quantity: number): void {
  flow.kind[row] = kind;
  flow.side[row] = side;
  flow.trader[row] = random.below(side === BUY ? BUYERS : PROVIDERS);
  flow.price[row] = price;
  flow.quantity[row] = quantity;
}
