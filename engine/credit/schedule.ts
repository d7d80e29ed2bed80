/**
 * Repayment schedules. Amounts are whole cents; each row is rounded (ties to even) and the last
 * absorbs what rounding left, so that the principal is repaid to the cent.
 */
import type { Decimal } from 'decimal.js';
import type { ScheduleMethod } from '../commands.ts';
import type { Day } from '../numbers/units.ts';
import { divideHalfEven } from '../numbers/muldiv.ts';
import { addMonths, dayOf } from './dates.ts';
import { basisOf, countDays, isActual, type DayCount } from './day_count.ts';
import { Exact, fractionOf, roundWhole, timesRatio, type Fraction } from './exact.ts';

export const PERIOD_UNITS = ['months', 'weeks', 'days'] as const;
export type PeriodUnit = (typeof PERIOD_UNITS)[number];

export interface FurtherDraw {
  /** A due date before the last. */
  on: Day;
  amount: number;
}

export interface ScheduleTerms {
  principal: number;
  /** Nominal rate per year as a fraction: 0.12. */
  annualRate: Decimal;
  periods: number;
  disbursedOn: Day;
  /** Absent: one period after disbursement. */
  firstDueOn?: Day;
  dayCount: DayCount;
  every: number;
  unit: PeriodUnit;
  method: ScheduleMethod;
  /** Periods at the beginning in which only interest is due. */
  interestOnlyPeriods?: number;
  /** Spread what rounding leaves to the last instalment over all of them, when that makes it smaller. */
  refine?: boolean;
  /** Round the annuity's instalment to a multiple of so many cents. */
  instalmentMultipleOf?: number;
  furtherDraws?: readonly FurtherDraw[];
  /** Instead of dates counted from the first: one for each period. */
  dueDates?: readonly Day[];
  /** The annuity's instalment, or of other methods the principal in it, is given: the loan ends when it is repaid. */
  keepInstalment?: number;
  /** What flat interest is charged on; absent: the principal. */
  flatOn?: number;
  /** An instalment that is less than its interest rises to it; otherwise what is missing of it is added to the balance. */
  neverGrows?: boolean;
}

export interface Instalment {
  /** From 1. */
  number: number;
  dueOn: Day;
  /** By the day count. */
  days: number;
  principal: number;
  interest: number;
  due: number;
  /** Principal outstanding after this instalment and before a further draw on its date. */
  balance: number;
}

/** The terms contradict each other; `field` names which. */
export class ScheduleError extends Error {
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.name = 'ScheduleError';
    this.field = field;
  }
}

interface Period {
  dueOn: Day;
  days: number;
  rate: Fraction;
}

/** @throws ScheduleError when the terms contradict each other */
export function repaymentSchedule(terms: ScheduleTerms): Instalment[] {
  checkTerms(terms);
  const periods = periodsOf(terms);
  const draws = drawsByPeriod(terms, periods);
  const rows: Instalment[] = [];
  let balance = terms.principal + draws[0];
  let original = terms.flatOn ?? balance;
  let from = 0;
  while (from < periods.length) {
    // Up to and including the next due date with a further draw, the plan made at `from` holds.
    const until = nextDraw(draws, from, periods.length);
    if (terms.keepInstalment !== undefined && balance === 0) break;
    const plan = planOf(terms, periods, from, balance, original);
    for (let index = from; index < until; index++) {
      if (terms.keepInstalment !== undefined && balance === 0) break;
      const { interest, principal } = plan[index - from];
      balance -= principal;
      rows.push({ number: index + 1, dueOn: periods[index].dueOn, days: periods[index].days, principal, interest, due: principal + interest, balance });
    }
    const drawn = draws[until] ?? 0;
    balance += drawn;
    original += drawn;
    from = until;
  }
  return rows;
}

/** The annuity's instalment, or of other methods the principal in each, as a plan made of these terms has it. */
export function plannedInstalment(terms: ScheduleTerms): number {
  if (terms.method === 'bullet') return 0;
  if (terms.method === 'annuity') return roundWhole(annuityInstalment(terms.principal, periodsOf(terms).map(({ rate }) => rate)));
  return roundWhole(new Exact(terms.principal).div(terms.periods));
}

export const totalInterest = (rows: readonly Instalment[]): number => rows.reduce((sum, row) => sum + row.interest, 0);

