/**
 * The exact numbers of the market.
 *
 * Inside the engine a price is a count of ticks, a quantity a count of steps and money a count of
 * micro-units, all of them integers within JavaScript's safe range. One tick times one step is
 * exactly one micro-credit, so a notional needs no rounding. Decimal strings exist only at the edge.
 */

declare const unit: unique symbol;
type Nominal<Name extends string> = number & { readonly [unit]?: Name };

/** 1e-6 of a unit of money: micro-CR or micro-USD, by context. */
export type Micro = Nominal<'micro'>;
/** 0.0001 CR per GPU-hour. */
export type Ticks = Nominal<'ticks'>;
/** 0.01 GPU-hour. */
export type Steps = Nominal<'steps'>;
/** 1e-6 GPU-second. */
export type MicroGpuSeconds = Nominal<'micro-gpu-seconds'>;
/** Milliseconds since 1970-01-01T00:00Z, engine time. */
export type Millis = Nominal<'millis'>;
/** Hours since 1970-01-01T00Z; names a delivery hour. */
export type Hour = Nominal<'hour'>;
/** Days since 1970-01-01. */
export type Day = Nominal<'day'>;
/** Parts per million: rates and fractions. */
export type Ppm = Nominal<'ppm'>;

export const MICRO = 1_000_000;
export const MICRO_PER_CENT = 10_000;
export const TICKS_PER_CREDIT = 10_000;
export const STEPS_PER_GPU_HOUR = 100;
export const MINUTES_PER_HOUR = 60;
export const MILLIS_PER_MINUTE = 60_000;
export const MILLIS_PER_HOUR = 3_600_000;
export const MILLIS_PER_DAY = 86_400_000;
/** One step is 0.01 GPU-hour = 36 GPU-seconds. */
export const MICRO_GPU_SECONDS_PER_STEP = 36_000_000;

/** Largest accepted values (CREDIT.md section 3); beyond them `amount_out_of_range`. */
export const PRICE_TICKS_MAX: Ticks = 1_000 * TICKS_PER_CREDIT;
export const QUANTITY_STEPS_MAX: Steps = 1_000_000 * STEPS_PER_GPU_HOUR;
export const NOTIONAL_MICRO_MAX: Micro = 1_000_000_000 * MICRO;
export const FACILITY_MICRO_MAX: Micro = 1_000_000_000 * MICRO;
/** No ledger account may leave +-9e15. */
export const ACCOUNT_MICRO_MAX: Micro = 9_000_000_000_000_000;

/** What a parser returns instead of a number: the engine refuses it in its place of the precedence. */
export const NOT_A_MULTIPLE = -2;
export const OUT_OF_RANGE = -3;

const DECIMAL = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/;
/** More than any largest value has: text may be of any length, and is not reckoned with before it is known to fit. */
const WHOLE_DIGITS_MAX = 30;

/** True for the one form in which an amount may arrive: plain digits, no sign, no exponent. */
export function isDecimal(text: string): boolean {
  return DECIMAL.test(text);
}

/**
 * Parses a decimal string into a whole number of units of 10^-places.
 * @returns the count; NOT_A_MULTIPLE when digits remain beyond `places`; OUT_OF_RANGE when above `max`.
 * @throws RangeError when the text is not a decimal (validate the shape at the edge first).
 */
export function parseUnits(text: string, places: number, max: number = Number.MAX_SAFE_INTEGER): number {
  const match = DECIMAL.exec(text);
  if (match === null) throw new RangeError(`not a decimal: ${JSON.stringify(text.slice(0, 40))}`);
  const fraction = match[2] ?? '';
  if (/[1-9]/.test(fraction.slice(places))) return NOT_A_MULTIPLE;
  if (match[1].length > WHOLE_DIGITS_MAX) return OUT_OF_RANGE;
  const digits = BigInt(match[1] + fraction.slice(0, places).padEnd(places, '0'));
  return digits > BigInt(max) ? OUT_OF_RANGE : Number(digits);
}

export const parseTicks = (text: string): number => parseUnits(text, 4, PRICE_TICKS_MAX);
export const parseSteps = (text: string): number => parseUnits(text, 2, QUANTITY_STEPS_MAX);
export const parseMicro = (text: string): number => parseUnits(text, 6, ACCOUNT_MICRO_MAX);

/** Formats a whole number of units of 10^-places without exponent or superfluous zeros; `minimum` places are kept. */
export function formatUnits(value: number | bigint, places: number, minimum = 0): string {
  const negative = value < 0;
  const digits = (negative ? -BigInt(value) : BigInt(value)).toString().padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  let fraction = places === 0 ? '' : digits.slice(-places);
  while (fraction.length > minimum && fraction.endsWith('0')) fraction = fraction.slice(0, -1);
  return (negative ? '-' : '') + whole + (fraction === '' ? '' : '.' + fraction);
}

export const formatTicks = (ticks: number): string => formatUnits(ticks, 4, 4);
export const formatSteps = (steps: number): string => formatUnits(steps, 2);
export const formatMicro = (micro: number | bigint): string => formatUnits(micro, 6, 2);
