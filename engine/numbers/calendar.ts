/** Engine time and calendar days. */
import { addMonths as addMonthsToDay } from '../credit/dates.ts';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE, MINUTES_PER_HOUR } from './units.ts';
import type { Day, Hour, Millis } from './units.ts';

export const dayOf = (at: Millis): Day => Math.floor(at / MILLIS_PER_DAY);

/** The same time of day `months` later, on the month's last day where the day does not exist. */
export const addMonths = (at: Millis, months: number): Millis => addMonthsToDay(dayOf(at), months) * MILLIS_PER_DAY + (at % MILLIS_PER_DAY);

/** Full minutes left of the hour a market trades in; 60 before it begins. */
export const minutesLeft = (hour: Hour, now: number): number => {
  // Nearly all orders are for hours to come: they need no division.
  return hour * MILLIS_PER_HOUR >= now ? MINUTES_PER_HOUR : Math.ceil(((hour + 1) * MILLIS_PER_HOUR - now) / MILLIS_PER_MINUTE);
};
