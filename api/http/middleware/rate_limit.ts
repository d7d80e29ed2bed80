/** A fixed window of requests per account, or per address without a key; told in the RateLimit headers. */
import type { Response } from 'express';
import { ApiError } from '../../errors.ts';

const WINDOW_SECONDS = 10;
const ACCOUNTS_MAX = 100_000;

/** What is counted here is told to other processes, and what they count is told here. */
export interface Tally {
  counted(name: string, amount: number): void;
  onOthers(listener: (name: string, amount: number) => void): void;
}
export interface Tallies {
  /** One listener for each kind. */
  of(kind: string): Tally;
}

export class RateLimit {
  private readonly limit: number;
  private readonly tally: Tally | undefined;
  private counts = new Map<string, number>();
  private windowStart = 0;

  /**
   * @param perSecond on average over a window of ten seconds
   * @param tally absent: there is no other process
   */
  constructor(perSecond: number, tally?: Tally) {
    this.limit = perSecond * WINDOW_SECONDS;
    this.tally = tally;
    tally?.onOthers((account, amount) => this.add(account, amount));
  }

  /** Counts one request, and says so in the answer. @throws ApiError rate_limit_exceeded */
  take(account: string, response: Response): void {
    const { used, reset } = this.count(account);
    response.setHeader('RateLimit-Limit', this.limit);
    response.setHeader('RateLimit-Remaining', Math.max(0, this.limit - used));
    response.setHeader('RateLimit-Reset', reset);
    this.refuseBeyond(used, reset);
  }

  /** Counts one request. @throws ApiError rate_limit_exceeded */
  require(account: string): void {
    const { used, reset } = this.count(account);
    this.refuseBeyond(used, reset);
  }

  private count(account: string): { used: number; reset: number } {
    this.tally?.counted(account, 1);
    return this.add(account, 1);
  }

  private add(account: string, amount: number): { used: number; reset: number } {
    const now = Date.now();
    if (now - this.windowStart >= WINDOW_SECONDS * 1000 || this.counts.size >= ACCOUNTS_MAX) {
      this.counts = new Map();
      this.windowStart = now;
    }
    const used = (this.counts.get(account) ?? 0) + amount;
    this.counts.set(account, used);
    return { used, reset: Math.max(1, Math.ceil((this.windowStart + WINDOW_SECONDS * 1000 - now) / 1000)) };
  }

  private refuseBeyond(used: number, reset: number): void {
    if (used > this.limit) throw new ApiError('rate_limit_exceeded', { values: { seconds: reset }, retryAfterSeconds: reset });
  }
}
