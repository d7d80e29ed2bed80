/** Decimal arithmetic of the money rules: 40 significant digits, ties to even, whatever others configure. */
import { Decimal } from 'decimal.js';

export const Exact = Decimal.clone({ precision: 40, rounding: Decimal.ROUND_HALF_EVEN, toExpNeg: -30, toExpPos: 40 });
export type Exact = Decimal;

export const ZERO = new Exact(0);
export const ONE = new Exact(1);

/** The nearest whole number, ties to even. */
export const roundWhole = (value: Decimal): number => value.toDecimalPlaces(0, Decimal.ROUND_HALF_EVEN).toNumber();

/** `value` as a percentage with at least two and at most six places: 0.1145098 -> "11.45098". */
export function formatPercent(value: Decimal): string {
  const [whole, fraction = ''] = value.times(100).toDecimalPlaces(6).toFixed().split('.');
  return `${whole}.${fraction.padEnd(2, '0')}`;
}

/** A number that is known exactly: rates of periods, whose decimals need not end. */
export interface Fraction {
  numerator: bigint;
  /** Above zero. */
  denominator: bigint;
}

export const fractionOf = (value: Decimal): Fraction => {
  const places = value.decimalPlaces();
  return { numerator: BigInt(value.times(new Exact(10).pow(places)).toFixed()), denominator: 10n ** BigInt(places) };
};

export const whole = (value: number | bigint): Fraction => ({ numerator: BigInt(value), denominator: 1n });

export const sum = (a: Fraction, b: Fraction): Fraction => ({
  numerator: a.numerator * b.denominator + b.numerator * a.denominator, denominator: a.denominator * b.denominator,
});
export const difference = (a: Fraction, b: Fraction): Fraction => sum(a, { numerator: -b.numerator, denominator: b.denominator });

export const timesRatio = ({ numerator, denominator }: Fraction, over: number, under: number): Fraction => ({
  numerator: numerator * BigInt(over), denominator: denominator * BigInt(under),
});
