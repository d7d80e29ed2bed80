/**
 * How many requests and tokens an account has used within the last minute, by a window that slides second by second. What
 * requests under way may still use of a key's limit is set aside, so that it holds however many come at once; and where other
 * processes serve the key, what is used or set aside is taken from what all of them have left. While that cannot be asked for, each
 * gateway keeps to an equal part of what was left: it reckons that every other one lets in, unseen, as much as it does itself.
 */
import { GatewayError } from '../../errors.ts';
import type { Tallies, Tally } from '../../http/middleware/rate_limit.ts';
import { LimitPart, Teller } from './limit_part.ts';
import type { SharedLimits, Taken } from './limit_part.ts';
import type { Rooms } from './room_shares.ts';

const SECONDS = 60;
const ACCOUNTS_MAX = 100_000;
/** Of an account whose key sets no limit of its own. */
const TOKENS_PER_MINUTE = 100_000_000;

const KINDS = ['requests', 'tokens'] as const;
type Kind = (typeof KINDS)[number];
/** A request that was let in is used; tokens that were set aside may come back as soon as a request ends. */
const HELD_SECONDS: Record<Kind, number> = { requests: SECONDS, tokens: 1 };

export interface PaceLimits {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
}

interface Limits {
  requests: number;
  tokens: number;
  /** Whether requests have a limit of the key's own. */
  isOwn: boolean;
}

/** Tokens that are set aside. */
export interface Aside {
  amount: number;
  /** From what all processes have left; else by this one alone. */
  isTaken: boolean;
}

/** Where other processes serve the key, too. */
interface Together {
  parts: Record<Kind, LimitPart>;
  /** This one included. */
  gateways: () => number;
}

/** Sums over the last 60 seconds. */
class Sums {
  total = 0;
  private readonly seconds = new Float64Array(SECONDS);
  private last = 0;
  private newest = 0;

  add(second: number, amount: number): void {
    this.moveTo(second);
    this.seconds[second % SECONDS] += amount;
    this.total += amount;
    this.newest = second;
  }

  /** Seconds until nothing is left of it. */
  get reset(): number {
    return this.total === 0 ? 0 : this.newest + SECONDS - this.last;
  }

  moveTo(second: number): void {
    for (let at = Math.max(this.last + 1, second - SECONDS + 1); at <= second; at++) {
      this.total -= this.seconds[at % SECONDS];
      this.seconds[at % SECONDS] = 0;
    }
    this.last = Math.max(this.last, second);
  }

  /** Seconds until the sum has fallen to `target`. */
  wait(target: number): number {
    let left = this.total;
    for (let age = SECONDS - 1; age >= 0; age--) {
      if (left <= target) return SECONDS - 1 - age;
      left -= this.seconds[(this.last - age + SECONDS * 2) % SECONDS];
    }
    return SECONDS;
  }
}

export class PaceWindow {
  private readonly requests = new Sums();
  private readonly tokens = new Sums();
  /** Tokens that requests under way may still use. */
  private aside = 0;
  /** Of these, what the other processes do not know of. */
  private asideUnseen = 0;
  private limits: Limits;
  private readonly tell: (kind: Kind, amount: number) => void;
  private readonly together: Together | undefined;

  /** @param tell hears what is counted here */
  constructor(limits: Limits, tell: (kind: Kind, amount: number) => void = () => undefined, together?: Together) {
    this.limits = limits;
    this.tell = tell;
    this.together = together;
  }

  changed(limits: Limits): void {
    this.limits = limits;
  }

  /** Counts one request. @returns undefined: it has; else when it has. @throws GatewayError rate_limit_exceeded, or rejects with it */
  request(now: number): Promise<void> | undefined {
    const { limits, together } = this;
    this.requireLeft(now);
    if (together === undefined || !limits.isOwn) return this.countRequest(now);
    const taken = together.parts.requests.take(limits.requests, 1, 1);
    if (taken instanceof Promise) return taken.then((later) => this.countTaken(now, together, later));
    return this.countTaken(now, together, taken);
  }

  /** @param unseen requests that others may have let in */
  private requireLeft(now: number, unseen = 0): void {
    const second = Math.floor(now / 1_000);
    this.requests.moveTo(second);
    this.tokens.moveTo(second);
    const { limits } = this;
    if (this.requests.total + unseen >= limits.requests) throw tooMany(this.requests.wait(limits.requests - 1));
    if (this.tokens.total >= limits.tokens) throw tooMany(this.tokens.wait(limits.tokens - 1));
  }

  private countTaken(now: number, { parts: { requests: part }, gateways }: Together, taken: Taken): undefined {
    // Others have been counted while it was asked for.
    if (taken === undefined) this.requireLeft(now, (gateways() - 1) * (part.untold + 1));
    part.use(1, taken === undefined ? 0 : amountOf(taken));
    return this.countRequest(now);
  }

  private countRequest(now: number): undefined {
    this.requests.add(Math.floor(now / 1_000), 1);
    this.tell('requests', 1);
  }

  /**
   * Sets aside what a request may use, where its key has a limit.
   * @param least what must be left for it; of what it may use beyond that, as much as is left is set aside
   * @returns what was, for `used` to take back; undefined: there is no limit
   * @throws GatewayError rate_limit_exceeded, or rejects with it
   */
  reserve(now: number, least: number, most: number): Aside | undefined | Promise<Aside> {
    const limit = this.limits.tokens;
    if (limit >= TOKENS_PER_MINUTE) return undefined;
    if (least > limit) throw tooLarge(least, limit);
    this.tokens.moveTo(Math.floor(now / 1_000));
    const { left } = this;
    if (least > left) throw tooMany(this.tokens.wait(limit - least));
    const amount = Math.min(most, left);
    this.aside += amount;
    const { together } = this;
    if (together === undefined) return { amount, isTaken: false };
    const taken = together.parts.tokens.take(limit, least, amount);
    const asked = { least, amount };
    return taken instanceof Promise ? taken.then((later) => this.setAside(asked, together, later)) : this.setAside(asked, together, taken);
  }

