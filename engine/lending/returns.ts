/** Unspent credit of a facility that goes against its debt: returned by the borrower, expired, or burnt after a default. */
import { ACCOUNT } from '../ledger/accounts.ts';
import { addMonths } from '../numbers/calendar.ts';
import type { RejectCode } from '../catalogue.ts';
import type { ReturnCredits } from '../commands.ts';
import type { CompanyId } from '../vocabulary.ts';
import { conversionRate } from '../credit/tiers.ts';
import type { CreditLimits } from './credit_limits.ts';
import { livesBy, totalDebt } from './debt.ts';
import { isRunning, ownFacility, unrecovered } from './facility.ts';
import type { Facility } from './facility.ts';
import type { Loans } from './loans.ts';
import { validAmount } from './mandates.ts';
import type { Lot } from '../ledger/lots.ts';
import { ALL_BLOCKED } from '../ledger/lots.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import type { State } from '../state.ts';
import { MICRO, MILLIS_PER_DAY } from '../numbers/units.ts';
import type { Day, Micro } from '../numbers/units.ts';

const PRINCIPAL = ACCOUNT['loan.principal'];

/** What becomes of a facility besides. */
interface ReturnsHost {
  endDay(facility: Facility, day: Day): void;
  afterPaid(facility: Facility): void;
}

export class Returns {
  private readonly state: State;
  private readonly limits: CreditLimits;
  private readonly loans: Loans;
  private readonly host: ReturnsHost;

  constructor(state: State, limits: CreditLimits, loans: Loans, host: ReturnsHost) {
    this.state = state;
    this.limits = limits;
    this.loans = loans;
    this.host = host;
  }

