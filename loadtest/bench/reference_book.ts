/**
 * A book that is obviously right: price levels in sorted arrays, orders in arrival order. It tells
 * the generator which orders are live, and checks that every system under test made the same trades.
 */
import { BUY } from '../../engine/vocabulary.ts';
import type { Side } from '../../engine/vocabulary.ts';

interface Level {
  price: number;
  /** Orders oldest first; those before `head` are gone. */
  orders: number[];
  head: number;
  live: number;
}

export class ReferenceBook {
  /** By order number: what remains, 0 when gone. */
  private readonly remaining: Int32Array;
  private readonly priceOf: Int32Array;
  private readonly sideOf: Uint8Array;
  /** Best level last, so that it is cheap to remove. */
  private readonly bids: Level[] = [];
  private readonly asks: Level[] = [];
  /** Live orders in no order, and where each stands, for a random choice. */
  private readonly live: number[] = [];
  private readonly slotOf: Int32Array;
  fills = 0;
  filledQuantity = 0;

  constructor(orders: number) {
    this.remaining = new Int32Array(orders);
    this.priceOf = new Int32Array(orders);
    this.sideOf = new Uint8Array(orders);
    this.slotOf = new Int32Array(orders);
  }

  get resting(): number {
    return this.live.length;
  }

  get restingQuantity(): number {
    return this.live.reduce((sum, order) => sum + this.remaining[order], 0);
  }

  restingAt(index: number): number {
    return this.live[index];
  }

  /** 0 when the side is empty. */
  best(side: Side): number {
    return (side === BUY ? this.bids : this.asks).at(-1)?.price ?? 0;
  }

  /** Matches, then rests what is left unless it is immediate-or-cancel. */
  add(order: number, side: Side, price: number, quantity: number, immediate: boolean): void {
    const left = this.match(side, price, quantity);
    if (left === 0 || immediate) return;
    this.remaining[order] = left;
    this.priceOf[order] = price;
    this.sideOf[order] = side;
    const level = levelFor(side === BUY ? this.bids : this.asks, side, price);
    level.orders.push(order);
    level.live += 1;
    this.slotOf[order] = this.live.push(order) - 1;
  }

  cancel(order: number): void {
    const side = this.sideOf[order] as Side;
    const levels = side === BUY ? this.bids : this.asks;
    const at = positionOf(levels, side, this.priceOf[order]);
    this.retire(order);
    levels[at].live -= 1;
    if (levels[at].live === 0) levels.splice(at, 1);
  }

  private match(side: Side, price: number, quantity: number): number {
    const levels = side === BUY ? this.asks : this.bids;
    let left = quantity;
    while (left > 0 && levels.length > 0) {
      const level = levels[levels.length - 1];
      if (side === BUY ? level.price > price : level.price < price) break;
      left = this.takeFrom(level, left);
      if (level.live === 0) levels.pop();
    }
    return left;
  }

  private takeFrom(level: Level, wanted: number): number {
    let left = wanted;
    while (left > 0 && level.live > 0) {
      const maker = level.orders[level.head];
      const taken = Math.min(left, this.remaining[maker]);
      if (taken > 0) {
        this.fills += 1;
        this.filledQuantity += taken;
        this.remaining[maker] -= taken;
        left -= taken;
        if (this.remaining[maker] > 0) break;
        this.retire(maker);
        level.live -= 1;
      }
      level.head += 1;
    }
    return left;
  }

  private retire(order: number): void {
    this.remaining[order] = 0;
    const slot = this.slotOf[order];
    const last = this.live.pop() as number;
    if (last === order) return;
    this.live[slot] = last;
    this.slotOf[last] = slot;
  }
}

/** Where the price stands or would stand: bids ascend, asks descend, so that the best is last. */
function positionOf(levels: readonly Level[], side: Side, price: number): number {
  let [low, high] = [0, levels.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const before = side === BUY ? levels[middle].price < price : levels[middle].price > price;
    if (before) low = middle + 1;
    else high = middle;
  }
  return low;
}

function levelFor(levels: Level[], side: Side, price: number): Level {
  const at = positionOf(levels, side, price);
  if (levels[at]?.price === price) return levels[at];
  const level = { price, orders: [], head: 0, live: 0 };
  levels.splice(at, 0, level);
  return level;
}
