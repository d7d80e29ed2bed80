import { describe, expect, it } from 'vitest';
import { FOK, GTC, IOC, NONE } from '../vocabulary.ts';
import type { PlaceBlock } from '../commands.ts';
import { Engine } from '../engine.ts';
import { Random } from '../simulation/random.ts';
import { HOUR, World, all, gpuHours, one, price, usd } from '../test/world.ts';
import type { Result } from '../test/world.ts';
import { MICRO, MILLIS_PER_HOUR } from '../numbers/units.ts';
import { openBlocks, openOrders } from '../test/open.ts';

const healthy = (world: World): void => expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);

class BlockWorld extends World {
  readonly seller = this.provider();
  readonly buyers = this.buyer(500_000);

  block(side: 0 | 1, credits: number, hours: number, count: number, more: Partial<PlaceBlock> = {}): Result {
    return this.run({
      type: 'placeBlock', company: side === 0 ? this.buyers : this.seller, market: 0, fromHour: HOUR, toHour: HOUR + count, side, price: price(credits),
      quantity: gpuHours(hours), timeInForce: GTC, minimumAcceptanceRatio: MICRO, model: NONE, clientOrderId: '', ...more,
    });
  }
  asks(...credits: number[]): void {
    credits.forEach((at, index) => this.ask(this.seller, at, 10, { hour: HOUR + index }));
  }
  held(): number {
    return this.engine.query('balances', { company: this.buyers }).held;
  }
}

describe('a sell block that rests', () => {
  it('is one independent ask per hour under one id', () => {
    const world = new BlockWorld();
    const placed = world.block(1, 2, 4, 24);
    const { block } = one(placed.events, 'blockAccepted');
    expect(all(placed.events, 'blockAsk').map((event) => event.block)).toEqual(Array.from({ length: 24 }, () => block));
    expect(all(placed.events, 'orderRested')).toHaveLength(24);
    expect(one(world.bid(world.buyers, 2, 3, { hour: HOUR + 5 }).events, 'fill')).toMatchObject({ quantity: gpuHours(3) });
    const [view] = openBlocks(world.engine, world.seller);
    expect(view).toMatchObject({ block, quantity: gpuHours(4), filled: gpuHours(3), notional: usd(6) });
    expect(view.asks).toHaveLength(24);
    expect(Engine.restore(world.engine.snapshot()).stateHash()).toBe(world.engine.stateHash());
    const cancel = world.run({ type: 'cancel', company: world.seller, order: block });
    expect(all(cancel.events, 'orderDone')).toHaveLength(25);
    expect(all(cancel.events, 'orderDone').at(-1)).toMatchObject({ order: block, status: 'canceled', reason: 'requested', remaining: gpuHours(4 * 24 - 3) });
    expect(openBlocks(world.engine, world.seller)).toEqual([]);
    expect(world.run({ type: 'cancel', company: world.seller, order: block }).rejected).toBe('unknown_order');
    healthy(world);
  });

  it('is filled when its last ask is', () => {
    const world = new BlockWorld();
    const { block } = one(world.block(1, 2, 4, 2).events, 'blockAccepted');
    world.bid(world.buyers, 2, 4, { hour: HOUR });
    const last = world.bid(world.buyers, 2, 4, { hour: HOUR + 1 });
    expect(all(last.events, 'orderDone').find(({ order }) => order === block)).toMatchObject({ status: 'filled', reason: 'filled', remaining: 0 });
    healthy(world);
  });

  it('meets bids on entry and goes on as single asks past the gate', () => {
    const world = new BlockWorld();
    world.bid(world.buyers, 2.2, 4, { hour: HOUR });
    const { block } = one(world.block(1, 2, 4, 2).events, 'blockAccepted');
    expect(openBlocks(world.engine, world.seller)[0].asks).toHaveLength(1);
    world.run({ type: 'tick', now: (HOUR + 1) * MILLIS_PER_HOUR });
    world.run({ type: 'endHour', hour: HOUR, pending: [] });
    expect(one(world.bid(world.buyers, 2, 1, { hour: HOUR + 1 }).events, 'fill').quantity).toBe(gpuHours(1));
    world.run({ type: 'tick', now: (HOUR + 2) * MILLIS_PER_HOUR });
    expect(openBlocks(world.engine, world.seller)).toEqual([]);
    expect(block).toBeGreaterThan(0);
    healthy(world);
  });

  it('leaves with a mass cancel', () => {
    const world = new BlockWorld();
    world.block(1, 2, 4, 5);
    world.block(0, 1, 4, 5);
    for (const company of [world.seller, world.buyers]) world.run({ type: 'cancelAll', company, market: NONE, hour: NONE, side: NONE, onDisconnect: false });
    for (const company of [world.seller, world.buyers]) expect(openBlocks(world.engine, company)).toEqual([]);
    expect(world.held()).toBe(0);
    healthy(world);
  });
});

