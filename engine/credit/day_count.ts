/** Day counts: how many days an interest period has, and of what year. The first day counts, the last does not. */
import type { Decimal } from 'decimal.js';
import type { Day } from '../numbers/units.ts';
import { civilOf, daysInMonth } from './dates.ts';
import { Exact } from './exact.ts';

export const DAY_COUNTS = ['30/360', '30E/360', 'ACT/365', 'ACT/360'] as const;
export type DayCount = (typeof DAY_COUNTS)[number];

export const basisOf = (convention: DayCount): number => (convention === 'ACT/365' ? 365 : 360);
export const isActual = (convention: DayCount): boolean => convention.startsWith('ACT/');

/** Days from `from` to `to` by the convention; negative when `to` is earlier. */
export function countDays(convention: DayCount, from: Day, to: Day): number {
  if (isActual(convention)) return to - from;
  const [first, last] = [civilOf(from), civilOf(to)];
  const day1 = Math.min(first.day, 30);
  // Bond basis: the 31st becomes the 30th only when the period begins on the 30th or 31st. European: always.
  const day2 = last.day === 31 && (convention === '30E/360' || day1 === 30) ? 30 : last.day;
  return 360 * (last.year - first.year) + 30 * (last.month - first.month) + day2 - day1;
}

/**
 * A running number of days: the difference of two is what a loan is charged for between them, however many parts it is told in. In months of 30
 * days the 31st adds none. `anchor`: the day of the month on which instalments fall due, which the end of February stands for where it is shorter.
 */
export function dayNumber(convention: DayCount, day: Day, anchor = 0): number {
  if (isActual(convention)) return day;
  const { year, month, day: date } = civilOf(day);
  const stands = month === 2 && date === daysInMonth(year, month) ? Math.max(date, anchor) : date;
  return 360 * year + 30 * month + Math.min(stands, 30);
}

export const yearFraction = (convention: DayCount, from: Day, to: Day): Decimal =>
  new Exact(countDays(convention, from, to)).div(basisOf(convention));
