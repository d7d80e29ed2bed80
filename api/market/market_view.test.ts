import { describe, expect, test } from 'vitest';
import { BUY, MARKET, NONE, SELL } from '../../engine/vocabulary.ts';
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import { eventOf } from '../sequencer/port.ts';
import type { Instrument } from './market_data.ts';
import { HOUR, INSTRUMENT, RUNNING, START, openExchange, orderOf, place, trade } from './test/exchange.ts';
import type { Exchange } from './test/exchange.ts';
import { MarketView } from './market_view.ts';
import type { PastTrade, TradeHistory } from './trade_history.ts';

function instrumentOf(exchange: Exchange, id = INSTRUMENT): Instrument {
  return exchange.view.instrument(id) ?? expect.fail(`no ${id}`);
}
const pair = ({ price, quantity }: { price: number; quantity: number }) => [price, quantity];

describe('instruments', () => {
  test('are computed: every class and region for the running hour and 93 days', async () => {
    const { view } = await openExchange();
    const all = view.list({}, 1_000_000);
    expect(all).toHaveLength(2 * 2 * (93 * 24 + 1));
    expect(all[0].instrument.id).toBe('H100-SXM-80.us-east.20261201T14Z');
    expect(all.at(-1)?.instrument.id).toBe('A100-PCIE-40.eu-west.20270304T14Z');
    expect(all.slice(0, 2).map(({ phase }) => phase)).toEqual(['spot', 'open']);
  });

  test('are filtered and continued after any of them', async () => {
    const { view } = await openExchange();
    const filter = { region: 1, fromHour: HOUR, toHour: HOUR + 1 };
    const ids = view.list(filter, 10).map(({ instrument }) => instrument.id);
    expect(ids).toEqual([
      'H100-SXM-80.eu-west.20261202T14Z', 'H100-SXM-80.eu-west.20261202T15Z', 'A100-PCIE-40.eu-west.20261202T14Z', 'A100-PCIE-40.eu-west.20261202T15Z',
    ]);
    const rest = ids.map((_, index) => view.list({ ...filter, after: keyOf(view.list(filter, index + 1)[index].instrument) }, 10).map(({ instrument }) => instrument.id));
    expect(rest).toEqual([ids.slice(1), ids.slice(2), ids.slice(3), []]);
  });

  const keyOf = ({ market, hour }: Instrument): number => market * 2 ** 24 + hour;

  test('pass through their phases and take the strictest mode', async () => {
    const exchange = await openExchange();
    const { sequencer, view } = exchange;
    const next = view.instrumentOf(0, RUNNING + 1);
    const phaseAt = (minute: number) => {
      sequencer.run({ type: 'tick', now: RUNNING * MILLIS_PER_HOUR + minute * MILLIS_PER_MINUTE });
      return view.describe(next).phase;
    };
    expect([54, 55, 60, 118, 119].map(phaseAt)).toEqual(['open', 'gate_closed', 'spot', 'spot', 'closed']);
    expect(view.describe(view.instrumentOf(0, RUNNING + 1 + 94 * 24)).phase).toBe('scheduled');
    const operator = sequencer.run({ type: 'registerCompany', name: 'house', role: 'operator', group: '' });
    const company = operator[0].kind === 'companyRegistered' ? operator[0].company : NONE;
    sequencer.run({ type: 'setTradingMode', company, class: 0, market: NONE, hour: NONE, mode: 'cancel_only', reason: 'drill' });
    sequencer.run({ type: 'setTradingMode', company, class: NONE, market: 0, hour: NONE, mode: 'halted', reason: 'fire' });
    expect(view.describe(view.instrumentOf(0, HOUR))).toMatchObject({ mode: 'halted', reason: 'fire' });
    expect(view.describe(view.instrumentOf(1, HOUR))).toMatchObject({ mode: 'cancel_only', reason: 'drill' });
    expect(view.describe(view.instrumentOf(16, HOUR))).toMatchObject({ mode: 'open', reason: '' });
  });

  test('of an hour that is over leave nothing behind', async () => {
    const exchange = await openExchange();
    const { sequencer, view } = exchange;
    trade(exchange, 1, 1, 10_000, 100, { hour: RUNNING });
    expect(view.trades(view.instrumentOf(0, RUNNING), 10)).toHaveLength(1);
    const operator = sequencer.run({ type: 'registerCompany', name: 'house', role: 'operator', group: '' });
    const company = operator[0].kind === 'companyRegistered' ? operator[0].company : NONE;
    for (const hour of [RUNNING, RUNNING + 1]) sequencer.run({ type: 'setTradingMode', company, class: NONE, market: 0, hour, mode: 'halted', reason: 'fire' });
    sequencer.run({ type: 'tick', now: (RUNNING + 1) * MILLIS_PER_HOUR });
    sequencer.run({ type: 'endHour', hour: RUNNING, pending: [] });
    expect(view.trades(view.instrumentOf(0, RUNNING), 10)).toEqual([]);
    expect(view.index(0).trades).toBe(1);
    expect(view.modes().map(({ hour }) => hour)).toEqual([RUNNING + 1]);
  });
});

