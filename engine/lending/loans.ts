/** What a loan does from its first draw to its end: instalments that fall due, late fees, payments, a default. Postings: CREDIT.md section 4. */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { RepaymentMode } from '../vocabulary.ts';
import { floorToCent, inWholeCents } from '../credit/cents.ts';
import { dueDateOf } from '../credit/due_dates.ts';
import { planOf } from '../credit/facility_schedule.ts';
import { shareWire, withheldOf } from '../credit/revenue_share.ts';
import { allocate, sumOf } from '../credit/waterfall.ts';
import type { Part } from '../credit/waterfall.ts';
import type { ScheduleRow } from '../events.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import { daysPastDue, totalDebt } from './debt.ts';
import { unrecovered } from './facility.ts';
import type { Facility } from './facility.ts';
import type { Fund } from './fund.ts';
import { Interest } from './interest.ts';
import { Losses } from './losses.ts';
import { OriginationFees } from './origination_fees.ts';
import type { State } from '../state.ts';
import { MICRO, MILLIS_PER_DAY } from '../numbers/units.ts';
import type { Day, Micro } from '../numbers/units.ts';

const PRINCIPAL = ACCOUNT['loan.principal'];
const INTEREST = ACCOUNT['interest.receivable'];
const FEES = ACCOUNT['fee.receivable'];

export class Loans {
  readonly interest: Interest;
  readonly fees: OriginationFees;
  readonly losses: Losses;
  private readonly state: State;
  readonly fund: Fund;

  constructor(state: State, fund: Fund) {
    this.state = state;
    this.fund = fund;
    this.interest = new Interest(state);
    this.fees = new OriginationFees(state);
    this.losses = new Losses(state, this.interest);
  }

  principal(facility: Facility): Micro {
    return this.state.ledger.balance(PRINCIPAL, facility.facility);
  }

  /** Principal that is not part of a due instalment. */
  private unbilledPrincipal(facility: Facility): Micro {
    return facility.schedule.reduce((sum, row) => sum - (row.billed ? row.principal : 0), this.principal(facility));
  }

