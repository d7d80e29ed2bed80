/**
 * Every attribute of an order and each pair of them: what the attributes promise holds, and the whole
 * exchange executes what the naive book says, event by event, in books of random orders. A failure
 * names its pair and its life. LIVES in the environment runs more of each.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { CANCEL_NEWEST, DECREMENT, FOK, GTC, GTD, IOC, LIMIT, MARKET, STOP, STOP_LIMIT } from '../vocabulary.ts';
import type { EngineEvent, EventOf } from '../events.ts';
import { requiredHold } from './holds.ts';
import { Random } from '../simulation/random.ts';
import { NaiveBook } from '../test/naive_book.ts';
import { PAIRS, SINGLES } from '../test/order_attributes.ts';
import type { Traits } from '../test/order_attributes.ts';
import { recorder } from '../test/recorder.ts';
import { OWNERS, WholeBook, WholeMarket, mayTrade, unprotected } from '../test/whole_book.ts';
import type { WholeOrder } from '../test/whole_book.ts';
import { HOUR, price } from '../test/world.ts';

const LIVES = Number(process.env['LIVES'] ?? 10);
const PRICE = price(2);
const STOCK = 1_000;
/** The order that has the attributes. */
const SUBJECT = 100;

const legal = [...SINGLES, ...PAIRS].filter((pair) => pair.contradiction === undefined);
const summary = { pairs: 0, lives: 0, commands: 0, accepted: 0, refused: 0, trades: 0 };

/** The market costs more to make than a life in it: each life has an hour of its own. */
let market = new WholeMarket();
let lives = 0;

class Life {
  readonly whole: WholeBook;
  private readonly naive: NaiveBook;
  private readonly random: Random;
  private readonly real = recorder();
  private readonly twin = recorder();
  private readonly traits: Traits;
  private ids = 0;
  subject: WholeOrder | undefined;
  /** Its own events by command, from the one that placed it. */
  readonly steps: EngineEvent[][] = [];

  constructor(traits: Traits, seed: number) {
    if (lives++ % 500 === 499) market = new WholeMarket();
    this.traits = traits;
    this.random = new Random(seed);
    this.whole = new WholeBook(market, HOUR + 48 + (lives % 500), this.real.listener);
    this.naive = new NaiveBook(this.twin.listener, mayTrade);
    this.naive.advance(market.engine.now);
  }

  private get now(): number {
    return market.engine.now;
  }

  /** The same to both books: the same answer, the same events, the same depth. */
  private both(act: (book: WholeBook | NaiveBook) => unknown): unknown {
    summary.commands++;
    const from = this.whole.told.length;
    const real = [act(this.whole), this.real.told.splice(0), this.depthOf(this.whole)];
    const twin = [act(this.naive), this.twin.told.splice(0), this.depthOf(this.naive)];
    // A plain comparison first: building assertion messages is what would be slow.
    if (JSON.stringify(real) !== JSON.stringify(twin)) expect(real).toEqual(twin);
    if (this.subject !== undefined) this.steps.push(this.whole.told.slice(from).filter((event) => this.isOfSubject(event)));
    return real[0];
  }

  private depthOf(book: WholeBook | NaiveBook): string[] {
    return [false, true].flatMap((sell) => book.depth(sell, Infinity).map((level) => `${sell ? 'ask' : 'bid'} ${level.price}: ${level.quantity} of ${level.orders}`));
  }

  private isOfSubject(event: EngineEvent): boolean {
    if (event.kind === 'fill') return [event.maker, event.taker].some((order) => this.whole.idOf(order) === SUBJECT);
    return 'order' in event && this.whole.idOf(event.order) === SUBJECT;
  }

  private plain(sell: boolean): WholeOrder {
    const { random } = this;
    const quantity = random.between(1, 12);
    return {
      id: ++this.ids, owner: random.between(1, OWNERS), sell, orderType: LIMIT, price: PRICE + random.between(-4, 4), quantity, timeInForce: GTC, postOnly: false,
      displayQuantity: random.chance(0.2) ? random.between(1, quantity) : 0, minimumQuantity: random.chance(0.2) ? random.between(1, quantity) : 0, stopPrice: 0,
      selfTradePrevention: random.between(CANCEL_NEWEST, DECREMENT), expiresAt: 0, model: !sell && random.chance(0.15), resale: false, cancelOnDisconnect: false,
    };
  }

