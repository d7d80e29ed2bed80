/**
 * What a loan does from its first draw to its end: interest by the day, instalments that fall due, late
 * fees, payments, and what happens when it is not paid. Postings: CREDIT.md section 4.
 */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { PrepaymentMode } from '../vocabulary.ts';
import { civilOf } from '../credit/dates.ts';
import { basisOf, isActual } from '../credit/day_count.ts';
import { dueDateOf } from '../credit/due_dates.ts';
import { expectedLoss, stageOf } from '../credit/expected_loss.ts';
import type { Stage } from '../credit/expected_loss.ts';
import { planOf } from '../credit/facility_schedule.ts';
import { interestMostOf, shareWire, withheldOf } from '../credit/revenue_share.ts';
import { allocate, sumOf } from '../credit/waterfall.ts';
import type { Part } from '../credit/waterfall.ts';
import type { ScheduleRow } from '../events.ts';
import { divideHalfEven, mulDiv } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import { unrecovered } from './facility.ts';
import type { Debt, Facility, Share } from './facility.ts';
import type { State } from '../state.ts';
import { MICRO, MICRO_PER_CENT, MILLIS_PER_DAY } from '../numbers/units.ts';
import type { Day, Micro } from '../numbers/units.ts';

const PRINCIPAL = ACCOUNT['loan.principal'];
const INTEREST = ACCOUNT['interest.receivable'];
const FEES = ACCOUNT['fee.receivable'];
const ALLOWANCE = ACCOUNT['loan.allowance'];

export class Loans {
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  principal(facility: Facility): Micro {
    return this.state.ledger.balance(PRINCIPAL, facility.facility);
  }
  debt({ facility }: Facility): Debt {
    const { ledger } = this.state;
    return { principal: ledger.balance(PRINCIPAL, facility), interest: ledger.balance(INTEREST, facility), fees: ledger.balance(FEES, facility) };
  }

  /** Interest that has accrued and is not part of a due instalment. */
  private unbilledInterest(facility: Facility): Micro {
    const billed = facility.schedule.reduce((sum, row) => sum + (row.billed ? row.interest : 0), 0);
    return this.state.ledger.balance(INTEREST, facility.facility) - billed;
  }
  private unbilledPrincipal(facility: Facility): Micro {
    return facility.schedule.reduce((sum, row) => sum - (row.billed ? row.principal : 0), this.principal(facility));
  }

  // Time.

  /** The exact sum of interest of all days before `day`, were the debt as it is now: micro x ppm x days. */
  private exactUntil(facility: Facility, day: Day): bigint {
    const days = countedDays(facility, day) - countedDays(facility, facility.accruedTo);
    const principal = this.principal(facility);
    const exact = facility.accrualExact.value + BigInt(interestBase(facility, principal)) * BigInt(facility.annualRate) * BigInt(Math.max(0, days));
    if (facility.revenueShare === undefined) return exact;
    // A share of revenue is due until a cap, beyond which nothing accrues.
    const most = BigInt(interestMostOf(facility.revenueShare, facility.lent)) * accrualScale(facility);
    return exact < most ? exact : most;
  }

  /** Interest that the days before `day` add to what is posted. */
  interestUntil(facility: Facility, day: Day): Micro {
    return Number(divideHalfEven(this.exactUntil(facility, day), accrualScale(facility))) - facility.accrualPosted;
  }

  /** Simple interest of every day before `day`, on outstanding principal, overdue principal included. */
  accrue(facility: Facility, day: Day): void {
    const exact = this.exactUntil(facility, day);
    facility.accruedTo = day;
    if (facility.accrualExact.value === exact) return;
    facility.accrualExact.value = exact;
    const posted = Number(divideHalfEven(exact, accrualScale(facility)));
    this.postInterest(facility, posted - facility.accrualPosted, posted, day);
    facility.accrualPosted = posted;
  }

