import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CANCEL_BOTH, CANCEL_NEWEST, CANCEL_OLDEST, DECREMENT, FOK, GTC, IOC, LIMIT, MARKET, NONE, STOP, STOP_LIMIT } from '../../engine/vocabulary.ts';
import type { Command } from '../../engine/commands.ts';
import { decodeEvents } from '../../engine/events.ts';
import type { EngineEvent } from '../../engine/events.ts';
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import { INTERVALS, INTERVAL_MILLIS } from './candles.ts';
import { TRADES_KEPT } from './instrument_state.ts';
import { orderViewOf } from './live_orders.ts';
import { MarketView } from './market_view.ts';
import { HOUR, RUNNING, openExchange, orderOf } from './test/exchange.ts';
import type { Exchange } from './test/exchange.ts';
import { NaiveMarket } from './test/naive_market.ts';
import { openOrders } from '../../engine/test/open.ts';

const HOURS = [RUNNING, HOUR, HOUR + 1];
const MARKETS = [0, 17];

interface Step {
  action: 'place' | 'cancel' | 'amend' | 'cancelAll' | 'tick' | 'commit';
  company: number;
  sell: boolean;
  market: number;
  hour: number;
  price: number;
  quantity: number;
  orderType: number;
  timeInForce: number;
  display: number;
  prevention: number;
  model: number;
  minutes: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  action: fc.oneof(
    { weight: 60, arbitrary: fc.constant('place' as const) },
    { weight: 10, arbitrary: fc.constant('cancel' as const) },
    { weight: 20, arbitrary: fc.constant('amend' as const) },
    { weight: 1, arbitrary: fc.constant('cancelAll' as const) },
    { weight: 4, arbitrary: fc.constant('tick' as const) },
    { weight: 10, arbitrary: fc.constant('commit' as const) },
  ),
  company: fc.nat(4),
  sell: fc.boolean(),
  market: fc.constantFrom(...MARKETS),
  hour: fc.constantFrom(...HOURS),
  price: fc.integer({ min: 9_990, max: 10_010 }),
  quantity: fc.integer({ min: 1, max: 2_000 }),
  orderType: fc.constantFrom(LIMIT, LIMIT, LIMIT, LIMIT, MARKET, STOP, STOP_LIMIT),
  timeInForce: fc.constantFrom(GTC, GTC, GTC, IOC, FOK),
  display: fc.constantFrom(0, 0, 1, 5),
  prevention: fc.constantFrom(CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH, DECREMENT),
  model: fc.constantFrom(NONE, NONE, 0),
  minutes: fc.oneof({ weight: 20, arbitrary: fc.constantFrom(1, 2, 7) }, { weight: 1, arbitrary: fc.constantFrom(60, 24 * 60) }),
});

function commandOf(exchange: Exchange, step: Step, pick: (company: number) => number): Command | undefined {
  const company = (step.sell ? exchange.providers : exchange.buyers)[step.company];
  const { engine } = exchange.sequencer;
  switch (step.action) {
    case 'place':
      return orderOf(company, step.sell ? 1 : 0, step.orderType === MARKET || step.orderType === STOP ? NONE : step.price, step.quantity, {
        market: step.market, hour: step.hour, orderType: step.orderType, timeInForce: step.timeInForce,
        stopPrice: step.orderType === STOP || step.orderType === STOP_LIMIT ? step.price : 0,
        displayQuantity: Math.floor((step.quantity * step.display) / 10), selfTradePrevention: step.prevention, model: step.sell ? NONE : step.model,
      });
    case 'cancel':
      return { type: 'cancel', company, order: pick(company) };
    case 'amend':
      return { type: 'amend', company, order: pick(company), price: step.minutes === 1 ? step.price : 0, quantity: step.quantity };
    case 'cancelAll':
      return { type: 'cancelAll', company, market: step.market, hour: NONE, side: NONE, onDisconnect: false };
    case 'tick':
      return { type: 'tick', now: engine.now + step.minutes * MILLIS_PER_MINUTE };
    case 'commit':
      return undefined;
  }
}

