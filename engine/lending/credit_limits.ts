/**
 * What financed credit may not do: buy while its facility is not active or long past due, go too much
 * to one provider group (CREDIT.md section 4), or leave the lender too exposed (section 6).
 * Companies without a facility pay nothing for it.
 */
import { Allowance } from './allowance.ts';
import type { Room } from './allowance.ts';
import type { RejectCode } from '../catalogue.ts';
import { classOf } from '../vocabulary.ts';
import type { CompanyId, FacilityId } from '../vocabulary.ts';
import { daysPastDue, livesBy, totalDebt } from './debt.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { Matcher } from '../book/matching.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { FLAG } from '../book/orders.ts';
import { PARAMETERS } from '../parameters.ts';
import { FINANCED } from '../trading/standing.ts';
import { isTagged } from './facility.ts';
import type { Facility, Spending } from './facility.ts';
import type { State } from '../state.ts';
import type { HourBook } from '../trading/markets.ts';
import { MICRO, MILLIS_PER_HOUR } from '../numbers/units.ts';
import type { Day, Hour, Micro, Ppm, Steps, Ticks } from '../numbers/units.ts';

const nothingSpent = (): Spending => ({ total: 0, groups: [], days: [] });

/** USD that a facility would give to a bid which is short. */
export interface Demand {
  facility: Facility;
  amount: Micro;
}
/** Who draws what a bid is short of, for hours up to `hour`. */
export interface DrawOnDemand {
  demanded(company: CompanyId, credits: Micro, hour: Hour): Demand | undefined;
  demand(company: CompanyId, credits: Micro, hour: Hour): void;
}
const NOBODY_DRAWS: DrawOnDemand = { demanded: () => undefined, demand: () => undefined };

/** A facility whose credit a hold would take: how much of its money, and the fee of what would be drawn for it. */
interface Payer {
  facility: Facility;
  cost: Micro;
  fee: Micro;
}

/** No hour may begin after its facility's maturity; of facilities offered under the first loan rules it may. */
export const maturesBefore = (facility: Facility, hour: Hour): boolean => livesBy(facility, 2) && hour * MILLIS_PER_HOUR > facility.maturesAt;

/** Facilities in these states lend no more; their credit buys nothing new. */
const INACTIVE: ReadonlySet<Facility['state']> = new Set(['cancel_only', 'defaulted', 'written_off']);

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

export class CreditLimits {
  demand = NOBODY_DRAWS;
  /** Companies whose bids may trade with more asks than before. */
  readonly loosened: CompanyId[] = [];
  private readonly state: State;
  private readonly matcher: Matcher;
  /** Accepted facilities by company; undefined for companies without. */
  private readonly owned: (Facility[] | undefined)[] = [];
  /** Facilities whose credit a bid would be paid with, while it is looked at that holds none yet. */
  private assumed: readonly FacilityId[] | undefined;
  /** What facilities had spent in all when the meeting began. */
  private readonly totals = new Map<FacilityId, Micro>();
  private readonly allowance = new Allowance(this);

  constructor(state: State, matcher: Matcher) {
    this.state = state;
    this.matcher = matcher;
    for (const facility of state.facilities) if (facility.acceptedAt > 0) this.opened(facility);
  }

  /** A facility that the company has accepted. */
  opened(facility: Facility): void {
    this.matcher.anyLimited = true;
    const own = this.owned[facility.company] ?? [];
    if (!own.includes(facility)) own.push(facility);
    this.owned[facility.company] = own;
    this.state.standing.setFinanced(facility.company);
  }

  /** Facilities that the company has accepted, the oldest first. */
  of(company: CompanyId): readonly Facility[] {
    return this.owned[company] ?? [];
  }

  isFinanced(company: CompanyId): boolean {
    return (this.state.standing.sides(company) & FINANCED) !== 0;
  }

