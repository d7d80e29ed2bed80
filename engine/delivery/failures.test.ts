/**
 * CREDIT.md section 4, every row of a delivery that fails, posting by posting in millionths. The cost of a
 * lot's credits is rounded over the whole lot, so the last digit of a row depends on what left it before.
 */
import { describe, expect, it } from 'vitest';
import { accountNameOf } from '../ledger/accounts.ts';
import { NONE } from '../vocabulary.ts';
import type { MinuteOutcome } from '../commands.ts';
import { Engine } from '../engine.ts';
import { HOUR, START, World, all, gpuHours, loan, one, postings, price, usd } from '../test/world.ts';
import type { Result } from '../test/world.ts';
import { MICRO, MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../numbers/units.ts';

const GPU_HOUR = 3_600 * MICRO;
const healthy = (world: World): void => expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);

/** The worked example: 560,000 CR at 1.40, 6,000 GPU-hours bought at 2.40 of a provider that was maker. */
function worked(hours = 6_000, hour = HOUR) {
  const world = new World(hour === HOUR ? START : hour * MILLIS_PER_HOUR);
  const provider = world.provider();
  const { borrower, facility, lot } = loan(world, 6);
  world.ask(provider, 2.4, hours, { hour });
  const { allocation } = one(world.bid(borrower, 2.5, hours, { hour }).events, 'fill');
  return { world, provider, borrower, facility, lot, allocation, hour };
}

const outcome = (company: number, more: Partial<MinuteOutcome> = {}): MinuteOutcome => ({
  company, market: 0, model: NONE, canary: 'passed', requests: 0, failures: 0, shortfall: 0, notServed: false, ...more,
});

/** Minutes of the hour fail, as they pass. */
function fail(world: World, hour: number, from: number, to: number, ...outcomes: MinuteOutcome[]): Result[] {
  const results: Result[] = [];
  for (let at = from; at < to; at++) {
    world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR + (at + 1) * MILLIS_PER_MINUTE - 1 });
    results.push(world.run({ type: 'reportMinute', minute: hour * 60 + at, outcomes }));
  }
  return results;
}

function endHour(world: World, hour: number, pending: { allocation: number; gpu: number }[] = []): Result {
  world.run({ type: 'tick', now: (hour + 1) * MILLIS_PER_HOUR });
  return world.run({ type: 'endHour', hour, pending });
}

function capture(world: World, company: number, allocation: number, hours: number, request = 'r'): Result {
  return world.run({
    type: 'capture', company, allocation, gpu: hours * GPU_HOUR, request, model: NONE, promptTokens: 1, completionTokens: 1,
    detail: { key: 'k', endpoint: 'e', spotFees: 0, estimated: false },
  });
}

/** What one transaction posted, by account. */
const transaction = (result: Result, index: number): Record<string, number> => postings([all(result.events, 'posted')[index]], accountNameOf);

