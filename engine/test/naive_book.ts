/**
 * The book as one would explain it on a blackboard: a list of orders by price, then time, searched from
 * the beginning whenever something is needed. Slow, and obviously right; the real book is compared
 * with it after every command.
 */
import type { RejectCode } from '../catalogue.ts';
import { CANCEL_BOTH, CANCEL_NEWEST, CANCEL_OLDEST, DECREMENT, FOK, GTD, IOC, MARKET, STOP, STOP_LIMIT } from '../vocabulary.ts';
import type { BookImage, BookListener, BookMachine, BookOrder, DepthLevel } from '../book/lone_book.ts';

interface Order extends BookOrder {
  limit: number;
  remaining: number;
  visible: number;
  executed: boolean;
  /** Which order it was. */
  placed: number;
  /** Time priority in its queue, and age since it was placed or requeued. */
  turn: number;
  arrived: number;
}

/** What an exchange asks of its books beyond what a lone one does. */
export interface ExchangeRules {
  /** Whether an order takes no part in an uncross. */
  sitsOut(order: BookOrder): boolean;
  /** An order stands at the end of its queue. */
  rested(order: BookOrder): void;
}
/** An order that rests, as a block meets it. */
export type Resting = Readonly<BookOrder & Pick<Order, 'limit' | 'remaining' | 'visible'>>;

const opposite = (order: Order) => (other: Order): boolean => other.sell !== order.sell;
/** Bids before asks, of each side the better price, then the older. */
const inOrder = (a: Order, b: Order): number => (a.sell ? (b.sell ? a.limit - b.limit : 1) : b.sell ? -1 : b.limit - a.limit) || a.turn - b.turn;
const hasPrice = ({ limit }: Order): boolean => limit > 0 && limit < Infinity;
const isStop = (order: BookOrder): boolean => order.orderType === STOP || order.orderType === STOP_LIMIT;

export class NaiveBook implements BookMachine {
  /** In the order in which they would execute. */
  private resting: Order[] = [];
  private stops: Order[] = [];
  private turn = 0;
  private arrivals = 0;
  private placed = 0;
  private now = 0;
  private auction = false;
  private last = 0;
  private traded: number[] = [];
  private readonly freed: Order[] = [];
  private readonly tell: BookListener;
  private readonly mayTrade: (bid: BookOrder, ask: BookOrder) => boolean;
  private readonly exchange: Partial<ExchangeRules>;

  /** `mayTrade`: whether the ask will do for the bid, whatever their prices. */
  constructor(listener: BookListener, mayTrade: (bid: BookOrder, ask: BookOrder) => boolean = () => true, exchange: Partial<ExchangeRules> = {}) {
    this.tell = listener;
    this.mayTrade = mayTrade;
    this.exchange = exchange;
  }

  private find(id: number): Order | undefined {
    const isIt = (order: Order): boolean => order.id === id;
    return this.resting.find(isIt) ?? this.stops.find(isIt);
  }

  place(input: BookOrder): RejectCode | undefined {
    if (this.find(input.id) !== undefined) return 'duplicate_client_order_id';
    if ((input.timeInForce === GTD || input.expiresAt > 0) && input.expiresAt <= this.now) return 'invalid_parameter';
    const limit = input.price > 0 ? input.price : input.sell ? 0 : Infinity;
    const order: Order = { ...input, limit, remaining: input.quantity, visible: 0, executed: false, placed: this.placed++, turn: 0, arrived: this.arrivals++ };
    if (!isStop(order) && !this.auction) {
      if (order.postOnly && this.dryRun(order, 1) > 0) return 'post_only_would_cross';
      if (order.minimumQuantity > 0) {
        const possible = this.dryRun(order, order.minimumQuantity);
        const waits = (order.timeInForce !== IOC && order.timeInForce !== FOK) && order.orderType !== MARKET;
        if (possible < order.minimumQuantity && !(possible === 0 && waits)) {
          return this.within(order).some(({ owner }) => owner === order.owner) ? 'self_trade' : 'minimum_quantity';
        }
      }
    }
    this.tell.accepted(order.id);
    if (!isStop(order)) this.enter(order);
    else if (!this.auction && this.last > 0 && this.isMet(order, this.last)) {
      this.tell.triggered(order.id);
      this.enter(order);
    } else this.stops.push(order);
    this.runStops();
    return undefined;
  }

