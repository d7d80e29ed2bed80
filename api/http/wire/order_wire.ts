/** Orders and fills as they are sent, and how a command's events become them. */
import { z } from 'zod';
import type { FillRecord } from '../../../db/queries/fills.ts';
import { BUY, CANCEL_NEWEST, LIMIT, NONE, ORDER_TYPES, SELF_TRADE_PREVENTIONS, SELL, SIDES, TIMES_IN_FORCE, IOC, MARKET, STOP } from '../../../engine/vocabulary.ts';
import { ORDER_STATUSES } from '../../../engine/events.ts';
import type { EngineEvent, EventOf } from '../../../engine/events.ts';
import { divideHalfEven } from '../../../engine/numbers/muldiv.ts';
import { PARAMETERS } from '../../../engine/parameters.ts';
import type { OrderView } from '../../../engine/queries.ts';
import { MICRO, MILLIS_PER_HOUR, formatMicro, formatSteps, formatTicks, formatUnits } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { idOf } from '../../ids.ts';
import type { BlockTerms } from '../../market/live_orders.ts';
import type { FillEvent } from '../../market/market_data.ts';

const text = z.string();
export const orderSchema = z.object({
  id: text,
  client_order_id: text.nullable(),
  instrument: text,
  side: z.enum(SIDES),
  type: z.enum(ORDER_TYPES),
  price: text.nullable().describe('Limit in CR per GPU-hour; of a market order its protection'),
  quantity: text,
  filled_quantity: text,
  remaining_quantity: text,
  average_price: text.nullable(),
  status: z.enum(ORDER_STATUSES),
  cancel_reason: text.nullable(),
  reject_code: text.nullable(),
  time_in_force: z.enum(TIMES_IN_FORCE),
  post_only: z.boolean(),
  display_quantity: text.nullable(),
  minimum_quantity: text.nullable(),
  stop_price: text.nullable(),
  expires_at: text.nullable(),
  model: text.nullable(),
  block: z.object({ start_at: text, end_at: text, quantity: text, minimum_acceptance_ratio: text }).nullable()
    .describe('Of a block: its hours, the GPU-hours in each, and the least part it takes. Its instrument is its first hour, its other quantities are over all hours'),
  block_id: text.nullable().describe('Of one of the asks of a resting sell block: the block'),
  resale_of: text.nullable(),
  self_trade_prevention: z.enum(SELF_TRADE_PREVENTIONS),
  cancel_on_disconnect: z.boolean(),
  hold: text.describe('CR reserved'),
  fees: text.describe('CR charged so far'),
  net_usd_per_gpu_hour: text.nullable().describe('Sells: what a GPU-hour brings after the commission'),
  sequence: z.number().int(),
  created_at: text,
});
export type OrderWire = z.infer<typeof orderSchema>;

export const fillSchema = z.object({
  id: text,
  order_id: text,
  instrument: text,
  side: z.enum(SIDES),
  price: text,
  quantity: text,
  liquidity: z.enum(['maker', 'taker']),
  fee: text,
  fee_currency: z.enum(['CR', 'USD']),
  counterparty: z.null(),
  allocation_id: text.nullable(),
  created_at: text,
});
export type FillWire = z.infer<typeof fillSchema>;

/** An order and why it left the market; '' while it has not. */
export interface OrderState extends OrderView {
  reason: string;
  block?: BlockTerms | null;
  /** The sell block it is an ask of; 0: none. */
  blockId?: number;
}

const orNull = (value: number, format: (value: number) => string): string | null => (value > 0 ? format(value) : null);
let lastTime = { millis: 0, text: new Date(0).toISOString() };
/** Orders and fills of one command have one time, and those that follow often the same. */
function timeOf(millis: number): string {
  if (millis !== lastTime.millis) lastTime = { millis, text: new Date(millis).toISOString() };
  return lastTime.text;
}

export function orderWire(directory: Directory, order: OrderState): OrderWire {
  const filled = order.quantity - order.remaining;
  const closed = order.reason !== '' && order.reason !== 'filled';
  return {
    id: idOf('order', order.order),
    client_order_id: order.clientOrderId === '' ? null : order.clientOrderId,
    instrument: directory.instrumentName(order.market, order.hour),
    side: SIDES[order.side],
    type: ORDER_TYPES[order.orderType],
    price: orNull(order.price, formatTicks),
    quantity: formatSteps(order.quantity),
    filled_quantity: formatSteps(filled),
    remaining_quantity: formatSteps(order.remaining),
    average_price: filled === 0 ? null : averagePrice(order.notional, filled),
    status: order.status,
    cancel_reason: closed ? order.reason : null,
    reject_code: null,
    time_in_force: TIMES_IN_FORCE[order.timeInForce],
    post_only: order.postOnly,
    display_quantity: orNull(order.displayQuantity, formatSteps),
    minimum_quantity: orNull(order.minimumQuantity, formatSteps),
    stop_price: orNull(order.stopPrice, formatTicks),
    expires_at: orNull(order.expiresAt, timeOf),
    model: order.model === NONE ? null : directory.modelName(order.model),
    block: order.block == null ? null : blockWire(order.block),
    block_id: order.blockId === undefined || order.blockId === 0 ? null : idOf('order', order.blockId),
    resale_of: order.resaleOf > 0 ? idOf('allocation', order.resaleOf) : null,
    self_trade_prevention: SELF_TRADE_PREVENTIONS[order.selfTradePrevention],
    cancel_on_disconnect: order.cancelOnDisconnect,
    hold: formatMicro(order.hold),
    fees: formatMicro(order.fees),
    net_usd_per_gpu_hour: order.side === SELL ? netUsdOf(order, filled) : null,
    sequence: order.sequence,
    created_at: timeOf(order.acceptedAt),
  };
}

