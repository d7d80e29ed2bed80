/**
 * One hour book: two sides of price levels, each a queue of orders in time priority.
 *
 * A side keeps its levels in sorted columns, best last, so that what happens near the best price
 * moves little memory. Prices are stored as keys that grow towards the better price (bids: price,
 * asks: -price), which makes both sides one code. An order in the middle of a queue leaves it
 * without looking for its level.
 */
import { grownCapacity, grownFloats, grownInts } from './columns.ts';
import { NIL } from './lot_amounts.ts';
import { FLAG } from './orders.ts';
import type { Orders } from './orders.ts';
import { StopQueue } from './stop_queue.ts';

/** Below this many levels a plain loop moves them faster than copyWithin. */
const SHORT_MOVE = 24;

export class BookSide {
  keys = new Float64Array(4);
  heads = new Int32Array(4);
  tails = new Int32Array(4);
  /** Number of levels. */
  count = 0;
  readonly sell: boolean;

  constructor(sell: boolean) {
    this.sell = sell;
  }

  keyOf(price: number): number {
    return this.sell ? -price : price;
  }
  priceAt(level: number): number {
    return Math.abs(this.keys[level]);
  }
  /** Best price, NIL when empty. */
  best(): number {
    return this.count === 0 ? NIL : Math.abs(this.keys[this.count - 1]);
  }

  /** First level whose key is not below `key`; `count` when there is none. */
  private search(key: number): number {
    const keys = this.keys;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Puts an order at the end of the queue of its price. */
  append(orders: Orders, row: number): void {
    const key = this.keyOf(orders.price(row));
    const level = this.search(key);
    orders.setNext(row, NIL);
    if (level < this.count && this.keys[level] === key) {
      const tail = this.tails[level];
      orders.setNext(tail, row);
      orders.setPrev(row, tail);
      this.tails[level] = row;
    } else {
      this.insertLevel(level, key, row);
      orders.setPrev(row, NIL);
    }
  }

  private insertLevel(level: number, key: number, row: number): void {
    if (this.count === this.keys.length) this.grow();
    const { keys, heads, tails, count } = this;
    if (count - level < SHORT_MOVE) {
      for (let at = count; at > level; at--) {
        keys[at] = keys[at - 1];
        heads[at] = heads[at - 1];
        tails[at] = tails[at - 1];
      }
    } else {
      keys.copyWithin(level + 1, level, count);
      heads.copyWithin(level + 1, level, count);
      tails.copyWithin(level + 1, level, count);
    }
    keys[level] = key;
    heads[level] = row;
    tails[level] = row;
    this.count++;
  }

  private removeLevel(level: number): void {
    const { keys, heads, tails } = this;
    const last = --this.count;
    if (last - level < SHORT_MOVE) {
      for (let at = level; at < last; at++) {
        keys[at] = keys[at + 1];
        heads[at] = heads[at + 1];
        tails[at] = tails[at + 1];
      }
    } else {
      keys.copyWithin(level, level + 1, last + 1);
      heads.copyWithin(level, level + 1, last + 1);
      tails.copyWithin(level, level + 1, last + 1);
    }
  }

  private grow(): void {
    const capacity = grownCapacity(this.keys.length, this.count + 1);
    this.keys = grownFloats(this.keys, capacity);
    this.heads = grownInts(this.heads, capacity);
    this.tails = grownInts(this.tails, capacity);
  }

  /** Takes an order out of its queue; an empty level goes with it. */
  remove(orders: Orders, row: number): void {
    const before = orders.prev(row);
    const after = orders.next(row);
    if (before !== NIL) orders.setNext(before, after);
    if (after !== NIL) orders.setPrev(after, before);
    if (before !== NIL && after !== NIL) return;
    const level = this.search(this.keyOf(orders.price(row)));
    if (before === NIL && after === NIL) this.removeLevel(level);
    else if (before === NIL) this.heads[level] = after;
    else this.tails[level] = before;
  }

  /** Visits the orders from the best price, oldest first, until `visit` returns false. */
  forEach(orders: Orders, visit: (row: number) => boolean): void {
    for (let level = this.count - 1; level >= 0; level--) {
      for (let row = this.heads[level]; row !== NIL; row = orders.next(row)) if (!visit(row)) return;
    }
  }

  /** Throws when a queue or the order of the levels is broken; for tests. */
  validate(orders: Orders): void {
    for (let level = 0; level < this.count; level++) {
      if (level > 0 && !(this.keys[level] > this.keys[level - 1])) throw new Error(`level ${level} out of order`);
      let before: number = NIL;
      for (let row = this.heads[level]; row !== NIL; row = orders.next(row)) {
        if (orders.prev(row) !== before) throw new Error(`order row ${row}: broken queue`);
        if (this.keyOf(orders.price(row)) !== this.keys[level]) throw new Error(`order row ${row}: wrong level`);
        if ((orders.flags(row) & FLAG.resting) === 0 || !(orders.remaining(row) > 0)) throw new Error(`order row ${row}: not resting`);
        before = row;
      }
      if (before === NIL || this.tails[level] !== before) throw new Error(`level ${level}: broken tail`);
    }
  }
}

export class Book {
  readonly bids = new BookSide(false);
  readonly asks = new BookSide(true);
  /** Stops that wait for their trigger. */
  readonly stops = new StopQueue();
  /** Price of the last trade; 0: none yet. */
  lastPrice = 0;
  /** Range of the trades since stops were last looked at; empty when low > high. */
  tradedLow = Infinity;
  tradedHigh = 0;
  /** Orders collect without trading until the uncross. */
  auction = false;

  side(sell: boolean): BookSide {
    return sell ? this.asks : this.bids;
  }

  isEmpty(): boolean {
    return this.bids.count === 0 && this.asks.count === 0 && this.stops.length === 0;
  }
}