  private isMet(order: Order, price: number): boolean {
    return order.sell ? price <= order.stopPrice : price >= order.stopPrice;
  }

  private within(order: Order): Order[] {
    return this.resting.filter(opposite(order)).filter((other) => (order.sell ? other.limit >= order.limit : other.limit <= order.limit));
  }

  private makersFor(order: Order): Order[] {
    return this.within(order).filter((maker) => (order.sell ? this.mayTrade(maker, order) : this.mayTrade(order, maker)));
  }

  /** What its first execution must be at least; 0 once that has been. */
  private minimumOf(order: Order): number {
    return order.executed ? 0 : Math.min(order.minimumQuantity, order.remaining);
  }

  private mayExecute(maker: Order, quantity: number): boolean {
    return quantity >= this.minimumOf(maker);
  }

  /** What would execute at once, at most `wanted`: tried with copies of those that it would meet. */
  private dryRun(order: Order, wanted: number): number {
    let left = order.remaining;
    let executed = 0;
    let turn = this.turn;
    const makers = this.makersFor(order).map((maker) => ({ ...maker }));
    while (left > 0 && executed < wanted) {
      const maker = makers.shift();
      if (maker === undefined) break;
      if (maker.owner === order.owner) {
        if (order.selfTradePrevention === CANCEL_NEWEST || order.selfTradePrevention === CANCEL_BOTH) break;
        if (order.selfTradePrevention === DECREMENT) left -= Math.min(left, maker.remaining);
      } else if (this.mayExecute(maker, Math.min(left, maker.remaining))) {
        const quantity = Math.min(left, this.sliceOf(maker));
        executed += quantity;
        left -= quantity;
        maker.remaining -= quantity;
        if (maker.remaining === 0) continue;
        Object.assign(maker, { executed: true, visible: Math.min(maker.displayQuantity, maker.remaining), turn: turn++ });
        makers.push(maker);
        makers.sort(inOrder);
      }
    }
    return Math.min(executed, wanted);
  }

  /** What it executes before those behind it. */
  private sliceOf(maker: Order): number {
    return Math.max(maker.visible, this.minimumOf(maker));
  }

  /** Matches; then every order whose minimum was met on the way arrives again, if it crosses now. */
  private enter(order: Order): void {
    this.enterOnce(order);
    this.runFreed();
  }

  private runFreed(): void {
    for (let free = this.freed.shift(); free !== undefined; free = this.freed.shift()) this.arriveIfItMeets(free);
  }

  /** Also with an own order alone, unless it is bound. */
  private arriveIfItMeets(order: Order): void {
    const meetsOwn = this.makersFor(order).some(({ owner }) => owner === order.owner);
    if (this.wouldTrade(order) || order.postOnly || this.minimumOf(order) > 0 || !this.resting.includes(order)) this.arriveAgain(order);
    else if (meetsOwn) {
      this.remove(order);
      this.enterOnce(order);
    }
  }

  /** A post-only order never takes: those it crosses take instead. */
  private arriveAgain(order: Order): void {
    if (!this.wouldTrade(order)) return;
    for (const taker of order.postOnly ? this.crossing(order) : [order]) {
      if (!this.wouldTrade(taker)) continue;
      this.remove(taker);
      this.enterOnce(taker);
    }
  }

  private crossing(order: Order): Order[] {
    return this.within(order).filter(({ postOnly }) => !postOnly);
  }

  private wouldTrade(order: Order): boolean {
    const least = Math.max(1, this.minimumOf(order));
    return this.resting.includes(order) && this.dryRun(order, least) >= least;
  }

