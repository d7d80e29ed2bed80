/** When a provider is paid what it has earned. */
import { describe, expect, it } from 'vitest';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../numbers/units.ts';
import { Loan } from '../test/loan.ts';
import { HOUR, World, all, one, usd } from '../test/world.ts';

describe('hours that a loan paid for and nobody used', () => {
  it('are not paid while it is late or frozen, and are once it is given up', () => {
    const world = new Loan();
    const provider = world.provider();
    world.ask(provider, 2.5, 1_000);
    world.bid(world.loan.borrower, 2.5, 1_000);
    world.run({ type: 'tick', now: (HOUR + 1) * MILLIS_PER_HOUR });
    world.run({ type: 'endHour', hour: HOUR, pending: [] });
    const paid = (day: number): number => all(world.days(day).events, 'payoutMade').filter(({ company }) => company === provider).reduce((sum, { amount }) => sum + amount, 0);
    const due = world.dueDay(1);
    // Past due a day before the thirty are over.
    world.days(due);
    expect([paid(due + 40), paid(due + 179)]).toEqual([0, 0]);
    // 2,500 CR at 0.62, less a maker's 0.2 %.
    expect(paid(due + 187)).toBe(usd(1_546.9));
    expect([world.view.state, world.broken]).toEqual(['written_off', []]);
  });
});

describe('a credit that is worth thousands of dollars', () => {
  it('is paid at that rate', () => {
    const world = new World();
    expect(world.run({ type: 'setMoneyRules', company: world.company('operator'), redemptionRate: usd(3_000), spreadMinimum: 0, conversionRate: 300 }).rejected).toBeUndefined();
    const provider = world.provider();
    world.ask(provider, 2, 1);
    world.bid(world.buyer(10_000), 2, 1);
    world.run({ type: 'tick', now: (HOUR + 1) * MILLIS_PER_HOUR });
    world.run({ type: 'endHour', hour: HOUR, pending: [] });
    world.run({ type: 'tick', now: (HOUR + 1) * MILLIS_PER_HOUR + 7 * MILLIS_PER_DAY });
    // 2 CR at 3,000 USD, less a maker's 0.2 %.
    expect(one(world.run({ type: 'payout', company: provider }).events, 'payoutMade').amount).toBe(usd(5_988));
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });
});
