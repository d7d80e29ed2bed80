/** What has been started, to be closed in reverse. */
import type { Logger } from 'pino';

export class Parts {
  private readonly closers: { name: string; close: () => Promise<unknown>; endAtOnce: () => void }[] = [];
  private readonly closing = new Map<string, () => void>();

  /** @param endAtOnce what is left to do when there is no time for `close`, or it does not end */
  add(name: string, close: () => Promise<unknown> | void, endAtOnce: () => void = () => undefined): void {
    this.closers.push({ name, close: async () => close(), endAtOnce });
  }

  /** In a moment, instead of `close` or amid it. */
  endAtOnce(): void {
    for (const end of [...this.closing.values(), ...this.closers.splice(0).reverse().map((closer) => closer.endAtOnce)]) end();
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
      const { name, close, endAtOnce } = this.closers.pop() as (typeof this.closers)[number];
      this.closing.set(name, endAtOnce);
      await close().catch((error: unknown) => log.error({ err: error, part: name }, 'did not close well'));
      this.closing.delete(name);
    }
  }
}