/** Runs the steps in batches that end at each `commit`; every hour that passes is settled. Returns all events. */
function play(exchange: Exchange, steps: readonly Step[]): void {
  const { sequencer } = exchange;
  let ended = RUNNING;
  sequencer.hold();
  for (const step of steps) {
    const open = (company: number) => openOrders(sequencer.engine, company);
    const pick = (company: number) => open(company).at(step.quantity % Math.max(1, open(company).length))?.order ?? 1;
    const command = commandOf(exchange, step, pick);
    if (command === undefined) sequencer.commit();
    else sequencer.run(command);
    for (; (ended + 1) * MILLIS_PER_HOUR <= sequencer.engine.now; ended++) sequencer.run({ type: 'endHour', hour: ended, pending: [] });
  }
  sequencer.commit();
}

function expectSame(view: MarketView, naive: NaiveMarket): void {
  for (const market of MARKETS) {
    for (const hour of HOURS) {
      const instrument = view.instrumentOf(market, hour);
      expect(view.depth(instrument, Infinity)).toEqual(naive.depth(market, hour));
      const queues = view.queues(instrument, Infinity);
      const shown = (order: { order: number; price: number; visible: number; remaining: number; hold: number; fees: number; notional: number }) =>
        [order.order, order.price, order.visible, order.remaining, order.hold, order.fees, order.notional];
      expect(queues.bids.map(shown)).toEqual(naive.queue(market, hour, 0).map(shown));
      expect(queues.asks.map(shown)).toEqual(naive.queue(market, hour, 1).map(shown));
    }
  }
}

function expectSameTrades(view: MarketView, naive: NaiveMarket): void {
  for (const market of MARKETS) {
    for (const hour of HOURS) {
      if (view.now >= (hour + 1) * MILLIS_PER_HOUR) continue;
      const instrument = view.instrumentOf(market, hour);
      const newest = naive.trades(market, hour).slice(0, TRADES_KEPT);
      expect(view.trades(instrument, TRADES_KEPT).map(({ fill }) => fill)).toEqual(newest.map(({ fill }) => fill));
      for (const interval of INTERVALS) expect(view.candles(instrument, interval)).toEqual(naive.candles(market, hour, INTERVAL_MILLIS[interval]));
    }
  }
  const traded = naive.lastDay(0, view.now);
  const index = view.index(0);
  expect(index.trades + index.affiliated).toBe(traded.length);
}

describe('market data', () => {
  test('equals what all events say, computed anew, and what the engine says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 200, size: 'max' }), fc.nat(200), async (steps, cut) => {
        const exchange = await openExchange();
        const events: EngineEvent[] = [];
        exchange.sequencer.onCommitted((batch) => events.push(...decodeEvents(batch.events)));
        play(exchange, steps.slice(0, cut));
        // A second view starts in the middle, from a snapshot.
        const late = await MarketView.start(exchange.sequencer, exchange.directory);
        play(exchange, steps.slice(cut));
        const naive = new NaiveMarket(events);
        expectSame(exchange.view, naive);
        expectSame(late, naive);
        expectSameTrades(exchange.view, naive);
        const snapshot = exchange.sequencer.engine.query('market', {});
        for (const order of snapshot.orders) {
          // How much a spot ask began with is lost when it shrinks with its hour.
          const quantity: unknown = order.hour * MILLIS_PER_HOUR < snapshot.now ? expect.any(Number) : order.quantity;
          for (const view of [exchange.view, late]) expect(orderViewOf(view.order(order.order) ?? expect.fail('missing'))).toEqual({ ...order, quantity });
        }
        expect(exchange.view.sequence).toBe(exchange.sequencer.engine.sequence);
      }),
      { numRuns: 100 },
    );
  });
});
