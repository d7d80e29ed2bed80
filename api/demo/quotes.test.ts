import { describe, expect, test } from 'vitest';
import { CLASSES, OFFERS, PROVIDERS, REGIONS } from '../../db/seed/offers.ts';
import { listInputs, listPrice } from '../../db/seed/list_price.ts';
import { BUY, SELL, marketOf, regionOf } from '../../engine/vocabulary.ts';
import type { BatchOrders, OrderCommand, PlaceOrder } from '../../engine/commands.ts';
import { MILLIS_PER_HOUR, STEPS_PER_GPU_HOUR } from '../../engine/numbers/units.ts';
import { MAIN_CLASSES, askHours, bidHours, offeredMarkets, quotedMarkets } from './plan.ts';
import type { Names } from './plan.ts';
import { fullQuantity, planStep } from './quotes.ts';
import type { QuoteOrder, QuoteState } from './quotes.ts';

const HOUR = 495_000;
const START = HOUR * MILLIS_PER_HOUR + 10 * 60_000;
const BIDDERS = [101, 102, 103, 104, 105, 106, 107, 108];
const classId = (name: string) => CLASSES.findIndex((entry) => entry.name === name);
const regionId = (name: string) => REGIONS.findIndex((entry) => entry === name);
const names: Names = {
  companyId: (provider) => PROVIDERS.findIndex((entry) => entry.provider === provider),
  marketId: (className, region) => marketOf(classId(className), regionId(region)),
  listPrice: (className) => listPrice(listInputs(OFFERS, className)),
};
const markets = quotedMarkets(names);
const nobody = () => ({ bid: 0, ask: 0 });
const stateAt = (now: number, orders: QuoteOrder[] = [], others: QuoteState['others'] = nobody): QuoteState => ({ now, markets, bidders: BIDDERS, orders, others, traded: () => true });
const operations = (batches: readonly BatchOrders[]): OrderCommand[] => batches.flatMap((batch) => batch.operations);
const places = (batches: readonly BatchOrders[], side: number) =>
  operations(batches).filter((command): command is PlaceOrder => command.type === 'place' && command.side === side);

/** The book that would stand if every place rested and nothing else happened. */
const resting = (batches: readonly BatchOrders[]): QuoteOrder[] =>
  operations(batches).flatMap((command, index) =>
    command.type === 'place' && command.timeInForce === 0
      ? [{ order: index + 1, company: command.company, market: command.market, hour: command.hour, side: command.side, price: command.price, remaining: command.quantity }]
      : [],
  );

describe('the quoted markets', () => {
  test('quote each main class in every region', () => {
    for (const name of MAIN_CLASSES) {
      const regions = markets.filter((market) => market.main && Math.floor(market.market / 16) === classId(name)).map((market) => regionOf(market.market));
      expect(regions, name).toEqual([0, 1, 2]);
    }
  });

  test('ask what nets the offer, never above the list price', () => {
    const asked = markets.find((market) => market.market === names.marketId('H100-SXM-80', 'us-west'));
    expect([...new Set(asked?.asks.map((slot) => slot.price))]).toEqual([17_742, 20_968, 24_033, 33_900]);
  });

  test('need capacity wherever a provider has an offer', () => {
    const offered = offeredMarkets(classId, regionId);
    expect(offered).toHaveLength(125);
    for (const market of markets) for (const slot of market.asks) {
      expect(offered.some((entry) => names.companyId(entry.provider) === slot.company && entry.market === slot.market)).toBe(true);
    }
  });
});

describe('the hours', () => {
  test('are the running one, a day and a week ahead', () => {
    expect(askHours(START, true).slice(0, 3)).toEqual([HOUR, HOUR + 1, HOUR + 2]);
    expect(askHours(START, true)).toHaveLength(25 + 7);
    expect(askHours(START, false)).toEqual([HOUR, HOUR + 1, HOUR + 2]);
    expect(bidHours(START)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((ahead) => HOUR + ahead));
  });

  test('leave the running one out from a minute before its end', () => {
    const end = (HOUR + 1) * MILLIS_PER_HOUR;
    expect(askHours(end - 64_000, true)[0]).toBe(HOUR);
    expect(askHours(end - 63_000, true)[0]).toBe(HOUR + 1);
    expect(askHours(end - 1, true)[0]).toBe(HOUR + 1);
  });
});

