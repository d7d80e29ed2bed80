/** Calendar arithmetic on whole days since 1970-01-01, proleptic Gregorian, without a clock or a time zone. */
import type { Day } from '../numbers/units.ts';

export interface CivilDate {
  year: number;
  /** 1 to 12. */
  month: number;
  /** 1 to 31. */
  day: number;
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const isLeapYear = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

export function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeapYear(year) ? 29 : MONTH_DAYS[month - 1];
}

/** The year is taken to begin in March, so that the leap day is its last (Howard Hinnant's days_from_civil). */
export function dayOf({ year, month, day }: CivilDate): Day {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

export function civilOf(date: Day): CivilDate {
  const shifted = date + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leapDays = Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  };
}

/** The same day of another month, or that month's last day when it is shorter. `months` may be negative. */
export function addMonths(date: Day, months: number): Day {
  const civil = civilOf(date);
  const index = civil.year * 12 + civil.month - 1 + months;
  const year = Math.floor(index / 12);
  const month = index - year * 12 + 1;
  return dayOf({ year, month, day: Math.min(civil.day, daysInMonth(year, month)) });
}

export function isLastOfMonth(date: Day): boolean {
  const { year, month, day } = civilOf(date);
  return day === daysInMonth(year, month);
}

/** The last day of the month that lies `months` away. */
export function lastOfMonth(date: Day, months = 0): Day {
  const civil = civilOf(date);
  const { year, month } = civilOf(addMonths(dayOf({ ...civil, day: 1 }), months));
  return dayOf({ year, month, day: daysInMonth(year, month) });
}

/** Parses `YYYY-MM-DD`; undefined when there is no such day. No calendar has a year 0. */
export function parseDate(text: string): Day | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  return dayOf({ year, month, day });
}

export function formatDate(date: Day): string {
  const { year, month, day } = civilOf(date);
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}
