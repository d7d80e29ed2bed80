/** What buyers own after their fills, one row each until the hour is settled. */
import { CacheRows } from '../numbers/columns.ts';
import { columnView } from '../numbers/column_views.ts';
import type { ColumnView } from '../numbers/column_views.ts';
import { NIL } from '../ledger/lot_amounts.ts';

const SLOTS = 2 ** 24;
/** As of orders. */
const ROWS = SLOTS - 1;
/** Two cache lines, all of whose integers a fill writes, and which it never has to fetch: rows are begun one after the other. What is seldom asked stands in a table apart. */
const ROW_BYTES = 128;
const FLOAT_SHIFT = 4;
const INT_SHIFT = 5;
const SELDOM_BYTES = 64;
const SELDOM_SHIFT = 3;
/** As doubles: what may be beyond 32 bits. */
const CONTRACT = 0;
const FEE = 1;
const USED_GPU = 12;
const REDEMPTION_RATE = 13;
const RETIRED = 14;
const FAILED_GPU = 15;
/** As integers: what never is, by the limits of prices and quantities. */
const GENERATION = 4;
const COMPANY = 5;
const PROVIDER = 6;
const CELL = 7;
const BOOK = 8;
const MODEL = 9;
const PRICE = 10;
const QUANTITY = 11;
const BOUGHT = 12;
const FUNDING = 13;
const FEE_LOTS = 14;
const COMPANY_NEXT = 15;
const COMPANY_PREV = 16;
const BOOK_NEXT = 17;
const SPENT = 18;
const STATE = 19;
const SELLER_FEE = 20;
const FROM_MINUTE = 21;
const OFFERED = 22;
/** In the table apart. */
const GROSS = 0;
const COMMISSION = 1;
const PENAL_GPU = 2;
const REFUNDED = 3;
const PENDING_GPU = 4;
const FLOAT_PLACES = { contract: CONTRACT, fee: FEE, usedGpu: USED_GPU, redemptionRate: REDEMPTION_RATE, retired: RETIRED, failedGpu: FAILED_GPU } as const;
const SELDOM_PLACES = { gross: GROSS, commission: COMMISSION, penalGpu: PENAL_GPU, refunded: REFUNDED, pendingGpu: PENDING_GPU } as const;
const INT_PLACES = {
  price: PRICE, quantity: QUANTITY, offered: OFFERED, bought: BOUGHT, generation: GENERATION, company: COMPANY, provider: PROVIDER, cell: CELL, book: BOOK,
  model: MODEL, funding: FUNDING, sellerFee: SELLER_FEE, state: STATE, companyNext: COMPANY_NEXT, companyPrev: COMPANY_PREV, bookNext: BOOK_NEXT, fromMinute: FROM_MINUTE, feeLots: FEE_LOTS, spent: SPENT,
} as const;
/** What a snapshot has as doubles and as integers, in its order. */
const DOUBLES = ['price', 'quantity', 'usedGpu', 'pendingGpu', 'contract', 'retired', 'gross', 'commission', 'offered', 'redemptionRate', 'fee', 'bought', 'failedGpu', 'penalGpu', 'refunded'] as const;
const INTS = ['generation', 'company', 'provider', 'cell', 'book', 'model', 'funding', 'sellerFee', 'state', 'companyNext', 'companyPrev', 'bookNext', 'fromMinute', 'feeLots', 'spent'] as const;

type AllocationColumn = (typeof DOUBLES)[number] | (typeof INTS)[number];

/** Values of `state`; FREE rows are not in use. What is `done` is kept for as long as a failure of it may still be found. */
export const ALLOCATION = { free: 0, open: 1, settled: 2, done: 3 } as const;

export class Allocations {
  private readonly rows: CacheRows;
  private readonly seldomRows: CacheRows;
  private floats: Float64Array<ArrayBuffer>;
  private ints: Int32Array<ArrayBuffer>;
  private seldom: Float64Array<ArrayBuffer>;
  used = 0;
  free = NIL;

  constructor(rows: number) {
    this.seldomRows = new CacheRows(rows, SELDOM_BYTES);
    // Never more than the table apart has, which nobody asks whether it is full: the system may have had less memory for it.
    this.rows = new CacheRows(this.seldomRows.room, ROW_BYTES);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
    this.seldom = this.seldomRows.floats;
  }

  /** A free row; the caller sets what the fill decides, the rest begins at zero. */
  create(): number {
    let row = this.free;
    if (row === NIL) {
      row = this.used++;
      if (this.used << FLOAT_SHIFT > this.floats.length) this.grow();
    } else {
      this.free = this.bookNext(row);
      this.clear(row);
    }
    const { ints } = this;
    const at = (row & ROWS) << INT_SHIFT;
    ints[at + GENERATION]++;
    ints[at + SPENT] = NIL;
    ints[at + STATE] = ALLOCATION.open;
    return row;
  }