describe('the worked example', () => {
  it('delivers 1,000 GPU-hours', () => {
    const { world, borrower, allocation } = worked();
    expect(transaction(capture(world, borrower, allocation, 1_000), 0)).toEqual({
      'lot.contracted': usd(2_400), 'capacity.entitled': 1_000 * GPU_HOUR, 'credit.backing': usd(1_488), 'spread.deferred': 226_285_715, 'cash.ops': 229_261_715,
      'lot.issued': -usd(2_400), 'capacity.delivered': -1_000 * GPU_HOUR, 'provider.payable': -1_485_024_000, 'commission.seller': -2_976_000,
      'income.spread': -226_285_715, 'cash.escrow': -229_261_715,
    });
    healthy(world);
  });

  it('fails 500 GPU-hours before delivery', () => {
    const { world, provider, borrower, allocation, hour } = worked();
    capture(world, borrower, allocation, 1_000);
    fail(world, hour, 0, 6, outcome(provider, { canary: 'failed' }));
    const before = world.engine.query('balances', { company: borrower });
    const ended = endHour(world, hour);
    // A tenth of the minutes, of the 5,000 GPU-hours that nobody consumed.
    expect(one(ended.events, 'deliveryFailed')).toMatchObject({
      allocation, found: 'before_delivery', gpu: 500 * GPU_HOUR, penal: 500 * GPU_HOUR, credits: usd(1_200), fee: usd(6), damages: usd(186), clawedBack: 0, reason: 'canary',
    });
    expect(transaction(ended, 0)).toEqual({
      'lot.contracted': usd(1_200), 'lot.issued': usd(6), 'commission.buyer': 4_285_715, 'cash.escrow': 4_285_715 - usd(186), 'capacity.entitled': 500 * GPU_HOUR,
      'provider.bond': usd(186), 'cash.fund': usd(186), 'lot.available': -usd(1_206), 'credit.backing': -3_720_000, 'spread.deferred': -565_715,
      'cash.ops': -4_285_715, 'capacity.failed': -500 * GPU_HOUR, unapplied: -usd(186),
    });
    expect(one(ended.events, 'allocationSettled')).toMatchObject({ unused: usd(10_800), failed: usd(1_200), pendingGpu: 0 });
    const after = world.engine.query('balances', { company: borrower });
    expect([after.available - before.available, after.usd - before.usd, after.contracted + 0]).toEqual([usd(1_206), usd(186), 0]);
    healthy(world);
  });

  it('finds after delivery that 100 GPU-hours were not', () => {
    const { world, provider, borrower, allocation, hour } = worked(1_000);
    world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR });
    capture(world, borrower, allocation, 1_000);
    endHour(world, hour);
    world.run({ type: 'tick', now: (hour + 2) * MILLIS_PER_HOUR });
    const before = world.engine.query('realised', { company: borrower });
    const annulled = world.run({
      type: 'annulDelivery', company: NONE, provider, market: 0, model: NONE, since: hour * MILLIS_PER_HOUR + 54 * MILLIS_PER_MINUTE, reason: 'wrong_answers',
    });
    expect(transaction(annulled, 0)).toEqual({
      'lot.issued': usd(241.2), 'provider.payable': 148_502_400, 'commission.seller': 297_600, 'income.spread': 22_628_572, 'commission.buyer': 857_142,
      'cash.escrow': 23_783_314 - usd(37.2), 'capacity.delivered': 100 * GPU_HOUR, 'provider.bond': usd(37.2), 'cash.fund': usd(37.2),
      'lot.available': -usd(241.2), 'credit.backing': -149_544_000, 'spread.deferred': -22_741_714, 'cash.ops': -23_783_314, 'capacity.failed': -100 * GPU_HOUR,
      unapplied: -usd(37.2),
    });
    expect(one(annulled.events, 'deliveryFailed')).toMatchObject({ found: 'after_delivery', credits: usd(240), fee: usd(1.2), damages: usd(37.2), clawedBack: 148_502_400, commission: 297_600 });
    const tenths = (value = 0): number => Math.round(value * 0.9);
    expect(world.engine.query('realised', { company: borrower })).toEqual({ listValue: tenths(before?.listValue), cost: tenths(before?.cost) });
    healthy(world);
    // Found once more, it has no second effect.
    expect(all(world.run({ type: 'annulDelivery', company: NONE, provider, market: 0, model: NONE, since: hour * MILLIS_PER_HOUR + 54 * MILLIS_PER_MINUTE, reason: 'operator' }).events, 'posted')).toEqual([]);
  });

  it('takes back what has been paid out already by a claim, which later payouts settle', () => {
    const { world, provider, borrower, allocation, hour } = worked(1_000);
    world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR });
    capture(world, borrower, allocation, 1_000);
    endHour(world, hour);
    world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR + 7 * MILLIS_PER_DAY });
    expect(one(world.run({ type: 'payout', company: provider }).events, 'payoutMade').amount).toBe(1_485_024_000);
    const annulled = world.run({
      type: 'annulDelivery', company: NONE, provider, market: 0, model: NONE, since: hour * MILLIS_PER_HOUR + 54 * MILLIS_PER_MINUTE, reason: 'wrong_answers',
    });
    const rows = transaction(annulled, 0);
    expect(rows['provider.payable']).toBeUndefined();
    expect(rows['provider.receivable']).toBe(148_502_400);
    expect(rows['cash.escrow']).toBe(23_783_314 + 148_502_400 - usd(37.2));
    expect(rows['cash.ops']).toBe(-23_783_314 - 148_502_400);
    healthy(world);
    const next = Math.floor(world.engine.now / MILLIS_PER_HOUR) + 1;
    world.ask(provider, 2, 100, { hour: next });
    const second = one(world.bid(borrower, 2, 100, { hour: next }).events, 'fill').allocation;
    world.run({ type: 'tick', now: next * MILLIS_PER_HOUR });
    capture(world, borrower, second, 100, 'second');
    endHour(world, next);
    world.run({ type: 'tick', now: next * MILLIS_PER_HOUR + 7 * MILLIS_PER_DAY });
    expect(one(world.run({ type: 'payout', company: provider }).events, 'payoutMade')).toMatchObject({ amount: 0, withheld: 123_752_000 });
    expect(world.engine.query('balances', { company: provider }).payable + 0).toBe(0);
    healthy(world);
  });
});

