/**
 * One order book alone: no credit, no capacity, no bands. The exchange's own matcher with a host that
 * only tells what happens; it drives the replay of recorded order flow, and tests compare it with the
 * naive book.
 */
import { uncross } from './auction.ts';
import type { AuctionHost, Uncross } from './auction.ts';
import { Book } from './book.ts';
import type { RejectCode } from '../catalogue.ts';
import { GTD, MARKET, NONE, STOP, isStop } from '../vocabulary.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { Levels } from './levels.ts';
import { Matcher, UNPROTECTED_BUY, isLimit } from './matching.ts';
import type { MatchReason } from './match_host.ts';
import { FLAG, flagsOf, NO_EXTRA, Orders } from './orders.ts';
import { RowPool } from '../numbers/row_pool.ts';
import { TIMER, Timers } from '../time/timers.ts';

/** Quantities in steps, prices in ticks; ids and owners as the caller's numbers. */
export interface BookOrder {
  id: number;
  owner: number;
  sell: boolean;
  orderType: number;
  /** 0: a market order without protection. */
  price: number;
  quantity: number;
  timeInForce: number;
  postOnly: boolean;
  displayQuantity: number;
  minimumQuantity: number;
  stopPrice: number;
  selfTradePrevention: number;
  /** 0: never. */
  expiresAt: number;
}

export interface BookListener {
  accepted(id: number): void;
  traded(maker: number, taker: number, price: number, quantity: number): void;
  cancelled(id: number, remaining: number, reason: MatchReason | 'requested' | 'expired'): void;
  triggered(id: number): void;
  /** price 0: it has none. */
  amended(id: number, price: number, quantity: number, keptPriority: boolean): void;
  /** Nothing of it is left; its trades have been told. */
  filled(id: number): void;
}

/** One level of the market's view: what is shown, by how many orders. */
export interface DepthLevel {
  price: number;
  quantity: bigint;
  orders: number;
}

/** What every implementation of a book can do: this one, and the naive one that checks it. */
export interface BookMachine {
  place(order: BookOrder): RejectCode | undefined;
  cancel(id: number): RejectCode | undefined;
  /** 0 keeps the price or the remaining quantity. */
  amend(id: number, price: number, quantity: number): RejectCode | undefined;
  /** Moves time; what expires leaves. */
  advance(now: number): void;
  startAuction(): void;
  /** reference 0: the last trade; it may lie between two ticks. */
  uncross(reference: number): void;
  depth(sell: boolean, levels: number): DepthLevel[];
  /** Everything that decides what comes next, the same whatever the implementation; for tests. */
  image(): BookImage;
}

/**
 * Of each order, one after the other, id, owner, type, price, remaining, visible, what its first execution must be, stop price,
 * expiry, self-trade prevention and post-only; bids and asks as they would execute, stops in the order in which they came.
 */
export interface BookImage {
  now: number;
  auction: boolean;
  lastPrice: number;
  bids: number[];
  asks: number[];
  stops: number[];
}

export class LoneBook implements BookMachine, AuctionHost {
  private readonly orders = new Orders(1_024);
  private readonly book = new Book(new Levels(new RowPool(LEVELS_FIRST)), 0);
  private readonly matcher = new Matcher(this.orders, this);
  private readonly listener: BookListener;
  private readonly rows = new Map<number, number>();
  private readonly ids: number[] = [];
  private readonly expiries = new Timers();
  private now = 0;
  private arrivals = 0;

  constructor(listener: BookListener) {
    this.listener = listener;
  }

  place(order: BookOrder): RejectCode | undefined {
    const refusal = rangeRefusal(order);
    if (refusal !== undefined) return refusal;
    if (this.rows.has(order.id)) return 'duplicate_client_order_id';
    if ((order.timeInForce === GTD || order.expiresAt > 0) && order.expiresAt <= this.now) return 'invalid_parameter';
    const row = this.create(order);
    const late = this.bookRefusal(row, order);
    if (late !== undefined) {
      this.forget(row);
      return late;
    }
    if (order.expiresAt > 0) this.expiries.add(order.expiresAt, TIMER.orderExpiry, this.orders.idOf(row));
    this.listener.accepted(order.id);
    if (isStop(order.orderType)) this.matcher.enterStop(this.book, row);
    else this.matcher.enter(this.book, row);
    this.matcher.runStops(this.book);
    return undefined;
  }

