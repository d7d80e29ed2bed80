/** The same market data as the view's, computed anew from a list of all events: slow and obviously right. */
import { BUY, SELL, SIDES } from '../../../engine/vocabulary.ts';
import type { EngineEvent, EventOf } from '../../../engine/events.ts';
import { MILLIS_PER_DAY, MILLIS_PER_MINUTE } from '../../../engine/numbers/units.ts';

interface NaiveOrder {
  order: number;
  company: number;
  market: number;
  hour: number;
  side: number;
  price: number;
  remaining: number;
  visible: number;
  hold: number;
  notional: number;
  fees: number;
  /** Position in time among all orders that came to rest; 0: in no book. */
  place: number;
}

export interface NaiveCandle {
  start: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  notional: bigint;
  trades: number;
}

export class NaiveMarket {
  readonly orders = new Map<number, NaiveOrder>();
  readonly fills: EventOf<'fill'>[] = [];
  private places = 0;

  constructor(events: readonly EngineEvent[]) {
    for (const event of events) this.apply(event);
  }

  private apply(event: EngineEvent): void {
    if (event.kind === 'orderAccepted') {
      const { order, company, market, hour, price, quantity, hold } = event;
      const side = SIDES.indexOf(event.side);
      this.orders.set(order, { order, company, market, hour, side, price, remaining: quantity, visible: 0, hold, notional: 0, fees: 0, place: 0 });
    } else if (event.kind === 'fill') {
      this.fills.push(event);
      this.fill(event.maker, event.makerRemaining, event.takerSide === 'sell', event);
      this.fill(event.taker, event.takerRemaining, event.takerSide === 'buy', event);
    } else if ('order' in event) {
      const order = this.orders.get(event.order);
      if (order !== undefined) this.change(order, event);
    }
  }

  private fill(id: number, remaining: number, isBid: boolean, event: EventOf<'fill'>): void {
    const order = this.orders.get(id);
    if (order === undefined) return;
    order.remaining = remaining;
    order.notional += event.price * event.quantity;
    order.visible = Math.max(0, order.visible - event.quantity);
    if (!isBid) return;
    order.fees += event.fee;
    order.hold = event.buyerHold;
  }

  private change(order: NaiveOrder, event: EngineEvent): void {
    if (event.kind === 'orderRested') Object.assign(order, { visible: event.visible, remaining: event.remaining, place: ++this.places });
    if (event.kind === 'orderReduced') Object.assign(order, { visible: order.place > 0 ? event.visible : 0, remaining: event.remaining, hold: event.hold });
    if (event.kind === 'orderDone') this.orders.delete(order.order);
    if (event.kind !== 'orderAmended') return;
    Object.assign(order, { price: event.price, remaining: event.remaining, hold: event.hold });
    if (event.keptPriority) order.visible = Math.min(order.visible, event.remaining);
    else Object.assign(order, { visible: 0, place: 0 });
  }

  /** Orders of one side in priority order. */
  queue(market: number, hour: number, side: number): NaiveOrder[] {
    const direction = side === BUY ? -1 : 1;
    return [...this.orders.values()]
      .filter((order) => order.market === market && order.hour === hour && order.side === side && order.place > 0)
      .sort((a, b) => (a.price - b.price) * direction || a.place - b.place);
  }

  levels(market: number, hour: number, side: number): { price: number; quantity: number; orders: number }[] {
    const queue = this.queue(market, hour, side);
    return [...new Set(queue.map(({ price }) => price))].map((price) => {
      const at = queue.filter((order) => order.price === price);
      return { price, quantity: at.reduce((sum, order) => sum + order.visible, 0), orders: at.length };
    });
  }

  depth(market: number, hour: number) {
    return { bids: this.levels(market, hour, BUY), asks: this.levels(market, hour, SELL) };
  }

  /** Newest first. */
  trades(market: number, hour: number): EventOf<'fill'>[] {
    return this.fills.filter((fill) => fill.market === market && fill.hour === hour).reverse();
  }

  candles(market: number, hour: number, millis: number): NaiveCandle[] {
    const trades = this.trades(market, hour).reverse();
    const starts = [...new Set(trades.map(({ now }) => now - (now % millis)))];
    return starts.map((start) => {
      const inside = trades.filter(({ now }) => now >= start && now < start + millis);
      const prices = inside.map(({ price }) => price);
      return {
        start, open: prices[0], high: Math.max(...prices), low: Math.min(...prices), close: prices[prices.length - 1],
        volume: inside.reduce((sum, { quantity }) => sum + quantity, 0),
        notional: BigInt(inside.reduce((sum, { price, quantity }) => sum + price * quantity, 0)), trades: inside.length,
      };
    });
  }

  /** Trades of a class in the 24 hours to the minute before `now`. */
  lastDay(classId: number, now: number): EventOf<'fill'>[] {
    const oldest = now - (now % MILLIS_PER_MINUTE) - MILLIS_PER_DAY + MILLIS_PER_MINUTE;
    return this.fills.filter((fill) => Math.floor(fill.market / 16) === classId && fill.now >= oldest);
  }
}