const blockWire = ({ fromHour, toHour, quantity, minimumAcceptanceRatio }: BlockTerms): NonNullable<OrderWire['block']> => ({
  start_at: timeOf(fromHour * MILLIS_PER_HOUR),
  end_at: timeOf(toHour * MILLIS_PER_HOUR),
  quantity: formatSteps(quantity),
  minimum_acceptance_ratio: formatUnits(minimumAcceptanceRatio, 6),
});

/** Half-even to 8 places of a CR. Notional is micro-CR, quantity steps: their quotient is ticks. */
function averagePrice(notional: number, steps: number): string {
  return formatUnits(divideHalfEven(BigInt(notional) * 10_000n, BigInt(steps)), 8, 4);
}

/** Redemption rate and the commission of an order of that kind, at its average price, else at its limit. */
function netUsdOf(order: OrderState, filled: number): string | null {
  const takes = order.timeInForce >= IOC || order.orderType === MARKET || order.orderType === STOP;
  if (filled > 0) return netUsd(order.notional, filled, takes);
  return order.price > 0 ? netUsd(order.price, 1, takes) : null;
}

/** USD per GPU-hour, to 6 places, of `notional` micro-CR for `steps`. */
export function netUsd(notional: number, steps: number, takes: boolean): string {
  const kept = BigInt(MICRO - (takes ? PARAMETERS.takerFee : PARAMETERS.makerFee));
  const micro = divideHalfEven(BigInt(notional) * 100n * BigInt(PARAMETERS.redemptionRate) * kept, BigInt(steps) * BigInt(MICRO) * BigInt(MICRO));
  return formatUnits(micro, 6, 4);
}

/** A fill as one of its two sides sees it. The other side stays unnamed. */
export function fillWire(directory: Directory, fill: FillEvent, order: number): FillWire {
  const isTaker = fill.taker === order;
  const isBuyer = isTaker === (fill.takerSide === 'buy');
  const resells = !isBuyer && fill.seller !== fill.provider;
  const commission = Number(divideHalfEven(
    BigInt(fill.price * fill.quantity) * BigInt(PARAMETERS.redemptionRate) * BigInt(isTaker ? PARAMETERS.takerFee : PARAMETERS.makerFee), BigInt(MICRO) * BigInt(MICRO),
  ));
  return {
    id: idOf('fill', fill.fill),
    order_id: idOf('order', order),
    instrument: directory.instrumentName(fill.market, fill.hour),
    side: isBuyer ? 'buy' : 'sell',
    price: formatTicks(fill.price),
    quantity: formatSteps(fill.quantity),
    liquidity: isTaker ? 'taker' : 'maker',
    fee: formatMicro(isBuyer ? fill.fee : resells ? (fill.resaleFee ?? 0) : commission),
    fee_currency: isBuyer || resells ? 'CR' : 'USD',
    counterparty: null,
    allocation_id: isBuyer ? idOf('allocation', fill.allocation) : null,
    created_at: timeOf(fill.now),
  };
}

/** A fill of the past, as one of its sides sees it. */
export const pastFillWire = (directory: Directory, fill: FillRecord): FillWire => ({
  id: idOf('fill', fill.fill),
  order_id: idOf('order', fill.order),
  instrument: directory.instrumentName(fill.market, fill.hour),
  side: fill.side,
  price: formatTicks(fill.price),
  quantity: formatSteps(fill.quantity),
  liquidity: fill.liquidity,
  fee: formatMicro(fill.fee),
  fee_currency: fill.feeCurrency,
  counterparty: null,
  allocation_id: fill.allocation === null ? null : idOf('allocation', fill.allocation),
  created_at: timeOf(fill.at),
});

/** An order as it stands after the events of the command that placed it, with its fills. */
export interface Placed {
  order: OrderState;
  /** Each with the order that traded: of a resting sell block, one of its asks. */
  fills: { fill: FillEvent; order: number }[];
}

