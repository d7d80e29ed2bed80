/**
 * One hour's book of the whole exchange behind the interface of a lone book: credit, capacity, fees and
 * holds take part, and the trades must still be those of the naive book.
 */
import { BUY, GTC, LIMIT, NONE, SELL, STOP_LIMIT } from '../vocabulary.ts';
import type { Command, PlaceOrder } from '../commands.ts';
import type { RejectCode } from '../catalogue.ts';
import type { EngineEvent, EventOf } from '../events.ts';
import type { BookListener, BookOrder, DepthLevel } from '../book/lone_book.ts';
import type { OrderView } from '../queries.ts';
import { World, all, price } from './world.ts';
import { openOrders } from './open.ts';

export interface WholeOrder extends BookOrder {
  /** A bid that names the one model there is. */
  model: boolean;
  /** An ask of what the owner's buyer has bought from the source. */
  resale: boolean;
  cancelOnDisconnect: boolean;
}

export const OWNERS = 4;
const PLENTY = 1_000_000;
const LIST_PRICE = price(3);
/** Owners up to here serve the model; the source, whose hours are resold, does too. */
const SERVING = 2;
export const mayTrade = (bid: BookOrder, ask: BookOrder): boolean => !(bid as WholeOrder).model || (ask as WholeOrder).resale || ask.owner <= SERVING;

/** The limit that a market order without protection gets. */
export const unprotected = (sell: boolean): number => (sell ? 1 : LIST_PRICE);

/** Each owner is a buyer and a provider of one group. */
export class WholeMarket extends World {
  readonly buyers: number[] = [];
  readonly providers: number[] = [];
  readonly source: number;

  constructor() {
    super();
    this.run({ type: 'addModel', name: 'small' });
    for (let owner = 1; owner <= OWNERS; owner++) {
      this.buyers[owner] = this.buyer(PLENTY, `buyer ${owner}`, `owner ${owner}`);
      this.providers[owner] = this.provider(PLENTY, `provider ${owner}`, `owner ${owner}`);
      this.run({ type: 'setEligibility', company: this.providers[owner], market: 0, models: owner <= SERVING ? [0] : [] });
    }
    this.source = this.provider(PLENTY, 'source');
    this.run({ type: 'setEligibility', company: this.source, market: 0, models: [0] });
  }
}

export class WholeBook {
  /** Everything that happened, as it was told. */
  readonly told: EngineEvent[] = [];
  private readonly market: WholeMarket;
  private readonly hour: number;
  private readonly tell: BookListener;
  private readonly engineIds = new Map<number, number>();
  private readonly ids = new Map<number, number>();
  private readonly companies = new Map<number, number>();
  private allocation = 0;
  private placing = 0;

  constructor(market: WholeMarket, hour: number, listener: BookListener) {
    this.market = market;
    this.hour = hour;
    this.tell = listener;
  }

  /** The test's number of an order of the engine. */
  idOf(order: number): number {
    return this.ids.get(order) ?? 0;
  }

  private run(command: Command): RejectCode | undefined {
    const { events, rejected } = this.market.run(command);
    for (const event of events) this.hear(event);
    return rejected;
  }

  private hear(event: EngineEvent): void {
    this.told.push(event);
    switch (event.kind) {
      case 'orderAccepted':
        this.ids.set(event.order, this.placing);
        this.engineIds.set(this.placing, event.order);
        this.companies.set(this.placing, event.company);
        this.tell.accepted(this.placing);
        break;
      case 'fill': this.tell.traded(this.idOf(event.maker), this.idOf(event.taker), event.price, event.quantity); break;
      case 'orderTriggered': this.tell.triggered(this.idOf(event.order)); break;
      case 'orderAmended': this.tell.amended(this.idOf(event.order), event.price, event.remaining, event.keptPriority); break;
      case 'orderDone': this.left(event); break;
    }
  }

  private left({ order, status, reason, remaining }: EventOf<'orderDone'>): void {
    const id = this.idOf(order);
    if (status === 'filled') this.tell.filled(id);
    else this.tell.cancelled(id, remaining, reason === 'disconnected' ? 'requested' : (reason as 'requested'));
  }

  private command(order: WholeOrder): PlaceOrder {
    const own = order.sell && !order.resale ? this.market.providers : this.market.buyers;
    const hasLimit = order.orderType === LIMIT || order.orderType === STOP_LIMIT || order.price !== unprotected(order.sell);
    return {
      type: 'place', company: own[order.owner], market: 0, hour: this.hour, side: order.sell ? SELL : BUY, orderType: order.orderType, price: hasLimit ? order.price : NONE,
      quantity: order.quantity, timeInForce: order.timeInForce, postOnly: order.postOnly, displayQuantity: order.displayQuantity, minimumQuantity: order.minimumQuantity,
      stopPrice: order.stopPrice, expiresAt: order.expiresAt, model: order.model ? 0 : NONE, resaleOf: order.resale ? this.allocation : 0,
      selfTradePrevention: order.selfTradePrevention, cancelOnDisconnect: order.cancelOnDisconnect, clientOrderId: '',
    };
  }

  /** The owner's buyer buys so much of the source, to have something to sell again. */
  stock(owner: number, at: number, quantity: number): void {
    const plain = {
      id: 0, owner, orderType: LIMIT, price: at, quantity, timeInForce: GTC, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0,
      selfTradePrevention: 0, expiresAt: 0, model: false, resale: false, cancelOnDisconnect: false,
    };
    this.market.run({ ...this.command({ ...plain, sell: true }), company: this.market.source });
    const [bought] = all(this.market.run(this.command({ ...plain, sell: false })).events, 'fill');
    this.allocation = bought.allocation;
  }

  place(order: WholeOrder): RejectCode | undefined {
    this.placing = order.id;
    return this.run(this.command(order));
  }

  private known(id: number): { order: number; company: number } {
    return { order: this.engineIds.get(id) ?? NONE, company: this.companies.get(id) ?? this.market.source };
  }

  cancel(id: number): RejectCode | undefined {
    return this.run({ type: 'cancel', ...this.known(id) });
  }

  amend(id: number, price: number, quantity: number): RejectCode | undefined {
    return this.run({ type: 'amend', ...this.known(id), price, quantity });
  }

  advance(now: number): void {
    this.run({ type: 'tick', now });
  }

  /** The last connection of the order's company ends. */
  disconnect(id: number): void {
    this.run({ type: 'cancelAll', company: this.known(id).company, market: NONE, hour: NONE, side: NONE, onDisconnect: true });
  }

  /** The order as it stands, undefined when it is not in the market. */
  view(id: number): OrderView | undefined {
    const { order, company } = this.known(id);
    return openOrders(this.market.engine, company).find((view) => view.order === order);
  }

  depth(sell: boolean, _levels: number): DepthLevel[] {
    const levels = new Map<number, DepthLevel>();
    for (const view of this.market.engine.query('market', {}).orders) {
      if (view.company === this.market.source || (view.side === SELL) !== sell || view.hour !== this.hour || view.status === 'untriggered') continue;
      const level = levels.get(view.price) ?? { price: view.price, quantity: 0n, orders: 0 };
      levels.set(view.price, { price: view.price, quantity: level.quantity + BigInt(view.visible), orders: level.orders + 1 });
    }
    return [...levels.values()].sort((a, b) => (sell ? a.price - b.price : b.price - a.price));
  }
}
