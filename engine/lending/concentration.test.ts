/** At most the larger of 40 % of what a facility has spent in thirty days and 5 % of its commitment goes to one provider group, whatever buys it. */
import { describe, expect, it } from 'vitest';
import { MICRO } from '../numbers/units.ts';
import { BUY, FOK, IOC, MARKET, NONE } from '../vocabulary.ts';
import { Loan } from '../test/loan.ts';
import { HOUR, all, gpuHours, one, price, usd } from '../test/world.ts';
import type { Result } from '../test/world.ts';

/** 50,000 USD of the million: 75,000 CR. */
const MOST = 31_250;

function market(): { world: Loan; borrower: number; much: number; other: number } {
  const world = new Loan();
  return { world, borrower: world.loan.borrower, much: world.provider(400_000, 'much'), other: world.provider(400_000, 'other') };
}
const bought = ({ events }: Result): number[] => all(events, 'fill').map(({ quantity }) => quantity);

describe('what one provider group may have of a facility', () => {
  it('is not passed by one large purchase', () => {
    const { world, borrower, much, other } = market();
    world.ask(much, 2.4, 60_000);
    expect(bought(world.bid(borrower, 2.4, 40_000))).toEqual([gpuHours(MOST)]);
    // What is left of the bid waits beside the ask, and meets others.
    expect(world.broken).toEqual([]);
    expect(bought(world.ask(other, 2.4, 5_000))).toEqual([gpuHours(5_000)]);
    expect(world.bid(borrower, 2.4, 1).rejected).toBe('concentration');
    expect(world.broken).toEqual([]);
  });

  it('is not passed by an ask that meets what waits, alone or in many orders', () => {
    const { world, borrower, much } = market();
    for (let bid = 0; bid < 4; bid++) world.bid(borrower, 2.4, 10_000);
    expect(bought(world.ask(much, 2.4, 60_000)).reduce((sum, quantity) => sum + quantity, 0)).toBe(gpuHours(MOST));
    expect(world.broken).toEqual([]);
  });

  it('is foreseen by orders that execute whole or not at all, by minimum quantities and by post-only', () => {
    const { world, borrower, much, other } = market();
    world.ask(much, 2.4, 60_000);
    expect(bought(world.bid(borrower, 2.4, 40_000, { timeInForce: FOK }))).toEqual([]);
    expect(world.bid(borrower, 2.4, 40_000, { minimumQuantity: gpuHours(35_000) }).rejected).toBe('minimum_quantity');
    expect(bought(world.bid(borrower, 2.4, 40_000, { timeInForce: IOC, minimumQuantity: gpuHours(MOST) }))).toEqual([gpuHours(MOST)]);
    world.ask(other, 2.4, 10_000);
    expect(bought(world.bid(borrower, 2.4, 10_000, { timeInForce: FOK }))).toEqual([gpuHours(10_000)]);
    expect(world.broken).toEqual([]);
  });

  it('is 40 % of what was spent once that is more, and grows with what others get', () => {
    const { world, borrower, much, other } = market();
    const third = world.provider(400_000, 'third');
    for (let hour = HOUR; hour < HOUR + 3; hour++) {
      world.ask(much, 2, 100_000, { hour });
      world.ask(other, 2.1, 100_000, { hour });
      world.ask(third, 2.2, 100_000, { hour });
    }
    world.days(0);
    for (let count = 0; count < 6; count++) world.bid(borrower, 2.2, 20_000, { hour: HOUR + (count % 3), orderType: MARKET, timeInForce: IOC });
    const spent = new Map<number, number>();
    for (const { provider, credits } of world.engine.query('allocations', { company: borrower })) spent.set(provider, (spent.get(provider) ?? 0) + credits / 1.5);
    const total = [...spent.values()].reduce((sum, amount) => sum + amount, 0);
    expect(total).toBeGreaterThan(125_000 * 1e6);
    for (const amount of spent.values()) expect(amount).toBeLessThanOrEqual(Math.max(0.4 * total, 50_000 * 1e6) + 1);
    expect(world.broken).toEqual([]);
  });

  it('was passed by the purchase that reached it before rules version 9', () => {
    const { world, borrower, much } = market();
    world.engine.rulesVersion = 8;
    world.ask(much, 2.4, 60_000);
    expect(bought(world.bid(borrower, 2.4, 40_000))).toEqual([gpuHours(40_000)]);
    expect(world.bid(borrower, 2.4, 1).rejected).toBe('concentration');
  });

  it('holds in a call, which those sit out that together might pass it, each alone not', () => {
    const { world, borrower, much, other } = market();
    const call = (mode: 'auction' | 'open'): Result => world.run({ type: 'setTradingMode', company: world.company('operator', mode), class: NONE, market: 0, hour: NONE, mode, reason: 'test' });
    world.ask(other, 2.4, 100);
    world.bid(borrower, 1, 10);
    call('auction');
    for (let bid = 0; bid < 5; bid++) world.bid(borrower, 2.4, 10_000);
    world.ask(much, 2.4, 60_000);
    expect(bought(call('open')).reduce((sum, quantity) => sum + quantity, 0)).toBe(gpuHours(MOST + 100));
    expect(world.broken).toEqual([]);
  });

  it('is looked for by an order that was amended to reach it', () => {
    const { world, borrower, much } = market();
    const { order } = one(world.bid(borrower, 2, 10_000).events, 'orderAccepted');
    world.ask(much, 2.4, 60_000);
    expect(bought(world.run({ type: 'amend', company: borrower, order, price: price(2.4), quantity: gpuHours(40_000) }))).toEqual([gpuHours(MOST)]);
    expect(world.broken).toEqual([]);
  });

  it('holds for a block that meets icebergs, whose slices let others sell before', () => {
    const { world, borrower, much, other } = market();
    const block = (quantity: number): Result =>
      world.run({
        type: 'placeBlock', company: borrower, market: 0, fromHour: HOUR, toHour: HOUR + 2, side: BUY, price: price(2.4), quantity: gpuHours(quantity), timeInForce: FOK,
        minimumAcceptanceRatio: MICRO, model: NONE, clientOrderId: '',
      });
    world.ask(much, 2.4, 40_000, { displayQuantity: gpuHours(1_000) });
    world.ask(other, 2.4, 20_000);
    world.ask(other, 2.4, 40_000, { hour: HOUR + 1 });
    // 1,000 of the iceberg, all 20,000 of the other group, 8,000 of the iceberg: so the other group has too little left for the second hour.
    expect(bought(block(29_000))).toEqual([]);
    expect(bought(block(15_000))).toEqual([gpuHours(1_000), gpuHours(14_000), gpuHours(15_000)]);
    expect(world.broken).toEqual([]);
  });

  it('leaves credit that was paid for free', () => {
    const { world, borrower, much } = market();
    world.ask(much, 2.4, 60_000);
    world.bid(borrower, 2.4, 31_250, { timeInForce: IOC });
    world.run({ type: 'returnCredits', company: borrower, facility: world.loan.facility, lot: 0, credits: world.engine.query('lots', { company: borrower })[0].available });
    world.run({ type: 'deposit', company: borrower, amount: usd(10_000), reference: '' });
    world.run({ type: 'prepay', company: borrower, amount: usd(10_000) });
    expect(bought(world.bid(borrower, 2.4, 6_000))).toEqual([gpuHours(6_000)]);
    expect(world.broken).toEqual([]);
  });

  it('ends at the price of a step, not at a fraction', () => {
    const { world, borrower, much } = market();
    world.ask(much, 2.3333, 60_000);
    const [quantity] = bought(world.bid(borrower, 2.3333, 40_000));
    expect(quantity).toBe(Math.floor(75_000 * 1e6 / price(2.3333)));
    expect(world.broken).toEqual([]);
  });
});
