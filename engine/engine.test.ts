import { describe, expect, it, vi } from 'vitest';
import { accountNameOf } from './ledger/accounts.ts';
import { FOK, IOC, MARKET, NONE } from './vocabulary.ts';
import { Engine } from './engine.ts';
import { HOUR, START, World, all, financed, gpuHours, one, postings, price, usd } from './test/world.ts';
import { Supply } from './trading/supply.ts';
import { MICRO, MILLIS_PER_HOUR } from './numbers/units.ts';

const healthy = (world: World): void => expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);

describe('a fill of the worked example', () => {
  it('posts what CREDIT.md says', () => {
    const world = new World();
    const provider = world.provider();
    const buyer = world.buyer(400_000);
    one(world.ask(provider, 2.4, 6_000).events, 'orderRested');
    const bid = world.bid(buyer, 2.5, 10_000);
    expect(one(bid.events, 'orderAccepted').hold).toBe(usd(25_125));
    const fill = one(bid.events, 'fill');
    expect(fill).toMatchObject({ price: price(2.4), quantity: gpuHours(6_000), fee: usd(72), buyerHold: usd(10_050), takerSide: 'buy' });
    expect(world.engine.query('balances', { company: buyer })).toMatchObject({ available: usd(600_000 - 25_125 + 603), held: usd(10_050), contracted: usd(14_400) });
    const cancel = world.run({ type: 'cancel', company: buyer, order: fill.taker });
    expect(one(cancel.events, 'orderDone')).toMatchObject({ status: 'canceled', reason: 'requested', remaining: gpuHours(4_000) });
    expect(world.engine.query('balances', { company: buyer })).toMatchObject({ available: usd(600_000 - 72 - 14_400), held: 0 });
    healthy(world);
  });

  it('delivers by the GPU-second and pays the provider its share', () => {
    const world = new World();
    const provider = world.provider();
    const { borrower, lot } = financed(world);
    world.ask(provider, 2.4, 6_000);
    const { allocation } = one(world.bid(borrower, 2.5, 6_000).events, 'fill');
    // The fee was retired with the fill; nothing has been delivered for it.
    expect(world.engine.query('realised', { company: borrower })).toBeNull();
    const conversion = world.engine.query('lots', { company: borrower })[lot].conversionRate;
    expect(conversion).toBe(1_500_000);
    const capture = world.run({
      type: 'capture', company: borrower, allocation, gpu: 1_000 * 3_600 * MICRO, request: 'r1', model: NONE, promptTokens: 1, completionTokens: 1,
      detail: { key: 'k', endpoint: 'e', spotFees: 0, estimated: false },
    });
    expect(one(capture.events, 'usageCaptured')).toMatchObject({ credits: usd(2_400), payable: 1_485_024_000 });
    expect(postings(capture.events, accountNameOf)).toMatchObject({
      'lot.contracted': usd(2_400), 'lot.issued': -usd(2_400), 'credit.backing': usd(1_488), 'provider.payable': -1_485_024_000,
      'commission.seller': -2_976_000, 'spread.deferred': usd(112), 'income.spread': -usd(112), 'cash.escrow': -114_976_000, 'cash.ops': 114_976_000,
    });
    // A sixth of the hours: at what they cost and a sixth of the fee.
    const realised = world.engine.query('realised', { company: borrower });
    expect(realised?.cost).toBe(usd((2_400 + 72 / 6) / 1.5));
    const again = world.run({
      type: 'capture', company: borrower, allocation, gpu: 5, request: 'r1', model: NONE, promptTokens: 1, completionTokens: 1,
      detail: { key: 'k', endpoint: 'e', spotFees: 0, estimated: false },
    });
    expect(all(again.events, 'usageCaptured')).toEqual([]);
    world.run({ type: 'tick', now: (HOUR + 1) * MILLIS_PER_HOUR });
    const ended = world.run({ type: 'endHour', hour: HOUR, pending: [] });
    expect(one(ended.events, 'allocationSettled').unused).toBe(usd(12_000));
    expect(world.engine.query('realised', { company: borrower })).toEqual({ listValue: 6 * (realised?.listValue ?? 0), cost: usd((14_400 + 72) / 1.5) });
    expect(world.engine.query('balances', { company: provider }).payable).toBe(8_910_144_000);
    expect(world.engine.query('allocations', { company: borrower })).toEqual([]);
    // The used part is due after a week, the unused part after thirty days; both are paid on a Monday.
    const paid = (days: number): number[] => all(world.run({ type: 'tick', now: START + days * 86_400_000 }).events, 'payoutMade').map(({ amount }) => amount);
    expect([paid(6), paid(14), paid(30), paid(40)]).toEqual([[], [1_485_024_000], [], []]);
    world.run({ type: 'deposit', company: borrower, amount: usd(500_000), reference: 'wire' });
    world.run({ type: 'repay', company: borrower, facility: 0, amount: usd(420_000), mode: 'shorten', bankCovers: false });
    expect(paid(48)).toEqual([7_425_120_000]);
    healthy(world);
  });
});

