/**
 * Price-time matching of one order against one book, and nothing else: who may trade with whom, what
 * a trade costs and what is told about it is the host's business. The exchange is one host, the
 * replay of a lone book another.
 */
import { CANCEL_BOTH, CANCEL_NEWEST, CANCEL_OLDEST, DECREMENT, FOK, IOC, LIMIT, MARKET, STOP } from '../vocabulary.ts';
import type { Book } from './book.ts';
import type { Levels } from './levels.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { FLAG, orderTypeOf, timeInForceOf } from './orders.ts';
import type { Orders } from './orders.ts';
import { RULES_VERSION } from '../rules.ts';

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

export class Matcher {
  private readonly orders: Orders;
  private readonly host: MatchHost;
  /** Rules before version 3 forgot the minimum of an order that was triggered, amended or arrived again, and the new quantity of an amendment. */
  minimumAlwaysBinds = true;
  /** Before version 4 a post-only order could take when it arrived again, and an order whose minimum had shrunk waited on. */
  rulesVersion = RULES_VERSION;
  /** What the last look ahead would have paid for what it executed. */
  notional = 0;
  /** Whether a bid may be flagged as limited at all. */
  anyLimited = false;
  /** Ids of resting orders whose minimum has just been met, or has become less. */
  private readonly freed: number[] = [];

  constructor(orders: Orders, host: MatchHost) {
    this.orders = orders;
    this.host = host;
  }

  /** Whether an order that arrives may trade with one in the book, self-trade apart. */
  private eligible(maker: number, taker: number, takerSells: boolean): boolean {
    const bid = takerSells ? maker : taker;
    const ask = takerSells ? taker : maker;
    const model = this.orders.model(bid);
    if (this.anyLimited && (this.orders.flags(bid) & FLAG.limited) !== 0 && !this.mayBuyFrom(bid, ask, maker)) return false;
    return model < 0 || this.host.serves(ask, model);
  }

  /** Whether a bid that is limited may buy of an ask what the one of them that rests executes at least. */
  private mayBuyFrom(bid: number, ask: number, maker: number): boolean {
    return this.host.mayBuyFrom(bid, ask) && this.mayExecute(maker, this.bounded(maker, bid === maker ? ask : bid, Infinity));
  }

  /** What of a quantity may execute between orders that may trade. Before version 9 what brought a provider group to its limit was bought whole. */
  private bounded(maker: number, taker: number, quantity: number): number {
    const [bid, ask] = this.orders.isSell(taker) ? [maker, taker] : [taker, maker];
    if (this.rulesVersion < 9 || (this.orders.flags(bid) & FLAG.limited) === 0) return quantity;
    return Math.min(quantity, this.host.mostFrom(bid, ask, this.orders.price(maker)));
  }

  private took(maker: number, taker: number, quantity: number): void {
    const [bid, ask] = this.orders.isSell(taker) ? [maker, taker] : [taker, maker];
    if (this.rulesVersion < 9 || (this.orders.flags(bid) & FLAG.limited) === 0) return;
    this.host.took(bid, ask, this.orders.price(maker) * quantity);
  }

  /** As `bounded`; it counts as taken. */
  private takeBounded(maker: number, taker: number, quantity: number): number {
    const part = this.bounded(maker, taker, quantity);
    this.took(maker, taker, part);
    return part;
  }

  /** Whether the order is a bid for a model that nobody in the book serves. */
  private isUnserved(book: Book, row: number, sells: boolean): boolean {
    const model = this.orders.model(row);
    return !sells && model >= 0 && !this.host.isServed(book, model);
  }

  /** Whether the best eligible order opposite is within the limit. */
  wouldCross(book: Book, row: number): boolean {
    return this.executable(book, row, 1) > 0;
  }

