/** What buyers own after their fills, one row each until the hour is settled. */
import { grownCapacity, grownFloats, grownInts } from '../numbers/columns.ts';
import { columnView } from '../numbers/column_views.ts';
import type { ColumnView } from '../numbers/column_views.ts';
import { NIL } from '../ledger/lot_amounts.ts';

const SLOTS = 2 ** 24;
/** What may be beyond 32 bits; what never is, by the limits of prices, quantities and rates. A snapshot has doubles of both, in the order of DOUBLES. */
const LONG_COLUMNS = ['usedGpu', 'pendingGpu', 'contract', 'retired', 'gross', 'commission', 'fee', 'failedGpu', 'penalGpu', 'refunded'] as const;
const SHORT_COLUMNS = ['price', 'quantity', 'offered', 'redemptionRate', 'bought'] as const;
const DOUBLES = ['price', 'quantity', 'usedGpu', 'pendingGpu', 'contract', 'retired', 'gross', 'commission', 'offered', 'redemptionRate', 'fee', 'bought', 'failedGpu', 'penalGpu', 'refunded'] as const;
const INT_COLUMNS = ['generation', 'company', 'provider', 'cell', 'book', 'model', 'funding', 'sellerFee', 'state', 'companyNext', 'companyPrev', 'bookNext', 'fromMinute', 'feeLots', 'spent'] as const;

export type AllocationColumn = (typeof DOUBLES)[number] | (typeof INT_COLUMNS)[number];

/** Values of the `state` column; FREE rows are not in use. What is `done` is kept for as long as a failure of it may still be found. */
export const ALLOCATION = { free: 0, open: 1, settled: 2, done: 3 } as const;

export class Allocations {
  price: Int32Array<ArrayBuffer>;
  /** Steps. */
  quantity: Int32Array<ArrayBuffer>;
  /** 1e-6 GPU-seconds captured; authorised and not captured when the hour ended. */
  usedGpu: Float64Array<ArrayBuffer>;
  pendingGpu: Float64Array<ArrayBuffer>;
  /** Micro-CR still in contract, and retired so far. */
  contract: Float64Array<ArrayBuffer>;
  retired: Float64Array<ArrayBuffer>;
  /** Micro-USD posted so far: redemption rate x retired, and the seller's commission out of it. */
  gross: Float64Array<ArrayBuffer>;
  commission: Float64Array<ArrayBuffer>;
  /** Steps on offer for resale. */
  offered: Int32Array<ArrayBuffer>;
  /** Stamped at the fill, ppm. */
  redemptionRate: Int32Array<ArrayBuffer>;
  /** Micro-CR that the buyer was charged at the fill, and the steps it was charged for. */
  fee: Float64Array<ArrayBuffer>;
  bought: Int32Array<ArrayBuffer>;
  /** 1e-6 GPU-seconds that were not delivered, and of them by the provider's fault; micro-CR given back for them, the fee apart. */
  failedGpu: Float64Array<ArrayBuffer>;
  penalGpu: Float64Array<ArrayBuffer>;
  refunded: Float64Array<ArrayBuffer>;
  generation: Int32Array<ArrayBuffer>;
  company: Int32Array<ArrayBuffer>;
  provider: Int32Array<ArrayBuffer>;
  cell: Int32Array<ArrayBuffer>;
  book: Int32Array<ArrayBuffer>;
  model: Int32Array<ArrayBuffer>;
  /** List of (lot, credits) in delivery order. */
  funding: Int32Array<ArrayBuffer>;
  /** Seller's commission, ppm, by its liquidity at the fill. */
  sellerFee: Int32Array<ArrayBuffer>;
  state: Int32Array<ArrayBuffer>;
  companyNext: Int32Array<ArrayBuffer>;
  companyPrev: Int32Array<ArrayBuffer>;
  /** Chain of the allocations of one book. */
  bookNext: Int32Array<ArrayBuffer>;
  /** The first minute of the hour in which it is promised. */
  fromMinute: Int32Array<ArrayBuffer>;
  /** Lists of (lot, credits): what paid the fee, and what delivery has retired. */
  feeLots: Int32Array<ArrayBuffer>;
  spent: Int32Array<ArrayBuffer>;
  used = 0;
  free = NIL;

