/** Names of instruments, and where an hour stands in its life. Hours count from 1970-01-01T00Z. */
export interface Instrument {
  id: string;
  class: string;
  region: string;
  /** Delivery hour. */
  hour: number;
}

export const MILLIS_PER_HOUR = 3_600_000;
const MILLIS_PER_MINUTE = 60_000;
/** How far ahead hours are listed. */
export const LISTED_HOURS = 93 * 24;
const GATE_MILLIS = 5 * MILLIS_PER_MINUTE;
const SPOT_END_MILLIS = MILLIS_PER_MINUTE;

const ID = /^([A-Za-z0-9-]+)\.([a-z0-9-]+)\.(\d{4})(\d{2})(\d{2})T(\d{2})Z$/;

const two = (value: number): string => String(value).padStart(2, '0');

export function instrumentId(className: string, region: string, hour: number): string {
  const at = new Date(hour * MILLIS_PER_HOUR);
  const day = `${at.getUTCFullYear()}${two(at.getUTCMonth() + 1)}${two(at.getUTCDate())}`;
  return `${className}.${region}.${day}T${two(at.getUTCHours())}Z`;
}

export function parseInstrument(id: string): Instrument | undefined {
  const match = ID.exec(id);
  if (match === null) return undefined;
  const [, className, region, year, month, day, hourOfDay] = match;
  const hour = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hourOfDay)) / MILLIS_PER_HOUR;
  return instrumentId(className, region, hour) === id ? { id, class: className, region, hour } : undefined;
}

export const makeInstrument = (className: string, region: string, hour: number): Instrument => ({
  id: instrumentId(className, region, hour),
  class: className,
  region,
  hour,
});

/** ahead: forward hour; gate: within five minutes of delivery; spot: delivering and trading; over: no trading any more. */
export type Phase = 'ahead' | 'gate' | 'spot' | 'over' | 'unlisted';

export function phaseOf(hour: number, now: number): Phase {
  const start = hour * MILLIS_PER_HOUR;
  if (now >= start + MILLIS_PER_HOUR - SPOT_END_MILLIS) return 'over';
  if (now >= start) return 'spot';
  if (now >= start - GATE_MILLIS) return 'gate';
  return start <= now + LISTED_HOURS * MILLIS_PER_HOUR ? 'ahead' : 'unlisted';
}

export const hourAt = (now: number): number => Math.floor(now / MILLIS_PER_HOUR);

/** How many delivery hours a block covers. */
export const hoursOfBlock = ({ start_at, end_at }: { start_at: string; end_at: string }): number => Math.max(1, Math.round((Date.parse(end_at) - Date.parse(start_at)) / MILLIS_PER_HOUR));

/** Steps that so many steps of GPUs still are in the running hour, by the full minutes that it has left. */
export const spotSteps = (gpus: number, now: number): number => Math.floor((gpus * Math.floor(((hourAt(now) + 1) * MILLIS_PER_HOUR - now) / MILLIS_PER_MINUTE)) / (MILLIS_PER_HOUR / MILLIS_PER_MINUTE));
