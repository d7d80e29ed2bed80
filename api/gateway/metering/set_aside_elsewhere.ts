/**
 * What requests under way in other processes may still use of a limit. What was told but never taken back, because its process
 * ended or Redis was away, is forgotten after a while.
 */
const FORGOTTEN_MILLIS = 120_000;

export class SetAsideElsewhere {
  private amount = 0;
  private heardAt = 0;

  /** @param now of one clock, as in `at` */
  hear(now: number, amount: number): void {
    this.amount = this.at(now) + amount;
    this.heardAt = now;
  }

  at(now: number): number {
    return now - this.heardAt > FORGOTTEN_MILLIS ? 0 : Math.max(0, this.amount);
  }
}