  /** @param asked the amount is what is set aside as far as this process knows */
  private setAside({ least, amount }: { least: number; amount: number }, together: Together, taken: Taken): Aside {
    this.aside -= amount;
    const aside: Aside = taken === undefined ? { amount: Math.min(amount, this.ownPart(least, together)), isTaken: false } : { amount: amountOf(taken), isTaken: true };
    this.aside += aside.amount;
    if (!aside.isTaken) this.asideUnseen += aside.amount;
    return aside;
  }

  /** An equal part of the tokens that are left, where each other gateway may have used and set aside as many as this one. @throws GatewayError rate_limit_exceeded */
  private ownPart(least: number, { parts, gateways }: Together): number {
    const part = Math.floor((this.left - (gateways() - 1) * (parts.tokens.untold + this.asideUnseen)) / gateways());
    if (part < least) throw tooMany(this.tokens.wait(this.limits.tokens - least));
    return part;
  }

  /** Counts tokens that were charged, and takes back what was set aside for them. */
  used(now: number, tokens: number, reserved?: Aside): void {
    if (reserved !== undefined) this.giveBack(reserved, tokens);
    if (tokens === 0) return;
    this.tokens.add(Math.floor(now / 1_000), tokens);
    this.tell('tokens', tokens);
  }

  private giveBack({ amount, isTaken }: Aside, used: number): void {
    this.aside -= amount;
    if (this.together === undefined) return;
    if (!isTaken) this.asideUnseen -= amount;
    this.together.parts.tokens.use(used, isTaken ? amount : 0);
  }

  /** Counts what another process has counted. */
  others(kind: Kind, now: number, amount: number): void {
    this[kind].add(Math.floor(now / 1_000), amount);
  }

  private get left(): number {
    return this.limits.tokens - this.tokens.total - this.aside;
  }

  /** In the names and the form of OpenAI's. */
  headers(): string[] {
    const { requests, tokens, limits } = this;
    return [
      'x-ratelimit-limit-requests', String(limits.requests), 'x-ratelimit-remaining-requests', String(Math.max(0, limits.requests - requests.total)),
      'x-ratelimit-reset-requests', `${requests.reset}s`,
      'x-ratelimit-limit-tokens', String(limits.tokens), 'x-ratelimit-remaining-tokens', String(Math.max(0, this.left)),
      'x-ratelimit-reset-tokens', `${tokens.reset}s`,
    ];
  }
}

/** @throws GatewayError rate_limit_exceeded */
function amountOf(taken: Exclude<Taken, undefined>): number {
  if ('wait' in taken) throw tooMany(taken.wait);
  return taken.amount;
}

function tooMany(wait: number): GatewayError {
  const seconds = Math.max(1, wait);
  return new GatewayError('rate_limit_exceeded', { values: { detail: `Too many requests; try again after ${seconds} s.` }, retryAfterSeconds: seconds });
}

/** No wait would help. */
function tooLarge(tokens: number, limit: number): GatewayError {
  return new GatewayError('rate_limit_exceeded', { values: { detail: `Request too large: it may use ${tokens} tokens, and this key ${limit} in a minute.` }, retryAfterSeconds: Infinity });
}

export class Pace {
  private readonly requestsPerMinute: number;
  private readonly windows = new Map<string, PaceWindow>();
  private readonly tallies: Record<Kind, Tally> | undefined;
  private readonly shared: SharedLimits | undefined;
  private readonly gateways: () => number;
  private readonly teller = new Teller();

  /**
   * @param requestsPerMinute of an account whose key sets no limit of its own
   * @param others absent: there is no other process
   */
  constructor(requestsPerMinute: number, { tallies, limits, rooms }: { tallies?: Tallies; limits?: SharedLimits; rooms?: Pick<Rooms, 'gateways'> } = {}) {
    this.requestsPerMinute = requestsPerMinute;
    this.shared = limits;
    this.gateways = () => rooms?.gateways ?? 1;
    if (tallies === undefined) return;
    this.tallies = { requests: tallies.of('requests'), tokens: tallies.of('tokens') };
    for (const kind of KINDS) {
      this.tallies[kind].onOthers((account, amount) => (this.windows.get(account) ?? this.windowOf(account)).others(kind, Date.now(), amount));
    }
  }

  windowOf(account: string, limits?: PaceLimits): PaceWindow {
    const known = this.windows.get(account);
    const now = { requests: limits?.requestsPerMinute ?? this.requestsPerMinute, tokens: limits?.tokensPerMinute ?? TOKENS_PER_MINUTE, isOwn: typeof limits?.requestsPerMinute === 'number' };
    if (known !== undefined) {
      known.changed(now);
      return known;
    }
    // Accounts that have been silent are as good as new.
    if (this.windows.size >= ACCOUNTS_MAX) this.windows.clear();
    const { shared, teller, gateways } = this;
    const part = (kind: Kind, of: SharedLimits): LimitPart => new LimitPart(of(`${kind}:${account}`), teller, HELD_SECONDS[kind]);
    const together = shared && { parts: { requests: part('requests', shared), tokens: part('tokens', shared) }, gateways };
    const window = new PaceWindow(now, (kind, amount) => this.tallies?.[kind].counted(account, amount), together);
    this.windows.set(account, window);
    return window;
  }
}
