/** Every refusal of an order, and which one is told when two apply. */
import { describe, expect, it } from 'vitest';
import { REJECT_CODES } from '../catalogue.ts';
import type { RejectCode } from '../catalogue.ts';
import { BUY, CANCEL_NEWEST, GTC, IOC, LIMIT, NONE, SELL } from '../vocabulary.ts';
import type { PlaceOrder } from '../commands.ts';
import { PARAMETERS } from '../parameters.ts';
import { RATE_SCALE, State } from '../state.ts';
import { START, World, financed, gpuHours, price, usd } from '../test/world.ts';
import { MICRO, MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../numbers/units.ts';
import { openOrders } from '../test/open.ts';

const ORDER_CODES = REJECT_CODES.slice(0, REJECT_CODES.indexOf('minimum_quantity') + 1);

/** A market with a financed borrower, one with cash, and four providers; orders are for a day from now. */
class Market extends World {
  readonly state: State;
  readonly operator = this.company('operator');
  readonly providers = ['a', 'b', 'c', 'd'].map((name) => this.provider(100_000, name));
  readonly loan = financed(this);
  readonly member = this.buyer(100_000, 'member', 'family');
  readonly owned = this.provider(1_000, 'owned', 'family');

  constructor() {
    const state = new State();
    super(START, state);
    this.state = state;
  }

  get hour(): number {
    return Math.floor(this.engine.now / MILLIS_PER_HOUR) + 24;
  }
  place(side: 0 | 1, more: Partial<PlaceOrder> = {}): PlaceOrder {
    return {
      type: 'place', company: side === BUY ? this.loan.borrower : this.providers[0], market: 0, hour: this.hour, side, orderType: LIMIT, price: price(2),
      quantity: gpuHours(10), timeInForce: GTC, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0,
      selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false, clientOrderId: '', ...more,
    };
  }
  mode(mode: 'halted' | 'cancel_only', hour: number): void {
    this.run({ type: 'setTradingMode', company: this.operator, class: NONE, market: 0, hour, mode, reason: 'test' });
  }
  /** The borrower uses up credit: from all providers alike, some every day. */
  consume(credits: number): void {
    for (let left = credits; left > 0; left -= 360_000) {
      const hour = Math.floor(this.engine.now / MILLIS_PER_HOUR) + 1;
      for (const company of this.providers) this.run(this.place(SELL, { company, hour, price: price(3), quantity: gpuHours(30_000) }));
      // In parts, so that who has had too much of it is passed over.
      for (let turn = 0; turn < 12; turn++) this.run(this.place(BUY, { hour, price: price(3), quantity: gpuHours(10_000 * Math.min(1, left / 360_000)) }));
      this.run({ type: 'tick', now: (hour + 1) * MILLIS_PER_HOUR });
      this.run({ type: 'endHour', hour, pending: [] });
      this.run({ type: 'tick', now: this.engine.now + MILLIS_PER_DAY - 2 * MILLIS_PER_HOUR });
    }
  }
}

interface Violation {
  code: RejectCode;
  sides: readonly (0 | 1)[];
  /** Two violations that use the same thing are not tried together. */
  uses: readonly string[];
  /** Whether it is about the usual company of its side, or needs another. */
  company?: 'usual' | 'other';
  /** Setups run in the order of their stages: time passes first, halts come last. */
  stage?: number;
  setUp?: (market: Market, side: 0 | 1) => void;
  /** In its stead beside another violation, where what it comes to is known: it takes long. */
  outcome?: (market: Market, side: 0 | 1) => void;
  order?: (market: Market) => Partial<PlaceOrder>;
}
const both = [BUY, SELL] as const;

const VIOLATIONS: readonly Violation[] = [
  { code: 'halted', sides: both, uses: ['market mode'], stage: 9, setUp: (market) => market.mode('halted', NONE) },
  { code: 'cancel_only', sides: both, uses: ['hour mode', 'hour'], stage: 8, setUp: (market) => market.mode('cancel_only', market.hour) },
  { code: 'instrument_unknown', sides: both, uses: ['hour', 'book'], order: (market) => ({ hour: market.hour + 93 * 24 }) },
  { code: 'gate_closed', sides: both, uses: ['hour', 'book'], order: (market) => ({ hour: market.hour - 25 }) },
  { code: 'invalid_tick', sides: both, uses: ['price', 'book'], order: () => ({ price: -2 }) },
  { code: 'invalid_step', sides: both, uses: ['quantity', 'book'], order: () => ({ quantity: -2 }) },
  { code: 'amount_out_of_range', sides: both, uses: ['display'], order: () => ({ displayQuantity: gpuHours(1e6) }) },
  { code: 'not_authorized', sides: [BUY], uses: ['facility'], company: 'other', order: (market) => ({ company: market.providers[1] }) },
  { code: 'not_authorized', sides: [SELL], uses: [], company: 'other', order: (market) => ({ company: market.member }) },
  {
    code: 'facility_frozen', sides: [BUY], uses: ['facility'], company: 'usual', stage: 7,
    setUp: (market) => market.run({ type: 'freeze', company: market.loan.lender, facility: market.loan.facility, fraction: MICRO, reason: 'test' }),
  },
  { code: 'facility_not_active', sides: [BUY], uses: ['facility', 'time'], company: 'usual', stage: 1, setUp: (market) => overdraw(market, 900_000) },
  { code: 'past_due', sides: [BUY], uses: ['facility', 'time'], company: 'usual', stage: 1, setUp: (market) => market.run({ type: 'tick', now: START + 45 * MILLIS_PER_DAY }) },
  { code: 'price_band', sides: [BUY], uses: ['price'], order: () => ({ price: price(30.0001) }) },
  { code: 'price_band', sides: [SELL], uses: ['price'], order: () => ({ price: 29 }) },
  { code: 'above_list_price', sides: [SELL], uses: ['price'], order: () => ({ price: price(3.0001) }) },
  {
    code: 'too_many_orders', sides: [BUY], uses: ['open orders'], company: 'usual', stage: 2,
    setUp: (market) => { for (let index = 0; index < PARAMETERS.openOrders.A; index++) market.run(market.place(BUY, { price: price(0.1), quantity: 1, hour: market.hour + 2 })); },
  },
  { code: 'rate_limited', sides: both, uses: ['pace'], company: 'usual', stage: 6, setUp: hurry, outcome: (market, side) => market.state.standing.setRate(market.place(side).company, hurried(market)) },
  {
    code: 'duplicate_client_order_id', sides: both, uses: ['client order id'], company: 'usual', stage: 3, order: () => ({ clientOrderId: 'again' }),
    setUp: (market) => { for (const side of both) market.run(market.place(side, { price: side === BUY ? price(0.1) : price(3), quantity: 1, hour: market.hour + 3, clientOrderId: 'again' })); },
  },
  { code: 'day_notional', sides: [BUY], uses: ['quantity', 'day'], company: 'usual', order: () => ({ price: price(2), quantity: gpuHours(190_000) }) },
  { code: 'insufficient_credits', sides: [BUY], uses: ['quantity', 'credit'], company: 'other', order: (market) => ({ company: market.member, quantity: gpuHours(80_000) }) },
  { code: 'insufficient_capacity', sides: [SELL], uses: ['quantity'], order: () => ({ quantity: gpuHours(100_001) }) },
  { code: 'bond_insufficient', sides: [SELL], uses: ['bond'], company: 'usual', stage: 7, setUp: (market) => outsell(market) },
  { code: 'concentration', sides: [BUY], uses: ['group', 'book', 'time'], company: 'usual', stage: 4, setUp: (market) => concentrate(market) },
  { code: 'exposure', sides: [BUY], uses: ['facility', 'time', 'quantity'], company: 'usual', stage: 1, setUp: (market) => overdraw(market, 850_000), order: () => ({ quantity: gpuHours(60_000) }) },
  {
    code: 'post_only_would_cross', sides: [BUY], uses: ['book'], stage: 4, order: () => ({ postOnly: true }),
    setUp: (market) => market.run(market.place(SELL, { company: market.providers[2], price: price(2), quantity: gpuHours(5) })),
  },
  {
    code: 'self_trade', sides: [BUY], uses: ['minimum', 'book'], company: 'other', stage: 4, order: (market) => ({ company: market.member, minimumQuantity: gpuHours(10), timeInForce: IOC }),
    setUp: (market) => market.run(market.place(SELL, { company: market.owned, price: price(1.9), quantity: gpuHours(10) })),
  },
  {
    code: 'minimum_quantity', sides: [BUY], uses: ['minimum', 'book'], stage: 4, order: () => ({ minimumQuantity: gpuHours(10) }),
    setUp: (market) => market.run(market.place(SELL, { company: market.providers[3], price: price(2), quantity: gpuHours(5) })),
  },
];

/** Draws all and uses most of it: of 600,000 USD at cost the lender may be exposed to. */
function overdraw(market: Market, credits: number): void {
  const { borrower, facility } = market.loan;
  for (const amount of [400_000, 200_000]) market.run({ type: 'draw', company: borrower, facility, amount: usd(amount) });
  market.consume(credits);
}
/** The borrower spends more than 5 % of its commitment with the only provider that offers. */
function concentrate(market: Market): void {
  market.run(market.place(SELL, { hour: market.hour + 5, quantity: gpuHours(40_000) }));
  market.run(market.place(BUY, { hour: market.hour + 5, quantity: gpuHours(40_000) }));
  market.run(market.place(SELL, { quantity: gpuHours(1), price: price(2.9) }));
}
/** A provider with hardly any bond sells all that it covers. */
function outsell(market: Market): void {
  const buyer = market.buyer(5_000_000, 'large');
  const bid = { company: buyer, price: price(3), quantity: gpuHours(100_000) };
  for (let index = 0; index < 24; index++) {
    market.run(market.place(SELL, { hour: market.hour + 30 + index, price: price(3), quantity: gpuHours(100_000) }));
    market.run(market.place(BUY, { ...bid, hour: market.hour + 30 + index }));
  }
}
/** What the state counts of who has entered all the orders that it may in this second. */
const hurried = ({ state }: Market): number => state.second * RATE_SCALE + PARAMETERS.ordersPerSecond;
function hurry(market: Market, side: 0 | 1): void {
  const order = market.place(side, { price: side === BUY ? price(0.1) : price(2.9), quantity: 1, hour: market.hour + 1 });
  const placed = market.run(order).events.find((event) => event.kind === 'orderAccepted');
  const { engine } = market;
  for (let index = 1; index < PARAMETERS.ordersPerSecond && placed !== undefined; index++) {
    // What loses its place in the queue counts as an order.
    engine.apply({ command: { type: 'amend', company: order.company, order: placed.order, price: order.price + (index % 2), quantity: 0 }, idempotencyKey: '', bodyHash: '' });
    engine.buffer.clear();
  }
  expect(market.state.standing.rate(order.company)).toBe(hurried(market));
}

const orderOf = (market: Market, side: 0 | 1, violations: readonly Violation[]): PlaceOrder =>
  market.place(side, Object.assign({}, ...violations.map((violation) => violation.order?.(market) ?? {})) as Partial<PlaceOrder>);

const sound = (market: Market): void => expect(market.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);

describe('an order is refused with', () => {
  it.each(VIOLATIONS.flatMap((violation) => violation.sides.map((side) => [violation.code, side, violation] as const)))('%s (side %i)', (code, side, violation) => {
    const market = new Market();
    violation.setUp?.(market, side);
    const before = openOrders(market.engine, market.loan.borrower).length;
    expect(market.run(orderOf(market, side, [violation])).rejected).toBe(code);
    expect(openOrders(market.engine, market.loan.borrower)).toHaveLength(before);
    sound(market);
  });

  it('every code of the order of precedence', () => {
    expect(new Set(VIOLATIONS.map(({ code }) => code))).toEqual(new Set(ORDER_CODES));
  });
});

describe('an amendment to more is refused as a new order would be', () => {
  const amended = (market: Market, order: Partial<PlaceOrder>, side: 0 | 1, change: { price?: number; quantity?: number }): RejectCode | undefined => {
    const [placed] = market.run(market.place(side, order)).events.flatMap((event) => (event.kind === 'orderAccepted' ? [event] : []));
    return market.run({ type: 'amend', company: placed.company, order: placed.order, price: 0, quantity: 0, ...change }).rejected;
  };

  it('for what a day may buy', () => {
    const market = new Market();
    expect(amended(market, { price: price(2), quantity: gpuHours(10) }, BUY, { quantity: gpuHours(190_000) })).toBe('day_notional');
    expect(amended(market, { price: price(0.1), quantity: gpuHours(170_000) }, BUY, { price: price(3) })).toBe('day_notional');
    expect(amended(market, { price: price(0.1), quantity: gpuHours(10) }, BUY, { quantity: gpuHours(20) })).toBeUndefined();
  });

  it('for a bond that is too small, and less is never refused', () => {
    const market = new Market();
    const kept = market.run(market.place(SELL, { price: price(3), quantity: gpuHours(10) })).events.flatMap((event) => (event.kind === 'orderAccepted' ? [event.order] : []))[0];
    outsell(market);
    const change = (quantity: number) => market.run({ type: 'amend', company: market.providers[0], order: kept, price: 0, quantity }).rejected;
    expect([change(gpuHours(11)), change(gpuHours(9))]).toEqual(['bond_insufficient', undefined]);
  });
});

/** Pairs that can apply to one order, at its side. */
const PAIRS = VIOLATIONS.flatMap((first, index) =>
  VIOLATIONS.slice(index + 1).flatMap((second) => {
    const side = first.sides.find((one) => second.sides.includes(one));
    const otherCompany = first.company !== undefined && second.company !== undefined && (first.company === 'other' || second.company === 'other');
    return side === undefined || otherCompany || first.code === second.code || first.uses.some((use) => second.uses.includes(use)) ? [] : [{ first, second, side }];
  }),
);

describe('of two refusals the first of the order of precedence is told', () => {
  it.each(PAIRS.map(({ first, second, side }) => [first.code, second.code, side, first, second] as const))('%s before %s (side %i)', (code, _other, side, first, second) => {
    const market = new Market();
    for (const violation of [first, second].sort((a, b) => (a.stage ?? 0) - (b.stage ?? 0))) (violation.outcome ?? violation.setUp)?.(market, side);
    expect(market.run(orderOf(market, side, [second, first])).rejected).toBe(code);
  });
});
