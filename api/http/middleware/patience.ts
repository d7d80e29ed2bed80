/**
 * Requests that wait for a database which does not answer are told so within a second, whatever they
 * asked of it. A request that is merely slow is left alone: the database is asked first.
 */
import { ApiError } from '../../errors.ts';

/** How long a request may take before the database is suspected. */
const SUSPECT_MILLIS = 350;
const LOOK_MILLIS = 100;
/** Looks after which a question counts as not answered: a process that had no time itself sees few. */
const LOOKS = 5;

interface Waiting {
  since: number;
  giveUp: () => void;
}

export class Patience {
  private readonly ask: () => Promise<unknown>;
  private readonly waiting = new Set<Waiting>();
  private timer: NodeJS.Timeout | undefined;
  /** Looks since the question that is under way; undefined: none is. */
  private looks: number | undefined;

  /** @param ask resolves when the database answers */
  constructor(ask: () => Promise<unknown>) {
    this.ask = ask;
  }

  /** As `work`. @throws ApiError unavailable when it waits for a database that is away */
  with<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiting = { since: performance.now(), giveUp: () => reject(new ApiError('unavailable', { retryAfterSeconds: 1 })) };
      this.waiting.add(waiting);
      this.timer ??= setInterval(() => this.look(), LOOK_MILLIS).unref();
      work.finally(() => this.waiting.delete(waiting)).then(resolve, reject);
    });
  }

  private look(): void {
    if (this.waiting.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
      return;
    }
    const now = performance.now();
    const late = [...this.waiting].filter(({ since }) => now - since > SUSPECT_MILLIS);
    if (late.length === 0) return;
    if (this.looks === undefined) this.question();
    else if (++this.looks >= LOOKS) for (const waiting of late) this.release(waiting);
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