  /**
   * The origination fee is earned in a line from each draw to maturity: what of it is still to come on `day` is a
   * function of the draws alone, so that it does not matter how often it is asked for.
   */
  earnFee(facility: Facility, day: Day): void {
    if (!livesBy(facility, 2)) return;
    const { ledger, buffer } = this.state;
    const amount = this.deferredFee(facility) - this.feeToCome(facility, day);
    if (amount === 0) return;
    ledger.begin();
    this.postFeeEarned(facility, amount);
    ledger.end();
    buffer.emit('feeEarned', { facility: facility.facility, amount, day });
  }

  private deferredFee({ facility }: Facility): Micro {
    return -this.state.ledger.balance(ACCOUNT['orig_fee.deferred'], facility);
  }

  private feeToCome(facility: Facility, day: Day): Micro {
    const maturity = Math.floor(facility.maturesAt / MILLIS_PER_DAY);
    return this.state.lots.of(facility.facility).reduce((sum, { fee, feeRefunded, mintedAt }) => {
      const life = maturity - Math.floor(mintedAt / MILLIS_PER_DAY);
      return life <= 0 ? sum : sum + mulDiv(fee - feeRefunded, Math.max(0, maturity - day), life);
    }, 0);
  }

  /** Inside an open transaction. */
  private postFeeEarned(facility: Facility, amount: Micro): void {
    const { ledger } = this.state;
    ledger.post(ACCOUNT['orig_fee.deferred'], facility.facility, amount);
    ledger.post(ACCOUNT['income.origination'], facility.company, -amount);
  }

  /** A part of a lot's fee is about to come back: what of it was earned is earned no more, so that all of it is there. Inside an open transaction. */
  unearnFee(facility: Facility, refund: Micro): void {
    if (livesBy(facility, 2)) this.postFeeEarned(facility, this.deferredFee(facility) - this.feeToCome(facility, this.state.day) - refund);
  }

  private postInterest(facility: Facility, amount: Micro, posted: Micro, day: Day): void {
    const { ledger, buffer } = this.state;
    if (amount === 0) return;
    ledger.begin();
    ledger.reserve(4 + 2 * facility.shares.length);
    ledger.post(INTEREST, facility.facility, amount);
    ledger.post(ACCOUNT['income.interest'], facility.company, -amount);
    for (const share of facility.shares) this.postFundCost(facility, share, posted);
    ledger.end();
    buffer.emit('interestAccrued', { facility: facility.facility, amount, day });
  }

  /** A lender earns its mandate's rate on its part of the money; what the borrower pays beyond it is the fund spread. */
  private postFundCost(facility: Facility, share: Share, posted: Micro): void {
    const { ledger, mandates } = this.state;
    const earned = BigInt(posted) * BigInt(mandates[share.mandate].minimumAnnualRate) * BigInt(share.amount);
    const cost = facility.annualRate === 0 ? 0 : Number(divideHalfEven(earned, BigInt(facility.annualRate) * BigInt(facility.amount)));
    ledger.post(ACCOUNT['expense.fund_interest'], facility.company, cost - share.costPosted);
    ledger.post(ACCOUNT['fund.payable'], share.lender, share.costPosted - cost);
    share.costPosted = cost;
  }

  /** Instalments of `day` fall due; late ones are charged. @returns whether one fell due */
  beginDay(facility: Facility, day: Day): boolean {
    if (facility.state === 'written_off') return false;
    let billed = false;
    for (const row of facility.schedule) {
      // What is billed stands first, then the rest in the order of due dates.
      if (!row.billed && row.due > day) break;
      if (!row.billed) {
        this.bill(facility, row);
        billed = true;
      } else if (!row.late && day - row.due > PARAMETERS.lateFeeGraceDays) this.chargeLate(facility, row);
    }
    // What a share of revenue has not paid is for the months to come.
    if (billed && facility.method === 'revenue_share') this.reschedule(facility, false);
    return billed;
  }

