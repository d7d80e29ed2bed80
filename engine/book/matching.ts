/**
 * Price-time matching of one order against one book, and nothing else: who may trade with whom, what
 * a trade costs and what is told about it is the host's business. The exchange is one host, the
 * replay of a lone book another.
 */
import { CANCEL_BOTH, CANCEL_OLDEST, DECREMENT, FOK, IOC, LIMIT, MARKET, STOP } from '../vocabulary.ts';
import type { Book } from './book.ts';
import type { Levels } from './levels.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { FLAG, orderTypeOf, timeInForceOf } from './orders.ts';
import { LookAhead } from './look_ahead.ts';

/** A limit beyond any price: a market order without protection. */
export const UNPROTECTED_BUY = Infinity;
/** Whether a price is one that was named, not that of a market order without protection. */
export const isLimit = (price: number): boolean => price > 0 && price < UNPROTECTED_BUY;

/** Every trade moves the last price and may trigger stops. */
export const noteTrade = (book: Book, price: number): void => {
  book.lastPrice = price;
  if (book.stops.length === 0) return;
  book.setTraded(Math.min(book.tradedLow, price), Math.max(book.tradedHigh, price));
};

export class Matcher extends LookAhead {
  /** Ids of resting orders whose minimum has just been met, or has become less. */
  private readonly freed: number[] = [];

  /**
   * Matches an accepted order that is in no book; what is left rests or is cancelled. A resting order
   * whose first execution this was is free of its minimum from then on: if what is left of it crosses
   * somebody it had to pass over, it arrives again.
   */
  enter(book: Book, row: number): void {
    this.enterOnce(book, row);
    if (this.freed.length > 0) this.runFreed(book);
  }

  private runFreed(book: Book): void {
    while (this.freed.length > 0) {
      const free = this.orders.rowOf(this.freed.shift() ?? 0);
      if (free !== NIL && this.isResting(free) && this.meetsSomebody(book, free)) this.arriveAgain(book, free);
    }
  }

  /**
   * Whether a resting order would trade if it arrived again, or an own order keeps it from that. Before version 4 the latter
   * stayed, crossed with whoever stood behind the own order.
   */
  private meetsSomebody(book: Book, row: number): boolean {
    if (this.wouldTrade(book, row)) return true;
    if (this.rulesVersion < 4 || this.neverTakes(row) || this.orders.pendingMinimum(row) > 0) return false;
    const { orders, host } = this;
    const sells = orders.isSell(row);
    const side = book.side(!sells);
    const limit = side.keyOf(orders.price(row));
    if (this.isUnserved(book, row, sells)) return false;
    if (this.anyLimited) host.beginMeeting();
    let meets = false;
    side.forEach(orders, (maker) => {
      const within = side.keyOf(orders.price(maker)) >= limit;
      meets = within && host.sameGroup(maker, row) && this.eligible(maker, row, sells);
      return within && !meets;
    });
    return meets;
  }

  isResting(row: number): boolean {
    return (this.orders.flags(row) & FLAG.resting) !== 0;
  }

  /** A post-only order takes from nobody: whoever stands within its limit arrives again in its stead, the best first. */
  private arriveAgain(book: Book, row: number): void {
    const { orders } = this;
    if (!this.neverTakes(row)) {
      this.withdraw(book, row);
      this.enterOnce(book, row);
      return;
    }
    const side = book.side(!orders.isSell(row));
    const limit = side.keyOf(orders.price(row));
    const met: number[] = [];
    side.forEach(orders, (other) => side.keyOf(orders.price(other)) >= limit && met.push(orders.idOf(other)) > 0);
    for (const id of met) {
      const other = orders.rowOf(id);
      if (other === NIL || !this.isResting(other) || this.neverTakes(other) || !this.wouldTrade(book, other)) continue;
      this.withdraw(book, other);
      this.enterOnce(book, other);
    }
  }

  private neverTakes(row: number): boolean {
    return this.rulesVersion >= 4 && (this.orders.flags(row) & FLAG.postOnly) !== 0;
  }

  /** A resting order wants less than before: what it had to pass over may be enough for its minimum now. */
  eased(book: Book, row: number): void {
    if (this.rulesVersion < 4 || book.auction || !this.isResting(row) || this.orders.pendingMinimum(row) === 0) return;
    this.freed.push(this.orders.idOf(row));
    this.runFreed(book);
    this.runStops(book);
  }

  /** Lets an order in again that sat a call out. */
  enterAfterCall(book: Book, row: number): void {
    if (!this.neverTakes(row)) {
      this.enter(book, row);
      return;
    }
    this.rest(book, row);
    this.freed.push(this.orders.idOf(row));
    this.runFreed(book);
  }