/** Follows one order through the events of one command. Undefined when they place none. */
export function placedBy(events: readonly EngineEvent[], sequence: number, now: number): Placed | undefined {
  const accepted = events.find((event) => event.kind === 'blockAccepted' || event.kind === 'orderAccepted');
  if (accepted === undefined) return undefined;
  const order = accepted.kind === 'blockAccepted' ? acceptedBlock(accepted, sequence, now) : acceptedOrder(accepted, sequence, now);
  // A sell block that rests is its asks.
  const asks = new Set<number>();
  for (const event of events) if (event.kind === 'blockAsk' && event.block === order.order) asks.add(event.order);
  const isOwn = (id: number): boolean => id === order.order || asks.has(id);
  const fills: Placed['fills'] = [];
  for (const event of events) {
    if (event.kind === 'fill') {
      const own = isOwn(event.taker) ? event.taker : isOwn(event.maker) ? event.maker : undefined;
      if (own !== undefined) fills.push({ fill: event, order: own });
      if (own !== undefined && own !== order.order) applyAskFill(order, event);
    }
    applyToOrder(order, event);
  }
  return { order, fills: fills.map(({ fill, order: own }) => ({ fill: withResaleFee(fill, events), order: own })) };
}

/** A resale's fill with what its seller was charged, which an event after it tells. */
export function withResaleFee(fill: EventOf<'fill'>, events: readonly EngineEvent[]): FillEvent {
  if (fill.seller === fill.provider) return fill;
  const resold = events.find((event) => event.kind === 'allocationResold' && event.to === fill.allocation);
  return resold?.kind === 'allocationResold' ? { ...fill, resaleFee: resold.fee } : fill;
}

function acceptedBlock(event: EventOf<'blockAccepted'>, sequence: number, now: number): OrderState {
  const { kind: _kind, block, side, timeInForce, fromHour, toHour, quantity, minimumAcceptanceRatio, ...rest } = event;
  const total = quantity * (toHour - fromHour);
  return {
    ...rest, order: block, hour: fromHour, side: SIDES.indexOf(side), orderType: LIMIT, quantity: total, remaining: total, timeInForce: TIMES_IN_FORCE.indexOf(timeInForce),
    block: { fromHour, toHour, quantity, minimumAcceptanceRatio }, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, resaleOf: 0,
    selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false, visible: 0, fees: 0, notional: 0, status: 'open', acceptedAt: now, sequence, reason: '',
  };
}

/** An ask of the block has traded. */
function applyAskFill(order: OrderState, event: EventOf<'fill'>): void {
  order.remaining -= event.quantity;
  order.notional += event.price * event.quantity;
  order.status = 'partially_filled';
}

function acceptedOrder(event: EventOf<'orderAccepted'>, sequence: number, now: number): OrderState {
  const { orderType, quantity } = event;
  // Field by field: to copy what is left of an object costs more than the rest of the answer.
  return {
    order: event.order, company: event.company, market: event.market, hour: event.hour, side: SIDES.indexOf(event.side), orderType: ORDER_TYPES.indexOf(orderType),
    price: event.price, quantity, remaining: quantity, timeInForce: TIMES_IN_FORCE.indexOf(event.timeInForce), postOnly: event.postOnly,
    displayQuantity: event.displayQuantity, minimumQuantity: event.minimumQuantity, stopPrice: event.stopPrice, expiresAt: event.expiresAt, model: event.model,
    resaleOf: event.resaleOf, selfTradePrevention: SELF_TRADE_PREVENTIONS.indexOf(event.selfTradePrevention), cancelOnDisconnect: event.cancelOnDisconnect,
    hold: event.hold, clientOrderId: event.clientOrderId, visible: 0, fees: 0, notional: 0,
    status: orderType === 'stop' || orderType === 'stop_limit' ? 'untriggered' : 'open', acceptedAt: now, sequence, reason: '',
  };
}

function applyToOrder(order: OrderState, event: EngineEvent): void {
  if (event.kind === 'fill') return applyFill(order, event);
  if (event.kind === 'blockExecuted' && event.block === order.order) order.hold = event.hold;
  if (!('order' in event) || event.order !== order.order) return;
  switch (event.kind) {
    case 'orderRested':
      order.visible = event.visible;
      order.remaining = event.remaining;
      break;
    case 'orderReduced':
      // What a fill took has been counted by then: the rest was taken off by self-trade prevention.
      order.quantity -= order.remaining - event.remaining;
      order.visible = event.visible;
      order.remaining = event.remaining;
      order.hold = event.hold;
      break;
    case 'orderTriggered':
      order.status = 'open';
      break;
    case 'allocationResold':
      order.fees += event.fee;
      break;
    case 'orderDone':
      order.remaining = event.remaining;
      order.visible = 0;
      order.hold = 0;
      order.status = event.status;
      order.reason = event.reason;
      break;
  }
}

function applyFill(order: OrderState, event: EventOf<'fill'>): void {
  const isTaker = event.taker === order.order;
  if (!isTaker && event.maker !== order.order) return;
  order.remaining = isTaker ? event.takerRemaining : event.makerRemaining;
  order.notional += event.price * event.quantity;
  order.status = 'partially_filled';
  if (order.side !== BUY) return;
  order.fees += event.fee;
  order.hold = event.buyerHold;
}
