/** Names of instruments, and where a delivery hour stands in its life. Nothing here is stored: hours are computed. */
import { PARAMETERS } from '../../engine/parameters.ts';
import { MILLIS_PER_HOUR } from '../../engine/units.ts';

/** A book of the exchange: a market (class and region) and a delivery hour. */
export interface Instrument {
  readonly id: string;
  readonly market: number;
  readonly hour: number;
}

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

/** The hour part of an instrument's name: 20261201T14Z. */
export function hourName(hour: number): string {
  const iso = new Date(hour * MILLIS_PER_HOUR).toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}T${iso.slice(11, 13)}Z`;
}

const ID = /^([A-Za-z0-9-]{1,64})\.([a-z0-9-]{1,64})\.([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})Z$/;

/** The parts of an instrument's name, undefined when it is not the one way to write it. */
export function parseInstrumentId(id: string): { className: string; regionName: string; hour: number } | undefined {
  const match = ID.exec(id);
  if (match === null) return undefined;
  const [, className, regionName, year, month, day, hourOfDay] = match;
  const hour = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hourOfDay)) / MILLIS_PER_HOUR;
  return hour >= 0 && id.endsWith(hourName(hour)) ? { className, regionName, hour } : undefined;
}

export const timeOf = (millis: number): string => new Date(millis).toISOString();
export const hourStart = (hour: number): string => timeOf(hour * MILLIS_PER_HOUR);
