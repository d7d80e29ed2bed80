/** What buyers own after their fills, one row each until the hour is settled. */
import { grownCapacity, grownFloats, grownInts } from './columns.ts';
import { NIL } from './lot_amounts.ts';

const SLOTS = 2 ** 24;
const FLOAT_COLUMNS = ['price', 'quantity', 'usedGpu', 'pendingGpu', 'contract', 'retired', 'gross', 'commission', 'offered', 'redemptionRate'] as const;
const INT_COLUMNS = ['generation', 'company', 'provider', 'cell', 'book', 'model', 'funding', 'sellerFee', 'state', 'companyNext', 'companyPrev', 'bookNext'] as const;

/** Values of the `state` column; FREE rows are not in use. */
export const ALLOCATION = { free: 0, open: 1, settled: 2 } as const;

export class Allocations {
  price = new Float64Array(64);
  /** Steps. */
  quantity = new Float64Array(64);
  /** 1e-6 GPU-seconds captured; authorised and not captured when the hour ended. */
  usedGpu = new Float64Array(64);
  pendingGpu = new Float64Array(64);
  /** Micro-CR still in contract, and retired so far. */
  contract = new Float64Array(64);
  retired = new Float64Array(64);
  /** Micro-USD posted so far: redemption rate x retired, and the seller's commission out of it. */
  gross = new Float64Array(64);
  commission = new Float64Array(64);
  /** Steps on offer for resale. */
  offered = new Float64Array(64);
  /** Stamped at the fill, ppm. */
  redemptionRate = new Float64Array(64);
  generation = new Int32Array(64);
  company = new Int32Array(64);
  provider = new Int32Array(64);
  cell = new Int32Array(64);
  book = new Int32Array(64);
  model = new Int32Array(64);
  /** List of (lot, credits) in delivery order. */
  funding = new Int32Array(64);
  /** Seller's commission, ppm, by its liquidity at the fill. */
  sellerFee = new Int32Array(64);
  state = new Int32Array(64);
  companyNext = new Int32Array(64);
  companyPrev = new Int32Array(64);
  /** Chain of the allocations of one book. */
  bookNext = new Int32Array(64);
  used = 0;
  free = NIL;

  /** A free row; the caller sets what the fill decides, the rest begins at zero. */
  create(): number {
    let row = this.free;
    if (row === NIL) {
      row = this.used++;
      if (row >= this.price.length) this.grow();
    } else {
      this.free = this.bookNext[row];
    }
    this.generation[row]++;
    this.usedGpu[row] = 0;
    this.pendingGpu[row] = 0;
    this.contract[row] = 0;
    this.retired[row] = 0;
    this.gross[row] = 0;
    this.commission[row] = 0;
    this.offered[row] = 0;
    this.funding[row] = NIL;
    this.state[row] = ALLOCATION.open;
    return row;
  }

  private grow(): void {
    const capacity = grownCapacity(this.price.length, this.used);
    for (const name of FLOAT_COLUMNS) this[name] = grownFloats(this[name], capacity);
    for (const name of INT_COLUMNS) this[name] = grownInts(this[name], capacity);
  }

  destroy(row: number): void {
    this.state[row] = ALLOCATION.free;
    this.bookNext[row] = this.free;
    this.free = row;
  }

  idOf(row: number): number {
    return this.generation[row] * SLOTS + row;
  }
  rowOf(id: number): number {
    if (!(id > 0)) return NIL;
    const row = id % SLOTS;
    if (row >= this.used || this.state[row] === ALLOCATION.free) return NIL;
    return this.generation[row] * SLOTS + row === id ? row : NIL;
  }

  columns(): { floats: Record<string, Float64Array>; ints: Record<string, Int32Array> } {
    return {
      floats: Object.fromEntries(FLOAT_COLUMNS.map((name) => [name, this[name]])),
      ints: Object.fromEntries(INT_COLUMNS.map((name) => [name, this[name]])),
    };
  }
}
