import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { divideRounded, formatScaled, fromMicro, fromSteps, fromTicks, isTyped, notional, parseScaled, rescale, toMicro, toSteps, toTicks, typed, typedAmount } from './decimal.ts';

describe('decimals', () => {
  test('are whole numbers of their unit', () => {
    expect(parseScaled('2.1500', 4)).toBe(21_500n);
    expect(parseScaled('0.07', 2)).toBe(7n);
    expect(parseScaled('-1.5', 2)).toBe(-150n);
    expect(parseScaled('123456789012345678901234.567891', 6)).toBe(123456789012345678901234567891n);
  });

  test('with digits beyond their unit are refused, zeros are not digits', () => {
    expect(parseScaled('2.15001', 4)).toBeUndefined();
    expect(parseScaled('2.150000', 4)).toBe(21_500n);
  });

  test.each(['', '.5', '1.', '1e3', '+1', ' 1', '1,5', 'NaN', '0x10', '--1'])('%j is no decimal', (text) => {
    expect(parseScaled(text, 4)).toBeUndefined();
  });

  test('come back as they went', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), fc.integer({ min: 0, max: 8 }), (value, places) => {
        expect(parseScaled(formatScaled(value, places), places)).toBe(value);
      }),
    );
  });

  test('keep the places that the wire uses', () => {
    expect(fromTicks(21_500)).toBe('2.1500');
    expect(fromSteps(800)).toBe('8');
    expect(fromSteps(825)).toBe('8.25');
    expect(fromMicro(25_125_000_000n)).toBe('25125.00');
    expect([toTicks('2.1500'), toSteps('8.25'), toMicro('0.000001')]).toEqual([21_500, 825, 1n]);
  });

  test('of which a binary float would lose digits do not', () => {
    expect(toMicro('9007199254.740993')).toBe(9_007_199_254_740_993n);
    expect(notional(9_999_999, 99_999_999)).toBe(999_999_890_000_001n);
  });

  test('round half away from zero for display', () => {
    expect(rescale(25n, 1, 0)).toBe(3n);
    expect(rescale(-25n, 1, 0)).toBe(-3n);
    expect(rescale(24n, 1, 0)).toBe(2n);
    expect(rescale(2n, 0, 3)).toBe(2000n);
    expect(divideRounded(7n, 2n)).toBe(4n);
  });
});

describe('numbers as typed', () => {
  test('may have commas between their thousands, and half of one is no mistake yet', () => {
    expect(['', '1', '10,000.5', ' 7 ', '2.', '.5'].every((text) => isTyped(text))).toBe(true);
    expect([typed(' 10,000.5 '), typedAmount('10,000.5')]).toEqual(['10000.5', 10_000_500_000n]);
  });

  test.each(['abc', '1e3', '-5', '1.2.3', '<b>', '0x1', '1/2', '−1'])('%j is none', (text) => {
    expect(isTyped(text)).toBe(false);
  });

  test('are below zero only where that means something, and an amount never is', () => {
    expect([isTyped('-8', true), isTyped('−8', true), isTyped('--8', true)]).toEqual([true, true, false]);
    expect([typedAmount('-7.5'), typedAmount('0'), typedAmount('2.'), typedAmount('0.0000001')]).toEqual([undefined, undefined, undefined, undefined]);
  });
});
