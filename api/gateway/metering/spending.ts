/**
 * What a line of keys or a project has spent this month, against its limits. Exact on every process: what was committed when
 * it is first asked about comes from the projections, all that follows from committed events, and
 * what requests under way may still cost is reserved: here, where that refuses before anything is asked of the
 * engine, and beside the authoriser, which knows of all processes. So is what purchases on the spot book may cost.
 */
import { monthBegan } from '../../../db/queries/key_spending.ts';
import type { KeySpending } from '../../../db/queries/key_spending.ts';
import { KIND, decodeEvent, forEachEvent } from '../../../engine/events.ts';
import type { EngineEvent, EventBatch } from '../../../engine/events.ts';
import type { Micro, Millis } from '../../../engine/numbers/units.ts';
import { GatewayError } from '../../errors.ts';
import type { Tally } from '../../http/middleware/rate_limit.ts';
import { eventOf } from '../../sequencer/port.ts';
import type { Ack, CommittedBatch, SpendingLimit, Spent } from '../../sequencer/port.ts';
import type { Services } from '../../services.ts';
import type { Spenders } from '../../auth/key_store.ts';
import type { MonthlyBudget } from '../../warnings/budget_warning.ts';
import type { Call } from '../relay/call.ts';
import { SetAsideElsewhere } from './set_aside_elsewhere.ts';

/** Whose spending: that of a key and those it was rotated from or into, or of all keys of a project. */
export type Spender = { line: string } | { project: string };
export type SpendingAsk = Spender & { company: number; from: Millis; untilSequence: number };
/** Reads what has been spent up to a sequence. @throws Unavailable while the projections are behind it */
export type SpendingHistory = (ask: SpendingAsk) => Promise<KeySpending>;
/** Who spends when a key is used; undefined for one that nobody knows. */
export type SpendersOf = (key: string) => Promise<Spenders | undefined>;
/** Hears which budget refused a request, and what of it is used. */
export type OnRefusal = (budget: MonthlyBudget, used: Micro) => void;

/** What is committed and not yet counted, for its key was made or ended elsewhere and is to be looked up. */
interface Unattributed {
  key: string;
  sequence: number;
  used: Micro;
  bought: Micro;
}

interface Account {
  month: Millis;
  /** Commands after this one are counted here, those before it in `before`. */
  since: number;
  before: Promise<KeySpending>;
  used: Micro;
  bought: Micro;
  reserved: Micro;
}

/** What is known of a limit of a call. */
interface Limited {
  name: string;
  account: Account;
  before: KeySpending;
  limit: Micro;
}

const NOTHING = (): void => undefined;
/** A command is executed sooner than this after it was sent, or never. */
const DECIDED_MILLIS = 10_000;
const ELSEWHERE_MAX = 50_000;
const LOOKED_UP_AFTER = 1_000;
const FOLLOWED = new Set<number>([KIND.command, KIND.usageCaptured, KIND.orderAccepted, KIND.fill]);

export class Spending {
  readonly stop: () => void;
  private readonly sequencer: Pick<Services['sequencer'], 'reserve' | 'releaseReservation'>;
  private readonly committed: Services['committed'];
  private readonly history: SpendingHistory;
  private readonly spendersOf: SpendersOf;
  private readonly spenders = new Map<string, Spenders>();
  private unattributed: Unattributed[] = [];
  /** By line or project; only those that have limits. */
  private readonly accounts = new Map<string, Account>();

  /** The last sequence that has been counted. */
  private followed = 0;
  private purchases = 0;

  /** Of requests under way in other processes, by line or project. */
  private readonly elsewhere = new Map<string, SetAsideElsewhere>();
  private readonly tally: Tally | undefined;
  private readonly onRefusal: OnRefusal;

