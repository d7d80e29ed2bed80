/**
 * Moves the prices of providers' offers as they have asked for, market by market: just under the best ask of others, never
 * below a floor and never onto a bid. What it does are ordinary amendments, which the engine may refuse like any other.
 */
import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { LIMIT, SELL, classOf } from '../../engine/vocabulary.ts';
import type { AmendOrder } from '../../engine/commands.ts';
import type { Millis, Ticks } from '../../engine/numbers/units.ts';
import type { LiveOrder } from '../market/live_orders.ts';
import { Rounds } from '../rounds.ts';
import type { Ack } from '../sequencer/port.ts';
import type { Services } from '../services.ts';

export interface RepricingRule {
  company: number;
  market: number;
  enabled: boolean;
  priceFloor: Ticks;
  /** Prices rise up to here when the asks of others do; null: they never rise. */
  priceCeiling: Ticks | null;
  /** So far under the best ask of others. */
  undercut: Ticks;
}

/** What a rule has done at one time. */
export interface Moved {
  moves: number;
  at: Millis;
  sequence: number;
  /** Why an offer was not moved, in the last of those refused; '' when none was. */
  refusal: string;
}

export interface RepricingRules {
  enabled(): Promise<RepricingRule[]>;
  moved(rule: RepricingRule, moved: Moved): Promise<void>;
}

export interface RepricingRuleRow {
  company: number;
  market: number;
  enabled: boolean;
  price_floor: string;
  price_ceiling: string | null;
  undercut: string;
  moves: string;
  moved_at: Date | null;
  moved_sequence: string | null;
  last_refusal: string;
}
export const ruleOfRow = ({ company, market, enabled, price_floor: floor, price_ceiling: ceiling, undercut }: RepricingRuleRow): RepricingRule =>
  ({ company, market, enabled, priceFloor: Number(floor), priceCeiling: ceiling === null ? null : Number(ceiling), undercut: Number(undercut) });

export class StoredRepricingRules implements RepricingRules {
  private readonly database: Knex;

  constructor(database: Knex) {
    this.database = database;
  }

  async enabled(): Promise<RepricingRule[]> {
    return (await this.database('repricing_rules').where({ enabled: true }).select<RepricingRuleRow[]>()).map(ruleOfRow);
  }

  async moved({ company, market }: RepricingRule, { moves, at, sequence, refusal }: Moved): Promise<void> {
    const happened = moves === 0 ? {} : { moves: this.database.raw('moves + ?', [moves]), moved_at: new Date(at), moved_sequence: sequence };
    await this.database('repricing_rules').where({ company, market }).update({ ...happened, last_refusal: refusal });
  }
}

/** What one hour's book says, the company's own group left out of its asks. */
export interface Around {
  bestAsk: Ticks | undefined;
  bestBid: Ticks | undefined;
  /** The class's list price, which no ask may exceed. */
  most: Ticks;
}

/** Where an offer belongs; undefined where the rule has nothing to say: nobody else asks, or no price is left between floor and ceiling. */
export function priceWanted({ priceFloor, priceCeiling, undercut }: Pick<RepricingRule, 'priceFloor' | 'priceCeiling' | 'undercut'>, { bestAsk, bestBid, most }: Around): Ticks | undefined {
  const under = bestAsk === undefined ? priceCeiling : bestAsk - undercut;
  if (under === null) return undefined;
  const least = Math.max(priceFloor, (bestBid ?? 0) + 1);
  const wanted = Math.min(Math.max(least, under), priceCeiling ?? most, most);
  return wanted < least ? undefined : wanted;
}

type Means = Pick<Services, 'clockFollowers' | 'committed' | 'directory' | 'log' | 'market' | 'sequencer'>;

const EVERY_MILLIS = 5_000;
/** Orders of one batch. */
const AT_ONCE = 500;

/** Looks every few seconds. */
export class Repricing extends Rounds {
  private readonly services: Means;
  private readonly rules: RepricingRules;

  constructor(services: Means, rules: RepricingRules) {
    super({ everyMillis: EVERY_MILLIS, clockFollowers: services.clockFollowers, failed: (error) => services.log.warn({ err: error }, 'offers cannot be repriced at the moment') });
    this.services = services;
    this.rules = rules;
  }

  protected async round(): Promise<void> {
    for (const rule of await this.rules.enabled()) await this.apply(rule);
  }

  private async apply(rule: RepricingRule): Promise<void> {
    const { company, market } = rule;
    const operations = this.changesOf(rule).slice(0, AT_ONCE);
    if (operations.length === 0) return;
    // Another process that looks at about the same time asks for the same, which is done once.
    const what = createHash('sha256').update(operations.map(({ order, price }) => `${order}:${price}`).join()).digest('base64url');
    const idempotencyKey = `repricing:${company}:${market}:${Math.floor(this.services.committed.now / EVERY_MILLIS)}:${what}`;
    const ack = await this.services.sequencer.submit({ command: { type: 'batch', company, operations }, idempotencyKey, bodyHash: what });
    if (!ack.repeated) await this.rules.moved(rule, movedBy(ack));
  }

  private changesOf(rule: RepricingRule): AmendOrder[] {
    const { company, market } = rule;
    const offers = this.services.market.openOrders(company).filter((order) => order.market === market && isOffer(order));
    const wanted = new Map<number, Ticks | undefined>();
    for (const { hour } of offers) if (!wanted.has(hour)) wanted.set(hour, priceWanted(rule, this.around(company, market, hour)));
    return offers.flatMap(({ order, hour, price: before }) => {
      const price = wanted.get(hour);
      if (price === undefined || price === before || (price > before && rule.priceCeiling === null)) return [];
      return [{ type: 'amend' as const, company, order, price, quantity: 0 }];
    });
  }

  private around(company: number, market: number, hour: number): Around {
    const { directory, market: books } = this.services;
    const { asks, bids } = books.queues(books.instrumentOf(market, hour), Infinity);
    const most = directory.classes().find((entry) => entry.class === classOf(market))?.listPrice ?? 0;
    return { bestAsk: asks.find((ask) => !directory.isOfOneOwner(company, ask.company))?.price, bestBid: bids[0]?.price, most };
  }
}

/** A resting ask of one hour that is the provider's own word: no resale, and no hour of a block, whose price is the block's. */
const isOffer = ({ side, orderType, block, parent, resaleOf, visible }: LiveOrder): boolean => side === SELL && orderType === LIMIT && block === null && parent === null && resaleOf === 0 && visible > 0;

function movedBy({ events, sequence, now }: Ack): Moved {
  const refusals = events.flatMap((event) => (event.kind === 'rejected' ? [event.code] : []));
  return { moves: events.filter(({ kind }) => kind === 'orderAmended').length, at: now, sequence, refusal: refusals.at(-1) ?? '' };
}
