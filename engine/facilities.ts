/** A borrower's credit lines: application, acceptance, draws, interest, repayment, and the lender's freeze. */
import { ACCOUNT } from './accounts.ts';
import { addMonths, dayOf } from './calendar.ts';
import type { RejectCode } from './catalogue.ts';
import type { CreditLimits } from './credit_limits.ts';
import { GRADES } from './commands.ts';
import type {
  AcceptFacility, ApplyFacility, CompanyId, CreateMandate, Draw, FacilityId, Freeze, MandateId, Repay, ReturnCredits, Unfreeze,
} from './commands.ts';
import { scheduleOf } from './credit/facility_schedule.ts';
import { assess } from './credit/scorecard.ts';
import type { Assessment } from './credit/scorecard.ts';
import type { Finance } from './finance.ts';
import { ALL_BLOCKED } from './lots.ts';
import type { Lot } from './lots.ts';
import { mulDiv, mulDivCeil } from './muldiv.ts';
import { PARAMETERS } from './parameters.ts';
import type { Facility, Mandate, State } from './state.ts';
import type { Sweeps } from './sweeps.ts';
import { FACILITY_MICRO_MAX, MICRO } from './units.ts';
import type { Day, Micro } from './units.ts';

const PRINCIPAL = ACCOUNT['loan.principal'];
const INTEREST = ACCOUNT['interest.receivable'];
/** Actual/365 on ppm: the denominator of the exact accrual. */
const ACCRUAL_SCALE = 365n * BigInt(MICRO);
const MONTHS_MAX = 60;

export class Facilities {
  private readonly state: State;
  private readonly sweeps: Sweeps;
  private finance!: Finance;
  private limits!: CreditLimits;

  constructor(state: State, sweeps: Sweeps) {
    this.state = state;
    this.sweeps = sweeps;
  }

  /** Minting belongs to finance, burning here; each needs the other. */
  connect(finance: Finance, limits: CreditLimits): void {
    this.finance = finance;
    this.limits = limits;
  }

  createMandate(command: CreateMandate): RejectCode | undefined {
    const { state } = this;
    if (state.companies[command.company]?.role !== 'lender') return 'not_authorized';
    if (!validAmount(command.amount) || !validAmount(command.maximumPerBorrower)) return 'amount_out_of_range';
    if (command.grades.length === 0 || command.grades.some((grade) => !GRADES.includes(grade))) return 'invalid_parameter';
    const mandate: Mandate = {
      mandate: state.mandates.length, company: command.company, amount: command.amount, committed: 0, grades: command.grades,
      maximumPerBorrower: command.maximumPerBorrower, minimumAnnualRate: command.minimumAnnualRate,
    };
    state.mandates.push(mandate);
    state.ledger.begin();
    state.ledger.post(ACCOUNT['cash.fund'], command.company, command.amount);
    state.ledger.post(ACCOUNT['fund.capital'], command.company, -command.amount);
    state.ledger.end();
    const { committed: _, ...terms } = mandate;
    state.buffer.emit('mandateCreated', terms);
    return undefined;
  }

  apply(command: ApplyFacility): RejectCode | undefined {
    const { state } = this;
    if (state.companies[command.company]?.role !== 'borrower') return 'not_authorized';
    if (!validAmount(command.amount)) return 'amount_out_of_range';
    if (!(Number.isInteger(command.months) && command.months > 0 && command.months <= MONTHS_MAX)) return 'invalid_parameter';
    const assessment = assess(command.application, command.amount, command.months);
    const { grade, score, reasons } = assessment;
    const amount = Math.min(command.amount, assessment.limit);
    const mandate = assessment.approved && amount > 0 ? this.mandateFor(command.company, amount, assessment) : undefined;
    if (mandate === undefined) {
      const why = assessment.approved ? [...reasons, 'no lender has a mandate for it'] : reasons;
      state.buffer.emit('facilityDeclined', { company: command.company, amount: command.amount, months: command.months, grade, score, reasons: why, application: { ...command.application } });
      return undefined;
    }
    this.offer(command, assessment, amount, mandate);
    return undefined;
  }