  constructor(rows: number) {
    this.price = new Int32Array(rows);
    this.quantity = new Int32Array(rows);
    this.usedGpu = new Float64Array(rows);
    this.pendingGpu = new Float64Array(rows);
    this.contract = new Float64Array(rows);
    this.retired = new Float64Array(rows);
    this.gross = new Float64Array(rows);
    this.commission = new Float64Array(rows);
    this.offered = new Int32Array(rows);
    this.redemptionRate = new Int32Array(rows);
    this.fee = new Float64Array(rows);
    this.bought = new Int32Array(rows);
    this.failedGpu = new Float64Array(rows);
    this.penalGpu = new Float64Array(rows);
    this.refunded = new Float64Array(rows);
    this.generation = new Int32Array(rows);
    this.company = new Int32Array(rows);
    this.provider = new Int32Array(rows);
    this.cell = new Int32Array(rows);
    this.book = new Int32Array(rows);
    this.model = new Int32Array(rows);
    this.funding = new Int32Array(rows);
    this.sellerFee = new Int32Array(rows);
    this.state = new Int32Array(rows);
    this.companyNext = new Int32Array(rows);
    this.companyPrev = new Int32Array(rows);
    this.bookNext = new Int32Array(rows);
    this.fromMinute = new Int32Array(rows);
    this.feeLots = new Int32Array(rows);
    this.spent = new Int32Array(rows);
  }

  /** A free row; the caller sets what the fill decides, the rest begins at zero. */
  create(): number {
    let row = this.free;
    if (row === NIL) {
      row = this.used++;
      if (row >= this.price.length) this.grow();
    } else {
      this.free = this.bookNext[row];
      this.clear(row);
    }
    this.generation[row]++;
    this.funding[row] = NIL;
    this.spent[row] = NIL;
    this.state[row] = ALLOCATION.open;
    return row;
  }

  /** A free row with all that another market's allocation has, its places in chains and its lists being that market's. */
  adopt(from: Allocations, row: number): number {
    const to = this.create();
    const generation = this.generation[to];
    for (const name of [...LONG_COLUMNS, ...SHORT_COLUMNS, ...INT_COLUMNS]) this[name][to] = from[name][row];
    this.generation[to] = generation;
    return to;
  }

  /** A row that was never used is zero already. */
  private clear(row: number): void {
    this.usedGpu[row] = 0;
    this.pendingGpu[row] = 0;
    this.contract[row] = 0;
    this.retired[row] = 0;
    this.gross[row] = 0;
    this.commission[row] = 0;
    this.offered[row] = 0;
    this.failedGpu[row] = 0;
    this.penalGpu[row] = 0;
    this.refunded[row] = 0;
  }

  private grow(): void {
    const capacity = grownCapacity(this.price.length, this.used);
    for (const name of LONG_COLUMNS) this[name] = grownFloats(this[name], capacity);
    for (const name of [...SHORT_COLUMNS, ...INT_COLUMNS]) this[name] = grownInts(this[name], capacity);
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
    const row = id - Math.floor(id / SLOTS) * SLOTS;
    if (row >= this.used || this.state[row] === ALLOCATION.free) return NIL;
    return this.generation[row] * SLOTS + row === id ? row : NIL;
  }

  columns(): ColumnView[] {
    const view = (kind: ColumnView['kind']) => (name: AllocationColumn) => columnView({ name, kind, table: this[name] }, this.used);
    return [...DOUBLES.map(view('f64')), ...INT_COLUMNS.map(view('i32'))];
  }

  /** Restores what `columns` gave, for which there is room. */
  setColumn(name: AllocationColumn, column: Float64Array | Int32Array): void {
    this[name].set(column);
  }
}
