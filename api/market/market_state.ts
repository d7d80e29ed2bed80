/**
 * Orders, books and trades rebuilt from events. The frequent kinds are read from the words of the
 * batch without decoding the event.
 */
import { BUY, SIDES, STOP, STOP_LIMIT, TIMES_IN_FORCE, classOf } from '../../engine/vocabulary.ts';
import { CANCEL_REASONS, ORDER_STATUSES, decodeEvent } from '../../engine/events.ts';
import type { EventBatch, EventOf } from '../../engine/events.ts';
import type { BlockView, OrderView } from '../../engine/queries.ts';
import { fieldsOf } from './event_fields.ts';
import { InstrumentState } from './instrument_state.ts';
import { hourOfKey, instrumentKey, marketOfKey } from './instruments.ts';
import { LiveOrders, isPriced, liveBlockOf, liveOrderOf } from './live_orders.ts';
import type { LiveOrder } from './live_orders.ts';
import type { MarketChanges } from './market_changes.ts';
import type { FillEvent, Trade } from './market_data.ts';
import { TradeWindow } from './trade_window.ts';

const ACCEPTED = fieldsOf('orderAccepted');
const RESTED = fieldsOf('orderRested');
const REDUCED = fieldsOf('orderReduced');
const AMENDED = fieldsOf('orderAmended');
const DONE = fieldsOf('orderDone');
const FILL = fieldsOf('fill');
const RESOLD = fieldsOf('allocationResold');
const DONE_REASONS = ['filled', ...CANCEL_REASONS];

export class MarketState {
  readonly orders = new LiveOrders();
  readonly instruments = new Map<number, InstrumentState>();
  /** Trades of 24 hours by class. */
  readonly classWindows = new Map<number, TradeWindow>();
  private readonly changes: MarketChanges;
  private readonly groupOf: (company: number) => number;

  constructor(changes: MarketChanges, groupOf: (company: number) => number) {
    this.changes = changes;
    this.groupOf = groupOf;
  }

  /** The instrument's state, made when it is first needed. */
  open(key: number): InstrumentState {
    let state = this.instruments.get(key);
    if (state === undefined) this.instruments.set(key, (state = new InstrumentState()));
    return state;
  }

  /** Forgets instruments that have nothing, and those of an hour that is over. */
  drop(endedHour: number): void {
    for (const [key, state] of this.instruments) {
      if (hourOfKey(key) <= endedHour || (state.isEmpty() && !state.tracked)) this.instruments.delete(key);
    }
  }

  /** The books of a market read differently, as those who ask for one model see them. */
  touchMarket(market: number): void {
    for (const key of this.instruments.keys()) if (marketOfKey(key) === market) this.changes.instruments.add(key);
  }

  /** Orders of a snapshot, each level's in the order of its queue. */
  load(views: readonly OrderView[], blocks: readonly BlockView[]): void {
    for (const view of views) {
      const order = liveOrderOf(view);
      this.orders.add(order);
      if (!order.untriggered && order.visible > 0 && isPriced(order)) this.open(instrumentKey(order.market, order.hour)).side(order).append(order);
    }
    for (const view of blocks) {
      this.orders.add(liveBlockOf(view));
      for (const ask of view.asks) this.blockAsk(view.block, ask);
    }
  }

