/** What the public channels tell: books, trades, tickers, candles, the curve, the state of the market. */
import type { Directory } from '../directory.ts';
import type { Candle, Interval } from '../market/candles.ts';
import type { Depth, FillEvent, Instrument, LevelTracker, LevelView, MarketData, Trade } from '../market/market_data.ts';
import { bookData, candleWire, checksumOf, curveFallbackWire, curvePointWire, levelPair, statusWire, tickerWire, tradeWire } from '../market/wire.ts';
import type { LevelPair } from '../market/wire.ts';
import type { Source } from './room.ts';

const CHECKSUM_DEPTH = 10;
const TRADES_SHOWN = 100;
const CANDLES_SHOWN = 500;

/** `{bids, asks, checksum}`: quantities are absolute, "0" removes a level. */
export class BookSource implements Source {
  private readonly market: MarketData;
  private readonly instrument: Instrument;
  private readonly tracker: LevelTracker;

  constructor(market: MarketData, instrument: Instrument) {
    this.market = market;
    this.instrument = instrument;
    this.tracker = market.trackLevels(instrument);
  }

  update(): unknown {
    const changed = this.tracker.take();
    if (changed === null) return null;
    const best = this.market.depth(this.instrument, CHECKSUM_DEPTH);
    return {
      bids: changed.bids.map(levelPair),
      asks: changed.asks.map(levelPair),
      checksum: checksumOf(best.bids.map(levelPair), best.asks.map(levelPair)),
    };
  }

  snapshot(): unknown {
    return bookData(this.market.depth(this.instrument, Infinity));
  }

  close(): void {
    this.tracker.release();
  }
}

/** The same with the asks that serve one model, and the model's name. Few follow it: each frame compares the whole book with what was told. */
export class ModelBookSource implements Source {
  private readonly market: MarketData;
  private readonly instrument: Instrument;
  private readonly model: { id: number; name: string };
  private told: Depth;

  constructor(market: MarketData, instrument: Instrument, model: { id: number; name: string }) {
    this.market = market;
    this.instrument = instrument;
    this.model = model;
    this.told = this.depth();
  }

  prepare(): Promise<void> {
    return this.market.loadResales(this.instrument);
  }

  private depth(): Depth {
    return this.market.depth(this.instrument, Infinity, this.model.id);
  }

  update(): unknown {
    const present = this.depth();
    const bids = changedLevels(this.told.bids, present.bids);
    const asks = changedLevels(this.told.asks, present.asks);
    this.told = present;
    return bids.length + asks.length === 0 ? null : { ...bookData(present), model: this.model.name, bids, asks };
  }

  snapshot(): unknown {
    return { ...bookData(this.told), model: this.model.name };
  }
}

/** Levels that are new or have another quantity, and "0" for those that are gone. */
function changedLevels(before: readonly LevelView[], after: readonly LevelView[]): LevelPair[] {
  const quantities = new Map(before.map(({ price, quantity }) => [price, quantity]));
  const changed = after.filter(({ price, quantity }) => quantities.get(price) !== quantity);
  for (const { price } of after) quantities.delete(price);
  return [...changed, ...Array.from(quantities.keys(), (price) => ({ price, quantity: 0, orders: 0 }))].map(levelPair);
}

const tradeOf = ({ fill, market, hour, price, quantity, takerSide, now }: FillEvent): Trade => ({ fill, market, hour, price, quantity, takerSide, at: now });

/** Trades: newest first in a snapshot, oldest first in an update. */
export class TradesSource implements Source {
  private readonly market: MarketData;
  private readonly instrument: Instrument;
  private fresh: Trade[] = [];

  constructor(market: MarketData, instrument: Instrument) {
    this.market = market;
    this.instrument = instrument;
  }

  note(fill: FillEvent): void {
    this.fresh.push(tradeOf(fill));
  }