function checkTerms(terms: ScheduleTerms): void {
  const interestOnly = terms.interestOnlyPeriods ?? 0;
  if (terms.principal <= 0) throw new ScheduleError('principal', 'the principal must be positive');
  if (terms.annualRate.isNegative()) throw new ScheduleError('annual_rate_percent', 'the rate must not be negative');
  if (terms.periods < 1 || terms.every < 1) throw new ScheduleError('periods', 'there must be at least one period');
  if (interestOnly < 0 || interestOnly >= terms.periods) {
    throw new ScheduleError('interest_only_periods', 'at least one period must repay principal');
  }
  if (terms.firstDueOn !== undefined && terms.firstDueOn <= terms.disbursedOn) {
    throw new ScheduleError('first_due_on', 'the first due date must follow disbursement');
  }
}

/** No later day has a date of ten characters. */
const LAST_DAY: Day = dayOf({ year: 9_999, month: 12, day: 31 });

/** Due dates and the rate of each period. */
export function periodsOf(terms: ScheduleTerms): Period[] {
  const periods: Period[] = [];
  const annualRate = fractionOf(terms.annualRate);
  let start = terms.disbursedOn;
  if (dueDate(terms, terms.periods) > LAST_DAY) throw new ScheduleError('periods', 'the last instalment is due after the year 9999');
  for (let number = 1; number <= terms.periods; number++) {
    const dueOn = dueDate(terms, number);
    periods.push({ dueOn, days: countDays(terms.dayCount, start, dueOn), rate: periodRate(terms, annualRate, start, dueOn, number) });
    start = dueOn;
  }
  return periods;
}

/** Every date is counted from the first, so that the 31st returns after a short month. */
function dueDate(terms: ScheduleTerms, number: number): Day {
  if (terms.dueDates !== undefined) return terms.dueDates[number - 1];
  const { disbursedOn, firstDueOn } = terms;
  const regular = (start: Day, count: number): Day => {
    if (terms.unit === 'months') return addMonths(start, count * terms.every);
    return start + count * terms.every * (terms.unit === 'weeks' ? 7 : 1);
  };
  if (firstDueOn === undefined || firstDueOn === regular(disbursedOn, 1)) return regular(disbursedOn, number);
  return regular(firstDueOn, number - 1);
}

/** Interest for one unit of principal over the period. */
function periodRate(terms: ScheduleTerms, annualRate: Fraction, start: Day, dueOn: Day, number: number): Fraction {
  const { dayCount, every, unit } = terms;
  const basis = basisOf(dayCount);
  if (isActual(dayCount) && unit === 'months') return timesRatio(annualRate, dueOn - start, basis);
  const length = unit === 'months' ? 30 * every : unit === 'weeks' ? 7 * every : every;
  const whole = timesRatio(annualRate, length, basis);
  return number === 1 ? timesRatio(whole, ...firstPeriodShare(terms, start, dueOn)) : whole;
}

/**
 * How many regular periods the first one is. Regular periods are laid back from the due date; the one
 * in which the loan begins counts by the share of its calendar days that is left.
 */
function firstPeriodShare({ every, unit, disbursedOn }: ScheduleTerms, start: Day, dueOn: Day): [over: number, under: number] {
  if (unit !== 'months') return [dueOn - start, every * (unit === 'weeks' ? 7 : 1)];
  if (dueOn === addMonths(disbursedOn, every)) return [1, 1];
  let whole = 0;
  while (addMonths(dueOn, -(whole + 1) * every) >= start) whole += 1;
  const end = addMonths(dueOn, -whole * every);
  const begin = addMonths(dueOn, -(whole + 1) * every);
  return [end - start + whole * (end - begin), end - begin];
}

/** Amounts drawn by the number of instalments that are due before they count; 0: at disbursement. */
function drawsByPeriod(terms: ScheduleTerms, periods: readonly Period[]): number[] {
  const draws = new Array<number>(periods.length).fill(0);
  for (const { on, amount } of terms.furtherDraws ?? []) {
    const position = on === terms.disbursedOn ? 0 : periods.findIndex(({ dueOn }) => dueOn === on) + 1;
    const known = on === terms.disbursedOn || position > 0;
    if (!known || position >= periods.length) throw new ScheduleError('further_draws', 'a further draw must be on a due date before the last');
    if (amount <= 0) throw new ScheduleError('further_draws', 'a further draw must be positive');
    draws[position] += amount;
  }
  return draws;
}

function nextDraw(draws: readonly number[], from: number, end: number): number {
  for (let index = from + 1; index < end; index++) if (draws[index] > 0) return index;
  return end;
}

interface Part {
  interest: number;
  principal: number;
}

