import { describe, expect, it } from 'vitest';
import { FOK, IOC, NONE } from '../vocabulary.ts';
import type { TradingMode } from '../vocabulary.ts';
import { Engine } from '../engine.ts';
import { HOUR, World, all, gpuHours, one, price, usd } from '../test/world.ts';
import type { Result } from '../test/world.ts';

const healthy = (world: World): void => expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);

class AuctionWorld extends World {
  readonly operator = this.company('operator');
  readonly seller = this.provider();
  readonly buyers = this.buyer();

  mode(mode: TradingMode, market = 0, hour = NONE): Result {
    return this.run({ type: 'setTradingMode', company: this.operator, class: NONE, market, hour, mode, reason: 'test' });
  }
}

describe('an auction of the exchange', () => {
  it('reopens after a halt: orders collect, then execute at one price', () => {
    const world = new AuctionWorld();
    const other = world.provider(1_000, 'other');
    world.ask(world.seller, 2, 10);
    world.mode('halted');
    expect(world.bid(world.buyers, 2.4, 10).rejected).toBe('halted');
    world.mode('auction');
    expect(all(world.bid(world.buyers, 2.4, 10).events, 'fill')).toEqual([]);
    world.bid(world.buyers, 2.2, 10);
    world.ask(other, 2.1, 5);
    world.ask(other, 2.3, 20);
    expect(world.bid(world.buyers, 2.5, 1, { timeInForce: IOC }).events.at(-1)).toMatchObject({ kind: 'orderDone', reason: 'ioc' });
    expect(world.bid(world.buyers, 2.5, 1, { timeInForce: FOK }).events.at(-1)).toMatchObject({ kind: 'orderDone', reason: 'fok' });
    expect(world.bid(world.buyers, 2.5, 1, { postOnly: true }).rejected).toBeUndefined();
    healthy(world);
    expect(Engine.restore(world.engine.snapshot()).stateHash()).toBe(world.engine.stateHash());
    const open = world.mode('open');
    // 15 below 2.30 meet the best 15 of 21; of the prices with that volume, the least surplus, then nearest list price.
    expect(one(open.events, 'auctionEnded')).toEqual({ kind: 'auctionEnded', market: 0, hour: HOUR, price: price(2.2), volume: gpuHours(15) });
    expect(new Set(all(open.events, 'fill').map((fill) => fill.price))).toEqual(new Set([price(2.2)]));
    expect(world.engine.query('balances', { company: world.buyers }).contracted).toBe(usd(33));
    expect(one(world.bid(world.buyers, 2.3, 1).events, 'fill').price).toBe(price(2.3));
    healthy(world);
  });

  it('ends by itself when its time has come, also after a restart; another mode ends the plan', () => {
    const world = new AuctionWorld();
    const call = (minutes: number, hour = NONE): Result =>
      world.run({ type: 'setTradingMode', company: world.operator, class: NONE, market: 0, hour, mode: 'auction', reason: 'call', call: minutes * 60_000 });
    world.mode('halted');
    const began = world.engine.now;
    expect(one(call(5).events, 'callScheduled').endsAt).toBe(began + 300_000);
    world.ask(world.seller, 2, 10);
    expect(all(world.bid(world.buyers, 2.4, 10).events, 'fill')).toEqual([]);
    const restored = Engine.restore(world.engine.snapshot());
    expect(all(world.run({ type: 'tick', now: began + 299_999 }).events, 'fill')).toEqual([]);
    const ended = world.run({ type: 'tick', now: began + 300_000 });
    expect(one(ended.events, 'tradingModeSet')).toMatchObject({ mode: 'open', by: world.operator });
    expect(one(ended.events, 'auctionEnded').volume).toBe(gpuHours(10));
    for (const now of [began + 299_999, began + 300_000]) restored.apply({ command: { type: 'tick', now }, idempotencyKey: '', bodyHash: '' });
    restored.buffer.take();
    expect(restored.stateHash()).toBe(world.engine.stateHash());

    call(5);
    world.mode('halted');
    expect(all(world.run({ type: 'tick', now: began + 900_000 }).events, 'tradingModeSet')).toEqual([]);
    expect(world.bid(world.buyers, 2.4, 10).rejected).toBe('halted');
    expect(world.run({ type: 'setTradingMode', company: world.operator, class: NONE, market: 0, hour: NONE, mode: 'halted', reason: 'x', call: 60_000 }).rejected).toBe('invalid_parameter');
    // A call of one hour whose book is gone by then opens nothing.
    world.mode('open');
    call(24 * 60, HOUR);
    world.run({ type: 'tick', now: (HOUR + 1) * 3_600_000 });
    world.run({ type: 'endHour', hour: HOUR, pending: [] });
    expect(world.run({ type: 'tick', now: began + 25 * 3_600_000 }).rejected).toBeUndefined();
    healthy(world);
  });

  it('leaves out bids that name a model; they trade when it is over', () => {
    const world = new AuctionWorld();
    world.run({ type: 'addModel', name: 'small' });
    world.run({ type: 'setEligibility', company: world.seller, market: 0, models: [0] });
    world.mode('auction');
    world.ask(world.seller, 2, 10);
    world.bid(world.buyers, 2.6, 4, { model: 0 });
    world.bid(world.buyers, 2.2, 4);
    const open = world.mode('open');
    expect(one(open.events, 'auctionEnded').volume).toBe(gpuHours(4));
    expect(all(open.events, 'fill').map((fill) => fill.quantity)).toEqual([gpuHours(4), gpuHours(4)]);
    expect(all(open.events, 'fill')[1].price).toBe(price(2));
    healthy(world);
  });

  it('covers books that open during the call, and survives a halt within it', () => {
    const world = new AuctionWorld();
    world.mode('auction', NONE);
    world.ask(world.seller, 2, 10, { hour: HOUR + 3 });
    world.bid(world.buyers, 2.2, 4, { hour: HOUR + 3 });
    world.mode('halted', 0);
    expect(all(world.mode('open', NONE).events, 'auctionEnded')).toEqual([]);
    healthy(world);
    expect(all(world.mode('open', 0).events, 'fill')).toHaveLength(1);
    healthy(world);
  });

  it('is over for one hour while another still calls', () => {
    const world = new AuctionWorld();
    world.mode('auction', 0, HOUR);
    world.mode('auction', 0, HOUR + 1);
    for (const hour of [HOUR, HOUR + 1]) {
      world.ask(world.seller, 2, 10, { hour });
      world.bid(world.buyers, 2, 10, { hour });
    }
    expect(one(world.mode('open', 0, HOUR).events, 'fill').hour).toBe(HOUR);
    expect(all(world.bid(world.buyers, 2, 1, { hour: HOUR + 1 }).events, 'fill')).toEqual([]);
    healthy(world);
  });

  it('keeps a waiting buy block out until it is over', () => {
    const world = new AuctionWorld();
    world.run({
      type: 'placeBlock', company: world.buyers, market: 0, fromHour: HOUR, toHour: HOUR + 2, side: 0, price: price(2), quantity: gpuHours(1), timeInForce: 0,
      minimumAcceptanceRatio: 0, model: NONE, clientOrderId: '',
    });
    world.mode('auction', 0, HOUR);
    world.ask(world.seller, 2, 1);
    expect(all(world.ask(world.seller, 2, 1, { hour: HOUR + 1 }).events, 'fill')).toEqual([]);
    expect(all(world.mode('open', 0, HOUR).events, 'fill')).toHaveLength(2);
    healthy(world);
  });
});

