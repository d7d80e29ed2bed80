/**
 * How many requests and tokens an account has used within the last minute, by a window that slides second by second. What
 * requests under way may still use of a key's limit is set aside, so that it holds however many come at once.
 */
import { GatewayError } from '../../errors.ts';
import type { Tallies, Tally } from '../../http/middleware/rate_limit.ts';
import { SetAsideElsewhere } from '../metering/set_aside_elsewhere.ts';

const SECONDS = 60;
const ACCOUNTS_MAX = 100_000;
/** Of an account whose key sets no limit of its own. */
const TOKENS_PER_MINUTE = 100_000_000;

const KINDS = ['requests', 'tokens', 'aside'] as const;
type Kind = (typeof KINDS)[number];

export interface PaceLimits {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
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
  /** Tokens that requests under way may still use: of this process, and of others. */
  private aside = 0;
  private readonly elsewhere = new SetAsideElsewhere();
  private limits: { requests: number; tokens: number };
  private readonly tell: (kind: Kind, amount: number) => void;

  /** @param tell hears what is counted here */
  constructor(limits: { requests: number; tokens: number }, tell: (kind: Kind, amount: number) => void = () => undefined) {
    this.limits = limits;
    this.tell = tell;
  }

  changed(limits: { requests: number; tokens: number }): void {
    this.limits = limits;
  }

  /** Counts one request. @throws GatewayError rate_limit_exceeded */
  request(now: number): void {
    const second = Math.floor(now / 1_000);
    this.requests.moveTo(second);
    this.tokens.moveTo(second);
    const { limits } = this;
    if (this.requests.total >= limits.requests) throw tooMany(this.requests.wait(limits.requests - 1));
    if (this.tokens.total >= limits.tokens) throw tooMany(this.tokens.wait(limits.tokens - 1));
    this.requests.add(second, 1);
    this.tell('requests', 1);
  }

  /**
   * Sets aside what a request may use, where its key has a limit.
   * @param least what must be left for it; of what it may use beyond that, as much as is left is set aside
   * @returns what was, for `used` to take back; undefined: there is no limit
   * @throws GatewayError rate_limit_exceeded
   */
  reserve(now: number, least: number, most: number): number | undefined {
    const limit = this.limits.tokens;
    if (limit >= TOKENS_PER_MINUTE) return undefined;
    if (least > limit) throw tooLarge(least, limit);
    this.tokens.moveTo(Math.floor(now / 1_000));
    const left = this.left(now);
    if (least > left) throw tooMany(this.tokens.wait(limit - least));
    const amount = Math.min(most, left);
    this.setAside(amount);
    return amount;
  }

  /** Counts tokens that were charged, and takes back what was set aside for them. */
  used(now: number, tokens: number, reserved = 0): void {
    if (reserved > 0) this.setAside(-reserved);
    if (tokens === 0) return;
    this.tokens.add(Math.floor(now / 1_000), tokens);
    this.tell('tokens', tokens);
  }

  /** Counts what another process has counted. */
  others(kind: Kind, now: number, amount: number): void {
    if (kind !== 'aside') return this[kind].add(Math.floor(now / 1_000), amount);
    this.elsewhere.hear(now, amount);
  }

  private setAside(amount: number): void {
    this.aside += amount;
    this.tell('aside', amount);
  }

  private left(now: number): number {
    return this.limits.tokens - this.tokens.total - this.aside - this.elsewhere.at(now);
  }

  /** In the names and the form of OpenAI's. */
  headers(): string[] {
    const { requests, tokens, limits } = this;
    return [
      'x-ratelimit-limit-requests', String(limits.requests), 'x-ratelimit-remaining-requests', String(Math.max(0, limits.requests - requests.total)),
      'x-ratelimit-reset-requests', `${requests.reset}s`,
      'x-ratelimit-limit-tokens', String(limits.tokens), 'x-ratelimit-remaining-tokens', String(Math.max(0, this.left(Date.now()))),
      'x-ratelimit-reset-tokens', `${tokens.reset}s`,
    ];
  }
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

  /**
   * @param requestsPerMinute of an account whose key sets no limit of its own
   * @param tallies absent: there is no other process
   */
  constructor(requestsPerMinute: number, tallies?: Tallies) {
    this.requestsPerMinute = requestsPerMinute;
    if (tallies === undefined) return;
    this.tallies = { requests: tallies.of('requests'), tokens: tallies.of('tokens'), aside: tallies.of('tokens aside') };
    for (const kind of KINDS) {
      this.tallies[kind].onOthers((account, amount) => (this.windows.get(account) ?? this.windowOf(account)).others(kind, Date.now(), amount));
    }
  }

  windowOf(account: string, limits?: PaceLimits): PaceWindow {
    const known = this.windows.get(account);
    const now = { requests: limits?.requestsPerMinute ?? this.requestsPerMinute, tokens: limits?.tokensPerMinute ?? TOKENS_PER_MINUTE };
    if (known !== undefined) {
      known.changed(now);
      return known;
    }
    // Accounts that have been silent are as good as new.
    if (this.windows.size >= ACCOUNTS_MAX) this.windows.clear();
    const window = new PaceWindow(now, (kind, amount) => this.tallies?.[kind].counted(account, amount));
    this.windows.set(account, window);
    return window;
  }
}
