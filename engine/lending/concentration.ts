/**
 * How much of a facility goes to one provider group: CREDIT.md section 4. Fills are summed by group; a group that has had its part is barred,
 * and bids that may bring one there are looked at ask by ask.
 */
import { Allowance } from './allowance.ts';
import type { Room, RoomHost } from './allowance.ts';
import type { CompanyId, FacilityId } from '../vocabulary.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { FLAG } from '../book/orders.ts';
import { PARAMETERS } from '../parameters.ts';
import type { Facility, Spending } from './facility.ts';
import type { Payer } from './payers.ts';
import type { State } from '../state.ts';
import type { HourBook } from '../trading/markets.ts';
import { MICRO } from '../numbers/units.ts';
import type { Day, Micro, Steps, Ticks } from '../numbers/units.ts';

const nothingSpent = (): Spending => ({ total: 0, groups: [], days: [] });

/** Whether the bid's credit may go to the ask's provider. */
export const mayBuyFrom = (state: State, bid: number, ask: number): boolean => mayGoTo(state, bid, providerGroup(state, ask));

/** Whether the bid's credit may go to a provider group. */
function mayGoTo(state: State, bid: number, group: number): boolean {
  const { orders, amounts, lots } = state;
  for (let node = orders.holdList(bid); node !== NIL; node = amounts.next(node)) {
    const { facility } = lots.rows[amounts.lot(node)];
    if (facility !== NIL && isBarred(state, facility, group)) return false;
  }
  return true;
}

/** Whose capacity an ask offers, also when somebody else resells it. */
export function providerOf({ orders, supply }: State, ask: number): CompanyId {
  return supply.capacities[supply.capacityOf(orders.cell(ask))].company;
}

const providerGroup = (state: State, ask: number): number => state.standing.group(providerOf(state, ask));

const isBarred = ({ spending }: State, facility: FacilityId, group: number): boolean =>
  spending.get(facility)?.groups.some((entry) => entry.barred && entry.group === group) ?? false;

export class Concentration implements RoomHost {
  /** Companies whose bids may trade with more asks than before. */
  readonly loosened: CompanyId[] = [];
  private readonly state: State;
  /** Facilities that a company has accepted. */
  private readonly accepted: (company: CompanyId) => readonly Facility[];
  /** Facilities whose credit a bid would be paid with, while it is looked at that holds none yet. */
  private assumed: readonly FacilityId[] | undefined;
  /** What facilities had spent in all when the meeting began. */
  private readonly totals = new Map<FacilityId, Micro>();
  private readonly allowance = new Allowance(this);

  constructor(state: State, accepted: (company: CompanyId) => readonly Facility[]) {
    this.state = state;
    this.accepted = accepted;
  }

  /** What was spent more than thirty days ago counts no more. */
  dayBegan(facility: Facility, day: Day): void {
    const spending = this.state.spending.get(facility.facility);
    if (spending === undefined) return;
    const kept = spending.days.filter((entry) => entry.day > day - PARAMETERS.concentrationDays);
    if (kept.length === spending.days.length) return;
    spending.days = kept;
    spending.total = kept.reduce((sum, { amount }) => sum + amount, 0);
    for (const entry of spending.groups) entry.amount = kept.reduce((sum, { group, amount }) => sum + (group === entry.group ? amount : 0), 0);
    this.reviewGroups(facility, spending);
  }

  /** A fill has spent financed credit. */
  count(allocation: number): void {
    const { allocations, amounts, lots, standing, facilities } = this.state;
    const group = standing.group(allocations.provider(allocation));
    for (let node = allocations.funding(allocation); node !== NIL; node = amounts.next(node)) {
      const lot = lots.rows[amounts.lot(node)];
      if (lot.facility === NIL) continue;
      this.spend(facilities[lot.facility], group, lots.cost(lot, amounts.part(node, allocations.contract(allocation))));
    }
  }

