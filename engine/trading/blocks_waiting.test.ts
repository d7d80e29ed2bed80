/**
 * Blocks and single orders together against a naive market: over the same few hours blocks that wait and blocks that do not, of both
 * sides, and single orders with every attribute, amended and cancelled, while hours are halted and called. The books of the naive
 * market are naive books; its blocks try every quantity, one by one. After each command the same has happened, and the same is left
 * of everybody.
 */
import { describe, expect, it } from 'vitest';
import { BUY, CANCEL_NEWEST, DECREMENT, FOK, GTC, IOC, LIMIT, MARKET, NONE, SELL, STOP, STOP_LIMIT } from '../vocabulary.ts';
import type { Command } from '../commands.ts';
import type { TradingMode } from '../vocabulary.ts';
import type { BookOrder } from '../book/lone_book.ts';
import type { EngineEvent } from '../events.ts';
import { Random } from '../simulation/random.ts';
import { NaiveBook } from '../test/naive_book.ts';
import type { Resting } from '../test/naive_book.ts';
import { HOUR, World, price } from '../test/world.ts';
import { MICRO } from '../numbers/units.ts';
import { openBlocks, openOrders } from '../test/open.ts';

const HOURS = 3;
const COMMANDS = 60;
const SEEDS = 40;
/** Each a buyer and a provider of one group; those up to SERVING serve the one model. */
const OWNERS = 4;
const SERVING = 2;
/** Numbers of an order in its book's image. */
const FIELDS = 11;
const LIST = price(3);
const MIDDLE = LIST - 14;

interface Single extends BookOrder {
  model: boolean;
}
interface Block {
  id: number;
  owner: number;
  from: number;
  to: number;
  sell: boolean;
  price: number;
  wanted: number;
  ratio: number;
  timeInForce: number;
  model: boolean;
}
const names = (order: object): boolean => (order as Single).model;
const mayTrade = (bid: object, ask: { owner: number }): boolean => !names(bid) || ask.owner <= SERVING;

class NaiveMarket {
  readonly told: string[] = [];
  readonly books: NaiveBook[] = [];
  readonly halted = Array.from({ length: HOURS }, () => false);
  readonly waiting: Block[] = [];
  /** Hours that gained an ask, or open again. */
  private touched = new Set<number>();

  constructor() {
    for (let hour = 0; hour < HOURS; hour++) {
      const tell = (what: string): void => void this.told.push(`${hour} ${what}`);
      const quiet = (): void => undefined;
      this.books.push(new NaiveBook({
        accepted: quiet, amended: quiet, traded: (maker, taker, at, quantity) => tell(`${taker} takes ${quantity}@${at} of ${maker}`), triggered: (id) => tell(`${id} triggered`),
        cancelled: (id, _remaining, reason) => tell(`${id} ${reason}`), filled: (id) => tell(`${id} filled`),
      }, mayTrade, { sitsOut: names, rested: ({ sell }) => void (sell && this.touch(hour)) }));
    }
  }

  touch(hour: number): void {
    this.touched.add(hour);
  }

  private makers(block: Block, hour: number): Resting[] {
    return this.books[hour].unbound(block.sell).filter((maker) => maker.owner !== block.owner && (block.sell ? mayTrade(maker, block) : mayTrade(block, maker)));
  }

  block(block: Block): void {
    this.execute(block);
    if (block.wanted === 0) this.told.push(`${block.id} filled`);
    else if (block.timeInForce === GTC) this.waiting.push(block);
    else this.told.push(`${block.id} gone`);
  }

  private execute(block: Block): void {
    const hours = Array.from({ length: block.to - block.from }, (_, index) => block.from + index);
    if (hours.some((hour) => this.halted[hour] || this.books[hour].isCalling)) return;
    const least = block.timeInForce === FOK ? block.wanted : Math.max(1, Math.ceil((block.wanted * block.ratio) / MICRO));
    for (let quantity = block.wanted; quantity >= least; quantity--) {
      const costs = hours.map((hour) => this.makers(block, hour).flatMap(({ limit, remaining }) => Array.from({ length: remaining }, () => limit)).slice(0, quantity));
      const sum = costs.flat().reduce((total, limit) => total + limit, 0);
      const bound = block.price * quantity * hours.length;
      if (costs.some(({ length }) => length < quantity) || (block.sell ? sum < bound : sum > bound)) continue;
      for (const hour of hours) this.takeHour(block, hour, quantity);
      block.wanted -= quantity;
      for (const hour of hours) this.books[hour].runStops();
      return;
    }
  }

