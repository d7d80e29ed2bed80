import { describe, expect, it } from 'vitest';
import { NONE } from '../../engine/vocabulary.ts';
import type { Command } from '../../engine/commands.ts';
import { START, World, gpuHours, one, price, usd } from '../../engine/test/world.ts';
import { MICRO, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { AllocationAuthoriser } from './authoriser.ts';
import type { AuthoriseRequest } from './port.ts';
import { openOrders } from '../../engine/test/open.ts';

const HOUR = START / MILLIS_PER_HOUR;
const SECOND = 1e6;

/** A market whose committed batches reach an authoriser. */
class Desk {
  readonly world = new World(START + 60_000);
  readonly authoriser = new AllocationAuthoriser();
  readonly provider = this.world.provider(1_000);
  buyer = this.world.buyer(10_000);

  constructor() {
    this.world.run({ type: 'addModel', name: 'small' });
    this.world.run({ type: 'setEligibility', company: this.provider, market: 0, models: [0] });
    this.world.ask(this.provider, 2, 100, { hour: HOUR });
    this.authoriser.load(this.world.engine);
  }

  commit(command: Command): void {
    const { engine } = this.world;
    engine.apply({ command, idempotencyKey: '', bodyHash: '' });
    this.authoriser.committed({ firstSequence: engine.sequence, lastSequence: engine.sequence, now: engine.now, events: engine.buffer.take() });
  }

  buy(hours: number): void {
    this.commit({
      type: 'place', company: this.buyer, market: 0, hour: HOUR, side: 0, orderType: 0, price: price(2), quantity: gpuHours(hours), timeInForce: 2, postOnly: false,
      displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: 0, cancelOnDisconnect: false, clientOrderId: '',
    });
  }

  capture(request: string, allocation: number, gpu: number): void {
    this.commit({
      type: 'capture', company: this.buyer, allocation, gpu, request, model: 0, promptTokens: 1, completionTokens: 1,
      detail: { key: 'k', endpoint: 'e', spotFees: 0, estimated: false },
    });
  }

  ask(request: string, gpu: number, more: Partial<AuthoriseRequest> = {}): ReturnType<AllocationAuthoriser['authorise']> {
    return this.authoriser.authorise({ company: this.buyer, request, model: 0, worstGpu: { 0: gpu }, provider: NONE, excluded: [], ...more });
  }
}

describe('the authoriser', () => {
  it('serves exactly k of 200 requests on an allocation worth k', () => {
    const desk = new Desk();
    desk.buy(1);
    const results = Array.from({ length: 200 }, (_, index) => desk.ask(`r${index}`, 100 * SECOND));
    expect(results.filter(({ ok }) => ok)).toHaveLength(36);
    expect(results.at(-1)).toEqual({ ok: false, reason: 'budget_exhausted', pending: true });
  });

  it('weighs a company by all that it has bought there, in however many allocations', () => {
    const desk = new Desk();
    for (const hours of [0.1, 0.1, 0.3]) desk.buy(hours);
    expect(desk.ask('a', SECOND)).toMatchObject({ ok: true, authorisation: { quantity: gpuHours(0.5) } });
  });

  it('gives back what a request held and did not use', () => {
    const desk = new Desk();
    desk.buy(1);
    const first = desk.ask('a', 3_600 * SECOND);
    expect(desk.ask('b', 1)).toMatchObject({ ok: false });
    if (!first.ok) throw new Error(first.reason);
    desk.capture('a', first.authorisation.allocation, 1_000 * SECOND);
    expect(desk.authoriser.captured('a')).toEqual([]);
    expect(desk.ask('b', 2_601 * SECOND)).toMatchObject({ ok: false, reason: 'budget_exhausted' });
    expect(desk.ask('b', 2_600 * SECOND)).toMatchObject({ ok: true });
    desk.authoriser.release('b');
    expect(desk.ask('c', 2_600 * SECOND)).toMatchObject({ ok: true });
  });

  it('keeps a limit to the unit, whatever the processes that ask know of what is committed', () => {
    const desk = new Desk();
    desk.buy(10);
    const before = desk.world.engine.sequence;
    // 180 GPU-seconds at 2 CR an hour are 0.1 CR.
    const asks = { gpu: 180 * SECOND, cost: MICRO / 10 };
    const limited = (request: string, left: number, upTo: number, more: Partial<AuthoriseRequest> = {}) => desk.ask(request, asks.gpu, { limits: [{ name: 'k', left, upTo }], ...more });
    const results = Array.from({ length: 200 }, (_, index) => limited(`r${index}`, MICRO, before));
    expect(results.filter(({ ok }) => ok)).toHaveLength(10);
    expect(results.at(-1)).toEqual({ ok: false, reason: 'over_limit', limit: 'k' });
    // Another key's, and one without a limit, are not concerned.
    expect(desk.ask('other', asks.gpu, { limits: [{ name: 'j', left: asks.cost, upTo: before }] })).toMatchObject({ ok: true });
    const [first] = results;
    if (!first.ok) throw new Error(first.reason);
    desk.capture('r0', first.authorisation.allocation, asks.gpu / 2);
    desk.authoriser.captured('r0');
    desk.authoriser.release('r1');
    // 0.8 are held, 0.05 are spent: who knows of that and who does not come to the same.
    const spent = asks.cost / 2;
    expect(limited('late', MICRO, before, { spent: spent + 1 })).toMatchObject({ reason: 'over_limit' });
    expect(limited('present', MICRO - spent, desk.world.engine.sequence, { spent: spent + 1 })).toMatchObject({ reason: 'over_limit' });
    expect(limited('late', MICRO, before, { spent })).toMatchObject({ ok: true });
    expect(limited('present', MICRO - spent, desk.world.engine.sequence)).toMatchObject({ reason: 'over_limit' });
  });

  it('counts every purchase that a process has not seen, in whatever order those of others are told', () => {
    const desk = new Desk();
    const reserve = (request: string, left: number, upTo: number) => desk.authoriser.reserve({ request, limits: [{ name: 'spot:k', left, upTo }], cost: 40 });
    expect(reserve('a', 100, 10) && reserve('b', 100, 10)).toBe(true);
    // The later purchase is told first.
    desk.authoriser.releaseReservation('b', { amount: 40, sequence: 12 });
    desk.authoriser.releaseReservation('a', { amount: 40, sequence: 11 });
    expect(reserve('knows none', 100, 10)).toBe(false);
    expect(reserve('knows the first', 60, 11)).toBe(false);
    expect(reserve('knows both', 20, 12)).toBe(false);
    expect(reserve('has less spent', 80, 12)).toBe(true);
  });

  it('counts against the key what is captured of a request that an earlier engine let begin', () => {
    const desk = new Desk();
    desk.buy(1);
    const before = desk.world.engine.sequence;
    const hold = desk.ask('first', 180 * SECOND);
    if (!hold.ok) throw new Error(hold.reason);
    desk.authoriser.load(desk.world.engine);
    desk.capture('first', hold.authorisation.allocation, 180 * SECOND);
    const limits = [{ name: 'k', left: MICRO / 10, upTo: before }];
    expect(desk.ask('next', 1, { limits })).toEqual({ ok: false, reason: 'over_limit', limit: 'k' });
  });

  it('refuses models nobody serves, excluded endpoints and frozen credit', () => {
    const desk = new Desk();
    expect(desk.ask('a', 1)).toEqual({ ok: false, reason: 'no_allocation' });
    desk.buy(1);
    expect(desk.ask('a', 1, { model: 5 })).toEqual({ ok: false, reason: 'no_allocation' });
    expect(desk.ask('a', 1, { excluded: [{ provider: desk.provider, market: 0 }] })).toEqual({ ok: false, reason: 'no_allocation' });
    expect(desk.ask('a', 1, { provider: 99 })).toEqual({ ok: false, reason: 'no_allocation' });
    expect(desk.ask('a', 1)).toMatchObject({ ok: true });
  });

  it('carries requests under way over the end of the hour and releases what they leave', () => {
    const desk = new Desk();
    desk.buy(1);
    const hold = desk.ask('a', 600 * SECOND);
    if (!hold.ok) throw new Error(hold.reason);
    const { allocation } = hold.authorisation;
    desk.commit({ type: 'tick', now: (HOUR + 1) * MILLIS_PER_HOUR });
    const pending = desk.authoriser.pendingOf(HOUR);
    expect(pending).toEqual([{ allocation, gpu: 600 * SECOND }]);
    desk.commit({ type: 'endHour', hour: HOUR, pending });
    expect(desk.ask('late', 1)).toMatchObject({ ok: false, reason: 'no_allocation' });
    desk.capture('a', allocation, 100 * SECOND);
    const [release] = desk.authoriser.captured('a');
    expect(release).toEqual({ type: 'releasePending', allocation, gpu: 500 * SECOND });
    desk.commit(release);
    expect(desk.world.engine.query('allocations', { company: desk.buyer })).toEqual([]);
    expect(desk.world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });

  it('ends a hold after ten minutes, and counts anew from the end of its hour', () => {
    const desk = new Desk();
    desk.buy(1);
    expect(desk.ask('a', 3_600 * SECOND)).toMatchObject({ ok: true });
    desk.commit({ type: 'tick', now: START + 11 * 60_000 - 1 });
    expect(desk.ask('b', SECOND)).toMatchObject({ ok: false });
    desk.commit({ type: 'tick', now: START + 12 * 60_000 });
    const hold = desk.ask('c', 3_600 * SECOND);
    if (!hold.ok) throw new Error(hold.reason);
    const end = (HOUR + 1) * MILLIS_PER_HOUR;
    desk.commit({ type: 'tick', now: end });
    desk.commit({ type: 'endHour', hour: HOUR, pending: desk.authoriser.pendingOf(HOUR) });
    const { world, authoriser } = desk;
    const ticked = (now: number) => {
      world.engine.apply({ command: { type: 'tick', now }, idempotencyKey: '', bodyHash: '' });
      return authoriser.committed({ firstSequence: 0, lastSequence: world.engine.sequence, now, events: world.engine.buffer.take() });
    };
    expect(ticked(end + 10 * 60_000 - 1)).toEqual([]);
    expect(ticked(end + 11 * 60_000)).toEqual([{ type: 'releasePending', allocation: hold.authorisation.allocation, gpu: 3_600 * SECOND }]);
  });

  it('counts once what the engine has applied before it was committed', () => {
    const desk = new Desk();
    desk.buy(1);
    const { engine } = desk.world;
    const first = new AllocationAuthoriser();
    first.load(engine);
    const [{ allocation }] = engine.query('allocations', { company: desk.buyer });
    const detail = { key: 'k', endpoint: 'e', spotFees: 0, estimated: false };
    engine.apply({
      command: { type: 'capture', company: desk.buyer, allocation, gpu: 3_000 * SECOND, request: 'r', model: 0, promptTokens: 1, completionTokens: 1, detail },
      idempotencyKey: '', bodyHash: '',
    });
    const ask = (request: string, gpu: number) => first.authorise({ company: desk.buyer, request, model: 0, worstGpu: { 0: gpu }, provider: NONE, excluded: [] });
    expect(ask('a', 601 * SECOND)).toMatchObject({ ok: false, reason: 'budget_exhausted' });
    first.committed({ firstSequence: engine.sequence, lastSequence: engine.sequence, now: engine.now, events: engine.buffer.take() });
    expect(ask('a', 601 * SECOND)).toMatchObject({ ok: false, reason: 'budget_exhausted' });
    expect(ask('b', 600 * SECOND)).toMatchObject({ ok: true });
  });

  it('serves nothing of what is offered for resale, committed or not, until it is cancelled', () => {
    const desk = new Desk();
    desk.buy(1);
    const { engine } = desk.world;
    const [{ allocation }] = engine.query('allocations', { company: desk.buyer });
    expect(desk.ask('a', 600 * SECOND)).toMatchObject({ ok: true });
    expect(desk.authoriser.heldOf(allocation)).toBe(600 * SECOND);
    const resale = {
      type: 'place', company: desk.buyer, market: 0, hour: HOUR, side: 1, orderType: 0, price: price(2), quantity: gpuHours(0.75), timeInForce: 0, postOnly: false,
      displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: allocation, selfTradePrevention: 0, cancelOnDisconnect: false,
      clientOrderId: '', held: 600 * SECOND,
    } as const;
    const apply = (command: Command) => engine.apply({ command, idempotencyKey: '', bodyHash: '' });
    // The engine has taken the offer, the journal has not: nothing of it may be authorised any more.
    apply(resale);
    desk.authoriser.reread(desk.buyer);
    expect(desk.ask('b', 301 * SECOND)).toMatchObject({ ok: false, reason: 'budget_exhausted' });
    desk.authoriser.committed({ firstSequence: 0, lastSequence: engine.sequence, now: engine.now, events: engine.buffer.take() });
    expect(desk.ask('c', 301 * SECOND)).toMatchObject({ ok: false, reason: 'budget_exhausted' });
    expect(desk.ask('d', 300 * SECOND)).toMatchObject({ ok: true });
    desk.commit({ type: 'cancelAll', company: desk.buyer, market: NONE, hour: NONE, side: NONE, onDisconnect: false });
    expect(desk.ask('e', 2_701 * SECOND)).toMatchObject({ ok: false });
    expect(desk.ask('f', 2_700 * SECOND)).toMatchObject({ ok: true });
  });

  it('leaves alone what is offered for resale, until the offer ends', () => {
    const desk = new Desk();
    desk.buy(1);
    const all = desk.ask('a', 3_600 * SECOND);
    if (!all.ok) throw new Error(all.reason);
    desk.authoriser.release('a');
    const offer: Command = {
      type: 'place', company: desk.buyer, market: 0, hour: HOUR, side: 1, orderType: 0, price: price(2.5), quantity: gpuHours(0.4), timeInForce: 0, postOnly: false,
      displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: all.authorisation.allocation, selfTradePrevention: 0,
      cancelOnDisconnect: false, clientOrderId: '',
    };
    desk.commit(offer);
    expect(desk.ask('b', 2_161 * SECOND)).toEqual({ ok: false, reason: 'budget_exhausted' });
    expect(desk.ask('b', 2_160 * SECOND)).toMatchObject({ ok: true });
    desk.authoriser.release('b');
    const [{ order }] = openOrders(desk.world.engine, desk.buyer);
    desk.commit({ type: 'cancel', company: desk.buyer, order });
    expect(desk.ask('c', 3_600 * SECOND)).toMatchObject({ ok: true });
  });

  it('takes the allocation on which the request costs least', () => {
    const desk = new Desk();
    desk.world.run({ type: 'addClass', name: 'slow', chip: 'slow', memoryGb: 24, formFactor: 'PCIe', listPrice: price(3), listInputs: [] });
    desk.buy(1);
    // Cheaper by the hour, dearer by the token.
    for (const type of ['declareCapacity', 'verifyCapacity'] as const) desk.commit({ type, company: desk.provider, market: 16, gpus: 100 });
    desk.commit({ type: 'setEligibility', company: desk.provider, market: 16, models: [0] });
    desk.world.ask(desk.provider, 1, 10, { market: 16, hour: HOUR });
    desk.world.bid(desk.buyer, 1, 10, { market: 16, hour: HOUR });
    const fresh = new AllocationAuthoriser();
    fresh.load(desk.world.engine);
    const ask = (slow: number) => fresh.authorise({ company: desk.buyer, request: `r${slow}`, model: 0, worstGpu: { 0: 10, 1: slow }, provider: NONE, excluded: [] });
    expect(ask(21)).toMatchObject({ authorisation: { market: 0, gpu: 10 } });
    expect(ask(19)).toMatchObject({ authorisation: { market: 16, gpu: 19 } });
  });

  it('releases after a restart what earlier requests left pending', () => {
    const desk = new Desk();
    desk.buy(1);
    const hold = desk.ask('a', 600 * SECOND);
    if (!hold.ok) throw new Error(hold.reason);
    desk.commit({ type: 'tick', now: (HOUR + 1) * MILLIS_PER_HOUR });
    desk.commit({ type: 'endHour', hour: HOUR, pending: desk.authoriser.pendingOf(HOUR) });
    const again = new AllocationAuthoriser();
    expect(again.load(desk.world.engine)).toEqual([{ type: 'releasePending', allocation: hold.authorisation.allocation, gpu: 600 * SECOND }]);
  });
});

describe('a frozen facility', () => {
  it('stops the use of allocations it funded', () => {
    const desk = new Desk();
    const lender = desk.world.company('lender');
    desk.world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(5_000_000), minimumAnnualRate: 50_000 });
    const borrower = desk.world.company('borrower', 'financed');
    const offered = one(desk.world.run({
      type: 'applyFacility', company: borrower, amount: usd(100_000), months: 12, method: 'annuity',
      application: {
        cash: usd(12_000_000), monthlyBurn: usd(400_000), monthlyRevenue: usd(900_000), cashTrend3m: 50_000, revenueGrowth: 1_500_000, grossMargin: 700_000,
        computeShare: 300_000, forecastError: 50_000, topCustomer: 100_000, pastDaysOverdue: 0,
      },
    }).events, 'facilityOffered');
    const { facility } = offered;
    desk.commit({ type: 'acceptFacility', company: borrower, facility });
    desk.commit({ type: 'draw', company: borrower, facility, amount: usd(10_000) });
    desk.buyer = borrower;
    desk.buy(1);
    expect(desk.ask('a', SECOND)).toMatchObject({ ok: true });
    desk.commit({ type: 'freeze', company: lender, facility, fraction: MICRO, reason: 'covenant' });
    expect(desk.ask('b', SECOND)).toEqual({ ok: false, reason: 'credits_blocked' });
    desk.commit({ type: 'unfreeze', company: lender, facility });
    expect(desk.ask('c', SECOND)).toMatchObject({ ok: true });
  });
});
