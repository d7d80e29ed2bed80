/**
 * One hour book: two sides of price levels, each a queue of orders in time priority.
 *
 * A side keeps its levels sorted, best last, so that what happens near the best price moves little
 * memory; the levels of all books are rows of one pool, so that a book that was not asked for a while costs few cache lines.
 * Prices are stored as keys that grow towards the better price (bids: price,
 * asks: -price), which makes both sides one code. An order in the middle of a queue leaves it
 * without looking for its level.
 */
import { NIL } from '../ledger/lot_amounts.ts';
import { ROW_FLOAT_SHIFT, ROW_INT_SHIFT, RUN_FIRST } from '../numbers/row_pool.ts';
import type { RowPool } from '../numbers/row_pool.ts';
import { FLAG } from './orders.ts';
import type { Orders } from './orders.ts';
import { StopQueue } from './stop_queue.ts';

/** Below this many levels a plain loop moves them faster than copyWithin. */
const SHORT_MOVE = 24;
/** That stand in one cache line. */
const LEVELS_PER_LINE = 4;
const HEAD = 2;
const TAIL = 3;

export class BookSide {
  /** Rows of a level: its key as a double, then the first and the last order of its queue. */
  private readonly pool: RowPool;
  /** The side's run in the pool, and how many levels it has room for. */
  private from = 0;
  private room = 0;
  /** Number of levels. */
  count = 0;
  /** The key of the best level, of which most orders ask no more. */
  private bestKey = 0;
  readonly sell: boolean;

  constructor(sell: boolean, pool: RowPool) {
    this.sell = sell;
    this.pool = pool;
  }

  /** Gives its rows back; the side is empty. */
  close(): void {
    if (this.room > 0) this.pool.give(this.from, this.room);
    this.room = 0;
  }

  keyOf(price: number): number {
    return this.sell ? -price : price;
  }
  /** Grows towards the better price. */
  key(level: number): number {
    return this.pool.floats[(this.from + level) << ROW_FLOAT_SHIFT];
  }
  /** The oldest order of a level. */
  head(level: number): number {
    return this.pool.ints[((this.from + level) << ROW_INT_SHIFT) | HEAD];
  }
  private tail(level: number): number {
    return this.pool.ints[((this.from + level) << ROW_INT_SHIFT) | TAIL];
  }
  private setHead(level: number, row: number): void {
    this.pool.ints[((this.from + level) << ROW_INT_SHIFT) | HEAD] = row;
  }
  private setTail(level: number, row: number): void {
    this.pool.ints[((this.from + level) << ROW_INT_SHIFT) | TAIL] = row;
  }
  priceAt(level: number): number {
    return Math.abs(this.key(level));
  }
  /** Best price, NIL when empty. */
  best(): number {
    return this.count === 0 ? NIL : Math.abs(this.bestKey);
  }
  /** Whether the best price is within a limit, given as a key. */
  reaches(limit: number): boolean {
    return this.count > 0 && this.bestKey >= limit;
  }

  /**
   * First level whose key is not below `key`; `count` when there is none. Keys are whole and differ, so
   * between a level and the best there are no more levels than ticks: near the best, where prices stand
   * side by side, that names the level at once; else it is sought from there in growing steps.
   */
  private search(key: number): number {
    const { count } = this;
    if (count === 0) return 0;
    const { floats } = this.pool;
    const first = this.from;
    const ticks = this.bestKey - key;
    if (ticks < 0) return count;
    let low = ticks < count ? (count - 1 - ticks) | 0 : 0;
    let high = low;
    for (let step = 1; floats[(first + high) << ROW_FLOAT_SHIFT] < key; step <<= 1) {
      low = high + 1;
      high = low + step < count ? low + step : count - 1;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (floats[(first + middle) << ROW_FLOAT_SHIFT] < key) low = middle + 1;
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
      this.setTail(level, row);
    } else {
      this.insertLevel(level, key, row);
      orders.setPrev(row, NIL);
    }
  }

