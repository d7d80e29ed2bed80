/**
 * With whom an order would trade, and how much, if it met a book now: what matching asks before each trade, and checks before an order
 * is let in or changed. Changes nothing.
 */
import { CANCEL_BOTH, CANCEL_NEWEST, DECREMENT, IOC, MARKET } from '../vocabulary.ts';
import type { Book } from './book.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { MatchHost } from './match_host.ts';
import { FLAG } from './orders.ts';
import type { Orders } from './orders.ts';
import { RULES_VERSION } from '../rules.ts';

export class LookAhead {
  protected readonly orders: Orders;
  protected readonly host: MatchHost;
  /** Rules before version 3 forgot the minimum of an order that was triggered, amended or arrived again, and the new quantity of an amendment. */
  minimumAlwaysBinds = true;
  /** Before version 4 a post-only order could take when it arrived again, and an order whose minimum had shrunk waited on. */
  rulesVersion = RULES_VERSION;
  /** What the last look ahead would have paid for what it executed. */
  notional = 0;
  /** Whether a bid may be flagged as limited at all. */
  anyLimited = false;

  constructor(orders: Orders, host: MatchHost) {
    this.orders = orders;
    this.host = host;
  }

  /** Whether an order that arrives may trade with one in the book, self-trade apart. */
  protected eligible(maker: number, taker: number, takerSells: boolean): boolean {
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
  protected takeBounded(maker: number, taker: number, quantity: number): number {
    const part = this.bounded(maker, taker, quantity);
    this.took(maker, taker, part);
    return part;
  }

  /** Whether the order is a bid for a model that nobody in the book serves. */
  protected isUnserved(book: Book, row: number, sells: boolean): boolean {
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
  protected mayExecute(maker: number, quantity: number): boolean {
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
  protected fallsShort(book: Book, row: number): boolean {
    return this.minimumAlwaysBinds && this.undercutsMinimum(book, row);
  }
}