  private create(order: BookOrder): number {
    const { orders } = this;
    const row = orders.create();
    orders.setPrice(row, order.price > 0 ? order.price : order.sell ? 0 : UNPROTECTED_BUY);
    orders.setQuantity(row, order.quantity);
    orders.setRemaining(row, order.quantity);
    orders.setVisible(row, 0);
    orders.setCompany(row, order.owner);
    orders.setModel(row, NONE);
    orders.setSequence(row, this.arrivals++);
    const { displayQuantity, minimumQuantity, stopPrice, expiresAt } = order;
    const hasExtra = displayQuantity !== 0 || minimumQuantity !== 0 || stopPrice !== 0 || expiresAt !== 0;
    if (hasExtra) orders.extras.set(row, { ...NO_EXTRA, displayQuantity, minimumQuantity, stopPrice, expiresAt });
    const flags = flagsOf(order.sell, order.orderType, order.timeInForce, order.selfTradePrevention);
    orders.setFlags(row, flags | (hasExtra ? FLAG.extra : 0) | (order.postOnly ? FLAG.postOnly : 0));
    this.ids[row] = order.id;
    this.rows.set(order.id, row);
    return row;
  }

  private forget(row: number): void {
    this.rows.delete(this.ids[row]);
    this.orders.destroy(row);
  }

  private bookRefusal(row: number, order: BookOrder): RejectCode | undefined {
    if (isStop(order.orderType) || this.book.auction) return undefined;
    if (order.postOnly && this.matcher.wouldCross(this.book, row)) return 'post_only_would_cross';
    return this.matcher.undercutsMinimum(this.book, row) ? this.matcher.minimumRefusal(this.book, row) : undefined;
  }

  cancel(id: number): RejectCode | undefined {
    const row = this.rows.get(id);
    if (row === undefined) return 'unknown_order';
    this.leave(row, 'requested');
    return undefined;
  }

  private leave(row: number, reason: 'requested' | 'expired'): void {
    if ((this.orders.flags(row) & FLAG.untriggered) !== 0) this.matcher.withdrawStop(this.book, row);
    else this.matcher.withdraw(this.book, row);
    this.tellCancelled(row, reason);
  }

  private tellCancelled(row: number, reason: MatchReason | 'requested' | 'expired'): void {
    const id = this.ids[row];
    const remaining = this.orders.remaining(row);
    this.forget(row);
    this.listener.cancelled(id, remaining, reason);
  }

  amend(id: number, price: number, quantity: number): RejectCode | undefined {
    const { orders, book } = this;
    const row = this.rows.get(id);
    if (row === undefined) return 'unknown_order';
    const newPrice = price === 0 ? orders.price(row) : price;
    const remaining = quantity === 0 ? orders.remaining(row) : quantity;
    const keeps = newPrice === orders.price(row) && remaining <= orders.remaining(row);
    const refusal = keeps ? undefined : this.matcher.changeRefusal(book, row, newPrice, remaining);
    if (refusal !== undefined) return refusal;
    const resting = (orders.flags(row) & FLAG.resting) !== 0;
    if (!keeps && resting) this.matcher.withdraw(book, row);
    orders.setPrice(row, newPrice);
    orders.setQuantity(row, orders.quantity(row) + (remaining - orders.remaining(row)));
    orders.setRemaining(row, remaining);
    orders.setVisible(row, Math.min(orders.visible(row), remaining));
    this.listener.amended(id, isLimit(newPrice) ? newPrice : 0, remaining, keeps);
    if (keeps) {
      this.matcher.eased(book, row);
      return undefined;
    }
    orders.setSequence(row, this.arrivals++);
    if (resting) {
      this.matcher.enter(book, row);
      this.matcher.runStops(book);
    } else this.matcher.requeueStop(book, row);
    return undefined;
  }

  advance(now: number): void {
    this.now = Math.max(this.now, now);
    while (this.expiries.next() <= this.now) {
      const row = this.orders.rowOf(this.expiries.take().id);
      if (row !== NIL) this.leave(row, 'expired');
    }
  }

  startAuction(): void {
    this.book.auction = true;
  }

  uncross(reference: number): Uncross | undefined {
    return uncross(this.book, this.orders, this, this.matcher, reference === 0 ? this.book.lastPrice : reference);
  }

  depth(sell: boolean, levels: number): DepthLevel[] {
    const found: DepthLevel[] = [];
    this.book.side(sell).forEach(this.orders, (row) => {
      const price = this.orders.price(row);
      // Market orders that wait for an uncross stand at no price.
      if (!isLimit(price)) return true;
      const last = found.at(-1);
      if (last?.price === price) {
        last.quantity += BigInt(this.orders.visible(row));
        last.orders++;
      } else {
        if (found.length === levels) return false;
        found.push({ price, quantity: BigInt(this.orders.visible(row)), orders: 1 });
      }
      return true;
    });
    return found;
  }