test('price bands are those of the last command', async () => {
  const { sequencer, view } = await openExchange();
  expect(view.bands).toEqual({ above: 10_000_000, below: 1_000 });
  const operator = eventOf(sequencer.run({ type: 'registerCompany', name: 'operator', role: 'operator', group: '' }), 'companyRegistered');
  sequencer.run({ type: 'setBands', company: operator?.company ?? NONE, above: 2_000_000, below: 500_000 });
  expect(view.bands).toEqual({ above: 2_000_000, below: 500_000 });
});

describe('the book', () => {
  test('shows of an iceberg only what is displayed, and refills at the end of the queue', async () => {
    const exchange = await openExchange();
    const { view, providers, buyers } = exchange;
    const iceberg = place(exchange, providers[1], SELL, 20_000, 1_000, { displayQuantity: 100 });
    const plain = place(exchange, providers[2], SELL, 20_000, 50);
    const instrument = instrumentOf(exchange);
    expect(view.depth(instrument, 10).asks).toEqual([{ price: 20_000, quantity: 150, orders: 2 }]);
    place(exchange, buyers[1], BUY, 20_000, 120);
    expect(view.queues(instrument, 10).asks.map(({ order, visible }) => [order, visible])).toEqual([[plain, 30], [iceberg, 100]]);
  });

  test('for a model has only the asks of who serves it', async () => {
    const exchange = await openExchange();
    const { view, providers, buyers } = exchange;
    place(exchange, providers[1], SELL, 20_000, 100);
    place(exchange, providers[2], SELL, 19_000, 100);
    place(exchange, providers[1], SELL, 21_000, 100);
    place(exchange, buyers[1], BUY, 10_000, 100);
    const instrument = instrumentOf(exchange);
    expect(view.depth(instrument, 10).asks.map(pair)).toEqual([[19_000, 100], [20_000, 100], [21_000, 100]]);
    expect(view.depth(instrument, 10, 0)).toEqual({ bids: [{ price: 10_000, quantity: 100, orders: 1 }], asks: [20_000, 21_000].map((price) => ({ price, quantity: 100, orders: 1 })) });
    expect(view.depth(instrument, 1, 0).asks.map(pair)).toEqual([[20_000, 100]]);
    expect(view.queues(instrument, 1, 0).asks).toHaveLength(1);
  });

  test('for a model has what is resold of who serves it, once it is known whose that is', async () => {
    const exchange = await openExchange();
    const { view, providers, buyers, sequencer } = exchange;
    const instrument = instrumentOf(exchange);
    for (const provider of [providers[1], providers[2]]) {
      place(exchange, provider, SELL, 20_000, 100);
      const bought = eventOf(sequencer.run(orderOf(buyers[1], BUY, 20_000, 100)), 'fill');
      place(exchange, buyers[1], SELL, 22_000 + provider, 60, { resaleOf: bought?.allocation ?? 0 });
    }
    expect(view.depth(instrument, 10, 0).asks).toEqual([]);
    await view.loadResales(instrument);
    expect(view.depth(instrument, 10, 0).asks.map(pair)).toEqual([[22_000 + providers[1], 60]]);
    expect(view.depth(instrument, 10).asks).toHaveLength(2);
  });
});