describe('orders', () => {
  it('refuses an offer beyond capacity and a bid beyond credit', () => {
    const world = new World();
    const provider = world.provider(10);
    expect(world.ask(provider, 2, 10).rejected).toBeUndefined();
    expect(world.ask(provider, 2, 0.01).rejected).toBe('insufficient_capacity');
    const buyer = world.buyer(100);
    expect(world.bid(buyer, 2, 75).rejected).toBe('insufficient_credits');
    expect(world.bid(buyer, 3.0001, 1).rejected).toBeUndefined();
    expect(world.ask(provider, 3.0001, 1).rejected).toBe('above_list_price');
    healthy(world);
  });

  it('matches by price, then time, and cancels what IOC, FOK and market orders leave', () => {
    const world = new World();
    const provider = world.provider();
    const buyer = world.buyer();
    const first = one(world.ask(provider, 2.1, 5).events, 'orderAccepted').order;
    const second = one(world.ask(provider, 2.0, 5).events, 'orderAccepted').order;
    const third = one(world.ask(provider, 2.0, 5).events, 'orderAccepted').order;
    expect(all(world.bid(buyer, 2.05, 7, { timeInForce: IOC }).events, 'fill').map(({ maker }) => maker)).toEqual([second, third]);
    expect(one(world.bid(buyer, 2.05, 7, { timeInForce: FOK }).events, 'orderDone')).toMatchObject({ reason: 'fok', remaining: gpuHours(7) });
    const market = world.bid(buyer, 0, 20, { orderType: MARKET, price: NONE });
    expect(all(market.events, 'fill').map(({ maker }) => maker)).toEqual([third, first]);
    expect(all(market.events, 'orderDone').at(-1)).toMatchObject({ reason: 'no_liquidity', remaining: gpuHours(12) });
    expect(world.engine.query('balances', { company: buyer }).held).toBe(0);
    healthy(world);
  });

  it('does not look at each ask for a bid whose model nobody there serves', () => {
    const world = new World();
    const [provider, buyer] = [world.provider(), world.buyer()];
    world.run({ type: 'addModel', name: 'm' });
    for (let count = 0; count < 300; count++) world.ask(provider, 1, 1);
    const asked = vi.spyOn(Supply.prototype, 'serves');
    for (let count = 0; count < 30; count++) expect(world.bid(buyer, 2, 1, { model: 0, minimumQuantity: gpuHours(1) }).rejected).toBeUndefined();
    expect(asked.mock.calls.length).toBeLessThan(300);
    world.run({ type: 'setEligibility', company: provider, market: 0, models: [0] });
    expect(all(world.bid(buyer, 2, 5, { model: 0 }).events, 'fill')).toHaveLength(5);
    asked.mockRestore();
  });

  it('never trades within a group, and trades a model only with who serves it', () => {
    const world = new World();
    const related = world.provider(100, 'p1', 'owner');
    const other = world.provider(100, 'p2');
    world.run({ type: 'addModel', name: 'small' });
    world.run({ type: 'setEligibility', company: other, market: 0, models: [0] });
    const buyer = world.buyer(1_000, 'b', 'owner');
    const outsider = world.buyer(1_000, 'c');
    world.ask(related, 1, 5);
    expect(one(world.bid(buyer, 1, 1).events, 'orderDone')).toMatchObject({ reason: 'self_trade' });
    world.ask(other, 2, 5);
    expect(one(world.bid(outsider, 2, 1, { model: 0 }).events, 'fill')).toMatchObject({ seller: other, price: price(2) });
    healthy(world);
  });

  it('amends: a decrease keeps its place, a better price trades', () => {
    const world = new World();
    const provider = world.provider();
    const a = world.buyer(1_000, 'a');
    const b = world.buyer(1_000, 'b');
    const first = one(world.bid(a, 2, 10).events, 'orderAccepted').order;
    const second = one(world.bid(b, 2, 10).events, 'orderAccepted').order;
    expect(one(world.run({ type: 'amend', company: a, order: first, price: 0, quantity: gpuHours(4) }).events, 'orderAmended').keptPriority).toBe(true);
    expect(all(world.ask(provider, 2, 5).events, 'fill').map(({ maker, quantity }) => [maker, quantity])).toEqual([[first, gpuHours(4)], [second, gpuHours(1)]]);
    world.ask(provider, 2.5, 3);
    const crossing = world.run({ type: 'amend', company: b, order: second, price: price(2.5), quantity: 0 });
    expect(one(crossing.events, 'fill')).toMatchObject({ taker: second, price: price(2.5), quantity: gpuHours(3) });
    healthy(world);
  });

  it('shrinks spot asks with the running hour and closes a minute before its end', () => {
    const world = new World(START + 10 * 60_000);
    const provider = world.provider(100);
    const hour = START / MILLIS_PER_HOUR;
    const { order } = one(world.ask(provider, 2, 50, { hour }).events, 'orderAccepted');
    world.run({ type: 'tick', now: START + 11 * 60_000 });
    expect(world.engine.query('order', { order })?.remaining).toBe(Math.floor((5_000 * 49) / 50));
    world.run({ type: 'tick', now: START + 59 * 60_000 });
    expect(world.engine.query('order', { order })).toBeNull();
    expect(world.ask(provider, 2, 1, { hour }).rejected).toBe('gate_closed');
    healthy(world);
  });
});

