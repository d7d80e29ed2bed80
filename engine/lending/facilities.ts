/** A borrower's credit lines once they are accepted: how each of their days ends, repayment, and the lender's freeze. */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { RejectCode } from '../catalogue.ts';
import { Collateral } from './collateral.ts';
import { NONE } from '../vocabulary.ts';
import type { Freeze, Repay, ReportFinancials, SetFacilityOption, Unfreeze } from '../commands.ts';
import type { CompanyId, FacilityId } from '../vocabulary.ts';
import type { CreditLimits } from './credit_limits.ts';
import { Draws, undrawn } from './draws.ts';
import { bookDeposit } from './finance.ts';
import { FacilityReview } from './facility_review.ts';
import { Fund } from './fund.ts';
import { livesBy, totalDebt } from './debt.ts';
import { Loans } from './loans.ts';
import { Mandates, validAmount } from './mandates.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { Offers } from './offers.ts';
import { Returns } from './returns.ts';
import { PARAMETERS } from '../parameters.ts';
import { isRunning, lenderFreezesOf, ownFacility } from './facility.ts';
import type { Facility } from './facility.ts';
import type { State } from '../state.ts';
import type { Sweeps } from '../time/sweeps.ts';
import type { Trading } from '../trading/trading.ts';
import { MICRO } from '../numbers/units.ts';
import type { Day, Micro } from '../numbers/units.ts';

const PRINCIPAL = ACCOUNT['loan.principal'];

export class Facilities {
  readonly loans: Loans;
  readonly collateral: Collateral;
  readonly review: FacilityReview;
  readonly fund: Fund;
  readonly mandates: Mandates;
  readonly offers: Offers;
  readonly draws: Draws;
  readonly returns: Returns;
  private readonly state: State;
  private readonly limits: CreditLimits;

  constructor(state: State, sweeps: Sweeps, trading: Trading) {
    this.state = state;
    this.limits = trading.limits;
    this.fund = new Fund(state);
    this.mandates = new Mandates(state, this.fund);
    this.loans = new Loans(state, this.fund);
    this.collateral = new Collateral(state, sweeps, trading, (lot, credits) => this.returns.burn(lot, credits));
    this.review = new FacilityReview(state, this.loans, this.collateral, this.limits, (facility) => this.stateChanged(facility));
    this.offers = new Offers(state, this.mandates, this.review, this.loans, this.limits);
    this.draws = new Draws(state, this.limits, this.loans, this.review, (facility, day) => this.endDay(facility, day));
    this.returns = new Returns(state, this.limits, this.loans, this);
    trading.onDemand = this.draws;
  }

  private stateChanged(facility: Facility): void {
    this.setLimits(facility.company);
    this.limits.refresh(facility);
  }

  /** Open orders by the best grade, day purchases by the sum of commitments at their conversion. */
  private setLimits(company: CompanyId): void {
    const { state } = this;
    const open = this.limits.of(company).filter(isRunning);
    if (open.length === 0) return;
    state.standing.setOrderLimit(company, Math.max(...open.map(({ grade }) => PARAMETERS.openOrders[grade])));
    const credits = open.reduce((sum, { amount, conversionRate: rate }) => sum + mulDiv(amount, rate, MICRO), 0);
    state.standing.setDayLimit(company, mulDiv(credits, PARAMETERS.dayPurchaseShare, MICRO));
  }

