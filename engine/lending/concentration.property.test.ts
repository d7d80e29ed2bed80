/**
 * No purchase takes a provider group past its part of a facility: single orders, blocks, slices of icebergs, calls and resales in random lives.
 * What was spent is summed anew, of the postings and fills that were told, and the rule is reckoned as CREDIT.md has it.
 */
import { describe, expect, it } from 'vitest';
import { accountNameOf, ownerOf } from '../ledger/accounts.ts';
import type { EngineEvent } from '../events.ts';
import { Random } from '../simulation/random.ts';
import { APPLICATION, START, World, gpuHours, one, price, usd } from '../test/world.ts';
import { BUY, FOK, GTC, IOC, LIMIT, MARKET, NONE, SELL } from '../vocabulary.ts';
import type { PlaceOrder } from '../commands.ts';
import { MICRO, MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../numbers/units.ts';

const LIVES = Number(process.env['LIVES'] ?? 25);
const COMMANDS = 150;
const HOURS = 3;
/** So far ahead that none of the hours begins. */
const FIRST = START / MILLIS_PER_HOUR + 80 * 24;
const COMMITMENT = 1_000_000;
/** Costs are rounded once for each lot and fill. */
const ROUNDING = 0.01;

interface Purchase {
  facility: number;
  group: string;
  day: number;
  dollars: number;
}

class Life {
  readonly world = new World();
  readonly passed: string[] = [];
  readonly purchases: Purchase[] = [];
  /** How often a group had all but nothing left after a purchase: the lives come to where the rule binds. */
  bound = 0;
  private readonly random: Random;
  /** GPU-hours of its largest orders: one that reaches the limit alone, or several that do together. */
  private readonly largest: number;
  private readonly operator = this.world.company('operator');
  private readonly groups = new Map<number, string>();
  private readonly borrowers: number[] = [];
  private readonly facilities: { facility: number; company: number }[] = [];
  private readonly lots = new Map<number, { facility: number; conversionRate: number }>();
  private owned: { allocation: number; company: number; hour: number; quantity: number }[] = [];
  /** Micro-CR of each lot that postings have moved into contracts since the last fill was told. */
  private contracted = new Map<number, number>();

  constructor(seed: number) {
    this.random = new Random(seed);
    this.largest = this.random.pick([8_000, 20_000, 60_000]);
    const { world } = this;
    for (const [name, group] of [['a', 'a'], ['b', 'b'], ['c', 'c'], ['d', 'd'], ['second of d', 'd']]) this.groups.set(world.provider(400_000, name, group), group);
    const lender = world.company('lender');
    world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(50_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(10_000_000), minimumAnnualRate: 50_000 });
    this.borrower('one', [12, 6]);
    this.borrower('other', [12]);
  }

  private borrower(name: string, terms: readonly number[]): void {
    const { world } = this;
    const company = world.company('borrower', name);
    this.borrowers.push(company);
    for (const months of terms) {
      const { facility } = one(world.run({ type: 'applyFacility', company, amount: usd(COMMITMENT), months, method: 'bullet', application: APPLICATION }).events, 'facilityOffered');
      world.run({ type: 'acceptFacility', company, facility });
      this.facilities.push({ facility, company });
      this.follow(world.run({ type: 'draw', company, facility, amount: usd(400_000) }).events);
    }
  }

  private order(company: number, side: 0 | 1, more: Partial<PlaceOrder> = {}): void {
    const { random, world } = this;
    const quantity = this.quantity() + (random.chance(0.3) ? random.between(0, 99) : 0);
    const orderType = side === BUY && random.chance(0.2) ? MARKET : LIMIT;
    this.follow(world.run({
      type: 'place', company, market: 0, hour: this.hour(), side, orderType, price: this.price(), quantity, timeInForce: random.pick([GTC, GTC, GTC, IOC, FOK]), postOnly: false,
      displayQuantity: 0, minimumQuantity: random.chance(0.1) ? random.between(1, quantity) : 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: 0,
      cancelOnDisconnect: false, clientOrderId: '', ...more,
    }).events);
  }
  private ask(): void {
    const { random } = this;
    const quantity = gpuHours(random.between(this.largest / 20, 2 * this.largest));
    const iceberg = random.chance(0.4) ? { timeInForce: GTC, displayQuantity: Math.ceil(quantity / random.between(2, 30)) } : {};
    this.order(this.seller(), SELL, { quantity, minimumQuantity: 0, ...iceberg });
  }
  private resale(): void {
    if (this.owned.length === 0) return this.ask();
    const { allocation, company, hour, quantity } = this.random.pick(this.owned);
    this.order(company, SELL, { resaleOf: allocation, hour, quantity: this.random.between(1, quantity), minimumQuantity: 0 });
  }
  private block(side: 0 | 1): void {
    const { random } = this;
    const fromHour = FIRST + random.between(0, HOURS - 2);
    this.follow(this.world.run({
      type: 'placeBlock', company: side === BUY ? random.pick(this.borrowers) : this.seller(), market: 0, fromHour, toHour: random.between(fromHour + 2, FIRST + HOURS), side,
      price: this.price(), quantity: this.quantity(), timeInForce: random.pick([GTC, IOC, FOK]),
      minimumAcceptanceRatio: random.pick([0, 300_000, MICRO]), model: NONE, clientOrderId: '',
    }).events);
  }
  private amend(): void {
    const { random, world } = this;
    const company = random.pick([...this.borrowers, ...this.groups.keys()]);
    const open = world.engine.query('market', {}).orders.filter((order) => order.company === company);
    if (open.length === 0) return;
    const { order } = random.pick(open);
    if (random.chance(0.4)) this.follow(world.run({ type: 'cancel', company, order }).events);
    else this.follow(world.run({ type: 'amend', company, order, price: random.chance(0.5) ? 0 : this.price(), quantity: this.quantity() }).events);
  }
  private call(mode: 'auction' | 'open'): void {
    this.follow(this.world.run({ type: 'setTradingMode', company: this.operator, class: NONE, market: 0, hour: NONE, mode, reason: 'test' }).events);
  }
  /** Credit of other sources, and of the facility on demand. */
  private credit(): void {
    const { random, world } = this;
    const { facility, company } = random.pick(this.facilities);
    if (random.chance(0.3)) {
      world.run({ type: 'deposit', company, amount: usd(20_000), reference: '' });
      this.follow(world.run({ type: 'prepay', company, amount: usd(20_000) }).events);
    } else if (random.chance(0.5)) this.follow(world.run({ type: 'setFacilityOption', company, facility, drawOnDemand: random.chance(0.7) }).events);
    else this.follow(world.run({ type: 'draw', company, facility, amount: usd(random.between(1, 400) * 1_000) }).events);
  }

  /** Mostly one of the same few, so that the limit is met soon and often. */
  private seller(): number {
    const sellers = [...this.groups.keys()];
    return this.random.pick(this.random.chance(0.6) ? sellers.slice(0, 2) : sellers);
  }
  private hour(): number {
    return FIRST + this.random.between(0, HOURS - 1);
  }
  private quantity(): number {
    return gpuHours(this.random.between(1, this.random.pick([this.largest / 20, this.largest])));
  }
  private price(): number {
    return price(2.3) + this.random.between(0, 4) * this.random.pick([1_000, 333]);
  }

  step(): void {
    const { random, world } = this;
    random.weighted<() => void>([
      [30, () => this.ask()], [30, () => this.order(random.pick(this.borrowers), BUY)], [4, () => this.resale()], [12, () => this.block(BUY)], [5, () => this.block(SELL)],
      [10, () => this.amend()], [2, () => this.call('auction')], [4, () => this.call('open')], [5, () => this.credit()],
      [6, () => this.follow(world.run({ type: 'tick', now: world.engine.now + random.between(1, 36) * MILLIS_PER_HOUR }).events)],
    ])();
  }

  private follow(events: readonly EngineEvent[]): void {
    for (const event of events) {
      if (event.kind === 'lotMinted') this.lots.set(event.lot, event);
      if (event.kind === 'posted') this.post(event.entries);
      if (event.kind !== 'fill') continue;
      this.owned.push({ allocation: event.allocation, company: event.buyer, hour: event.hour, quantity: event.quantity });
      // What a reseller's contract was relieved of is not spending.
      for (const [lot, credits] of this.contracted) if (credits > 0) this.spend(lot, this.groups.get(event.provider) ?? '', credits);
      this.contracted = new Map();
    }
  }
  private post(entries: readonly number[]): void {
    for (let at = 0; at < entries.length; at += 2) {
      const lot = ownerOf(entries[at]);
      if (accountNameOf(entries[at]) === 'lot.contracted') this.contracted.set(lot, (this.contracted.get(lot) ?? 0) - entries[at + 1]);
    }
  }

  private spend(lot: number, group: string, credits: number): void {
    const { facility, conversionRate } = this.lots.get(lot) ?? { facility: NONE, conversionRate: MICRO };
    if (facility === NONE) return;
    const day = Math.floor(this.world.engine.now / MILLIS_PER_DAY);
    this.purchases.push({ facility, group, day, dollars: credits / conversionRate });
    const recent = this.purchases.filter((purchase) => purchase.facility === facility && purchase.day > day - 30);
    const sum = (purchases: readonly Purchase[]): number => purchases.reduce((total, { dollars }) => total + dollars, 0);
    const spent = sum(recent.filter((purchase) => purchase.group === group));
    const most = Math.max(0.4 * sum(recent), 0.05 * COMMITMENT);
    if (spent > most + ROUNDING) this.passed.push(`command ${this.world.engine.sequence}: group ${group} has had ${spent} of facility ${facility}, at most ${most}`);
    if (spent > most - 2) this.bound++;
  }
}

describe('a provider group\'s part of a facility', () => {
  it(`is passed by no purchase, in ${LIVES} lives`, () => {
    let bound = 0;
    for (let seed = 1; seed <= LIVES; seed++) {
      const life = new Life(seed);
      for (let at = 0; at < COMMANDS; at++) life.step();
      expect({ seed, passed: life.passed }).toEqual({ seed, passed: [] });
      expect(life.world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
      bound += life.bound;
    }
    expect(bound).toBeGreaterThan(LIVES * 2);
  });
});
