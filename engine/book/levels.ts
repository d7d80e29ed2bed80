/**
 * The price levels of all books, each a queue of orders in time priority.
 *
 * Prices are keys that grow towards the better price (bids: price, asks: -price), which makes both sides one code. The levels
 * of a side that lie fewer ticks below its best than its window is long stand in that window, each in the place that the last bits of its key
 * name; one bit for each says whether it is there. So a level is found, put and taken without a look at any other, and
 * costs the cache line of its book and its own. What lies farther off is sorted, the best last, and comes into the window when
 * the best price falls back to it. An order in the middle of a queue leaves it without looking for its level.
 */
import { NIL } from '../ledger/lot_amounts.ts';
import { ROW_FLOAT_SHIFT, ROW_INT_SHIFT, RUN_FIRST } from '../numbers/row_pool.ts';
import type { RowPool } from '../numbers/row_pool.ts';
import { BEST, BITS, BOOKS, BOOK_FLOAT_SHIFT, BOOK_INT_SHIFT, BookRows, FAR, FAR_COUNT, FAR_ROOM, NO_KEY, SHAPE, WINDOW } from './book_rows.ts';
import { FLAG } from './orders.ts';
import type { Orders } from './orders.ts';

/** Levels of the shortest window, a cache line of them, and of the longest, for each of which there is a bit. */
const WINDOW_FIRST = 8;
const WINDOW_LAST = 64;
const LENGTH_BITS = 127;
/** Beside the window's length: levels lie beyond it. */
const HAS_FAR = 128;
const WORD_SHIFT = 5;
const WORD_MASK = 31;
/** Integers of a level in a window: the first and the last order of its queue. */
const LEVEL_INT_SHIFT = 1;
const LEVELS_PER_ROW_SHIFT = 1;
/** Of a row beyond the window: its key as a double, then the same. */
const HEAD = 2;

/** Ticks from a level up to the best. Without a price, an order's key may be infinite. */
const below = (best: number, key: number): number => (best === key ? 0 : best - key);

export class Levels {
  readonly rows: BookRows;
  readonly pool: RowPool;

  constructor(pool: RowPool, rows = new BookRows()) {
    this.pool = pool;
    this.rows = rows;
  }

  isEmpty(book: number, side: number): boolean {
    return Number.isNaN(this.bestKey(book, side));
  }

