/**
 * One hour book: two sides of price levels, each a queue of orders in time priority.
 *
 * A side keeps its levels sorted, best last, so that what happens near the best price moves little
 * memory; a level is one row, so that a book that was not asked for a while costs few cache lines.
 * Prices are stored as keys that grow towards the better price (bids: price,
 * asks: -price), which makes both sides one code. An order in the middle of a queue leaves it
 * without looking for its level.
 */
import { grownCapacity } from '../numbers/columns.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { FLAG } from './orders.ts';
import type { Orders } from './orders.ts';
import { StopQueue } from './stop_queue.ts';

/** Below this many levels a plain loop moves them faster than copyWithin. */
const SHORT_MOVE = 24;
/** Levels that a side has room for at first. */
const LEVELS_FIRST = 4;
const FLOAT_SHIFT = 1;
const INT_SHIFT = 2;
const HEAD = 2;
const TAIL = 3;

export class BookSide {
  /** Rows of a level: its key as a double, then the first and the last order of its queue. */
  private floats = new Float64Array(LEVELS_FIRST << FLOAT_SHIFT);
  private ints = new Int32Array(this.floats.buffer);
  /** Number of levels. */
  count = 0;
  readonly sell: boolean;

  constructor(sell: boolean) {
    this.sell = sell;
  }

  keyOf(price: number): number {
    return this.sell ? -price : price;
  }
  /** Grows towards the better price. */
  key(level: number): number {
    return this.floats[level << FLOAT_SHIFT];
  }
  /** The oldest order of a level. */
  head(level: number): number {
    return this.ints[(level << INT_SHIFT) | HEAD];
  }
  private tail(level: number): number {
    return this.ints[(level << INT_SHIFT) | TAIL];
  }
  priceAt(level: number): number {
    return Math.abs(this.key(level));
  }
  /** Best price, NIL when empty. */
  best(): number {
    return this.count === 0 ? NIL : Math.abs(this.key(this.count - 1));
  }

  /** First level whose key is not below `key`; `count` when there is none. */
  private search(key: number): number {
    const { floats } = this;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (floats[middle << FLOAT_SHIFT] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Puts an order at the end of the queue of its price. */
  append(orders: Orders, row: number): void {
    const key = this.keyOf(orders.price(row));
    const level = this.search(key);
    orders.setNext(row, NIL);
    if (level < this.count && this.key(level) === key) {
      const tail = this.tail(level);
      orders.setNext(tail, row);
      orders.setPrev(row, tail);
      this.ints[(level << INT_SHIFT) | TAIL] = row;
    } else {
      this.insertLevel(level, key, row);
      orders.setPrev(row, NIL);
    }
  }

  private insertLevel(level: number, key: number, row: number): void {
    if (this.count << FLOAT_SHIFT === this.floats.length) this.grow();
    const { floats, ints, count } = this;
    if (count - level < SHORT_MOVE) {
      // Numbers of rows are small: as the half of a double they are no NaN, which a copy might change.
      for (let at = (count << FLOAT_SHIFT) - 1; at >= level << FLOAT_SHIFT; at--) floats[at + 2] = floats[at];
    } else {
      floats.copyWithin((level + 1) << FLOAT_SHIFT, level << FLOAT_SHIFT, count << FLOAT_SHIFT);
    }
    floats[level << FLOAT_SHIFT] = key;
    ints[(level << INT_SHIFT) | HEAD] = row;
    ints[(level << INT_SHIFT) | TAIL] = row;
    this.count++;
  }

  private removeLevel(level: number): void {
    const { floats } = this;
    const last = --this.count;
    if (last - level < SHORT_MOVE) {
      for (let at = level << FLOAT_SHIFT; at < last << FLOAT_SHIFT; at++) floats[at] = floats[at + 2];
    } else {
      floats.copyWithin(level << FLOAT_SHIFT, (level + 1) << FLOAT_SHIFT, (last + 1) << FLOAT_SHIFT);
    }
  }

  private grow(): void {
    const before = this.floats;
    this.floats = new Float64Array(grownCapacity(before.length >> FLOAT_SHIFT, this.count + 1) << FLOAT_SHIFT);
    this.floats.set(before);
    this.ints = new Int32Array(this.floats.buffer);
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
    else if (before === NIL) this.ints[(level << INT_SHIFT) | HEAD] = after;
    else this.ints[(level << INT_SHIFT) | TAIL] = before;
  }

  /** Visits the orders from the best price, oldest first, until `visit` returns false. */
  forEach(orders: Orders, visit: (row: number) => boolean): void {
    for (let level = this.count - 1; level >= 0; level--) {
      for (let row = this.head(level); row !== NIL; row = orders.next(row)) if (!visit(row)) return;
    }
  }

  /** Throws when a queue or the order of the levels is broken; for tests. */
  validate(orders: Orders): void {
    for (let level = 0; level < this.count; level++) {
      if (level > 0 && !(this.key(level) > this.key(level - 1))) throw new Error(`level ${level} out of order`);
      let before: number = NIL;
      for (let row = this.head(level); row !== NIL; row = orders.next(row)) {
        if (orders.prev(row) !== before) throw new Error(`order row ${row}: broken queue`);
        if (this.keyOf(orders.price(row)) !== this.key(level)) throw new Error(`order row ${row}: wrong level`);
        if ((orders.flags(row) & FLAG.resting) === 0 || !(orders.remaining(row) > 0)) throw new Error(`order row ${row}: not resting`);
        before = row;
      }
      if (before === NIL || this.tail(level) !== before) throw new Error(`level ${level}: broken tail`);
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