  /** Whose a new allocation is, of whom, and of what. */
  open(row: number, company: number, provider: number, cell: number, book: number, model: number, price: number, quantity: number): void {
    const { ints } = this;
    const at = (row & ROWS) << INT_SHIFT;
    ints[at + COMPANY] = company;
    ints[at + PROVIDER] = provider;
    ints[at + CELL] = cell;
    ints[at + BOOK] = book;
    ints[at + MODEL] = model;
    ints[at + PRICE] = price;
    ints[at + QUANTITY] = quantity;
    ints[at + BOUGHT] = quantity;
  }

  /** What holds of it from the fill on. */
  stamp(row: number, redemptionRate: number, sellerFee: number, fromMinute: number): void {
    const { ints } = this;
    const at = (row & ROWS) << INT_SHIFT;
    this.floats[((row & ROWS) << FLOAT_SHIFT) + REDEMPTION_RATE] = redemptionRate;
    ints[at + SELLER_FEE] = sellerFee;
    ints[at + FROM_MINUTE] = fromMinute;
  }

  /** Puts it before the first of its company's and the first of its book's. */
  link(row: number, ofCompany: number, ofBook: number): void {
    const { ints } = this;
    const at = (row & ROWS) << INT_SHIFT;
    ints[at + COMPANY_NEXT] = ofCompany;
    ints[at + COMPANY_PREV] = NIL;
    ints[at + BOOK_NEXT] = ofBook;
    if (ofCompany !== NIL) ints[((ofCompany & ROWS) << INT_SHIFT) + COMPANY_PREV] = row;
  }

  /** What the buyer has paid. */
  pay(row: number, funding: number, contract: number, fee: number, feeLots: number): void {
    const { floats, ints } = this;
    floats[((row & ROWS) << FLOAT_SHIFT) + CONTRACT] = contract;
    floats[((row & ROWS) << FLOAT_SHIFT) + FEE] = fee;
    ints[((row & ROWS) << INT_SHIFT) + FUNDING] = funding;
    ints[((row & ROWS) << INT_SHIFT) + FEE_LOTS] = feeLots;
  }

  /** A free row with all that another market's allocation has, its places in chains and its lists being none. */
  adopt(from: Allocations, row: number): number {
    const to = this.create();
    const generation = this.generation(to);
    this.floats.set(from.floats.subarray(row << FLOAT_SHIFT, (row + 1) << FLOAT_SHIFT), to << FLOAT_SHIFT);
    this.seldom.set(from.seldom.subarray(row << SELDOM_SHIFT, (row + 1) << SELDOM_SHIFT), to << SELDOM_SHIFT);
    for (const place of [FUNDING, FEE_LOTS, SPENT, COMPANY_NEXT, COMPANY_PREV, BOOK_NEXT]) this.ints[((to & ROWS) << INT_SHIFT) + place] = NIL;
    this.ints[((to & ROWS) << INT_SHIFT) + GENERATION] = generation;
    return to;
  }

  /** A row that was never used is zero already. */
  private clear(row: number): void {
    this.setUsedGpu(row, 0);
    this.setPendingGpu(row, 0);
    this.setContract(row, 0);
    this.setRetired(row, 0);
    this.setGross(row, 0);
    this.setCommission(row, 0);
    this.setOffered(row, 0);
    this.setFailedGpu(row, 0);
    this.setPenalGpu(row, 0);
    this.setRefunded(row, 0);
  }

  private grow(): void {
    this.rows.grow(this.used);
    this.seldomRows.grow(this.rows.room);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
    this.seldom = this.seldomRows.floats;
  }

  destroy(row: number): void {
    this.setState(row, ALLOCATION.free);
    this.setBookNext(row, this.free);
    this.free = row;
  }

  idOf(row: number): number {
    return this.generation(row) * SLOTS + row;
  }
  rowOf(id: number): number {
    if (!(id > 0)) return NIL;
    const row = id - Math.floor(id / SLOTS) * SLOTS;
    if (row >= this.used || this.state(row) === ALLOCATION.free) return NIL;
    return this.generation(row) * SLOTS + row === id ? row : NIL;
  }