  /** The cheapest mandate that fits, then the oldest. */
  private mandateFor(company: CompanyId, amount: Micro, { grade, annualRate }: Assessment): Mandate | undefined {
    const { facilities, mandates } = this.state;
    const lentBy = (mandate: MandateId): Micro =>
      facilities.reduce((sum, facility) => sum + (facility.company === company && facility.mandate === mandate && isOpen(facility) ? facility.amount : 0), 0);
    return mandates
      .filter((mandate) => mandate.grades.includes(grade) && mandate.minimumAnnualRate <= annualRate && mandate.committed + amount <= mandate.amount)
      .filter((mandate) => lentBy(mandate.mandate) + amount <= mandate.maximumPerBorrower)
      .sort((a, b) => a.minimumAnnualRate - b.minimumAnnualRate || a.mandate - b.mandate)[0];
  }

  private offer(command: ApplyFacility, assessment: Assessment, amount: Micro, mandate: Mandate): void {
    const { state } = this;
    const facility: Facility = {
      facility: state.facilities.length, company: command.company, lender: mandate.company, mandate: mandate.mandate, state: 'offered',
      amount, months: command.months, method: command.method, application: command.application,
      grade: assessment.grade, score: assessment.score, reasons: assessment.reasons, annualRate: assessment.annualRate,
      conversionRate: assessment.conversionRate, originationFee: PARAMETERS.originationFee, offeredAt: state.now, acceptedAt: 0, maturesAt: 0,
      frozenFraction: 0, frozenReason: '', lent: 0, repaidPrincipal: 0, accrualExact: '0', accrualPosted: 0, accruedTo: 0, schedule: [],
    };
    state.facilities.push(facility);
    state.ledger.openOwner('facility', facility.facility);
    state.buffer.emit('facilityOffered', {
      facility: facility.facility, company: facility.company, lender: facility.lender, amount, months: facility.months, grade: facility.grade,
      annualRate: facility.annualRate, conversionRate: facility.conversionRate, originationFee: facility.originationFee, method: facility.method,
      score: facility.score, reasons: facility.reasons, application: { ...facility.application },
    });
  }

  /** The facility when it belongs to the company. */
  private own(company: CompanyId, id: number): Facility | undefined {
    const facility = this.state.facilities[id];
    return facility?.company === company ? facility : undefined;
  }

