/**
 * The way into an endpoint that serves only so many requests at once. While there is room anybody
 * enters. When it is full, those who wait enter by weighted fair queueing: each company gets GPU time in
 * proportion to the quantity it has bought, whatever the number of its requests.
 */
import type { Signal } from './departure.ts';

export interface Entry {
  /** Who shares: a company. */
  flow: number;
  /** Quantity bought there. */
  weight: number;
  /** GPU time that the request may take. */
  cost: number;
  /** Room that it takes while it is served. */
  room: number;
}

interface Waiting extends Entry {
  admit: (entered: boolean) => void;
}

/** A company at the lane. */
interface Flow {
  /** Virtual time at which its next request begins. One that has waited in vain has had none of it. */
  start: number;
  /** In their order. */
  readonly waiting: Set<Waiting>;
}

export class Lane {
  /** Room taken by requests under way. */
  taken = 0;
  private virtualTime = 0;
  private readonly flows = new Map<number, Flow>();
  /** Those of them of whom a request waits. */
  private readonly queued = new Set<Flow>();

  /** @returns whether the request may enter now, without waiting */
  tryEnter({ room }: Entry, capacity: number): boolean {
    if (this.queued.size > 0 || !this.hasRoom(room, capacity)) return false;
    this.taken += room;
    return true;
  }

  /** Resolves with true when the request has entered, with false when it has waited in vain or nobody asks any more. */
  wait(entry: Entry, millis: number, signal: Signal): Promise<boolean> {
    const flow = this.flowOf(entry.flow);
    return new Promise((resolve) => {
      const leave = (): void => waiting.admit(false);
      // What came while this process was held up is heard first: it may leave room.
      const timer = setTimeout(() => setImmediate(leave), millis);
      const waiting: Waiting = {
        ...entry,
        admit: (entered) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', leave);
          flow.waiting.delete(waiting);
          if (flow.waiting.size === 0) this.queued.delete(flow);
          resolve(entered);
        },
      };
      // Who comes anew begins now, and not with time that it has left unused.
      if (flow.waiting.size === 0) flow.start = Math.max(flow.start, this.virtualTime);
      flow.waiting.add(waiting);
      this.queued.add(flow);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** What requests under way and those that wait would take together. */
  get wanted(): number {
    let sum = this.taken;
    for (const { waiting } of this.queued) for (const { room } of waiting) sum += room;
    return sum;
  }

  left(room: number, capacity: number): void {
    this.taken -= room;
    this.admit(capacity);
  }

  /** Lets enter whom there is room for now. */
  admit(capacity: number): void {
    for (let next = this.first(); next !== undefined && this.hasRoom(next.waiting.room, capacity); next = this.first()) {
      const { flow, waiting, finish } = next;
      this.taken += waiting.room;
      this.virtualTime = Math.max(this.virtualTime, flow.start);
      flow.start = finish;
      waiting.admit(true);
    }
    if (this.queued.size === 0 && this.taken === 0) this.flows.clear();
  }

  hasRoom(room: number, capacity: number): boolean {
    return this.taken === 0 || this.taken + room <= capacity;
  }

  private flowOf(company: number): Flow {
    let flow = this.flows.get(company);
    if (flow === undefined) this.flows.set(company, (flow = { start: this.virtualTime, waiting: new Set() }));
    return flow;
  }

  /** The oldest request of the company whose service would end first. */
  private first(): { flow: Flow; waiting: Waiting; finish: number } | undefined {
    let best: { flow: Flow; waiting: Waiting; finish: number } | undefined;
    for (const flow of this.queued) {
      for (const waiting of flow.waiting) {
        const finish = flow.start + waiting.cost / Math.max(1, waiting.weight);
        if (best === undefined || finish < best.finish) best = { flow, waiting, finish };
        break;
      }
    }
    return best;
  }
}