  private enterOnce(book: Book, row: number): void {
    if (book.auction) {
      this.collect(book, row);
      return;
    }
    const { orders } = this;
    // Of what is asked of them here nothing changes while it trades.
    const flags = orders.flags(row);
    const timeInForce = timeInForceOf(flags);
    if (timeInForce === FOK && this.executable(book, row, orders.remaining(row)) < orders.remaining(row)) {
      this.host.cancelled(row, 'fok');
      return;
    }
    const orderType = orderTypeOf(flags);
    if (timeInForce < IOC && orderType === LIMIT && !this.reaches(book, row, (flags & FLAG.sell) !== 0)) {
      this.rest(book, row);
      return;
    }
    const fallsShort = (flags & FLAG.extra) !== 0 && this.fallsShort(book, row);
    if (!fallsShort && !this.meet(book, row)) return;
    if (orders.remaining(row) === 0) this.host.filled(row);
    else if (orderType === MARKET || orderType === STOP) this.host.cancelled(row, 'no_liquidity');
    else if (timeInForce >= IOC) this.host.cancelled(row, 'ioc');
    else this.rest(book, row);
  }

  /** An order that arrives during an auction waits for the uncross; one that cannot wait leaves. */
  private collect(book: Book, row: number): void {
    const timeInForce = this.orders.timeInForce(row);
    if (timeInForce === IOC || timeInForce === FOK) this.host.cancelled(row, timeInForce === IOC ? 'ioc' : 'fok');
    else this.rest(book, row);
  }

  /** Puts an order into the book, at the end of its queue. */
  rest(book: Book, row: number): void {
    const { orders } = this;
    const flags = orders.flags(row);
    const remaining = orders.remaining(row);
    const shown = (flags & FLAG.extra) === 0 ? 0 : (orders.extras.get(row)?.displayQuantity ?? 0);
    orders.setVisible(row, shown === 0 || shown > remaining ? remaining : shown);
    orders.setFlags(row, flags | FLAG.resting);
    book.levels.append(book.row, (flags & FLAG.sell) !== 0 ? 1 : 0, orders, row);
    this.host.rested(row);
  }

  /** Takes a resting order out of the book. */
  withdraw(book: Book, row: number): void {
    this.withdrawFrom(book.levels, book.row, row);
  }
  withdrawFrom(levels: Levels, book: number, row: number): void {
    const { orders } = this;
    levels.remove(book, orders.isSell(row) ? 1 : 0, orders, row);
    orders.setFlags(row, orders.flags(row) & ~FLAG.resting);
  }

  /** Parks a stop until its trigger, or lets it in at once when the last trade already meets it. */
  enterStop(book: Book, row: number): void {
    if (book.lastPrice !== 0 && !book.auction && this.meets(row, book.lastPrice, book.lastPrice)) {
      this.host.triggered(row);
      this.enter(book, row);
      return;
    }
    this.orders.setFlags(row, this.orders.flags(row) | FLAG.untriggered);
    book.addStop(row, this.orders.isSell(row), this.stopPrice(row));
  }

  /** Takes a stop that waits for its trigger out of its book. */
  withdrawStop(book: Book, row: number): void {
    book.stops.remove(row, this.orders.isSell(row), this.stopPrice(row));
    this.orders.setFlags(row, this.orders.flags(row) & ~FLAG.untriggered);
  }

  /** A stop that waits loses its place among those of its stop price. */
  requeueStop(book: Book, row: number): void {
    const sell = this.orders.isSell(row);
    book.stops.remove(row, sell, this.stopPrice(row));
    book.addStop(row, sell, this.stopPrice(row));
  }

  /** Whether trades between `low` and `high` trigger the stop. */
  private meets(row: number, low: number, high: number): boolean {
    return this.orders.isSell(row) ? low <= this.stopPrice(row) : high >= this.stopPrice(row);
  }

  /**
   * Lets in every stop that trades have triggered: those of one command together, the stop price met
   * first going first (bids from the lowest, then asks from the highest), then the older; what their
   * own trades trigger queues behind them.
   */
  runStops(book: Book): void {
    if (book.stops.length === 0 || book.auction) return;
    const due = this.takeTriggered(book);
    for (let next = 0; next < due.length; next++) {
      this.host.triggered(due[next]);
      this.enter(book, due[next]);
      for (const row of this.takeTriggered(book)) due.push(row);
    }
  }

  private takeTriggered(book: Book): number[] {
    const { tradedLow, tradedHigh } = book;
    book.setTraded(Infinity, 0);
    if (tradedHigh === 0) return [];
    const due = book.stops.takeTriggered(tradedLow, tradedHigh);
    for (const row of due) this.orders.setFlags(row, this.orders.flags(row) & ~FLAG.untriggered);
    return due;
  }

  private stopPrice(row: number): number {
    return this.orders.extra(row)?.stopPrice ?? 0;
  }

  /** Whether the best order opposite is within the limit. */
  private reaches(book: Book, row: number, sells: boolean): boolean {
    const price = this.orders.price(row);
    return book.levels.bestKey(book.row, sells ? 0 : 1) >= (sells ? price : -price);
  }

