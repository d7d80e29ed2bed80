/**
 * Blocks and single orders together against a naive market: blocks that wait and blocks that do not, of
 * both sides, single orders that come first, over the same few hours. After each command the trades and
 * what everybody still wants are the same. The naive market tries every quantity, one by one.
 */
import { describe, expect, it } from 'vitest';
import { BUY, FOK, GTC, IOC, NONE, SELL } from '../commands.ts';
import type { Command } from '../commands.ts';
import type { EventOf } from '../events.ts';
import { Random } from '../simulation/random.ts';
import { HOUR, World, all } from '../test/world.ts';
import { MICRO } from '../numbers/units.ts';

const HOURS = 3;
const COMMANDS = 60;
const SEEDS = 40;

interface Single {
  id: number;
  hour: number;
  sell: boolean;
  price: number;
  left: number;
}
interface Block {
  id: number;
  from: number;
  to: number;
  sell: boolean;
  price: number;
  wanted: number;
  ratio: number;
  timeInForce: number;
}

class NaiveMarket {
  /** Oldest first. */
  readonly singles: Single[] = [];
  readonly waiting: Block[] = [];
  trades: string[] = [];

  /** Who stands opposite in an hour, by price, then time. */
  private makers(hour: number, sells: boolean): Single[] {
    const found = this.singles.filter((single) => single.hour === hour && single.sell !== sells && single.left > 0);
    return found.sort((a, b) => (sells ? b.price - a.price : a.price - b.price));
  }

  private take(id: number, maker: Single, quantity: number): void {
    maker.left -= quantity;
    this.trades.push(`${maker.hour}: ${id} ${maker.id} ${quantity}@${maker.price}`);
  }

  single(order: Single): void {
    for (const maker of this.makers(order.hour, order.sell)) {
      if (order.left === 0 || (order.sell ? maker.price < order.price : maker.price > order.price)) break;
      const quantity = Math.min(order.left, maker.left);
      order.left -= quantity;
      this.take(order.id, maker, quantity);
    }
    if (order.left === 0) return;
    this.singles.push(order);
    if (order.sell) this.retry(order.hour);
  }

  /** The best price first, then the oldest; those that the hour is none of are not asked. */
  private retry(hour: number): void {
    for (const block of [...this.waiting].sort((a, b) => b.price - a.price)) {
      if (hour < block.from || hour >= block.to) continue;
      this.execute(block);
      if (block.wanted === 0) this.waiting.splice(this.waiting.indexOf(block), 1);
    }
  }

  block(block: Block): void {
    this.execute(block);
    if (block.wanted > 0 && block.timeInForce === GTC) this.waiting.push(block);
  }

  private execute(block: Block): void {
    const least = block.timeInForce === FOK ? block.wanted : Math.max(1, Math.ceil((block.wanted * block.ratio) / MICRO));
    const hours = Array.from({ length: block.to - block.from }, (_, index) => block.from + index);
    for (let quantity = block.wanted; quantity >= least; quantity--) {
      const costs = hours.map((hour) => this.makers(hour, block.sell).flatMap(({ price, left }) => Array.from({ length: left }, () => price)).slice(0, quantity));
      const sum = costs.flat().reduce((total, price) => total + price, 0);
      const bound = block.price * quantity * hours.length;
      if (costs.some(({ length }) => length < quantity) || (block.sell ? sum < bound : sum > bound)) continue;
      for (const hour of hours) this.takeHour(block, hour, quantity);
      block.wanted -= quantity;
      return;
    }
  }

  private takeHour(block: Block, hour: number, quantity: number): void {
    let left = quantity;
    for (const maker of this.makers(hour, block.sell)) {
      const part = Math.min(left, maker.left);
      if (part > 0) this.take(block.id, maker, part);
      left -= part;
    }
  }

  cancel(id: number): void {
    for (const list of [this.singles, this.waiting]) {
      const place = list.findIndex((order) => order.id === id);
      if (place >= 0) list.splice(place, 1);
    }
  }
}