  setOption(command: SetFacilityOption): RejectCode | undefined {
    const facility = ownFacility(this.state, command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (facility.state !== 'offered' && !isRunning(facility)) return 'invalid_state';
    facility.drawOnDemand = command.drawOnDemand;
    this.state.buffer.emit('facilityOptionSet', { facility: facility.facility, drawOnDemand: command.drawOnDemand });
    return undefined;
  }

  reportFinancials(command: ReportFinancials): RejectCode | undefined {
    const facility = ownFacility(this.state, command.company, command.facility) ?? this.controlled(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (!isRunning(facility)) return 'invalid_state';
    const { cash, monthlyBurn, monthlyRevenue = 0 } = command;
    const valid = [cash, monthlyBurn, monthlyRevenue].every((amount) => Number.isSafeInteger(amount) && amount >= 0);
    if (!valid) return 'amount_out_of_range';
    this.endDay(facility, this.state.day);
    if (command.monthlyRevenue !== undefined) this.loans.setRevenue(facility, command.monthlyRevenue);
    this.review.report(facility, command);
    return undefined;
  }

  // Days.

  /** A facility's day ends: interest of the days before `day`, what falls due, what becomes of it. Does nothing the second time. @returns whether an instalment fell due */
  endDay(facility: Facility, day: Day): boolean {
    if (!isRunning(facility) || facility.accruedTo >= day) return false;
    this.loans.interest.accrue(facility, day);
    this.loans.fees.earn(facility, day);
    const billed = this.loans.beginDay(facility, day);
    // Use is tested by the thirty days that have ended, before the oldest is left out; rules before version 9 never saw the day of a test itself.
    const { rulesVersion } = this.state;
    if (rulesVersion >= 9) this.review.testDue(facility, day);
    this.limits.concentration.dayBegan(facility, day);
    if (rulesVersion < 9) this.review.testDue(facility, day);
    // What a resale or a refund has brought back since the default is not spent either.
    if (facility.state === 'defaulted' && rulesVersion >= 5) this.collateral.burnUnspent(facility);
    this.review.review(facility);
    if (billed) this.review.provisionAgain(facility);
    this.closeIfSettled(facility);
    return billed;
  }

  /** Lets up to `count` facilities end their day; an instalment that falls due is the work of several. @returns whether all have */
  endDays(count: number): boolean {
    const { dayEnd, facilities } = this.state;
    for (let left = count; left > 0 && dayEnd.next < facilities.length; left--) {
      const facility = facilities[dayEnd.next++];
      if (this.endDay(facility, dayEnd.day) && livesBy(facility, 2)) left -= PARAMETERS.dayEndDueWeight - 1;
    }
    return dayEnd.next === facilities.length;
  }

  // Money back.

  /** Paid from the company's `unapplied` money; what the loan does not need stays there. */
  repay(command: Repay): RejectCode | undefined {
    const refusal = this.repayNow(command);
    const { company, amount, bankLine } = command;
    if (refusal === undefined && bankLine !== undefined) this.state.buffer.emit('bankLineBooked', { line: bankLine, company, amount, as: 'paid' });
    return refusal;
  }

  private repayNow(command: Repay): RejectCode | undefined {
    const { ledger } = this.state;
    const facility = ownFacility(this.state, command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (!validAmount(command.amount)) return 'amount_out_of_range';
    // The day's end may take the money itself.
    if (this.state.rulesVersion >= 5) this.endDay(facility, this.state.day);
    if (!isRunning(facility) && facility.state !== 'written_off') return 'invalid_state';
    const missing = command.amount + ledger.balance(ACCOUNT.unapplied, command.company);
    if (missing > 0 && !command.bankCovers) return 'insufficient_funds';
    if (missing > 0) bookDeposit(this.state, command.company, missing, `repayment of facility ${facility.facility}`);
    if (facility.state === 'written_off') {
      this.loans.recover(facility, command.amount);
      return undefined;
    }
    this.endDay(facility, this.state.day);
    const before = this.loans.principal(facility);
    this.loans.pay(facility, command.amount, command.mode);
    this.collateral.unblockBy(facility, before, this.loans.principal(facility));
    this.afterPaid(facility);
    return undefined;
  }

  /** What a financed seller gained by a resale prepays its principal; what is more is its own. The money is a payable of the company until now. */
  prepayFrom(id: FacilityId, company: CompanyId, amount: Micro): void {
    const { ledger, buffer, facilities } = this.state;
    const facility = facilities[id];
    const principal = Math.min(amount, this.loans.principal(facility));
    ledger.begin();
    ledger.post(ACCOUNT['provider.payable'], company, amount);
    ledger.post(ACCOUNT['cash.escrow'], company, -amount);
    ledger.post(ACCOUNT['cash.fund'], company, amount);
    ledger.post(PRINCIPAL, id, -principal);
    ledger.post(ACCOUNT.unapplied, company, -(amount - principal));
    ledger.end();
    buffer.emit('repaid', { facility: id, amount, interest: 0, principal, fees: 0, unapplied: amount - principal });
    if (this.state.rulesVersion >= 5 && facility.state === 'written_off') this.loans.recover(facility, amount);
    if (principal === 0 && this.state.rulesVersion >= 5 && facility.state === 'defaulted') this.afterPaid(facility);
    if (principal === 0) return;
    facility.payments.received += principal;
    facility.payments.principal += principal;
    this.loans.principalFell(facility, principal);
    this.afterPaid(facility);
  }

  /** The debt has become less. */
  afterPaid(facility: Facility): void {
    this.loans.settleDust(facility);
    if (totalDebt(this.state, facility) === 0) this.release(facility);
    this.closeIfSettled(facility);
    this.review.review(facility);
    this.review.provisionAgain(facility);
  }

  /** What is repaid in full is nobody's collateral. */
  private release(facility: Facility): void {
    for (const who of ['lender', 'operator', 'rules'] as const) this.collateral.setFreeze(facility, who, 0, '', NONE);
    const { rulesVersion, lots } = this.state;
    if (rulesVersion < 5) return;
    facility.untaggedBelow = lots.rows.length;
    // What bars the facility does not bar credit that is paid for.
    for (const lot of lots.of(facility.facility)) lots.makeUsable(lot);
  }

  private closeIfSettled(facility: Facility): void {
    if (!isRunning(facility)) return;
    this.loans.settleDust(facility);
    const mayDraw = undrawn(this.state, facility) > 0 && this.state.now < facility.maturesAt && facility.state !== 'defaulted';
    if (!mayDraw && totalDebt(this.state, facility) === 0) this.close(facility);
  }

  private close(facility: Facility): void {
    this.collateral.withdrawForced(facility);
    if (this.state.rulesVersion >= 5) this.release(facility);
    this.loans.losses.finish(facility);
    this.mandates.release(facility.shares);
    this.review.setState(facility, 'closed', 'repaid', facility.company);
  }

  // The lender's hand.

  /** The lender, or an operator, blocks a fraction of the facility's available and held credit. */
  freeze(command: Freeze): RejectCode | undefined {
    const facility = this.controlled(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (!isRunning(facility)) return 'invalid_state';
    if (!(Number.isInteger(command.fraction) && command.fraction > 0 && command.fraction <= MICRO)) return 'invalid_parameter';
    this.endDay(facility, this.state.day);
    if (this.state.rulesVersion >= 5 && this.isPaid(facility)) return 'invalid_state';
    this.collateral.setFreeze(facility, this.handOf(command.company), command.fraction, command.reason, command.company);
    if (facility.frozenFraction === MICRO && facility.state !== 'defaulted') this.review.setState(facility, 'frozen', command.reason, command.company);
    else this.review.review(facility);
    return undefined;
  }

  /** What was drawn is repaid in full. */
  private isPaid(facility: Facility): boolean {
    return facility.lent > 0 && totalDebt(this.state, facility) === 0;
  }

  /** Lifts the actor's own freeze; operators, of whom it takes two, lift the lender's too. What the rules have frozen a cure lifts. */
  unfreeze(command: Unfreeze): RejectCode | undefined {
    const facility = this.controlled(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    const hands = this.handOf(command.company) === 'lender' ? (['lender'] as const) : (['operator', 'lender'] as const);
    if (hands.every((hand) => facility.freezes[hand] === 0)) return 'invalid_state';
    const isOthers = hands.length === 1 && !lenderFreezesOf(facility).some(({ lender }) => lender === command.company);
    if (this.state.rulesVersion >= 5 && isOthers) return 'invalid_state';
    for (const hand of hands) this.collateral.setFreeze(facility, hand, 0, 'unfrozen', command.company);
    this.review.review(facility);
    return undefined;
  }

  private handOf(company: CompanyId): 'lender' | 'operator' {
    return this.state.companies[company].role === 'operator' ? 'operator' : 'lender';
  }

  private controlled(company: CompanyId, id: number): Facility | undefined {
    const facility = this.state.facilities[id];
    if (facility === undefined) return undefined;
    const lends = facility.shares.some(({ lender }) => lender === company);
    return lends || this.state.companies[company]?.role === 'operator' ? facility : undefined;
  }
}