  private meet(book: Book, row: number): boolean {
    if (!this.anyLimited) return this.match(book, row);
    this.host.beginMeeting();
    const stays = this.match(book, row);
    this.host.endMeeting();
    return stays;
  }

  /** Trades while the limit allows. False when self-trade prevention ended the order. */
  private match(book: Book, row: number): boolean {
    const { orders } = this;
    const sells = orders.isSell(row);
    const { levels } = book;
    const side = sells ? 0 : 1;
    const limit = sells ? orders.price(row) : -orders.price(row);
    const best = levels.bestKey(book.row, side);
    if (!(best >= limit) || this.isUnserved(book, row, sells)) return true;
    for (let key = best; key >= limit; key = levels.next(book.row, side, key)) {
      let maker = levels.head(book.row, side, key);
      let wanted = orders.remaining(row);
      // A refilled iceberg slice rejoins its queue behind `end`; it is met again only after all others.
      while (maker !== NIL && wanted > 0) {
        const next = orders.next(maker);
        if (this.eligible(maker, row, sells)) {
          if (this.host.sameGroup(maker, row)) {
            if (!this.preventSelfTrade(book, maker, row)) return false;
            wanted = orders.remaining(row);
          } else if (this.mayExecute(maker, Math.min(wanted, orders.remaining(maker)))) {
            this.trade(book, maker, row, wanted);
            wanted = orders.remaining(row);
            if (wanted > 0 && next === NIL && (orders.flags(maker) & FLAG.resting) !== 0) {
              // The last of the queue was an iceberg that has refilled: it is its own successor.
              continue;
            }
          }
        }
        maker = next;
      }
      if (wanted === 0) break;
    }
    return true;
  }

  /** Takes an execution off a resting order; of an iceberg first what it shows. */
  take(row: number, quantity: number): void {
    const { orders } = this;
    orders.setRemaining(row, orders.remaining(row) - quantity);
    orders.setVisible(row, Math.max(0, orders.visible(row) - quantity));
    orders.setFlags(row, orders.flags(row) | FLAG.executed);
  }

  /** Lets a resting order arrive again, if it would trade or meet an own order. */
  reenter(book: Book, row: number): void {
    if (!this.meetsSomebody(book, row)) return;
    this.arriveAgain(book, row);
    if (this.freed.length > 0) this.runFreed(book);
  }

  private trade(book: Book, maker: number, taker: number, wanted: number): void {
    const { orders, host } = this;
    let quantity = Math.min(orders.visible(maker), wanted);
    const price = orders.price(maker);
    const minimum = orders.pendingMinimum(maker);
    if (minimum > 0) {
      this.freed.push(orders.idOf(maker));
      // Before version 5 those behind an iceberg could take what its minimum needed.
      if (this.rulesVersion >= 5) quantity = Math.max(quantity, minimum);
    }
    if (this.anyLimited) quantity = this.takeBounded(maker, taker, quantity);
    this.take(maker, quantity);
    orders.setRemaining(taker, wanted - quantity);
    orders.setFlags(taker, orders.flags(taker) | FLAG.executed);
    noteTrade(book, price);
    host.traded(maker, taker, price, quantity);
    if (orders.remaining(maker) === 0) {
      this.withdraw(book, maker);
      host.filled(maker);
    } else if (orders.visible(maker) === 0) {
      book.levels.remove(book.row, orders.isSell(maker) ? 1 : 0, orders, maker);
      this.rest(book, maker);
    }
  }

  /** Handles two orders of one owner that would trade. False when the arriving one is out of the market. */
  private preventSelfTrade(book: Book, maker: number, taker: number): boolean {
    const { orders, host } = this;
    const mode = orders.selfTradePrevention(taker);
    if (mode === DECREMENT) return this.decrement(book, maker, taker);
    if (mode === CANCEL_OLDEST || mode === CANCEL_BOTH) {
      this.withdraw(book, maker);
      host.cancelled(maker, 'self_trade');
    }
    if (mode === CANCEL_OLDEST) return true;
    host.cancelled(taker, 'self_trade');
    return false;
  }

  /** Both lose the smaller quantity without a trade; what reaches zero is cancelled. */
  private decrement(book: Book, maker: number, taker: number): boolean {
    const { orders, host } = this;
    const quantity = Math.min(orders.remaining(maker), orders.remaining(taker));
    orders.setRemaining(maker, orders.remaining(maker) - quantity);
    orders.setRemaining(taker, orders.remaining(taker) - quantity);
    orders.setVisible(maker, Math.min(orders.visible(maker), orders.remaining(maker)));
    if (this.rulesVersion >= 4 && orders.pendingMinimum(maker) > 0) this.freed.push(orders.idOf(maker));
    host.decremented(maker, quantity);
    host.decremented(taker, quantity);
    if (orders.remaining(maker) === 0) {
      this.withdraw(book, maker);
      host.cancelled(maker, 'self_trade');
    }
    if (orders.remaining(taker) > 0) return true;
    host.cancelled(taker, 'self_trade');
    return false;
  }
}