  image(): BookImage {
    const { orders, book, now } = this;
    const image: BookImage = { now, auction: book.auction, lastPrice: book.lastPrice, bids: [], asks: [], stops: [] };
    book.bids.forEach(orders, (row) => this.describe(row, image.bids));
    book.asks.forEach(orders, (row) => this.describe(row, image.asks));
    for (const row of book.stops.rows()) this.describe(row, image.stops);
    return image;
  }

  private describe(row: number, image: number[]): boolean {
    const { orders } = this;
    const { stopPrice, expiresAt } = orders.extra(row) ?? NO_EXTRA;
    return image.push(
      this.ids[row], orders.company(row), orders.orderType(row), orders.price(row), orders.remaining(row), orders.visible(row), orders.pendingMinimum(row),
      stopPrice, expiresAt, orders.selfTradePrevention(row), (orders.flags(row) & FLAG.postOnly) === 0 ? 0 : 1,
    ) > 0;
  }

  /** Throws when anything inside contradicts itself; for tests. */
  validate(): void {
    this.book.bids.validate(this.orders);
    this.book.asks.validate(this.orders);
    if (this.orders.count !== this.rows.size) throw new Error(`${this.orders.count} orders live, ${this.rows.size} known`);
    if (!this.book.auction && this.book.bids.best() !== NIL && this.book.asks.best() !== NIL) this.validateUncrossed();
  }

  /**
   * Orders cross only where one still has a minimum to meet, where both are post-only, or where they may not meet: of one owner, or
   * behind an order of the owner of one of them.
   */
  private validateUncrossed(): void {
    const { orders } = this;
    this.book.bids.forEach(orders, (bid) => {
      this.book.asks.forEach(orders, (ask) => {
        const crosses = orders.price(bid) >= orders.price(ask) && !this.sameGroup(bid, ask);
        const bound = orders.pendingMinimum(bid) > 0 || orders.pendingMinimum(ask) > 0;
        const apart = (orders.flags(bid) & orders.flags(ask) & FLAG.postOnly) !== 0;
        if (crosses && !bound && !apart && !this.hasOwnBefore(bid, ask) && !this.hasOwnBefore(ask, bid)) throw new Error(`orders ${this.ids[bid]} and ${this.ids[ask]} cross`);
        return orders.price(ask) <= orders.price(bid);
      });
      return orders.price(bid) >= this.book.asks.best();
    });
  }

  /** Whether an order of the same owner stands before the other one in its queue. */
  private hasOwnBefore(row: number, other: number): boolean {
    let found = false;
    this.book.side(this.orders.isSell(other)).forEach(this.orders, (before) => {
      found = before !== other && this.sameGroup(before, row);
      return before !== other && !found;
    });
    return found;
  }

  // What matching asks and tells.

  isServed(): boolean {
    return true;
  }

  serves(): boolean {
    return true;
  }
  mayBuyFrom(): boolean {
    return true;
  }
  beginMeeting(): void {}
  mostFrom(): number {
    return Infinity;
  }
  took(): void {}
  endMeeting(): void {}
  sameGroup(a: number, b: number): boolean {
    return this.orders.company(a) === this.orders.company(b);
  }
  groupOf(row: number): number {
    return this.orders.company(row);
  }
  isOlder(a: number, b: number): boolean {
    return this.orders.sequence(a) < this.orders.sequence(b);
  }
  traded(maker: number, taker: number, price: number, quantity: number): void {
    this.listener.traded(this.ids[maker], this.ids[taker], price, quantity);
  }
  filled(row: number): void {
    const id = this.ids[row];
    this.forget(row);
    this.listener.filled(id);
  }
  cancelled(row: number, reason: MatchReason): void {
    this.tellCancelled(row, reason);
  }
  triggered(row: number): void {
    this.listener.triggered(this.ids[row]);
  }
  rested(): void {
    // The book says it by its depth.
  }
  decremented(row: number, quantity: number): void {
    this.orders.setQuantity(row, this.orders.quantity(row) - quantity);
  }
}

/** Every whole number up to here is exact. */
export const UNITS_MAX = 2 ** 53;
const LEVELS_FIRST = 64;
const inRange = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= UNITS_MAX;

function rangeRefusal(order: BookOrder): RejectCode | undefined {
  const { price, quantity, displayQuantity, minimumQuantity, stopPrice, orderType } = order;
  const unpriced = orderType === MARKET || orderType === STOP;
  const wrong =
    !inRange(price) || !inRange(quantity) || !inRange(displayQuantity) || !inRange(minimumQuantity) || !inRange(stopPrice) || quantity === 0 ||
    (price === 0 && !unpriced) || displayQuantity > quantity || minimumQuantity > quantity || (isStop(orderType) && stopPrice === 0);
  return wrong ? 'amount_out_of_range' : undefined;
}
