/**
 * What every order asks of its company and changes in it: one row of numbers per company, so that it
 * costs two cache lines whatever else is known of the company.
 */
import { grownCapacity, grownFloats } from '../numbers/columns.ts';
import type { CompanyId, LotId } from '../commands.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { Day, Micro, Millis } from '../numbers/units.ts';

const STRIDE = 16;
const SHIFT = 4;
const GROUP = 0;
const FIRST_ORDER = 1;
const OPEN_ORDERS = 2;
const ORDER_LIMIT = 3;
const RATE = 4;
const DAY_LIMIT = 5;
const BOUGHT_TODAY = 6;
const BOUGHT_ON = 7;
const FIRST_LOT = 8;
const FIRST_ALLOCATION = 9;
const RETIRED = 10;
const RETIRED_COST = 11;
const UNDELIVERED = 12;
const SIDES = 13;
const SUSPENDED_AT = 14;

/** Bits of `sides`: what a company's role lets it enter. */
export const MAY_BUY = 1;
export const MAY_SELL = 2;
/** It has accepted a facility. */
export const FINANCED = 4;

export class Standing {
  private numbers = new Float64Array(64 * STRIDE);
  count = 0;

  /** The next company's row: no order, no allocation, no lot. */
  open(group: number, sides: number, orderLimit: number): void {
    const company = this.count++;
    if (this.count * STRIDE > this.numbers.length) this.numbers = grownFloats(this.numbers, grownCapacity(this.numbers.length / STRIDE, this.count) * STRIDE);
    const at = company * STRIDE;
    this.numbers[at + GROUP] = group;
    this.numbers[at + SIDES] = sides;
    this.numbers[at + ORDER_LIMIT] = orderLimit;
    this.numbers[at + DAY_LIMIT] = Number.MAX_SAFE_INTEGER;
    this.numbers[at + FIRST_ORDER] = NIL;
    this.numbers[at + FIRST_ALLOCATION] = NIL;
    this.numbers[at + FIRST_LOT] = NIL;
  }

  /** Whether there is such a company. */
  has(company: CompanyId): boolean {
    return company >= 0 && company < this.count && (company | 0) === company;
  }