  update(): unknown {
    if (this.fresh.length === 0) return null;
    const trades = this.fresh.map(tradeWire);
    this.fresh = [];
    return trades;
  }

  snapshot(): unknown {
    return this.market.trades(this.instrument, TRADES_SHOWN).map(tradeWire);
  }
}

export class TickerSource implements Source {
  private readonly market: MarketData;
  private readonly instrument: Instrument;
  private told = '';

  constructor(market: MarketData, instrument: Instrument) {
    this.market = market;
    this.instrument = instrument;
  }

  update(): unknown {
    const ticker = this.snapshot();
    const text = JSON.stringify(ticker);
    if (text === this.told) return null;
    this.told = text;
    return ticker;
  }

  snapshot(): unknown {
    return tickerWire(this.market.ticker(this.instrument));
  }
}

/** `{interval, candles}`: an update brings those that changed or are new. */
export class CandlesSource implements Source {
  private readonly market: MarketData;
  private readonly instrument: Instrument;
  private readonly interval: Interval;
  /** Of the newest candle told. */
  private newest = 0;
  private trades = 0;

  constructor(market: MarketData, instrument: Instrument, interval: Interval) {
    this.market = market;
    this.instrument = instrument;
    this.interval = interval;
  }

  prepare(): Promise<void> {
    return this.market.loadPast(this.instrument);
  }

  update(): unknown {
    const changed = this.since(this.newest);
    const last = changed.at(-1);
    if (last === undefined || (last.start === this.newest && last.trades === this.trades)) return null;
    this.newest = last.start;
    this.trades = last.trades;
    return { interval: this.interval, candles: changed.map(candleWire) };
  }

  private since(start: number): Candle[] {
    const candles = this.market.candles(this.instrument, this.interval);
    let from = candles.length;
    while (from > 0 && candles[from - 1].start >= start) from--;
    return candles.slice(from);
  }

  snapshot(): unknown {
    return { interval: this.interval, candles: this.market.candles(this.instrument, this.interval).slice(-CANDLES_SHOWN).map(candleWire) };
  }
}

/** `{points, removed, otherwise}`: an update brings the hours that changed, and the ids of those that have nothing any more. */
export class CurveSource implements Source {
  private readonly market: MarketData;
  private readonly directory: Directory;
  private readonly markets: readonly number[];
  private readonly told = new Map<string, string>();
  private toldOtherwise = '';

  constructor(market: MarketData, directory: Directory, markets: readonly number[]) {
    this.market = market;
    this.directory = directory;
    this.markets = markets;
    this.update();
  }

  private points() {
    return this.markets.flatMap((id) => this.market.curve(id)).map((point) => curvePointWire(this.directory, point));
  }
  private otherwise() {
    return this.markets.map((id) => curveFallbackWire(this.directory, this.market, id));
  }

  update(): unknown {
    const present = this.points();
    const ids = new Set(present.map((point) => point.instrument));
    const removed = [...this.told.keys()].filter((id) => !ids.has(id));
    for (const id of removed) this.told.delete(id);
    const points = present.filter((point) => {
      const text = JSON.stringify(point);
      const isNew = this.told.get(point.instrument) !== text;
      this.told.set(point.instrument, text);
      return isNew;
    });
    const otherwise = this.otherwise();
    const isSame = JSON.stringify(otherwise) === this.toldOtherwise;
    this.toldOtherwise = JSON.stringify(otherwise);
    return points.length === 0 && removed.length === 0 && isSame ? null : { points, removed, otherwise };
  }

  snapshot(): unknown {
    return { points: this.points(), removed: [], otherwise: this.otherwise() };
  }
}

export class StatusSource implements Source {
  private readonly market: MarketData;
  private readonly directory: Directory;

  constructor(market: MarketData, directory: Directory) {
    this.market = market;
    this.directory = directory;
  }

  update(): unknown {
    return this.snapshot();
  }

  snapshot(): unknown {
    return statusWire(this.directory, this.market);
  }
}