  /** An order with the traits, the rest of it plain. */
  private special(): WholeOrder {
    const { traits, random } = this;
    const sell = traits.resale ?? (traits.model ? false : random.chance(0.5));
    const quantity = random.between(4, 16);
    const orderType = traits.orderType ?? (traits.protected ? random.pick([MARKET, STOP]) : LIMIT);
    const unpriced = (orderType === MARKET || orderType === STOP) && !traits.protected;
    const timeInForce = traits.timeInForce ?? (traits.expires ? GTD : GTC);
    return {
      ...this.plain(sell), id: SUBJECT, orderType, timeInForce, quantity, price: unpriced ? unprotected(sell) : PRICE + random.between(-4, 4),
      postOnly: traits.postOnly ?? false, displayQuantity: traits.iceberg ? random.between(1, 3) : 0,
      minimumQuantity: traits.minimum === undefined ? 0 : traits.minimum === 'whole' ? quantity : random.between(2, quantity),
      stopPrice: orderType >= STOP ? PRICE + random.between(-4, 4) : 0, selfTradePrevention: traits.selfTradePrevention ?? CANCEL_NEWEST,
      expiresAt: timeInForce === GTD ? this.now + random.between(1, 3) * 1_000 : 0, model: traits.model ?? false, resale: traits.resale ?? false,
      cancelOnDisconnect: traits.cancelOnDisconnect ?? false,
    };
  }

  live(): void {
    const { random, traits } = this;
    const special = this.special();
    if (traits.resale) this.stock(special.owner);
    for (let count = random.between(2, 8); count > 0; count--) this.act();
    this.subject = special;
    const refusal = this.both((book) => book.place(special));
    if (refusal === undefined) summary.accepted++;
    else summary.refused++;
    for (let count = 8; count > 0; count--) this.act();
    if (traits.amended) for (let count = 3; count > 0; count--) this.amend();
    if (traits.expires) this.pass(4_000);
    this.disconnect();
    for (let id = 0; id <= this.ids; id++) this.both((book) => book.cancel(id));
    this.both((book) => book.cancel(SUBJECT));
  }

  private stock(owner: number): void {
    this.whole.stock(owner, PRICE, STOCK);
    const plain = { ...this.plain(true), id: -1, owner: -1, price: PRICE, quantity: STOCK, displayQuantity: 0, minimumQuantity: 0, model: false };
    this.naive.place(plain);
    this.naive.place({ ...plain, id: -2, owner, sell: false });
    this.twin.told.length = 0;
  }

  private act(): void {
    const { random } = this;
    const kind = random.weighted([[10, 'cancel'], [this.traits.expires ? 10 : 0, 'time'], [80, 'place']] as const);
    if (kind === 'cancel') {
      const id = random.between(1, this.ids + 1);
      this.both((book) => book.cancel(id));
    } else if (kind === 'time') {
      this.pass(1_000);
    } else {
      const order = this.plain(random.chance(0.5));
      this.both((book) => book.place(order));
    }
  }

  private pass(millis: number): void {
    const until = this.now + millis;
    this.both((book) => book.advance(until));
  }

  /** Each time followed by an order that may meet it where it stands now. */
  private amend(): void {
    const { random } = this;
    const view = this.whole.view(SUBJECT);
    const at = random.chance(0.5) ? 0 : PRICE + random.between(-4, 4);
    const remaining = view === undefined ? 1 : random.chance(0.5) ? 0 : random.between(1, view.remaining);
    this.both((book) => book.amend(SUBJECT, at, remaining));
    this.act();
  }

  /** Its company's last connection ends: the order goes if it asked for that, and nothing else does. */
  private disconnect(): void {
    const leaves = this.subject?.cancelOnDisconnect === true && this.whole.view(SUBJECT) !== undefined;
    this.both((book) => {
      if (book instanceof WholeBook) book.disconnect(SUBJECT);
      else if (leaves) book.cancel(SUBJECT);
    });
  }
}

type Judge = (traits: Traits, order: WholeOrder, life: Life) => void;

const isFill = (event: EngineEvent): event is EngineEvent & EventOf<'fill'> => event.kind === 'fill';
const fillsIn = (events: readonly EngineEvent[]): EventOf<'fill'>[] => events.filter(isFill);
const sum = (fills: readonly EventOf<'fill'>[]): number => fills.reduce((total, { quantity }) => total + quantity, 0);
/** The events of the command with which it began to trade or to wait in the book: its own, or that which triggered it. */
const entryOf = ({ orderType }: WholeOrder, { steps }: Life): EngineEvent[] =>
  (orderType >= STOP ? steps.find((events) => events.some(({ kind }) => kind === 'orderTriggered')) : steps[0]) ?? [];

