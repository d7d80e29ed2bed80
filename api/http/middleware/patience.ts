/**
 * Requests that wait for a database which does not answer are told so within a second, whatever they
 * asked of it. A request that is merely slow is left alone: the database is asked first.
 */
import type { Knex } from 'knex';
import { ApiError } from '../../errors.ts';

/** How long a request may take before the database is suspected. */
const SUSPECT_MILLIS = 150;
const LOOK_MILLIS = 100;
/** A look that comes later than this says that this process had no time, and nothing about the database. */
const ON_TIME_MILLIS = 1.5 * LOOK_MILLIS;
/** Looks on time, and without a word from the database, after which it counts as away. */
const LOOKS = 6;

interface Waiting {
  since: number;
  giveUp: () => void;
}

export class Patience {
  private readonly ask: () => Promise<unknown>;
  private readonly waiting = new Set<Waiting>();
  private timer: NodeJS.Timeout | undefined;
  private lookedAt = 0;
  /** Looks on time since the question that is under way, or since the database was last heard; undefined: none is. */
  private looks: number | undefined;

  /** @param ask resolves when the database answers */
  constructor(ask: () => Promise<unknown>) {
    this.ask = ask;
  }

  static with(database: Knex): Patience {
    const patience = new Patience(async () => database.raw('select 1'));
    database.on('query-response', () => patience.heard());
    return patience;
  }

  /** The database has answered somebody: it is slow at most. */
  heard(): void {
    if (this.looks !== undefined) this.looks = 0;
  }

  /** As `work`. @throws ApiError unavailable when it waits for a database that is away */
  with<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiting = { since: performance.now(), giveUp: () => reject(new ApiError('unavailable', { retryAfterSeconds: 1 })) };
      this.waiting.add(waiting);
      if (this.timer === undefined) this.begin();
      work.finally(() => this.waiting.delete(waiting)).then(resolve, reject);
    });
  }

  private begin(): void {
    this.lookedAt = performance.now();
    this.timer = setInterval(() => this.look(), LOOK_MILLIS).unref();
  }

  private look(): void {
    if (this.waiting.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
      return;
    }
    const now = performance.now();
    const isOnTime = now - this.lookedAt < ON_TIME_MILLIS;
    this.lookedAt = now;
    const late = [...this.waiting].filter(({ since }) => now - since > SUSPECT_MILLIS);
    if (late.length === 0) return;
    if (this.looks === undefined) this.question();
    else if (isOnTime && ++this.looks >= LOOKS) for (const waiting of late) this.release(waiting);
  }

  private release(waiting: Waiting): void {
    this.waiting.delete(waiting);
    waiting.giveUp();
  }

  private question(): void {
    this.looks = 0;
    this.ask().then(
      () => (this.looks = undefined),
      () => {
        this.looks = undefined;
        const now = performance.now();
        for (const waiting of this.waiting) if (now - waiting.since > SUSPECT_MILLIS) this.release(waiting);
      },
    );
  }
}
