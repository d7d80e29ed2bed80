/** A journal that was written under older rules is executed under them. */
import { describe, expect, it } from 'vitest';
import { BUY, FOK, GTC, IOC, LIMIT, MARKET, NONE, STOP_LIMIT } from './vocabulary.ts';
import { Engine } from './engine.ts';
import { PARAMETERS } from './parameters.ts';
import { RULES_VERSION } from './rules.ts';
import type { PlaceOrder } from './commands.ts';
import { HOUR, World, all, financed, gpuHours, one, price } from './test/world.ts';
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE, NOT_A_MULTIPLE, PRICE_TICKS_MAX } from './numbers/units.ts';

/** An all-or-none stop-limit bid for 10, triggered where 4 are to be had; then the same bid amended to cross them. */
function lives(version: number): { triggered: number; amended: string } {
  const world = new World();
  world.engine.rulesVersion = version;
  const provider = world.provider();
  const buyer = world.buyer();
  const whole = { side: BUY, minimumQuantity: gpuHours(10), timeInForce: GTC } as const;
  world.bid(buyer, 2.5, 10, { ...whole, orderType: STOP_LIMIT, stopPrice: price(2) });
  world.ask(provider, 2, 5);
  const fills = all(world.bid(buyer, 2, 1).events, 'fill');
  const { order } = one(world.bid(buyer, 1, 10, { ...whole, orderType: LIMIT, hour: HOUR + 1 }).events, 'orderAccepted');
  world.ask(provider, 2.2, 3, { hour: HOUR + 1 });
  const amend = world.run({ type: 'amend', company: buyer, order, price: price(2.2), quantity: 0 });
  expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  return { triggered: fills.length - 1, amended: amend.rejected ?? `${all(amend.events, 'fill').length} fills` };
}

/** How a stop leaves at the gate, and a bid at the end of the hour's spot trading. */
function leaves(version: number): { stop: string; bid: string } {
  const world = new World();
  world.engine.rulesVersion = version;
  const buyer = world.buyer();
  world.bid(buyer, 2.5, 1, { orderType: STOP_LIMIT, stopPrice: price(2) });
  world.bid(buyer, 1, 1);
  const end = (now: number): string => {
    const { status, reason } = one(world.run({ type: 'tick', now }).events, 'orderDone');
    return `${status} ${reason}`;
  };
  const gate = HOUR * MILLIS_PER_HOUR - 5 * MILLIS_PER_MINUTE;
  return { stop: end(gate), bid: end(gate + 64 * MILLIS_PER_MINUTE) };
}

/** Who makes when a post-only bid waits for a model, and its ask comes to serve it. */
function makes(version: number, ask: { postOnly?: boolean } = {}): string {
  const world = new World();
  world.engine.rulesVersion = version;
  const [provider, buyer] = [world.provider(), world.buyer()];
  world.run({ type: 'addModel', name: 'small' });
  world.ask(provider, 2, 5, ask);
  const bid = one(world.bid(buyer, 2.5, 5, { model: 0, postOnly: true }).events, 'orderAccepted').order;
  const fill = all(world.run({ type: 'setEligibility', company: provider, market: 0, models: [0] }).events, 'fill').at(0);
  expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  return fill === undefined ? 'nobody' :  `${fill.maker === bid ? 'bid' : 'ask'} ${fill.price / price(1)}`;
}

/** A bid for a model stands above an ask of its own group and one of another; both come to serve the model. */
function meetsOwn(version: number): string[] {
  const world = new World();
  world.engine.rulesVersion = version;
  const [own, other, buyer] = [world.provider(1_000, 'own', 'family'), world.provider(1_000, 'other'), world.buyer(10_000, 'buyer', 'family')];
  world.run({ type: 'addModel', name: 'small' });
  world.bid(buyer, 2.5, 5, { model: 0 });
  world.ask(own, 1.9, 5);
  world.ask(other, 2, 5);
  for (const company of [own, other]) world.run({ type: 'setEligibility', company, market: 0, models: [0] });
  return world.engine.checkInvariants().flatMap(({ ok, name }) => (ok ? [] : [name]));
}

