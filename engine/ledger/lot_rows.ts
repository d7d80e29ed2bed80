/**
 * The numbers of lots, two cache lines each: its accounts, what of it is blocked and which lot comes next, since every bid asks
 * for these; then its rates, which only fills and deliveries do.
 */
import type { LotId } from '../vocabulary.ts';
import { CacheRows } from '../numbers/columns.ts';
import type { Micro } from '../numbers/units.ts';

const ROW_BYTES = 128;
/** Places of a row; its accounts stand first. */
export const LOT_SHIFT = 4;
export const LOT_INT_SHIFT = 5;
const INT_SHIFT = LOT_INT_SHIFT;
/** More lots than there can be, as `ROWS` of orders. */
export const LOTS = 2 ** 24 - 1;
const BLOCKED = 6;
const NEXT = 14;
/** The rates, which a fill's posting reads beside the accounts: usd / credits, and the redemption rate, in lowest terms. */
export const COST_NUMERATOR = 8;
export const COST_DENOMINATOR = 9;
export const BACKING_NUMERATOR = 10;
export const BACKING_DENOMINATOR = 11;
const ROWS_FIRST = 16;

export class LotRows {
  /** The accounts are the ledger's alone. */
  floats: Float64Array<ArrayBuffer>;
  /** Read ahead as they stand. */
  ints: Int32Array;
  private readonly rows: CacheRows;

  constructor(rows = ROWS_FIRST) {
    this.rows = new CacheRows(rows, ROW_BYTES);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  /** Has the numbers of another market's first lots. */
  adopt(from: LotRows, rows: number): void {
    this.reserve(rows);
    this.floats.set(from.floats.subarray(0, rows << LOT_SHIFT));
  }

  reserve(rows: number): void {
    if (rows <= this.rows.room) return;
    this.rows.grow(rows);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  /** Micro-CR that may not be newly held; ALL_BLOCKED: nothing may. */
  blocked(lot: LotId): Micro {
    return this.floats[((lot & LOTS) << LOT_SHIFT) + BLOCKED];
  }
  setBlocked(lot: LotId, value: Micro): void {
    this.floats[((lot & LOTS) << LOT_SHIFT) + BLOCKED] = value;
  }
  /** The company's next usable lot. */
  next(lot: LotId): LotId {
    return this.ints[((lot & LOTS) << INT_SHIFT) + NEXT];
  }
  setNext(lot: LotId, value: LotId): void {
    this.ints[((lot & LOTS) << INT_SHIFT) + NEXT] = value;
  }
  /** usd / credits in lowest terms. */
  costNumerator(lot: LotId): number {
    return this.floats[((lot & LOTS) << LOT_SHIFT) + COST_NUMERATOR];
  }
  costDenominator(lot: LotId): number {
    return this.floats[((lot & LOTS) << LOT_SHIFT) + COST_DENOMINATOR];
  }
  /** The redemption rate in lowest terms. */
  backingNumerator(lot: LotId): number {
    return this.floats[((lot & LOTS) << LOT_SHIFT) + BACKING_NUMERATOR];
  }
  backingDenominator(lot: LotId): number {
    return this.floats[((lot & LOTS) << LOT_SHIFT) + BACKING_DENOMINATOR];
  }
  setRates(lot: LotId, costNumerator: number, costDenominator: number, backingNumerator: number, backingDenominator: number): void {
    this.floats.set([costNumerator, costDenominator, backingNumerator, backingDenominator], ((lot & LOTS) << LOT_SHIFT) + COST_NUMERATOR);
  }
}
