import { describe, expect, it } from 'vitest';
import { accountNameOf } from '../ledger/accounts.ts';
import { IOC, NONE } from '../vocabulary.ts';
import { Engine } from '../engine.ts';
import { HOUR, START, World, all, financed, gpuHours, one, postings, price, usd } from '../test/world.ts';
import type { Result } from '../test/world.ts';
import { MICRO, MILLIS_PER_HOUR } from '../numbers/units.ts';
import { openOrders } from '../test/open.ts';

const healthy = (world: World): void => expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
const GPU_HOUR = 3_600 * MICRO;

/** A provider, a seller that bought 6,000 GPU-hours at 2.40, and others that may buy them. */
function market(hour = HOUR) {
  const world = new World(hour === HOUR ? START : START + 1);
  const provider = world.provider();
  const seller = world.buyer(100_000, 'seller');
  world.ask(provider, 2.4, 6_000, { hour });
  const { allocation } = one(world.bid(seller, 2.4, 6_000, { hour }).events, 'fill');
  return { world, provider, seller, allocation, buyer: world.buyer(100_000, 'second') };
}

function capture(world: World, company: number, allocation: number, hours: number, request: string): Result {
  return world.run({
    type: 'capture', company, allocation, gpu: hours * GPU_HOUR, request, model: NONE, promptTokens: 1, completionTokens: 1,
    detail: { key: 'k', endpoint: 'e', spotFees: 0, estimated: false },
  });
}

function endHour(world: World, hour = HOUR): Result {
  world.run({ type: 'tick', now: (hour + 1) * MILLIS_PER_HOUR });
  return world.run({ type: 'endHour', hour, pending: [] });
}

function balances(world: World, company: number): { available: number; contracted: number; payable: number } {
  const { available, contracted, payable } = world.engine.query('balances', { company });
  // A balance of the credit side is zero with a sign.
  return { available: available + 0, contracted: contracted + 0, payable: payable + 0 };
}

describe('a resale of the worked example', () => {
  it('releases the seller and pays nobody', () => {
    const { world, provider, seller, buyer, allocation } = market();
    const before = balances(world, seller);
    world.ask(seller, 2.1, 4_000, { resaleOf: allocation });
    const bid = world.bid(buyer, 2.1, 4_000);
    const fill = one(bid.events, 'fill');
    expect(fill).toMatchObject({ price: price(2.1), quantity: gpuHours(4_000), fee: usd(42), seller, provider, buyer });
    // The bid's hold comes and goes within the command; contract and entitlement only change hands.
    expect(postings(bid.events, accountNameOf)).toEqual({
      'lot.available': -usd(8_383.2) + usd(8_442), 'lot.issued': -usd(42) - usd(16.8),
      'credit.backing': usd(58.8 * 0.62), 'spread.deferred': usd(39.2) - usd(58.8 * 0.62), 'commission.buyer': -usd(39.2), 'cash.ops': usd(39.2), 'cash.escrow': -usd(39.2),
    });
    expect(one(bid.events, 'allocationResold')).toMatchObject({ allocation, quantity: gpuHours(4_000), to: fill.allocation, company: seller, fee: usd(16.8) });
    const after = balances(world, seller);
    expect(after.available - before.available).toBe(usd(8_383.2));
    // 2,000 GPU-hours of its own, and the 0.30 that it left for the provider of 4,000.
    expect(after.contracted).toBe(usd(4_800 + 1_200));
    expect(balances(world, buyer).contracted).toBe(usd(8_400));
    expect(balances(world, provider).payable).toBe(0);
    healthy(world);
  });

  it('delivers to the provider what it sold for, whoever paid it', () => {
    const { world, provider, seller, buyer, allocation } = market();
    world.ask(seller, 2.1, 4_000, { resaleOf: allocation });
    const { allocation: bought } = one(world.bid(buyer, 2.1, 4_000).events, 'fill');
    expect(one(capture(world, buyer, bought, 1_000, 'r').events, 'usageCaptured')).toMatchObject({ credits: usd(2_100), payable: usd(1_485.024) });
    healthy(world);
    expect(balances(world, seller).contracted).toBe(usd(6_000 - 300));
    endHour(world);
    expect(balances(world, provider).payable).toBe(usd(6_000 * 1.485024));
    expect(balances(world, seller)).toMatchObject({ contracted: 0, payable: 0 });
    healthy(world);
  });

  it('pays a seller above cost at delivery', () => {
    const { world, provider, seller, buyer, allocation } = market();
    world.ask(seller, 2.9, 4_000, { resaleOf: allocation });
    const { allocation: bought } = one(world.bid(buyer, 2.9, 4_000).events, 'fill');
    // All that 4,000 GPU-hours had cost is released, less 0.2 % of it.
    expect(balances(world, seller)).toMatchObject({ available: usd(150_000 - 14_400 - 72 + 9_600 - 19.2), contracted: usd(4_800), payable: 0 });
    capture(world, buyer, bought, 1_000, 'r');
    // rho x 0.50 x 1,000, less the commission of a maker.
    expect(balances(world, seller).payable).toBe(usd(310 - 0.62));
    endHour(world);
    expect(balances(world, seller).payable).toBe(usd(4 * (310 - 0.62)));
    expect(balances(world, provider).payable).toBe(usd(6_000 * 1.485024));
    const { events } = world.run({ type: 'tick', now: (HOUR + 24 * 40) * MILLIS_PER_HOUR });
    const paid = all(events, 'payoutMade').filter(({ company }) => company === seller).reduce((sum, { amount }) => sum + amount, 0);
    expect(paid).toBe(usd(4 * (310 - 0.62)));
    healthy(world);
  });

  it('prepays the loan of a financed seller', () => {
    const world = new World();
    const provider = world.provider();
    const { borrower, facility } = financed(world);
    world.ask(provider, 2.4, 6_000);
    const { allocation } = one(world.bid(borrower, 2.4, 6_000).events, 'fill');
    const buyer = world.buyer(100_000, 'second');
    world.ask(borrower, 2.9, 4_000, { resaleOf: allocation });
    world.bid(buyer, 2.9, 4_000);
    const principal = world.engine.query('facility', { facility })?.principal ?? 0;
    const end = endHour(world);
    expect(one(end.events, 'repaid')).toMatchObject({ facility, amount: usd(1_237.52), principal: usd(1_237.52) });
    expect(world.engine.query('facility', { facility })?.principal).toBe(principal - usd(1_237.52));
    expect(balances(world, borrower).payable).toBe(0);
    healthy(world);
  });
});