  /** @param tally absent: there is no other process */
  constructor({ sequencer, committed }: Pick<Services, 'sequencer' | 'committed'>, history: SpendingHistory, spendersOf: SpendersOf, tally?: Tally, onRefusal: OnRefusal = NOTHING) {
    this.sequencer = sequencer;
    this.committed = committed;
    this.history = history;
    this.spendersOf = spendersOf;
    this.tally = tally;
    this.onRefusal = onRefusal;
    tally?.onOthers((name, amount) => this.hear(name, amount));
    this.stop = sequencer.onCommitted((batch) => this.follow(batch));
  }

  /** What is left of the call's limits as this process knows it, for who knows of all processes; undefined: it has none. */
  async limitsOf(call: Call): Promise<SpendingLimit[] | undefined> {
    const limits = this.limitsFor(call);
    if (limits.length === 0) return undefined;
    const accounts = await this.accountsFor(call, limits);
    return accounts.map(({ name, account, before, limit }) => ({ name, left: limit - before.used - account.used, upTo: Math.max(account.since, this.followed) }));
  }

  private limitsFor(call: Call): [Spender, Micro][] {
    const limits: [Spender, Micro][] = [];
    this.spenders.set(call.key, { line: call.line, project: call.project?.id });
    if (call.monthlyLimit !== null) limits.push([{ line: call.line }, call.monthlyLimit]);
    if (call.project?.monthlyBudget != null) limits.push([{ project: call.project.id }, call.project.monthlyBudget]);
    return limits;
  }

  private async accountsFor(call: Call, limits: readonly [Spender, Micro][]): Promise<Limited[]> {
    const accounts = await Promise.all(limits.map(async ([spender, limit]) => {
      const account = this.accountOf(call.company, spender);
      return { name: nameOf(spender), account, before: await this.beforeOf(spender, account), limit };
    }));
    await this.attributed();
    return accounts;
  }

  /** Reserves what a request may cost; the result gives it back. @throws GatewayError budget_exceeded */
  async reserve(call: Call, cost: Micro): Promise<() => void> {
    const limits = this.limitsFor(call);
    if (limits.length === 0) return NOTHING;
    const accounts = await this.accountsFor(call, limits);
    // Nothing waits between the look and the reservation.
    const full = accounts.find(({ name, account, before, limit }) => before.used + account.used + account.reserved + this.reservedElsewhere(name) + cost > limit);
    if (full !== undefined) throw this.refusedBy(call, full);
    const change = (amount: Micro): void => {
      for (const { name, account } of accounts) {
        account.reserved += amount;
        this.tally?.counted(name, amount);
      }
    };
    change(cost);
    return () => change(-cost);
  }

  /** The refusal of a request that one of its limits does not hold. @param name of that, as `limitsOf` has it */
  async refusal(call: Call, name: string | undefined): Promise<GatewayError> {
    const accounts = await this.accountsFor(call, this.limitsFor(call));
    return this.refusedBy(call, accounts.find((account) => account.name === name) ?? accounts[0]);
  }

  private refusedBy({ key, company, project }: Call, { name, account, before, limit }: Limited): GatewayError {
    const isProject = name === project?.id;
    this.onRefusal({ id: name, spender: isProject ? name : key, of: isProject ? 'project_id' : 'key_id', company, limit }, before.used + account.used);
    return new GatewayError('budget_exceeded', { values: { limit: isProject ? "monthly budget of this key's project" : 'monthly limit of this key' } });
  }

  private hear(name: string, amount: number): void {
    const known = this.elsewhere.get(name) ?? new SetAsideElsewhere();
    known.hear(performance.now(), amount);
    this.elsewhere.set(name, known);
    if (this.elsewhere.size <= ELSEWHERE_MAX) return;
    for (const [other] of this.elsewhere) if (this.reservedElsewhere(other) === 0) this.elsewhere.delete(other);
  }

  private reservedElsewhere(name: string): Micro {
    return this.elsewhere.get(name)?.at(performance.now()) ?? 0;
  }

