/** Where engine time comes from. Only the sequencer asks. */
export interface Clock {
  /** Whole milliseconds since 1970. May go back; engine time does not. */
  now(): number;
  /** Present when an operator moves time (CLOCK=manual). */
  set?(now: number): void;
}

export const wallClock: Clock = { now: () => Date.now() };

/** Stands still until it is set. */
export class ManualClock implements Clock {
  private current: number;

  constructor(now: number) {
    this.current = now;
  }
  now(): number {
    return this.current;
  }
  set(now: number): void {
    this.current = now;
  }
}