  private takeHour(block: Block, hour: number, quantity: number): void {
    for (let left = quantity; left > 0; ) {
      const [maker] = this.makers(block, hour);
      const part = Math.min(left, maker.visible);
      this.books[hour].takeForBlock(block.id, maker, part);
      left -= part;
    }
  }

  /** At the end of a command, the best price first, then the oldest; what their trades let in is tried again. */
  settle(): void {
    while (this.touched.size > 0) {
      const touched = [...this.touched];
      this.touched = new Set();
      const concerned = this.waiting.filter(({ from, to }) => touched.some((hour) => hour >= from && hour < to));
      for (const block of concerned.sort((a, b) => b.price - a.price)) {
        this.execute(block);
        if (block.wanted > 0) continue;
        this.waiting.splice(this.waiting.indexOf(block), 1);
        this.told.push(`${block.id} filled`);
      }
    }
  }

  /** What is left of everybody, and what of it is shown. */
  left(): string[] {
    const orders = this.books.flatMap((book) => {
      const { bids, asks, stops } = book.image();
      const rows = (numbers: number[]): number[][] => Array.from({ length: numbers.length / FIELDS }, (_, row) => numbers.slice(row * FIELDS, (row + 1) * FIELDS));
      return [...bids.length + asks.length > 0 ? rows([...bids, ...asks]) : [], ...rows(stops)].map(([id, , , , remaining, visible]) => `${id} ${remaining} ${visible}`);
    });
    return [...orders, ...this.waiting.map(({ id, wanted, from, to }) => `${id} ${wanted * (to - from)} 0`)].sort();
  }
}

class Twins {
  private readonly random: Random;
  private readonly world = new World();
  private readonly naive = new NaiveMarket();
  private readonly operator = this.world.company('operator');
  private readonly buyers: number[] = [];
  private readonly providers: number[] = [];
  /** By the test's number: the engine's, its hour and its company; of a block no hour. */
  private readonly placed: { order: number; hour: number; company: number; sell: boolean }[] = [];
  private readonly numbers = new Map<number, number>();
  /** Sell blocks that rest are their asks; what is told of them as a whole is another test. */
  private readonly offers = new Set<number>();
  private readonly blocks = new Set<number>();

  constructor(seed: number) {
    const { world } = this;
    this.random = new Random(seed);
    world.run({ type: 'addModel', name: 'small' });
    for (let owner = 1; owner <= OWNERS; owner++) {
      this.buyers[owner] = world.buyer(10_000_000, `buyer ${owner}`, `owner ${owner}`);
      this.providers[owner] = world.provider(1_000_000, `provider ${owner}`, `owner ${owner}`);
      world.run({ type: 'setEligibility', company: this.providers[owner], market: 0, models: owner <= SERVING ? [0] : [] });
    }
  }

  step(): void {
    const { random } = this;
    const kind = random.weighted([[50, 'single'], [22, 'block'], [10, 'cancel'], [10, 'amend'], [8, 'mode']] as const);
    if (kind === 'single') this.single(random.chance(0.55));
    else if (kind === 'block') this.block(random.chance(0.55));
    else if (kind === 'cancel') this.cancel();
    else if (kind === 'amend') this.amend();
    else this.mode(random.between(0, HOURS - 1));
  }

