/**
 * Market data of the present: what committed events built, read by HTTP and by live data alike.
 * Prices are ticks, quantities steps, times milliseconds of engine time; wire.ts writes them out.
 */
import type { TradingMode } from '../../engine/vocabulary.ts';
import type { EventOf } from '../../engine/events.ts';
import type { Bands } from '../../engine/trading/bands.ts';
import type { Candle, Interval } from './candles.ts';
import type { Phase } from './instruments.ts';
import type { LiveOrder } from './live_orders.ts';

/** A book of the exchange: a market (class and region) and a delivery hour. */
export interface Instrument {
  /** `H100-SXM-80.us-east.20261201T14Z` */
  readonly id: string;
  readonly market: number;
  readonly hour: number;
}

export interface TradingModeView {
  /** NONE where the mode is not narrowed to one. */
  class: number;
  market: number;
  hour: number;
  mode: TradingMode;
  reason: string;
}

export interface LevelView {
  price: number;
  quantity: number;
  orders: number;
}
/** Both sides, best first. */
export interface Depth {
  bids: LevelView[];
  asks: LevelView[];
}
/** Orders of both sides in priority order; quantities are what is visible. */
export interface Queues {
  bids: LiveOrder[];
  asks: LiveOrder[];
}

export interface Trade {
  fill: number;
  market: number;
  hour: number;
  price: number;
  quantity: number;
  takerSide: 'buy' | 'sell';
  at: number;
}

export type MarkSource = 'trades' | 'index' | 'list_price';
export interface Mark {
  /** 0 while there is not even a list price. */
  price: number;
  source: MarkSource;
}

/** Null: no such quote, or no trade in the last 24 hours. */
export interface Ticker {
  bid: LevelView | null;
  ask: LevelView | null;
  last: Trade | null;
  mark: Mark;
  open: number | null;
  high: number | null;
  low: number | null;
  /** Steps, micro-CR and number of trades in the last 24 hours. */
  volume: number;
  notional: bigint;
  trades: number;
}

export interface CurvePoint {
  instrument: Instrument;
  bid: LevelView | null;
  ask: LevelView | null;
  last: Trade | null;
  mark: Mark;
}

export interface InstrumentView {
  instrument: Instrument;
  phase: Phase;
  mode: TradingMode;
  reason: string;
  listPrice: number;
  bid: LevelView | null;
  ask: LevelView | null;
  last: Trade | null;
}

/** The volume-weighted price of a class over 24 hours with everything needed to check it. */
export interface ClassIndex {
  class: number;
  /** Ticks; null while the minimum is not met. */
  price: number | null;
  trades: number;
  volume: number;
  notional: bigint;
  buyerGroups: number;
  providerGroups: number;
  /** Trades left out because buyer and provider have one owner. */
  affiliated: number;
}

export interface InstrumentFilter {
  class?: number;
  region?: number;
  /** Delivery hours, both included. */
  fromHour?: number;
  toHour?: number;
  /** Only instruments listed after this one (its key). */
  after?: number;
}

/** resaleFee: of a resale, micro-CR that the seller was charged. */
export type FillEvent = EventOf<'fill'> & { resaleFee?: number };
/** Follows the levels of one book. */
export interface LevelTracker {
  /** Levels changed since the last call as they are now, quantity 0 where there is none any more; null when none changed. */
  take(): Depth | null;
  release(): void;
}

/** What a committed batch has changed. Sets are reused: read them before returning. */
/** A freeze, an unfreeze or another state of a facility. */
export interface FacilityStep {
  /** Of the command that did it. */
  sequence: number;
  facility: number;
  /** Millionths that are blocked; absent: as before. */
  fraction?: number;
  state?: string;
}

export interface MarketChange {
  sequence: number;
  now: number;
  /** Keys of instruments whose book or trades changed. */
  instruments: ReadonlySet<number>;
  fills: readonly FillEvent[];
  /** Orders of watched companies. */
  orders: ReadonlySet<LiveOrder>;
  /** Watched companies whose account may have changed. */
  companies: ReadonlySet<number>;
  /** In order; collected while a company is watched. */
  facilities: readonly FacilityStep[];
  /** A trading mode changed, or a list price. */
  reference: boolean;
}

export interface MarketData {
  /** Last command included. */
  readonly sequence: number;
  readonly now: number;
  /** Undefined when the class or the region does not exist. Any hour has an instrument, listed or not. */
  instrument(id: string): Instrument | undefined;
  instrumentOf(market: number, hour: number): Instrument;
  describe(instrument: Instrument): InstrumentView;
  /** Listed instruments in order of class, region and hour, computed on the way. */
  list(filter: InstrumentFilter, limit: number): InstrumentView[];
  /** With a model, only asks of providers that serve it. */
  depth(instrument: Instrument, depth: number, model?: number): Depth;
  queues(instrument: Instrument, depth: number, model?: number): Queues;
  /** Learns whose capacity is resold there; until then books of a model lack those asks. */
  loadResales(instrument: Instrument): Promise<void>;
  /** Newest first: the instrument's last few hundred since the process began, at most. */
  trades(instrument: Instrument, limit: number): Trade[];
  /** Newest first, with a number below `before` (undefined: the newest); reaches into the past as far as there is one. */
  tradesBefore(instrument: Instrument, before: number | undefined, limit: number): Promise<Trade[]>;
  /** Oldest first; intervals without a trade are left out. The past is included once `loadPast` has resolved. */
  candles(instrument: Instrument, interval: Interval): readonly Candle[];
  /** Adds the instrument's trades from before the process began. */
  loadPast(instrument: Instrument): Promise<void>;
  ticker(instrument: Instrument): Ticker;
  mark(market: number, hour: number): Mark;
  /** Mark of the market's hours that have not traded. */
  untradedMark(market: number): Mark;
  /** Hours that have a quote or have traded, in order; the others have only the market's untraded mark. */
  curve(market: number): CurvePoint[];
  index(classId: number): ClassIndex;
  /** Scopes that do not trade normally. */
  modes(): TradingModeView[];
  /** Price bands of the whole market. */
  readonly bands: Bands;
  order(order: number): LiveOrder | undefined;
  openOrders(company: number): LiveOrder[];
  /** Calls the listener after each batch, also one in which only time went on. Returns the unsubscription. */
  follow(listener: (change: MarketChange) => void): () => void;
  /** One tracker per instrument at a time. */
  trackLevels(instrument: Instrument): LevelTracker;
  /** Includes the company's orders and account in changes. Counted: release once per call. */
  watchCompany(company: number): () => void;
  close(): void;
}
