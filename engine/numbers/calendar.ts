/** Engine time and calendar days. */
import { addMonths as addMonthsToDay } from '../credit/dates.ts';
import { MILLIS_PER_DAY } from './units.ts';
import type { Day, Millis } from './units.ts';

export const dayOf = (at: Millis): Day => Math.floor(at / MILLIS_PER_DAY);

/** The same time of day `months` later, on the month's last day where the day does not exist. */
export const addMonths = (at: Millis, months: number): Millis => addMonthsToDay(dayOf(at), months) * MILLIS_PER_DAY + (at % MILLIS_PER_DAY);
