/**
 * What financed credit may not do: buy while its facility is not active or long past due, buy what is delivered after its maturity, go too much
 * to one provider group (`concentration.ts`), or leave the lender too exposed (`exposure.ts`). Companies without a facility pay nothing for it.
 */
import type { RejectCode } from '../catalogue.ts';
import type { CompanyId } from '../vocabulary.ts';
import { Concentration } from './concentration.ts';
import { daysPastDue } from './debt.ts';
import { collateralValue, isExposedBy } from './exposure.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { Matcher } from '../book/matching.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { FLAG } from '../book/orders.ts';
import { PARAMETERS } from '../parameters.ts';
import { NOBODY_DRAWS, maturesBefore, payersOf } from './payers.ts';
import type { Payer } from './payers.ts';
import { FINANCED } from '../trading/standing.ts';
import { isTagged } from './facility.ts';
import type { Facility } from './facility.ts';
import type { State } from '../state.ts';
import type { HourBook } from '../trading/markets.ts';
import type { Hour, Micro, Ticks } from '../numbers/units.ts';

/** Facilities in these states lend no more; their credit buys nothing new. */
const INACTIVE: ReadonlySet<Facility['state']> = new Set(['cancel_only', 'defaulted', 'written_off']);

export class CreditLimits {
  demand = NOBODY_DRAWS;
  readonly concentration: Concentration;
  private readonly state: State;
  private readonly matcher: Matcher;
  /** Accepted facilities by company; undefined for companies without. */
  private readonly owned: (Facility[] | undefined)[] = [];

  constructor(state: State, matcher: Matcher) {
    this.state = state;
    this.matcher = matcher;
    this.concentration = new Concentration(state, (company) => this.of(company));
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

  private payers(company: CompanyId, hold: Micro, hour: Hour): Payer[] {
    return payersOf(this.state, this.demand, company, hold, hour);
  }

  /** Whether credit that matures before the hour would pay for it. */
  maturityRefusal(company: CompanyId, hold: Micro, hour: Hour): RejectCode | undefined {
    if (!this.of(company).some((facility) => maturesBefore(facility, hour))) return undefined;
    return this.payers(company, hold, hour).some(({ facility }) => maturesBefore(facility, hour)) ? 'facility_not_active' : undefined;
  }

  /** Why a bid of a financed company may not spend so much there. */
  bidRefusal(company: CompanyId, hold: Micro, price: Ticks, model: number, market: number, hour: Hour, book: HourBook | undefined): RejectCode | undefined {
    const payers = this.payers(company, hold, hour);
    if (book !== undefined && this.concentration.isLimited(company) && this.concentration.isConcentrated(company, payers, model, book)) return 'concentration';
    for (const payer of payers) {
      if (maturesBefore(payer.facility, hour)) return 'facility_not_active';
      if (isExposedBy(this.state, payer, (cost) => collateralValue(this.state, cost, price, market, hour, book))) return 'exposure';
    }
    return undefined;
  }

  /** The same of a block: no hour of it may have barred asks alone, and what of its cost falls to an hour is worth there what that hour is. */
  blockRefusal(company: CompanyId, hold: Micro, price: Ticks, model: number, market: number, fromHour: Hour, lastHour: Hour): RejectCode | undefined {
    const { state } = this;
    const rows = state.markets.get(market)?.books;
    const books = Array.from({ length: lastHour - fromHour + 1 }, (_, index) => rows?.get(fromHour + index)).map((row) => (row === undefined ? undefined : state.bookOf(row)));
    const payers = this.payers(company, hold, lastHour);
    if (this.concentration.isLimited(company) && books.some((book) => book !== undefined && this.concentration.isConcentrated(company, payers, model, book))) return 'concentration';
    const hours = books.length;
    const shareOf = (cost: Micro, index: number): Micro => mulDiv(cost, index + 1, hours) - mulDiv(cost, index, hours);
    const worth = (cost: Micro): Micro => books.reduce((sum, book, index) => sum + collateralValue(state, shareOf(cost, index), price, market, fromHour + index, book), 0);
    return payers.some((payer) => isExposedBy(state, payer, worth)) ? 'exposure' : undefined;
  }

  /** What is asked of a book for a bid that holds nothing yet. Rules before version 9 did not ask whom it may buy from. */
  lookAsPaidBy<Found>(bid: number, hold: Micro, hour: Hour, look: () => Found): Found {
    const { orders, rulesVersion } = this.state;
    const company = orders.company(bid);
    if (rulesVersion < 9 || orders.isSell(bid) || !this.concentration.isLimited(company, hold)) return look();
    orders.setFlags(bid, orders.flags(bid) | FLAG.limited);
    return this.concentration.lookAs(this.payers(company, hold, hour).map(({ facility }) => facility.facility), look);
  }

  /**
   * What must be there for a bid that cannot wait, whose company's credit may not buy from everybody. What is drawn for it decides whom it may
   * buy from, and so what it executes. `look`: what that needs, 0 when it is nothing.
   */
  neededOf(company: CompanyId, hold: Micro, spendable: Micro, hour: Hour, look: () => Micro): Micro {
    const { lots } = this.state;
    const own = lots.usable[company].filter((id) => lots.spendable(id) > 0).map((id) => lots.rows[id].facility).filter((facility) => facility !== NIL);
    const undrawn = this.concentration.lookAs(own, look);
    if (undrawn <= spendable) return undrawn;
    let needed = hold;
    for (const _ of this.of(company)) {
      const facility = this.demand.demanded(company, needed - spendable, hour)?.facility.facility;
      if (facility === undefined) return hold;
      needed = this.concentration.lookAs([...own, facility], look);
      // Only a draw keeps it from buying more than is there: the least does.
      if (needed <= spendable) return this.demand.demanded(company, 1, hour)?.facility.facility === facility ? spendable + 1 : hold;
      if (this.demand.demanded(company, needed - spendable, hour)?.facility.facility === facility) return needed;
    }
    return hold;
  }
}
