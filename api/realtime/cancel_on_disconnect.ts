/** Orders that asked for it are cancelled when the last connection that watches over them ends. */
import type { Logger } from 'pino';
import type { WatchLog } from '../../db/order_watches.ts';
import { NONE } from '../../engine/vocabulary.ts';
import { Unavailable } from '../sequencer/port.ts';
import type { SequencerPort } from '../sequencer/port.ts';

const ATTEMPTS = 30;

/** Told of connections that watch over a company's orders in this process: the first has begun, the last has ended. */
export interface OrderWatch {
  began(company: number): void;
  ended(company: number): void;
  /** Resolves when all that was told has been done or passed on. */
  settle(): Promise<void>;
}

/** For one process that knows all connections there are. */
export class CancelOnDisconnect implements OrderWatch {
  private readonly sequencer: SequencerPort;
  private readonly log: Logger;
  private readonly watchLog: WatchLog | undefined;
  /** By company, what was told of it last: one thing is done after the other. */
  private readonly running = new Map<number, Promise<void>>();

  /** @param watchLog absent: who comes after this process learns nothing */
  constructor(sequencer: SequencerPort, log: Logger, watchLog?: WatchLog) {
    this.sequencer = sequencer;
    this.log = log;
    this.watchLog = watchLog;
  }

  /** As long as somebody watches nothing is to be done, but by who comes after a process that is killed meanwhile. */
  began(company: number): void {
    const { watchLog } = this;
    if (watchLog !== undefined) this.follow(company, () => watchLog.note(company));
  }

  /** Cancels the company's orders; tries again while the market takes no commands. */
  ended(company: number): void {
    this.follow(company, async () => {
      await this.attempt(company);
      await this.watchLog?.forget(company);
    });
  }

  /** Does for those who were connected to a process that was killed what it could do no more. Resolves when it is done. */
  async takeOver(): Promise<void> {
    for (const company of (await this.watchLog?.noted()) ?? []) this.ended(company);
    await this.settle();
  }

  private follow(company: number, act: () => Promise<void>): void {
    const before = this.running.get(company);
    const done = (before === undefined ? act() : before.then(act)).catch((error: unknown) => {
      this.log.error({ err: error, company }, 'orders of a company that is gone could not be watched or cancelled');
    });
    this.running.set(company, done);
    void done.finally(() => {
      if (this.running.get(company) === done) this.running.delete(company);
    });
  }

  private async attempt(company: number): Promise<void> {
    const command = { type: 'cancelAll', company, market: NONE, hour: NONE, side: NONE, onDisconnect: true } as const;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
        return;
      } catch (error) {
        if (!(error instanceof Unavailable) || attempt === ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, error.retryAfterSeconds * 1_000));
      }
    }
  }

  async settle(): Promise<void> {
    await Promise.all(this.running.values());
  }
}
