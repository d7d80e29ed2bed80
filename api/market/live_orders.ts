/** Orders that are in the market, resting or waiting for their trigger, as committed events tell them. */
import type { OrderStatus } from '../../engine/events.ts';
import { CANCEL_NEWEST, LIMIT, MARKET, STOP } from '../../engine/vocabulary.ts';
import type { BlockView, OrderView } from '../../engine/queries.ts';

/** What makes an order a block: its hours, the steps in each, and the least part of them it takes, in ppm. */
export interface BlockTerms {
  readonly fromHour: number;
  readonly toHour: number;
  readonly quantity: number;
  readonly minimumAcceptanceRatio: number;
}

/** All orders of a side at one price, in the order of their places. */
export interface Level {
  readonly price: number;
  /** Visible steps of all its orders. */
  quantity: number;
  orders: number;
  head: LiveOrder | null;
  tail: LiveOrder | null;
}

export interface LiveOrder {
  readonly order: number;
  readonly company: number;
  readonly market: number;
  readonly hour: number;
  readonly side: number;
  readonly orderType: number;
  readonly timeInForce: number;
  readonly postOnly: boolean;
  readonly displayQuantity: number;
  readonly minimumQuantity: number;
  readonly stopPrice: number;
  readonly expiresAt: number;
  readonly model: number;
  readonly resaleOf: number;
  readonly selfTradePrevention: number;
  readonly cancelOnDisconnect: boolean;
  readonly clientOrderId: string;
  readonly acceptedAt: number;
  /** Of the command that placed it. */
  readonly sequence: number;
  /** Of a resale whose book was asked for by model: whose capacity it sells. */
  deliverer?: number;
  /** Set for a block: it stands in no book, its instrument is its first hour, its quantities are over all hours. */
  readonly block: BlockTerms | null;
  /** Of one of a sell block's asks: the block. */
  parent: LiveOrder | null;
  price: number;
  /** Steps executed, and steps still to execute. */
  filled: number;
  remaining: number;
  /** Shown in the book; 0 while it is in no book. */
  visible: number;
  /** Micro-CR: reserved, fees charged, sum of price x quantity of its fills. */
  hold: number;
  fees: number;
  notional: number;
  untriggered: boolean;
  /** Set when it has left the market. */
  done: { status: OrderStatus; reason: string } | null;
  /** Its place in the queue; null while it is in no book. */
  level: Level | null;
  next: LiveOrder | null;
  previous: LiveOrder | null;
}

export function statusOf(order: LiveOrder): OrderStatus {
  if (order.done !== null) return order.done.status;
  if (order.untriggered) return 'untriggered';
  return order.notional > 0 ? 'partially_filled' : 'open';
}

/** Whether it stands at its price for all to see. A market order that waits for a call has only what protects it, at which nobody is to be had. */
export const isPriced = ({ orderType }: LiveOrder): boolean => orderType !== MARKET && orderType !== STOP;

/** An order as the engine's snapshot tells it; it is not in a book yet. */
export function liveOrderOf(view: OrderView): LiveOrder {
  const { quantity, status, ...rest } = view;
  return {
    ...rest,
    filled: quantity - view.remaining,
    untriggered: status === 'untriggered',
    done: null,
    block: null,
    parent: null,
    level: null,
    next: null,
    previous: null,
  };
}

/** A block as the engine's snapshot, or the event of its entry, tells it. */
export function liveBlockOf(view: BlockView): LiveOrder {
  const { block, fromHour, toHour, quantity, minimumAcceptanceRatio, asks: _asks, filled, ...rest } = view;
  return {
    ...rest, order: block, hour: fromHour, filled, remaining: quantity * (toHour - fromHour) - filled, block: { fromHour, toHour, quantity, minimumAcceptanceRatio },
    orderType: LIMIT, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST,
    cancelOnDisconnect: false, visible: 0, fees: 0, untriggered: false, done: null, parent: null, level: null, next: null, previous: null,
  };
}

/** The engine's view of the order, as a query would answer it. */
export function orderViewOf(live: LiveOrder): OrderView {
  const { filled, untriggered: _untriggered, done: _done, level: _level, next: _next, previous: _previous, block: _block, parent: _parent, ...rest } = live;
  return { ...rest, quantity: filled + live.remaining, status: statusOf(live) };
}

export class LiveOrders {
  private readonly byId = new Map<number, LiveOrder>();
  private readonly byCompany = new Map<number, Set<LiveOrder>>();

  get count(): number {
    return this.byId.size;
  }

  get(order: number): LiveOrder | undefined {
    return this.byId.get(order);
  }

  add(order: LiveOrder): void {
    this.byId.set(order.order, order);
    const own = this.byCompany.get(order.company);
    if (own === undefined) this.byCompany.set(order.company, new Set([order]));
    else own.add(order);
  }

  delete(order: LiveOrder): void {
    this.byId.delete(order.order);
    const own = this.byCompany.get(order.company);
    own?.delete(order);
    if (own?.size === 0) this.byCompany.delete(order.company);
  }

  ofCompany(company: number): Iterable<LiveOrder> {
    return this.byCompany.get(company) ?? [];
  }
}