describe('what fails', () => {
  it.each([
    ['a canary fails', { canary: 'failed' }, 'canary'],
    ['one of five requests fails', { requests: 5, failures: 1 }, 'requests'],
    ['a tenth of ten requests fails', { requests: 10, failures: 1 }, undefined],
    ['more than a tenth of eleven fails', { requests: 11, failures: 2 }, 'requests'],
    ['four of four requests fail', { requests: 4, failures: 4 }, undefined],
    ['nothing is known', { canary: 'none' }, undefined],
    ['a model is not served', { notServed: true }, 'not_served'],
  ] as [string, Partial<MinuteOutcome>, string | undefined][])('%s: %o is %s', (_, more, reason) => {
    const { world, provider, hour } = worked();
    const [result] = fail(world, hour, 0, 1, outcome(provider, more));
    expect(all(result.events, 'minuteFailed').map((event) => event.reason)).toEqual(reason === undefined ? [] : [reason]);
    const failed = all(endHour(world, hour).events, 'deliveryFailed').map(({ gpu }) => gpu);
    expect(failed).toEqual(reason === undefined ? [] : [100 * GPU_HOUR]);
    healthy(world);
  });

  it('counts a load test by what it did not reach', () => {
    const { world, provider, hour } = worked();
    fail(world, hour, 0, 60, outcome(provider, { shortfall: 300_000 }));
    expect(one(endHour(world, hour).events, 'deliveryFailed')).toMatchObject({ gpu: 1_800 * GPU_HOUR, reason: 'load_test' });
    healthy(world);
  });

  it('keeps what is under way out of it until it is captured or released', () => {
    const { world, provider, borrower, allocation, hour } = worked();
    fail(world, hour, 0, 30, outcome(provider, { canary: 'failed' }));
    const ended = endHour(world, hour, [{ allocation, gpu: 1_000 * GPU_HOUR }]);
    expect(one(ended.events, 'deliveryFailed').gpu).toBe(2_500 * GPU_HOUR);
    capture(world, borrower, allocation, 400);
    const released = world.run({ type: 'releasePending', allocation, gpu: 600 * GPU_HOUR });
    expect(one(released.events, 'deliveryFailed').gpu).toBe(300 * GPU_HOUR);
    healthy(world);
  });

  it('counts only the minutes that were promised, and only models that were named', () => {
    const { world, provider, borrower, hour } = worked(100);
    world.run({ type: 'addModel', name: 'small' });
    world.run({ type: 'addModel', name: 'large' });
    world.run({ type: 'setEligibility', company: provider, market: 0, models: [0, 1] });
    world.ask(provider, 2, 100, { hour });
    world.bid(borrower, 2, 50, { hour, model: 0 });
    world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR + 30 * MILLIS_PER_MINUTE });
    world.bid(borrower, 2, 20, { hour, model: 0 });
    fail(world, hour, 15, 20, outcome(provider, { model: 0, canary: 'failed' }));
    const failed = fail(world, hour, 40, 42, outcome(provider, { model: 1, canary: 'failed' })).concat(fail(world, hour, 45, 48, outcome(provider, { model: 0, canary: 'failed' })));
    expect(failed).toHaveLength(5);
    const sums = all(endHour(world, hour).events, 'deliveryFailed').map(({ gpu }) => gpu / GPU_HOUR);
    // Bought for the second half: 3 of 30 minutes of 20 GPU-hours. Bought before: 8 of 60 of 50.
    expect(sums.sort((a, b) => a - b)).toEqual([2, expect.closeTo((50 * 8) / 60, 5)]);
    healthy(world);
  });

  it('refunds minutes in which the platform was down without damages, whoever else failed in them', () => {
    const { world, provider, hour } = worked();
    world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR });
    world.run({ type: 'platformDown', from: hour * MILLIS_PER_HOUR + 1, to: hour * MILLIS_PER_HOUR + 7 * MILLIS_PER_MINUTE });
    fail(world, hour, 6, 7, outcome(provider, { canary: 'failed' }));
    const ended = endHour(world, hour);
    expect(one(ended.events, 'deliveryFailed')).toMatchObject({ gpu: 600 * GPU_HOUR, penal: 0, credits: usd(1_440), fee: 7_200_000, damages: 0, reason: 'platform_down' });
    healthy(world);
  });

  it('pays damages only as far as the bond reaches', () => {
    const world = new World();
    const provider = world.company('provider');
    world.run({ type: 'declareCapacity', company: provider, market: 0, gpus: 100 });
    world.run({ type: 'verifyCapacity', company: provider, market: 0, gpus: 100 });
    world.run({ type: 'deposit', company: provider, amount: usd(10), reference: '' });
    world.run({ type: 'postBond', company: provider, amount: usd(10) });
    const buyer = world.buyer(10_000);
    world.ask(provider, 2, 100);
    world.bid(buyer, 2, 100);
    expect(world.ask(provider, 2, 1).rejected).toBe('insufficient_capacity');
    fail(world, HOUR, 0, 60, outcome(provider, { canary: 'failed' }));
    expect(one(endHour(world, HOUR).events, 'deliveryFailed')).toMatchObject({ credits: usd(200), damages: usd(10) });
    healthy(world);
  });

  it('gives each funder of a resold allocation its own credit back', () => {
    const { world, provider, borrower, allocation, hour } = worked(100);
    const second = world.buyer(10_000, 'second');
    world.ask(borrower, 2.1, 100, { hour, resaleOf: allocation });
    world.bid(second, 2.1, 100, { hour });
    const before = [borrower, second].map((company) => world.engine.query('balances', { company }));
    fail(world, hour, 0, 60, outcome(provider, { canary: 'failed' }));
    const failure = one(endHour(world, hour).events, 'deliveryFailed');
    const after = [borrower, second].map((company) => world.engine.query('balances', { company }));
    // 0.30 a GPU-hour had stayed in the seller's contract; the buyer had paid 2.10 and 0.5 % of it. Damages are a quarter of what the provider sold for.
    expect(after.map(({ available }, index) => available - before[index].available)).toEqual([usd(30), usd(210 + 1.05)]);
    expect(failure.damages).toBe(usd(0.25 * 0.62 * 240));
    expect(after.map(({ contracted }) => contracted + 0)).toEqual([0, 0]);
    healthy(world);
  });

  it('extends an expired lot that credit returns to', () => {
    const world = new World();
    const provider = world.provider();
    const buyer = world.buyer(1_000);
    const expiry = world.engine.query('lots', { company: buyer })[0].expiresAt;
    world.run({ type: 'tick', now: expiry - 2 * MILLIS_PER_HOUR });
    const hour = Math.floor(expiry / MILLIS_PER_HOUR);
    world.ask(provider, 2, 100, { hour });
    world.bid(buyer, 2, 100, { hour });
    fail(world, hour, 0, 60, outcome(provider, { canary: 'failed' }));
    const ended = endHour(world, hour);
    expect(one(ended.events, 'lotExtended').expiresAt).toBe((hour + 1) * MILLIS_PER_HOUR + 30 * MILLIS_PER_DAY);
    // Postings are booked under the event after them: these are the failure's.
    const kinds = ended.events.map(({ kind }) => kind);
    expect(kinds.indexOf('deliveryFailed')).toBeLessThan(kinds.indexOf('lotExtended'));
    expect(world.engine.query('balances', { company: buyer }).available).toBe(usd(201));
    healthy(world);
  });
});

