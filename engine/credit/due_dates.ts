/** When a facility's instalments fall due: each counted from acceptance, and moved off days on which no bank works. */
import type { Day } from '../numbers/units.ts';
import { addMonths, civilOf, dayOf, lastOfMonth } from './dates.ts';

export const DUE_DATE_ROLLS = ['none', 'following', 'modified_following', 'preceding'] as const;
export type DueDateRoll = (typeof DUE_DATE_ROLLS)[number];

/** 1970-01-01, day 0, was a Thursday; Monday is 0. */
const weekday = (day: Day): number => (((day + 3) % 7) + 7) % 7;
const isWeekend = (day: Day): boolean => weekday(day) >= 5;

/** The n-th such weekday of a month; n below 0 counts from its end. */
function nthWeekday(year: number, month: number, of: number, n: number): Day {
  const first = dayOf({ year, month, day: 1 });
  if (n > 0) return first + ((of - weekday(first) + 7) % 7) + 7 * (n - 1);
  const last = lastOfMonth(first);
  return last - ((weekday(last) - of + 7) % 7);
}

const MONDAY = 0;
const THURSDAY = 3;
const SUNDAY = 6;

/** The holidays of the Federal Reserve Banks: what falls on a Sunday is kept on Monday, on a Saturday not at all. */
function isHoliday(day: Day): boolean {
  const { year, month, day: date } = civilOf(day);
  const fixed = (holidayMonth: number, holiday: number, since = 0): boolean =>
    year >= since && ((month === holidayMonth && date === holiday) || (weekday(day) === MONDAY && month === holidayMonth && date === holiday + 1 && weekday(day - 1) === SUNDAY));
  return (
    fixed(1, 1) || fixed(6, 19, 2021) || fixed(7, 4) || fixed(11, 11) || fixed(12, 25) ||
    day === nthWeekday(year, 1, MONDAY, 3) || day === nthWeekday(year, 2, MONDAY, 3) || day === nthWeekday(year, 5, MONDAY, -1) ||
    day === nthWeekday(year, 9, MONDAY, 1) || day === nthWeekday(year, 10, MONDAY, 2) || day === nthWeekday(year, 11, THURSDAY, 4)
  );
}

const isBusinessDay = (day: Day): boolean => !isWeekend(day) && !isHoliday(day);

/** Where a due date goes that banks do not work on. */
function rollDate(day: Day, roll: DueDateRoll): Day {
  if (roll === 'none' || isBusinessDay(day)) return day;
  const next = (step: 1 | -1): Day => {
    let found = day;
    while (!isBusinessDay(found)) found += step;
    return found;
  };
  if (roll === 'preceding') return next(-1);
  const following = next(1);
  return roll === 'modified_following' && civilOf(following).month !== civilOf(day).month ? next(-1) : following;
}

/** Due date `number`, from 1, of a loan that began on `start`. */
export const dueDateOf = (start: Day, number: number, roll: DueDateRoll): Day => rollDate(addMonths(start, number), roll);
