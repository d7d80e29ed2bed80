/** USD taken from a facility, which mint a lot: by command, or by a bid that is short of credit. */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { RejectCode } from '../catalogue.ts';
import { NONE } from '../vocabulary.ts';
import type { Draw } from '../commands.ts';
import type { CompanyId } from '../vocabulary.ts';
import type { CreditLimits } from './credit_limits.ts';
import { daysPastDue } from './debt.ts';
import { isRunning, ownFacility } from './facility.ts';
import type { Facility } from './facility.ts';
import type { FacilityReview } from './facility_review.ts';
import type { Loans } from './loans.ts';
import { validAmount } from './mandates.ts';
import { createLot, postMint } from './minting.ts';
import { maturesBefore } from './payers.ts';
import type { Demand, DrawOnDemand } from './payers.ts';
import { mulDiv, mulDivCeil } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import type { State } from '../state.ts';
import { MICRO, MICRO_PER_CENT } from '../numbers/units.ts';
import type { Day, Hour, Micro } from '../numbers/units.ts';

/** What of its limit a facility still lends. */
export const undrawn = ({ ledger }: State, { facility }: Facility): Micro => -ledger.balance(ACCOUNT['limit.undrawn'], facility);

export class Draws implements DrawOnDemand {
  private readonly state: State;
  private readonly limits: CreditLimits;
  private readonly loans: Loans;
  private readonly review: FacilityReview;
  private readonly endDay: (facility: Facility, day: Day) => void;

  constructor(state: State, limits: CreditLimits, loans: Loans, review: FacilityReview, endDay: (facility: Facility, day: Day) => void) {
    this.state = state;
    this.limits = limits;
    this.loans = loans;
    this.review = review;
    this.endDay = endDay;
  }

  /** Takes USD from the facility and mints a lot, in one step. The origination fee is added to the debt. */
  draw(command: Draw): RejectCode | undefined {
    const facility = ownFacility(this.state, command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (isRunning(facility)) this.endDay(facility, this.state.day);
    const refusal = this.drawRefusal(facility, command.amount);
    if (refusal === undefined) this.drawNow(facility, command.amount);
    return refusal;
  }

  private drawNow(facility: Facility, amount: Micro): void {
    const { state } = this;
    const fee = mulDiv(amount, facility.originationFee, MICRO);
    const lot = createLot(state, {
      company: facility.company, facility: facility.facility, source: 'facility', usd: amount, conversionRate: facility.conversionRate, expiresAt: facility.maturesAt,
      sponsor: NONE, fee,
    });
    const firstLoss = mulDiv(amount, PARAMETERS.firstLoss, MICRO);
    const { ledger } = state;
    ledger.begin();
    ledger.post(ACCOUNT['loan.principal'], facility.facility, amount + fee);
    ledger.post(ACCOUNT['orig_fee.deferred'], facility.facility, -fee);
    ledger.post(ACCOUNT['cash.fund'], facility.company, -amount);
    postMint(state, lot);
    ledger.post(ACCOUNT['limit.undrawn'], facility.facility, amount);
    ledger.post(ACCOUNT['limit.drawn'], facility.facility, -amount);
    ledger.post(ACCOUNT['cash.fund'], facility.company, firstLoss);
    ledger.post(ACCOUNT['cash.ops'], facility.company, -firstLoss);
    ledger.end();
    facility.lent += amount + fee;
    state.buffer.emit('facilityDrawn', { facility: facility.facility, lot: lot.lot, amount, fee });
    this.loans.reschedule(facility, false);
    if (this.state.bars.has(facility.facility)) this.state.lots.makeUnusable(lot);
    this.review.provisionAgain(facility);
  }

  private drawRefusal(facility: Facility, amount: Micro): RejectCode | undefined {
    const { switches, now } = this.state;
    if (facility.state === 'frozen' || facility.frozenFraction > 0) return 'facility_frozen';
    if (facility.state !== 'active' && facility.state !== 'watch') return 'facility_not_active';
    if (switches.mint.on) return 'mints_stopped';
    if (switches.draw.on) return 'draws_stopped';
    if (!validAmount(amount)) return 'amount_out_of_range';
    if (facility.maturesAt <= now) return 'facility_not_active';
    if (amount > undrawn(this.state, facility)) return 'limit_exceeded';
    if (amount > mulDiv(facility.amount, PARAMETERS.drawShareMaximum, MICRO)) return 'limit_exceeded';
    return daysPastDue(this.state, facility) > 0 ? 'past_due' : undefined;
  }

  /** What a draw on demand would take so that `credits` more can be held until `hour`; undefined when no facility gives it. */
  demanded(company: CompanyId, credits: Micro, hour: Hour): Demand | undefined {
    for (const facility of this.limits.of(company)) {
      if (!facility.drawOnDemand || (this.state.rulesVersion >= 4 && maturesBefore(facility, hour))) continue;
      const cents = Math.ceil(mulDivCeil(credits, MICRO, facility.conversionRate) / MICRO_PER_CENT);
      const amount = Math.max(PARAMETERS.drawOnDemandMinimum, cents * MICRO_PER_CENT);
      if (this.drawRefusal(facility, amount) === undefined) return { facility, amount };
    }
    return undefined;
  }

  demand(company: CompanyId, credits: Micro, hour: Hour): void {
    const found = this.demanded(company, credits, hour);
    if (found === undefined) return;
    this.endDay(found.facility, this.state.day);
    this.drawNow(found.facility, found.amount);
  }
}
