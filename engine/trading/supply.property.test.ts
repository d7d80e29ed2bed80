/**
 * No phantom supply under any interleaving. The rule is reckoned anew from what was told: fills, with the
 * minutes that were left at each, and the orders that are open. An offer is taken exactly when it fits.
 */
import { describe, expect, it } from 'vitest';
import { BUY, GTC, IOC, NONE, SELL } from '../vocabulary.ts';
import type { Command } from '../commands.ts';
import { Random } from '../simulation/random.ts';
import { START, World, all } from '../test/world.ts';
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../numbers/units.ts';
import { openOrders } from '../test/open.ts';

const LIVES = Number(process.env['LIVES'] ?? 25);
const COMMANDS = 400;
const FIRST = START / MILLIS_PER_HOUR;
const STEPS_PER_GPU = 100n;
/** 60/k is a whole number of these for every k. */
const PARTS = 9_690_712_164_777_231_700_912_728_800n;

interface Sale {
  provider: number;
  hour: number;
  quantity: number;
  /** Full minutes that were left; 60 before the hour. */
  left: number;
}

class Life {
  readonly world = new World(START + 10 * MILLIS_PER_MINUTE);
  private readonly random: Random;
  private readonly providers: number[];
  private readonly buyers: number[];
  private readonly verified = new Map<number, number>();
  private readonly sales: Sale[] = [];
  private owned: { allocation: number; company: number; hour: number; quantity: number }[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
    this.providers = ['a', 'b'].map((name) => this.world.provider(3, name));
    this.buyers = ['c', 'd'].map((name) => this.world.buyer(100_000, name));
    for (const provider of this.providers) this.verified.set(provider, 3);
  }

  private get now(): number {
    return this.world.engine.now;
  }
  private left(hour: number): number {
    return Math.min(60, Math.ceil(((hour + 1) * MILLIS_PER_HOUR - this.now) / MILLIS_PER_MINUTE));
  }

  /** GPUs of an hour in parts of a step: sold before it, sold in it, and offered with `more`. */
  private taken(provider: number, hour: number, more = 0): bigint {
    const occupied = (quantity: number, left: number): bigint => (BigInt(quantity) * 60n * PARTS) / BigInt(left);
    const sold = this.sales.filter((sale) => sale.provider === provider && sale.hour === hour).reduce((sum, { quantity, left }) => sum + occupied(quantity, left), 0n);
    const offers = openOrders(this.world.engine, provider).filter((order) => order.side === SELL && order.hour === hour && order.resaleOf === 0);
    return sold + occupied(offers.reduce((sum, { remaining }) => sum + remaining, more), this.left(hour));
  }
  private limit(provider: number): bigint {
    return BigInt(this.verified.get(provider) ?? 0) * STEPS_PER_GPU * PARTS;
  }

  private next(): Command {
    const { random } = this;
    const hour = FIRST + random.between(0, 2);
    const quantity = random.between(1, 250);
    const price = random.between(10, 20) * 1_000;
    const kind = random.weighted([[8, 'ask'], [8, 'bid'], [3, 'cancel'], [4, 'amend'], [2, 'block'], [3, 'resale'], [4, 'time'], [1, 'verify']] as const);
    const provider = random.pick(this.providers);
    const order = openOrders(this.world.engine, provider).at(random.between(0, 8));
    if (kind === 'cancel' && order !== undefined) return { type: 'cancel', company: provider, order: order.order };
    if (kind === 'amend' && order !== undefined) return { type: 'amend', company: provider, order: order.order, price: random.chance(0.5) ? 0 : price, quantity };
    if (kind === 'time') return { type: 'tick', now: this.now + random.between(1, 200) * 1_000 };
    if (kind === 'verify') return { type: 'verifyCapacity', company: provider, market: 0, gpus: random.between(1, 3) };
    if (kind === 'block') {
      const fromHour = FIRST + 1;
      return {
        type: 'placeBlock', company: provider, market: 0, fromHour, toHour: fromHour + 2, side: SELL, price, quantity, timeInForce: random.pick([GTC, IOC]),
        minimumAcceptanceRatio: 0, model: NONE, clientOrderId: '',
      };
    }
    if (kind === 'resale' && this.owned.length > 0) {
      const source = random.pick(this.owned);
      return this.place(source.company, SELL, source.hour, price, quantity, { resaleOf: source.allocation });
    }
    return kind === 'bid' ? this.place(random.pick(this.buyers), BUY, hour, price, quantity, { timeInForce: random.pick([GTC, IOC]) }) : this.place(provider, SELL, hour, price, quantity, {});
  }

  private place(company: number, side: 0 | 1, hour: number, price: number, quantity: number, more: object): Command {
    return {
      type: 'place', company, market: 0, hour, side, orderType: 0, price, quantity, timeInForce: GTC, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0,
      expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: 0, cancelOnDisconnect: false, clientOrderId: '', ...more,
    };
  }

  step(): void {
    const command = this.next();
    const fits = command.type === 'place' && command.side === SELL && command.resaleOf === 0 && this.left(command.hour) >= 1
      ? this.taken(command.company, command.hour, command.quantity) <= this.limit(command.company) : undefined;
    const { events, rejected } = this.world.run(command);
    if (fits !== undefined && (rejected === undefined || rejected === 'insufficient_capacity')) expect(rejected === undefined).toBe(fits);
    if (command.type === 'verifyCapacity' && rejected === undefined) this.verified.set(command.company, command.gpus);
    // A tick may run many minutes; nothing trades in it but what was open, and no block waits here.
    for (const fill of all(events, 'fill')) {
      this.owned.push({ allocation: fill.allocation, company: fill.buyer, hour: fill.hour, quantity: fill.quantity });
      if (fill.seller === fill.provider) this.sales.push({ provider: fill.provider, hour: fill.hour, quantity: fill.quantity, left: this.left(fill.hour) });
    }
    this.owned = this.owned.filter(({ hour }) => this.left(hour) > 1);
    for (const provider of this.providers) {
      for (let hour = FIRST; hour < FIRST + 3; hour++) if (this.left(hour) >= 1) expect(this.taken(provider, hour)).toBeLessThanOrEqual(this.limit(provider));
    }
  }
}

describe('supply', () => {
  it(`is never sold or offered beyond what is verified, in ${LIVES} lives`, { timeout: 120_000 }, () => {
    let sales = 0;
    for (let seed = 1; seed <= LIVES; seed++) {
      const life = new Life(seed);
      for (let at = 0; at < COMMANDS; at++) life.step();
      sales += life['sales'].length;
      expect(life.world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
    }
    expect(sales).toBeGreaterThan(LIVES * 10);
  });
});
