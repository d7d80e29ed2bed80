import { describe, expect, it } from 'vitest';
import { BUYER_FEE_MAX, FEE_SCALE } from '../parameters.ts';
import { Random } from '../simulation/random.ts';
import { feeFloor, feeRest, requiredHold } from './holds.ts';

const random = new Random(1);
const whole = (limit: number): number => Math.floor(random.next() * limit);

/** By whole numbers of any length. */
function exactHold(notional: number, floor: number, fraction: number, charged: number): number {
  const scale = BigInt(FEE_SCALE);
  const exact = BigInt(floor) * scale + BigInt(fraction) + BigInt(notional) * BigInt(BUYER_FEE_MAX);
  return Number(BigInt(notional) + (exact + scale - 1n) / scale - BigInt(charged));
}

describe('what a bid holds', () => {
  it('covers its notional and the highest fee to the unit, whatever fees came before', () => {
    for (let round = 0; round < 50_000; round++) {
      const notional = whole(10 ** whole(16));
      const [floor, fraction, charged] = [whole(1e9), whole(4) === 0 ? 0 : whole(FEE_SCALE), whole(1e9)];
      expect(requiredHold(notional, floor, fraction, charged)).toBe(exactHold(notional, floor, fraction, charged));
    }
  });

  it('splits a fee into a whole and a rest without loss', () => {
    for (let round = 0; round < 50_000; round++) {
      const [amount, rate] = [whole(10 ** whole(16)), whole(100_000)];
      const floor = feeFloor(amount, rate);
      expect(BigInt(floor) * BigInt(FEE_SCALE) + BigInt(feeRest(amount, rate, floor))).toBe(BigInt(amount) * BigInt(rate));
    }
  });
});