test('market orders that wait for a call are in no book, also of a process that begins amid the call', async () => {
  const exchange = await openExchange();
  const { sequencer, directory, view, providers, buyers } = exchange;
  const operator = eventOf(sequencer.run({ type: 'registerCompany', name: 'house', role: 'operator', group: '' }), 'companyRegistered')?.company ?? NONE;
  const turn = (mode: 'auction' | 'open') => sequencer.run({ type: 'setTradingMode', company: operator, class: NONE, market: 0, hour: HOUR, mode, reason: '' });
  turn('auction');
  const bid = place(exchange, buyers[2], BUY, NONE, 300, { orderType: MARKET });
  place(exchange, buyers[3], BUY, 20_000, 100);
  place(exchange, providers[2], SELL, NONE, 200, { orderType: MARKET });
  place(exchange, providers[3], SELL, 21_000, 400);
  const later = await MarketView.start(sequencer, directory);
  for (const { depth, queues, ticker } of [view, later].map((each) => ({ depth: each.depth(instrumentOf(exchange), 9), queues: each.queues(instrumentOf(exchange), 9), ticker: each.ticker(instrumentOf(exchange)) }))) {
    expect([depth.bids.map(pair), depth.asks.map(pair)]).toEqual([[[20_000, 100]], [[21_000, 400]]]);
    expect([queues.bids.length, queues.asks.length, ticker.bid?.price, ticker.ask?.price]).toEqual([1, 1, 20_000, 21_000]);
  }
  turn('open');
  expect(view.order(bid)).toBeUndefined();
  expect(view.trades(instrumentOf(exchange), 9)).toHaveLength(2);
  const { bids, asks } = view.depth(instrumentOf(exchange), 9);
  expect([bids.map(pair), asks.map(pair)]).toEqual([[[20_000, 100]], [[21_000, 300]]]);
});

describe('marks and indices', () => {
  test('need four groups on each side and no trade within one owner', async () => {
    const exchange = await openExchange();
    const { view } = exchange;
    expect(view.mark(0, HOUR)).toEqual({ price: 15_000, source: 'list_price' });
    expect(view.mark(16, HOUR)).toEqual({ price: 7_500, source: 'list_price' });
    for (const [index, price] of [[1, 10_000], [2, 11_000], [3, 12_000]]) trade(exchange, index, index, price, 4_000);
    expect(view.index(0)).toMatchObject({ price: null, trades: 3, buyerGroups: 3, providerGroups: 3 });
    trade(exchange, 4, 4, 13_000, 4_001);
    const index = Math.round((10_000 * 4_000 + 11_000 * 4_000 + 12_000 * 4_000 + 13_000 * 4_001) / 16_001);
    expect(view.index(0)).toMatchObject({ price: index, trades: 4, volume: 16_001, buyerGroups: 4, providerGroups: 4, affiliated: 0 });
    expect(view.mark(0, HOUR)).toEqual({ price: index, source: 'trades' });
    expect(view.mark(1, HOUR)).toEqual({ price: index, source: 'index' });
    // One group with more than 30 % of the hour makes no mark; the class still has its index.
    trade(exchange, 4, 4, 13_000, 8_000);
    expect(view.mark(0, HOUR).source).toBe('index');
  });

  test('forget after 24 hours', async () => {
    const exchange = await openExchange();
    const { sequencer, view } = exchange;
    const far = { hour: HOUR + 48 };
    for (const index of [1, 2, 3, 4]) trade(exchange, index, index, 10_000, 4_000, far);
    const instrument = view.instrumentOf(0, HOUR + 48);
    sequencer.run({ type: 'tick', now: START + 24 * MILLIS_PER_HOUR - MILLIS_PER_MINUTE });
    expect(view.ticker(instrument)).toMatchObject({ volume: 16_000, trades: 4, open: 10_000, notional: 160_000_000n });
    expect(view.mark(0, HOUR + 48)).toEqual({ price: 10_000, source: 'trades' });
    sequencer.run({ type: 'tick', now: START + 24 * MILLIS_PER_HOUR });
    expect(view.ticker(instrument)).toMatchObject({ volume: 0, trades: 0, open: null, high: null, last: { price: 10_000 } });
    expect(view.mark(0, HOUR + 48).source).toBe('list_price');
  });
});