describe('collateral', () => {
  it('mints on the draw and refuses the next bid after a freeze', () => {
    const world = new World();
    const { borrower, lender, facility } = financed(world);
    expect(world.bid(borrower, 2, 10).rejected).toBeUndefined();
    const freeze = world.run({ type: 'freeze', company: lender, facility, fraction: MICRO, reason: 'covenant' });
    expect(one(freeze.events, 'orderDone').reason).toBe('facility_frozen');
    expect(world.bid(borrower, 2, 10).rejected).toBe('facility_frozen');
    world.run({ type: 'unfreeze', company: lender, facility });
    expect(world.bid(borrower, 2, 10).rejected).toBeUndefined();
    healthy(world);
  });

  it('accrues interest daily and takes repayments interest first', () => {
    const world = new World();
    const { borrower, facility } = financed(world);
    world.run({ type: 'tick', now: START + 30 * 86_400_000 });
    const view = world.engine.query('facility', { facility });
    expect(view?.principal).toBe(usd(406_000));
    expect(view?.accruedInterest).toBe(Math.round((usd(406_000) * (view?.annualRate ?? 0) * 30) / 365 / MICRO));
    expect(world.run({ type: 'repay', company: borrower, facility, amount: usd(40_000), mode: 'shorten', bankCovers: false }).rejected).toBe('insufficient_funds');
    world.run({ type: 'deposit', company: borrower, amount: usd(40_000), reference: 'wire' });
    const repaid = one(world.run({ type: 'repay', company: borrower, facility, amount: usd(40_000), mode: 'shorten', bankCovers: false }).events, 'repaid');
    expect(repaid.interest).toBe(view?.accruedInterest);
    expect(repaid.principal).toBe(usd(40_000) - repaid.interest);
    healthy(world);
  });
});

describe('determinism', () => {
  it('continues from a snapshot with the same hash', () => {
    const world = new World();
    const provider = world.provider();
    const buyer = world.buyer();
    world.ask(provider, 2.2, 10);
    world.bid(buyer, 2.1, 4, { clientOrderId: 'x' });
    world.bid(buyer, 2.3, 4);
    const copy = Engine.restore(world.engine.snapshot());
    expect(copy.stateHash()).toBe(world.engine.stateHash());
    const twin = new World();
    twin.engine = copy;
    expect(twin.ask(provider, 2.1, 20).events).toEqual(world.ask(provider, 2.1, 20).events);
    expect(copy.stateHash()).toBe(world.engine.stateHash());
    expect(world.bid(buyer, 1, 1, { clientOrderId: 'x' }).rejected).toBe('duplicate_client_order_id');
  });

  it('remembers idempotency keys', () => {
    const world = new World();
    const company = world.company('borrower');
    const deposit = { type: 'deposit', company, amount: usd(5), reference: '' } as const;
    world.run(deposit, 'k', 'h');
    expect(one(world.run(deposit, 'k', 'h').events, 'repeated').original).toBe(world.engine.sequence - 1);
    expect(world.run(deposit, 'k', 'other').rejected).toBe('idempotency_mismatch');
    expect(world.engine.query('balances', { company }).usd).toBe(usd(5));
  });
});
