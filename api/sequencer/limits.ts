/**
 * Limits of spending beside the authoriser: what requests and purchases under way may cost, and what was committed lately.
 * A process that asks says what it knows to be spent up to a sequence; what came after that is counted here, so
 * a limit holds exactly although no process knows at once what another does.
 */
import type { SpendingLimit, Spent } from './port.ts';

/** No process that is served is further behind. */
const KEPT_MILLIS = 60_000;

export class SpendingLimits {
  /** Micro-CR of what is under way, by name. */
  private readonly held = new Map<string, number>();
  /** By sequence: what several processes spent is told in any order. */
  private readonly committed = new Map<string, (Spent & { at: number })[]>();

  clear(): void {
    this.held.clear();
    this.committed.clear();
  }

  /** The first limit that would be passed; undefined: all hold it. @param besides what was spent under this name counts against each of them */
  passedBy(limits: readonly SpendingLimit[], cost: number, besides = ''): string | undefined {
    return limits.find(({ name, left, upTo }) => (this.held.get(name) ?? 0) + this.spentAfter(name, upTo) + this.spentAfter(besides, upTo) + cost > left)?.name;
  }

  /** Of what has begun; negative when it has ended. */
  hold(limits: readonly SpendingLimit[], cost: number): void {
    for (const { name } of limits) {
      const held = (this.held.get(name) ?? 0) + cost;
      if (held > 0) this.held.set(name, held);
      else this.held.delete(name);
    }
  }

  /** A capture or a purchase is committed. */
  spend(name: string, amount: number, sequence: number, at: number): void {
    const entries = this.committed.get(name) ?? [];
    this.committed.set(name, entries);
    let place = entries.length;
    while (place > 0 && entries[place - 1].sequence > sequence) place--;
    entries.splice(place, 0, { sequence, amount, at });
  }

  /** To be called now and then. */
  forget(now: number): void {
    for (const [name, entries] of this.committed) {
      const first = entries.findIndex(({ at }) => at + KEPT_MILLIS > now);
      if (first === -1) this.committed.delete(name);
      else entries.splice(0, first);
    }
  }

  private spentAfter(name: string, sequence: number): number {
    const entries = this.committed.get(name) ?? [];
    let sum = 0;
    for (let at = entries.length - 1; at >= 0 && entries[at].sequence > sequence; at--) sum += entries[at].amount;
    return sum;
  }
}