describe('replacement', () => {
  /** 100 GPU-hours of the running hour bought at 2.00, of a provider whose bond is given. */
  function running(bond = 1_000) {
    const hour = START / MILLIS_PER_HOUR;
    const world = new World(START - MILLIS_PER_HOUR);
    const provider = world.company('provider');
    world.run({ type: 'declareCapacity', company: provider, market: 0, gpus: 1_000 });
    world.run({ type: 'verifyCapacity', company: provider, market: 0, gpus: 1_000 });
    world.run({ type: 'deposit', company: provider, amount: usd(bond), reference: '' });
    world.run({ type: 'postBond', company: provider, amount: usd(bond) });
    const other = world.provider(1_000, 'other');
    const buyer = world.buyer(10_000);
    world.ask(provider, 2, 200, { hour });
    const { allocation } = one(world.bid(buyer, 2, 100, { hour }).events, 'fill');
    world.run({ type: 'tick', now: START });
    return { world, provider, other, buyer, allocation, hour };
  }

  it('buys the minutes left from others after three failed probes, the extra cost from the bond', () => {
    const { world, provider, other, buyer, allocation, hour } = running();
    fail(world, hour, 0, 2, outcome(provider, { canary: 'failed' }));
    world.ask(other, 2.5, 150, { hour });
    world.run({ type: 'tick', now: START + 3 * MILLIS_PER_MINUTE });
    const usdBefore = world.engine.query('balances', { company: buyer }).usd;
    const third = world.run({ type: 'reportMinute', minute: hour * 60 + 2, outcomes: [outcome(provider, { canary: 'failed' })] });
    // 57 of 60 minutes are left. What the failing provider still offered leaves the book first.
    expect(all(third.events, 'orderDone').map(({ reason }) => reason)).toEqual(['delivery_failed', 'filled']);
    expect(one(third.events, 'fill')).toMatchObject({ provider: other, price: price(2.5), quantity: gpuHours(95), fee: 1_187_500 });
    const extra = Math.round(0.62 * (95 * 0.5 + 1.1875 - 0.95) * MICRO);
    expect(one(third.events, 'replacementSought')).toMatchObject({ allocation, wanted: gpuHours(95), replaced: gpuHours(95), extra, outcome: 'replaced' });
    expect(world.engine.query('balances', { company: buyer }).usd - usdBefore).toBe(extra);
    healthy(world);
    // Of what was left with it, the three minutes that had passed: all of them failed.
    fail(world, hour, 3, 60, outcome(provider, { canary: 'failed' }));
    const ended = endHour(world, hour);
    const settled = all(ended.events, 'deliveryFailed');
    expect(settled).toHaveLength(1);
    expect(settled[0]).toMatchObject({ allocation, gpu: 5 * GPU_HOUR, damages: usd(0.25 * 0.62 * 10) });
    healthy(world);
  });

  it('goes no further than the bond, and refunds the rest', () => {
    const { world, provider, other, allocation, hour } = running(20);
    fail(world, hour, 0, 2, outcome(provider, { canary: 'failed' }));
    world.ask(other, 2.5, 150, { hour });
    const [third] = fail(world, hour, 2, 3, outcome(provider, { canary: 'failed' }));
    const sought = one(third.events, 'replacementSought');
    expect(sought.outcome).toBe('partly_replaced');
    expect(sought.extra).toBeLessThanOrEqual(usd(20));
    expect(sought.extra).toBeGreaterThan(usd(19));
    fail(world, hour, 3, 60, outcome(provider, { canary: 'failed' }));
    const failed = all(endHour(world, hour).events, 'deliveryFailed');
    const whole = failed.reduce((sum, { gpu }) => sum + gpu, 0) + sought.replaced * 36 * MICRO;
    expect([failed[0].allocation, whole]).toEqual([allocation, 100 * GPU_HOUR]);
    expect(world.engine.query('balances', { company: provider }).bond).toBeLessThan(usd(1));
    healthy(world);
  });

  it('says when there is no offer', () => {
    const { world, provider, allocation, hour } = running();
    const outcomes = fail(world, hour, 0, 3, outcome(provider, { canary: 'failed' })).flatMap(({ events }) => all(events, 'replacementSought'));
    expect(outcomes).toMatchObject([{ allocation, replaced: 0, outcome: 'no_offer' }]);
    healthy(world);
  });

  it.each([[5, 2], [6, 1]])('says so under rules %i to a buyer of whose minute two processes tell %i times, and buys what is offered between them', (version, told) => {
    const { world, provider, other, allocation, hour } = running();
    world.engine.rulesVersion = version;
    fail(world, hour, 0, 2, outcome(provider, { canary: 'failed' }));
    const again = (): unknown[] => fail(world, hour, 2, 3, outcome(provider, { canary: 'failed' })).flatMap(({ events }) => all(events, 'replacementSought'));
    expect([...again(), ...again()]).toMatchObject(Array.from({ length: told }, () => ({ allocation, outcome: 'no_offer' })));
    world.ask(other, 2, 150, { hour });
    expect(again()).toMatchObject([{ allocation, outcome: 'replaced' }]);
    healthy(world);
  });

  it('leaves what requests under way hold', () => {
    const { world, provider, other, allocation, hour } = running();
    world.ask(other, 2, 150, { hour });
    fail(world, hour, 0, 2, outcome(provider, { canary: 'failed' }));
    world.run({ type: 'tick', now: START + 3 * MILLIS_PER_MINUTE });
    const third = world.run({ type: 'reportMinute', minute: hour * 60 + 2, outcomes: [outcome(provider, { canary: 'failed' })], held: [{ allocation, gpu: 40 * GPU_HOUR }] });
    expect(one(third.events, 'replacementSought').replaced).toBe(gpuHours(60));
    healthy(world);
  });
});