  /**
   * How much of `wanted` the order would execute at once, at most `wanted`. Own orders met on the way
   * end it, are skipped or use it up, as the order's self-trade prevention will have it. What icebergs
   * hide comes behind all that stands at their price.
   */
  executable(book: Book, row: number, wanted: number): number {
    const { orders, host } = this;
    const sells = orders.isSell(row);
    const side = book.side(!sells);
    const limit = side.keyOf(orders.price(row));
    const mode = orders.selfTradePrevention(row);
    let executed = 0;
    let left = orders.remaining(row);
    this.notional = 0;
    if (!side.reaches(limit) || this.isUnserved(book, row, sells)) return 0;
    if (this.anyLimited) host.beginMeeting();
    for (let key = side.bestKey(); key >= limit; key = side.nextKey(key)) {
      let hidden = 0;
      const price = Math.abs(key);
      for (let maker = side.head(key); maker !== NIL; maker = orders.next(maker)) {
        if (!this.eligible(maker, row, sells)) continue;
        const whole = orders.remaining(maker);
        if (host.sameGroup(maker, row)) {
          if (mode === CANCEL_NEWEST || mode === CANCEL_BOTH) return executed;
          if (mode === DECREMENT) left -= Math.min(left, whole);
        } else {
          const size = this.anyLimited ? this.bounded(maker, row, whole) : whole;
          if (!this.mayExecute(maker, Math.min(left, size))) continue;
          const slice = Math.min(size, this.sliceOf(maker, size));
          const quantity = Math.min(left, slice);
          if (this.anyLimited) this.took(maker, row, quantity + size - slice);
          hidden += size - slice;
          this.notional += price * Math.min(quantity, wanted - executed);
          executed += Math.min(quantity, wanted - executed);
          left -= quantity;
        }
        if (executed >= wanted || left === 0) return executed;
      }
      const more = Math.min(left, hidden);
      this.notional += price * Math.min(more, wanted - executed);
      executed += Math.min(more, wanted - executed);
      left -= more;
      if (executed >= wanted || left === 0) return executed;
    }
    return executed;
  }

  /** What a resting order executes before those behind it: what it shows, or its minimum. Before version 5 a look ahead took all of it. */
  private sliceOf(maker: number, size: number): number {
    return this.rulesVersion >= 5 ? Math.max(this.orders.visible(maker), this.orders.pendingMinimum(maker)) : size;
  }

  /** A resting order's first execution may have a minimum. */
  private mayExecute(maker: number, quantity: number): boolean {
    return quantity >= this.orders.pendingMinimum(maker);
  }

  /**
   * Whether an arriving order's minimum cannot be met: it would execute at once, or cannot wait, and
   * what is there falls short.
   */
  undercutsMinimum(book: Book, row: number): boolean {
    const minimum = this.orders.pendingMinimum(row);
    if (minimum === 0) return false;
    const executable = this.executable(book, row, minimum);
    const cannotWait = this.orders.timeInForce(row) >= IOC || this.orders.orderType(row) === MARKET;
    return executable < minimum && (executable > 0 || cannotWait);
  }

  /** What an order is told whose minimum cannot be met: where an order of its own group stands within its limit, that. */
  minimumRefusal(book: Book, row: number): 'self_trade' | 'minimum_quantity' {
    const { orders, host } = this;
    const side = book.side(!orders.isSell(row));
    const limit = side.keyOf(orders.price(row));
    let found = false;
    side.forEach(orders, (maker) => {
      const within = side.keyOf(orders.price(maker)) >= limit;
      found = within && host.sameGroup(maker, row);
      return within && !found;
    });
    return found ? 'self_trade' : 'minimum_quantity';
  }

  /** Why a resting order may not be changed so: it would trade although it is post-only, or less than its minimum. */
  changeRefusal(book: Book, row: number, price: number, remaining: number): 'post_only_would_cross' | 'minimum_quantity' | undefined {
    const { orders } = this;
    const flags = orders.flags(row);
    const minds = (flags & FLAG.postOnly) !== 0 || (this.minimumAlwaysBinds && orders.pendingMinimum(row) > 0);
    if (!minds || book.auction || (this.minimumAlwaysBinds && (flags & FLAG.untriggered) !== 0)) return undefined;
    const [priceNow, remainingNow] = [orders.price(row), orders.remaining(row)];
    orders.setPrice(row, price);
    if (this.minimumAlwaysBinds) orders.setRemaining(row, remaining);
    const crosses = (flags & FLAG.postOnly) !== 0 && this.wouldCross(book, row);
    const undercuts = !crosses && this.minimumAlwaysBinds && this.undercutsMinimum(book, row);
    orders.setPrice(row, priceNow);
    orders.setRemaining(row, remainingNow);
    if (crosses) return 'post_only_would_cross';
    return undercuts ? 'minimum_quantity' : undefined;
  }

  /** Whether a resting order would trade if it arrived again. */
  wouldTrade(book: Book, row: number): boolean {
    const least = this.minimumAlwaysBinds ? Math.max(1, this.orders.pendingMinimum(row)) : 1;
    return this.executable(book, row, least) >= least;
  }

  /** An order that nobody can refuse any more, a stop that was triggered or one that arrives again, finds less than its minimum: it does not trade. */
  private fallsShort(book: Book, row: number): boolean {
    return this.minimumAlwaysBinds && this.undercutsMinimum(book, row);
  }

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