describe('chains of resales', () => {
  it('keep what each reseller owes or gains, through partial sales and use', () => {
    const { world, provider, seller, buyer, allocation } = market();
    const third = world.buyer(100_000, 'third');
    const fourth = world.buyer(100_000, 'fourth');
    capture(world, seller, allocation, 7, 'before');
    world.ask(seller, 2.1, 1_000, { resaleOf: allocation });
    const second = one(world.bid(buyer, 2.1, 1_000).events, 'fill').allocation;
    capture(world, buyer, second, 11, 'second');
    world.ask(buyer, 2.8, 600, { resaleOf: second });
    const thirds = one(world.bid(third, 2.8, 600).events, 'fill').allocation;
    world.ask(third, 1.9, 250, { resaleOf: thirds });
    const fourths = one(world.bid(fourth, 1.9, 250).events, 'fill').allocation;
    capture(world, fourth, fourths, 13, 'fourth');
    healthy(world);
    const copy = Engine.restore(world.engine.snapshot());
    expect(copy.stateHash()).toBe(world.engine.stateHash());
    endHour(world);
    healthy(world);
    expect(balances(world, provider).payable).toBe(usd(6_000 * 1.485024));
    // The second gains 0.70 on 600, at rho and less a maker's commission.
    expect(balances(world, buyer).payable).toBe(usd(600 * 0.7 * 0.62 * 0.998));
    for (const company of [seller, buyer, third, fourth]) expect(balances(world, company).contracted).toBe(0);
  });

  it('leave an allocation that is wholly resold without a claim', () => {
    const { world, seller, buyer, allocation } = market();
    world.ask(seller, 2.4, 6_000, { resaleOf: allocation });
    world.bid(buyer, 2.4, 6_000);
    expect(world.engine.query('allocations', { company: seller })).toMatchObject([{ allocation, quantity: 0, status: 'resold', credits: 0 }]);
    expect(balances(world, seller).contracted).toBe(0);
    endHour(world);
    healthy(world);
  });

  it('give credit back to an expired lot for thirty days', () => {
    const world = new World();
    const provider = world.provider();
    const seller = world.buyer(10_000, 'seller');
    const buyer = world.buyer(10_000, 'second');
    const [{ expiresAt, lot }] = world.engine.query('lots', { company: seller });
    const hour = Math.floor(expiresAt / MILLIS_PER_HOUR) + 5;
    world.run({ type: 'tick', now: expiresAt - 3_600_000 });
    world.run({ type: 'deposit', company: buyer, amount: usd(10_000), reference: '' });
    world.run({ type: 'prepay', company: buyer, amount: usd(10_000) });
    world.ask(provider, 2, 100, { hour });
    const { allocation } = one(world.bid(seller, 2, 100, { hour }).events, 'fill');
    world.run({ type: 'tick', now: expiresAt + 1 });
    expect(balances(world, seller).available).toBe(0);
    world.ask(seller, 2, 100, { hour, resaleOf: allocation });
    const sold = world.bid(buyer, 2, 100, { hour });
    expect(one(sold.events, 'lotExtended')).toMatchObject({ lot, expiresAt: expiresAt + 1 + 30 * 86_400_000 });
    expect(balances(world, seller).available).toBe(usd(199.6));
    healthy(world);
  });
});