  /** Key of the best level, NaN without one, of which no comparison holds. */
  bestKey(book: number, side: number): number {
    return this.rows.floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side];
  }

  /** Which place of the window a key's level has. */
  private placeOf(at: number, side: number, key: number): number {
    return key & ((this.rows.ints[at + SHAPE + side] & LENGTH_BITS) - 1);
  }
  /** Where the bit of a place stands; it is the last five of the place's own bits that name it in its word. */
  private wordOf(at: number, side: number, place: number): number {
    return at + BITS + (side << 1) + (place >> WORD_SHIFT);
  }
  private isTaken(at: number, side: number, place: number): boolean {
    return ((this.rows.ints[this.wordOf(at, side, place)] >> place) & 1) === 1;
  }
  /** Where the level of a place stands in the pool. */
  private slotOf(at: number, side: number, place: number): number {
    return (this.rows.ints[at + WINDOW + side] << ROW_INT_SHIFT) + (place << LEVEL_INT_SHIFT);
  }

  /** Where in the pool the best level stands, NIL without one. */
  bestPlace(book: number, side: number): number {
    if (this.isEmpty(book, side)) return NIL;
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    return this.slotOf(at, side, this.placeOf(at, side, this.rows.floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side]));
  }

  /** Where the one after it does, if that is in the window too. */
  secondPlace(book: number, side: number): number {
    if (this.isEmpty(book, side)) return NIL;
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const best = this.rows.floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side];
    const length = this.rows.ints[at + SHAPE + side] & LENGTH_BITS;
    const step = this.stepDown(at, side, best & (length - 1), length);
    return step === length ? NIL : this.slotOf(at, side, this.placeOf(at, side, best - step));
  }

  /** Where a level would stand if it is in the window; NIL without one. Which it is, is not looked at: for who reads ahead. */
  placeNear(book: number, side: number, key: number): number {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    return (this.rows.ints[at + SHAPE + side] & LENGTH_BITS) === 0 ? NIL : this.slotOf(at, side, this.placeOf(at, side, key));
  }

  /** 1 where a level stands there, which most likely is the key's, else 0; to be asked where there is a window. */
  takenNear(book: number, side: number, key: number): number {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const place = this.placeOf(at, side, key);
    return (this.rows.ints[this.wordOf(at, side, place)] >> place) & 1;
  }

  /** Where a level's first and last order stand in the pool; NIL when there is none of the key. */
  find(book: number, side: number, key: number): number {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const { ints, floats } = this.rows;
    const ticks = below(floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side], key);
    if (ticks < 0) return NIL;
    const shape = ints[at + SHAPE + side];
    const length = shape & LENGTH_BITS;
    if (ticks < length) {
      const place = key & (length - 1);
      return this.isTaken(at, side, place) ? this.slotOf(at, side, place) : NIL;
    }
    return (shape & HAS_FAR) === 0 ? NIL : this.findFar(at, side, key);
  }

  /** The first order of a level that is there. */
  head(book: number, side: number, key: number): number {
    return this.pool.ints[this.find(book, side, key)];
  }

  /** The last. */
  tail(book: number, side: number, key: number): number {
    return this.pool.ints[this.find(book, side, key) + 1];
  }

  /** Key of the next level below one, which may have gone; NaN without one. */
  next(book: number, side: number, key: number): number {
    const best = this.rows.floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side];
    if (key > best) return best;
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const shape = this.rows.ints[at + SHAPE + side];
    const length = shape & LENGTH_BITS;
    const ticks = below(best, key);
    if (ticks < length) {
      const step = this.stepDown(at, side, key & (length - 1), length);
      if (step < length - ticks) return key - step;
    }
    return (shape & HAS_FAR) === 0 ? NO_KEY : this.nextFar(at, side, key);
  }

  /** From one place of a window round to the next that is taken; its length when there is none. */
  private stepDown(at: number, side: number, slot: number, length: number): number {
    const { ints } = this.rows;
    const bits = at + BITS + (side << 1);
    const place = slot & WORD_MASK;
    const word = ints[bits + (slot >> WORD_SHIFT)];
    const lower = (1 << place) - 1;
    if ((word & lower) !== 0) return place - WORD_MASK + Math.clz32(word & lower);
    if (length === WINDOW_LAST) {
      const other = ints[bits + (1 - (slot >> WORD_SHIFT))];
      if (other !== 0) return place + 1 + Math.clz32(other);
    }
    const upper = word & ~lower & ~(1 << place);
    return upper === 0 ? length : place - WORD_MASK + length + Math.clz32(upper);
  }

  /** Puts an order at the end of the queue of its price. */
  append(book: number, side: number, orders: Orders, row: number): void {
    const price = orders.price(row);
    const key = side === 0 ? price : -price;
    const level = this.find(book, side, key);
    orders.setNext(row, NIL);
    if (level !== NIL) {
      const { ints } = this.pool;
      const tail = ints[level + 1];
      orders.setNext(tail, row);
      orders.setPrev(row, tail);
      ints[level + 1] = row;
    } else {
      orders.setPrev(row, NIL);
      this.insert(book, side, key, row);
    }
  }

  private insert(book: number, side: number, key: number, row: number): void {
    const { floats, ints } = this.rows;
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const best = ((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side;
    if (this.isEmpty(book, side)) {
      if ((ints[at + SHAPE + side] & LENGTH_BITS) === 0) this.openWindow(at, side, WINDOW_FIRST);
      floats[best] = key;
    } else if (key > floats[best]) {
      this.raise(book, side, key);
    } else if (!(floats[best] - key < (ints[at + SHAPE + side] & LENGTH_BITS)) && !this.lengthen(book, side, floats[best] - key)) {
      this.insertFar(at, side, key, row);
      return;
    }
    this.put(at, side, key, row, row);
  }

  private openWindow(at: number, side: number, length: number): void {
    const { ints } = this.rows;
    ints[at + WINDOW + side] = this.pool.take(length >> LEVELS_PER_ROW_SHIFT);
    ints[at + SHAPE + side] = length | (ints[at + SHAPE + side] & ~LENGTH_BITS);
  }

  private put(at: number, side: number, key: number, head: number, tail: number): void {
    const place = this.placeOf(at, side, key);
    const slot = this.slotOf(at, side, place);
    this.pool.ints[slot] = head;
    this.pool.ints[slot + 1] = tail;
    this.rows.ints[this.wordOf(at, side, place)] |= 1 << place;
  }

  /** A better price than any: what no longer lies within the window of it leaves that. */
  private raise(book: number, side: number, key: number): void {
    const { floats, ints } = this.rows;
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const best = floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side];
    let length = ints[at + SHAPE + side] & LENGTH_BITS;
    if (length < WINDOW_LAST) {
      this.lengthen(book, side, key - this.lowest(at, side, best, length));
      length = ints[at + SHAPE + side] & LENGTH_BITS;
    }
    const last = key - length < best ? key - length : best;
    for (let ticks = length - 1; ticks >= 0 && best - ticks <= last; ticks--) this.evict(at, side, best - ticks);
    floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side] = key;
  }

  /** The key of the farthest level in the window. */
  private lowest(at: number, side: number, best: number, length: number): number {
    for (let ticks = length - 1; ticks > 0; ticks--) if (this.isTaken(at, side, this.placeOf(at, side, best - ticks))) return best - ticks;
    return best;
  }

  private evict(at: number, side: number, key: number): void {
    const place = this.placeOf(at, side, key);
    if (!this.isTaken(at, side, place)) return;
    const slot = this.slotOf(at, side, place);
    const { ints } = this.pool;
    const [head, tail] = [ints[slot], ints[slot + 1]];
    this.rows.ints[this.wordOf(at, side, place)] ^= 1 << place;
    // It is better than all that lie beyond.
    this.insertFarAt(at, side, this.rows.seldom[at + FAR_COUNT + side], key, head, tail);
  }

  /** Makes a window long enough for a level so many ticks below the best. False where none may be so long. */
  private lengthen(book: number, side: number, ticks: number): boolean {
    const { ints, floats } = this.rows;
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const length = ints[at + SHAPE + side] & LENGTH_BITS;
    if (!(ticks < WINDOW_LAST)) return false;
    let longer = length;
    while (longer <= ticks) longer <<= 1;
    if (longer === length) return true;
    const best = floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side];
    const kept: [number, number, number][] = [];
    for (let down = 0; down < length; down++) {
      const place = this.placeOf(at, side, best - down);
      const slot = this.slotOf(at, side, place);
      if (this.isTaken(at, side, place)) kept.push([best - down, this.pool.ints[slot], this.pool.ints[slot + 1]]);
    }
    this.pool.give(ints[at + WINDOW + side], length >> LEVELS_PER_ROW_SHIFT);
    this.openWindow(at, side, longer);
    ints[at + BITS + (side << 1)] = 0;
    for (const [key, head, tail] of kept) this.put(at, side, key, head, tail);
    if ((ints[at + SHAPE + side] & HAS_FAR) !== 0) this.approach(book, side, best);
    return true;
  }

  /** Takes an order out of its queue; an empty level goes with it. */
  remove(book: number, side: number, orders: Orders, row: number): void {
    const before = orders.prev(row);
    const after = orders.next(row);
    if (before !== NIL) orders.setNext(before, after);
    if (after !== NIL) orders.setPrev(after, before);
    if (before !== NIL && after !== NIL) return;
    const price = orders.price(row);
    const key = side === 0 ? price : -price;
    if (before === NIL && after === NIL) {
      this.removeLevel(book, side, key);
      return;
    }
    const level = this.find(book, side, key);
    if (before === NIL) this.pool.ints[level] = after;
    else this.pool.ints[level + 1] = before;
  }

  private removeLevel(book: number, side: number, key: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const { floats, ints } = this.rows;
    const best = floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side];
    const length = ints[at + SHAPE + side] & LENGTH_BITS;
    if (below(best, key) >= length) {
      this.removeFar(at, side, key);
      return;
    }
    const place = key & (length - 1);
    ints[this.wordOf(at, side, place)] ^= 1 << place;
    if (key === best) this.fallBack(book, side, best, length);
  }

  /** The best level has gone: the next is the best, and the window begins with it. */
  private fallBack(book: number, side: number, best: number, length: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const { floats, ints, seldom } = this.rows;
    const hasFar = (ints[at + SHAPE + side] & HAS_FAR) !== 0;
    const step = this.stepDown(at, side, best & (length - 1), length);
    let next = best - step;
    if (step === length) {
      if (!hasFar) {
        floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side] = NO_KEY;
        return;
      }
      next = this.pool.floats[(seldom[at + FAR + side] + seldom[at + FAR_COUNT + side] - 1) << ROW_FLOAT_SHIFT];
    }
    floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + side] = next;
    if (hasFar) this.approach(book, side, next);
  }

  /** Levels that lie within the window of the best come into it. */
  private approach(book: number, side: number, best: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const { ints, seldom } = this.rows;
    const length = ints[at + SHAPE + side] & LENGTH_BITS;
    for (;;) {
      const count = seldom[at + FAR_COUNT + side];
      if (count === 0) break;
      const place = seldom[at + FAR + side] + count - 1;
      const key = this.pool.floats[place << ROW_FLOAT_SHIFT];
      if (below(best, key) >= length) return;
      const queue = (place << ROW_INT_SHIFT) | HEAD;
      this.put(at, side, key, this.pool.ints[queue], this.pool.ints[queue + 1]);
      seldom[at + FAR_COUNT + side] = count - 1;
    }
    ints[at + SHAPE + side] &= ~HAS_FAR;
  }

  /** The first level beyond the window whose key is not below one, as its place there. */
  private searchFar(at: number, side: number, key: number): number {
    const { seldom } = this.rows;
    const { floats } = this.pool;
    const first = seldom[at + FAR + side];
    let low = 0;
    let high = seldom[at + FAR_COUNT + side];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (floats[(first + middle) << ROW_FLOAT_SHIFT] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private findFar(at: number, side: number, key: number): number {
    const place = this.searchFar(at, side, key);
    const row = this.rows.seldom[at + FAR + side] + place;
    return place < this.rows.seldom[at + FAR_COUNT + side] && this.pool.floats[row << ROW_FLOAT_SHIFT] === key ? (row << ROW_INT_SHIFT) | HEAD : NIL;
  }

  private nextFar(at: number, side: number, key: number): number {
    const place = this.searchFar(at, side, key);
    return place === 0 ? NO_KEY : this.pool.floats[(this.rows.seldom[at + FAR + side] + place - 1) << ROW_FLOAT_SHIFT];
  }

  private insertFar(at: number, side: number, key: number, row: number): void {
    this.insertFarAt(at, side, this.searchFar(at, side, key), key, row, row);
  }

  private insertFarAt(at: number, side: number, place: number, key: number, head: number, tail: number): void {
    const { ints, seldom } = this.rows;
    const count = seldom[at + FAR_COUNT + side];
    if (count === seldom[at + FAR_ROOM + side]) this.growFar(at, side, count);
    const first = seldom[at + FAR + side];
    const row = first + place;
    // Numbers of rows are small: as the half of a double they are no NaN, which a copy might change.
    if (place < count) this.pool.floats.copyWithin((row + 1) << ROW_FLOAT_SHIFT, row << ROW_FLOAT_SHIFT, (first + count) << ROW_FLOAT_SHIFT);
    this.pool.floats[row << ROW_FLOAT_SHIFT] = key;
    this.pool.ints[(row << ROW_INT_SHIFT) | HEAD] = head;
    this.pool.ints[((row << ROW_INT_SHIFT) | HEAD) + 1] = tail;
    seldom[at + FAR_COUNT + side] = count + 1;
    ints[at + SHAPE + side] |= HAS_FAR;
  }

  private growFar(at: number, side: number, room: number): void {
    const { seldom } = this.rows;
    seldom[at + FAR + side] = room === 0 ? this.pool.take(RUN_FIRST) : this.pool.double(seldom[at + FAR + side], room);
    seldom[at + FAR_ROOM + side] = room === 0 ? RUN_FIRST : 2 * room;
  }

  private removeFar(at: number, side: number, key: number): void {
    const { ints, seldom } = this.rows;
    const first = seldom[at + FAR + side];
    const count = seldom[at + FAR_COUNT + side];
    const row = first + this.searchFar(at, side, key);
    this.pool.floats.copyWithin(row << ROW_FLOAT_SHIFT, (row + 1) << ROW_FLOAT_SHIFT, (first + count) << ROW_FLOAT_SHIFT);
    seldom[at + FAR_COUNT + side] = count - 1;
    if (count === 1) ints[at + SHAPE + side] &= ~HAS_FAR;
  }

  /** Gives back what a side takes of the pool; it must be empty. */
  close(book: number, side: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const { ints, seldom } = this.rows;
    const length = ints[at + SHAPE + side] & LENGTH_BITS;
    if (length > 0) this.pool.give(ints[at + WINDOW + side], length >> LEVELS_PER_ROW_SHIFT);
    ints[at + SHAPE + side] = 0;
    const room = seldom[at + FAR_ROOM + side];
    if (room > 0) this.pool.give(seldom[at + FAR + side], room);
    seldom[at + FAR_ROOM + side] = 0;
  }

  /** Throws when what lies beyond a window is not sorted, or belongs into it; for tests. */
  validate(book: number, side: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const { ints, seldom } = this.rows;
    const shape = ints[at + SHAPE + side];
    const count = this.isEmpty(book, side) ? 0 : seldom[at + FAR_COUNT + side];
    if (seldom[at + FAR_COUNT + side] !== count || ((shape & HAS_FAR) !== 0) !== count > 0) throw new Error('levels beyond a window that nobody knows of');
    let better = this.bestKey(book, side) - (shape & LENGTH_BITS) + 1;
    for (let place = count - 1; place >= 0; place--) {
      const key = this.pool.floats[(seldom[at + FAR + side] + place) << ROW_FLOAT_SHIFT];
      if (!(key < better)) throw new Error(`level ${key} beyond the window is out of order`);
      better = key;
    }
  }
}

/** One side of one book, for whoever does more with it than an order that comes or goes. */
export class BookSide {
  private readonly levels: Levels;
  private readonly book: number;
  readonly sell: boolean;

  constructor(levels: Levels, book: number, sell: boolean) {
    this.levels = levels;
    this.book = book;
    this.sell = sell;
  }

  private get side(): number {
    return this.sell ? 1 : 0;
  }
  get isEmpty(): boolean {
    return this.levels.isEmpty(this.book, this.side);
  }
  keyOf(price: number): number {
    return this.sell ? -price : price;
  }
  /** Grows towards the better price; NaN when the side is empty. */
  bestKey(): number {
    return this.levels.bestKey(this.book, this.side);
  }
  /** Key of the next level below one, which may have gone; NaN without one. */
  nextKey(key: number): number {
    return this.levels.next(this.book, this.side, key);
  }
  /** The oldest order of a level. */
  head(key: number): number {
    return this.levels.head(this.book, this.side, key);
  }
  /** Best price, NIL when empty. */
  best(): number {
    return this.isEmpty ? NIL : Math.abs(this.bestKey());
  }
  /** Whether the best price is within a limit, given as a key. */
  reaches(limit: number): boolean {
    return this.bestKey() >= limit;
  }

  append(orders: Orders, row: number): void {
    this.levels.append(this.book, this.side, orders, row);
  }
  remove(orders: Orders, row: number): void {
    this.levels.remove(this.book, this.side, orders, row);
  }

  /** Visits the orders from the best price, oldest first, until `visit` returns false. */
  forEach(orders: Orders, visit: (row: number) => boolean): void {
    for (let key = this.bestKey(); !Number.isNaN(key); key = this.nextKey(key)) {
      for (let row = this.head(key); row !== NIL; row = orders.next(row)) if (!visit(row)) return;
    }
  }

  /** Throws when a queue or the order of the levels is broken; for tests. */
  validate(orders: Orders): void {
    for (let key = this.bestKey(), better = Infinity; !Number.isNaN(key); better = key, key = this.nextKey(key)) {
      if (!(key < better) && key !== Infinity) throw new Error(`level ${key} out of order`);
      let before: number = NIL;
      for (let row = this.head(key); row !== NIL; row = orders.next(row)) {
        if (orders.prev(row) !== before) throw new Error(`order row ${row}: broken queue`);
        if (this.keyOf(orders.price(row)) !== key) throw new Error(`order row ${row}: wrong level`);
        if ((orders.flags(row) & FLAG.resting) === 0 || !(orders.remaining(row) > 0)) throw new Error(`order row ${row}: not resting`);
        before = row;
      }
      if (before === NIL || this.levels.tail(this.book, this.side, key) !== before) throw new Error(`level ${key}: broken tail`);
    }
    this.levels.validate(this.book, this.side);
  }
}