class Twins {
  private readonly random: Random;
  private readonly world = new World();
  private readonly seller = this.world.provider();
  private readonly buyer = this.world.buyer(500_000);
  private readonly naive = new NaiveMarket();
  private readonly numbers = new Map<number, number>();
  private readonly engineIds: number[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  step(): void {
    const { random } = this;
    const kind = random.weighted([[50, 'single'], [30, 'block'], [12, 'cancel']] as const);
    const sell = random.chance(0.55);
    const price = random.between(15, 25) * 1_000;
    if (kind === 'single') this.single(sell, price);
    else if (kind === 'block') this.block(sell, price);
    else if (this.engineIds.length > 0) this.cancel(random.between(0, this.engineIds.length - 1));
    expect(this.world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  }

  /** The same trades, and the same left of everybody. */
  private compare(command: Command, act: (id: number) => void): void {
    const { events, rejected } = this.world.run(command);
    expect(rejected).toBeUndefined();
    const id = this.engineIds.length;
    for (const event of events) {
      const placed = event.kind === 'orderAccepted' ? event.order : event.kind === 'blockAccepted' ? event.block : undefined;
      if (placed !== undefined) this.numbers.set(placed, this.engineIds.push(placed) - 1);
    }
    act(id);
    const trades = all(events, 'fill').map((fill) => this.tradeOf(fill));
    expect(trades).toEqual(this.naive.trades.splice(0));
    expect(this.left()).toEqual([...this.naive.singles.filter(({ left }) => left > 0).map(({ id: own, left }) => `${own} ${left}`), ...this.naive.waiting.map((block) => `${block.id} ${block.wanted * (block.to - block.from)}`)].sort());
  }

  private tradeOf({ hour, maker, taker, quantity, price }: EventOf<'fill'>): string {
    return `${hour - HOUR}: ${this.numbers.get(taker)} ${this.numbers.get(maker)} ${quantity}@${price}`;
  }

  private left(): string[] {
    const { engine } = this.world;
    const companies = [this.seller, this.buyer];
    const orders = companies.flatMap((company) => engine.query('openOrders', { company })).map(({ order, remaining }) => [order, remaining]);
    const blocks = companies.flatMap((company) => engine.query('blocks', { company })).map((block) => [block.block, block.quantity * (block.toHour - block.fromHour) - block.filled]);
    return [...orders, ...blocks].map(([id, remaining]) => `${this.numbers.get(id)} ${remaining}`).sort();
  }

  private single(sell: boolean, price: number): void {
    const { random } = this;
    const hour = random.between(0, HOURS - 1);
    const quantity = random.between(1, 6);
    this.compare({
      type: 'place', company: sell ? this.seller : this.buyer, market: 0, hour: HOUR + hour, side: sell ? SELL : BUY, orderType: 0, price, quantity, timeInForce: GTC, postOnly: false,
      displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: 0, cancelOnDisconnect: false, clientOrderId: '',
    }, (id) => this.naive.single({ id, hour, sell, price, left: quantity }));
  }

  /** A sell block that may wait is one ask an hour: that is another test. */
  private block(sell: boolean, price: number): void {
    const { random } = this;
    const from = random.between(0, HOURS - 2);
    const to = random.between(from + 2, HOURS);
    const timeInForce = sell ? random.pick([IOC, FOK]) : random.pick([GTC, GTC, IOC, FOK]);
    const quantity = random.between(1, 8);
    const ratio = random.pick([0, 300_000, 500_000, MICRO]);
    this.compare({
      type: 'placeBlock', company: sell ? this.seller : this.buyer, market: 0, fromHour: HOUR + from, toHour: HOUR + to, side: sell ? SELL : BUY, price, quantity, timeInForce,
      minimumAcceptanceRatio: ratio, model: NONE, clientOrderId: '',
    }, (id) => this.naive.block({ id, from, to, sell, price, wanted: quantity, ratio, timeInForce }));
  }

  private cancel(id: number): void {
    const order = this.engineIds[id];
    const owner = [this.seller, this.buyer].find((company) => [...this.world.engine.query('openOrders', { company }).map((view) => view.order), ...this.world.engine.query('blocks', { company }).map(({ block }) => block)].includes(order));
    if (owner !== undefined) this.compare({ type: 'cancel', company: owner, order }, () => this.naive.cancel(id));
  }
}

describe('blocks and single orders', () => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed + 1))('trade as the naive market has it, seed %i', (seed) => {
    const twins = new Twins(seed);
    for (let at = 0; at < COMMANDS; at++) twins.step();
  });
});