  private insertLevel(level: number, key: number, row: number): void {
    if (this.count === this.room) this.grow();
    const { floats } = this.pool;
    const place = (this.from + level) << ROW_FLOAT_SHIFT;
    const end = (this.from + this.count) << ROW_FLOAT_SHIFT;
    if (this.count - level < SHORT_MOVE) {
      // Numbers of rows are small: as the half of a double they are no NaN, which a copy might change.
      for (let at = end - 1; at >= place; at--) floats[at + 2] = floats[at];
    } else {
      floats.copyWithin(place + 2, place, end);
    }
    floats[place] = key;
    this.setHead(level, row);
    this.setTail(level, row);
    if (level === this.count++) this.bestKey = key;
  }

  private removeLevel(level: number): void {
    const { floats } = this.pool;
    const last = --this.count;
    const place = (this.from + level) << ROW_FLOAT_SHIFT;
    const end = (this.from + last) << ROW_FLOAT_SHIFT;
    if (last - level < SHORT_MOVE) {
      for (let at = place; at < end; at++) floats[at] = floats[at + 2];
    } else {
      floats.copyWithin(place, place + 2, end + 2);
    }
    if (level === last && last > 0) this.bestKey = this.key(last - 1);
  }

  private grow(): void {
    this.from = this.room === 0 ? this.pool.take(RUN_FIRST) : this.pool.double(this.from, this.room);
    this.room = this.room === 0 ? RUN_FIRST : 2 * this.room;
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
    else if (before === NIL) this.setHead(level, after);
    else this.setTail(level, before);
  }

  /** Reads the levels from where a price stands at the farthest to the best: they move when one before them comes or goes. */
  glanceFrom(price: number): number {
    const { count, from } = this;
    if (count === 0) return 0;
    const { floats } = this.pool;
    const ticks = this.bestKey - this.keyOf(price);
    let seen = 0;
    for (let level = ticks < 0 ? count - 1 : ticks < count ? count - 1 - ticks : 0; level < count; level += LEVELS_PER_LINE) seen += floats[(from + level) << ROW_FLOAT_SHIFT];
    return seen;
  }

  /** The newest order at a price, NIL when there is none. */
  tailAt(price: number): number {
    const key = this.keyOf(price);
    const level = this.search(key);
    return level < this.count && this.key(level) === key ? this.tail(level) : NIL;
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
      if (level === this.count - 1 && this.key(level) !== this.bestKey) throw new Error('the best level is not the best known');
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

/** Books that no stop waits in share this one, so that asking costs nothing; nothing is ever put into it. */
const NO_STOPS = new StopQueue();

/** What every order asks of its book stands first, in one cache line or two. */
export class Book {
  readonly bids: BookSide;
  readonly asks: BookSide;
  /** Price of the last trade; 0: none yet. */
  lastPrice = 0;
  /** Orders collect without trading until the uncross. */
  auction = false;
  private waiting = NO_STOPS;
  /** Range of the trades since stops were last looked at; empty when low > high. */
  tradedLow = Infinity;
  tradedHigh = 0;

  /** @param pool where its levels stand */
  constructor(pool: RowPool) {
    this.bids = new BookSide(false, pool);
    this.asks = new BookSide(true, pool);
  }

  /** Stops that wait for their trigger. */
  get stops(): Pick<StopQueue, 'length' | 'remove' | 'takeTriggered' | 'rows'> {
    return this.waiting;
  }
  addStop(row: number, sell: boolean, stopPrice: number): void {
    if (this.waiting === NO_STOPS) this.waiting = new StopQueue();
    this.waiting.add(row, sell, stopPrice);
  }

  /** Gives back what its levels take of the pool; it must be empty. */
  close(): void {
    this.bids.close();
    this.asks.close();
  }

  side(sell: boolean): BookSide {
    return sell ? this.asks : this.bids;
  }

  isEmpty(): boolean {
    return this.bids.count === 0 && this.asks.count === 0 && this.stops.length === 0;
  }
}
