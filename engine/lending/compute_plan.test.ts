/** What use is held against: a plan of compute by month, or the commitment spread over its months. */
import { describe, expect, it } from 'vitest';
import { civilOf } from '../credit/dates.ts';
import { MILLIS_PER_DAY } from '../numbers/units.ts';
import { APPLICATION, World, usd } from '../test/world.ts';

const START = Date.UTC(2027, 0, 15, 8);
const DAY = Math.floor(START / MILLIS_PER_DAY);

function market(computePlan?: number[]): { world: World; borrower: number } {
  const world = new World(START);
  const lender = world.company('lender');
  const borrower = world.company('borrower');
  world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(5_000_000), minimumAnnualRate: 50_000 });
  world.run({ type: 'applyFacility', company: borrower, amount: usd(200_000), months: 6, method: 'annuity', application: computePlan === undefined ? APPLICATION : { ...APPLICATION, computePlan } });
  world.run({ type: 'acceptFacility', company: borrower, facility: 0 });
  return { world, borrower };
}
const plannedUse = (world: World): number => world.engine.query('facility', { facility: 0 })?.plannedUse ?? 0;

describe('a plan of compute by month', () => {
  it('is what use is held against, month by month', () => {
    const { world } = market([usd(36_500), usd(73_000)]);
    const planned = (days: number): number => {
      world.run({ type: 'tick', now: START + days * MILLIS_PER_DAY });
      return plannedUse(world);
    };
    expect(civilOf(DAY + 31)).toMatchObject({ month: 2, day: 15 });
    expect(planned(31)).toBe(usd(36_000));
    // 20 days of the first month, 10 of the second.
    expect(planned(41)).toBe(usd(20 * 1_200 + 10 * 2_400));
    expect(planned(120)).toBe(usd(72_000));
  });

  it('absent, the commitment is spread over the months', () => {
    expect(plannedUse(market().world)).toBe(Math.round((usd(200_000) * 360) / (6 * 365)));
  });

  it('of more than a number is refused', () => {
    const { world, borrower } = market();
    const ask = (computePlan: number[]) =>
      world.run({ type: 'applyFacility', company: borrower, amount: usd(100_000), months: 6, method: 'annuity', application: { ...APPLICATION, computePlan } }).rejected;
    expect(ask([-1])).toBe('amount_out_of_range');
    expect(ask([0.5])).toBe('amount_out_of_range');
    expect(ask(Array.from({ length: 61 }, () => 1))).toBe('amount_out_of_range');
    expect(ask([0, usd(1)])).toBeUndefined();
  });
});