  /** A facility's state or debt has changed: whether its credit may buy. */
  refresh(facility: Facility): void {
    const { lots, bars } = this.state;
    if (facility.acceptedAt === 0) return;
    const late = daysPastDue(this.state, facility) >= PARAMETERS.pastDueCancelOnly;
    // Cancel-only for no other reason than late payment says so.
    const ended = facility.state === 'defaulted' || facility.state === 'written_off';
    const bar = late && !ended ? 'past_due' : INACTIVE.has(facility.state) ? 'facility_not_active' : undefined;
    if (bars.get(facility.facility) === bar) return;
    if (bar === undefined) bars.delete(facility.facility);
    else bars.set(facility.facility, bar);
    for (const lot of lots.of(facility.facility)) {
      if (bar === undefined || !isTagged(facility, lot.lot)) lots.makeUsable(lot);
      else lots.makeUnusable(lot);
    }
  }

  /** Why credit that the company has cannot be used; asked when what it can use is short. */
  barOf(company: CompanyId): RejectCode | undefined {
    const { bars, lots, facilities } = this.state;
    let found: RejectCode | undefined;
    for (const [id, bar] of bars) {
      if (facilities[id].company !== company || found === 'facility_not_active') continue;
      if (lots.of(id).some(({ lot }) => lots.available(lot) > 0)) found = bar;
    }
    return found;
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

  // Concentration.

  /** A fill has spent financed credit. */
  count(allocation: number): void {
    const { allocations, amounts, lots, standing, facilities } = this.state;
    const group = standing.group(allocations.provider[allocation]);
    for (let node = allocations.funding[allocation]; node !== NIL; node = amounts.next(node)) {
      const lot = lots.rows[amounts.lot(node)];
      if (lot.facility === NIL) continue;
      this.spend(facilities[lot.facility], group, lots.cost(lot, amounts.amount(node)));
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
    const own = this.owned[company];
    if (own === undefined) return false;
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
  private isConcentrated(company: CompanyId, payers: readonly Payer[], model: number, book: HourBook): boolean {
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
    if (this.of(company).some(({ facility }) => this.hasBarred(facility))) this.loosen(company);
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

  private lookAs<Found>(facilities: readonly FacilityId[], look: () => Found): Found {
    this.assumed = [...new Set(facilities)];
    const found = look();
    this.assumed = undefined;
    return found;
  }

  /** What is asked of a book for a bid that holds nothing yet. Rules before version 9 did not ask whom it may buy from. */
  lookAsPaidBy<Found>(bid: number, hold: Micro, hour: Hour, look: () => Found): Found {
    const { orders, rulesVersion } = this.state;
    const company = orders.company(bid);
    if (rulesVersion < 9 || orders.isSell(bid) || !this.isLimited(company, hold)) return look();
    orders.setFlags(bid, orders.flags(bid) | FLAG.limited);
    return this.lookAs(this.payers(company, hold, hour).map(({ facility }) => facility.facility), look);
  }

  /**
   * What must be there for a bid that cannot wait, whose company's credit may not buy from everybody. What is drawn for it decides whom it may
   * buy from, and so what it executes. `look`: what that needs, 0 when it is nothing.
   */
  neededOf(company: CompanyId, hold: Micro, spendable: Micro, hour: Hour, look: () => Micro): Micro {
    const { lots } = this.state;
    const own = lots.usable[company].filter((id) => lots.spendable(id) > 0).map((id) => lots.rows[id].facility).filter((facility) => facility !== NIL);
    const undrawn = this.lookAs(own, look);
    if (undrawn <= spendable) return undrawn;
    let needed = hold;
    for (const _ of this.of(company)) {
      const facility = this.demand.demanded(company, needed - spendable, hour)?.facility.facility;
      if (facility === undefined) return hold;
      needed = this.lookAs([...own, facility], look);
      // Only a draw keeps it from buying more than is there: the least does.
      if (needed <= spendable) return this.demand.demanded(company, 1, hour)?.facility.facility === facility ? spendable + 1 : hold;
      if (this.demand.demanded(company, needed - spendable, hour)?.facility.facility === facility) return needed;
    }
    return hold;
  }

  // Exposure.

  /** Whose credit a hold would take; until `hour`, what would be drawn for it included. */
  private payers(company: CompanyId, hold: Micro, hour: Hour): Payer[] {
    const { lots, facilities } = this.state;
    const found: Payer[] = [];
    let left = hold;
    for (const id of lots.usable[company]) {
      const part = Math.min(left, lots.spendable(id));
      const lot = lots.rows[id];
      left -= part;
      if (part === 0 || lot.facility === NIL) continue;
      const payer = payerOf(found, facilities[lot.facility]);
      payer.cost += lots.cost(lot, part);
    }
    // Rules before version 4 did not ask what a draw on demand would be spent on.
    const drawn = left > 0 && this.state.rulesVersion >= 4 ? this.demand.demanded(company, left, hour) : undefined;
    if (drawn === undefined) return found;
    const payer = payerOf(found, drawn.facility);
    payer.cost += mulDiv(left, MICRO, drawn.facility.conversionRate);
    payer.fee += mulDiv(drawn.amount, drawn.facility.originationFee, MICRO);
    return found;
  }

  /** Whether credit that matures before the hour would pay for it. */
  maturityRefusal(company: CompanyId, hold: Micro, hour: Hour): RejectCode | undefined {
    if (!this.of(company).some((facility) => maturesBefore(facility, hour))) return undefined;
    return this.payers(company, hold, hour).some(({ facility }) => maturesBefore(facility, hour)) ? 'facility_not_active' : undefined;
  }

  /** Why a bid of a financed company may not spend so much there. */
  bidRefusal(company: CompanyId, hold: Micro, price: Ticks, model: number, market: number, hour: Hour, book: HourBook | undefined): RejectCode | undefined {
    const payers = this.payers(company, hold, hour);
    if (book !== undefined && this.isLimited(company) && this.isConcentrated(company, payers, model, book)) return 'concentration';
    for (const payer of payers) {
      if (maturesBefore(payer.facility, hour)) return 'facility_not_active';
      if (this.isExposed(payer, (cost) => this.collateral(cost, price, market, hour, book))) return 'exposure';
    }
    return undefined;
  }

  /** The same of a block: no hour of it may have barred asks alone, and what of its cost falls to an hour is worth there what that hour is. */
  blockRefusal(company: CompanyId, hold: Micro, price: Ticks, model: number, market: number, fromHour: Hour, lastHour: Hour): RejectCode | undefined {
    const { state } = this;
    const rows = state.markets.get(market)?.books;
    const books = Array.from({ length: lastHour - fromHour + 1 }, (_, index) => rows?.get(fromHour + index)).map((row) => (row === undefined ? undefined : state.bookOf(row)));
    const payers = this.payers(company, hold, lastHour);
    if (this.isLimited(company) && books.some((book) => book !== undefined && this.isConcentrated(company, payers, model, book))) return 'concentration';
    const hours = books.length;
    const shareOf = (cost: Micro, index: number): Micro => mulDiv(cost, index + 1, hours) - mulDiv(cost, index, hours);
    const worth = (cost: Micro): Micro => books.reduce((sum, book, index) => sum + this.collateral(shareOf(cost, index), price, market, fromHour + index, book), 0);
    return payers.some((payer) => this.isExposed(payer, worth)) ? 'exposure' : undefined;
  }

  /** Whether the spending would leave the lender exposed beyond the limit. */
  private isExposed({ facility, cost, fee }: Payer, worth: (cost: Micro) => Micro): boolean {
    const limit = this.exposureLimit(facility);
    // Most bids are within the limit even if nothing that was bought counted.
    return this.unspent(facility) + fee + cost > limit && this.exposure(facility) + fee + cost - worth(cost) > limit;
  }

  /** Debt less what the facility's unspent credit cost. */
  private unspent(facility: Facility): Micro {
    const { lots } = this.state;
    let sum = totalDebt(this.state, facility);
    for (const lot of lots.of(facility.facility)) if (isTagged(facility, lot.lot)) sum -= lots.cost(lot, lots.available(lot.lot) + lots.held(lot.lot));
    return sum;
  }

  /** Net unsecured exposure: debt less unspent credit at cost, less what was bought with it at the lower of price and mark, after a haircut. */
  exposure(facility: Facility): Micro {
    const { allocations, amounts, lots, standing } = this.state;
    let sum = this.unspent(facility);
    for (let row = standing.firstAllocation(facility.company); row !== NIL; row = allocations.companyNext[row]) {
      const book = this.state.bookOf(allocations.book[row]);
      for (let node = allocations.funding[row]; node !== NIL; node = amounts.next(node)) {
        const lot = lots.rows[amounts.lot(node)];
        if (lot.facility === facility.facility && isTagged(facility, lot.lot)) sum -= this.collateral(lots.cost(lot, amounts.amount(node)), allocations.price[row], book.market, book.hour, book);
      }
    }
    return sum;
  }

  exposureLimit({ amount, grade }: Facility): Micro {
    return mulDiv(amount, PARAMETERS.exposureShare[grade], MICRO);
  }

  /** The highest of the steps that unsecured exposure has reached: a warning, the limit, well beyond it; 0 when none. */
  exposureStep(facility: Facility): Ppm {
    const limit = this.exposureLimit(facility);
    const steps = [PARAMETERS.exposureForced, PARAMETERS.exposureCalled, PARAMETERS.exposureWarned];
    const reached = (sum: Micro): Ppm => steps.find((step) => sum >= mulDiv(limit, step, MICRO)) ?? 0;
    return reached(this.unspent(facility)) === 0 ? 0 : reached(this.exposure(facility));
  }

  /** What hours that cost so much are worth to a lender. */
  private collateral(cost: Micro, price: Ticks, market: number, hour: Hour, book: HourBook | undefined): Micro {
    const { now } = this.state;
    const ahead = hour * MILLIS_PER_HOUR - now;
    if (ahead <= -MILLIS_PER_HOUR) return 0;
    const haircut = ahead < PARAMETERS.haircutNearWithin ? PARAMETERS.haircutNear : PARAMETERS.haircutFar;
    return mulDiv(mulDiv(cost, Math.min(price, this.collateralMark(market, hour, book)), price), MICRO - haircut, MICRO);
  }

  /** The hour's own trades, else the index of its class, else half of list price; never above list price, at which one can always buy. */
  mark(market: number, hour: Hour): Ticks {
    const { classes, marks } = this.state;
    const { listPrice } = classes[classOf(market)];
    const told = marks.size === 0 ? undefined : (marks.get(`${market}:${hour}`) ?? marks.get(String(classOf(market))));
    return Math.min(listPrice, told ?? Math.floor(listPrice / 2));
  }

  /** The lower of mark and best bid. */
  private collateralMark(market: number, hour: Hour, book: HourBook | undefined): Ticks {
    const mark = this.mark(market, hour);
    return book === undefined || book.bids.isEmpty ? mark : Math.min(mark, book.bids.best());
  }
}

/** What of its commitment may go to one provider group however little is spent. */
const floorOf = ({ amount }: Facility): Micro => mulDiv(amount, PARAMETERS.concentrationFloor, MICRO);

/** What a provider group that had so much of so much spent may still have; what it gets is spent too. */
function roomOf(facility: Facility, total: Micro, had: Micro): Micro {
  const others = MICRO - PARAMETERS.concentrationShare;
  return Math.max(mulDiv(total, PARAMETERS.concentrationShare, others) - mulDiv(had, MICRO, others), floorOf(facility) - had);
}

/** The facility's entry among those that pay. */
function payerOf(payers: Payer[], facility: Facility): Payer {
  const known = payers.find((payer) => payer.facility.facility === facility.facility);
  if (known !== undefined) return known;
  const payer: Payer = { facility, cost: 0, fee: 0 };
  payers.push(payer);
  return payer;
}