  accept(command: AcceptFacility): RejectCode | undefined {
    const { state } = this;
    const facility = this.own(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (facility.state !== 'offered') return 'invalid_state';
    const mandate = state.mandates[facility.mandate];
    if (mandate.committed + facility.amount > mandate.amount) return 'no_mandate';
    mandate.committed += facility.amount;
    facility.acceptedAt = state.now;
    facility.maturesAt = addMonths(state.now, facility.months);
    facility.accruedTo = dayOf(state.now);
    state.ledger.begin();
    state.ledger.post(ACCOUNT['limit.control'], facility.facility, facility.amount);
    state.ledger.post(ACCOUNT['limit.undrawn'], facility.facility, -facility.amount);
    state.ledger.end();
    this.setState(facility, 'active', 'accepted', command.company);
    return undefined;
  }

  private setState(facility: Facility, next: Facility['state'], reason: string, by: CompanyId): void {
    facility.state = next;
    this.state.buffer.emit('facilityStateChanged', { facility: facility.facility, state: next, reason, by });
    this.setLimits(facility.company);
    this.limits.refresh(facility);
  }

  /** A facility whose unsecured exposure has reached its limit buys nothing more until that has fallen. */
  reviewExposure(): void {
    for (const facility of this.state.facilities) {
      if (facility.state !== 'active' && facility.state !== 'watch' && facility.state !== 'cancel_only') continue;
      const over = this.limits.isOverexposed(facility);
      if (over === (facility.state === 'cancel_only')) continue;
      this.setState(facility, over ? 'cancel_only' : 'active', 'exposure', facility.lender);
    }
  }

  /** Open orders by the best grade, day purchases by the sum of commitments at their conversion. */
  private setLimits(company: CompanyId): void {
    const { state } = this;
    const open = state.facilities.filter((facility) => facility.company === company && isOpen(facility));
    if (open.length === 0) return;
    state.standing.setOrderLimit(company, Math.max(...open.map(({ grade }) => PARAMETERS.openOrders[grade])));
    const credits = open.reduce((sum, { amount, conversionRate }) => sum + mulDiv(amount, conversionRate, MICRO), 0);
    state.standing.setDayLimit(company, mulDiv(credits, PARAMETERS.dayPurchaseShare, MICRO));
  }

  /** Takes USD from the facility and mints a lot, in one step. The origination fee is added to the debt. */
  draw(command: Draw): RejectCode | undefined {
    const { state } = this;
    const facility = this.own(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    const refusal = this.drawRefusal(facility, command.amount);
    if (refusal !== undefined) return refusal;
    const fee = mulDiv(command.amount, facility.originationFee, MICRO);
    const lot = this.finance.createLot({
      company: facility.company, facility: facility.facility, source: 'facility', usd: command.amount,
      conversionRate: facility.conversionRate, expiresAt: facility.maturesAt,
    });
    const firstLoss = mulDiv(command.amount, PARAMETERS.firstLoss, MICRO);
    const { ledger } = state;
    ledger.begin();
    ledger.post(PRINCIPAL, facility.facility, command.amount + fee);
    ledger.post(ACCOUNT['orig_fee.deferred'], facility.facility, -fee);
    ledger.post(ACCOUNT['cash.fund'], facility.company, -command.amount);
    this.finance.postMint(lot);
    ledger.post(ACCOUNT['limit.undrawn'], facility.facility, command.amount);
    ledger.post(ACCOUNT['limit.drawn'], facility.facility, -command.amount);
    ledger.post(ACCOUNT['cash.fund'], facility.company, firstLoss);
    ledger.post(ACCOUNT['cash.ops'], facility.company, -firstLoss);
    ledger.end();
    facility.lent += command.amount + fee;
    state.buffer.emit('facilityDrawn', { facility: facility.facility, lot: lot.lot, amount: command.amount, fee });
    this.reschedule(facility);
    return undefined;
  }

  private drawRefusal(facility: Facility, amount: Micro): RejectCode | undefined {
    if (facility.state === 'frozen' || facility.frozenFraction > 0) return 'facility_frozen';
    if (facility.state !== 'active' && facility.state !== 'watch') return 'facility_not_active';
    if (!validAmount(amount)) return 'amount_out_of_range';
    if (facility.maturesAt <= this.state.now) return 'facility_not_active';
    if (amount > this.undrawn(facility)) return 'limit_exceeded';
    if (amount > mulDiv(facility.amount, PARAMETERS.drawShareMaximum, MICRO)) return 'limit_exceeded';
    return this.daysPastDue(facility) > 0 ? 'past_due' : undefined;
  }

  undrawn(facility: Facility): Micro {
    return -this.state.ledger.balance(ACCOUNT['limit.undrawn'], facility.facility);
  }
  principal(facility: Facility): Micro {
    return this.state.ledger.balance(PRINCIPAL, facility.facility);
  }

  daysPastDue(facility: Facility): number {
    return daysPastDue(this.state, facility);
  }

  /** Spreads what is outstanding over the instalments that are left. */
  private reschedule(facility: Facility): void {
    facility.schedule = scheduleOf(facility, this.principal(facility), dayOf(this.state.now));
    this.state.buffer.emit('scheduleSet', { facility: facility.facility, rows: facility.schedule });
  }

  /** Interest of every day before `day`, simple, on outstanding principal, actual/365. */
  accrueThrough(day: Day): void {
    for (const facility of this.state.facilities) {
      if (facility.accruedTo === 0 || facility.accruedTo >= day) continue;
      const days = day - facility.accruedTo;
      facility.accruedTo = day;
      const principal = this.principal(facility);
      if (principal === 0) continue;
      const exact = BigInt(facility.accrualExact) + BigInt(principal) * BigInt(facility.annualRate) * BigInt(days);
      facility.accrualExact = exact.toString();
      const rounded = roundHalfEven(exact, ACCRUAL_SCALE);
      this.postInterest(facility, rounded - facility.accrualPosted, day);
      facility.accrualPosted = rounded;
    }
  }

  private postInterest(facility: Facility, amount: Micro, day: Day): void {
    const { ledger, buffer, mandates } = this.state;
    if (amount === 0) return;
    const cost = mulDiv(amount, mandates[facility.mandate].minimumAnnualRate, facility.annualRate);
    ledger.begin();
    ledger.post(INTEREST, facility.facility, amount);
    ledger.post(ACCOUNT['income.interest'], facility.company, -amount);
    ledger.post(ACCOUNT['expense.fund_interest'], facility.company, cost);
    ledger.post(ACCOUNT['fund.payable'], facility.lender, -cost);
    ledger.end();
    buffer.emit('interestAccrued', { facility: facility.facility, amount, day });
  }

  /** Paid from the company's `unapplied` money: interest first, then principal; what the loan does not need stays there. */
  repay(command: Repay): RejectCode | undefined {
    const { ledger, buffer } = this.state;
    const facility = this.own(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (!validAmount(command.amount)) return 'amount_out_of_range';
    if (!isOpen(facility)) return 'invalid_state';
    const missing = command.amount + ledger.balance(ACCOUNT.unapplied, command.company);
    if (missing > 0 && !command.bankCovers) return 'insufficient_funds';
    if (missing > 0) this.finance.deposit({ type: 'deposit', company: command.company, amount: missing, reference: `repayment of facility ${facility.facility}` });
    const interest = Math.min(command.amount, ledger.balance(INTEREST, facility.facility));
    const principal = Math.min(command.amount - interest, this.principal(facility));
    ledger.begin();
    ledger.post(ACCOUNT.unapplied, facility.company, interest + principal);
    ledger.post(INTEREST, facility.facility, -interest);
    ledger.post(PRINCIPAL, facility.facility, -principal);
    ledger.end();
    facility.repaidPrincipal += principal;
    buffer.emit('repaid', { facility: facility.facility, amount: command.amount, interest, principal, fees: 0, unapplied: command.amount - interest - principal });
    this.afterPrincipalFell(facility);
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
    facility.repaidPrincipal += principal;
    buffer.emit('repaid', { facility: id, amount, interest: 0, principal, fees: 0, unapplied: amount - principal });
    if (principal > 0) this.afterPrincipalFell(facility);
  }

  private afterPrincipalFell(facility: Facility): void {
    this.reschedule(facility);
    this.limits.refresh(facility);
    const settled = this.principal(facility) === 0 && this.state.ledger.balance(INTEREST, facility.facility) === 0;
    if (settled && this.undrawn(facility) === 0) {
      this.block(facility, 0);
      this.setState(facility, 'closed', 'repaid', facility.company);
    }
  }

  /** Gives unspent credit back at cost, as prepayment of principal. */
  returnCredits(command: ReturnCredits): RejectCode | undefined {
    const { state } = this;
    const facility = this.own(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    const lot = state.lots.rows[command.lot];
    if (lot?.company !== command.company || lot.facility !== facility.facility) return 'unknown_lot';
    if (!validAmount(command.credits)) return 'amount_out_of_range';
    if (command.credits > state.lots.available(lot.lot)) return 'insufficient_credits';
    this.burn(lot, command.credits);
    return undefined;
  }

  /** Burns available credit of a financed lot against principal: CREDIT.md section 4, row "return, expiry, or default". */
  burn(lot: Lot, credits: Micro): void {
    const { ledger, lots, facilities, buffer } = this.state;
    const facility = facilities[lot.facility];
    ledger.begin();
    const cost = lots.postRelease(lot, credits);
    const principal = Math.min(cost, this.principal(facility));
    ledger.post(ACCOUNT['lot.available'], lot.lot, credits);
    ledger.post(ACCOUNT['lot.issued'], lot.lot, -credits);
    ledger.post(ACCOUNT['cash.fund'], lot.company, cost);
    ledger.post(ACCOUNT['cash.escrow'], lot.company, -cost);
    ledger.post(PRINCIPAL, facility.facility, -principal);
    ledger.post(ACCOUNT.unapplied, lot.company, -(cost - principal));
    ledger.end();
    // Blocked credit that is gone need not be blocked.
    if (lot.blocked !== ALL_BLOCKED) lot.blocked = Math.min(lot.blocked, lots.available(lot.lot));
    facility.repaidPrincipal += principal;
    buffer.emit('creditsReturned', { lot: lot.lot, facility: facility.facility, credits, principal });
    this.afterPrincipalFell(facility);
  }

  /** The lender, or an operator, blocks a fraction of the facility's available and held credit. */
  freeze(command: Freeze): RejectCode | undefined {
    const facility = this.controlled(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (!isOpen(facility) || facility.state === 'offered') return 'invalid_state';
    if (!(Number.isInteger(command.fraction) && command.fraction > 0 && command.fraction <= MICRO)) return 'invalid_parameter';
    facility.frozenReason = command.reason;
    this.block(facility, command.fraction);
    this.state.buffer.emit('facilityFrozen', { facility: facility.facility, fraction: command.fraction, reason: command.reason, by: command.company });
    if (command.fraction === MICRO) this.setState(facility, 'frozen', command.reason, command.company);
    return undefined;
  }

  unfreeze(command: Unfreeze): RejectCode | undefined {
    const facility = this.controlled(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (facility.frozenFraction === 0) return 'invalid_state';
    this.block(facility, 0);
    facility.frozenReason = '';
    this.state.buffer.emit('facilityFrozen', { facility: facility.facility, fraction: 0, reason: '', by: command.company });
    if (facility.state === 'frozen') this.setState(facility, 'active', 'unfrozen', command.company);
    return undefined;
  }

  private controlled(company: CompanyId, id: number): Facility | undefined {
    const facility = this.state.facilities[id];
    if (facility === undefined) return undefined;
    return facility.lender === company || this.state.companies[company]?.role === 'operator' ? facility : undefined;
  }

  /** Blocks the fraction of each lot; bids it funds are cancelled, newest first, until the rest fits. */
  private block(facility: Facility, fraction: number): void {
    const { lots } = this.state;
    facility.frozenFraction = fraction;
    for (const lot of lots.rows) {
      if (lot.facility !== facility.facility) continue;
      const open = lots.available(lot.lot) + lots.held(lot.lot);
      lot.blocked = fraction === MICRO ? ALL_BLOCKED : mulDivCeil(open, fraction, MICRO);
      if (fraction > 0) this.sweeps.cancelUntilHeldFits(facility.company, lot.lot, open - Math.min(open, lot.blocked));
    }
  }
}

/** Days since the oldest instalment whose principal is not repaid fell due; 0 when none is late. */
export function daysPastDue(state: State, facility: Facility): number {
  const today = dayOf(state.now);
  const principal = state.ledger.balance(PRINCIPAL, facility.facility);
  const late = facility.schedule.find((row) => row.due < today && principal > row.balance);
  return late === undefined ? 0 : today - late.due;
}

export const isOpen = (facility: Facility): boolean => facility.state !== 'closed' && facility.state !== 'declined' && facility.state !== 'written_off';

const validAmount = (amount: Micro): boolean => Number.isSafeInteger(amount) && amount > 0 && amount <= FACILITY_MICRO_MAX;

function roundHalfEven(numerator: bigint, denominator: bigint): number {
  const quotient = numerator / denominator;
  const twice = 2n * (numerator - quotient * denominator);
  return Number(twice > denominator || (twice === denominator && (quotient & 1n) === 1n) ? quotient + 1n : quotient);
}
