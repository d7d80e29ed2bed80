/**
 * What a key has spent this month, against its limits. Exact on every process: what was committed when
 * a key is first asked about comes from the projections, all that follows from committed events, and
 * what requests under way may still cost is reserved.
 */
import type { KeySpending, KeySpendingAsk } from '../../db/queries/key_spending.ts';
import { KIND, decodeEvent, forEachEvent } from '../../engine/events.ts';
import type { EngineEvent } from '../../engine/events.ts';
import type { Micro, Millis } from '../../engine/units.ts';
import { GatewayError } from '../errors.ts';
import type { CommittedBatch } from '../sequencer/port.ts';
import type { Services } from '../services.ts';
import type { Call } from './call.ts';

/** Reads what has been spent up to a sequence. @throws Unavailable while the projections are behind it */
export type SpendingHistory = (ask: KeySpendingAsk) => Promise<KeySpending>;

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
  /** By key; only keys that have limits. */
  private readonly accounts = new Map<string, Account>();

  constructor({ sequencer, committed }: Pick<Services, 'sequencer' | 'committed'>, history: SpendingHistory) {
    this.committed = committed;
    this.history = history;
    this.stop = sequencer.onCommitted((batch) => this.follow(batch));
  }

  /** Reserves what a request may cost; the result gives it back. @throws GatewayError budget_exceeded */
  async reserve(call: Call, cost: Micro): Promise<() => void> {
    if (call.monthlyLimit === null) return NOTHING;
    const account = this.accountOf(call);
    const before = await this.beforeOf(call, account);
    if (before.used + account.used + account.reserved + cost > call.monthlyLimit) throw new GatewayError('budget_exceeded');
    account.reserved += cost;
    return () => {
      account.reserved -= cost;
    };
  }

  /** What may still be bought on the spot book for the key this month. */
  async spotLeft(call: Call): Promise<Micro> {
    const { monthlyLimit } = call.spot;
    if (monthlyLimit === null) return Infinity;
    const account = this.accountOf(call);
    const before = await this.beforeOf(call, account);
    return monthlyLimit - before.bought - account.bought;
  }

  private accountOf({ company, key }: Call): Account {
    const now = new Date(this.committed.now);
    const month = Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
    const known = this.accounts.get(key);
    if (known?.month === month) return known;
    const since = this.committed.sequence;
    const before = this.history({ company, key, from: month, untilSequence: since });
    const account = { month, since, before, used: 0, bought: 0, reserved: 0 };
    this.accounts.set(key, account);
    return account;
  }

  private async beforeOf({ key }: Call, account: Account): Promise<KeySpending> {
    try {
      return await account.before;
    } catch (error) {
      if (this.accounts.get(key) === account) this.accounts.delete(key);
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
    const account = this.accounts.get(key);
    if (account !== undefined && sequence > account.since) account.used += amount;
  }
  private buy(key: string, sequence: number, amount: Micro): void {
    const account = this.accounts.get(key);
    if (account !== undefined && sequence > account.since) account.bought += amount;
  }
}

/** The key in `spot:KEY:REQUEST`. */
function spotOrder(event: EngineEvent & { kind: 'orderAccepted' }): { id: number; key: string } | undefined {
  const [kind, key, request] = event.clientOrderId.split(':');
  return kind === 'spot' && request !== undefined ? { id: event.order, key } : undefined;
}