describe('what may be resold', () => {
  it('is the own allocation of that instrument, neither consumed nor held nor on offer', () => {
    const { world, provider, seller, buyer, allocation } = market();
    expect(world.ask(buyer, 2, 1, { resaleOf: allocation }).rejected).toBe('unknown_allocation');
    expect(world.ask(seller, 2, 1, { resaleOf: allocation + 1 }).rejected).toBe('unknown_allocation');
    expect(world.ask(seller, 2, 1).rejected).toBe('not_authorized');
    expect(world.ask(provider, 2, 1, { resaleOf: allocation }).rejected).toBe('not_authorized');
    expect(world.ask(seller, 2, 1, { resaleOf: allocation, hour: HOUR + 1 }).rejected).toBe('invalid_parameter');
    expect(world.ask(seller, 3.01, 1, { resaleOf: allocation }).rejected).toBe('above_list_price');
    capture(world, seller, allocation, 1_000, 'r');
    expect(world.ask(seller, 2, 5_001, { resaleOf: allocation }).rejected).toBe('insufficient_capacity');
    expect(world.ask(seller, 2, 5_000, { resaleOf: allocation, held: 1 }).rejected).toBe('insufficient_capacity');
    expect(world.ask(seller, 2, 4_000, { resaleOf: allocation, held: 10 * GPU_HOUR }).rejected).toBeUndefined();
    expect(world.ask(seller, 2, 1_001, { resaleOf: allocation }).rejected).toBe('insufficient_capacity');
    healthy(world);
  });

  it('cannot be consumed until it is cancelled', () => {
    const { world, seller, allocation } = market();
    const offer = world.ask(seller, 2.5, 5_000, { resaleOf: allocation });
    expect(one(offer.events, 'resaleOffered')).toMatchObject({ allocation, company: seller, hour: HOUR, offered: gpuHours(5_000) });
    expect(capture(world, seller, allocation, 1_001, 'a').rejected).toBe('budget_exhausted');
    expect(capture(world, seller, allocation, 1_000, 'b').rejected).toBeUndefined();
    const { order } = one(offer.events, 'orderAccepted');
    const less = world.run({ type: 'amend', company: seller, order, price: 0, quantity: gpuHours(4_000) });
    expect(one(less.events, 'resaleOffered').offered).toBe(gpuHours(4_000));
    expect(world.run({ type: 'amend', company: seller, order, price: 0, quantity: gpuHours(4_001) }).rejected).toBe('insufficient_capacity');
    expect(one(world.run({ type: 'cancel', company: seller, order }).events, 'resaleOffered').offered).toBe(0);
    expect(capture(world, seller, allocation, 5_000, 'c').rejected).toBeUndefined();
    healthy(world);
  });

  it('uses no new capacity and serves what the provider serves', () => {
    const { world, provider, seller, buyer, allocation } = market();
    world.run({ type: 'addModel', name: 'small' });
    world.ask(seller, 2.4, 10, { resaleOf: allocation });
    expect(all(world.bid(buyer, 2.4, 5, { model: 0, timeInForce: IOC }).events, 'fill')).toEqual([]);
    world.run({ type: 'setEligibility', company: provider, market: 0, models: [0] });
    expect(one(world.bid(buyer, 2.4, 5, { model: 0, timeInForce: IOC }).events, 'fill')).toMatchObject({ seller, provider });
    expect(openOrders(world.engine, provider)).toEqual([]);
    expect(world.engine.query('soldPlaces', { fromHour: HOUR, toHour: HOUR })).toMatchObject([{ company: provider, quantity: gpuHours(6_000) }]);
    healthy(world);
  });

  it('shrinks with the running hour, and never more is sold than its GPUs can still do', () => {
    const hour = START / MILLIS_PER_HOUR + 1;
    const { world, seller, buyer, allocation } = market(hour);
    world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR + 30 * 60_000 });
    expect(world.ask(seller, 2, 3_001, { hour, resaleOf: allocation }).rejected).toBe('insufficient_capacity');
    world.ask(seller, 2, 3_000, { hour, resaleOf: allocation });
    world.bid(buyer, 2, 1_000, { hour });
    expect(world.ask(seller, 2, 1, { hour, resaleOf: allocation }).rejected).toBe('insufficient_capacity');
    const minute = world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR + 31 * 60_000 });
    expect(one(minute.events, 'orderReduced').remaining).toBe(Math.floor((gpuHours(2_000) * 29) / 30));
    expect(one(minute.events, 'resaleOffered').offered).toBe(Math.floor((gpuHours(2_000) * 29) / 30));
    healthy(world);
    endHour(world, hour);
    healthy(world);
  });
});
