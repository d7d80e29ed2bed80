/** Market data as it is sent: decimal strings, RFC 3339 times, names for numbers. */
import { crc32 } from 'node:zlib';
import type { z } from 'zod';
import { NONE, classOf, regionOf } from '../../engine/vocabulary.ts';
import { formatMicro, formatSteps, formatTicks, formatUnits } from '../../engine/numbers/units.ts';
import type { ClassEntry, Directory } from '../directory.ts';
import { idOf } from '../ids.ts';
import type { Candle } from './candles.ts';
import { hourStart, timeOf } from './instruments.ts';
import type { LiveOrder } from './live_orders.ts';
import type {
  ClassIndex, CurvePoint, Depth, InstrumentView, LevelView, Mark, MarketData, Ticker, Trade, TradingModeView,
} from './market_data.ts';
import type {
  candleSchema, classSchema, curveFallbackSchema, curvePointSchema, indexSchema, instrumentSchema, levelSchema, queuedOrderSchema, statusDataSchema,
  tickerSchema, tradeSchema,
} from './market_schemas.ts';
import { GROUPS_MINIMUM, INDEX_VOLUME_MINIMUM, windowStart } from './trade_window.ts';

export type LevelPair = z.infer<typeof levelSchema>;
export interface BookData {
  bids: LevelPair[];
  asks: LevelPair[];
  checksum: number;
}

const CHECKSUM_LEVELS = 10;

export const levelPair = (level: { price: number; quantity: number }): LevelPair => [formatTicks(level.price), formatSteps(level.quantity)];

/** CRC-32 over the best ten bids, then the best ten asks, `price:quantity` joined by `|`. */
export function checksumOf(bids: readonly LevelPair[], asks: readonly LevelPair[]): number {
  const best = [...bids.slice(0, CHECKSUM_LEVELS), ...asks.slice(0, CHECKSUM_LEVELS)];
  return crc32(best.map(([price, quantity]) => `${price}:${quantity}`).join('|'));
}

export function bookData(depth: Depth): BookData {
  const bids = depth.bids.map(levelPair);
  const asks = depth.asks.map(levelPair);
  return { bids, asks, checksum: checksumOf(bids, asks) };
}

export const queuedOrder = (order: LiveOrder): z.infer<typeof queuedOrderSchema> => [formatTicks(order.price), formatSteps(order.visible), idOf('order', order.order)];

export const tradeWire = (trade: Trade): z.infer<typeof tradeSchema> => ({
  id: idOf('fill', trade.fill),
  price: formatTicks(trade.price),
  quantity: formatSteps(trade.quantity),
  side: trade.takerSide,
  at: timeOf(trade.at),
});

export const candleWire = (candle: Candle): z.infer<typeof candleSchema> => ({
  start_at: timeOf(candle.start),
  open: formatTicks(candle.open),
  high: formatTicks(candle.high),
  low: formatTicks(candle.low),
  close: formatTicks(candle.close),
  volume: formatSteps(candle.volume),
  notional: formatMicro(candle.notional),
  trades: candle.trades,
});

const priceOrNull = (ticks: number | null | undefined): string | null => (ticks === null || ticks === undefined ? null : formatTicks(ticks));
const stepsOrNull = (steps: number | null | undefined): string | null => (steps === null || steps === undefined ? null : formatSteps(steps));

const bestWire = ({ bid, ask }: { bid: LevelView | null; ask: LevelView | null }) => ({
  best_bid: priceOrNull(bid?.price),
  bid_quantity: stepsOrNull(bid?.quantity),
  best_ask: priceOrNull(ask?.price),
  ask_quantity: stepsOrNull(ask?.quantity),
});
const markWire = (mark: Mark) => ({ mark_price: mark.price === 0 ? null : formatTicks(mark.price), mark_source: mark.source });

