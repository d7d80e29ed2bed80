/** Trades from before this process began, as the projections keep them. */
import type { Trade } from './market_data.ts';

export interface PastTrade extends Trade {
  /** Companies. */
  buyer: number;
  seller: number;
  provider: number;
}

export interface TradeHistory {
  /**
   * Trades of the 24 hours before `now`, and the last one of every hour that is not over, that happened
   * up to and including command `sequence`; oldest first. Waits, within reason, until the projection has
   * come that far.
   */
  recent(now: number, sequence: number): Promise<PastTrade[]>;
  /** An instrument's trades with a number below `before` (undefined: all), newest first. */
  ofInstrument(market: number, hour: number, before: number | undefined, limit: number): Promise<Trade[]>;
}
