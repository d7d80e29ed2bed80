/** m = 1, rho = 1, s_min = 0: every USD posting is that of a market in which buyers pay providers in cash. */
import { describe, expect, it } from 'vitest';
import { accountNameOf } from './accounts.ts';
import { NONE } from '../commands.ts';
import type { EngineEvent } from '../events.ts';
import { HOUR, World, gpuHours, one, postings, usd } from '../test/world.ts';

const USD = ['cash.', 'credit.backing', 'spread.deferred', 'unapplied', 'provider.', 'commission.', 'income.', 'expense.'];

function inUsd(events: EngineEvent[]): Record<string, number> {
  return Object.fromEntries(Object.entries(postings(events, accountNameOf)).filter(([name]) => USD.some((prefix) => name.startsWith(prefix))));
}

describe('a market of plain cash', () => {
  it('takes money in, charges fees, pays at delivery and gives back what is left, posting by posting', () => {
    const world = new World();
    const operator = world.company('operator');
    expect(world.run({ type: 'setMoneyRules', company: operator, redemptionRate: 1_000_000, spreadMinimum: 0, conversionRate: 1_000_000 }).rejected).toBeUndefined();
    const provider = world.provider();
    const buyer = world.company('borrower');
    world.run({ type: 'deposit', company: buyer, amount: usd(10_000), reference: '' });
    // The buyer's money goes into escrow, where it is worth what it is: no spread is deferred.
    expect(inUsd(world.run({ type: 'prepay', company: buyer, amount: usd(10_000) }).events)).toEqual({
      unapplied: usd(10_000), 'cash.fund': -usd(10_000), 'cash.escrow': usd(10_000), 'credit.backing': -usd(10_000),
    });
    world.ask(provider, 2.4, 1_000);
    const bid = world.bid(buyer, 2.5, 1_000);
    // A taker's 0.5 % of 2,400 USD leaves escrow for the house.
    expect(inUsd(bid.events)).toEqual({ 'credit.backing': usd(12), 'commission.buyer': -usd(12), 'cash.ops': usd(12), 'cash.escrow': -usd(12) });
    const { allocation } = one(bid.events, 'fill');
    const delivered = world.run({
      type: 'capture', company: buyer, allocation, gpu: gpuHours(500) * 36_000_000, request: 'half', model: NONE, promptTokens: 0, completionTokens: 0,
      detail: { key: '', endpoint: '', spotFees: 0, estimated: false },
    });
    // 1,200 USD to the provider less a maker's 0.2 %.
    expect(inUsd(delivered.events)).toEqual({
      'credit.backing': usd(1_200), 'provider.payable': -usd(1_197.6), 'commission.seller': -usd(2.4), 'cash.ops': usd(2.4), 'cash.escrow': -usd(2.4),
    });
    world.run({ type: 'tick', now: (HOUR + 1) * 3_600_000 });
    const ended = world.run({ type: 'endHour', hour: HOUR, pending: [] });
    expect(inUsd(ended.events)).toEqual(inUsd(delivered.events));
    // A year later what is left comes back to the last cent.
    const expired = world.run({ type: 'tick', now: world.engine.now + 370 * 86_400_000 });
    expect(postings(expired.events, accountNameOf)).toMatchObject({ unapplied: -usd(10_000 - 2_412) });
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });
});
