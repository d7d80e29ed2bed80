/**
 * What every order asks of its company and changes in it: one row of numbers per company, so that it
 * costs two cache lines whatever else is known of the company. Its accounts of the ledger stand in the same row, those that asks and
 * fills ask for in the second of the two.
 */
import { CacheRows } from '../numbers/columns.ts';
import type { CompanyId, LotId } from '../vocabulary.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { Day, Micro, Millis } from '../numbers/units.ts';

/** Four cache lines: what every order asks of its company, then what only asks and fills do, then its other accounts. */
const ROW_BYTES = 256;
const SHIFT = 5;
const INT_SHIFT = 6;
/** More companies than there can be, as `ROWS` of orders. */
export const COMPANIES = 2 ** 24 - 1;
/** Of the ledger's table, and where the accounts stand in a row. */
export const COMPANY_SHIFT = SHIFT;
export const ACCOUNTS_BESIDE = 11;
export const ACCOUNTS_APART = 16;
const ROWS_FIRST = 64;
const RATE = 0;
const DAY_LIMIT = 1;
const BOUGHT_TODAY = 2;
const SUSPENDED_AT = 3;
const GROUP = 8;
const FIRST_ORDER = 9;
const OPEN_ORDERS = 10;
const ORDER_LIMIT = 11;
const FIRST_LOT = 12;
const SIDES = 13;
const BOUGHT_ON = 14;
const FIRST_ALLOCATION = 15;
const RETIRED = 8;
const RETIRED_COST = 9;
const UNDELIVERED = 10;

/** Bits of `sides`: what a company's role lets it enter. */
export const MAY_BUY = 1;
export const MAY_SELL = 2;
/** It has accepted a facility. */
export const FINANCED = 4;

export class Standing {
  private readonly rows: CacheRows;
  /** The accounts are the ledger's alone. */
  floats: Float64Array<ArrayBuffer>;
  private ints: Int32Array<ArrayBuffer>;
  count = 0;