  // Time.

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
    if (revenueShare === undefined) row.interest = this.interest.round(facility, row.principal);
    else this.share(facility, row, row.number >= facility.months ? Infinity : withheldOf(revenueShare));
    row.billed = true;
    buffer.emit('instalmentDue', { facility: facility.facility, number: row.number, due: row.due, principal: row.principal, interest: row.interest });
    this.tidy(facility);
  }

  /** So much of revenue pays interest, then principal. */
  private share(facility: Facility, row: ScheduleRow, share: Micro): void {
    const [accrued, left] = [this.interest.unbilled(facility), this.unbilledPrincipal(facility)];
    const isAll = left + this.interest.asked(facility, left, accrued) <= share;
    row.interest = accrued > share ? share : this.interest.round(facility, isAll ? left : 0);
    row.principal = Math.min(share - row.interest, isAll ? left : this.interest.wholePart(left));
  }

  private chargeLate(facility: Facility, row: ScheduleRow): void {
    const { ledger, buffer } = this.state;
    const overdue = row.principal + row.interest;
    if (overdue < PARAMETERS.lateMinimum || facility.state === 'defaulted') return;
    row.late = true;
    const exact = mulDiv(overdue, PARAMETERS.lateFee, MICRO);
    const fee = Math.min(this.state.rulesVersion >= 6 ? inWholeCents(exact) : exact, PARAMETERS.lateFeeMaximum);
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
      const { interest: of } = this;
      const interest = from === undefined ? of.asked(facility, row.principal, of.unbilled(facility) + of.until(facility, row.due)) : of.ofPeriod(facility, row.principal, from.balance, from.day, row.due);
      from = { day: row.due, balance: row.balance };
      return { ...row, interest };
    });
  }

  /** Spreads what is not yet due over the instalments to come after that numbered `paid`. `keep`: they stay as they are and end earlier. */
  reschedule(facility: Facility, keep: boolean, paid = 0): void {
    const due = facility.schedule.filter((row) => row.billed);
    const { day: today, rulesVersion } = this.state;
    const accrued = this.interest.unbilled(facility);
    const billed = Math.max(paid, this.lastBilled(facility, today));
    const running = accrued > 0 && rulesVersion >= 5 ? { from: this.periodBegan(facility, billed), interestBy: (on: Day) => accrued + this.interest.until(facility, on) } : undefined;
    const plan = planOf(facility, { principal: this.unbilledPrincipal(facility), accrued, today, billed, keep: keep ? facility.instalment : 0, running, wholeCents: rulesVersion >= 6, room: this.interest.room(facility), carriesFractions: rulesVersion >= 8 });
    facility.instalment = plan.instalment;
    facility.schedule = [...due, ...plan.rows];
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
  pay(facility: Facility, amount: Micro, mode: RepaymentMode): void {
    const { ledger, buffer } = this.state;
    if (facility.state === 'defaulted' && this.state.rulesVersion >= 5) this.billToDate(facility);
    this.interest.roundPayoff(facility, amount);
    this.interest.postRounding(facility);
    const parts = allocate(facility.schedule, amount, facility.state === 'defaulted');
    const due = { fees: sumOf(parts, 'fee'), interest: sumOf(parts, 'interest'), principal: sumOf(parts, 'principal') };
    const left = amount - due.fees - due.interest - due.principal;
    const paid = this.paidWhole(facility, left, mode);
    const advanceInterest = Math.min(left, this.interest.unbilled(facility));
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
    if (advancePrincipal > 0) this.prepaid(facility, advancePrincipal, mode, paid);
    else if (this.principal(facility) === 0) this.reschedule(facility, false);
    else this.tidy(facility);
    this.fund.settle(facility);
  }

  /** After a default all interest comes before any fee, that of the days since included. */
  private billToDate(facility: Facility): void {
    const last = facility.schedule.findLast(({ billed }) => billed);
    if (last !== undefined) last.interest += this.interest.round(facility, 0);
  }

  /** After a default what the borrower has in cash goes to the debt. */
  sweep(facility: Facility, most: Micro = Infinity): void {
    const cash = -this.state.ledger.balance(ACCOUNT.unapplied, facility.company);
    // What is owed to the day is whole cents, of which none is to be left.
    if (cash > 0 && this.state.rulesVersion >= 6 && facility.state === 'defaulted') this.billToDate(facility);
    const amount = Math.min(most, cash, totalDebt(this.state, facility));
    if (amount > 0) this.pay(facility, amount, 'shorten');
  }

  /** Half a cent of interest that is left of a loan does not keep it open. */
  settleDust(facility: Facility): void {
    if (this.interest.forgiveDust(facility)) this.reschedule(facility, false);
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

  /** Instalments to come of which so much pays all that they were to ask for: in advance each that repays principal, of `next` that one. */
  private paidWhole(facility: Facility, amount: Micro, mode: RepaymentMode): Set<number> {
    const found = new Set<number>();
    if (mode !== 'next' && (mode !== 'advance' || this.state.rulesVersion < 7)) return found;
    let left = amount;
    for (const { billed, number, principal, interest } of this.expectedSchedule(facility)) {
      if (billed || (principal === 0 && mode === 'advance')) continue;
      left -= principal + interest;
      if (left < 0) break;
      found.add(number);
      if (mode === 'next') break;
    }
    return found;
  }

  /** Principal has been paid before it was due. `paid`: instalments that are paid with it; what their periods still accrue is asked for with the next. */
  private prepaid(facility: Facility, amount: Micro, mode: RepaymentMode, paid: ReadonlySet<number>): void {
    const [next] = mode === 'next' ? paid : [];
    if (mode === 'shorten' || mode === 'lower' || facility.method === 'revenue_share') return this.reschedule(facility, mode === 'shorten');
    if (next !== undefined) return this.reschedule(facility, true, next);
    // A fraction of a cent comes off the last instalment, which carries what principal has of them.
    const whole = this.state.rulesVersion >= 7 ? floorToCent(amount) : amount;
    let left = whole;
    for (const row of facility.schedule) {
      if (row.billed) continue;
      const part = Math.min(left, row.principal);
      row.principal -= part;
      left -= part;
    }
    const last = facility.schedule.at(-1);
    if (last === undefined || this.unbilledPrincipal(facility) === 0 || last.principal < amount - whole) return this.reschedule(facility, false);
    last.principal -= amount - whole;
    facility.schedule = facility.schedule.filter((row) => row.billed || row.principal > 0 || !paid.has(row.number));
    this.tidy(facility);
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
    this.fund.settle(facility);
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
    this.fund.settle(facility);
  }

  // The end.

  /** All that is owed falls due today. */
  accelerate(facility: Facility): void {
    const principal = this.unbilledPrincipal(facility);
    const upcoming = facility.schedule.find((row) => !row.billed);
    if (upcoming === undefined) return;
    const { day } = this.state;
    const row: ScheduleRow = { number: upcoming.number, due: day, principal, interest: this.interest.round(facility, principal), fee: 0, balance: 0, billed: true, late: true };
    facility.schedule = [...facility.schedule.filter(({ billed }) => billed), row];
    this.state.buffer.emit('instalmentDue', { facility: facility.facility, number: row.number, due: day, principal: row.principal, interest: row.interest });
    this.tidy(facility);
  }

  daysPastDue(facility: Facility): number {
    return daysPastDue(this.state, facility);
  }
}
