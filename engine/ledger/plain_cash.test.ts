/** m = 1, rho = 1, s_min = 0: every USD posting is that of a market in which buyers pay providers in cash. */
import { describe, expect, it } from 'vitest';
import { accountNameOf } from './accounts.ts';
import { NONE } from '../vocabulary.ts';
import type { EngineEvent } from '../events.ts';
import { HOUR, World, financed, gpuHours, one, postings, usd } from '../test/world.ts';

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

  it('lends what is drawn, pays nobody for what is resold but its fees, and gives back what fails with damages', () => {
    const world = new World();
    world.run({ type: 'setMoneyRules', company: world.company('operator'), redemptionRate: 1_000_000, spreadMinimum: 0, conversionRate: 1_000_000 });
    const provider = world.provider();
    const { borrower, facility } = financed(world);
    // A draw goes into escrow as it is, the first-loss 5 % of it from the operator.
    expect(inUsd(world.run({ type: 'draw', company: borrower, facility, amount: usd(100_000) }).events)).toEqual({
      'cash.fund': -usd(95_000), 'cash.ops': -usd(5_000), 'cash.escrow': usd(100_000), 'credit.backing': -usd(100_000),
    });
    world.ask(provider, 2.4, 1_000);
    const { allocation } = one(world.bid(borrower, 2.4, 1_000).events, 'fill');
    const other = world.buyer(10_000, 'other');
    world.ask(borrower, 2.1, 400, { resaleOf: allocation });
    // 840 USD change hands within escrow: 0.5 % of the taker and 0.2 % of the maker leave it.
    expect(inUsd(world.bid(other, 2.1, 400).events)).toEqual({ 'credit.backing': usd(5.88), 'commission.buyer': -usd(5.88), 'cash.ops': usd(5.88), 'cash.escrow': -usd(5.88) });
    const events: EngineEvent[] = [];
    for (let minute = 0; minute < 60; minute++) {
      world.run({ type: 'tick', now: HOUR * 3_600_000 + (minute + 1) * 60_000 - 1 });
      const outcome = { company: provider, market: 0, model: NONE, canary: 'failed', requests: 0, failures: 0, shortfall: 0, notServed: false } as const;
      events.push(...world.run({ type: 'reportMinute', minute: HOUR * 60 + minute, outcomes: [outcome] }).events);
    }
    world.run({ type: 'tick', now: (HOUR + 1) * 3_600_000 });
    events.push(...world.run({ type: 'endHour', hour: HOUR, pending: [] }).events);
    // Of 600 hours at 2.40 and 400 at 2.10 the takers' 0.5 % come back; damages are a quarter of what the provider had sold them for, 2,400 USD.
    const [fees, damages] = [usd(0.005 * (1_440 + 840)), usd(600)];
    expect(inUsd(events)).toEqual({
      'credit.backing': -fees, 'commission.buyer': fees, 'cash.ops': -fees, 'cash.escrow': fees - damages, 'provider.bond': damages, 'cash.fund': damages, unapplied: -damages,
    });
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });
});
