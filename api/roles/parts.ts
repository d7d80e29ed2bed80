/** What has been started, to be closed in reverse. */
import type { Logger } from 'pino';

export class Parts {
  private readonly closers: { name: string; close: () => Promise<unknown> }[] = [];

  add(name: string, close: () => Promise<unknown> | void): void {
    this.closers.push({ name, close: async () => close() });
  }

  /** How many there are now. */
  get count(): number {
    return this.closers.length;
  }

  /** @param count so many are left, those that were started first */
  async close(log: Logger, count = 0): Promise<void> {
    while (this.closers.length > count) {
      const { name, close } = this.closers.pop() as (typeof this.closers)[number];
      await close().catch((error: unknown) => log.error({ err: error, part: name }, 'did not close well'));
    }
  }
}