  accepted(batch: EventBatch, at: number, now: number, sequence: number): void {
    const { words, texts } = batch;
    const orderType = words[at + ACCEPTED.orderType];
    const order: LiveOrder = {
      order: words[at + ACCEPTED.order],
      company: words[at + ACCEPTED.company],
      market: words[at + ACCEPTED.market],
      hour: words[at + ACCEPTED.hour],
      side: words[at + ACCEPTED.side],
      orderType,
      timeInForce: words[at + ACCEPTED.timeInForce],
      postOnly: words[at + ACCEPTED.postOnly] === 1,
      displayQuantity: words[at + ACCEPTED.displayQuantity],
      minimumQuantity: words[at + ACCEPTED.minimumQuantity],
      stopPrice: words[at + ACCEPTED.stopPrice],
      expiresAt: words[at + ACCEPTED.expiresAt],
      model: words[at + ACCEPTED.model],
      resaleOf: words[at + ACCEPTED.resaleOf],
      selfTradePrevention: words[at + ACCEPTED.selfTradePrevention],
      cancelOnDisconnect: words[at + ACCEPTED.cancelOnDisconnect] === 1,
      clientOrderId: texts[words[at + ACCEPTED.clientOrderId]],
      acceptedAt: now,
      sequence,
      price: words[at + ACCEPTED.price],
      filled: 0,
      remaining: words[at + ACCEPTED.quantity],
      visible: 0,
      hold: words[at + ACCEPTED.hold],
      fees: 0,
      notional: 0,
      untriggered: orderType === STOP || orderType === STOP_LIMIT,
      done: null,
      block: null,
      parent: null,
      level: null,
      next: null,
      previous: null,
    };
    this.orders.add(order);
    this.changes.addOrder(order);
  }

  acceptedBlock(event: EventOf<'blockAccepted'>, now: number, sequence: number): void {
    const { kind: _kind, side, timeInForce, ...terms } = event;
    const block = liveBlockOf({
      ...terms, side: SIDES.indexOf(side), timeInForce: TIMES_IN_FORCE.indexOf(timeInForce), acceptedAt: now, sequence, filled: 0, notional: 0, asks: [],
    });
    this.orders.add(block);
    this.changes.addOrder(block);
  }

  blockAsk(block: number, ask: number): void {
    const order = this.orders.get(ask);
    if (order !== undefined) order.parent = this.orders.get(block) ?? null;
  }

  /** Its fills have been told: what it holds for the rest. */
  blockExecuted(block: number, hold: number): void {
    const order = this.orders.get(block);
    if (order === undefined) return;
    order.hold = hold;
    this.changes.addOrder(order);
  }

  private note(order: LiveOrder): void {
    this.changes.instruments.add(instrumentKey(order.market, order.hour));
    this.changes.addOrder(order);
  }

  private sideOf(order: LiveOrder) {
    return this.open(instrumentKey(order.market, order.hour)).side(order);
  }

  private withdraw(order: LiveOrder): void {
    if (order.level !== null) this.sideOf(order).remove(order);
    order.visible = 0;
  }

  rested(words: Float64Array, at: number): void {
    const order = this.orders.get(words[at + RESTED.order]);
    if (order === undefined) return;
    this.withdraw(order);
    order.visible = words[at + RESTED.visible];
    order.remaining = words[at + RESTED.remaining];
    if (isPriced(order)) this.sideOf(order).append(order);
    this.note(order);
  }

  reduced(words: Float64Array, at: number): void {
    const order = this.orders.get(words[at + REDUCED.order]);
    if (order === undefined) return;
    order.remaining = words[at + REDUCED.remaining];
    order.hold = words[at + REDUCED.hold];
    if (order.level !== null) this.sideOf(order).show(order, words[at + REDUCED.visible]);
    this.note(order);
  }

  triggered(words: Float64Array, at: number): void {
    const order = this.orders.get(words[at + 2]);
    if (order === undefined) return;
    order.untriggered = false;
    this.changes.addOrder(order);
  }

  amended(words: Float64Array, at: number): void {
    const order = this.orders.get(words[at + AMENDED.order]);
    if (order === undefined) return;
    const remaining = words[at + AMENDED.remaining];
    if (words[at + AMENDED.keptPriority] !== 1) this.withdraw(order);
    else if (order.level !== null) this.sideOf(order).show(order, Math.min(order.visible, remaining));
    order.price = words[at + AMENDED.price];
    order.remaining = remaining;
    order.hold = words[at + AMENDED.hold];
    this.note(order);
  }