describe('a buy block', () => {
  it('bounds the average over its hours, not the price of one', () => {
    const world = new BlockWorld();
    world.asks(1, 2.5, 2.5);
    expect(one(world.block(0, 1.99, 10, 3, { timeInForce: FOK }).events, 'orderDone')).toMatchObject({ status: 'canceled', reason: 'fok' });
    const bought = world.block(0, 2, 10, 3, { timeInForce: FOK });
    expect(all(bought.events, 'fill').map((fill) => fill.price)).toEqual([price(1), price(2.5), price(2.5)]);
    expect(one(bought.events, 'blockExecuted')).toMatchObject({ quantity: gpuHours(10), notional: usd(60), wanted: 0, hold: 0 });
    expect(world.engine.query('balances', { company: world.buyers })).toMatchObject({ held: 0, contracted: usd(60) });
    healthy(world);
  });

  it('takes one ratio in every hour, at least its minimum', () => {
    const world = new BlockWorld();
    world.asks(2, 2, 2);
    world.ask(world.seller, 3, 10, { hour: HOUR + 1 });
    const none = world.block(0, 2.1, 20, 3, { timeInForce: IOC, minimumAcceptanceRatio: 600_000 });
    expect(one(none.events, 'orderDone')).toMatchObject({ status: 'canceled', reason: 'ioc', remaining: gpuHours(60) });
    const half = world.block(0, 2.1, 20, 3, { timeInForce: IOC, minimumAcceptanceRatio: 500_000 });
    expect(one(half.events, 'blockExecuted')).toMatchObject({ quantity: gpuHours(10), notional: usd(60) });
    expect(all(half.events, 'orderDone').at(-1)).toMatchObject({ status: 'canceled', reason: 'ioc', remaining: gpuHours(30) });
    healthy(world);
  });

  it('waits with its worst case held, and is tried when its hours gain asks', () => {
    const world = new BlockWorld();
    const { block, hold } = one(world.block(0, 2, 10, 3, { minimumAcceptanceRatio: 400_000 }).events, 'blockAccepted');
    expect(hold).toBe(usd(60.3));
    expect(world.held()).toBe(usd(60.3));
    world.asks(2, 2);
    const third = world.ask(world.seller, 1.7, 6, { hour: HOUR + 2 });
    expect(all(third.events, 'fill').map((fill) => [fill.taker, fill.quantity, fill.price])).toEqual([2, 2, 1.7].map((at) => [block, gpuHours(6), price(at)]));
    expect(one(third.events, 'blockExecuted')).toMatchObject({ wanted: gpuHours(4), hold: usd(24.12) });
    expect(world.held()).toBe(usd(24.12));
    healthy(world);
    expect(Engine.restore(world.engine.snapshot()).stateHash()).toBe(world.engine.stateHash());
    const rest = world.ask(world.seller, 2, 100, { hour: HOUR + 2 });
    expect(all(rest.events, 'orderDone').at(-1)).toMatchObject({ order: block, status: 'filled' });
    expect(world.held()).toBe(0);
    healthy(world);
  });

  it('comes after single orders, by price, then time', () => {
    const world = new BlockWorld();
    const other = world.buyer(50_000, 'other');
    const first = one(world.block(0, 2, 10, 2).events, 'blockAccepted').block;
    const dearer = one(world.block(0, 2.1, 10, 2, { company: other }).events, 'blockAccepted').block;
    const later = one(world.block(0, 2, 10, 2, { company: other }).events, 'blockAccepted').block;
    world.bid(world.buyers, 1.9, 10);
    world.ask(world.seller, 1.9, 10, { hour: HOUR + 1 });
    // The single bid is there first, though it pays less.
    expect(one(world.ask(world.seller, 1.9, 10).events, 'fill').price).toBe(price(1.9));
    const takers = [1, 2, 3].flatMap(() => {
      const fills = all(world.ask(world.seller, 1.9, 10).events, 'fill').map(({ taker }) => taker);
      world.ask(world.seller, 1.9, 10, { hour: HOUR + 1 });
      return fills;
    });
    expect([...new Set(takers)]).toEqual([dearer, first, later]);
    healthy(world);
  });

  it('skips asks of its own group, of others than its model, and those with a minimum', () => {
    const world = new BlockWorld();
    const owned = world.provider(1_000, 'owned', 'family');
    const member = world.buyer(50_000, 'member', 'family');
    world.run({ type: 'addModel', name: 'small' });
    for (const hour of [HOUR, HOUR + 1]) {
      world.ask(owned, 1, 10, { hour });
      world.ask(world.seller, 1.5, 10, { hour, minimumQuantity: gpuHours(10) });
      world.ask(world.seller, 2, 10, { hour });
    }
    expect(all(world.block(0, 2, 5, 2, { company: member, timeInForce: IOC }).events, 'fill').map((fill) => fill.price)).toEqual([price(2), price(2)]);
    expect(all(world.block(0, 2, 5, 2, { timeInForce: FOK, model: 0 }).events, 'fill')).toEqual([]);
    world.block(0, 2, 5, 2, { model: 0 });
    const served = world.run({ type: 'setEligibility', company: world.seller, market: 0, models: [0] });
    expect(all(served.events, 'fill').map((fill) => fill.price)).toEqual([price(2), price(2)]);
    healthy(world);
  });

  it.each([[2, 2], [1.5, 2.5], [1.9999, 2.0001]])('is found among many that cannot pay, when its hours cost %f and %f', (first, second) => {
    const world = new BlockWorld();
    for (let at = 0; at < 20; at++) world.block(0, 1.5 + at / 100, 1, 2 + (at % 3));
    const { block } = one(world.block(0, 2, 1, 2).events, 'blockAccepted');
    const dearer = one(world.block(0, 2.1, 1, 3).events, 'blockAccepted').block;
    world.ask(world.seller, first, 1);
    expect(all(world.ask(world.seller, second, 1, { hour: HOUR + 1 }).events, 'fill').map(({ taker }) => taker)).toEqual([block, block]);
    world.asks(2.1, 2.1, 2.1);
    expect(openBlocks(world.engine, world.buyers).some((view) => view.block === dearer)).toBe(false);
    expect(openBlocks(world.engine, world.buyers)).toHaveLength(20);
    healthy(world);
  });

  it('leaves at the gate of its first hour, and while an hour is halted it waits', () => {
    const world = new BlockWorld();
    const operator = world.company('operator');
    const { block } = one(world.block(0, 2, 10, 2).events, 'blockAccepted');
    world.ask(world.seller, 2, 10, { hour: HOUR + 1 });
    world.run({ type: 'setTradingMode', company: operator, class: NONE, market: 0, hour: HOUR + 1, mode: 'halted', reason: 'test' });
    expect(all(world.ask(world.seller, 2, 10).events, 'fill')).toEqual([]);
    expect(world.block(0, 2, 10, 2).rejected).toBe('halted');
    const gate = world.run({ type: 'tick', now: HOUR * MILLIS_PER_HOUR - 300_000 });
    expect(one(gate.events, 'orderDone')).toMatchObject({ order: block, status: 'canceled', reason: 'gate_closed' });
    expect(world.held()).toBe(0);
    healthy(world);
  });

  it('lets stops in that its trades trigger', () => {
    const world = new BlockWorld();
    world.ask(world.seller, 1.9, 10);
    world.bid(world.buyers, 1.9, 5);
    world.bid(world.buyers, 2.6, 3, { orderType: 3, stopPrice: price(2.5) });
    world.asks(2.5, 1.5);
    const bought = world.block(0, 2.1, 10, 2, { timeInForce: FOK });
    expect(one(bought.events, 'orderTriggered')).toBeDefined();
    healthy(world);
  });
});

