/**
 * What a key or a project has spent this month, against its limits. Exact on every process: what was committed when
 * it is first asked about comes from the projections, all that follows from committed events, and
 * what requests under way may still cost is reserved.
 */
import type { KeySpending } from '../../db/queries/key_spending.ts';
import { KIND, decodeEvent, forEachEvent } from '../../engine/events.ts';
import type { EngineEvent } from '../../engine/events.ts';
import type { Micro, Millis } from '../../engine/units.ts';
import { GatewayError } from '../errors.ts';
import type { CommittedBatch } from '../sequencer/port.ts';
import type { Services } from '../services.ts';
import type { Call } from './call.ts';

/** Whose spending: a key's, or that of all keys of a project. */
export type Spender = { key: string } | { project: string };
export type SpendingAsk = Spender & { company: number; from: Millis; untilSequence: number };
/** Reads what has been spent up to a sequence. @throws Unavailable while the projections are behind it */
export type SpendingHistory = (ask: SpendingAsk) => Promise<KeySpending>;
/** The project of a live key. */
export type ProjectOf = (key: string) => string | undefined;

interface Account {
  month: Millis;
  /** Commands after this one are counted here, those before it in `before`. */
  since: number;
  before: Promise<KeySpending>;
  used: Micro;
  bought: Micro;
  reserved: Micro;
}

const NOTHING = (): void => undefined;
const FOLLOWED = new Set<number>([KIND.command, KIND.usageCaptured, KIND.orderAccepted, KIND.fill]);

export class Spending {
  readonly stop: () => void;
  private readonly committed: Services['committed'];
  private readonly history: SpendingHistory;
  private readonly projectOf: ProjectOf;
  private readonly projects = new Map<string, string>();
  /** By key or project; only those that have limits. */
  private readonly accounts = new Map<string, Account>();

  constructor({ sequencer, committed }: Pick<Services, 'sequencer' | 'committed'>, history: SpendingHistory, projectOf: ProjectOf) {
    this.committed = committed;
    this.history = history;
    this.projectOf = projectOf;
    this.stop = sequencer.onCommitted((batch) => this.follow(batch));
  }

  /** Reserves what a request may cost; the result gives it back. @throws GatewayError budget_exceeded */
  async reserve(call: Call, cost: Micro): Promise<() => void> {
    const limits: [Spender, Micro][] = [];
    if (call.monthlyLimit !== null) limits.push([{ key: call.key }, call.monthlyLimit]);
    if (call.project !== null) this.projects.set(call.key, call.project.id);
    if (call.project?.monthlyBudget != null) limits.push([{ project: call.project.id }, call.project.monthlyBudget]);
    if (limits.length === 0) return NOTHING;
    const accounts = await Promise.all(limits.map(async ([spender, limit]) => {
      const account = this.accountOf(call.company, spender);
      return { account, before: await this.beforeOf(spender, account), limit };
    }));
    // Nothing waits between the look and the reservation.
    if (accounts.some(({ account, before, limit }) => before.used + account.used + account.reserved + cost > limit)) throw new GatewayError('budget_exceeded');
    for (const { account } of accounts) account.reserved += cost;
    return () => {
      for (const { account } of accounts) account.reserved -= cost;
    };
  }

  /** What may still be bought on the spot book for the key this month. */
  async spotLeft(call: Call): Promise<Micro> {
    const { monthlyLimit } = call.spot;
    if (monthlyLimit === null) return Infinity;
    const spender = { key: call.key };
    const account = this.accountOf(call.company, spender);
    const before = await this.beforeOf(spender, account);
    return monthlyLimit - before.bought - account.bought;
  }

  private accountOf(company: number, spender: Spender): Account {
    const now = new Date(this.committed.now);
    const month = Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
    const name = nameOf(spender);
    const known = this.accounts.get(name);
    if (known?.month === month) return known;
    const since = this.committed.sequence;
    const before = this.history({ ...spender, company, from: month, untilSequence: since });
    const account = { month, since, before, used: 0, bought: 0, reserved: 0 };
    this.accounts.set(name, account);
    return account;
  }

  private async beforeOf(spender: Spender, account: Account): Promise<KeySpending> {
    try {
      return await account.before;
    } catch (error) {
      if (this.accounts.get(nameOf(spender)) === account) this.accounts.delete(nameOf(spender));
      throw error;
    }
  }

  private follow({ events }: CommittedBatch): void {
    if (this.accounts.size === 0) return;
    let sequence = 0;
    let order: { id: number; key: string } | undefined;
    forEachEvent(events, (kind, at) => {
      if (!FOLLOWED.has(kind)) return;
      const event = decodeEvent(events, at);
      if (event.kind === 'command') sequence = event.sequence;
      else if (event.kind === 'usageCaptured') this.use(event.detail.key, sequence, event.credits + event.detail.spotFees);
      else if (event.kind === 'orderAccepted') order = spotOrder(event);
      else if (event.kind === 'fill' && event.taker === order?.id) this.buy(order.key, sequence, event.price * event.quantity + event.fee);
    });
  }

  private use(key: string, sequence: number, amount: Micro): void {
    for (const account of this.accountsOf(key)) if (sequence > account.since) account.used += amount;
  }
  private buy(key: string, sequence: number, amount: Micro): void {
    for (const account of this.accountsOf(key)) if (sequence > account.since) account.bought += amount;
  }

  private accountsOf(key: string): Account[] {
    const project = this.projects.get(key) ?? this.projectOf(key);
    // A key stays with its project; while it is being read again, nobody knows it.
    if (project !== undefined) this.projects.set(key, project);
    return [this.accounts.get(nameOf({ key })), project === undefined ? undefined : this.accounts.get(nameOf({ project }))].filter((account) => account !== undefined);
  }
}

const nameOf = (spender: Spender): string => ('key' in spender ? spender.key : spender.project);

/** The key in `spot:KEY:REQUEST`. */
function spotOrder(event: EngineEvent & { kind: 'orderAccepted' }): { id: number; key: string } | undefined {
  const [kind, key, request] = event.clientOrderId.split(':');
  return kind === 'spot' && request !== undefined ? { id: event.order, key } : undefined;
}
