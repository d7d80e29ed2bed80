/** Orders that are in the market, resting or waiting for their trigger, as committed events tell them. */
import type { OrderStatus } from '../../engine/events.ts';
import type { OrderView } from '../../engine/queries.ts';
import type { Level } from './levels.ts';

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

/** An order as the engine's snapshot tells it; it is not in a book yet. */
export function liveOrderOf(view: OrderView): LiveOrder {
  const { quantity, status, ...rest } = view;
  return {
    ...rest,
    filled: quantity - view.remaining,
    untriggered: status === 'untriggered',
    done: null,
    level: null,
    next: null,
    previous: null,
  };
}

/** The engine's view of the order, as a query would answer it. */
export function orderViewOf(live: LiveOrder): OrderView {
  const { filled, untriggered: _untriggered, done: _done, level: _level, next: _next, previous: _previous, ...rest } = live;
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