describe('the forward curve', () => {
  test('has the hours that are quoted or have traded, in order', async () => {
    const exchange = await openExchange();
    const { view, providers, buyers } = exchange;
    place(exchange, providers[1], SELL, 20_000, 100, { hour: HOUR + 5 });
    place(exchange, buyers[1], BUY, 19_000, 200, { hour: HOUR });
    place(exchange, providers[1], SELL, 20_000, 100, { hour: HOUR, market: 1 });
    const points = view.curve(0);
    expect(points.map(({ instrument }) => instrument.hour)).toEqual([HOUR, HOUR + 5]);
    expect(points[0]).toMatchObject({ bid: { price: 19_000, quantity: 200 }, ask: null, last: null, mark: { price: 15_000, source: 'list_price' } });
  });
});

describe('trades from before the process began', () => {
  const past = (fill: number, at: number, price = 10_000): PastTrade =>
    ({ fill, market: 0, hour: HOUR, price, quantity: 100, takerSide: 'buy', at, buyer: 6, seller: 1, provider: 1 });
  const older = [past(-3, START - 50 * MILLIS_PER_HOUR, 9_000), past(-2, START - 49 * MILLIS_PER_HOUR, 9_500)];
  const recent = [past(-1, START - MILLIS_PER_HOUR)];
  const history: TradeHistory = {
    recent: () => Promise.resolve(recent),
    ofInstrument: (market, hour, before, limit) =>
      Promise.resolve([...older, ...recent].filter((row) => row.market === market && row.hour === hour && row.fill < (before ?? Infinity)).reverse().slice(0, limit)),
  };

  test('are part of tickers, lists and candles', async () => {
    const exchange = await openExchange(history);
    const { view } = exchange;
    const instrument = instrumentOf(exchange);
    expect(view.ticker(instrument)).toMatchObject({ volume: 100, last: { fill: -1 } });
    trade(exchange, 1, 1, 12_000, 50);
    expect((await view.tradesBefore(instrument, undefined, 3)).map(({ fill }) => fill)).toEqual([1, -1, -2]);
    expect((await view.tradesBefore(instrument, -1, 3)).map(({ fill }) => fill)).toEqual([-2, -3]);
    expect(view.candles(instrument, '1d')).toHaveLength(1);
    await Promise.all([view.loadPast(instrument), view.loadPast(instrument)]);
    expect(view.candles(instrument, '1d').map(({ open, close, volume }) => [open, close, volume])).toEqual([[9_000, 9_500, 200], [10_000, 12_000, 150]]);
    await view.loadPast(instrument);
    expect(view.candles(instrument, '1m')).toHaveLength(4);
  });

  test('of an hour that is over are in its candles, and not in the forward curve', async () => {
    const over = RUNNING - 1;
    const { view } = await openExchange({ recent: () => Promise.resolve([]), ofInstrument: () => Promise.resolve([{ ...past(-1, START - 2 * MILLIS_PER_HOUR), hour: over }]) });
    await view.loadPast(view.instrumentOf(0, over));
    expect(view.candles(view.instrumentOf(0, over), '1h')).toHaveLength(1);
    expect(view.curve(0)).toEqual([]);
  });
});
