/** Requests by the minute in which they ended, provider and market: how many, and how many by the endpoint's fault. */
import type { Place } from './place.ts';

export interface Tally {
  requests: number;
  failures: number;
}
/** What was counted in one minute (since 1970) at a place. */
export interface Counted extends Tally {
  readonly place: Place;
  readonly minute: number;
}

export class Tallies {
  private counted = new Map<string, Counted>();
  private readonly minuteNow: () => number;

  /** @param minuteNow of engine time */
  constructor(minuteNow: () => number) {
    this.minuteNow = minuteNow;
  }

  /** A request has ended at the place. */
  count(place: Place, fault: boolean): void {
    const minute = this.minuteNow();
    const key = `${minute}:${place.provider}:${place.market}`;
    let tally = this.counted.get(key);
    if (tally === undefined) this.counted.set(key, (tally = { place, minute, requests: 0, failures: 0 }));
    tally.requests++;
    if (fault) tally.failures++;
  }

  /** Takes what was counted in minutes before this one: nothing more can come to them. */
  takeBefore(minute: number): Counted[] {
    const taken = [...this.counted].filter(([, tally]) => tally.minute < minute);
    for (const [key] of taken) this.counted.delete(key);
    return taken.map(([, tally]) => tally);
  }
}
