/**
 * Exact numbers. The wire carries decimal strings; here they are whole numbers of ticks, steps and
 * micro-units. A tick times a step is one micro-credit, so a notional needs no rounding. Prices and
 * quantities of one order fit a JavaScript integer; products and sums are BigInt.
 */

/** Decimal places of a price (CR per GPU-hour), a quantity (GPU-hours) and an amount (CR, USD). */
export const PRICE_PLACES = 4;
export const QUANTITY_PLACES = 2;
export const AMOUNT_PLACES = 6;
export const MICRO = 1_000_000n;

const DECIMAL = /^(-?)([0-9]{1,30})(?:\.([0-9]{1,30}))?$/;

/** Whole number of units of 10^-places; undefined when the text is no decimal or has digits beyond `places`. */
export function parseScaled(text: string, places: number): bigint | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const fraction = match[3] ?? '';
  if (/[1-9]/.test(fraction.slice(places))) return undefined;
  const digits = BigInt(match[2] + fraction.slice(0, places).padEnd(places, '0'));
  return match[1] === '-' ? -digits : digits;
}

/** A number as people type it, with or without commas between its thousands, as the wire wants it. */
export const typed = (text: string): string => text.trim().replaceAll(',', '');

const TYPED = /^\d*\.?\d*$/;
/** Whether what stands there can become a number; half of one can. */
export function isTyped(text: string, signed = false): boolean {
  const digits = typed(text);
  return TYPED.test(signed ? digits.replace(/^[-−]/, '') : digits);
}

/** Millionths of an amount as typed; undefined while it is none, or none above zero. */
export function typedAmount(text: string): bigint | undefined {
  const micro = parseScaled(typed(text), AMOUNT_PLACES);
  return micro === undefined || micro <= 0n ? undefined : micro;
}

/** The shortest decimal string that keeps at least `minimum` places. */
export function formatScaled(value: bigint | number, places: number, minimum = 0): string {
  const exact = BigInt(value);
  const digits = (exact < 0n ? -exact : exact).toString().padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  let fraction = places === 0 ? '' : digits.slice(-places);
  while (fraction.length > minimum && fraction.endsWith('0')) fraction = fraction.slice(0, -1);
  return `${exact < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Rounds half away from zero to fewer places; for display only. */
export function rescale(value: bigint, from: number, to: number): bigint {
  if (to >= from) return value * 10n ** BigInt(to - from);
  return divideRounded(value, 10n ** BigInt(from - to));
}

/** value / by, half away from zero; for display only. */
export function divideRounded(value: bigint, by: bigint): bigint {
  const half = by / 2n;
  return value < 0n ? -((-value + half) / by) : (value + half) / by;
}

/** value / by, rounded up; both positive. */
export const divideUp = (value: bigint, by: bigint): bigint => (value + by - 1n) / by;

/** A decimal of the wire as an integer; what the server sent is trusted to have the right places. */
function wireInteger(text: string, places: number): number {
  const scaled = parseScaled(text, places);
  if (scaled === undefined) throw new RangeError(`not a decimal of ${places} places: ${text}`);
  return Number(scaled);
}
export const toTicks = (text: string): number => wireInteger(text, PRICE_PLACES);
export const toSteps = (text: string): number => wireInteger(text, QUANTITY_PLACES);
export function toMicro(text: string): bigint {
  const scaled = parseScaled(text, AMOUNT_PLACES);
  if (scaled === undefined) throw new RangeError(`not an amount: ${text}`);
  return scaled;
}

/** The price of a tick and the quantity of a step of the wire, read without BigInt: a book reads thousands a second. */
export const bookTicks = (text: string): number => shortInteger(text, PRICE_PLACES);
export const bookSteps = (text: string): number => shortInteger(text, QUANTITY_PLACES);

const SHORT = /^(\d{1,9})(?:\.(\d{1,4}))?$/;
function shortInteger(text: string, places: number): number {
  const match = SHORT.exec(text);
  const fraction = match?.[2] ?? '';
  if (match === null || fraction.length > places) return wireInteger(text, places);
  return Number(match[1] + fraction.padEnd(places, '0'));
}

export const fromTicks = (ticks: number | bigint): string => formatScaled(ticks, PRICE_PLACES, PRICE_PLACES);
export const fromSteps = (steps: number | bigint): string => formatScaled(steps, QUANTITY_PLACES);
export const fromMicro = (micro: bigint): string => formatScaled(micro, AMOUNT_PLACES, 2);

/** Micro-credits of a price times a quantity, exact. */
export const notional = (ticks: number, steps: number): bigint => BigInt(ticks) * BigInt(steps);
