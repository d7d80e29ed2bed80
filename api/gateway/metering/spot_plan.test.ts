import { describe, expect, test } from 'vitest';
import { MICRO_GPU_SECONDS_PER_STEP } from '../../../engine/numbers/units.ts';
import { planPurchase } from './spot_plan.ts';

const asks = (...rows: [company: number, price: number, remaining: number][]) => rows.map(([company, price, remaining]) => ({ company, price, remaining }));
const steps = (count: number) => count * MICRO_GPU_SECONDS_PER_STEP;
const any = () => true;

describe('what is bought for a request', () => {
  test.each([
    ['one step at least', asks([1, 20, 100]), 1, 1, { quantity: 1, limit: 20, cost: 20 }],
    ['a part of a step is a step', asks([1, 20, 100]), steps(2) + 1, steps(2) + 1, { quantity: 3, limit: 20, cost: 60 }],
    ['for several requests together', asks([1, 20, 100]), steps(1), steps(7), { quantity: 7, limit: 20, cost: 140 }],
    ['small asks before one that holds it are bought too', asks([1, 20, 1], [2, 21, 1], [3, 30, 9]), steps(3), steps(3), { quantity: 5, limit: 30, cost: 131 }],
    ['several asks may hold several requests', asks([1, 20, 2], [2, 21, 5]), steps(2), steps(4), { quantity: 4, limit: 21, cost: 82 }],
    ['as much as there is, when it holds one', asks([1, 20, 2]), steps(2), steps(9), { quantity: 2, limit: 20, cost: 40 }],
    ['nothing when no ask holds it', asks([1, 20, 2], [2, 20, 2]), steps(3), steps(3), undefined],
    ['nothing from an empty book', [], 1, 1, undefined],
  ])('%s', (_, book, worst, total, plan) => {
    expect(planPurchase(book, worst, total, any)).toEqual(plan);
  });

  test('nothing behind an ask that will not do: it would be bought first', () => {
    const book = asks([1, 20, 1], [2, 20, 50]);
    expect(planPurchase(book, 1, 1, ({ company }) => company === 2)).toBeUndefined();
    expect(planPurchase(book, 1, steps(5), ({ company }) => company === 1)).toEqual({ quantity: 1, limit: 20, cost: 20 });
  });
});
