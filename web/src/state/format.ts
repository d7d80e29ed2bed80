/** The one module that turns numbers and times into text. Digits are exact; rounding is for display and stated. */
import { AMOUNT_PLACES, formatScaled, parseScaled, PRICE_PLACES, QUANTITY_PLACES, rescale } from './decimal.ts';
import { MILLIS_PER_HOUR } from './instrument.ts';

const MINUS = '−';
/** What stands where there is no value. */
export const NO_VALUE = '–';

/** Thousands apart, a true minus sign, exactly as many places as the text has. */
function group(text: string): string {
  const negative = text.startsWith('-');
  const [whole, fraction] = (negative ? text.slice(1) : text).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${negative ? MINUS : ''}${grouped}${fraction === undefined ? '' : `.${fraction}`}`;
}

const fixed = (value: bigint | number, places: number, shown: number): string =>
  group(formatScaled(rescale(BigInt(value), places, shown), shown, shown));

/** As `fixed`, for what a book shows in every frame: no BigInt, and no grouping below a thousand. */
function quick(value: number, places: number): string {
  const unit = 10 ** places;
  if (value < 0 || value >= 1000 * unit) return fixed(value, places, places);
  const fraction = String(value % unit).padStart(places, '0');
  return `${Math.floor(value / unit)}.${fraction}`;
}

/** Ticks as CR per GPU-hour, four places. */
export const price = (ticks: number | undefined): string => (ticks === undefined ? NO_VALUE : quick(ticks, PRICE_PLACES));
/** Steps as GPU-hours, two places. */
export const quantity = (steps: number | undefined): string => (steps === undefined ? NO_VALUE : quick(steps, QUANTITY_PLACES));
/** Micro-units of CR or USD, two places, or as many as asked. */
export const amount = (micro: bigint | undefined, places = 2): string => (micro === undefined ? NO_VALUE : fixed(micro, AMOUNT_PLACES, places));

/** A decimal string of the wire with its own places, thousands apart. `null` and what is no decimal show as no value. */
export function decimal(text: string | null | undefined, places?: number): string {
  if (text === null || text === undefined) return NO_VALUE;
  if (places === undefined) return /^-?\d+(\.\d+)?$/.test(text) ? group(text) : text;
  const exact = parseScaled(text, 30);
  return exact === undefined ? NO_VALUE : group(formatScaled(rescale(exact, 30, places), places, places));
}
export const money = (text: string | null | undefined): string => decimal(text, 2);

/** 1,234,567.00 as 1.23M; for headers where space is short. */
export function compact(text: string | null | undefined): string {
  if (text === null || text === undefined) return NO_VALUE;
  const exact = parseScaled(text, 30);
  if (exact === undefined) return NO_VALUE;
  const whole = exact / 10n ** 30n;
  const size = whole < 0n ? -whole : whole;
  for (const [limit, power, suffix] of [[10n ** 9n, 39, 'B'], [10n ** 6n, 36, 'M'], [10n ** 4n, 33, 'k']] as const) {
    if (size >= limit) return `${group(formatScaled(rescale(exact, power, 2), 2, 2))}${suffix}`;
  }
  return decimal(text, 2);
}

/** Parts per million as a percentage with two places. */
export const percentOfPpm = (ppm: number): string => `${fixed(Math.round(ppm), 4, 2)} %`;
/** A percentage that arrives as a decimal string. */
export const percent = (text: string | null | undefined): string => (text === null || text === undefined ? NO_VALUE : `${decimal(text)} %`);

/** A fraction of one as a percentage without its sign: `0.5` is `50`. */
export function fraction(text: string): string {
  const exact = parseScaled(text, AMOUNT_PLACES);
  return exact === undefined ? NO_VALUE : formatScaled(exact, AMOUNT_PLACES - 2);
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number): string => String(value).padStart(2, '0');
// One order of day and month, in the language of the page: delivery hours and local times stand side by side.
const dayOf = (local: Date): string => `${two(local.getDate())} ${MONTHS[local.getMonth()]}`;
const minuteOf = (local: Date): string => `${two(local.getHours())}:${two(local.getMinutes())}`;

type Time = string | number | null | undefined;
const dateOf = (time: Time): Date | undefined => {
  if (time === null || time === undefined || time === '') return undefined;
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? undefined : date;
};

/** Local time of day with seconds. */
export const timeOfDay = (time: Time): string => {
  const date = dateOf(time);
  return date === undefined ? NO_VALUE : `${minuteOf(date)}:${two(date.getSeconds())}`;
};
/** Local day and time. */
export const dateTime = (time: Time): string => {
  const date = dateOf(time);
  return date === undefined ? NO_VALUE : `${dayOf(date)}, ${minuteOf(date)}`;
};
const CALENDAR_DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
/** The day and month of a calendar day of the wire, `2026-11-27`. */
export const calendarDay = (text: string): string => text.replace(CALENDAR_DAY, (_, _year, month, date) => `${date} ${MONTHS[Number(month) - 1]}`);
/** Local day of an instant; a calendar day is the same everywhere, also where it begins as the day before. */
export const date = (time: Time): string => {
  if (typeof time === 'string' && CALENDAR_DAY.test(time)) return `${calendarDay(time)} ${time.slice(0, 4)}`;
  const value = dateOf(time);
  return value === undefined ? NO_VALUE : `${dayOf(value)} ${value.getFullYear()}`;
};
/** Local day without its year, for an axis. */
export const dayOnly = (time: Time): string => {
  const value = dateOf(time);
  return value === undefined ? NO_VALUE : dayOf(value);
};
/** Local time of day without seconds, for an axis. */
export const minute = (time: Time): string => {
  const value = dateOf(time);
  return value === undefined ? NO_VALUE : minuteOf(value);
};
/** The same instant in UTC, for a tooltip beside a local time. */
export const utc = (time: Time): string => {
  const value = dateOf(time);
  return value === undefined ? '' : `${value.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
};

/** Delivery hours are UTC: `Tue 01 Dec` and `14:00`. */
export function hourDay(hour: number): string {
  const at = new Date(hour * MILLIS_PER_HOUR);
  return `${WEEKDAYS[at.getUTCDay()]} ${two(at.getUTCDate())} ${MONTHS[at.getUTCMonth()]}`;
}
export const hourTime = (hour: number): string => `${two(new Date(hour * MILLIS_PER_HOUR).getUTCHours())}:00`;
/** `01 Dec 14:00`: without its zone, where a header says UTC. */
export const hourShort = (hour: number): string => `${hourDay(hour).slice(4)} ${hourTime(hour)}`;
/** When a delivery hour begins, as the wire has it: for files. */
export const hourIso = (hour: number | undefined): string => (hour === undefined ? '' : new Date(hour * MILLIS_PER_HOUR).toISOString());
/** When a delivery hour begins where the reader is: what stands beside its UTC. */
export const hourLocal = (hour: number | undefined): string => (hour === undefined ? '' : `${dateTime(hour * MILLIS_PER_HOUR)} local time`);
/** The same in the day's hour alone: `11:00 local`; nothing where local time is UTC. */
export function hourHere(hour: number): string {
  const at = new Date(hour * MILLIS_PER_HOUR);
  return at.getTimezoneOffset() === 0 ? '' : `${minuteOf(at)} local`;
}
export const hourName = (hour: number): string => `${hourDay(hour)} ${hourTime(hour)} UTC`;

const DAYS_ALONE = 30;
/** Milliseconds as `364 d`, `2 d 4 h`, `3 h 12 m`, `4 m 05 s`, `12 s`. */
export function duration(millis: number): string {
  const seconds = Math.max(0, Math.floor(millis / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= DAYS_ALONE * 24) return `${Math.floor(hours / 24)} d`;
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${String(minutes % 60).padStart(2, '0')} m`;
  if (minutes > 0) return `${minutes} m ${String(seconds % 60).padStart(2, '0')} s`;
  return `${seconds} s`;
}

/** A word of the wire for people: `partially_filled` is `Partially filled`. */
export function words(name: string): string {
  const spaced = name.replaceAll('_', ' ').replace(/\bcanceled\b/, 'cancelled');
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

export const count = (value: number): string => group(String(Math.round(value)));

/** A context length as people say it: `128k`, `1M`; exact below a thousand. */
export function tokens(value: number): string {
  if (value < 1000) return String(value);
  const unit = value % 1000 !== 0 && value % 1024 === 0 ? 1024 : 1000;
  const thousands = Math.round(value / unit);
  return thousands >= unit ? `${Math.round(thousands / unit)}M` : `${thousands}k`;
}
