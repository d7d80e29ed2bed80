/**
 * A leader that has lost Redis alone would keep the lead, for Postgres still confirms it, and serve nobody.
 * So a standby that is warm and reaches Redis notes that in Postgres, and a leader that does not reach it
 * looks there: when one could have been reached for as long as it could not, it gives up the lead by ending.
 * When nobody reaches Redis, or nobody stands by, nothing changes.
 */
import { LOOK_MILLIS } from './redis.ts';
import type { Pulse } from './redis.ts';

/** For so long the leader does not reach Redis, and the standby does, before the lead changes hands. */
export const UNREACHED_MILLIS = 2_000;
const UNREACHED_LOOKS = UNREACHED_MILLIS / LOOK_MILLIS;
const TURN_MILLIS = 500;

export interface SuccessionOptions {
  /** Of a connection to Redis. */
  pulse: Pick<Pulse, 'silent' | 'answeredMillis'>;
  /** Whether this process leads; undefined: it neither leads nor could, because it is not warm. */
  leads: () => boolean | undefined;
  /** Notes that this process could be reached, and has been for so long. */
  note: (reachedMillis: number) => Promise<void>;
  /** A standby that has been reached for so long, by name. */
  find: (reachedMillis: number) => Promise<string | undefined>;
  /** Called once: this process is to end. */
  onHandOver: (error: Error) => void;
}

export class Succession {
  private readonly options: SuccessionOptions;
  private readonly timer: NodeJS.Timeout;
  private busy = false;

  constructor(options: SuccessionOptions) {
    this.options = options;
    this.timer = setInterval(() => void this.look(), TURN_MILLIS);
    this.timer.unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** Called by itself, several times a second. */
  async look(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    // A database that does not answer takes the lead by other means.
    await this.turn().catch(() => undefined);
    this.busy = false;
  }

  private async turn(): Promise<void> {
    const { pulse, leads, note, find, onHandOver } = this.options;
    const leading = leads();
    if (leading === false && pulse.answeredMillis > 0) await note(pulse.answeredMillis);
    if (leading !== true || pulse.silent < UNREACHED_LOOKS) return;
    const standby = await find(UNREACHED_MILLIS);
    if (standby === undefined || leads() !== true || pulse.silent < UNREACHED_LOOKS) return;
    this.close();
    onHandOver(new Error(`this engine does not reach Redis, and ${standby} does: it gives up the lead`));
  }
}