  done(words: Float64Array, at: number): void {
    const order = this.orders.get(words[at + DONE.order]);
    if (order === undefined) return;
    this.withdraw(order);
    order.remaining = words[at + DONE.remaining];
    order.hold = 0;
    order.done = { status: ORDER_STATUSES[words[at + DONE.status]], reason: DONE_REASONS[words[at + DONE.reason]] };
    this.orders.delete(order);
    this.note(order);
  }

  filled(batch: EventBatch, at: number): void {
    const { words } = batch;
    const takerSide = words[at + FILL.takerSide];
    this.execute(words, at, words[at + FILL.maker], words[at + FILL.makerRemaining], takerSide !== BUY);
    this.execute(words, at, words[at + FILL.taker], words[at + FILL.takerRemaining], takerSide === BUY);
    this.trade(words, at);
    if (!this.changes.active) return;
    this.changes.fills.push(decodeEvent(batch, at) as FillEvent);
    this.changes.addCompany(words[at + FILL.buyer]);
    this.changes.addCompany(words[at + FILL.seller]);
    this.changes.addCompany(words[at + FILL.provider]);
  }

  /** What a reseller was charged follows its fill. */
  resold(words: Float64Array, at: number): void {
    const order = this.orders.get(words[at + RESOLD.order]);
    if (order !== undefined) order.fees += words[at + RESOLD.fee];
    const fill = this.changes.fills.findLast(({ allocation }) => allocation === words[at + RESOLD.to]);
    if (fill !== undefined) fill.resaleFee = words[at + RESOLD.fee];
  }

  /** One order's part of a fill. */
  private execute(words: Float64Array, at: number, id: number, remaining: number, isBid: boolean): void {
    const order = this.orders.get(id);
    if (order === undefined) return;
    const quantity = words[at + FILL.quantity];
    const notional = words[at + FILL.price] * quantity;
    order.remaining = remaining;
    order.filled += quantity;
    order.notional += notional;
    if (order.parent !== null) this.executeBlock(order.parent, quantity, notional);
    if (isBid) {
      order.fees += words[at + FILL.fee];
      order.hold = words[at + FILL.buyerHold];
    }
    if (order.level !== null) this.sideOf(order).show(order, Math.max(0, order.visible - quantity));
    this.note(order);
  }

  private executeBlock(block: LiveOrder, quantity: number, notional: number): void {
    block.remaining -= quantity;
    block.filled += quantity;
    block.notional += notional;
    this.changes.addOrder(block);
  }

  private trade(words: Float64Array, at: number): void {
    const trade: Trade = {
      fill: words[at + FILL.fill],
      market: words[at + FILL.market],
      hour: words[at + FILL.hour],
      price: words[at + FILL.price],
      quantity: words[at + FILL.quantity],
      takerSide: SIDES[words[at + FILL.takerSide]],
      at: words[at + FILL.now],
    };
    this.record(trade, words[at + FILL.buyer], words[at + FILL.seller], words[at + FILL.provider]);
    this.changes.instruments.add(instrumentKey(trade.market, trade.hour));
  }

  /** Adds a trade to its instrument and class; buyer, seller and provider are companies. */
  record(trade: Trade, buyer: number, seller: number, provider: number): void {
    const owners = {
      at: trade.at,
      price: trade.price,
      quantity: trade.quantity,
      buyer: this.groupOf(buyer),
      seller: this.groupOf(seller),
      provider: this.groupOf(provider),
    };
    this.open(instrumentKey(trade.market, trade.hour)).addTrade(trade, owners);
    this.classWindow(trade.market).add(owners);
  }

  private classWindow(market: number): TradeWindow {
    const classId = classOf(market);
    let window = this.classWindows.get(classId);
    if (window === undefined) this.classWindows.set(classId, (window = new TradeWindow()));
    return window;
  }
}
