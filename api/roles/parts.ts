/** What has been started, to be closed in reverse. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

/** For which each part is waited for from when nothing more is to be waited for: what need not wait has ended by then. */
const HURRIED_MILLIS = 150;
/** What takes longer is told: all of it together has seconds. */
const LONG_MILLIS = 2_000;

interface Closer {
  name: string;
  close: () => Promise<unknown>;
  /** @returns whether there was something to end outside this process */
  endAtOnce: () => boolean;
}

export class Parts {
  private readonly closers: Closer[] = [];
  private readonly closing = new Map<string, Closer>();
  private readonly hurried: Promise<void>;
  /** What is being closed, and what comes after it, is not waited for any more: it rests on something that does not answer. */
  hurry: () => void = () => undefined;
  /** What had to be told to end at once, and was not waited for. */
  readonly leftBehind: string[] = [];

  constructor() {
    this.hurried = new Promise((resolve) => (this.hurry = resolve));
  }

  /** @param endAtOnce what is left to do when there is no time for `close`, or it does not end; true: there was something to end */
  add(name: string, close: () => Promise<unknown> | void, endAtOnce: () => boolean = () => false): void {
    this.closers.push({ name, close: async () => close(), endAtOnce });
  }

  /** In a moment, instead of `close` or amid it. */
  endAtOnce(): void {
    for (const { endAtOnce } of [...this.closing.values(), ...this.closers.splice(0).reverse()]) endAtOnce();
  }

  /** Names of those that are being closed. */
  get underWay(): string[] {
    return [...this.closing.keys()];
  }

  /** How many there are now. */
  get count(): number {
    return this.closers.length;
  }

  /** @param count so many are left, those that were started first */
  async close(log: Logger, count = 0): Promise<void> {
    while (this.closers.length > count) {
      const closer = this.closers.pop() as Closer;
      const { name, close, endAtOnce } = closer;
      this.closing.set(name, closer);
      const begun = performance.now();
      const closed = close().then(() => true, (error: unknown) => {
        log.error({ err: error, part: name }, 'did not close well');
        return true;
      });
      if (!(await Promise.race([closed, this.hurriedAway()])) && endAtOnce()) this.leftBehind.push(name);
      this.closing.delete(name);
      const millis = Math.round(performance.now() - begun);
      if (millis > LONG_MILLIS) log.warn({ part: name, millis }, 'took long to close');
    }
  }

  /** False, a moment after what is asked for does not come any more. */
  private async hurriedAway(): Promise<false> {
    await this.hurried;
    await sleep(HURRIED_MILLIS);
    return false;
  }
}