/** Interest and principal of each period from `from` on, as if no further draw came. */
function planOf(terms: ScheduleTerms, periods: readonly Period[], from: number, balance: number, original: number): Part[] {
  const interestOnly = Math.max(0, (terms.interestOnlyPeriods ?? 0) - from);
  const rates = periods.slice(from).map(({ rate }) => rate);
  if (terms.method === 'annuity') {
    const grace = rates.slice(0, interestOnly).map((rate) => ({ interest: interestOf(balance, rate), principal: 0 }));
    return [...grace, ...annuity(balance, rates.slice(interestOnly), terms)];
  }
  const repaying = rates.length - interestOnly;
  const share = terms.keepInstalment ?? (terms.method === 'bullet' ? 0 : roundWhole(new Exact(balance).div(repaying)));
  let left = balance;
  return rates.map((rate, index) => {
    const interest = interestOf(terms.method === 'flat' ? original : left, rate);
    const last = index === rates.length - 1;
    const principal = last ? left : index < interestOnly ? 0 : Math.min(share, left);
    left -= principal;
    return { interest, principal };
  });
}

const interestOf = (balance: number, { numerator, denominator }: Fraction): number => Number(divideHalfEven(BigInt(balance) * numerator, denominator));

/** Equal instalments, refined when the terms ask for it. */
function annuity(principal: number, rates: readonly Fraction[], terms: ScheduleTerms): Part[] {
  const instalment = terms.keepInstalment ?? toMultiple(annuityInstalment(principal, rates), terms.instalmentMultipleOf);
  const amortised = (due: number): Part[] => amortise(principal, rates, due, terms.neverGrows !== true && terms.keepInstalment === undefined);
  const plan = amortised(instalment);
  if (terms.refine !== true) return plan;
  const difference = lastDue(plan) - instalment;
  if (Math.abs(difference) <= Math.floor(rates.length / 2)) return plan;
  const adjusted = toMultiple(new Exact(instalment + roundWhole(new Exact(difference).div(rates.length))), terms.instalmentMultipleOf);
  if (adjusted === instalment) return plan;
  const refined = amortised(adjusted);
  return Math.abs(lastDue(refined) - adjusted) < Math.abs(difference) ? refined : plan;
}

/**
 * The instalment that repays `principal` over periods of the given rates, unrounded:
 * fn_1 = 1, fn_k = fn_(k-1) (1 + r_k) + 1; P x prod(1 + r_i) / fn_n. Rate 0 gives P / n.
 */
export function annuityInstalment(principal: number, rates: readonly Fraction[]): Decimal {
  let factor = 0n;
  let growth = FIXED_ONE;
  for (const { numerator, denominator } of rates) {
    const grown = FIXED_ONE + (numerator * FIXED_ONE) / denominator;
    factor = (factor * grown) / FIXED_ONE + FIXED_ONE;
    growth = (growth * grown) / FIXED_ONE;
  }
  return new Exact((growth * BigInt(principal)).toString()).div(factor.toString());
}

/** Fixed point of 60 decimal places: what 600 periods round off stays far below what 40 digits show. */
const FIXED_ONE = 10n ** 60n;

/** To the nearest cent, or multiple of cents; a multiple that would round the instalment to nothing is not applied. */
function toMultiple(amount: Decimal, multiple = 1): number {
  const rounded = roundWhole(amount.div(multiple)) * multiple;
  return rounded > 0 ? rounded : roundWhole(amount);
}

/**
 * A long month's interest may be more than the instalment: what is missing is then owed too, so that instalments stay alike. Where
 * that would only grow, as at high rates over many years, such an instalment rises to its interest instead.
 */
function amortise(principal: number, rates: readonly Fraction[], instalment: number, mayGrow: boolean): Part[] {
  const level = mayGrow ? repay(principal, rates, instalment, -Infinity) : undefined;
  if (level?.every((part) => part.principal >= 0) === true) return level;
  const raised = repay(principal, rates, instalment, 0) ?? [];
  const offBy = (plan: readonly Part[]): number => Math.abs(lastDue(plan) - instalment);
  return level === undefined || offBy(raised) <= offBy(level) ? raised : level;
}

/** `least`: of principal in an instalment. Undefined when the balance only grows. */
function repay(principal: number, rates: readonly Fraction[], instalment: number, least: number): Part[] | undefined {
  const parts: Part[] = [];
  let left = principal;
  for (const [index, rate] of rates.entries()) {
    const interest = interestOf(left, rate);
    // One rounded up may end the loan early.
    const repaid = index === rates.length - 1 ? left : Math.min(left, Math.max(least, instalment - interest));
    left -= repaid;
    if (left > GROWTH_MOST * principal) return undefined;
    parts.push({ interest, principal: repaid });
  }
  return parts;
}

/** A balance that has become so many times the principal does not come back. */
const GROWTH_MOST = 100;

function lastDue(plan: readonly Part[]): number {
  const { interest, principal } = plan[plan.length - 1];
  return interest + principal;
}
