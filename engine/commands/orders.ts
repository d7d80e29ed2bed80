/** What traders ask of the book. */
import type { Hour, MicroGpuSeconds, Millis, Ppm } from '../numbers/units.ts';
import type { AllocationId, CompanyId, MarketId, ModelId, OrderId, Side } from '../vocabulary.ts';

export interface PlaceOrder {
  type: 'place';
  company: CompanyId;
  /** NONE when the name was not known. */
  market: MarketId;
  hour: Hour;
  side: Side;
  /** Index into ORDER_TYPES. */
  orderType: number;
  /** Limit, or protection of a market order; NONE for a market order without; NOT_A_MULTIPLE and OUT_OF_RANGE are refused in place. */
  price: number;
  quantity: number;
  timeInForce: number;
  postOnly: boolean;
  /** 0: the whole quantity is shown. */
  displayQuantity: number;
  /** 0: none. */
  minimumQuantity: number;
  /** 0: none. */
  stopPrice: number;
  /** 0: none. */
  expiresAt: Millis;
  /** Bids only; NONE: any provider. */
  model: ModelId;
  /** Asks only; 0: the provider's own capacity. */
  resaleOf: AllocationId;
  selfTradePrevention: number;
  cancelOnDisconnect: boolean;
  /** '' when the client gave none. */
  clientOrderId: string;
  /** Resales alone: GPU time of the allocation that is held for requests under way. The sequencer writes it, so that replay does not need to know. */
  held?: MicroGpuSeconds;
  /** Bids that trade at once or not at all: only this provider's capacity will do. */
  provider?: CompanyId;
}

export interface CancelOrder {
  type: 'cancel';
  company: CompanyId;
  order: OrderId;
}

export interface AmendOrder {
  type: 'amend';
  company: CompanyId;
  order: OrderId;
  /** New limit; 0 keeps it. */
  price: number;
  /** New remaining quantity; 0 keeps it. */
  quantity: number;
}
export type OrderCommand = PlaceOrder | CancelOrder | AmendOrder;

/** Up to 500 order commands of one company, applied in order, each with its own result. */
export interface BatchOrders {
  type: 'batch';
  company: CompanyId;
  operations: OrderCommand[];
}

export interface CancelAll {
  type: 'cancelAll';
  company: CompanyId;
  /** NONE: every market. */
  market: MarketId;
  /** NONE: every hour. */
  hour: Hour;
  /** NONE: both. */
  side: number;
  /** Only orders that asked for cancellation when their session ends. */
  onDisconnect: boolean;
  /** The provider serves nothing there any more; absent: its owner wants it. */
  notServed?: boolean;
}

/** The dead-man timer: unless renewed, all orders are cancelled at engine time now + after; 0 disarms. */
export interface CancelAfter {
  type: 'cancelAfter';
  company: CompanyId;
  after: Millis;
}

export interface PlaceBlock {
  type: 'placeBlock';
  company: CompanyId;
  market: MarketId;
  /** First delivery hour and one past the last. */
  fromHour: Hour;
  toHour: Hour;
  side: Side;
  /** Bounds the average over all hours. */
  price: number;
  /** Steps in each hour. */
  quantity: number;
  timeInForce: number;
  minimumAcceptanceRatio: Ppm;
  model: ModelId;
  clientOrderId: string;
}
