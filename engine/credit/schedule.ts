/**
 * Repayment schedules. Amounts are whole cents; each row is rounded (ties to even) and the last
 * absorbs what rounding left, so that the principal is repaid to the cent.
 */
import type { Decimal } from 'decimal.js';
import type { ScheduleMethod } from '../vocabulary.ts';
import type { Day } from '../numbers/units.ts';
import { divideHalfEven, mulDiv } from '../numbers/muldiv.ts';
import { addMonths, dayOf } from './dates.ts';
import { basisOf, countDays, isActual, type DayCount } from './day_count.ts';
import { Exact, ZERO, difference, fractionOf, roundWhole, sum, timesRatio, type Fraction } from './exact.ts';

export const PERIOD_UNITS = ['months', 'weeks', 'days'] as const;
export type PeriodUnit = (typeof PERIOD_UNITS)[number];

export interface FurtherDraw {
  /** From disbursement on, before the last due date. */
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
  interestOnly?: number;
  /** Spread what rounding leaves to the last instalment over all of them, when that makes it smaller. */
  refine?: boolean;
  /** Round instalments that repay principal to the nearest multiple of so many cents, that covers the interest; the last absorbs. Not of a bullet. */
  instalmentMultipleOf?: number;
  furtherDraws?: readonly FurtherDraw[];
  /** Instead of dates counted from the first: one for each period. */
  dueDates?: readonly Day[];
  /** Periods are charged by the difference of these, as a facility's days are; absent: by the convention of the period's unit. */
  dayNumber?: (day: Day) => number;
  /** The annuity's instalment, or of other methods the principal in it, is given: the loan ends when it is repaid. */
  keepInstalment?: number;
  /** The first period's interest, where it is known because a part of it has accrued already; absent: by the rate. */
  firstInterest?: number;
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

/** What is drawn in a period, and what interest it spares there because it comes after the period's beginning. */
interface Drawn {
  amount: number;
  spared: Fraction;
}
const NOTHING = fractionOf(ZERO);

/** Rates of the periods that are planned, and what the first one's interest is spared. */
interface Course {
  rates: readonly Fraction[];
  spared: Fraction;
}

/** @throws ScheduleError when the terms contradict each other */
export function repaymentSchedule(terms: ScheduleTerms): Instalment[] {
  checkTerms(terms);
  const periods = periodsOf(terms);
  const draws = drawsByPeriod(terms, periods);
  const rows: Instalment[] = [];
  let balance = terms.principal;
  let original = terms.flatOn ?? balance;
  let from = 0;
  while (from < periods.length) {
    const { amount, spared } = draws[from];
    balance += amount;
    original += amount;
    // Until the next period with a further draw, the plan made at `from` holds.
    const until = nextDraw(draws, from, periods.length);
    if (terms.keepInstalment !== undefined && balance === 0) break;
    const known = from === 0 && terms.firstInterest !== undefined ? difference(timesRatio(periods[0].rate, balance, 1), fractionOf(new Exact(terms.firstInterest))) : spared;
    const plan = planOf(terms, { rates: periods.slice(from).map(({ rate }) => rate), spared: known }, from, balance, original);
    for (let index = from; index < until; index++) {
      if (terms.keepInstalment !== undefined && balance === 0) break;
      const { interest, principal } = plan[index - from];
      balance -= principal;
      rows.push({ number: index + 1, dueOn: periods[index].dueOn, days: periods[index].days, principal, interest, due: principal + interest, balance });
    }
    from = until;
  }
  return rows;
}

/** The annuity's instalment, or of other methods the principal in each, as a plan made of these terms has it. */
export function plannedInstalment(terms: ScheduleTerms): number {
  if (terms.method === 'bullet') return 0;
  const interestOnly = terms.interestOnly ?? 0;
  if (terms.method === 'annuity') return roundWhole(annuityInstalment(terms.principal, periodsOf(terms).slice(interestOnly).map(({ rate }) => rate)));
  return roundWhole(new Exact(terms.principal).div(terms.periods - interestOnly));
}

export const totalInterest = (rows: readonly Instalment[]): number => rows.reduce((sum, row) => sum + row.interest, 0);

function checkTerms(terms: ScheduleTerms): void {
  const interestOnly = terms.interestOnly ?? 0;
  if (terms.principal <= 0) throw new ScheduleError('principal', 'the principal must be positive');
  if (terms.annualRate.isNegative()) throw new ScheduleError('annual_rate_percent', 'the rate must not be negative');
  if (terms.periods < 1 || terms.every < 1) throw new ScheduleError('periods', 'there must be at least one period');
  if (terms.method === 'bullet' && terms.instalmentMultipleOf !== undefined) {
    throw new ScheduleError('instalment_multiple_of', 'instalments before the last are interest, which is no choice');
  }
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
const periodRate = (terms: ScheduleTerms, annualRate: Fraction, start: Day, dueOn: Day, number: number): Fraction =>
  rateFrom(terms, annualRate, { on: start, start, dueOn }, number === 1);

/** The same from a day within the period on: of days those that are left, of a whole period its share. */
function rateFrom(terms: ScheduleTerms, annualRate: Fraction, { on, start, dueOn }: { on: Day; start: Day; dueOn: Day }, isFirst: boolean): Fraction {
  const { dayCount, every, unit } = terms;
  const basis = basisOf(dayCount);
  if (terms.dayNumber !== undefined) return timesRatio(annualRate, terms.dayNumber(dueOn) - terms.dayNumber(on), basis);
  if (isActual(dayCount) && unit === 'months') return timesRatio(annualRate, dueOn - on, basis);
  const length = unit === 'months' ? 30 * every : unit === 'weeks' ? 7 * every : every;
  const whole = timesRatio(annualRate, length, basis);
  return isFirst ? timesRatio(whole, ...firstPeriodShare(terms, on, dueOn)) : timesRatio(whole, dueOn - on, dueOn - start);
}

/**
 * How many regular periods the first one is. Regular periods are laid back from the due date; the one
 * in which the loan begins counts by the share of its calendar days that is left.
 */
function firstPeriodShare({ every, unit, disbursedOn }: ScheduleTerms, start: Day, dueOn: Day): [over: number, under: number] {
  if (unit !== 'months') return [dueOn - start, every * (unit === 'weeks' ? 7 : 1)];
  if (dueOn === addMonths(disbursedOn, every)) return [dueOn - start, dueOn - disbursedOn];
  let whole = 0;
  while (addMonths(dueOn, -(whole + 1) * every) >= start) whole += 1;
  const end = addMonths(dueOn, -whole * every);
  const begin = addMonths(dueOn, -(whole + 1) * every);
  return [end - start + whole * (end - begin), end - begin];
}

/** By period what is drawn in it. On a due date that is the next one, of which nothing is spared then. */
function drawsByPeriod(terms: ScheduleTerms, periods: readonly Period[]): Drawn[] {
  const draws = periods.map((): Drawn => ({ amount: 0, spared: NOTHING }));
  const annualRate = fractionOf(terms.annualRate);
  for (const { on, amount } of terms.furtherDraws ?? []) {
    const index = periods.findIndex(({ dueOn }) => on < dueOn);
    if (on < terms.disbursedOn || index === -1) throw new ScheduleError('further_draws', 'a further draw must be made from disbursement on and before the last due date');
    if (amount <= 0) throw new ScheduleError('further_draws', 'a further draw must be positive');
    const { dueOn, rate } = periods[index];
    const start = index === 0 ? terms.disbursedOn : periods[index - 1].dueOn;
    const charged = on === start ? rate : rateFrom(terms, annualRate, { on, start, dueOn }, index === 0);
    const drawn = draws[index];
    draws[index] = { amount: drawn.amount + amount, spared: sum(drawn.spared, timesRatio(difference(rate, charged), amount, 1)) };
  }
  return draws;
}

function nextDraw(draws: readonly Drawn[], from: number, end: number): number {
  for (let index = from + 1; index < end; index++) if (draws[index].amount > 0) return index;
  return end;
}

interface Part {
  interest: number;
  principal: number;
}

/** Interest and principal of each period from `from` on, as if no further draw came. */
function planOf(terms: ScheduleTerms, course: Course, from: number, balance: number, original: number): Part[] {
  const interestOnly = Math.max(0, (terms.interestOnly ?? 0) - from);
  const { rates } = course;
  if (terms.method === 'annuity') {
    const grace = rates.slice(0, interestOnly).map((_, index) => ({ interest: interestOf(balance, course, index), principal: 0 }));
    return [...grace, ...annuity(balance, interestOnly === 0 ? course : { rates: rates.slice(interestOnly), spared: NOTHING }, terms)];
  }
  const repaying = rates.length - interestOnly;
  const share = terms.keepInstalment ?? (terms.method === 'bullet' ? 0 : roundWhole(new Exact(balance).div(repaying)));
  let left = balance;
  return rates.map((_, index) => {
    // Flat interest is charged as long as anything is owed: instalments rounded up may end the loan early.
    const interest = interestOf(terms.method === 'flat' && left > 0 ? original : left, course, index);
    const last = index === rates.length - 1;
    const principal = last ? left : index < interestOnly ? 0 : Math.min(roundedShare(share, interest, terms.instalmentMultipleOf), left);
    left -= principal;
    return { interest, principal };
  });
}

/** The principal that with its interest makes the nearest multiple which covers the interest. */
function roundedShare(share: number, interest: number, multiple?: number): number {
  if (multiple === undefined) return share;
  return Math.max(toMultiple(new Exact(share + interest), multiple), Math.ceil(interest / multiple) * multiple) - interest;
}

function interestOf(balance: number, { rates, spared }: Course, index: number): number {
  if (index > 0 || spared.numerator === 0n) return shareOf(balance, rates[index]);
  const { numerator, denominator } = difference(timesRatio(rates[0], balance, 1), spared);
  return Number(divideHalfEven(numerator, denominator));
}

/** round(balance x rate), ties to even: exact in plain numbers as long as they hold the rate. */
function shareOf(balance: number, { numerator, denominator }: Fraction): number {
  const [over, under] = [Number(numerator), Number(denominator)];
  if (over <= Number.MAX_SAFE_INTEGER && under <= Number.MAX_SAFE_INTEGER) return mulDiv(balance, over, under);
  return Number(divideHalfEven(numerator * BigInt(balance), denominator));
}

/** Equal instalments, refined when the terms ask for it. */
function annuity(principal: number, course: Course, terms: ScheduleTerms): Part[] {
  const { rates } = course;
  const instalment = terms.keepInstalment ?? toMultiple(annuityInstalment(principal, rates), terms.instalmentMultipleOf);
  const amortised = (due: number): Part[] => amortise(principal, course, due, terms.neverGrows !== true && terms.keepInstalment === undefined);
  const plan = amortised(instalment);
  if (terms.refine !== true) return plan;
  const offBy = lastDue(plan) - instalment;
  if (Math.abs(offBy) <= Math.floor(rates.length / 2)) return plan;
  const wanted = new Exact(instalment + roundWhole(new Exact(offBy).div(rates.length)));
  const adjusted = wanted.times(2).greaterThan(terms.instalmentMultipleOf ?? 0) ? toMultiple(wanted, terms.instalmentMultipleOf) : instalment;
  if (adjusted === instalment) return plan;
  const refined = amortised(adjusted);
  return Math.abs(lastDue(refined) - adjusted) < Math.abs(offBy) ? refined : plan;
}

/**
 * The instalment that repays `principal` over periods of the given rates, unrounded:
 * fn_1 = 1, fn_k = fn_(k-1) (1 + r_k) + 1; P x prod(1 + r_i) / fn_n. Rate 0 gives P / n.
 */
export function annuityInstalment(principal: number, rates: readonly Fraction[]): Decimal {
  let factor = 0n;
  let growth = FIXED_ONE;
  for (const { numerator, denominator } of rates) {
    const grown = FIXED_ONE + (numerator << FIXED_BITS) / denominator;
    factor = ((factor * grown) >> FIXED_BITS) + FIXED_ONE;
    growth = (growth * grown) >> FIXED_BITS;
  }
  return new Exact((growth * BigInt(principal)).toString()).div(factor.toString());
}

/** Fixed point of 200 binary places: what 600 periods round off stays far below what 40 digits show. */
const FIXED_BITS = 200n;
const FIXED_ONE = 1n << FIXED_BITS;

/** To the nearest cent, or multiple of cents. @throws ScheduleError when the nearest multiple is nothing */
function toMultiple(amount: Decimal, multiple = 1): number {
  const rounded = roundWhole(amount.div(multiple)) * multiple;
  if (rounded === 0 && multiple > 1) throw new ScheduleError('instalment_multiple_of', 'the instalment is less than half of it');
  return rounded;
}

/**
 * A long month's interest may be more than the instalment: what is missing is then owed too, so that instalments stay alike. Where
 * that would only grow, as at high rates over many years, such an instalment rises to its interest instead.
 */
function amortise(principal: number, course: Course, instalment: number, mayGrow: boolean): Part[] {
  const level = mayGrow ? repay(principal, course, instalment, -Infinity) : undefined;
  if (level?.every((part) => part.principal >= 0) === true) return level;
  const raised = repay(principal, course, instalment, 0) ?? [];
  const offBy = (plan: readonly Part[]): number => Math.abs(lastDue(plan) - instalment);
  return level === undefined || offBy(raised) <= offBy(level) ? raised : level;
}

/** `least`: of principal in an instalment. Undefined when the balance only grows. */
function repay(principal: number, course: Course, instalment: number, least: number): Part[] | undefined {
  const parts: Part[] = [];
  let left = principal;
  const last = course.rates.length - 1;
  for (let index = 0; index <= last; index++) {
    const interest = interestOf(left, course, index);
    // One rounded up may end the loan early.
    const repaid = index === last ? left : Math.min(left, Math.max(least, instalment - interest));
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
