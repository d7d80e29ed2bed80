/** A borrower's credit lines once they are accepted: draws, days, repayment, returns, and the lender's freeze. */
import { ACCOUNT } from '../ledger/accounts.ts';
import { addMonths } from '../numbers/calendar.ts';
import type { RejectCode } from '../catalogue.ts';
import { Collateral } from './collateral.ts';
import { NONE } from '../vocabulary.ts';
import type { Draw, Freeze, Repay, ReportFinancials, ReturnCredits, SetFacilityOption, SetMarks, Unfreeze } from '../commands.ts';
import type { CompanyId, FacilityId } from '../vocabulary.ts';
import { conversionRate } from '../credit/tiers.ts';
import { maturesBefore } from './credit_limits.ts';
import type { CreditLimits, Demand } from './credit_limits.ts';
import { FacilityReview } from './facility_review.ts';
import { Fund } from './fund.ts';
import type { Finance } from './finance.ts';
import { livesBy, totalDebt } from './debt.ts';
import { Loans } from './loans.ts';
import type { Lot } from '../ledger/lots.ts';
import { ALL_BLOCKED } from '../ledger/lots.ts';
import { Mandates, validAmount } from './mandates.ts';
import { mulDiv, mulDivCeil } from '../numbers/muldiv.ts';
import { Offers } from './offers.ts';
import { PARAMETERS } from '../parameters.ts';
import { isRunning, lenderFreezesOf, unrecovered } from './facility.ts';
import type { Facility } from './facility.ts';
import type { State } from '../state.ts';
import type { Sweeps } from '../time/sweeps.ts';
import type { Trading } from '../trading/trading.ts';
import { MICRO, MICRO_PER_CENT, MILLIS_PER_DAY, PRICE_TICKS_MAX } from '../numbers/units.ts';
import type { Day, Hour, Micro } from '../numbers/units.ts';

const PRINCIPAL = ACCOUNT['loan.principal'];

export class Facilities {
  readonly loans: Loans;
  readonly collateral: Collateral;
  readonly review: FacilityReview;
  readonly fund: Fund;
  readonly mandates: Mandates;
  readonly offers: Offers;
  private readonly state: State;
  private readonly limits: CreditLimits;
  private finance!: Finance;

  constructor(state: State, sweeps: Sweeps, trading: Trading) {
    this.state = state;
    this.limits = trading.limits;
    this.fund = new Fund(state);
    this.mandates = new Mandates(state, this.fund);
    this.loans = new Loans(state, this.fund);
    this.collateral = new Collateral(state, sweeps, trading, (lot, credits) => this.burn(lot, credits));
    this.review = new FacilityReview(state, this.loans, this.collateral, this.limits, (facility) => this.stateChanged(facility));
    this.offers = new Offers(state, this.mandates, this.review, this.loans, this.limits);
    trading.onDemand = this;
  }