  private spend(facility: Facility, group: number, amount: Micro): void {
    const { state } = this;
    const spending = state.spending.get(facility.facility) ?? nothingSpent();
    state.spending.set(facility.facility, spending);
    spending.total += amount;
    const own = spending.groups.find((entry) => entry.group === group);
    if (own === undefined) spending.groups.push({ group, amount, barred: false });
    else own.amount += amount;
    const today = spending.days.findLast((entry) => entry.group === group);
    if (today?.day === state.day) today.amount += amount;
    else spending.days.push({ day: state.day, group, amount });
    this.reviewGroups(facility, spending);
  }

  /** Who has had too much of the facility, and who no longer has. */
  private reviewGroups(facility: Facility, spending: Spending): void {
    const limit = Math.max(mulDiv(spending.total, PARAMETERS.concentrationShare, MICRO), floorOf(facility));
    for (const entry of spending.groups) {
      const barred = this.state.rulesVersion >= 9 ? roomOf(facility, spending.total, entry.amount) < PARAMETERS.concentrationLeast : entry.amount >= limit;
      if (barred === entry.barred) continue;
      entry.barred = barred;
      this.state.unsettled = true;
      if (barred) this.flagBids(facility.company);
      else this.loosened.push(facility.company);
    }
  }

  /** From now on every ask is looked at before one of the company's bids trades with it. */
  private flagBids(company: CompanyId): void {
    const { orders, standing } = this.state;
    for (let row = standing.firstOrder(company); row !== NIL; row = orders.companyNext(row)) {
      if (!orders.isSell(row)) orders.setFlags(row, orders.flags(row) | FLAG.limited);
    }
  }

  /** Whether bids of the company have to be looked at ask by ask, one that is to hold so much among them: some provider group is barred, or together they may bring one there. */
  isLimited(company: CompanyId, hold: Micro = 0): boolean {
    const own = this.accepted(company);
    if (this.state.rulesVersion >= 9) return own.some((facility) => this.mayReachLimit(facility, hold));
    return own.some(({ facility }) => this.hasBarred(facility));
  }

  /** Whether some provider group is barred for the facility. */
  private hasBarred(facility: FacilityId): boolean {
    return this.state.spending.get(facility)?.groups.some(({ barred }) => barred) === true;
  }

  /** Whether what a facility holds for bids, and so much more, may bring a provider group to the part of the commitment that each may have. */
  private mayReachLimit(facility: Facility, hold: Micro): boolean {
    const { lots, spending } = this.state;
    let most = spending.get(facility.facility)?.groups.reduce((largest, { amount }) => Math.max(largest, amount), 0) ?? 0;
    most += mulDiv(hold, MICRO, facility.conversionRate);
    const limit = floorOf(facility) - PARAMETERS.concentrationLeast;
    if (most > limit) return true;
    for (const lot of lots.of(facility.facility)) most += lots.cost(lot, lots.held(lot.lot));
    return most > limit;
  }

  /** From now on the bid is looked at ask by ask, and those of its company that it might bring a provider group to its limit with. */
  limit(bid: number): void {
    const { orders, rulesVersion } = this.state;
    orders.setFlags(bid, orders.flags(bid) | FLAG.limited);
    if (rulesVersion >= 9) this.flagBids(orders.company(bid));
  }

  /** Whether asks stand in the book that could serve a bid, and all of them are barred for the credit it would use. */
  isConcentrated(company: CompanyId, payers: readonly Payer[], model: number, book: HourBook): boolean {
    const { state } = this;
    const { orders, supply, standing } = state;
    let barred = false;
    let free = false;
    book.asks.forEach(orders, (ask) => {
      if (standing.group(orders.company(ask)) === standing.group(company) || (model >= 0 && !supply.serves(orders.cell(ask), model))) return true;
      const group = providerGroup(state, ask);
      if (payers.some(({ facility }) => isBarred(state, facility.facility, group))) barred = true;
      else free = true;
      return !free;
    });
    return barred && !free;
  }

  /** Whether the bid's credit may go to the ask's provider; of a bid that holds none yet, the credit that it would hold. */
  mayBuyFrom(bid: number, ask: number): boolean {
    const { state, assumed } = this;
    if (state.rulesVersion >= 9) return this.mostFrom(bid, ask, 1) > 0;
    return assumed === undefined ? mayBuyFrom(state, bid, ask) : !assumed.some((facility) => isBarred(state, facility, providerGroup(state, ask)));
  }

