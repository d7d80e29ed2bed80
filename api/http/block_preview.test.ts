/** A block's preview against every quantity tried one by one. */
import { describe, expect, it } from 'vitest';
import { BUY, FOK, GTC, IOC, SELL } from '../../engine/vocabulary.ts';
import { Random } from '../../engine/simulation/random.ts';
import { walkBlock } from './block_preview.ts';
import type { Terms } from './block_preview.ts';
import type { Maker } from './preview.ts';

const maker = (price: number, quantity: number, more: Partial<Maker> = {}): Maker => ({ price, quantity, slice: quantity, minimum: 0, own: false, ...more });
const block: Terms = { side: BUY, price: 20, quantity: 4, timeInForce: GTC, minimumAcceptanceRatio: 1_000_000 };

describe('walkBlock', () => {
  it('lets a cheap hour pay for a dear one', () => {
    expect(walkBlock(block, [[maker(10, 4)], [maker(30, 4)]])).toEqual({ filled: 8, notional: 160n, worst: 30, resting: 0, refusal: undefined });
    expect(walkBlock(block, [[maker(11, 4)], [maker(30, 4)]])).toEqual({ filled: 0, notional: 0n, worst: 0, resting: 8, refusal: undefined });
  });

  it('takes the same part in every hour, at least its ratio', () => {
    const hours = [[maker(10, 9)], [maker(10, 2)]];
    expect(walkBlock(block, hours).filled).toBe(0);
    expect(walkBlock({ ...block, minimumAcceptanceRatio: 500_000 }, hours)).toMatchObject({ filled: 4, resting: 4 });
    expect(walkBlock({ ...block, minimumAcceptanceRatio: 500_000, timeInForce: IOC }, hours)).toMatchObject({ filled: 4, resting: 0 });
    expect(walkBlock({ ...block, minimumAcceptanceRatio: 0, timeInForce: FOK }, hours)).toMatchObject({ filled: 0, resting: 0 });
  });

  it('passes over its own group, and over a minimum that is not met', () => {
    expect(walkBlock(block, [[maker(5, 4, { own: true }), maker(6, 4, { minimum: 2 }), maker(10, 4)], [maker(10, 4)]])).toMatchObject({ filled: 8, notional: 80n });
  });

  it('offers each hour on its own when it sells and may wait', () => {
    expect(walkBlock({ ...block, side: SELL }, [[maker(25, 1), maker(19, 5)], []])).toEqual({ filled: 1, notional: 25n, worst: 25, resting: 7, refusal: undefined });
  });

  it('finds the largest quantity', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed);
      const side = random.pick([BUY, SELL] as const);
      const hours = Array.from({ length: random.between(2, 4) }, () =>
        Array.from({ length: random.between(0, 4) }, () => maker(random.between(15, 25), random.between(1, 4))).sort((a, b) => (side === BUY ? a.price - b.price : b.price - a.price)));
      const order = { ...block, side, timeInForce: IOC, minimumAcceptanceRatio: 0, quantity: random.between(1, 8) };
      const costOf = (steps: number): number | undefined => {
        const units = hours.map((makers) => makers.flatMap(({ price, quantity }) => Array.from({ length: quantity }, () => price)).slice(0, steps));
        return units.every(({ length }) => length === steps) ? units.flat().reduce((sum, price) => sum + price, 0) : undefined;
      };
      const fits = (steps: number): boolean => {
        const cost = costOf(steps);
        const limit = order.price * steps * hours.length;
        return cost !== undefined && (side === BUY ? cost <= limit : cost >= limit);
      };
      const most = Array.from({ length: order.quantity }, (_, index) => order.quantity - index).find(fits) ?? 0;
      expect([seed, walkBlock(order, hours)]).toEqual([seed, expect.objectContaining({ filled: most * hours.length, notional: BigInt(costOf(most) ?? 0) })]);
    }
  });
});