  /** Gives unspent credit back at cost, as prepayment of principal. */
  returnCredits(command: ReturnCredits): RejectCode | undefined {
    const { state } = this;
    const facility = ownFacility(state, command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    const lot = state.lots.rows[command.lot];
    if (lot?.company !== command.company || lot.facility !== facility.facility) return 'unknown_lot';
    if (!validAmount(command.credits)) return 'amount_out_of_range';
    // The day's end may burn credit of its own.
    this.host.endDay(facility, state.day);
    if (command.credits > state.lots.available(lot.lot)) return 'insufficient_credits';
    const deduction = this.deductionOf(facility, lot);
    const refusal = state.rulesVersion >= 5 ? this.returnRefusal(facility, lot, command.credits, deduction) : undefined;
    if (refusal !== undefined) return refusal;
    this.burn(lot, command.credits, deduction);
    this.refundFee(facility, lot, command.credits);
    this.host.afterPaid(facility);
    return undefined;
  }

  /** Credit is not paid out: what comes back is worth at most what is owed. */
  private returnRefusal(facility: Facility, lot: Lot, credits: Micro, deduction: Micro): RejectCode | undefined {
    const { lots } = this.state;
    const outstanding = lots.outstanding(lot.lot);
    const worth = lots.cost(lot, outstanding) - lots.cost(lot, outstanding - credits) - deduction;
    const owed = this.payableByCredit(facility);
    if (owed === 0) return 'invalid_state';
    return worth > owed ? 'amount_out_of_range' : undefined;
  }

  /** What credit that comes back may pay: principal, after a default all of the debt, of one that was given up what is not recovered. */
  private payableByCredit(facility: Facility): Micro {
    if (facility.state === 'written_off') return unrecovered(facility);
    return facility.state === 'defaulted' ? totalDebt(this.state, facility) : this.loans.principal(facility);
  }

  /** Whether the company has defaulted on a debt that stands, or that was given up and is not recovered. */
  owesLost(company: CompanyId): boolean {
    return this.limits.of(company).some((facility) => (facility.state === 'defaulted' || facility.state === 'written_off') && this.payableByCredit(facility) > 0);
  }

  /**
   * Who leaves before the commitment's end had a better conversion than it kept to: (1/m_reached - 1/m) x
   * CR consumed, m_reached being the tier of the months held; what earlier returns have paid counts.
   */
  private deductionOf(facility: Facility, lot: Lot): Micro {
    const { state } = this;
    if (state.now >= facility.maturesAt || state.money.conversionRate !== 0) return 0;
    const reached = conversionRate(facility.grade, monthsBetween(facility.acceptedAt, state.now));
    if (reached === 0 || reached >= lot.conversionRate) return 0;
    const consumed = lot.credits + lot.reminted - lot.returned - state.lots.outstanding(lot.lot);
    const due = mulDiv(consumed, MICRO, reached) - mulDiv(consumed, MICRO, lot.conversionRate);
    return Math.max(0, due - lot.deducted);
  }

  /** Fees come back with credit that is returned soon after its draw. */
  private refundFee(facility: Facility, lot: Lot, credits: Micro): void {
    const { ledger, now } = this.state;
    lot.returned += credits;
    if (now > lot.mintedAt + PARAMETERS.feeRefundDays * MILLIS_PER_DAY) return;
    const deferred = -ledger.balance(ACCOUNT['orig_fee.deferred'], facility.facility);
    const due = mulDiv(lot.fee, lot.returned, lot.credits) - lot.feeRefunded;
    const refund = livesBy(facility, 2) ? due : Math.min(deferred, due);
    if (refund <= 0) return;
    const principal = Math.min(refund, this.loans.principal(facility));
    lot.feeRefunded += refund;
    ledger.begin();
    this.loans.fees.unearn(facility, refund);
    ledger.post(ACCOUNT['orig_fee.deferred'], facility.facility, refund);
    ledger.post(PRINCIPAL, facility.facility, -principal);
    ledger.post(ACCOUNT.unapplied, lot.company, principal - refund);
    ledger.end();
    this.state.buffer.emit('returnSettled', { lot: lot.lot, facility: facility.facility, deduction: 0, feeRefund: refund });
    this.loans.principalFell(facility, principal);
  }

  /** Burns available credit of a financed lot against principal: CREDIT.md section 4, row "return, expiry, or default". */
  burn(lot: Lot, credits: Micro, deduction: Micro = 0): void {
    const { ledger, lots, facilities, buffer } = this.state;
    const facility = facilities[lot.facility];
    ledger.begin();
    const cost = lots.postRelease(lot, credits);
    const deducted = Math.min(deduction, cost);
    const principal = Math.min(cost - deducted, this.loans.principal(facility));
    ledger.post(ACCOUNT['lot.available'], lot.lot, credits);
    ledger.post(ACCOUNT['lot.issued'], lot.lot, -credits);
    ledger.post(ACCOUNT['cash.fund'], lot.company, cost - deducted);
    ledger.post(ACCOUNT['cash.ops'], lot.company, deducted);
    ledger.post(ACCOUNT['cash.escrow'], lot.company, -cost);
    ledger.post(ACCOUNT['income.spread'], lot.company, -deducted);
    ledger.post(PRINCIPAL, facility.facility, -principal);
    ledger.post(ACCOUNT.unapplied, lot.company, -(cost - deducted - principal));
    ledger.end();
    lot.deducted += deducted;
    // Blocked credit that is gone need not be blocked.
    if (lot.blocked !== ALL_BLOCKED) lot.blocked = Math.min(lot.blocked, lots.available(lot.lot) + lots.held(lot.lot));
    buffer.emit('creditsReturned', { lot: lot.lot, facility: facility.facility, credits, principal });
    if (deducted > 0) buffer.emit('returnSettled', { lot: lot.lot, facility: facility.facility, deduction: deducted, feeRefund: 0 });
    this.loans.principalFell(facility, principal);
    if (facility.state === 'defaulted' && this.state.rulesVersion >= 5) this.loans.sweep(facility, cost - deducted - principal);
    // After a write-off what the credit was worth is a recovery.
    if (facility.state === 'written_off' && cost > principal) this.loans.recover(facility, cost - deducted - principal);
  }

  /** A lot's date has come: what is left of it, once the day has ended, goes against the debt. Returns how much that was. */
  expire(lot: Lot): Micro {
    const facility = this.state.facilities[lot.facility];
    this.host.endDay(facility, this.state.day);
    const credits = this.state.lots.available(lot.lot);
    if (credits > 0) this.burn(lot, credits);
    if (credits > 0 && isRunning(facility)) this.host.afterPaid(facility);
    return credits;
  }
}

/** Whole months from one time to another. */
function monthsBetween(from: number, to: number): number {
  let months = 0;
  while (addMonths(from, months + 1) <= to) months++;
  return months;
}