describe('a step', () => {
  const first = planStep(stateAt(START));

  test('is the same for the same state and time', () => {
    expect(planStep(stateAt(START))).toEqual(first);
  });

  test('starts with every ask at its price in every hour', () => {
    const expected = markets.flatMap((market) => askHours(START, market.main).flatMap((hour) => market.asks.map((slot) => `${slot.company}:${slot.market}:${hour}:${slot.price}`)));
    expect(places(first, SELL).map((order) => `${order.company}:${order.market}:${order.hour}:${order.price}`).sort()).toEqual(expected.sort());
    expect(places(first, SELL).every((order) => order.quantity > 0)).toBe(true);
  });

  test('bids below the lowest ask there can be, and only rests', () => {
    const bids = places(first, BUY);
    expect(bids).toHaveLength(MAIN_CLASSES.length * 3 * 8 * 8);
    for (const bid of bids) {
      expect(bid.price).toBeLessThan(markets.find((market) => market.market === bid.market)?.asks[0].price ?? 0);
      expect(bid.postOnly).toBe(true);
    }
  });

  test('keeps within a batch', () => {
    for (const batch of first) {
      expect(batch.operations.length).toBeLessThanOrEqual(500);
      expect(batch.operations.every((command) => command.company === batch.company)).toBe(true);
    }
  });

  test('trades in most steps, never above the second level nor more than half of a book', () => {
    const standing = resting(first);
    let trades = 0;
    for (let step = 1; step <= 100; step++) {
      const taken = places(planStep(stateAt(START + step * 3_000, standing)), BUY).filter((order) => !order.postOnly);
      trades += taken.length;
      for (const order of taken) {
        const asks = standing.filter((ask) => ask.side === SELL && ask.market === order.market && ask.hour === order.hour);
        expect([...new Set(asks.map((ask) => ask.price))].sort((a, b) => a - b).slice(0, 2)).toContain(order.price);
        expect(order.quantity).toBeLessThanOrEqual(asks.reduce((sum, ask) => sum + ask.remaining, 0) / 2);
      }
    }
    expect(trades).toBeGreaterThan(60);
  });

  test('offers again at once in a book that is nearly empty', () => {
    const market = markets[0];
    const standing = resting(first).filter((order) => order.market !== market.market || order.hour !== HOUR);
    const placed = places(planStep(stateAt(START + 3_000, standing)), SELL).filter((order) => order.market === market.market && order.hour === HOUR);
    expect(placed.map((order) => order.price).sort()).toEqual(market.asks.map((slot) => slot.price).sort());
  });

  test('offers less of an hour that is running out', () => {
    const slot = markets[0].asks[0];
    const whole = fullQuantity(slot, HOUR, HOUR * MILLIS_PER_HOUR - 1);
    expect(fullQuantity(slot, HOUR, HOUR * MILLIS_PER_HOUR)).toBe(whole);
    expect(fullQuantity(slot, HOUR, (HOUR + 1) * MILLIS_PER_HOUR - 61_000)).toBe(Math.ceil((whole * 2) / 60));
    expect(fullQuantity(slot, HOUR, (HOUR + 1) * MILLIS_PER_HOUR - 61_000)).toBeGreaterThan(STEPS_PER_GPU_HOUR / 10);
  });

  test('takes back asks at a price that is no longer asked', () => {
    const slot = markets[0].asks[0];
    const stale: QuoteOrder = { order: 7, company: slot.company, market: slot.market, hour: HOUR, side: SELL, price: slot.price + 1, remaining: 100 };
    expect(operations(planStep(stateAt(START, [stale])))).toContainEqual({ type: 'cancel', company: slot.company, order: 7 });
  });

  test('leaves the orders of others alone', () => {
    const market = markets.find((entry) => entry.main && new Set(entry.asks.map((slot) => slot.price)).size > 2);
    if (market === undefined) throw new Error('no market with three prices');
    const [lowest] = market.asks;
    const bidden = planStep(stateAt(START, [], () => ({ bid: lowest.price, ask: 0 })));
    const asks = places(bidden, SELL).filter((order) => order.market === market.market);
    expect(asks.length).toBeGreaterThan(0);
    expect(asks.every((order) => order.price > lowest.price)).toBe(true);
    const standing = resting(first);
    for (let step = 1; step <= 50; step++) {
      const offered = planStep(stateAt(START + step * 3_000, standing, () => ({ bid: 0, ask: 100 })));
      expect(places(offered, BUY).filter((order) => !order.postOnly)).toEqual([]);
      expect(operations(offered).every((command) => command.type !== 'amend' || command.price < 100)).toBe(true);
    }
  });
});
