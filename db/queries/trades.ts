/** What anybody may see of trading. Ticks, steps, micro-CR, milliseconds. Reads the projection `trades`. */
import type { Knex } from 'knex';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { CANDLE_INTERVALS } from '../projections/trades.ts';
import type { CandleInterval } from '../projections/trades.ts';
import { bigint, number, oneOf } from './fields.ts';
import type { RowOf } from './fields.ts';
import { readAll } from './pages.ts';

const FILLS = 'projections.fills';
const TRADE = {
  fill: number('fill'), market: number('market'), hour: number('hour'), price: number('price'), quantity: number('quantity'),
  takerSide: oneOf('taker_side', ['buy', 'sell']), at: number('at'),
} as const;
const PAST_TRADE = { ...TRADE, buyer: number('buyer'), seller: number('seller'), provider: number('provider') } as const;
const CANDLE = {
  start: number('start'), open: number('open'), high: number('high'), low: number('low'), close: number('close'), volume: number('volume'),
  notional: bigint('notional'), trades: number('trades'),
} as const;

export type TradeRecord = RowOf<typeof TRADE>;
/** With its companies: not for the public. */
export type PastTradeRecord = RowOf<typeof PAST_TRADE>;
export type CandleRecord = RowOf<typeof CANDLE>;

export interface TradesAsk {
  market: number;
  hour: number;
  /** Only trades with a lower number. */
  before?: number;
  limit: number;
}

/** Newest first; the next page is before the last one's number. */
export async function listTrades(db: Knex, { market, hour, before, limit }: TradesAsk): Promise<TradeRecord[]> {
  const query = db(FILLS).where({ market, hour });
  if (before !== undefined) void query.where('fill', '<', before);
  return readAll(query.orderBy('fill', 'desc').limit(limit), TRADE);
}

/** Trades of the 24 hours before `now`, and the last one of each instrument whose hour is not over; up to command `sequence`, oldest first. */
export async function recentTrades(db: Knex, now: number, sequence: number): Promise<PastTradeRecord[]> {
  const lastOfInstruments = db(FILLS).max('fill').where('hour', '>=', Math.floor(now / MILLIS_PER_HOUR)).where('sequence', '<=', sequence).groupBy('hour', 'market');
  const query = db(FILLS).where('sequence', '<=', sequence).where((either) => {
    void either.where('at', '>', now - MILLIS_PER_DAY).orWhereIn('fill', lastOfInstruments);
  });
  return readAll(query.orderBy('fill'), PAST_TRADE);
}

export interface CandlesAsk {
  market: number;
  hour: number;
  interval: CandleInterval;
  /** Only candles that start at or after `from`, before `before`. */
  from?: number;
  before?: number;
  limit: number;
}

/** The newest `limit` candles of the span, oldest first; intervals without a trade are left out. */
export async function listCandles(db: Knex, { market, hour, interval, from, before, limit }: CandlesAsk): Promise<CandleRecord[]> {
  const query = db('projections.candles').where({ market, hour, length: CANDLE_INTERVALS[interval] });
  if (from !== undefined) void query.where('start', '>=', from);
  if (before !== undefined) void query.where('start', '<', before);
  return (await readAll(query.orderBy('start', 'desc').limit(limit), CANDLE)).reverse();
}
