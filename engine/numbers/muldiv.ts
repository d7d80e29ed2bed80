/**
 * Exact integer multiplication and division with one rounding at the end.
 * Every amount x rate of the ledger goes through here; tested against decimal.js.
 */

const SAFE = Number.MAX_SAFE_INTEGER;

/**
 * round(a x b / c) with ties to even; a, b >= 0 and c > 0 are safe integers.
 * The product stays in double arithmetic while it is exact, else it goes through BigInt.
 */
export const mulDiv = (a: number, b: number, c: number): number => {
  const product = a * b;
  return product <= SAFE ? halfEven(product, c) : mulDivSplit(a, b, c);
};

/** round(product / c) with ties to even, of an exact product. */
const halfEven = (product: number, c: number): number => {
  const quotient = Math.floor(product / c);
  const twice = 2 * (product - quotient * c);
  if (twice < c) return quotient;
  return twice > c || quotient - 2 * Math.floor(quotient / 2) === 1 ? quotient + 1 : quotient;
};

/** a = q c + r gives a b / c = q b + r b / c: two products, of which either is seldom beyond the exact range. */
function mulDivSplit(a: number, b: number, c: number): number {
  const wholes = Math.floor(a / c);
  const whole = wholes * b;
  const part = (a - wholes * c) * b;
  if (whole > SAFE / 2 || part > SAFE || c > SAFE / 2) return mulDivBig(a, b, c);
  const quotient = Math.floor(part / c);
  const twice = 2 * (part - quotient * c);
  const sum = whole + quotient;
  if (twice < c) return sum;
  return twice > c ? sum + 1 : sum + (sum % 2);
}

const mulDivBig = (a: number, b: number, c: number): number => Number(divideHalfEven(BigInt(a) * BigInt(b), BigInt(c)));

/** round(numerator / denominator) with ties to even; numerator >= 0 and denominator > 0. */
export function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = 2n * (numerator - quotient * denominator);
  return twice > denominator || (twice === denominator && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
}

/** floor(a x b / c) under the conditions of mulDiv. */
export function mulDivFloor(a: number, b: number, c: number): number {
  const product = a * b;
  if (product <= SAFE) return Math.floor(product / c);
  return Number((BigInt(a) * BigInt(b)) / BigInt(c));
}

/** ceil(a x b / c) under the conditions of mulDiv. */
export function mulDivCeil(a: number, b: number, c: number): number {
  const product = a * b;
  if (product <= SAFE) return Math.ceil(product / c);
  const divisor = BigInt(c);
  return Number((BigInt(a) * BigInt(b) + divisor - 1n) / divisor);
}

export function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