export const tickerWire = (ticker: Ticker): z.infer<typeof tickerSchema> => ({
  ...bestWire(ticker),
  last_price: priceOrNull(ticker.last?.price),
  last_quantity: stepsOrNull(ticker.last?.quantity),
  last_at: ticker.last === null ? null : timeOf(ticker.last.at),
  ...markWire(ticker.mark),
  open_24h: priceOrNull(ticker.open),
  high_24h: priceOrNull(ticker.high),
  low_24h: priceOrNull(ticker.low),
  volume_24h: formatSteps(ticker.volume),
  notional_24h: formatMicro(ticker.notional),
  trades_24h: ticker.trades,
});

/** Half-way between two prices may need a fifth place. */
const midOf = (bid: number, ask: number): string => formatUnits((bid + ask) * 5, 5, 4);

const marketNames = (directory: Directory, market: number) => ({
  class: directory.className(classOf(market)),
  region: directory.regionName(regionOf(market)),
});

export const curvePointWire = (directory: Directory, point: CurvePoint): z.infer<typeof curvePointSchema> => ({
  instrument: point.instrument.id,
  ...marketNames(directory, point.instrument.market),
  start_at: hourStart(point.instrument.hour),
  ...bestWire(point),
  mid_price: point.bid === null || point.ask === null ? null : midOf(point.bid.price, point.ask.price),
  last_price: priceOrNull(point.last?.price),
  ...markWire(point.mark),
});

/** The mark of every hour of a market that has neither quote nor trade. */
export const curveFallbackWire = (directory: Directory, data: MarketData, market: number): z.infer<typeof curveFallbackSchema> => ({
  ...marketNames(directory, market),
  ...markWire(data.untradedMark(market)),
});

export const instrumentWire = (directory: Directory, view: InstrumentView): z.infer<typeof instrumentSchema> => ({
  id: view.instrument.id,
  ...marketNames(directory, view.instrument.market),
  start_at: hourStart(view.instrument.hour),
  end_at: hourStart(view.instrument.hour + 1),
  phase: view.phase,
  mode: view.mode,
  mode_reason: view.reason,
  tick_size: formatTicks(1),
  step_size: formatSteps(1),
  list_price: formatTicks(view.listPrice),
  ...bestWire(view),
  last_price: priceOrNull(view.last?.price),
});

export const indexWire = (directory: Directory, index: ClassIndex, now: number): z.infer<typeof indexSchema> => ({
  class: directory.className(index.class),
  price: priceOrNull(index.price),
  at: timeOf(now),
  inputs: {
    since: timeOf(windowStart(now)),
    trades: index.trades,
    volume: formatSteps(index.volume),
    notional: formatMicro(index.notional),
    buyer_groups: index.buyerGroups,
    provider_groups: index.providerGroups,
    affiliated_trades_left_out: index.affiliated,
  },
  minimum: { volume: formatSteps(INDEX_VOLUME_MINIMUM), buyer_groups: GROUPS_MINIMUM, provider_groups: GROUPS_MINIMUM },
});

export const classWire = (entry: ClassEntry): z.infer<typeof classSchema> => ({
  id: entry.name,
  chip: entry.chip,
  memory_gb: entry.memoryGb,
  form_factor: entry.formFactor,
  list_price: formatTicks(entry.listPrice),
  list_price_inputs: entry.inputs.map(({ provider, usd }) => ({ provider, usd: formatMicro(usd) })),
  next_list_price: entry.next === null ? null : { price: formatTicks(entry.next.price), effective_at: timeOf(entry.next.effectiveAt) },
});

export function scopeName(directory: Directory, view: Pick<TradingModeView, 'class' | 'market' | 'hour'>): string {
  if (view.market !== NONE) return view.hour === NONE ? directory.marketName(view.market) : directory.instrumentName(view.market, view.hour);
  return view.class === NONE ? '*' : directory.className(view.class);
}

export const statusWire = (directory: Directory, data: MarketData): z.infer<typeof statusDataSchema> => ({
  now: timeOf(data.now),
  sequence: data.sequence,
  modes: data.modes().map((view) => ({ scope: scopeName(directory, view), mode: view.mode, reason: view.reason })),
});