  private enterOnce(order: Order): void {
    const immediate = order.timeInForce === IOC || order.timeInForce === FOK;
    if (this.auction) {
      if (immediate) this.tell.cancelled(order.id, order.remaining, order.timeInForce === IOC ? 'ioc' : 'fok');
      else this.rest(order);
      return;
    }
    if (order.timeInForce === FOK && this.dryRun(order, order.remaining) < order.remaining) {
      this.tell.cancelled(order.id, order.remaining, 'fok');
      return;
    }
    // A stop that was triggered, or an order that arrives again, cannot be refused any more.
    const possible = this.dryRun(order, this.minimumOf(order));
    const fallsShort = possible < this.minimumOf(order) && (possible > 0 || immediate || order.orderType === MARKET);
    const skipped = new Set<Order>();
    while (order.remaining > 0 && !fallsShort) {
      const maker = this.makersFor(order).find((candidate) => !skipped.has(candidate));
      if (maker === undefined) break;
      if (maker.owner === order.owner) {
        if (!this.preventSelfTrade(maker, order)) return;
      } else if (this.mayExecute(maker, Math.min(order.remaining, maker.remaining))) {
        this.trade(maker, order);
      } else skipped.add(maker);
    }
    if (order.remaining === 0) {
      this.tell.filled(order.id);
      return;
    }
    if (order.orderType === MARKET || order.orderType === STOP) this.tell.cancelled(order.id, order.remaining, 'no_liquidity');
    else if (immediate) this.tell.cancelled(order.id, order.remaining, 'ioc');
    else this.rest(order);
  }

  private rest(order: Order): void {
    order.visible = Math.min(order.displayQuantity === 0 ? order.remaining : order.displayQuantity, order.remaining);
    order.turn = this.turn++;
    if (!this.resting.includes(order)) this.resting.push(order);
    this.resting.sort(inOrder);
    this.exchange.rested?.(order);
  }

  get isCalling(): boolean {
    return this.auction;
  }

  /** What a block that sells, or buys, meets: orders that have no minimum to mind, in the order in which they execute. */
  unbound(sells: boolean): Resting[] {
    return this.resting.filter((order) => order.sell !== sells && this.minimumOf(order) === 0);
  }

  /** A block takes so much of an order, at most what it shows. */
  takeForBlock(block: number, maker: Resting, quantity: number): void {
    this.last = maker.limit;
    this.traded.push(maker.limit);
    this.tell.traded(maker.id, block, maker.limit, quantity);
    this.reduce(maker as Order, quantity);
  }

  private remove(order: Order): void {
    this.resting = this.resting.filter((other) => other !== order);
    this.stops = this.stops.filter((other) => other !== order);
  }

  private trade(maker: Order, taker: Order): void {
    const quantity = Math.min(this.sliceOf(maker), taker.remaining);
    this.last = maker.limit;
    this.traded.push(maker.limit);
    if (!maker.executed && maker.minimumQuantity > 0) this.freed.push(maker);
    taker.remaining -= quantity;
    taker.executed = true;
    this.tell.traded(maker.id, taker.id, maker.limit, quantity);
    this.reduce(maker, quantity);
  }

  private reduce(order: Order, quantity: number): void {
    order.remaining -= quantity;
    order.visible = Math.max(0, order.visible - quantity);
    order.executed = true;
    if (order.remaining === 0) {
      this.remove(order);
      this.tell.filled(order.id);
    } else if (order.visible === 0) {
      this.rest(order);
    }
  }

  private preventSelfTrade(maker: Order, taker: Order): boolean {
    const mode = taker.selfTradePrevention;
    if (mode === DECREMENT) {
      const quantity = Math.min(maker.remaining, taker.remaining);
      maker.remaining -= quantity;
      taker.remaining -= quantity;
      maker.visible = Math.min(maker.visible, maker.remaining);
      if (this.minimumOf(maker) > 0) this.freed.push(maker);
      if (maker.remaining === 0) {
        this.remove(maker);
        this.tell.cancelled(maker.id, 0, 'self_trade');
      }
      if (taker.remaining > 0) return true;
      this.tell.cancelled(taker.id, 0, 'self_trade');
      return false;
    }
    if (mode === CANCEL_OLDEST || mode === CANCEL_BOTH) {
      this.remove(maker);
      this.tell.cancelled(maker.id, maker.remaining, 'self_trade');
    }
    if (mode === CANCEL_OLDEST) return true;
    this.tell.cancelled(taker.id, taker.remaining, 'self_trade');
    return false;
  }

  /** Lets stops in that trades have triggered. */
  runStops(): void {
    if (this.auction) return;
    const due: Order[] = [];
    for (;;) {
      const met = this.stops.filter((stop) => this.traded.some((price) => this.isMet(stop, price)));
      this.traded = [];
      this.stops = this.stops.filter((stop) => !met.includes(stop));
      const buys = met.filter((stop) => !stop.sell).sort((a, b) => a.stopPrice - b.stopPrice || a.arrived - b.arrived);
      const sells = met.filter((stop) => stop.sell).sort((a, b) => b.stopPrice - a.stopPrice || a.arrived - b.arrived);
      due.push(...buys, ...sells);
      const next = due.shift();
      if (next === undefined) return;
      this.tell.triggered(next.id);
      this.enter(next);
    }
  }