describe('a sell block that cannot wait', () => {
  it('sells all hours or none', () => {
    const world = new BlockWorld();
    world.bid(world.buyers, 2.4, 10);
    expect(one(world.block(1, 2, 10, 2, { timeInForce: FOK }).events, 'orderDone').reason).toBe('fok');
    world.bid(world.buyers, 1.6, 10, { hour: HOUR + 1 });
    expect(all(world.block(1, 2.01, 10, 2, { timeInForce: IOC }).events, 'fill')).toEqual([]);
    const sold = world.block(1, 2, 10, 2, { timeInForce: FOK });
    expect(all(sold.events, 'fill').map((fill) => [fill.price, fill.takerSide])).toEqual([[price(2.4), 'sell'], [price(1.6), 'sell']]);
    expect(openOrders(world.engine, world.seller)).toEqual([]);
    expect(world.engine.query('soldPlaces', { fromHour: HOUR, toHour: HOUR + 1 })).toMatchObject([{ quantity: gpuHours(10) }, { quantity: gpuHours(10) }]);
    healthy(world);
  });
});

describe('refusals of blocks', () => {
  const cases: [string, Partial<PlaceBlock>, string][] = [
    ['one hour', { toHour: HOUR + 1 }, 'amount_out_of_range'],
    ['745 hours', { toHour: HOUR + 745 }, 'amount_out_of_range'],
    ['the running hour', { fromHour: HOUR - 24, toHour: HOUR }, 'gate_closed'],
    ['hours that are not listed', { fromHour: HOUR + 92 * 24, toHour: HOUR + 93 * 24 }, 'instrument_unknown'],
    ['no market', { market: 5 }, 'instrument_unknown'],
    ['a ratio above one', { minimumAcceptanceRatio: MICRO + 1 }, 'amount_out_of_range'],
    ['no quantity', { quantity: 0 }, 'amount_out_of_range'],
    ['half a step', { quantity: -2 }, 'invalid_step'],
    ['half a tick', { price: -2 }, 'invalid_tick'],
    ['good till date', { timeInForce: 1 }, 'invalid_parameter'],
    ['an unknown model', { model: 3 }, 'invalid_parameter'],
    ['more than it has', { quantity: gpuHours(100_000) }, 'insufficient_credits'],
    ['a provider that buys', { company: 0 }, 'not_authorized'],
  ];
  it.each(cases)('%s', (_name, more, code) => {
    const world = new BlockWorld();
    expect(world.block(0, 3, 10, 24, more).rejected).toBe(code);
    healthy(world);
  });

  it('a sell block above list price or beyond capacity in one of its hours', () => {
    const world = new BlockWorld();
    world.ask(world.seller, 2, 99_995, { hour: HOUR + 7 });
    expect(world.block(1, 3.01, 10, 24).rejected).toBe('above_list_price');
    expect(world.block(1, 2, 10, 24).rejected).toBe('insufficient_capacity');
    expect(world.block(1, 2, 5, 24, { clientOrderId: 'a' }).rejected).toBeUndefined();
    expect(world.block(1, 2, 5, 2, { clientOrderId: 'a', fromHour: HOUR + 30, toHour: HOUR + 33 }).rejected).toBe('duplicate_client_order_id');
    expect(world.run({ type: 'amend', company: world.seller, order: openBlocks(world.engine, world.seller)[0].block, price: 1, quantity: 1 }).rejected).toBe('invalid_state');
    healthy(world);
  });
});

