/** What is kept of one instrument: its book, its trades and what they add up to. Made when first needed. */
import { SELL } from '../../engine/vocabulary.ts';
import { Candles, dayFigures } from './candles.ts';
import { BookLevels } from './levels.ts';
import type { Level, LiveOrder } from './live_orders.ts';
import type { LevelView, Mark, Ticker, Trade } from './market_data.ts';
import { TradeWindow } from './trade_window.ts';
import type { WindowTrade } from './trade_window.ts';

/** Kept per instrument; what is older is in SQL. */
export const TRADES_KEPT = 300;

class TradeLog {
  readonly recent: Trade[] = [];
  readonly candles = new Candles();
  readonly window = new TradeWindow();
  /** Number of the oldest fill counted in. */
  firstFill = Infinity;

  add(trade: Trade, owners: WindowTrade): void {
    this.recent.push(trade);
    if (this.recent.length >= 2 * TRADES_KEPT) this.recent.splice(0, this.recent.length - TRADES_KEPT);
    this.candles.add(trade);
    this.window.add(owners);
    this.firstFill = Math.min(this.firstFill, trade.fill);
  }

  /** Adds what happened before all that is known, oldest first; trades already counted are left out. */
  addPast(trades: readonly Trade[]): void {
    const older = trades.filter((trade) => trade.fill < this.firstFill);
    this.candles.prepend(older);
    this.recent.unshift(...older.slice(-TRADES_KEPT));
    this.firstFill = Math.min(this.firstFill, older.at(0)?.fill ?? Infinity);
  }
}

export class InstrumentState {
  readonly bids = new BookLevels(false);
  readonly asks = new BookLevels(true);
  private log: TradeLog | null = null;
  /** Trades from before this process began have been added. */
  complete = false;
  /** A follower needs it although it is empty. */
  tracked = false;

  side(order: LiveOrder): BookLevels {
    return order.side === SELL ? this.asks : this.bids;
  }

  isEmpty(): boolean {
    return this.bids.count === 0 && this.asks.count === 0 && this.log === null;
  }

  get trades(): TradeLog | null {
    return this.log;
  }

  addTrade(trade: Trade, owners: WindowTrade): void {
    this.log ??= new TradeLog();
    this.log.add(trade, owners);
  }

  addPast(trades: readonly Trade[]): void {
    if (trades.length === 0) return;
    this.log ??= new TradeLog();
    this.log.addPast(trades);
  }

  last(): Trade | null {
    return this.log?.recent.at(-1) ?? null;
  }

  best(): { bid: LevelView | null; ask: LevelView | null } {
    return { bid: viewOf(this.bids.best()), ask: viewOf(this.asks.best()) };
  }

  ticker(now: number, mark: Mark): Ticker {
    return { ...this.best(), last: this.last(), mark, ...dayFigures(this.log?.candles.of('1m') ?? [], now) };
  }
}

export const viewOf = (level: Level | undefined): LevelView | null =>
  level === undefined ? null : { price: level.price, quantity: level.quantity, orders: level.orders };
