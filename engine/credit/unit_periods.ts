/**
 * How the United States count time in an annual percentage rate (12 CFR 1026 appendix J, (b)(2) to (b)(5)):
 * in unit-periods, the interval that occurs most often, and fractions of one.
 */
import type { Decimal } from 'decimal.js';
import type { Day } from '../numbers/units.ts';
import { addMonths, civilOf, dayOf, daysInMonth, isLastOfMonth } from './dates.ts';
import { Exact } from './exact.ts';

/**
 * `days`: so many days (a week is 7). `months`: so many months, 12 being a year. `semimonth`: half a
 * month. `term`: the whole of a transaction with one advance and one payment; `perYear` says how long.
 */
export type UnitPeriod =
  | { kind: 'days'; length: number; perYear: Decimal }
  | { kind: 'months'; length: number; perYear: Decimal }
  | { kind: 'semimonth'; perYear: Decimal }
  | { kind: 'term'; perYear: Decimal };

/** Full unit-periods and the fraction of one that is left. */
export interface Elapsed {
  full: number;
  fraction: Decimal;
}

const days = (length: number): UnitPeriod => ({
  kind: 'days',
  length,
  perYear: length % 7 === 0 ? new Exact(52).div(length / 7) : new Exact(365).div(length),
});
const months = (length: number): UnitPeriod => ({ kind: 'months', length, perYear: new Exact(12).div(length) });
const SEMIMONTH: UnitPeriod = { kind: 'semimonth', perYear: new Exact(24) };
const YEAR_DAYS = 365;

/**
 * On which day of the month payments fall, or on its last where it is shorter; last days alone are the 31st.
 * ANY_DAY when they fall on several, and of a single payment.
 */
export function dayOfMonthOf(dates: readonly Day[]): number {
  if (dates.length < 2) return ANY_DAY;
  if (dates.every(isLastOfMonth)) return LAST_DAY;
  const latest = Math.max(...dates.map((date) => civilOf(date).day));
  return dates.every((date) => monthsAway(date, 0, latest) === date) ? latest : ANY_DAY;
}
const ANY_DAY = 0;
const LAST_DAY = 31;

/** The day of payment, or else the same day, so many months away. */
function monthsAway(date: Day, months: number, dayOfMonth: number): Day {
  const away = addMonths(date, months);
  if (dayOfMonth === ANY_DAY) return away;
  const { year, month } = civilOf(away);
  return dayOf({ year, month, day: Math.min(dayOfMonth, daysInMonth(year, month)) });
}

/** Whole months that lead from one day to the other, undefined when days are left over. */
export function wholeMonths(from: Day, to: Day, dayOfMonth: number): number | undefined {
  const count = Math.round((to - from) / 30.4375);
  const onDays = dayOfMonth !== ANY_DAY && monthsAway(from, 0, dayOfMonth) === from && monthsAway(from, count, dayOfMonth) === to;
  return onDays || addMonths(from, count) === to || addMonths(to, -count) === from ? count : undefined;
}

/** Both lists ascend; the first advance begins the term. */
export function unitPeriodOf(advances: readonly Day[], payments: readonly Day[]): UnitPeriod {
  const start = advances[0];
  if (advances.length === 1 && payments.length === 1) return singlePaymentUnit(start, payments[0]);
  const intervals = [...intervalsOf(advances), ...intervalsOf([start, ...payments])].filter(([from, to]) => to > from);
  if (isSemimonthly(payments)) return SEMIMONTH;
  return mostFrequent(intervals, dayOfMonthOf(payments)) ?? nearestStandard(intervals);
}

const intervalsOf = (dates: readonly Day[]): [Day, Day][] => dates.slice(1).map((date, index) => [dates[index], date]);

/** (b)(5)(vi) and (vii): the term itself, or a year when it is longer. */
function singlePaymentUnit(start: Day, end: Day): UnitPeriod {
  if (end > addMonths(start, 12)) return months(12);
  const whole = wholeMonths(start, end, ANY_DAY);
  if (whole === 12) return months(12);
  return { kind: 'term', perYear: whole === undefined ? new Exact(YEAR_DAYS).div(end - start) : new Exact(12).div(whole) };
}