  /** The group whose capacity an ask offers. */
  providerGroupOf(ask: number): number {
    return providerGroup(this.state, ask);
  }

  mayBuyFromProvider(bid: number, provider: CompanyId): boolean {
    return mayGoTo(this.state, bid, this.state.standing.group(provider));
  }

  // What a provider group may still have, from rules version 9 on.

  beginMeeting(): void {
    this.totals.clear();
    this.allowance.begin();
  }

  mostFrom(bid: number, ask: number, price: Ticks): Steps {
    return this.allowance.most(bid, providerGroup(this.state, ask), price);
  }
  took(bid: number, ask: number, notional: Micro): void {
    this.allowance.took(bid, providerGroup(this.state, ask), notional);
  }
  /** The same for an ask that stands in no book. */
  mostFromGroup(bid: number, group: number, price: Ticks): Steps {
    return this.allowance.most(bid, group, price);
  }
  tookFromGroup(bid: number, group: number, notional: Micro): void {
    this.allowance.took(bid, group, notional);
  }

  /** What was bought elsewhere in the meeting may let a group sell more than it could at its beginning. */
  endMeeting(): void {
    if (this.state.rulesVersion < 9) return;
    for (const facility of this.allowance.exhausted()) this.loosen(this.state.facilities[facility].company);
  }

  /** A bid holds less than before: what is left may be credit that may go where the rest could not. */
  eased(bid: number): void {
    const { orders, rulesVersion } = this.state;
    if (rulesVersion < 9 || (orders.flags(bid) & FLAG.limited) === 0) return;
    const company = orders.company(bid);
    if (this.accepted(company).some(({ facility }) => this.hasBarred(facility))) this.loosen(company);
  }

  private loosen(company: CompanyId): void {
    if (!this.loosened.includes(company)) this.loosened.push(company);
    this.state.unsettled = true;
  }

  roomFor(id: FacilityId, group: number): Room {
    const { facilities, spending } = this.state;
    const facility = facilities[id];
    const spent = spending.get(id);
    const total = this.totals.get(id) ?? spent?.total ?? 0;
    this.totals.set(id, total);
    const usd = roomOf(facility, total, spent?.groups.find((entry) => entry.group === group)?.amount ?? 0);
    return {
      left: mulDiv(Math.max(0, usd), facility.conversionRate, MICRO), least: mulDiv(PARAMETERS.concentrationLeast, facility.conversionRate, MICRO), isTaken: false,
    };
  }

  /** Those whose credit a bid holds; of one that holds none yet, whose it would. */
  facilitiesOf(bid: number): Iterable<FacilityId> {
    if (this.assumed !== undefined) return this.assumed;
    const { orders, amounts, lots } = this.state;
    const found = new Set<FacilityId>();
    for (let node = orders.holdList(bid); node !== NIL; node = amounts.next(node)) {
      const { facility } = lots.rows[amounts.lot(node)];
      if (facility !== NIL) found.add(facility);
    }
    return found;
  }

  /** What is asked for a bid that holds nothing yet, as if these paid for it. */
  lookAs<Found>(facilities: readonly FacilityId[], look: () => Found): Found {
    this.assumed = [...new Set(facilities)];
    const found = look();
    this.assumed = undefined;
    return found;
  }
}

/** What of its commitment may go to one provider group however little is spent. */
const floorOf = ({ amount }: Facility): Micro => mulDiv(amount, PARAMETERS.concentrationFloor, MICRO);

/** What a provider group that had so much of so much spent may still have; what it gets is spent too. */
function roomOf(facility: Facility, total: Micro, had: Micro): Micro {
  const others = MICRO - PARAMETERS.concentrationShare;
  return Math.max(mulDiv(total, PARAMETERS.concentrationShare, others) - mulDiv(had, MICRO, others), floorOf(facility) - had);
}
