/** The unit of a lone book's prices or quantities: decimals in, whole counts inside, decimals out, nothing lost on the way. */
import type { RejectCode } from '../../engine/catalogue.ts';
import { UNITS_MAX } from '../../engine/book/lone_book.ts';
import { formatUnits } from '../../engine/numbers/units.ts';

const DECIMAL = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?$/;
/** So many digits always fit a number exactly. */
const SHORT = 15;
const ZERO = 48;
const DOT = 46;
const POWERS = Array.from({ length: SHORT + 1 }, (_, exponent) => 10 ** exponent);

export class Unit {
  /** The unit is digits / 10^places. */
  private readonly digits: bigint;
  private readonly places: number;
  private readonly step: number;
  private readonly offGrid: RejectCode;

  /** @throws Error when the size is no positive decimal */
  constructor(size: string, offGrid: RejectCode) {
    const match = DECIMAL.exec(size);
    if (match === null || match[1] !== '' || !/[1-9]/.test(match[2] + (match[3] ?? ''))) throw new Error(`a tick or step must be a positive decimal, got ${JSON.stringify(size)}`);
    const places = (match[3]?.length ?? 0) - Number(match[4] ?? 0);
    this.places = Math.max(0, places);
    this.digits = BigInt(match[2] + (match[3] ?? '')) * 10n ** BigInt(this.places - places);
    this.step = this.digits <= BigInt(UNITS_MAX) ? Number(this.digits) : 0;
    this.offGrid = offGrid;
  }

  /** How many units a decimal is, or why it is none. */
  count(value: unknown): number | RejectCode {
    const text = typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
    const short = this.countShort(text);
    return short >= 0 ? short : this.countExactly(text);
  }

  /** Of a plain decimal with few digits; -1 when it is anything else or off the grid. */
  private countShort(text: string): number {
    let sum = 0;
    let point = -1;
    if (text.length === 0 || text.length > SHORT || (text.length > 1 && text.charCodeAt(0) === ZERO && text.charCodeAt(1) !== DOT)) return -1;
    for (let at = 0; at < text.length; at++) {
      const digit = text.charCodeAt(at) - ZERO;
      if (digit >= 0 && digit <= 9) sum = sum * 10 + digit;
      else if (digit === DOT - ZERO && point < 0 && at > 0 && at < text.length - 1) point = at;
      else return -1;
    }
    const missing = this.places - (point < 0 ? 0 : text.length - point - 1);
    if (missing < 0 || missing > SHORT || this.step === 0) return -1;
    const scaled = sum * POWERS[missing];
    return scaled < UNITS_MAX && scaled % this.step === 0 ? scaled / this.step : -1;
  }

  private countExactly(text: string): number | RejectCode {
    const match = DECIMAL.exec(text);
    if (match === null) return 'invalid_parameter';
    const fraction = match[3] ?? '';
    // value = digits / 10^scale
    const scale = fraction.length - Number(match[4] ?? 0);
    const places = Math.max(this.places, scale, 0);
    const digits = BigInt(match[2] + fraction) * 10n ** BigInt(places - scale);
    const unit = this.digits * 10n ** BigInt(places - this.places);
    if (digits % unit !== 0n) return this.offGrid;
    if (match[1] === '-' && digits > 0n) return 'amount_out_of_range';
    const count = digits / unit;
    return count > BigInt(UNITS_MAX) ? 'amount_out_of_range' : Number(count);
  }

  /** Where a decimal lies, in units: also between two of them, as a reference may. */
  position(value: unknown): number | RejectCode {
    const count = this.count(value);
    if (count !== this.offGrid) return count;
    const [, sign, whole, fraction = '', exponent = '0'] = DECIMAL.exec(String(value)) ?? [];
    if (sign === '-') return 'amount_out_of_range';
    const scale = fraction.length - Number(exponent);
    const places = Math.max(this.places, scale, 0);
    const digits = BigInt(whole + fraction) * 10n ** BigInt(places - scale);
    const unit = this.digits * 10n ** BigInt(places - this.places);
    const below = digits / unit;
    return below >= BigInt(UNITS_MAX) ? 'amount_out_of_range' : Number(below) + Number(digits % unit) / Number(unit);
  }

  format(count: number | bigint): string {
    if (typeof count === 'number') {
      const product = count * this.step;
      if (this.step > 0 && product < UNITS_MAX && this.places <= SHORT) return shortDecimal(product, this.places);
    }
    return formatUnits(BigInt(count) * this.digits, this.places);
  }
}

/** value / 10^places without superfluous zeros. */
function shortDecimal(value: number, places: number): string {
  const power = POWERS[places];
  const whole = Math.floor(value / power);
  let rest = value - whole * power;
  if (rest === 0) return String(whole);
  let width = places;
  while (rest % 10 === 0) {
    rest /= 10;
    width--;
  }
  return `${whole}.${String(rest).padStart(width, '0')}`;
}