  /**
   * Reserves what a purchase on the spot book may cost within the key's limit for such, over all processes. The result
   * ends that: it is given the purchase's acknowledgement, or undefined when nobody knows whether it was executed.
   * @throws GatewayError budget_exceeded
   */
  async reserveSpot(call: Pick<Call, 'id' | 'company' | 'line' | 'spot'>, cost: Micro): Promise<(ack: Ack | undefined) => void> {
    const { monthlyLimit } = call.spot;
    if (monthlyLimit === null) return NOTHING;
    const spender = { line: call.line };
    const account = this.accountOf(call.company, spender);
    const before = await this.beforeOf(spender, account);
    await this.attributed();
    const request = `spot:${call.line}:${call.id}:${this.purchases++}`;
    const limit = { name: `spot:${call.line}`, left: monthlyLimit - before.bought - account.bought, upTo: Math.max(account.since, this.followed) };
    if (!(await this.sequencer.reserve({ request, limits: [limit], cost }))) throw new GatewayError('budget_exceeded', { values: { limit: "monthly limit of this key's purchases" } });
    // What cannot be said ends by itself after a while, and until then refuses more than it need.
    const end = (spent?: Spent): void => void this.sequencer.releaseReservation(request, spent).catch(() => undefined);
    return (ack) => {
      if (ack === undefined) setTimeout(end, DECIDED_MILLIS).unref();
      else end({ amount: boughtBy(ack), sequence: ack.sequence });
    };
  }

  private accountOf(company: number, spender: Spender): Account {
    const month = monthBegan(this.committed.now);
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

  private follow({ events, lastSequence }: CommittedBatch): void {
    if (this.accounts.size > 0) this.count(events);
    this.followed = lastSequence;
  }

  private count(events: EventBatch): void {
    let sequence = 0;
    let order: { id: number; key: string } | undefined;
    forEachEvent(events, (kind, at) => {
      if (!FOLLOWED.has(kind)) return;
      const event = decodeEvent(events, at);
      if (event.kind === 'command') sequence = event.sequence;
      else if (event.kind === 'usageCaptured') this.spend({ key: event.detail.key, sequence, used: event.credits + event.detail.spotFees, bought: 0 });
      else if (event.kind === 'orderAccepted') order = spotOrder(event);
      else if (event.kind === 'fill' && event.taker === order?.id) this.spend({ key: order.key, sequence, used: 0, bought: event.price * event.quantity + event.fee });
    });
  }

  private spend(amount: Unattributed): void {
    const spenders = this.spenders.get(amount.key);
    if (spenders !== undefined) return this.spendBy(spenders, amount);
    // Who asks for a limit looks it up; where nobody does, it is to become no long list.
    if (this.unattributed.push(amount) % LOOKED_UP_AFTER === 0) this.attributed().catch(NOTHING);
  }

  private spendBy({ line, project }: Spenders, { sequence, used, bought }: Unattributed): void {
    for (const account of [this.accounts.get(line), project === undefined ? undefined : this.accounts.get(project)]) {
      if (account === undefined || sequence <= account.since) continue;
      account.used += used;
      account.bought += bought;
    }
  }

  /** Resolves when all that this process has followed is counted. A key stays with its line and its project. */
  private async attributed(): Promise<void> {
    for (let [first] = this.unattributed; first !== undefined; [first] = this.unattributed) {
      const { key } = first;
      this.spenders.set(key, (await this.spendersOf(key)) ?? { line: key, project: undefined });
      const waiting = this.unattributed;
      this.unattributed = [];
      for (const amount of waiting) this.spend(amount);
    }
  }
}

const nameOf = (spender: Spender): string => ('line' in spender ? spender.line : spender.project);

/** Price and fee of what an order bought at once. */
function boughtBy({ events }: Ack): Micro {
  const order = eventOf(events, 'orderAccepted')?.order;
  let sum = 0;
  for (const event of events) if (event.kind === 'fill' && event.taker === order) sum += event.price * event.quantity + event.fee;
  return sum;
}

/** The key in `spot:KEY:REQUEST`. */
function spotOrder(event: EngineEvent & { kind: 'orderAccepted' }): { id: number; key: string } | undefined {
  const [kind, key, request] = event.clientOrderId.split(':');
  return kind === 'spot' && request !== undefined ? { id: event.order, key } : undefined;
}