  private bill(facility: Facility, row: ScheduleRow): void {
    const { buffer } = this.state;
    const { revenueShare } = facility;
    row.interest = this.unbilledInterest(facility);
    if (revenueShare !== undefined) {
      const share = row.number >= facility.months ? Infinity : withheldOf(revenueShare);
      row.interest = Math.min(share, row.interest);
      row.principal = Math.min(share - row.interest, this.unbilledPrincipal(facility));
    }
    row.billed = true;
    buffer.emit('instalmentDue', { facility: facility.facility, number: row.number, due: row.due, principal: row.principal, interest: row.interest });
    this.tidy(facility);
  }

  private chargeLate(facility: Facility, row: ScheduleRow): void {
    const { ledger, buffer } = this.state;
    const overdue = row.principal + row.interest;
    if (overdue < PARAMETERS.lateMinimum || facility.state === 'defaulted') return;
    row.late = true;
    const fee = Math.min(mulDiv(overdue, PARAMETERS.lateFee, MICRO), PARAMETERS.lateFeeMaximum);
    row.fee += fee;
    ledger.begin();
    ledger.post(FEES, facility.facility, fee);
    ledger.post(ACCOUNT['income.late_fee'], facility.company, -fee);
    ledger.end();
    buffer.emit('lateFeeCharged', { facility: facility.facility, number: row.number, amount: fee });
    this.tellSchedule(facility);
  }

  /** What the coming months' share is of. */
  setRevenue(facility: Facility, revenue: Micro): void {
    const { revenueShare } = facility;
    if (revenueShare === undefined) return;
    revenueShare.revenue = revenue;
    this.state.buffer.emit('revenueShareSet', shareWire(facility.facility, revenueShare));
    if (this.principal(facility) > 0) this.reschedule(facility, false);
  }

  // Schedules.

  /**
   * What is left as it will be billed if every instalment is paid on its date: that of the running period asks for what has accrued and what the
   * rest of the period accrues on what is owed now, each later one for the interest of its own balance. A share of revenue is what it is.
   */
  expectedSchedule(facility: Facility): ScheduleRow[] {
    if (facility.method === 'revenue_share') return facility.schedule;
    let from: { day: Day; balance: Micro } | undefined;
    return facility.schedule.map((row) => {
      if (row.billed) return row;
      const interest = from === undefined ? this.unbilledInterest(facility) + this.interestUntil(facility, row.due) : this.interestOf(facility, from.balance, from.day, row.due);
      from = { day: row.due, balance: row.balance };
      return { ...row, interest };
    });
  }

  /** A period's interest on a balance that stays, in whole cents. */
  private interestOf(facility: Facility, balance: Micro, from: Day, to: Day): Micro {
    const exact = BigInt(interestBase(facility, balance)) * BigInt(facility.annualRate) * BigInt(Math.max(0, countedDays(facility, to) - countedDays(facility, from)));
    return Number(divideHalfEven(exact, accrualScale(facility) * BigInt(MICRO_PER_CENT))) * MICRO_PER_CENT;
  }

  /** Spreads what is not yet due over the instalments to come. `keep`: they stay as they are and end earlier. */
  reschedule(facility: Facility, keep: boolean): void {
    const billed = facility.schedule.filter((row) => row.billed);
    const today = this.state.day;
    const accrued = this.unbilledInterest(facility);
    const last = this.lastBilled(facility, today);
    const running = accrued > 0 && this.state.rulesVersion >= 5 ? { from: this.periodBegan(facility, last), interestBy: (due: Day) => accrued + this.interestUntil(facility, due) } : undefined;
    const plan = planOf(facility, this.unbilledPrincipal(facility), accrued, today, last, keep ? facility.instalment : 0, running);
    facility.instalment = plan.instalment;
    facility.schedule = [...billed, ...plan.rows];
    this.tidy(facility);
  }

  /** The day after which the running period's interest accrues: of its instalment before, or of the first draw. */
  private periodBegan(facility: Facility, last: number): Day {
    const accepted = Math.floor(facility.acceptedAt / MILLIS_PER_DAY);
    const drawn = Math.floor(Math.min(...this.state.lots.of(facility.facility).map(({ mintedAt }) => mintedAt)) / MILLIS_PER_DAY);
    return Math.max(drawn, last === 0 ? accepted : dueDateOf(accepted, last, facility.dueDateRoll));
  }

