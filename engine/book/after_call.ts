/**
 * What happens when continuous trading begins: orders that sat a call out arrive again, and what crosses trades, the best bid
 * first, as if it arrived.
 *
 * Orders bound to a minimum may stand crossed in any number, and each that arrives again may look at all of them. So that
 * nobody can stop the market with them, what may be looked at has a bound; beyond it orders wait as they stand, for whoever
 * arrives next.
 */
import type { Book } from './book.ts';
import type { BookSide } from './levels.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { Matcher } from './matching.ts';
import { FLAG } from './orders.ts';
import type { Orders } from './orders.ts';

/** Resting orders that those of one book may look at when its trading begins. */
export const LOOKS = 500_000;

/** Whether an order may trade with some of those that it reaches only. These always look: what they cross could be theirs. */
const isChoosy = (orders: Orders, row: number): boolean => orders.model(row) >= 0 || (orders.flags(row) & FLAG.limited) !== 0;

export class Reopening {
  private readonly book: Book;
  private readonly orders: Orders;
  private readonly matcher: Matcher;
  /** Rules before version 6 knew no bound. */
  private looks: number;

  constructor(book: Book, orders: Orders, matcher: Matcher) {
    this.book = book;
    this.orders = orders;
    this.matcher = matcher;
    this.looks = matcher.rulesVersion >= 6 ? LOOKS : Infinity;
  }

  /** Lets orders in again that are in no book. */
  enter(satOut: readonly number[]): void {
    for (const row of satOut) {
      if (this.mayLook(row)) this.matcher.enterAfterCall(this.book, row);
      else this.matcher.rest(this.book, row);
    }
  }

  /** Lets what crosses trade: bids, then asks, for an ask may have of one bid the minimum that the bid had not of the asks before it. */
  settle(): void {
    const { bids, asks } = this.book;
    this.settleSide(bids, asks);
    if (this.matcher.rulesVersion >= 4) this.settleSide(asks, bids);
  }

  private settleSide(side: BookSide, opposite: BookSide): void {
    const { book, orders, matcher } = this;
    if (book.bids.isEmpty || book.asks.isEmpty || book.bids.best() < book.asks.best()) return;
    const crossing: number[] = [];
    const limit = side.keyOf(opposite.best());
    side.forEach(orders, (row) => side.keyOf(orders.price(row)) >= limit && crossing.push(orders.idOf(row)) > 0);
    for (const id of crossing) {
      const row = orders.rowOf(id);
      if (row !== NIL && matcher.isResting(row) && this.mayLook(row)) matcher.reenter(book, row);
    }
  }

  /** Whether an order may look at whom it reaches; takes as many off the bound. */
  private mayLook(row: number): boolean {
    const { orders } = this;
    if (this.looks === Infinity || isChoosy(orders, row)) return true;
    if (this.looks <= 0) return false;
    const side = this.book.side(!orders.isSell(row));
    const limit = side.keyOf(orders.price(row));
    side.forEach(orders, (other) => side.keyOf(orders.price(other)) >= limit && --this.looks > 0);
    return true;
  }
}