  cancel(id: number): RejectCode | undefined {
    const order = this.find(id);
    if (order === undefined) return 'unknown_order';
    this.remove(order);
    this.tell.cancelled(id, order.remaining, 'requested');
    return undefined;
  }

  amend(id: number, price: number, quantity: number): RejectCode | undefined {
    const order = this.find(id);
    if (order === undefined) return 'unknown_order';
    const limit = price === 0 ? order.limit : price;
    const remaining = quantity === 0 ? order.remaining : quantity;
    const keeps = limit === order.limit && remaining <= order.remaining;
    const waits = this.stops.includes(order);
    if (!keeps && !waits && !this.auction) {
      const changed = { ...order, limit, remaining };
      if (order.postOnly && this.dryRun(changed, 1) > 0) return 'post_only_would_cross';
      const possible = this.dryRun(changed, this.minimumOf(changed));
      if (possible > 0 && possible < this.minimumOf(changed)) return 'minimum_quantity';
    }
    order.limit = limit;
    order.remaining = remaining;
    order.visible = Math.min(order.visible, remaining);
    this.tell.amended(id, hasPrice(order) ? limit : 0, remaining, keeps);
    if (keeps && !waits && !this.auction && this.minimumOf(order) > 0) {
      this.freed.push(order);
      this.runFreed();
      this.runStops();
    }
    if (keeps) return undefined;
    order.arrived = this.arrivals++;
    if (waits) return undefined;
    this.remove(order);
    this.enter(order);
    this.runStops();
    return undefined;
  }

  advance(now: number): void {
    this.now = Math.max(this.now, now);
    const due = [...this.resting, ...this.stops].filter(({ expiresAt }) => expiresAt > 0 && expiresAt <= this.now);
    for (const order of due.sort((a, b) => a.expiresAt - b.expiresAt || a.placed - b.placed)) {
      this.remove(order);
      this.tell.cancelled(order.id, order.remaining, 'expired');
    }
  }

  startAuction(): void {
    this.auction = true;
  }

  uncross(given: number): void {
    const reference = given === 0 ? this.last : given;
    const satOut: Order[] = [];
    let pairs = this.pairs(reference);
    for (;;) {
      const related = pairs.trades.find(({ bid, ask }) => bid.owner === ask.owner);
      if (related !== undefined) {
        const newer = related.bid.arrived < related.ask.arrived ? related.ask : related.bid;
        this.remove(newer);
        this.tell.cancelled(newer.id, newer.remaining, 'self_trade');
      } else {
        const short = this.belowMinimum(pairs.trades);
        if (short === undefined) break;
        this.remove(short);
        satOut.push(short);
      }
      pairs = this.pairs(reference);
    }
    this.auction = false;
    for (const { bid, ask, quantity } of pairs.trades) {
      const [maker, taker] = bid.arrived < ask.arrived ? [bid, ask] : [ask, bid];
      this.last = pairs.price;
      this.traded.push(pairs.price);
      this.tell.traded(maker.id, taker.id, pairs.price, quantity);
      this.reduce(bid, quantity);
      this.reduce(ask, quantity);
    }
    for (const sell of [false, true]) {
      for (const order of this.resting.filter((other) => other.sell === sell && (other.orderType === MARKET || other.orderType === STOP))) {
        this.remove(order);
        this.tell.cancelled(order.id, order.remaining, 'no_liquidity');
      }
    }
    for (const order of satOut) {
      if (order.postOnly) {
        this.rest(order);
        this.freed.push(order);
        this.runFreed();
      } else {
        this.enter(order);
      }
    }
    this.settleCrossed();
    if (this.last > 0) this.traded.push(this.last);
    this.runStops();
  }

  /** What still crosses after an uncross (orders bound to a minimum) arrives again, best bid first, then best ask. */
  private settleCrossed(): void {
    const prices = (sell: boolean): number[] => this.resting.filter((order) => order.sell === sell).map(({ limit }) => limit);
    const bestAsk = Math.min(...prices(true));
    this.settle(this.resting.filter((order) => !order.sell && order.limit >= bestAsk));
    const bestBid = Math.max(...prices(false));
    this.settle(this.resting.filter((order) => order.sell && order.limit <= bestBid));
  }