  private compare(command: Command, act: () => string | undefined): void {
    const { events, rejected } = this.world.run(command);
    const told = events.flatMap((event) => this.tell(event));
    const refusal = act();
    this.naive.settle();
    expect({ command, refusal: rejected, told }).toEqual({ command, refusal, told: this.naive.told.splice(0) });
    expect(this.left()).toEqual(this.naive.left());
    expect(this.world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  }

  private tell(event: EngineEvent): string[] {
    switch (event.kind) {
      case 'orderAccepted':
        this.numbers.set(event.order, this.placed.push({ order: event.order, hour: event.hour - HOUR, company: event.company, sell: event.side === 'sell' }) - 1);
        return [];
      case 'blockAccepted':
        this.numbers.set(event.block, this.placed.push({ order: event.block, hour: NONE, company: event.company, sell: event.side === 'sell' }) - 1);
        return [];
      case 'fill':
        return [`${event.hour - HOUR} ${this.numbers.get(event.taker)} takes ${event.quantity}@${event.price} of ${this.numbers.get(event.maker)}`];
      case 'orderTriggered':
        return [`${this.nameOf(event.order)} triggered`];
      case 'orderDone': {
        const number = this.numbers.get(event.order) ?? NONE;
        if (this.offers.has(number)) return [];
        const end = event.status === 'filled' ? 'filled' : event.reason;
        return [this.blocks.has(number) ? `${number} ${end === 'filled' ? end : 'gone'}` : `${this.nameOf(event.order)} ${end}`];
      }
      default:
        return [];
    }
  }

  private nameOf(order: number): string {
    const number = this.numbers.get(order) ?? NONE;
    return `${this.placed[number].hour} ${number}`;
  }

  private left(): string[] {
    const { engine } = this.world;
    const companies = [...this.buyers.slice(1), ...this.providers.slice(1)];
    const orders = companies.flatMap((company) => openOrders(engine, company)).map(({ order, remaining, visible }) => [order, remaining, visible]);
    const blocks = companies.flatMap((company) => openBlocks(engine, company)).filter(({ side }) => side === BUY)
      .map(({ block, quantity, fromHour, toHour, filled }) => [block, quantity * (toHour - fromHour) - filled, 0]);
    return [...orders, ...blocks].map(([id, remaining, visible]) => `${this.numbers.get(id)} ${remaining} ${visible}`).sort();
  }

  private around(): number {
    return MIDDLE + this.random.between(-6, 6);
  }

  private single(sell: boolean): void {
    const { random, naive } = this;
    const hour = random.between(0, HOURS - 1);
    const owner = random.between(1, OWNERS);
    const orderType = random.weighted([[80, LIMIT], [8, MARKET], [6, STOP], [6, STOP_LIMIT]] as const);
    const quantity = random.between(1, 8);
    const timeInForce = random.weighted([[80, GTC], [10, IOC], [10, FOK]] as const);
    const unpriced = orderType === MARKET || orderType === STOP;
    if (naive.books[hour].isCalling && unpriced) return;
    const order: Single = {
      id: this.placed.length, owner, sell, orderType, price: unpriced ? (sell ? 1 : LIST) : this.around(), quantity, timeInForce,
      postOnly: orderType === LIMIT && timeInForce === GTC && random.chance(0.1), displayQuantity: random.chance(0.3) ? random.between(1, quantity) : 0,
      minimumQuantity: random.chance(0.2) ? random.between(1, quantity) : 0, stopPrice: orderType >= STOP ? this.around() : 0,
      selfTradePrevention: random.between(CANCEL_NEWEST, DECREMENT), expiresAt: 0, model: !sell && random.chance(0.2),
    };
    const { id: _, owner: __, sell: ___, model, ...terms } = order;
    this.compare({
      type: 'place', company: (sell ? this.providers : this.buyers)[owner], market: 0, hour: HOUR + hour, side: sell ? SELL : BUY, ...terms, price: unpriced ? NONE : order.price,
      model: model ? 0 : NONE, resaleOf: 0, cancelOnDisconnect: false, clientOrderId: '',
    }, () => (naive.halted[hour] ? 'halted' : naive.books[hour].place(order)));
  }

  private block(sell: boolean): void {
    const { random, naive } = this;
    const from = random.between(0, HOURS - 2);
    const to = random.between(from + 2, HOURS);
    const block: Block = {
      id: this.placed.length, owner: random.between(1, OWNERS), from, to, sell, price: this.around(), wanted: random.between(1, 8), ratio: random.pick([0, 300_000, 500_000, MICRO]),
      timeInForce: random.pick([GTC, GTC, IOC, FOK]), model: !sell && random.chance(0.2),
    };
    const { id, owner, timeInForce, model, ratio } = block;
    const hours = Array.from({ length: to - from }, (_, index) => from + index);
    const refused = hours.some((hour) => naive.halted[hour]);
    const rests = sell && timeInForce === GTC;
    if (!refused) (rests ? this.offers : this.blocks).add(id);
    this.compare({
      type: 'placeBlock', company: (sell ? this.providers : this.buyers)[owner], market: 0, fromHour: HOUR + from, toHour: HOUR + to, side: sell ? SELL : BUY, price: block.price,
      quantity: block.wanted, timeInForce, minimumAcceptanceRatio: ratio, model: model ? 0 : NONE, clientOrderId: '',
    }, () => {
      if (refused) return 'halted';
      if (!rests) naive.block(block);
      else hours.forEach((hour, index) => naive.books[hour].place(askOf(block, id + 1 + index)));
      return undefined;
    });
  }

  /** Somebody's order or waiting block that may be cancelled by its own number. */
  private someone(): number | undefined {
    const live = this.naive.left().map((row) => Number(row.split(' ')[0]));
    const own = live.filter((number) => !this.offers.has(number));
    return own.length === 0 ? undefined : this.random.pick(own);
  }

  private cancel(): void {
    const number = this.someone();
    if (number === undefined) return;
    const { order, company, hour } = this.placed[number];
    this.compare({ type: 'cancel', company, order }, () => {
      if (hour !== NONE) return this.naive.books[hour].cancel(number);
      this.naive.waiting.splice(this.naive.waiting.findIndex(({ id }) => id === number), 1);
      this.naive.told.push(`${number} gone`);
      return undefined;
    });
  }

  private amend(): void {
    const { random, naive } = this;
    const number = this.someone();
    if (number === undefined || this.placed[number].hour === NONE) return;
    const { order, company, hour } = this.placed[number];
    const quantity = random.between(1, 8);
    const view = openOrders(this.world.engine, company).find((row) => row.order === order);
    const priced = view?.orderType === LIMIT || view?.orderType === STOP_LIMIT;
    const at = priced && random.chance(0.5) ? this.around() : 0;
    const keeps = (at === 0 || at === view?.price) && quantity <= (view?.remaining ?? 0);
    this.compare({ type: 'amend', company, order, price: at, quantity }, () => (naive.halted[hour] && !keeps ? 'halted' : naive.books[hour].amend(number, at, quantity)));
  }

  private mode(hour: number): void {
    const { naive, random } = this;
    const book = naive.books[hour];
    const set = (mode: TradingMode, act: () => void): void =>
      this.compare({ type: 'setTradingMode', company: this.operator, class: NONE, market: 0, hour: HOUR + hour, mode, reason: 'test' }, () => void act());
    if (naive.halted[hour]) {
      set('open', () => {
        naive.halted[hour] = false;
        naive.touch(hour);
      });
    } else if (book.isCalling) {
      set('open', () => {
        book.uncross(book.image().lastPrice > 0 ? 0 : LIST);
        naive.touch(hour);
      });
    } else if (random.chance(0.5)) set('halted', () => (naive.halted[hour] = true));
    else set('auction', () => book.startAuction());
  }
}

/** One of the asks that a sell block is. */
const askOf = ({ owner, price: at, wanted }: Block, id: number): Single => ({
  id, owner, sell: true, orderType: LIMIT, price: at, quantity: wanted, timeInForce: GTC, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0,
  selfTradePrevention: CANCEL_NEWEST, expiresAt: 0, model: false,
});

describe('blocks and single orders', () => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed + 1))('trade as the naive market has it, seed %i', (seed) => {
    const twins = new Twins(seed);
    for (let at = 0; at < COMMANDS; at++) twins.step();
  });
});
