/** Money is kept in millionths of a dollar and asked for in whole cents. */
import { divideHalfEven, mulDiv } from '../numbers/muldiv.ts';
import { MICRO_PER_CENT, type Micro } from '../numbers/units.ts';

const CENT = BigInt(MICRO_PER_CENT);

/** So many cents, ties to even. */
export const toCents = (amount: Micro): number => mulDiv(amount, 1, MICRO_PER_CENT);

export const inWholeCents = (amount: Micro): Micro => toCents(amount) * MICRO_PER_CENT;
export const floorToCent = (amount: Micro): Micro => amount - (amount % MICRO_PER_CENT);

/**
 * The interest that is asked for together with `principal`: what has accrued, to the nearest cent, ties to even. A fraction of a cent in principal
 * is rounded so too, and the interest takes the difference, so that both make whole cents; it is never negative. `accrued` counts micro-USD in `scale`ths.
 */
export function interestAsked(principal: Micro, accrued: bigint, scale: bigint): Micro {
  const asked = Number(divideHalfEven(accrued, scale * CENT)) * MICRO_PER_CENT + inWholeCents(principal) - principal;
  return asked < 0 ? asked + MICRO_PER_CENT : asked;
}
