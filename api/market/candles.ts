/** Candles of one instrument, built from its fills. */
import { MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';

export const INTERVALS = ['1m', '5m', '15m', '1h', '1d'] as const;
export type Interval = (typeof INTERVALS)[number];
export const INTERVAL_MILLIS: Readonly<Record<Interval, number>> = {
  '1m': MILLIS_PER_MINUTE,
  '5m': 5 * MILLIS_PER_MINUTE,
  '15m': 15 * MILLIS_PER_MINUTE,
  '1h': MILLIS_PER_HOUR,
  '1d': MILLIS_PER_DAY,
};
/** Kept of each interval: more than a day of minutes, which the 24 h figures are read from. */
export const CANDLES_KEPT = 1_500;

export interface Candle {
  /** Milliseconds; a multiple of the interval. */
  start: number;
  open: number;
  high: number;
  low: number;
  close: number;
  /** Steps. */
  volume: number;
  /** Micro-CR. */
  notional: bigint;
  trades: number;
}

export interface CandleTrade {
  at: number;
  price: number;
  quantity: number;
}

/** Adds a trade to the end of a series; trades come in the order of time. */
export function addToSeries(series: Candle[], interval: Interval, trade: CandleTrade): void {
  const { price, quantity } = trade;
  const millis = INTERVAL_MILLIS[interval];
  const start = Math.floor(trade.at / millis) * millis;
  const last = series.at(-1);
  const notional = BigInt(price * quantity);
  if (last === undefined || last.start < start) {
    series.push({ start, open: price, high: price, low: price, close: price, volume: quantity, notional, trades: 1 });
    if (series.length >= 2 * CANDLES_KEPT) series.splice(0, series.length - CANDLES_KEPT);
    return;
  }
  last.high = Math.max(last.high, price);
  last.low = Math.min(last.low, price);
  last.close = price;
  last.volume += quantity;
  last.notional += notional;
  last.trades++;
}

export class Candles {
  private readonly series = new Map<Interval, Candle[]>(INTERVALS.map((interval) => [interval, []]));

  add(trade: CandleTrade): void {
    for (const [interval, series] of this.series) addToSeries(series, interval, trade);
  }

  /** Puts older trades before everything that is there; oldest first. */
  prepend(trades: readonly CandleTrade[]): void {
    for (const [interval, series] of this.series) {
      const older: Candle[] = [];
      for (const trade of trades) addToSeries(older, interval, trade);
      this.series.set(interval, joined(older, series));
    }
  }

  of(interval: Interval): readonly Candle[] {
    const series = this.series.get(interval) as Candle[];
    return series.length > CANDLES_KEPT ? series.slice(-CANDLES_KEPT) : series;
  }
}

/** Two series in a row; the candle in which one ends and the other begins is made one. */
function joined(older: Candle[], newer: Candle[]): Candle[] {
  const last = older.at(-1);
  const first = newer.at(0);
  if (last === undefined || first === undefined || last.start !== first.start) return [...older, ...newer];
  const both: Candle = {
    start: first.start,
    open: last.open,
    high: Math.max(last.high, first.high),
    low: Math.min(last.low, first.low),
    close: first.close,
    volume: last.volume + first.volume,
    notional: last.notional + first.notional,
    trades: last.trades + first.trades,
  };
  return [...older.slice(0, -1), both, ...newer.slice(1)];
}

export interface DayFigures {
  open: number | null;
  high: number | null;
  low: number | null;
  volume: number;
  notional: bigint;
  trades: number;
}

/** Figures of the last 24 hours, to the minute. */
export function dayFigures(minutes: readonly Candle[], now: number): DayFigures {
  const figures: DayFigures = { open: null, high: null, low: null, volume: 0, notional: 0n, trades: 0 };
  const oldest = Math.floor(now / MILLIS_PER_MINUTE) * MILLIS_PER_MINUTE - MILLIS_PER_DAY;
  for (let index = minutes.length - 1; index >= 0 && minutes[index].start > oldest; index--) {
    const candle = minutes[index];
    figures.open = candle.open;
    figures.high = Math.max(figures.high ?? candle.high, candle.high);
    figures.low = Math.min(figures.low ?? candle.low, candle.low);
    figures.volume += candle.volume;
    figures.notional += candle.notional;
    figures.trades += candle.trades;
  }
  return figures;
}