describe.each(['halted', 'cancel_only'] as const)('a market that is %s', (mode) => {
  it('takes a decrease as a cancel of a part, and what that lets cross executes when trading goes on', () => {
    const world = new AuctionWorld();
    const bid = one(world.bid(world.buyers, 2.4, 10, { minimumQuantity: gpuHours(10) }).events, 'orderAccepted').order;
    const ask = one(world.ask(world.seller, 2, 4).events, 'orderAccepted').order;
    world.mode(mode);
    const amend = (company: number, order: number, terms: { price: number; quantity: number }): Result => world.run({ type: 'amend', company, order, ...terms });
    expect(amend(world.buyers, bid, { price: 0, quantity: gpuHours(11) }).rejected).toBe(mode);
    expect(amend(world.seller, ask, { price: price(2.1), quantity: 0 }).rejected).toBe(mode);
    const decreased = amend(world.buyers, bid, { price: 0, quantity: gpuHours(4) });
    expect(one(decreased.events, 'orderAmended')).toMatchObject({ remaining: gpuHours(4), keptPriority: true });
    expect(all(decreased.events, 'fill')).toEqual([]);
    healthy(world);
    expect(one(world.mode('open').events, 'fill')).toMatchObject({ quantity: gpuHours(4), price: price(2) });
    healthy(world);
  });
});
