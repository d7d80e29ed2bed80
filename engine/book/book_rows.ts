/**
 * What orders ask of their book and change in it, in one cache line: the best price of each side, which of the levels below it stand, and
 * where; the price of the last trade; where the table of its supply cells is. A second line holds what is seldom asked. So a book
 * that is not asked for a while costs one line, whose place is known from the book's number alone.
 */
import { NIL } from '../ledger/lot_amounts.ts';
import { CacheRows } from '../numbers/columns.ts';

const ROW_BYTES = 64;
export const BOOK_FLOAT_SHIFT = 3;
export const BOOK_INT_SHIFT = 4;
/** More books than there can be, as `ROWS` of orders. */
export const BOOKS = 2 ** 24 - 1;
/** Of the first line, as doubles: keys of the best levels, bids' then asks', and the last price. */
export const BEST = 0;
/** Of a side without a level: what no comparison holds of. */
export const NO_KEY = Number.NaN;
const LAST_PRICE = 2;
/** As integers, bids' then asks': two words of bits, the window's run, how long it is and whether levels lie beyond it; then the table of cells. */
export const BITS = 6;
export const WINDOW = 10;
export const SHAPE = 12;
/** Beside the shape of the bids. */
const NOT_PLAIN = 256;
export const CELLS = 14;
export const CELLS_SHAPE = 15;
/** Of the second line: the runs of levels beyond the windows, what is in them and the room that they have, bids' then asks'. */
export const FAR = 0;
export const FAR_COUNT = 2;
export const FAR_ROOM = 4;
const FIRST_ALLOCATION = 7;
const OPEN_ALLOCATIONS = 8;
const MARKET = 14;
const HOUR = 15;
/** As doubles. */
const TRADED_LOW = 5;
const TRADED_HIGH = 6;
const ROWS_FIRST = 16;

export class BookRows {
  floats: Float64Array;
  ints: Int32Array;
  seldom: Int32Array;
  private seldomFloats: Float64Array;
  private readonly first: CacheRows;
  private readonly second: CacheRows;

  constructor(rows = ROWS_FIRST) {
    this.second = new CacheRows(rows, ROW_BYTES);
    // Never more than the other has, which nobody asks whether it is full: the system may have had less memory for it.
    this.first = new CacheRows(this.second.room, ROW_BYTES);
    this.floats = this.first.floats;
    this.ints = this.first.ints;
    this.seldom = this.second.ints;
    this.seldomFloats = this.second.floats;
  }

  /** A row for a new book: nobody quotes there. */
  open(book: number): void {
    this.reserve(book + 1);
    const from = (book & BOOKS) << BOOK_INT_SHIFT;
    this.ints.fill(0, from, from + (1 << BOOK_INT_SHIFT));
    this.seldom.fill(0, from, from + (1 << BOOK_INT_SHIFT));
    this.floats.fill(NO_KEY, ((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST, ((book & BOOKS) << BOOK_FLOAT_SHIFT) + BEST + 2);
    this.setFirstAllocation(book, NIL);
    this.setTraded(book, Infinity, 0);
  }

  private reserve(rows: number): void {
    if (rows <= this.first.room) return;
    this.first.grow(rows);
    this.second.grow(this.first.room);
    this.floats = this.first.floats;
    this.ints = this.first.ints;
    this.seldom = this.second.ints;
    this.seldomFloats = this.second.floats;
  }

  /** Whether orders of a book meet nothing but its levels: no halt, no call, no stop that waits. */
  isPlain(book: number): boolean {
    return (this.ints[((book & BOOKS) << BOOK_INT_SHIFT) + SHAPE] & NOT_PLAIN) === 0;
  }
  setPlain(book: number, value: boolean): void {
    const at = ((book & BOOKS) << BOOK_INT_SHIFT) + SHAPE;
    this.ints[at] = value ? this.ints[at] & ~NOT_PLAIN : this.ints[at] | NOT_PLAIN;
  }

  lastPrice(book: number): number {
    return this.floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + LAST_PRICE];
  }
  setLastPrice(book: number, value: number): void {
    this.floats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + LAST_PRICE] = value;
  }
  /** What is traded there. */
  market(book: number): number {
    return this.seldom[((book & BOOKS) << BOOK_INT_SHIFT) + MARKET];
  }
  hour(book: number): number {
    return this.seldom[((book & BOOKS) << BOOK_INT_SHIFT) + HOUR] >>> 0;
  }
  setInstrument(book: number, market: number, hour: number): void {
    this.seldom[((book & BOOKS) << BOOK_INT_SHIFT) + MARKET] = market;
    this.seldom[((book & BOOKS) << BOOK_INT_SHIFT) + HOUR] = hour;
  }
  firstAllocation(book: number): number {
    return this.seldom[((book & BOOKS) << BOOK_INT_SHIFT) + FIRST_ALLOCATION];
  }
  setFirstAllocation(book: number, value: number): void {
    this.seldom[((book & BOOKS) << BOOK_INT_SHIFT) + FIRST_ALLOCATION] = value;
  }
  openAllocations(book: number): number {
    return this.seldom[((book & BOOKS) << BOOK_INT_SHIFT) + OPEN_ALLOCATIONS];
  }
  setOpenAllocations(book: number, value: number): void {
    this.seldom[((book & BOOKS) << BOOK_INT_SHIFT) + OPEN_ALLOCATIONS] = value;
  }
  tradedLow(book: number): number {
    return this.seldomFloats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + TRADED_LOW];
  }
  tradedHigh(book: number): number {
    return this.seldomFloats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + TRADED_HIGH];
  }
  setTraded(book: number, low: number, high: number): void {
    this.seldomFloats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + TRADED_LOW] = low;
    this.seldomFloats[((book & BOOKS) << BOOK_FLOAT_SHIFT) + TRADED_HIGH] = high;
  }
}