  constructor(rows = ROWS_FIRST) {
    this.rows = new CacheRows(rows, ROW_BYTES);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  /** The next company's row: no order, no allocation, no lot. */
  open(group: number, sides: number, orderLimit: number): void {
    const company = this.count++;
    this.reserve(this.count);
    const int = (company & COMPANIES) << INT_SHIFT;
    this.ints[int + GROUP] = group;
    this.ints[int + SIDES] = sides;
    this.ints[int + ORDER_LIMIT] = orderLimit;
    this.ints[int + FIRST_ORDER] = NIL;
    this.ints[int + FIRST_ALLOCATION] = NIL;
    this.ints[int + FIRST_LOT] = NIL;
    this.floats[((company & COMPANIES) << SHIFT) + DAY_LIMIT] = Number.MAX_SAFE_INTEGER;
  }

  /** Has the companies of another market, without their orders and allocations. */
  adopt(from: Standing): void {
    this.reserve(from.count);
    this.count = from.count;
    this.floats.set(from.floats.subarray(0, from.count << SHIFT));
    for (let company = 0; company < this.count; company++) {
      this.setFirstOrder(company, NIL);
      this.setFirstAllocation(company, NIL);
    }
  }

  reserve(rows: number): void {
    if (rows <= this.rows.room) return;
    this.rows.grow(rows);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  /** Whether there is such a company. */
  has(company: CompanyId): boolean {
    return company >= 0 && company < this.count && (company | 0) === company;
  }

  /** Companies of one beneficial owner share this number. */
  group(company: CompanyId): number {
    return this.ints[((company & COMPANIES) << INT_SHIFT) + GROUP];
  }
  /** MAY_BUY, MAY_SELL, or neither. */
  sides(company: CompanyId): number {
    return this.ints[((company & COMPANIES) << INT_SHIFT) + SIDES];
  }
  /** From now on limits of financed credit apply to it. */
  setFinanced(company: CompanyId): void {
    this.ints[((company & COMPANIES) << INT_SHIFT) + SIDES] = this.sides(company) | FINANCED;
  }
  /** Head of the chain of its live orders, and their number. NIL for a company that is none. */
  firstOrder(company: CompanyId): number {
    return this.has(company) ? this.head(company) : NIL;
  }
  /** The same of a company that there is. */
  head(company: CompanyId): number {
    return this.ints[((company & COMPANIES) << INT_SHIFT) + FIRST_ORDER];
  }
  setFirstOrder(company: CompanyId, row: number): void {
    this.ints[((company & COMPANIES) << INT_SHIFT) + FIRST_ORDER] = row;
  }
  openOrders(company: CompanyId): number {
    return this.ints[((company & COMPANIES) << INT_SHIFT) + OPEN_ORDERS];
  }
  setOpenOrders(company: CompanyId, value: number): void {
    this.ints[((company & COMPANIES) << INT_SHIFT) + OPEN_ORDERS] = value;
  }
  /** How many orders it may have. */
  orderLimit(company: CompanyId): number {
    return this.ints[((company & COMPANIES) << INT_SHIFT) + ORDER_LIMIT];
  }
  setOrderLimit(company: CompanyId, value: number): void {
    this.ints[((company & COMPANIES) << INT_SHIFT) + ORDER_LIMIT] = value;
  }
  /** The second of engine time in which it last entered an order, times RATE_SCALE, plus the orders entered in it. */
  rate(company: CompanyId): number {
    return this.floats[((company & COMPANIES) << SHIFT) + RATE];
  }
  setRate(company: CompanyId, value: number): void {
    this.floats[((company & COMPANIES) << SHIFT) + RATE] = value;
  }
  /** What it may buy in a day. */
  dayLimit(company: CompanyId): Micro {
    return this.floats[((company & COMPANIES) << SHIFT) + DAY_LIMIT];
  }
  setDayLimit(company: CompanyId, value: Micro): void {
    this.floats[((company & COMPANIES) << SHIFT) + DAY_LIMIT] = value;
  }
  /** Micro-CR bought on the day `boughtOn`. */
  boughtToday(company: CompanyId): Micro {
    return this.floats[((company & COMPANIES) << SHIFT) + BOUGHT_TODAY];
  }
  setBoughtToday(company: CompanyId, value: Micro): void {
    this.floats[((company & COMPANIES) << SHIFT) + BOUGHT_TODAY] = value;
  }
  boughtOn(company: CompanyId): Day {
    return this.ints[((company & COMPANIES) << INT_SHIFT) + BOUGHT_ON];
  }
  setBoughtOn(company: CompanyId, value: Day): void {
    this.ints[((company & COMPANIES) << INT_SHIFT) + BOUGHT_ON] = value;
  }
  /** Micro-CR bought on a day that is not before the last purchase. */
  boughtOf(company: CompanyId, day: Day): Micro {
    const { floats, ints } = this;
    return ints[((company & COMPANIES) << INT_SHIFT) + BOUGHT_ON] === day ? floats[((company & COMPANIES) << SHIFT) + BOUGHT_TODAY] : 0;
  }
  countPurchase(company: CompanyId, day: Day, notional: Micro): void {
    this.setBoughtToday(company, this.boughtOf(company, day) + notional);
    this.setBoughtOn(company, day);
  }
  countRetired(company: CompanyId, credits: Micro, cost: Micro): void {
    const { floats } = this;
    const at = (company & COMPANIES) << SHIFT;
    floats[at + RETIRED] += credits;
    floats[at + RETIRED_COST] += cost;
  }
  /** Puts an order at the head of the chain of the company's. Returns the order that stood there. */
  addOrder(company: CompanyId, row: number): number {
    const { ints } = this;
    const at = (company & COMPANIES) << INT_SHIFT;
    const head = ints[at + FIRST_ORDER];
    ints[at + FIRST_ORDER] = row;
    ints[at + OPEN_ORDERS]++;
    return head;
  }
  /** Head of the chain of its usable lots. */
  firstLot(company: CompanyId): LotId {
    return this.ints[((company & COMPANIES) << INT_SHIFT) + FIRST_LOT];
  }
  setFirstLot(company: CompanyId, lot: LotId): void {
    this.ints[((company & COMPANIES) << INT_SHIFT) + FIRST_LOT] = lot;
  }
  /** Head of the chain of its allocations. NIL for a company that is none. */
  firstAllocation(company: CompanyId): number {
    return this.has(company) ? this.ints[((company & COMPANIES) << INT_SHIFT) + FIRST_ALLOCATION] : NIL;
  }
  setFirstAllocation(company: CompanyId, row: number): void {
    this.ints[((company & COMPANIES) << INT_SHIFT) + FIRST_ALLOCATION] = row;
  }
  /** Credits retired so far, and their cost. */
  retired(company: CompanyId): Micro {
    return this.floats[((company & COMPANIES) << SHIFT) + RETIRED];
  }
  setRetired(company: CompanyId, value: Micro): void {
    this.floats[((company & COMPANIES) << SHIFT) + RETIRED] = value;
  }
  retiredCost(company: CompanyId): Micro {
    return this.floats[((company & COMPANIES) << SHIFT) + RETIRED_COST];
  }
  setRetiredCost(company: CompanyId, value: Micro): void {
    this.floats[((company & COMPANIES) << SHIFT) + RETIRED_COST] = value;
  }
  /** Redemption value of what a provider has sold and not delivered, in micro-CR. */
  undelivered(company: CompanyId): Micro {
    return this.floats[((company & COMPANIES) << SHIFT) + UNDELIVERED];
  }
  setUndelivered(company: CompanyId, value: Micro): void {
    this.floats[((company & COMPANIES) << SHIFT) + UNDELIVERED] = value;
  }

  /** Engine time; 0: it is not suspended. */
  suspendedAt(company: CompanyId): Millis {
    return this.floats[((company & COMPANIES) << SHIFT) + SUSPENDED_AT];
  }
  setSuspendedAt(company: CompanyId, value: Millis): void {
    this.floats[((company & COMPANIES) << SHIFT) + SUSPENDED_AT] = value;
  }

  /** One number of every company, for snapshots. */
  each(of: (company: CompanyId) => number): number[] {
    return Array.from({ length: this.count }, (_, company) => of(company));
  }
}
