/** What has been started, to be closed in reverse. */
import type { Logger } from 'pino';

export class Parts {
  private readonly closers: { name: string; close: () => Promise<unknown> }[] = [];

  add(name: string, close: () => Promise<unknown> | void): void {
    this.closers.push({ name, close: async () => close() });
  }

  async close(log: Logger): Promise<void> {
    for (let part = this.closers.pop(); part !== undefined; part = this.closers.pop()) {
      const { name } = part;
      await part.close().catch((error: unknown) => log.error({ err: error, part: name }, 'did not close well'));
    }
  }
}