/** What a block may take of books given as [price, quantity] by hour, found by trying every quantity. */
function bruteForce(books: readonly (readonly (readonly [number, number])[])[], limit: number, most: number, least: number, buys: boolean): number {
  for (let quantity = most; quantity >= least; quantity--) {
    let sum = 0;
    let whole = true;
    for (const book of books) {
      const units = book.flatMap(([at, size]) => Array.from({ length: size }, () => at)).sort((a, b) => (buys ? a - b : b - a));
      whole &&= units.length >= quantity;
      sum += units.slice(0, quantity).reduce((total, at) => total + at, 0);
    }
    const bound = limit * quantity * books.length;
    if (whole && (buys ? sum <= bound : sum >= bound)) return quantity;
  }
  return 0;
}

describe('against brute force', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))('seed %i executes the largest quantity', (seed) => {
    const random = new Random(seed);
    for (let round = 0; round < 12; round++) {
      const world = new BlockWorld();
      const buys = random.chance(0.5);
      const count = random.between(2, 4);
      const books = Array.from({ length: count }, () => Array.from({ length: random.between(1, 4) }, () => [random.between(15, 25), random.between(1, 6)] as const));
      books.forEach((book, index) => {
        for (const [at, size] of book) {
          const more = { hour: HOUR + index, quantity: size, price: at * 1_000, displayQuantity: random.chance(0.3) ? 1 : 0 };
          if (buys) world.ask(world.seller, 1, 1, more);
          else world.bid(world.buyers, 1, 1, more);
        }
      });
      const most = random.between(1, 12);
      const ratio = random.pick([0, 300_000, 500_000, MICRO]);
      const limit = random.between(16, 24);
      const least = Math.max(1, Math.ceil((most * ratio) / MICRO));
      const placed = world.block(buys ? 0 : 1, limit / 10, 1, count, { quantity: most, minimumAcceptanceRatio: ratio, timeInForce: IOC });
      const expected = bruteForce(books, limit, most, least, buys);
      expect({ seed, round, quantity: all(placed.events, 'blockExecuted').map(({ quantity }) => quantity) }).toEqual({ seed, round, quantity: expected === 0 ? [] : [expected] });
      healthy(world);
    }
  });
});