  price(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + PRICE];
  }
  /** Steps. */
  quantity(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + QUANTITY];
  }
  setQuantity(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + QUANTITY] = value;
  }
  /** The steps it was charged for. */
  bought(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + BOUGHT];
  }
  /** 1e-6 GPU-seconds captured. */
  usedGpu(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + USED_GPU];
  }
  setUsedGpu(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + USED_GPU] = value;
  }
  /** Those authorised and not captured when the hour ended. */
  pendingGpu(row: number): number {
    return this.seldom[((row & ROWS) << SELDOM_SHIFT) + PENDING_GPU];
  }
  setPendingGpu(row: number, value: number): void {
    this.seldom[((row & ROWS) << SELDOM_SHIFT) + PENDING_GPU] = value;
  }
  /** Micro-CR still in contract. */
  contract(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + CONTRACT];
  }
  setContract(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + CONTRACT] = value;
  }
  /** Micro-CR retired so far. */
  retired(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + RETIRED];
  }
  setRetired(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + RETIRED] = value;
  }
  /** Micro-USD posted so far: redemption rate x retired. */
  gross(row: number): number {
    return this.seldom[((row & ROWS) << SELDOM_SHIFT) + GROSS];
  }
  setGross(row: number, value: number): void {
    this.seldom[((row & ROWS) << SELDOM_SHIFT) + GROSS] = value;
  }
  /** The seller's, out of it. */
  commission(row: number): number {
    return this.seldom[((row & ROWS) << SELDOM_SHIFT) + COMMISSION];
  }
  setCommission(row: number, value: number): void {
    this.seldom[((row & ROWS) << SELDOM_SHIFT) + COMMISSION] = value;
  }
  /** Steps on offer for resale. */
  offered(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + OFFERED];
  }
  setOffered(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + OFFERED] = value;
  }
  /** Stamped at the fill, ppm. */
  redemptionRate(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + REDEMPTION_RATE];
  }
  setRedemptionRate(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + REDEMPTION_RATE] = value;
  }
  /** Seller's commission, ppm, by its liquidity at the fill. */
  sellerFee(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + SELLER_FEE];
  }
  setSellerFee(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + SELLER_FEE] = value;
  }
  /** Micro-CR that the buyer was charged at the fill. */
  fee(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + FEE];
  }
  /** 1e-6 GPU-seconds that were not delivered. */
  failedGpu(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + FAILED_GPU];
  }
  setFailedGpu(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + FAILED_GPU] = value;
  }
  /** Of them those by the provider's fault. */
  penalGpu(row: number): number {
    return this.seldom[((row & ROWS) << SELDOM_SHIFT) + PENAL_GPU];
  }
  setPenalGpu(row: number, value: number): void {
    this.seldom[((row & ROWS) << SELDOM_SHIFT) + PENAL_GPU] = value;
  }
  /** Micro-CR given back for them, the fee apart. */
  refunded(row: number): number {
    return this.seldom[((row & ROWS) << SELDOM_SHIFT) + REFUNDED];
  }
  setRefunded(row: number, value: number): void {
    this.seldom[((row & ROWS) << SELDOM_SHIFT) + REFUNDED] = value;
  }
  private generation(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + GENERATION];
  }
  company(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + COMPANY];
  }
  provider(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + PROVIDER];
  }
  setProvider(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + PROVIDER] = value;
  }
  cell(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + CELL];
  }
  setCell(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + CELL] = value;
  }
  book(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + BOOK];
  }
  model(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + MODEL];
  }
  /** One of ALLOCATION. */
  state(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + STATE];
  }
  setState(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + STATE] = value;
  }
  /** The first minute of the hour in which it is promised. */
  fromMinute(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + FROM_MINUTE];
  }
  /** List of (lot, credits) in delivery order. */
  funding(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + FUNDING];
  }
  setFunding(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + FUNDING] = value;
  }
  /** List of (lot, credits) that paid the fee. */
  feeLots(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + FEE_LOTS];
  }
  setFeeLots(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + FEE_LOTS] = value;
  }
  /** List of (lot, credits) that delivery has retired. */
  spent(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + SPENT];
  }
  setSpent(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + SPENT] = value;
  }
  /** Neighbours among the company's. */
  companyNext(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + COMPANY_NEXT];
  }
  setCompanyNext(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + COMPANY_NEXT] = value;
  }
  companyPrev(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + COMPANY_PREV];
  }
  setCompanyPrev(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + COMPANY_PREV] = value;
  }
  /** The next of the same book. */
  bookNext(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + BOOK_NEXT];
  }
  setBookNext(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + BOOK_NEXT] = value;
  }

  private placeOf(name: AllocationColumn): Required<Pick<ColumnView, 'table' | 'stride' | 'places'>> {
    if (name in FLOAT_PLACES) return { table: this.floats, stride: 1 << FLOAT_SHIFT, places: [FLOAT_PLACES[name as keyof typeof FLOAT_PLACES]] };
    if (name in SELDOM_PLACES) return { table: this.seldom, stride: 1 << SELDOM_SHIFT, places: [SELDOM_PLACES[name as keyof typeof SELDOM_PLACES]] };
    return { table: this.ints, stride: 1 << INT_SHIFT, places: [INT_PLACES[name as keyof typeof INT_PLACES]] };
  }

  columns(): ColumnView[] {
    const view = (kind: ColumnView['kind']) => (name: AllocationColumn) => columnView({ name, kind, ...this.placeOf(name) }, this.used);
    return [...DOUBLES.map(view('f64')), ...INTS.map(view('i32'))];
  }
}
