/** What matching asks of whoever lets orders meet, and tells it. */
import type { Book } from './book.ts';

/** Why matching took an order out of the market. */
export type MatchReason = 'ioc' | 'fok' | 'self_trade' | 'no_liquidity';

export interface MatchHost {
  /** Whether the ask may serve the model a bid named; asked only for bids that name one. */
  serves(ask: number, model: number): boolean;
  /** Whether anybody with asks in the book may serve it; asked once for a bid that names one, which then need not look at each ask. */
  isServed(book: Book, model: number): boolean;
  /** Whether the bid's credit may go to the ask's provider; asked only for bids flagged as limited. */
  mayBuyFrom(bid: number, ask: number): boolean;
  /** An order meets others, or it is looked at whom it would meet: from now on `mostFrom` counts down by what is taken. */
  beginMeeting(): void;
  /** The most that the bid may buy of the ask at a price; asked, as the two below, only for bids flagged as limited. */
  mostFrom(bid: number, ask: number, price: number): number;
  took(bid: number, ask: number, notional: number): void;
  /** It has traded all that it may. */
  endMeeting(): void;
  /** Whether both orders belong to one beneficial owner. */
  sameGroup(a: number, b: number): boolean;
  /** quantity has been taken off both orders' remaining. */
  traded(maker: number, taker: number, price: number, quantity: number): void;
  /** The order is out of the book, completely filled. */
  filled(row: number): void;
  /** The order is out of the book with what remains cancelled. */
  cancelled(row: number, reason: MatchReason): void;
  /** The order now stands at the end of its queue. */
  rested(row: number): void;
  /** Self-trade prevention took `quantity` off the order's remaining; a resting one keeps its place. */
  decremented(row: number, quantity: number): void;
  /** The stop's condition has come true; it enters the book next. */
  triggered(row: number): void;
}