  /** The number of the last instalment that has fallen due, paid or not. */
  private lastBilled(facility: Facility, today: Day): number {
    const start = Math.floor(facility.acceptedAt / MILLIS_PER_DAY);
    let number = Math.max(0, ...facility.schedule.map((row) => (row.billed ? row.number : 0)));
    while (number < facility.months && dueDateOf(start, number + 1, facility.dueDateRoll) <= today) number++;
    return number;
  }

  /** Paid instalments leave; balances follow from what is left. */
  private tidy(facility: Facility): void {
    const left = facility.schedule.filter((row) => row.principal + row.interest + row.fee > 0);
    let balance = this.principal(facility);
    for (const row of left) {
      balance -= row.principal;
      row.balance = balance;
    }
    facility.schedule = left;
    this.tellSchedule(facility);
  }

  private tellSchedule({ facility, schedule }: Facility): void {
    this.state.buffer.emit('scheduleSet', { facility, rows: schedule });
  }

  // Payments.

  /**
   * Applies money of the company's `unapplied`: past due and due instalments, then interest to date, then
   * principal in advance. What the loan does not need stays where it is.
   */
  pay(facility: Facility, amount: Micro, mode: PrepaymentMode): void {
    const { ledger, buffer } = this.state;
    if (facility.state === 'defaulted' && this.state.rulesVersion >= 5) this.billToDate(facility);
    const parts = allocate(facility.schedule, amount, facility.state === 'defaulted');
    const due = { fees: sumOf(parts, 'fee'), interest: sumOf(parts, 'interest'), principal: sumOf(parts, 'principal') };
    const left = amount - due.fees - due.interest - due.principal;
    const advanceInterest = Math.min(left, this.unbilledInterest(facility));
    const advancePrincipal = Math.min(left - advanceInterest, this.unbilledPrincipal(facility));
    const interest = due.interest + advanceInterest;
    const principal = due.principal + advancePrincipal;
    const applied = due.fees + interest + principal;
    ledger.begin();
    ledger.post(ACCOUNT.unapplied, facility.company, applied);
    ledger.post(FEES, facility.facility, -due.fees);
    ledger.post(INTEREST, facility.facility, -interest);
    ledger.post(PRINCIPAL, facility.facility, -principal);
    ledger.end();
    facility.repaidPrincipal += principal;
    const { payments } = facility;
    payments.received += amount;
    payments.fees += due.fees;
    payments.interest += interest;
    payments.principal += principal;
    payments.unapplied += amount - applied;
    this.settle(facility, parts);
    buffer.emit('repaid', { facility: facility.facility, amount, interest, principal, fees: due.fees, unapplied: amount - applied });
    if (advancePrincipal > 0) this.prepaid(facility, advancePrincipal, mode);
    else if (this.principal(facility) === 0) this.reschedule(facility, false);
    else this.tidy(facility);
  }

  /** After a default all interest comes before any fee, that of the days since included. */
  private billToDate(facility: Facility): void {
    const last = facility.schedule.findLast(({ billed }) => billed);
    if (last !== undefined) last.interest += this.unbilledInterest(facility);
  }

  /** After a default what the borrower has in cash goes to the debt. */
  sweep(facility: Facility, most: Micro = Infinity): void {
    const cash = -this.state.ledger.balance(ACCOUNT.unapplied, facility.company);
    const amount = Math.min(most, cash, totalDebt(this.state, facility));
    if (amount > 0) this.pay(facility, amount, 'shorten');
  }

  /** Takes what was paid off its instalments. */
  private settle(facility: Facility, parts: readonly Part[]): void {
    for (const { row, fee, interest, principal } of parts) {
      row.fee -= fee;
      row.interest -= interest;
      row.principal -= principal;
      this.state.buffer.emit('instalmentPaid', {
        facility: facility.facility, number: row.number, fees: fee, interest, principal, left: row.fee + row.interest + row.principal,
      });
    }
  }

