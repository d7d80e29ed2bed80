/**
 * Offers what companies do not use of the running hour, where they have asked for that: an allocation that nobody has used for
 * so many minutes since it was bought is put on the book, at the best ask there but not below the company's floor.
 */
import type { Knex } from 'knex';
import { CANCEL_NEWEST, GTC, LIMIT, NONE, SELL, classOf } from '../../engine/vocabulary.ts';
import type { PlaceOrder } from '../../engine/commands.ts';
import { KIND, fieldOf, forEachEvent } from '../../engine/events.ts';
import type { AllocationView } from '../../engine/queries.ts';
import { MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_HOUR, MILLIS_PER_MINUTE, MINUTES_PER_HOUR } from '../../engine/numbers/units.ts';
import type { Millis, Steps, Ticks } from '../../engine/numbers/units.ts';
import { Rounds } from '../rounds.ts';
import { eventOf } from '../sequencer/port.ts';
import type { CommittedBatch } from '../sequencer/port.ts';
import type { Services } from '../services.ts';

export interface ResalePolicy {
  company: number;
  enabled: boolean;
  priceFloor: Ticks;
  idleMinutes: number;
}

export interface ResalePolicies {
  enabled(): Promise<ResalePolicy[]>;
}

export interface ResalePolicyRow {
  company: number;
  enabled: boolean;
  price_floor: string;
  idle_minutes: number;
}
export const policyOfRow = ({ company, enabled, price_floor: floor, idle_minutes: idleMinutes }: ResalePolicyRow): ResalePolicy => ({ company, enabled, priceFloor: Number(floor), idleMinutes });

export class StoredResalePolicies implements ResalePolicies {
  private readonly database: Knex;

  constructor(database: Knex) {
    this.database = database;
  }

  async enabled(): Promise<ResalePolicy[]> {
    return (await this.database('resale_policies').where({ enabled: true }).select<ResalePolicyRow[]>()).map(policyOfRow);
  }
}

type Means = Pick<Services, 'clockFollowers' | 'committed' | 'directory' | 'log' | 'market' | 'sequencer'>;

/** No offer is worth making when less than this is left of the hour: spot trading ends a minute before it. */
const MINUTES_LEAST = 2;

const FIELD = {
  used: fieldOf('usageCaptured', 'allocation'), usedAt: fieldOf('usageCaptured', 'now'),
  bought: fieldOf('fill', 'allocation'), boughtAt: fieldOf('fill', 'now'), hour: fieldOf('fill', 'hour'),
};

/** Looks each minute. */
export class AutomaticResale extends Rounds {
  private readonly services: Means;
  private readonly policies: ResalePolicies;
  /** Engine time of the last purchase or use, by allocation; of the running hour. */
  private readonly movedAt = new Map<number, Millis>();
  private hour: number;
  /** Nothing is known of what happened before. */
  private readonly since: Millis;
  private readonly unsubscribe: () => void;

  constructor(services: Means, policies: ResalePolicies) {
    super({ everyMillis: MILLIS_PER_MINUTE, clockFollowers: services.clockFollowers, failed: (error) => services.log.warn({ err: error }, 'unused hours cannot be offered at the moment') });
    this.services = services;
    this.policies = policies;
    this.since = services.committed.now;
    this.hour = Math.floor(this.since / MILLIS_PER_HOUR);
    this.unsubscribe = services.sequencer.onCommitted((batch) => this.follow(batch));
  }

  override close(): Promise<void> {
    this.unsubscribe();
    return super.close();
  }

  private follow({ events }: CommittedBatch): void {
    const { words } = events;
    forEachEvent(events, (kind, at) => {
      if (kind === KIND.usageCaptured) this.movedAt.set(words[at + FIELD.used], words[at + FIELD.usedAt]);
      // What is bought for a later hour has no minute of it behind it.
      else if (kind === KIND.fill && words[at + FIELD.hour] * MILLIS_PER_HOUR <= words[at + FIELD.boughtAt]) this.movedAt.set(words[at + FIELD.bought], words[at + FIELD.boughtAt]);
    });
  }

  protected async round(): Promise<void> {
    const { committed, sequencer } = this.services;
    const now = committed.now;
    const hour = Math.floor(now / MILLIS_PER_HOUR);
    if (hour !== this.hour) for (const [allocation, at] of this.movedAt) if (at < hour * MILLIS_PER_HOUR) this.movedAt.delete(allocation);
    this.hour = hour;
    for (const policy of await this.policies.enabled()) {
      const views = await sequencer.query('allocations', { company: policy.company });
      for (const view of views) if (view.hour === hour && view.status === 'delivering' && !view.frozen) await this.offer(policy, view, now);
    }
  }

  private async offer({ company, idleMinutes, priceFloor }: ResalePolicy, view: AllocationView, now: Millis): Promise<void> {
    const { sequencer, log } = this.services;
    const begin = view.hour * MILLIS_PER_HOUR;
    const idleSince = Math.max(begin, this.since, this.movedAt.get(view.allocation) ?? 0);
    const quantity = unusedSteps(view, now);
    if (now - idleSince < idleMinutes * MILLIS_PER_MINUTE || quantity < 1) return;
    const price = this.priceOf(view, priceFloor);
    if (price === undefined) return;
    const command: PlaceOrder = {
      type: 'place', company, market: view.market, hour: view.hour, side: SELL, orderType: LIMIT, price, quantity, timeInForce: GTC, postOnly: false, displayQuantity: 0,
      minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: view.allocation, selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false, clientOrderId: '',
    };
    // Another process that looks in the same minute makes the same offer.
    const idempotencyKey = `automatic resale:${view.allocation}:${Math.floor(now / MILLIS_PER_MINUTE)}`;
    const refused = eventOf((await sequencer.submit({ command, idempotencyKey, bodyHash: String(view.allocation) })).events, 'rejected');
    if (refused !== undefined) log.debug({ allocation: view.allocation, code: refused.code }, 'unused hours were not taken on the book');
  }

  /** The best ask of others, not below the floor; undefined when the floor is above what may be asked. */
  private priceOf({ market, hour, company }: AllocationView, floor: Ticks): Ticks | undefined {
    const instrument = this.services.market.instrumentOf(market, hour);
    const best = this.services.market.queues(instrument, Infinity).asks.find((ask) => ask.company !== company)?.price ?? floor;
    const most = this.services.directory.classes().find((entry) => entry.class === classOf(market))?.listPrice ?? 0;
    return floor > most ? undefined : Math.min(Math.max(floor, best), most);
  }
}

/** What of an allocation can be offered now: what is left of it, and no more than its GPUs can still do in the hour. One that is on offer stays as its owner, or an earlier look, has left it. */
export function unusedSteps({ budgetGpu, usedGpu, offeredGpu, quantity, hour }: AllocationView, now: Millis): Steps {
  const minutesLeft = Math.floor(((hour + 1) * MILLIS_PER_HOUR - now) / MILLIS_PER_MINUTE);
  if (minutesLeft < MINUTES_LEAST || offeredGpu > 0) return 0;
  const free = Math.floor((budgetGpu - usedGpu) / MICRO_GPU_SECONDS_PER_STEP);
  const possible = Math.floor((quantity * Math.min(minutesLeft, MINUTES_PER_HOUR)) / MINUTES_PER_HOUR);
  return Math.max(0, Math.min(free, possible));
}
