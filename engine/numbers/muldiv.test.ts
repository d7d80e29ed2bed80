import { describe, expect, it } from 'vitest';
import { Random } from '../simulation/random.ts';
import { divideHalfEven, mulDiv } from './muldiv.ts';

const random = new Random(1);
/** A whole number of up to 2^bits, of any length. */
const whole = (bits: number): number => Math.floor(2 ** (random.next() * bits));

describe('an amount times a rate', () => {
  it('is rounded once, to even, whether its product is exact in a double or not', () => {
    for (let round = 0; round < 100_000; round++) {
      const [a, b, c] = [whole(53), whole(40), whole(30)];
      const exact = divideHalfEven(BigInt(a) * BigInt(b), BigInt(c));
      if (exact <= BigInt(Number.MAX_SAFE_INTEGER)) expect(mulDiv(a, b, c)).toBe(Number(exact));
    }
  });

  it('takes a tie to the even neighbour beyond the exact range too', () => {
    expect(mulDiv(9_000_000_000_000_001, 3, 6)).toBe(4_500_000_000_000_000);
    expect(mulDiv(9_000_000_000_000_003, 3, 6)).toBe(4_500_000_000_000_002);
  });
});