  /** Principal has been paid before it was due. */
  private prepaid(facility: Facility, amount: Micro, mode: PrepaymentMode): void {
    if (mode !== 'advance' || facility.method === 'revenue_share') return this.reschedule(facility, mode === 'shorten');
    let left = amount;
    for (const row of facility.schedule) {
      if (row.billed) continue;
      const part = Math.min(left, row.principal);
      row.principal -= part;
      left -= part;
    }
    if (this.unbilledPrincipal(facility) === 0) this.reschedule(facility, false);
    else this.tidy(facility);
  }

  /** Principal has fallen otherwise than by a payment: what is due of it first, then what will be. The ledger says so already. */
  principalFell(facility: Facility, amount: Micro): void {
    facility.repaidPrincipal += amount;
    let left = amount;
    for (const row of facility.schedule) {
      if (!row.billed || left === 0) continue;
      const part = Math.min(left, row.principal);
      row.principal -= part;
      left -= part;
    }
    if (left > 0) this.reschedule(facility, true);
    else this.tidy(facility);
  }

  /** Money for a loan that was given up; what is more than was lost stays unapplied. */
  recover(facility: Facility, amount: Micro): void {
    const { ledger, buffer } = this.state;
    const { payments } = facility;
    const part = Math.min(amount, unrecovered(facility));
    payments.received += amount;
    payments.recovered += part;
    payments.unapplied += amount - part;
    ledger.begin();
    ledger.post(ACCOUNT.unapplied, facility.company, part);
    ledger.post(ACCOUNT['income.recovery'], facility.company, -part);
    ledger.end();
    buffer.emit('recovered', { facility: facility.facility, amount: part });
  }

  // The end.

  /** All that is owed falls due today. */
  accelerate(facility: Facility): void {
    const principal = this.unbilledPrincipal(facility);
    const upcoming = facility.schedule.find((row) => !row.billed);
    if (upcoming === undefined) return;
    const { day } = this.state;
    const row: ScheduleRow = { number: upcoming.number, due: day, principal, interest: this.unbilledInterest(facility), fee: 0, balance: 0, billed: true, late: true };
    facility.schedule = [...facility.schedule.filter(({ billed }) => billed), row];
    this.state.buffer.emit('instalmentDue', { facility: facility.facility, number: row.number, due: day, principal: row.principal, interest: row.interest });
    this.tidy(facility);
  }

  stage(facility: Facility): Stage {
    return stageOf(this.daysPastDue(facility), facility.state === 'defaulted');
  }

  expectedLoss(facility: Facility, collateral: Micro): Micro {
    const exposure = totalDebt(this.state, facility);
    const balances = this.state.rulesVersion >= 5 ? this.balancesToCome(facility, exposure) : [exposure, ...facility.schedule.filter(({ billed }) => !billed).map(({ balance }) => balance)].slice(0, -1);
    return expectedLoss({
      stage: this.stage(facility), defaultProbability: facility.decision.defaultProbability, annualRate: facility.annualRate, exposure, collateral, balances,
      atLeastYear: this.state.rulesVersion >= 5,
    });
  }

  /** What will be owed by month if who is late stays as late: one instalment is paid each month, the oldest first, so that those past due outlast maturity. */
  private balancesToCome(facility: Facility, exposure: Micro): Micro[] {
    let accrued = this.unbilledInterest(facility);
    let left = exposure;
    return facility.schedule.map((row) => {
      const balance = left;
      left -= row.principal + row.fee + (row.billed ? row.interest : accrued);
      if (!row.billed) accrued = 0;
      return balance;
    });
  }

  /** Brings the allowance to what is expected to be lost. */
  provision(facility: Facility, collateral: Micro): void {
    this.setAllowance(facility, this.expectedLoss(facility, collateral), this.stage(facility));
  }

