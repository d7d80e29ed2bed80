/**
 * Runs of small rows in one piece of memory. A book that is not asked for a while costs no more than the cache lines
 * that are read of its runs: no array of its own, whose length and place would have to be fetched first.
 */
import { CacheRows } from './columns.ts';

/** Rows of the smallest run: one cache line. */
export const RUN_FIRST = 4;
const RUN_FIRST_SHIFT = 2;
const ROW_BYTES = 16;
/** A row as doubles and as integers. */
export const ROW_FLOAT_SHIFT = 1;
export const ROW_INT_SHIFT = 2;
const NOTHING = -1;
const SIZES = 32;
/** Beyond them the place of a row would be no integer of 32 bits. */
const ROWS_LIMIT = 2 ** 28;

export class RowPool {
  floats: Float64Array;
  ints: Int32Array;
  private readonly rows: CacheRows;
  private used = 0;
  /** Runs that were given back, by the logarithm of their length; chained through their first integer. */
  private readonly free = new Int32Array(SIZES).fill(NOTHING);

  constructor(rows: number) {
    this.rows = new CacheRows(rows, ROW_BYTES, ROWS_LIMIT);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  /** The first row of a run of so many rows, RUN_FIRST or that times a power of two. What stood there still does. */
  take(rows: number): number {
    const size = sizeOf(rows);
    const run = this.free[size];
    if (run !== NOTHING) {
      this.free[size] = this.ints[run << ROW_INT_SHIFT];
      return run;
    }
    const from = this.used;
    this.used += rows;
    if (this.used > this.rows.room) this.grow();
    return from;
  }

  give(from: number, rows: number): void {
    const size = sizeOf(rows);
    this.ints[from << ROW_INT_SHIFT] = this.free[size];
    this.free[size] = from;
  }

  /** The first row of a run twice as long, with the rows of the one that is given back. */
  double(from: number, rows: number): number {
    const to = this.take(2 * rows);
    this.ints.copyWithin(to << ROW_INT_SHIFT, from << ROW_INT_SHIFT, (from + rows) << ROW_INT_SHIFT);
    this.give(from, rows);
    return to;
  }

  private grow(): void {
    this.rows.grow(this.used);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }
}

const sizeOf = (rows: number): number => 31 - Math.clz32(rows >>> RUN_FIRST_SHIFT);