  /** Companies of one beneficial owner share this number. */
  group(company: CompanyId): number {
    return this.numbers[(company << SHIFT) | GROUP] | 0;
  }
  /** MAY_BUY, MAY_SELL, or neither. */
  sides(company: CompanyId): number {
    return this.numbers[(company << SHIFT) | SIDES] | 0;
  }
  /** From now on limits of financed credit apply to it. */
  setFinanced(company: CompanyId): void {
    this.numbers[(company << SHIFT) | SIDES] = this.sides(company) | FINANCED;
  }
  /** Head of the chain of its live orders, and their number. NIL for a company that is none. */
  firstOrder(company: CompanyId): number {
    return this.has(company) ? this.numbers[(company << SHIFT) | FIRST_ORDER] | 0 : NIL;
  }
  setFirstOrder(company: CompanyId, row: number): void {
    this.numbers[(company << SHIFT) | FIRST_ORDER] = row;
  }
  openOrders(company: CompanyId): number {
    return this.numbers[(company << SHIFT) | OPEN_ORDERS] | 0;
  }
  setOpenOrders(company: CompanyId, value: number): void {
    this.numbers[(company << SHIFT) | OPEN_ORDERS] = value;
  }
  /** How many orders it may have. */
  orderLimit(company: CompanyId): number {
    return this.numbers[(company << SHIFT) | ORDER_LIMIT];
  }
  setOrderLimit(company: CompanyId, value: number): void {
    this.numbers[(company << SHIFT) | ORDER_LIMIT] = value;
  }
  /** The second of engine time in which it last entered an order, times RATE_SCALE, plus the orders entered in it. */
  rate(company: CompanyId): number {
    return this.numbers[(company << SHIFT) | RATE];
  }
  setRate(company: CompanyId, value: number): void {
    this.numbers[(company << SHIFT) | RATE] = value;
  }
  /** What it may buy in a day. */
  dayLimit(company: CompanyId): Micro {
    return this.numbers[(company << SHIFT) | DAY_LIMIT];
  }
  setDayLimit(company: CompanyId, value: Micro): void {
    this.numbers[(company << SHIFT) | DAY_LIMIT] = value;
  }
  /** Micro-CR bought on the day `boughtOn`. */
  boughtToday(company: CompanyId): Micro {
    return this.numbers[(company << SHIFT) | BOUGHT_TODAY];
  }
  setBoughtToday(company: CompanyId, value: Micro): void {
    this.numbers[(company << SHIFT) | BOUGHT_TODAY] = value;
  }
  boughtOn(company: CompanyId): Day {
    return this.numbers[(company << SHIFT) | BOUGHT_ON];
  }
  setBoughtOn(company: CompanyId, value: Day): void {
    this.numbers[(company << SHIFT) | BOUGHT_ON] = value;
  }
  countPurchase(company: CompanyId, day: Day, notional: Micro): void {
    const { numbers } = this;
    const at = company << SHIFT;
    numbers[at | BOUGHT_TODAY] = (numbers[at | BOUGHT_ON] === day ? numbers[at | BOUGHT_TODAY] : 0) + notional;
    numbers[at | BOUGHT_ON] = day;
  }
  countRetired(company: CompanyId, credits: Micro, cost: Micro): void {
    const { numbers } = this;
    const at = company << SHIFT;
    numbers[at | RETIRED] += credits;
    numbers[at | RETIRED_COST] += cost;
  }
  /** Puts an order at the head of the chain of the company's. Returns the order that stood there. */
  addOrder(company: CompanyId, row: number): number {
    const { numbers } = this;
    const at = company << SHIFT;
    const head = numbers[at | FIRST_ORDER] | 0;
    numbers[at | FIRST_ORDER] = row;
    numbers[at | OPEN_ORDERS]++;
    return head;
  }
  /** Head of the chain of its usable lots. */
  firstLot(company: CompanyId): LotId {
    return this.numbers[(company << SHIFT) | FIRST_LOT] | 0;
  }
  setFirstLot(company: CompanyId, lot: LotId): void {
    this.numbers[(company << SHIFT) | FIRST_LOT] = lot;
  }
  /** Head of the chain of its allocations. NIL for a company that is none. */
  firstAllocation(company: CompanyId): number {
    return this.has(company) ? this.numbers[(company << SHIFT) | FIRST_ALLOCATION] | 0 : NIL;
  }
  setFirstAllocation(company: CompanyId, row: number): void {
    this.numbers[(company << SHIFT) | FIRST_ALLOCATION] = row;
  }
  /** Credits retired so far, and their cost. */
  retired(company: CompanyId): Micro {
    return this.numbers[(company << SHIFT) | RETIRED];
  }
  setRetired(company: CompanyId, value: Micro): void {
    this.numbers[(company << SHIFT) | RETIRED] = value;
  }
  retiredCost(company: CompanyId): Micro {
    return this.numbers[(company << SHIFT) | RETIRED_COST];
  }
  setRetiredCost(company: CompanyId, value: Micro): void {
    this.numbers[(company << SHIFT) | RETIRED_COST] = value;
  }
  /** Redemption value of what a provider has sold and not delivered, in micro-CR. */
  undelivered(company: CompanyId): Micro {
    return this.numbers[(company << SHIFT) | UNDELIVERED];
  }
  setUndelivered(company: CompanyId, value: Micro): void {
    this.numbers[(company << SHIFT) | UNDELIVERED] = value;
  }

  /** Engine time; 0: it is not suspended. */
  suspendedAt(company: CompanyId): Millis {
    return this.numbers[(company << SHIFT) | SUSPENDED_AT];
  }
  setSuspendedAt(company: CompanyId, value: Millis): void {
    this.numbers[(company << SHIFT) | SUSPENDED_AT] = value;
  }

  /** One number of every company, for snapshots. */
  each(of: (company: CompanyId) => number): number[] {
    return Array.from({ length: this.count }, (_, company) => of(company));
  }
}
