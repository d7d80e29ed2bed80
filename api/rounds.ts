/** Something done again and again, one round at a time. What a round could not do is left to the next. */
import { Unavailable } from './sequencer/port.ts';

export interface RoundsOptions {
  everyMillis: number;
  /** Told why a round failed, unless the market was away. */
  failed: (error: unknown) => void;
  /** Who is told when a manual clock has been moved; absent: the rounds do not go by engine time. */
  clockFollowers?: Set<() => Promise<void>>;
}

export abstract class Rounds {
  private readonly options: RoundsOptions;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private readonly onClock = async (): Promise<void> => {
    // The round under way may have begun before the clock was moved.
    await this.running;
    await this.run();
  };

  constructor(options: RoundsOptions) {
    this.options = options;
  }

  /** The first round begins when the first interval has passed. */
  start(): void {
    this.options.clockFollowers?.add(this.onClock);
    this.timer = setInterval(() => void this.run(), this.options.everyMillis);
    this.timer.unref();
  }

  /** Resolves when the round under way has ended. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    this.options.clockFollowers?.delete(this.onClock);
    await this.running;
  }

  /** One round, or the end of the one under way. Never rejects. */
  run(): Promise<void> {
    this.running ??= this.round()
      .catch((error: unknown) => {
        if (!(error instanceof Unavailable)) this.options.failed(error);
      })
      .finally(() => {
        this.running = undefined;
      });
    return this.running;
  }

  protected abstract round(): Promise<void>;
}
