import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Unit } from './book_unit.ts';

/** What a unit does, without any short way. */
function naiveCount(text: string, places: number, digits: bigint): bigint | undefined {
  const [whole, fraction = ''] = text.split('.');
  const scale = Math.max(places, fraction.length);
  const value = BigInt(whole + fraction.padEnd(scale, '0'));
  const unit = digits * 10n ** BigInt(scale - places);
  return value % unit === 0n ? value / unit : undefined;
}

const decimal = fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 18n }), fc.nat(8)).map(([value, places]) => {
  const digits = value.toString().padStart(places + 1, '0');
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
});
const size = fc.tuple(fc.integer({ min: 1, max: 5_000 }), fc.nat(8));
const sizeText = (digits: number, places: number): string => (places === 0 ? String(digits) : `${String(digits).padStart(places + 1, '0').slice(0, -places)}.${String(digits).padStart(places + 1, '0').slice(-places)}`);

describe('a unit of price or quantity', () => {
  it('counts every decimal exactly and gives it back', () => {
    fc.assert(fc.property(decimal, size, (text, [digits, places]) => {
      const unit = new Unit(sizeText(digits, places), 'invalid_tick');
      const expected = naiveCount(text, places, BigInt(digits));
      const found = unit.count(text);
      if (expected === undefined) expect(found).toBe('invalid_tick');
      else if (expected > 2n ** 53n) expect(found).toBe('amount_out_of_range');
      else {
        expect(found).toBe(Number(expected));
        const back = unit.format(Number(expected));
        expect(back).toBe(text.includes('.') ? text.replace(/\.?0+$/, '') : text);
      }
    }), { numRuns: 5_000 });
  });

  it('takes numbers and exponents, and nothing that is no decimal', () => {
    const unit = new Unit('0.01', 'invalid_step');
    expect([unit.count(12.5), unit.count('1e2'), unit.count(1e21), unit.count('1e-2'), unit.count('1e-3'), unit.count('-0')]).toEqual([1250, 10_000, 'amount_out_of_range', 1, 'invalid_step', 0]);
    expect(['', '.5', '5.', '+1', '01', '0x1', '1,0', 'NaN', null, true].map((value) => unit.count(value))).toEqual(Array.from({ length: 10 }, () => 'invalid_parameter'));
    expect(unit.count('-1')).toBe('amount_out_of_range');
    expect(() => new Unit('0', 'invalid_step')).toThrow('positive decimal');
  });
});
