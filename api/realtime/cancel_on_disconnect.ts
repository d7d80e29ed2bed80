/** Orders that asked for it are cancelled when the last connection that watches over them ends. */
import type { Logger } from 'pino';
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
  private readonly running = new Set<Promise<void>>();

  constructor(sequencer: SequencerPort, log: Logger) {
    this.sequencer = sequencer;
    this.log = log;
  }

  began(): void {
    // As long as somebody watches nothing is to be done.
  }

  /** Cancels the company's orders; tries again while the market takes no commands. */
  ended(company: number): void {
    const done = this.attempt(company).catch((error: unknown) => {
      this.log.error({ err: error, company }, 'orders of a company that is gone could not be cancelled');
    });
    this.running.add(done);
    void done.finally(() => this.running.delete(done));
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
    await Promise.all(this.running);
  }
}
