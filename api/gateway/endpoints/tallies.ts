/** Requests of the running minute, by provider and market: how many ended, and how many by the endpoint's fault. */
import type { Place } from './endpoints.ts';

export interface Tally {
  requests: number;
  failures: number;
}

const keyOf = ({ provider, market }: Place): string => `${provider}:${market}`;

export class Tallies {
  private counted = new Map<string, Tally>();

  /** A request has ended at the place. */
  count(place: Place, fault: boolean): void {
    const key = keyOf(place);
    let tally = this.counted.get(key);
    if (tally === undefined) this.counted.set(key, (tally = { requests: 0, failures: 0 }));
    tally.requests++;
    if (fault) tally.failures++;
  }

  /** What has been counted since the last call. */
  take(): (place: Place) => Tally {
    const { counted } = this;
    this.counted = new Map();
    return (place) => counted.get(keyOf(place)) ?? { requests: 0, failures: 0 };
  }
}
