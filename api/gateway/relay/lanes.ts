/**
 * The way into an endpoint that serves only so many requests at once. While there is room anybody
 * enters. When it is full, those who wait enter by weighted fair queueing: each company gets GPU time in
 * proportion to the quantity it has bought, whatever the number of its requests.
 */
import type { Signal } from './departure.ts';

export interface Entry {
  /** Who shares: a company. */
  flow: number;
  /** Quantity bought. */
  weight: number;
  /** GPU time that the request may take. */
  cost: number;
  /** Room that it takes while it is served. */
  room: number;
}

interface Waiting extends Entry {
  /** Virtual time at which its service would end. */
  finish: number;
  admit: (entered: boolean) => void;
}

export class Lane {
  /** Room taken by requests under way. */
  taken = 0;
  private waiting: Waiting[] = [];
  private virtualTime = 0;
  private readonly lastFinish = new Map<number, number>();

  /** @returns whether the request may enter now, without waiting */
  tryEnter({ room }: Entry, capacity: number): boolean {
    if (this.waiting.length > 0 || !this.hasRoom(room, capacity)) return false;
    this.taken += room;
    return true;
  }

  /** Resolves with true when the request has entered, with false when it has waited in vain or nobody asks any more. */
  wait(entry: Entry, millis: number, signal: Signal): Promise<boolean> {
    const start = Math.max(this.virtualTime, this.lastFinish.get(entry.flow) ?? 0);
    const finish = start + entry.cost / Math.max(1, entry.weight);
    this.lastFinish.set(entry.flow, finish);
    return new Promise((resolve) => {
      const leave = (): void => waiting.admit(false);
      const timer = setTimeout(leave, millis);
      const waiting: Waiting = {
        ...entry, finish,
        admit: (entered) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', leave);
          this.waiting = this.waiting.filter((other) => other !== waiting);
          resolve(entered);
        },
      };
      this.waiting.push(waiting);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  left(room: number, capacity: number): void {
    this.taken -= room;
    for (let next = this.first(); next !== undefined && this.hasRoom(next.room, capacity); next = this.first()) {
      this.taken += next.room;
      this.virtualTime = Math.max(this.virtualTime, next.finish - next.cost / Math.max(1, next.weight));
      next.admit(true);
    }
    if (this.waiting.length === 0 && this.taken === 0) this.lastFinish.clear();
  }

  hasRoom(room: number, capacity: number): boolean {
    return this.taken === 0 || this.taken + room <= capacity;
  }

  private first(): Waiting | undefined {
    let best: Waiting | undefined;
    for (const waiting of this.waiting) if (best === undefined || waiting.finish < best.finish) best = waiting;
    return best;
  }
}
