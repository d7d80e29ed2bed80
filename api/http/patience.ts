/**
 * Requests that wait for a database which does not answer are told so within a second, whatever they
 * asked of it. A request that is merely slow is left alone: the database is asked first.
 */
import { ApiError } from '../errors.ts';

/** How long a request may take before the database is suspected, and how long that may take to answer. */
const SUSPECT_MILLIS = 350;
const ANSWER_MILLIS = 500;
const LOOK_MILLIS = 100;

interface Waiting {
  since: number;
  giveUp: () => void;
}

export class Patience {
  private readonly ask: () => Promise<unknown>;
  private readonly waiting = new Set<Waiting>();
  private timer: NodeJS.Timeout | undefined;
  /** The question under way and when it was asked. */
  private asked: number | undefined;

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
    if (this.asked === undefined) this.question();
    else if (now - this.asked > ANSWER_MILLIS) for (const waiting of late) this.release(waiting);
  }

  private release(waiting: Waiting): void {
    this.waiting.delete(waiting);
    waiting.giveUp();
  }

  private question(): void {
    this.asked = performance.now();
    this.ask().then(
      () => (this.asked = undefined),
      () => {
        this.asked = undefined;
        const now = performance.now();
        for (const waiting of this.waiting) if (now - waiting.since > SUSPECT_MILLIS) this.release(waiting);
      },
    );
  }
}