  private settle(crossing: Order[]): void {
    for (const order of crossing) {
      this.arriveIfItMeets(order);
      this.runFreed();
    }
  }

  private belowMinimum(trades: { bid: Order; ask: Order; quantity: number }[]): Order | undefined {
    for (const { bid, ask } of trades) {
      for (const order of [bid, ask]) {
        const total = trades.reduce((sum, trade) => sum + (trade.bid === order || trade.ask === order ? trade.quantity : 0), 0);
        if (!this.mayExecute(order, total)) return order;
      }
    }
    return undefined;
  }

  /** Tries every price from below all limits and the reference to above them: what has no price may execute beyond a limit. */
  private pairs(reference: number): { price: number; trades: { bid: Order; ask: Order; quantity: number }[] } {
    const taking = this.resting.filter((order) => this.exchange.sitsOut?.(order) !== true);
    const limits = taking.filter(hasPrice).map(({ limit }) => limit);
    const nearest = reference > 0 ? reference : Math.min(...limits);
    const [least, most] = limits.length === 0 ? [reference, reference] : [Math.min(...limits, nearest) - 1, Math.max(...limits, nearest) + 1];
    let best = { price: 0, volume: 0, surplus: 0 };
    for (let price = Math.max(least, 1); price <= most; price++) {
      const demand = taking.reduce((sum, order) => (!order.sell && order.limit >= price ? sum + order.remaining : sum), 0);
      const supply = taking.reduce((sum, order) => (order.sell && order.limit <= price ? sum + order.remaining : sum), 0);
      const found = { price, volume: Math.min(demand, supply), surplus: Math.abs(demand - supply) };
      const nearer = Math.abs(price - nearest) < Math.abs(best.price - nearest);
      const wins = found.volume > best.volume || (found.volume === best.volume && (found.surplus < best.surplus || (found.surplus === best.surplus && nearer)));
      if (found.volume > 0 && wins) best = found;
    }
    if (best.volume === 0) return { price: 0, trades: [] };
    const bids = taking.filter((order) => !order.sell && order.limit >= best.price).map((order) => ({ order, left: order.remaining }));
    const asks = taking.filter((order) => order.sell && order.limit <= best.price).map((order) => ({ order, left: order.remaining }));
    const trades: { bid: Order; ask: Order; quantity: number }[] = [];
    while (bids.length > 0 && asks.length > 0) {
      const quantity = Math.min(bids[0].left, asks[0].left);
      trades.push({ bid: bids[0].order, ask: asks[0].order, quantity });
      bids[0].left -= quantity;
      asks[0].left -= quantity;
      if (bids[0].left === 0) bids.shift();
      if (asks[0].left === 0) asks.shift();
    }
    return { price: best.price, trades };
  }

  image(): BookImage {
    const { now, auction, last: lastPrice } = this;
    const describe = (orders: Order[]): number[] => {
      const image: number[] = [];
      for (const order of orders) {
        const { id, owner, orderType, limit, remaining, visible, stopPrice, expiresAt, selfTradePrevention, postOnly } = order;
        image.push(id, owner, orderType, limit, remaining, visible, this.minimumOf(order), stopPrice, expiresAt, selfTradePrevention, postOnly ? 1 : 0);
      }
      return image;
    };
    const sideOf = (sell: boolean): number[] => describe(this.resting.filter((order) => order.sell === sell));
    return { now, auction, lastPrice, bids: sideOf(false), asks: sideOf(true), stops: describe([...this.stops].sort((a, b) => a.arrived - b.arrived)) };
  }

  depth(sell: boolean, levels: number): DepthLevel[] {
    const found: DepthLevel[] = [];
    for (const order of this.resting.filter((other) => other.sell === sell && hasPrice(other))) {
      const level = found.find(({ price }) => price === order.limit);
      if (level === undefined) found.push({ price: order.limit, quantity: BigInt(order.visible), orders: 1 });
      else {
        level.quantity += BigInt(order.visible);
        level.orders++;
      }
    }
    return found.slice(0, levels);
  }
}