  /** Minting belongs to finance, burning here; each needs the other. */
  connect(finance: Finance): void {
    this.finance = finance;
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

  /** The facility when it belongs to the company. */
  private own(company: CompanyId, id: number): Facility | undefined {
    const facility = this.state.facilities[id];
    return facility?.company === company ? facility : undefined;
  }

  setOption(command: SetFacilityOption): RejectCode | undefined {
    const facility = this.own(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (facility.state !== 'offered' && !isRunning(facility)) return 'invalid_state';
    facility.drawOnDemand = command.drawOnDemand;
    this.state.buffer.emit('facilityOptionSet', { facility: facility.facility, drawOnDemand: command.drawOnDemand });
    return undefined;
  }

  reportFinancials(command: ReportFinancials): RejectCode | undefined {
    const facility = this.own(command.company, command.facility) ?? this.controlled(command.company, command.facility);
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

  /** What marks are known from now on. */
  setMarks({ classes, hours }: SetMarks): RejectCode | undefined {
    const { state } = this;
    const valid = [...classes, ...hours].every(({ price }) => Number.isSafeInteger(price) && price > 0 && price <= PRICE_TICKS_MAX)
      && classes.every(({ class: id }) => state.classes[id] !== undefined) && hours.every(({ market }) => state.findMarket(market) !== undefined);
    if (!valid) return 'invalid_parameter';
    state.marks.clear();
    for (const { class: id, price } of classes) state.marks.set(String(id), price);
    for (const { market, hour, price } of hours) state.marks.set(`${market}:${hour}`, price);
    state.buffer.emit('marksSet', { classes, hours });
    return undefined;
  }

  // Draws.

  /** Takes USD from the facility and mints a lot, in one step. The origination fee is added to the debt. */
  draw(command: Draw): RejectCode | undefined {
    const facility = this.own(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (isRunning(facility)) this.endDay(facility, this.state.day);
    const refusal = this.drawRefusal(facility, command.amount);
    if (refusal === undefined) this.drawNow(facility, command.amount);
    return refusal;
  }

  private drawNow(facility: Facility, amount: Micro): void {
    const { state } = this;
    const fee = mulDiv(amount, facility.originationFee, MICRO);
    const lot = this.finance.createLot({
      company: facility.company, facility: facility.facility, source: 'facility', usd: amount, conversionRate: facility.conversionRate, expiresAt: facility.maturesAt,
      sponsor: NONE, fee,
    });
    const firstLoss = mulDiv(amount, PARAMETERS.firstLoss, MICRO);
    const { ledger } = state;
    ledger.begin();
    ledger.post(PRINCIPAL, facility.facility, amount + fee);
    ledger.post(ACCOUNT['orig_fee.deferred'], facility.facility, -fee);
    ledger.post(ACCOUNT['cash.fund'], facility.company, -amount);
    this.finance.postMint(lot);
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
    if (amount > this.undrawn(facility)) return 'limit_exceeded';
    if (amount > mulDiv(facility.amount, PARAMETERS.drawShareMaximum, MICRO)) return 'limit_exceeded';
    return this.daysPastDue(facility) > 0 ? 'past_due' : undefined;
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

  undrawn(facility: Facility): Micro {
    return -this.state.ledger.balance(ACCOUNT['limit.undrawn'], facility.facility);
  }
  principal(facility: Facility): Micro {
    return this.loans.principal(facility);
  }
  daysPastDue(facility: Facility): number {
    return this.loans.daysPastDue(facility);
  }

  exposure(facility: Facility): Micro {
    return this.limits.exposure(facility);
  }
  exposureLimit(facility: Facility): Micro {
    return this.limits.exposureLimit(facility);
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
    this.limits.dayBegan(facility, day);
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
    const facility = this.own(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (!validAmount(command.amount)) return 'amount_out_of_range';
    // The day's end may take the money itself.
    if (this.state.rulesVersion >= 5) this.endDay(facility, this.state.day);
    if (!isRunning(facility) && facility.state !== 'written_off') return 'invalid_state';
    const missing = command.amount + ledger.balance(ACCOUNT.unapplied, command.company);
    if (missing > 0 && !command.bankCovers) return 'insufficient_funds';
    if (missing > 0) this.finance.deposit({ type: 'deposit', company: command.company, amount: missing, reference: `repayment of facility ${facility.facility}` });
    if (facility.state === 'written_off') {
      this.loans.recover(facility, command.amount);
      return undefined;
    }
    this.endDay(facility, this.state.day);
    const before = this.principal(facility);
    this.loans.pay(facility, command.amount, command.mode);
    this.collateral.unblockBy(facility, before, this.principal(facility));
    this.afterPaid(facility);
    return undefined;
  }

  /** What a financed seller gained by a resale prepays its principal; what is more is its own. The money is a payable of the company until now. */
  prepayFrom(id: FacilityId, company: CompanyId, amount: Micro): void {
    const { ledger, buffer, facilities } = this.state;
    const facility = facilities[id];
    const principal = Math.min(amount, this.principal(facility));
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

  private afterPaid(facility: Facility): void {
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
    const mayDraw = this.undrawn(facility) > 0 && this.state.now < facility.maturesAt && facility.state !== 'defaulted';
    if (!mayDraw && totalDebt(this.state, facility) === 0) this.close(facility);
  }

  private close(facility: Facility): void {
    this.collateral.withdrawForced(facility);
    if (this.state.rulesVersion >= 5) this.release(facility);
    this.loans.losses.finish(facility);
    this.mandates.release(facility.shares);
    this.review.setState(facility, 'closed', 'repaid', facility.company);
  }

  /** Gives unspent credit back at cost, as prepayment of principal. */
  returnCredits(command: ReturnCredits): RejectCode | undefined {
    const { state } = this;
    const facility = this.own(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    const lot = state.lots.rows[command.lot];
    if (lot?.company !== command.company || lot.facility !== facility.facility) return 'unknown_lot';
    if (!validAmount(command.credits)) return 'amount_out_of_range';
    // The day's end may burn credit of its own.
    this.endDay(facility, state.day);
    if (command.credits > state.lots.available(lot.lot)) return 'insufficient_credits';
    const deduction = this.deductionOf(facility, lot);
    const refusal = state.rulesVersion >= 5 ? this.returnRefusal(facility, lot, command.credits, deduction) : undefined;
    if (refusal !== undefined) return refusal;
    this.burn(lot, command.credits, deduction);
    this.refundFee(facility, lot, command.credits);
    this.afterPaid(facility);
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
    const principal = Math.min(refund, this.principal(facility));
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
    const principal = Math.min(cost - deducted, this.principal(facility));
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
    this.endDay(facility, this.state.day);
    const credits = this.state.lots.available(lot.lot);
    if (credits > 0) this.burn(lot, credits);
    if (credits > 0 && isRunning(facility)) this.afterPaid(facility);
    return credits;
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

/** Whole months from one time to another. */
function monthsBetween(from: number, to: number): number {
  let months = 0;
  while (addMonths(from, months + 1) <= to) months++;
  return months;
}