/** Who makes when a bid that came first in a call is amended after the ask came. */
function makesAfterCall(version: number): string {
  const world = new World();
  world.engine.rulesVersion = version;
  const [operator, provider, buyer] = [world.company('operator'), world.provider(), world.buyer()];
  const mode = (to: 'auction' | 'open') => world.run({ type: 'setTradingMode', company: operator, class: NONE, market: 0, hour: NONE, mode: to, reason: 'test' });
  mode('auction');
  const { order } = one(world.bid(buyer, 2, 5).events, 'orderAccepted');
  world.ask(provider, 2, 5);
  world.run({ type: 'amend', company: buyer, order, price: price(2.1), quantity: 0 });
  world.engine = Engine.restore(world.engine.snapshot());
  world.engine.rulesVersion = version;
  return one(mode('open').events, 'fill').maker === order ? 'bid' : 'ask';
}

/** What a fill-or-kill bid for 2 executes where an iceberg of 2 shows 1, and an ask of the bid's own group stands behind that. */
function killed(version: number): string[] {
  const world = new World();
  world.engine.rulesVersion = version;
  const [own, other, buyer] = [world.provider(1_000, 'own', 'family'), world.provider(1_000, 'other'), world.buyer(10_000, 'buyer', 'family')];
  world.ask(other, 2, 2, { displayQuantity: gpuHours(1) });
  world.ask(own, 2, 5);
  const { events } = world.bid(buyer, 2, 2, { timeInForce: FOK });
  return [...all(events, 'fill').map(({ quantity }) => `fill ${quantity / 100}`), one(events, 'orderDone').reason];
}

/** What an all-or-none iceberg of 3 that shows 1 executes of 4, where another ask stands behind it. */
function executes(version: number): number[] {
  const world = new World();
  world.engine.rulesVersion = version;
  const [provider, buyer] = [world.provider(), world.buyer()];
  const { order } = one(world.ask(provider, 2, 3, { displayQuantity: gpuHours(1), minimumQuantity: gpuHours(3) }).events, 'orderAccepted');
  world.ask(provider, 2, 3);
  return all(world.bid(buyer, 2, 4).events, 'fill').filter(({ maker }) => maker === order).map(({ quantity }) => quantity / 100);
}

/** Why an amendment is refused that is wrong in itself while its market is halted, and one that is dearer than allowed and than can be paid. */
function amends(version: number): (string | undefined)[] {
  const world = new World();
  world.engine.rulesVersion = version;
  const [operator, buyer, provider] = [world.company('operator'), world.buyer(), world.provider()];
  const bid = one(world.bid(buyer, 2, 1).events, 'orderAccepted').order;
  const ask = one(world.ask(provider, 2.5, 1).events, 'orderAccepted').order;
  const amend = (company: number, order: number, to: number, quantity = 0) => world.run({ type: 'amend', company, order, price: to, quantity }).rejected;
  const open = [amend(buyer, bid, PRICE_TICKS_MAX), amend(buyer, bid, price(2.1), gpuHours(1_000_000)), amend(provider, ask, price(99)), amend(provider, ask, 0, gpuHours(999_999))];
  world.run({ type: 'setTradingMode', company: operator, class: NONE, market: 0, hour: NONE, mode: 'halted', reason: 'test' });
  return [...open, amend(buyer, bid, NOT_A_MULTIPLE), amend(buyer, bid, price(2.1)), amend(buyer, bid, 0, gpuHours(0.5))];
}

/** Why the first offer of an hour is refused of which 29 minutes are left: 4.35 GPU-hours of 9 GPUs, and a step more. */
function offers(version: number): (string | undefined)[] {
  const world = new World();
  world.engine.rulesVersion = version;
  const provider = world.provider(9);
  world.run({ type: 'tick', now: HOUR * MILLIS_PER_HOUR + 31 * MILLIS_PER_MINUTE });
  return [world.ask(provider, 2, 4.36).rejected, world.ask(provider, 2, 4.35).rejected];
}

/** The order in which stops of one price are triggered when the older was amended to another limit. */
function triggers(version: number): string[] {
  const world = new World();
  world.engine.rulesVersion = version;
  const [provider, buyer] = [world.provider(), world.buyer()];
  const [older, newer] = [1, 1].map((limit) => one(world.bid(buyer, limit, 1, { orderType: STOP_LIMIT, stopPrice: price(2) }).events, 'orderAccepted').order);
  world.run({ type: 'amend', company: buyer, order: newer, price: 0, quantity: gpuHours(0.5) });
  world.run({ type: 'amend', company: buyer, order: older, price: price(1.1), quantity: 0 });
  world.engine = Engine.restore(world.engine.snapshot());
  world.engine.rulesVersion = version;
  world.ask(provider, 2, 1);
  return all(world.bid(buyer, 2, 1).events, 'orderTriggered').map(({ order }) => (order === older ? 'older' : 'newer'));
}