/** What each attribute promises, whatever stands beside it. */
const PROMISES: readonly Judge[] = [
  function keepsItsLimit(_traits, order, { steps }) {
    let limit = order.price;
    for (const event of steps.flat()) {
      if (event.kind === 'orderAmended') limit = event.price;
      if (isFill(event)) expect(order.sell ? event.price >= limit : event.price <= limit).toBe(true);
    }
  },
  function aMarketOrderNeverWaits(_traits, order, { steps }) {
    if (order.orderType !== MARKET && order.orderType !== STOP) return;
    expect(steps.flat().some(({ kind }) => kind === 'orderRested')).toBe(false);
  },
  function aStopWaitsForItsPrice(_traits, order, { steps }) {
    if (order.orderType !== STOP && order.orderType !== STOP_LIMIT) return;
    const events = steps.flat();
    const began = events.findIndex(({ kind }) => kind === 'orderTriggered');
    expect(fillsIn(events.slice(0, began < 0 ? undefined : began))).toEqual([]);
  },
  function whatMayNotWaitDoesNot(_traits, order, life) {
    if (order.timeInForce < IOC) return;
    const entry = entryOf(order, life);
    expect(entry.some(({ kind }) => kind === 'orderRested')).toBe(false);
    if (entry.some(({ kind }) => kind === 'orderAccepted' || kind === 'orderTriggered') && order.orderType < STOP) expect(entry.at(-1)?.kind).toBe('orderDone');
    if (order.timeInForce === FOK) expect([0, order.quantity]).toContain(sum(fillsIn(life.steps.flat())));
  },
  function whatExpiresIsGone(_traits, order, { steps, whole }) {
    if (order.expiresAt === 0) return;
    expect(whole.view(SUBJECT)).toBeUndefined();
    for (const fill of fillsIn(steps.flat())) expect(fill.now).toBeLessThan(order.expiresAt);
  },
  function aPostOnlyOrderDoesNotTake(_traits, order, life) {
    if (!order.postOnly) return;
    expect(fillsIn(life.steps[0])).toEqual([]);
    for (const events of life.steps) if (events.some(({ kind }) => kind === 'orderAmended')) expect(fillsIn(events)).toEqual([]);
  },
  function anIcebergShowsNoMore(_traits, order, { steps }) {
    if (order.displayQuantity === 0) return;
    for (const event of steps.flat()) if ('visible' in event) expect(event.visible).toBeLessThanOrEqual(order.displayQuantity);
  },
  function theFirstExecutionIsLargeEnough(_traits, order, { steps }) {
    // A decrease, or self-trade prevention, may leave less of it than its minimum: then all of that is the minimum.
    let remaining = order.quantity;
    for (const events of steps) {
      for (const event of events.slice(0, events.findIndex(isFill) + 1 || undefined)) if ('remaining' in event) remaining = event.remaining;
      if (fillsIn(events).length === 0) continue;
      expect(sum(fillsIn(events))).toBeGreaterThanOrEqual(Math.min(order.minimumQuantity, remaining));
      return;
    }
  },
  function noGroupTradesWithItself(_traits, order, { steps }) {
    for (const { buyer, seller } of fillsIn(steps.flat())) expect(market.providers[market.buyers.indexOf(buyer)]).not.toBe(seller);
    expect(order.owner).toBeGreaterThan(0);
  },
  function aModelIsServed(_traits, order, { steps }) {
    if (!order.model) return;
    for (const { provider } of fillsIn(steps.flat())) expect([market.providers[1], market.providers[2], market.source]).toContain(provider);
  },
  function resoldHoursAreTheFirstProviders(_traits, order, { steps }) {
    if (order.resale) for (const { provider } of fillsIn(steps.flat())) expect(provider).toBe(market.source);
  },
  function theHoldFollowsExactly(_traits, order, { steps }) {
    if (order.sell || fillsIn(steps.flat()).length > 0) return;
    for (const event of steps.flat()) if (event.kind === 'orderAmended') expect(event.hold).toBe(requiredHold(event.price * event.remaining, 0, 0, 0));
  },
];

describe('of an order, these attributes keep what they promise', () => {
  it.each(legal.map((pair) => [pair.names, pair] as const))('%s', (_names, { traits }) => {
    summary.pairs++;
    for (let seed = 1; seed <= LIVES; seed++) {
      const life = new Life(traits, seed * 1_000 + legal.length);
      life.live();
      summary.lives++;
      if (life.subject === undefined || life.steps[0].length === 0) continue;
      summary.trades += fillsIn(life.steps.flat()).length;
      for (const promise of PROMISES) promise(traits, life.subject, life);
    }
    expect(market.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });
});

afterAll(() => {
  const { pairs, lives: lived, commands, accepted, refused, trades } = summary;
  process.stdout.write(`${pairs} attributes and pairs, ${lived} lives, ${commands} commands: ${accepted} orders accepted, ${refused} refused by the book, ${trades} of their trades, each as the naive book has it\n`);
});