/** Every second payment is a month after the other, each about half a month after the one before. */
function isSemimonthly(payments: readonly Day[]): boolean {
  if (payments.length < 4) return false;
  return payments.every((date, index) => {
    const half = index === 0 || (date - payments[index - 1] >= 12 && date - payments[index - 1] <= 18);
    const month = index < 2 || wholeMonths(payments[index - 2], date, LAST_DAY) === 1;
    return half && month;
  }) && !intervalsOf(payments).every(([from, to]) => to - from === payments[1] - payments[0]);
}

/** The interval that occurs most often, the smaller of equally frequent ones; undefined when none occurs twice. */
function mostFrequent(intervals: readonly [Day, Day][], dayOfMonth: number): UnitPeriod | undefined {
  const counts = new Map<string, { unit: UnitPeriod; length: number; count: number }>();
  const count = (key: string, unit: UnitPeriod, length: number): void => {
    const entry = counts.get(key) ?? { unit, length, count: 0 };
    counts.set(key, { ...entry, count: entry.count + 1 });
  };
  for (const [from, to] of intervals) {
    if (to > addMonths(from, 12)) continue;
    count(`days ${to - from}`, days(to - from), to - from);
    const whole = wholeMonths(from, to, dayOfMonth);
    if (whole !== undefined && whole > 0) count(`months ${whole}`, months(whole), whole * 30.4);
  }
  const common = [...counts.values()].filter((entry) => entry.count > 1);
  return common.sort((a, b) => b.count - a.count || a.length - b.length)[0]?.unit;
}

/** The average interval, to the nearest day, week, semimonth, month or multiple; the lower of two equally near. */
function nearestStandard(intervals: readonly [Day, Day][]): UnitPeriod {
  const average = intervals.reduce((sum, [from, to]) => sum + to - from, 0) / intervals.length;
  const standards: { unit: UnitPeriod; length: number }[] = [
    { unit: days(1), length: 1 },
    { unit: SEMIMONTH, length: 15 },
    ...Array.from({ length: 52 }, (_, index) => ({ unit: days(7 * (index + 1)), length: 7 * (index + 1) })),
    ...Array.from({ length: 12 }, (_, index) => ({ unit: months(index + 1), length: index === 11 ? YEAR_DAYS : 30 * (index + 1) })),
  ];
  return standards.sort((a, b) => Math.abs(a.length - average) - Math.abs(b.length - average) || a.length - b.length)[0].unit;
}

/** Unit-periods from `start` to `date`, counted back from the later. */
export function elapsedUnits(unit: UnitPeriod, start: Day, date: Day, dayOfMonth: number): Elapsed {
  switch (unit.kind) {
    case 'term':
      return { full: date === start ? 0 : 1, fraction: new Exact(0) };
    case 'days':
      return split(date - start, unit.length);
    case 'semimonth':
      return split(monthsAndDays(start, date, dayOfMonth, 30), 15);
    case 'months':
      if (unit.length === 12) return elapsedYears(start, date, dayOfMonth);
      return split(monthsAndDays(start, date, dayOfMonth, 30), 30 * unit.length);
  }
}

function split(count: number, length: number): Elapsed {
  return { full: Math.floor(count / length), fraction: new Exact(count % length).div(length) };
}

/** Full months measured back from the later date, each worth `monthDays`, and the days that remain before them. */
function monthsAndDays(start: Day, date: Day, dayOfMonth: number, monthDays: number): number {
  const { full, rest } = monthsBack(start, date, dayOfMonth);
  return full * monthDays + rest;
}

/** Full months back from `date`, and the days from `start` to where they begin. */
export function monthsBack(start: Day, date: Day, dayOfMonth: number): { full: number; rest: number } {
  const whole = wholeMonths(start, date, dayOfMonth);
  if (whole !== undefined) return { full: whole, rest: 0 };
  const back = (count: number): Day => monthsAway(date, -count, dayOfMonth);
  let full = Math.max(0, Math.floor((date - start) / 31) - 1);
  while (back(full + 1) >= start) full += 1;
  return { full, rest: back(full) - start };
}

/** Full years back; what remains counts in twelfths when it is whole months, else in days of 365. */
function elapsedYears(start: Day, date: Day, dayOfMonth: number): Elapsed {
  const { full, rest } = monthsBack(start, date, dayOfMonth);
  const years = Math.floor(full / 12);
  if (rest === 0) return { full: years, fraction: new Exact(full % 12).div(12) };
  const begin = monthsAway(date, -12 * years, dayOfMonth);
  return { full: years, fraction: new Exact(begin - start).div(YEAR_DAYS) };
}
