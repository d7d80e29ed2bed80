/** Where a delivery hour stands in its life, and the keys of instruments. Nothing here is stored: hours are computed. */
import { PARAMETERS } from '../../engine/parameters.ts';
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';

/**
 * scheduled: not listed yet. open: forward trading. gate_closed: delivery begins within five minutes,
 * trading goes on. spot: the hour is being delivered and traded. closed: its last minute, or over.
 */
export const PHASES = ['scheduled', 'open', 'gate_closed', 'spot', 'closed'] as const;
export type Phase = (typeof PHASES)[number];

const HOURS_LISTED = PARAMETERS.daysListedAhead * 24;
const HOURS = 2 ** 24;

/** One safe integer for an instrument, in the order of listing. */
export const instrumentKey = (market: number, hour: number): number => market * HOURS + hour;
export const marketOfKey = (key: number): number => Math.floor(key / HOURS);
export const hourOfKey = (key: number): number => key % HOURS;

export const hourAt = (now: number): number => Math.floor(now / MILLIS_PER_HOUR);
export const lastListedHour = (now: number): number => hourAt(now) + HOURS_LISTED;

export function phaseOf(hour: number, now: number): Phase {
  const start = hour * MILLIS_PER_HOUR;
  if (now >= start + MILLIS_PER_HOUR - PARAMETERS.spotEndsBefore) return 'closed';
  if (now >= start) return 'spot';
  if (now >= start - PARAMETERS.gateClosure) return 'gate_closed';
  return hour <= lastListedHour(now) ? 'open' : 'scheduled';
}

export const timeOf = (millis: number): string => new Date(millis).toISOString();
export const hourStart = (hour: number): string => timeOf(hour * MILLIS_PER_HOUR);