/** Why a company with as many open orders as it may have is refused an order that waits, and ones that cannot; a market order of a call waits. */
function whenFull(version: number): (string | undefined)[] {
  const world = new World();
  const [operator, { borrower }] = [world.company('operator'), financed(world)];
  world.engine.rulesVersion = version;
  for (let count = 0; count < PARAMETERS.openOrders.A; count++) world.bid(borrower, 0.01, 0.01);
  const bid = (more: Partial<PlaceOrder>): string | undefined => world.bid(borrower, 1, 0.01, more).rejected;
  const block = (timeInForce: number): string | undefined => world.run({
    type: 'placeBlock', company: borrower, market: 0, fromHour: HOUR, toHour: HOUR + 2, side: BUY, price: price(1), quantity: 1, timeInForce, minimumAcceptanceRatio: 0, model: NONE, clientOrderId: '',
  }).rejected;
  const market = { orderType: MARKET, price: NONE };
  const tried = [bid({}), bid({ timeInForce: IOC, orderType: STOP_LIMIT, stopPrice: price(2) }), block(GTC), bid({ timeInForce: IOC }), bid(market), block(FOK)];
  world.run({ type: 'setTradingMode', company: operator, class: NONE, market: 0, hour: NONE, mode: 'auction', reason: 'test' });
  return [...tried, bid(market), bid({ ...market, hour: HOUR + 9 })];
}

describe('rules', () => {
  it('before version 8 refused some offers of the running hour that just fit', () => {
    expect([offers(7), offers(RULES_VERSION)]).toEqual([['insufficient_capacity', 'insufficient_capacity'], ['insufficient_capacity', undefined]]);
  });

  it('before version 8 left a stop its place when it had lost it by an amendment', () => {
    expect([triggers(7), triggers(RULES_VERSION)]).toEqual([['older', 'newer'], ['newer', 'older']]);
  });

  it('before version 8 counted what cannot wait among the open orders', () => {
    const full = 'too_many_orders';
    expect(whenFull(7)).toEqual(Array.from({ length: 8 }, () => full));
    expect(whenFull(RULES_VERSION)).toEqual([full, full, full, undefined, undefined, undefined, full, full]);
  });

  it('before version 6 told an amendment what is wrong with it before what stops its market', () => {
    const open = ['price_band', 'insufficient_credits', 'above_list_price', 'insufficient_capacity'];
    expect([amends(5), amends(RULES_VERSION)]).toEqual([[...open, 'invalid_tick', 'halted', undefined], [...open, 'halted', 'halted', undefined]]);
  });

  it('before version 5 let a fill-or-kill order execute in part, and an iceberg less than its minimum', () => {
    expect([killed(4), killed(RULES_VERSION)]).toEqual([['fill 1', 'self_trade'], ['fok']]);
    expect([executes(4), executes(RULES_VERSION)]).toEqual([[1], [3]]);
  });

  it('before version 5 took an order for as old as it was, although it had lost its place in a call', () => {
    expect([makesAfterCall(4), makesAfterCall(RULES_VERSION)]).toEqual(['bid', 'ask']);
  });

  it('before version 4 left a bid crossed that an own ask kept from trading', () => {
    expect([meetsOwn(3), meetsOwn(RULES_VERSION)]).toEqual([['no two eligible orders cross'], []]);
  });

  it('before version 4 let a post-only order take when it arrived again', () => {
    expect([makes(3), makes(RULES_VERSION), makes(RULES_VERSION, { postOnly: true })]).toEqual(['ask 2', 'bid 2.5', 'nobody']);
  });

  it('before version 4 called expired what gate closure had cancelled', () => {
    expect(leaves(3)).toEqual({ stop: 'expired gate_closed', bid: 'expired gate_closed' });
    expect(leaves(RULES_VERSION)).toEqual({ stop: 'canceled gate_closed', bid: 'expired hour_ended' });
  });

  it('before version 3 forgot the minimum of an order that was triggered or amended', () => {
    expect(lives(2)).toEqual({ triggered: 1, amended: '1 fills' });
    expect(lives(RULES_VERSION)).toEqual({ triggered: 0, amended: 'minimum_quantity' });
  });

  it('older than version 2, and those of a later program, are not executed', () => {
    expect([1, 2, RULES_VERSION, RULES_VERSION + 1].map((version) => Engine.executes(version))).toEqual([false, true, true, false]);
  });
});