  private setAllowance(facility: Facility, wanted: Micro, stage: Stage): void {
    const { ledger, buffer } = this.state;
    const change = wanted + ledger.balance(ALLOWANCE, facility.facility);
    if (change === 0) return;
    ledger.begin();
    ledger.post(ACCOUNT['expense.provision'], facility.company, change);
    ledger.post(ALLOWANCE, facility.facility, -change);
    ledger.end();
    buffer.emit('provisioned', { facility: facility.facility, stage, amount: change, allowance: wanted });
  }

  /** The debt is given up against the allowance; who pays later pays a recovery. */
  writeOff(facility: Facility): void {
    const { ledger, buffer } = this.state;
    const { principal, interest, fees } = this.debt(facility);
    this.setAllowance(facility, principal + interest + fees, 3);
    ledger.begin();
    ledger.post(ALLOWANCE, facility.facility, principal + interest + fees);
    ledger.post(PRINCIPAL, facility.facility, -principal);
    ledger.post(INTEREST, facility.facility, -interest);
    ledger.post(FEES, facility.facility, -fees);
    ledger.end();
    facility.writtenOff = { principal, interest, fees };
    facility.schedule = [];
    this.tellSchedule(facility);
    this.finish(facility);
    buffer.emit('facilityWrittenOff', { facility: facility.facility, principal, interest, fees });
  }

  /** What was deferred over the loan's life is earned; what was expected to be lost is not; what was not drawn is not promised any more. */
  finish(facility: Facility): void {
    const { ledger } = this.state;
    const id = facility.facility;
    this.setAllowance(facility, 0, 1);
    const fee = ledger.balance(ACCOUNT['orig_fee.deferred'], id);
    const undrawn = ledger.balance(ACCOUNT['limit.undrawn'], id);
    ledger.begin();
    ledger.post(ACCOUNT['orig_fee.deferred'], id, -fee);
    ledger.post(ACCOUNT['income.origination'], facility.company, fee);
    ledger.post(ACCOUNT['limit.undrawn'], id, -undrawn);
    ledger.post(ACCOUNT['limit.control'], id, undrawn);
    ledger.end();
  }

  daysPastDue(facility: Facility): number {
    return daysPastDue(this.state, facility);
  }
}

/** Whether what came with so many loan rules holds for it. */
export const livesBy = ({ loanRules }: Facility, rules: number): boolean => (loanRules ?? 1) >= rules;

/** All that a loan owes: principal, interest and fees. */
export const totalDebt = ({ ledger }: State, { facility }: Facility): Micro => ledger.balance(PRINCIPAL, facility) + ledger.balance(INTEREST, facility) + ledger.balance(FEES, facility);

/** Days since the oldest instalment that is not paid fell due; 0 when none is late. */
export function daysPastDue({ day }: State, { schedule, defaultedFrom }: Facility): number {
  // After a default all is one debt: what a part of it pays does not make the rest younger.
  if (defaultedFrom !== undefined) return schedule.reduce((sum, row) => sum + row.principal + row.interest + row.fee, 0) >= PARAMETERS.lateMinimum ? day - defaultedFrom : 0;
  // Due instalments stand first, the oldest before all others.
  for (const row of schedule) {
    if (!row.billed || row.due >= day) return 0;
    if (row.principal + row.interest >= PARAMETERS.lateMinimum) return day - row.due;
  }
  return 0;
}

/** Flat interest is charged on what was lent, as long as any of it is owed. */
const interestBase = ({ method, lent }: Facility, principal: Micro): Micro => (method === 'flat' && principal > 0 ? lent : principal);

/** Micro x ppm x days of a year: the denominator of the exact accrual. */
export const accrualScale = ({ dayCount }: Facility): bigint => BigInt(basisOf(dayCount)) * BigInt(MICRO);

/** A running number of days by the facility's day count: in months of 30 days the 31st adds none. */
function countedDays({ dayCount }: Facility, day: Day): number {
  if (isActual(dayCount)) return day;
  const { year, month, day: date } = civilOf(day);
  return 360 * year + 30 * month + Math.min(date, 30);
}
