/** What is due when: a binary heap by time, then by arrival. Entries that no longer matter are ignored when they come up. */
import type { Millis } from '../numbers/units.ts';

export const TIMER = {
  orderExpiry: 0, lotExpiry: 1, deadMan: 2, listPrice: 3, blockGate: 4, callEnd: 5, lotAlert: 6, offerExpiry: 7, forcedPrice: 8, perishing: 9,
} as const;

export interface Timer {
  readonly at: Millis;
  readonly kind: number;
  readonly id: number;
  readonly order: number;
}

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class Timers {
  readonly heap: Timer[] = [];
  arrivals = 0;

  add(at: Millis, kind: number, id: number): void {
    const { heap } = this;
    const timer: Timer = { at, kind, id, order: this.arrivals++ };
    let hole = heap.push(timer) - 1;
    while (hole > 0) {
      const parent = (hole - 1) >>> 1;
      if (!before(timer, heap[parent])) break;
      heap[hole] = heap[parent];
      hole = parent;
    }
    heap[hole] = timer;
  }

  /** Time of the next entry, Infinity when there is none. */
  next(): Millis {
    return this.heap.length === 0 ? Infinity : this.heap[0].at;
  }

  take(): Timer {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.sink(last);
    return top;
  }

  private sink(timer: Timer): void {
    const { heap } = this;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], timer)) break;
      heap[hole] = heap[child];
      hole = child;
    }
    heap[hole] = timer;
  }
}