it.each([[5, [1, 0, 1, 0]], [4, [1, 1, 1, 1]]])('a minute that several report is told under rules %i so many times: %j', (version, told) => {
  const { world, provider, hour } = worked(100);
  world.engine.rulesVersion = version;
  world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR });
  const partly = outcome(provider, { shortfall: 300_000 });
  const wholly = outcome(provider, { canary: 'failed' });
  const reports = [partly, partly, wholly, wholly].map((reported) => world.run({ type: 'reportMinute', minute: hour * 60, outcomes: [reported] }));
  expect(reports.map(({ events }) => all(events, 'minuteFailed').length)).toEqual(told);
  healthy(world);
});

describe('a suspended provider', () => {
  it('offers nothing, serves nothing, and fails minute by minute until it is reinstated', () => {
    const { world, provider, borrower, hour } = worked(100);
    const operator = world.company('operator');
    world.ask(provider, 2, 10, { hour: hour + 1 });
    world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR });
    expect(world.run({ type: 'suspendProvider', company: borrower, provider, reason: 'no' }).rejected).toBe('not_authorized');
    const suspended = world.run({ type: 'suspendProvider', company: operator, provider, reason: 'wrong answers' });
    expect(all(suspended.events, 'orderDone').map(({ reason }) => reason)).toEqual(['suspended']);
    expect(world.ask(provider, 2, 10, { hour: hour + 1 }).rejected).toBe('not_authorized');
    expect(world.run({ type: 'setEligibility', company: provider, market: 0, models: [] }).rejected).toBe('invalid_state');
    world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR + 30 * MILLIS_PER_MINUTE - 1 });
    world.run({ type: 'reinstateProvider', company: operator, provider, reason: 'cured' });
    expect(world.ask(provider, 2, 10, { hour: hour + 1 }).rejected).toBeUndefined();
    expect(one(endHour(world, hour).events, 'deliveryFailed')).toMatchObject({ gpu: 50 * GPU_HOUR, reason: 'suspended' });
    healthy(world);
  });

  it.each([[5, ['suspended', 'suspended', 'suspended']], [4, ['not_served', 'not_served', 'not_served']]])('is replaced from the third minute that is told of it on, under rules %i for the reasons %j', (version, reasons) => {
    const { world, provider, hour } = worked(100);
    world.engine.rulesVersion = version;
    world.ask(world.provider(), 2.4, 100, { hour });
    world.run({ type: 'tick', now: hour * MILLIS_PER_HOUR });
    world.run({ type: 'suspendProvider', company: NONE, provider, reason: 'drill' });
    const results = fail(world, hour, 0, 3, outcome(provider, { notServed: true }));
    expect(results.map(({ events }) => one(events, 'minuteFailed').reason)).toEqual(reasons);
    expect(results.map(({ events }) => all(events, 'replacementSought').length)).toEqual([0, 0, 1]);
    expect(one(results[2].events, 'replacementSought').outcome).toBe('replaced');
    healthy(world);
  });

  it('is remembered by a snapshot', () => {
    const { world, provider, hour } = worked(100);
    fail(world, hour, 0, 3, outcome(provider, { canary: 'failed' }));
    world.run({ type: 'platformDown', from: 0, to: 120_000 });
    world.run({ type: 'suspendProvider', company: NONE, provider, reason: 'drill' });
    const copy = Engine.restore(world.engine.snapshot());
    expect(copy.stateHash()).toBe(world.engine.stateHash());
    const twin = new World();
    twin.engine = copy;
    expect(endHour(twin, hour).events).toEqual(endHour(world, hour).events);
    expect(copy.stateHash()).toBe(world.engine.stateHash());
  });
});

describe('who hears of a failed minute', () => {
  it('each buyer of the provider in that hour, once, and of a model those that named it', () => {
    const { world, provider, borrower } = worked();
    const missed = (result: Result) => all(result.events, 'boughtMinuteFailed').map(({ company, reason, share }) => ({ company, reason, share }));
    const [first, again, later] = [fail(world, HOUR, 0, 1, outcome(provider, { canary: 'failed' })), fail(world, HOUR, 0, 1, outcome(provider, { canary: 'failed' })), fail(world, HOUR, 1, 2, outcome(provider, { canary: 'failed', model: 0 }))];
    expect(missed(first[0])).toEqual([{ company: borrower, reason: 'canary', share: MICRO }]);
    expect([missed(again[0]), missed(later[0])]).toEqual([[], []]);
  });
});
