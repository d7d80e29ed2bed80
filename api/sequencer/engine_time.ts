/** Moves engine time to the clock's, and settles each delivery hour that ends on the way. */
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import type { Authoriser } from './authoriser_port.ts';
import type { Clock } from './clock.ts';
import type { Execution } from './execution.ts';
import type { SequencedEngine } from './sequencer_parts.ts';

/** Time that stood still for so long was an outage. */
const OUTAGE_MILLIS = 2 * MILLIS_PER_MINUTE;

export interface EngineTimeParts {
  engine: SequencedEngine;
  clock: Clock;
  authoriser: Authoriser;
  execution: Execution;
  /** Idle time after which engine time moves on by itself. */
  idleMillis: number;
}

export class EngineTime {
  private readonly engine: SequencedEngine;
  private readonly clock: Clock;
  private readonly authoriser: Authoriser;
  private readonly execution: Execution;
  private readonly idleMillis: number;

  constructor({ engine, clock, authoriser, execution, idleMillis }: EngineTimeParts) {
    this.engine = engine;
    this.clock = clock;
    this.authoriser = authoriser;
    this.execution = execution;
    this.idleMillis = idleMillis;
  }

  get isDue(): boolean {
    return this.clock.now() >= this.engine.now + this.idleMillis;
  }

  /**
   * Moves engine time to the clock's. Each delivery hour that ends on the way is settled at exactly
   * its end, in the same batch as the tick that reaches it: an hour is over if and only if it is
   * settled, so nothing else need be remembered. Held requests are counted before any capture of
   * this batch is applied. @returns false when the batch is full before the clock's time is reached
   */
  advance(): boolean {
    const target = this.clock.now();
    this.noteOutage(target);
    if (this.engine.hasWork && this.engine.now >= target) this.tick(this.engine.now);
    while (this.engine.now < target) {
      if (this.execution.isFull) return false;
      const { now } = this.engine;
      const hour = Math.floor(now / MILLIS_PER_HOUR);
      const hourEnd = (hour + 1) * MILLIS_PER_HOUR;
      // Before its first moment the market has no hours.
      const settles = now > 0 && hourEnd <= target;
      this.tick(settles ? hourEnd : target);
      if (settles) this.execution.applyOwn({ type: 'endHour', hour, pending: this.authoriser.pendingOf(hour) });
    }
    return true;
  }

  /** Whether an hour ends before the clock's time: its settlement counts what requests still hold. */
  get settlesHour(): boolean {
    return Math.floor(this.engine.now / MILLIS_PER_HOUR) !== Math.floor(this.clock.now() / MILLIS_PER_HOUR);
  }

  /**
   * Nobody was there to move time for whole minutes: hours sold in them are refunded, and no provider is to
   * blame. A clock that an operator moves leaves nothing out.
   */
  private noteOutage(target: number): void {
    const { now } = this.engine;
    if (now === 0 || this.clock.set !== undefined || target - now < OUTAGE_MILLIS) return;
    this.execution.applyOwn({ type: 'platformDown', from: now, to: target });
  }

  private tick(now: number): void {
    this.execution.applyOwn({ type: 'tick', now });
    if (this.engine.now !== now) throw new Error(`engine time is ${this.engine.now} after a tick to ${now}`);
  }
}
