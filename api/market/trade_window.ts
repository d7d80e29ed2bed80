/**
 * Trades of the last 24 hours by owner group, to the minute: what marks and indices are made of.
 * Trades between companies of one owner are counted apart and move no price.
 */
import { MILLIS_PER_DAY, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';

export interface WindowTrade {
  at: number;
  price: number;
  quantity: number;
  /** Numbers of owner groups. */
  buyer: number;
  seller: number;
  provider: number;
}

interface Minute {
  readonly start: number;
  trades: number;
  volume: number;
  notional: bigint;
  affiliated: number;
  readonly buyers: Map<number, number>;
  readonly providers: Map<number, number>;
}

export interface WindowFigures {
  trades: number;
  /** Steps. */
  volume: number;
  /** Micro-CR. */
  notional: bigint;
  affiliated: number;
  /** Steps by group. */
  buyers: Map<number, number>;
  providers: Map<number, number>;
}

const minuteOf = (millis: number): number => Math.floor(millis / MILLIS_PER_MINUTE) * MILLIS_PER_MINUTE;

/** The first moment whose trades count: the running minute and the 1,439 before it. */
export const windowStart = (now: number): number => minuteOf(now) - MILLIS_PER_DAY + MILLIS_PER_MINUTE;

const addTo = (sums: Map<number, number>, group: number, quantity: number): void => {
  sums.set(group, (sums.get(group) ?? 0) + quantity);
};

export class TradeWindow {
  private minutes: Minute[] = [];
  private cached: { minute: number; figures: WindowFigures } | null = null;

  add(trade: WindowTrade): void {
    this.cached = null;
    const start = minuteOf(trade.at);
    let minute = this.minutes.at(-1);
    if (minute === undefined || minute.start < start) {
      this.expire(trade.at);
      minute = { start, trades: 0, volume: 0, notional: 0n, affiliated: 0, buyers: new Map(), providers: new Map() };
      this.minutes.push(minute);
    }
    if (trade.buyer === trade.seller || trade.buyer === trade.provider) {
      minute.affiliated++;
      return;
    }
    minute.trades++;
    minute.volume += trade.quantity;
    minute.notional += BigInt(trade.price * trade.quantity);
    addTo(minute.buyers, trade.buyer, trade.quantity);
    addTo(minute.providers, trade.provider, trade.quantity);
  }

  private expire(now: number): void {
    const start = windowStart(now);
    const first = this.minutes.findIndex((minute) => minute.start >= start);
    if (first !== 0) this.minutes = first < 0 ? [] : this.minutes.slice(first);
  }

  /** Do not change what is returned: it is kept until the next trade or minute. */
  figures(now: number): WindowFigures {
    const minute = minuteOf(now);
    if (this.cached?.minute !== minute) {
      this.expire(now);
      this.cached = { minute, figures: sumOf(this.minutes) };
    }
    return this.cached.figures;
  }
}

function sumOf(minutes: readonly Minute[]): WindowFigures {
  const sum: WindowFigures = { trades: 0, volume: 0, notional: 0n, affiliated: 0, buyers: new Map(), providers: new Map() };
  for (const minute of minutes) {
    sum.trades += minute.trades;
    sum.volume += minute.volume;
    sum.notional += minute.notional;
    sum.affiliated += minute.affiliated;
    for (const [group, quantity] of minute.buyers) addTo(sum.buyers, group, quantity);
    for (const [group, quantity] of minute.providers) addTo(sum.providers, group, quantity);
  }
  return sum;
}

/** Groups each side must have before trades make a price, and the share none of them may exceed in a mark. */
export const GROUPS_MINIMUM = 4;
export const MARK_SHARE_MAXIMUM_PERCENT = 30;
/** Steps a class must have traded in 24 hours to have an index: 100 GPU-hours. */
export const INDEX_VOLUME_MINIMUM = 10_000;

/** notional / volume in ticks, ties to even. */
export function averagePrice(notional: bigint, volume: number): number {
  const divisor = BigInt(volume);
  const quotient = notional / divisor;
  const twice = 2n * (notional - quotient * divisor);
  const up = twice > divisor || (twice === divisor && (quotient & 1n) === 1n);
  return Number(up ? quotient + 1n : quotient);
}

const isDispersed = (sums: Map<number, number>, volume: number): boolean =>
  sums.size >= GROUPS_MINIMUM && Math.max(...sums.values()) * 100 <= volume * MARK_SHARE_MAXIMUM_PERCENT;

/** The mark that an hour's own trades make, null when too few groups made them. */
export function markOf(figures: WindowFigures): number | null {
  const { volume, buyers, providers } = figures;
  return isDispersed(buyers, volume) && isDispersed(providers, volume) ? averagePrice(figures.notional, volume) : null;
}

/** The index of a class, null below the minimum of volume and groups. */
export function indexOf(figures: WindowFigures): number | null {
  const { volume, buyers, providers } = figures;
  const enough = volume >= INDEX_VOLUME_MINIMUM && buyers.size >= GROUPS_MINIMUM && providers.size >= GROUPS_MINIMUM;
  return enough ? averagePrice(figures.notional, volume) : null;
}
