/** What a client may send about orders, and the commands it becomes. */
import { z } from 'zod';
import { IOC, NONE, ORDER_TYPES, SELF_TRADE_PREVENTIONS, SIDES, TIMES_IN_FORCE } from '../../../engine/vocabulary.ts';
import type { AmendOrder, BatchOrders, CancelOrder, PlaceBlock, PlaceOrder } from '../../../engine/commands.ts';
import { MILLIS_PER_HOUR, OUT_OF_RANGE, parseSteps as stepsOf, parseTicks as ticksOf, parseUnits } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import { parseId } from '../../ids.ts';
import { decimal, identifier, instant, signedDecimal } from './schemas.ts';

const clientOrderId = z.string().regex(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 visible ASCII characters');

/** What is below zero is a decimal too: it is refused as out of range, in its place among the refusals. */
const amount = signedDecimal;

export const orderFields = {
  instrument: identifier,
  side: z.enum(SIDES),
  type: z.enum(ORDER_TYPES).default('limit'),
  price: amount.nullish(),
  quantity: amount,
  time_in_force: z.enum(TIMES_IN_FORCE).default('gtc'),
  post_only: z.boolean().default(false),
  client_order_id: clientOrderId.nullish(),
  self_trade_prevention: z.enum(SELF_TRADE_PREVENTIONS).default('cancel_newest'),
  display_quantity: amount.nullish(),
  minimum_quantity: amount.nullish(),
  stop_price: amount.nullish(),
  expires_at: instant.nullish(),
  cancel_on_disconnect: z.boolean().default(false),
  model: z.string().min(1).max(200).nullish(),
  resale_of: identifier.nullish(),
};
export const orderBody = z.strictObject(orderFields);
export type OrderBody = z.output<typeof orderBody>;

export const amendFields = { price: amount.nullish(), quantity: amount.nullish().describe('What is to remain') };
export const amendBody = z.strictObject(amendFields);

const batchOperation = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('place'), ...orderFields }),
  z.strictObject({ op: z.literal('cancel'), id: identifier }),
  z.strictObject({ op: z.literal('amend'), id: identifier, ...amendFields }),
]);
const { $schema: _, ...batchOperationJson } = z.toJSONSchema(batchOperation, { io: 'input', unrepresentable: 'any' });
/** Each operation is checked by itself: one that is malformed must not stop the cancels beside it. */
export const batchBody = z.strictObject({
  operations: z.array(z.unknown().meta(batchOperationJson)).min(1, 'must not be empty').max(500, 'may hold at most 500'),
});

export const blockBody = z.strictObject({
  class: identifier,
  region: identifier,
  start_at: instant,
  end_at: instant,
  side: z.enum(SIDES),
  price: amount,
  quantity: amount.describe('GPU-hours in each hour'),
  time_in_force: z.enum(['fok', 'ioc', 'gtc']).default('gtc'),
  minimum_acceptance_ratio: decimal.default('1'),
  model: z.string().min(1).max(200).nullish(),
  client_order_id: clientOrderId.nullish(),
});

/** @throws ApiError invalid_request naming the field; codes of the order itself */
export function batchCommand(directory: Directory, company: number, operation: unknown): BatchOrders['operations'][number] {
  const { success, data, error } = batchOperation.safeParse(operation);
  if (!success) {
    const [issue] = error.issues;
    const field = issue.path.map(String).join('.') || (issue.code === 'unrecognized_keys' ? issue.keys[0] : 'op');
    throw malformed(field, issue.message);
  }
  if (data.op === 'place') return placeCommand(directory, company, data);
  return data.op === 'cancel' ? cancelCommand(company, data.id) : amendCommand(company, data.id, data);
}

/** The engine refuses a model it does not know; NONE would mean any. */
const UNKNOWN_MODEL = 0x7fffffff;

const malformed = (field: string, detail: string): ApiError => new ApiError('invalid_request', { field, values: { detail: `${field}: ${detail}` } });

/** A value below zero is out of range; off the grid it is that first. */
const signed = (parse: (text: string) => number) => (text: string): number => {
  if (!text.startsWith('-')) return parse(text);
  const value = parse(text.slice(1));
  return value > 0 ? OUT_OF_RANGE : value;
};
const parseTicks = signed(ticksOf);
const parseSteps = signed(stepsOf);

/** Zero stands for "none" inside, so a zero that was written out is a value out of range. */
const written = (text: string | null | undefined, parse: (text: string) => number): number => {
  if (text === null || text === undefined) return 0;
  const value = parse(text);
  return value === 0 ? OUT_OF_RANGE : value;
};

/** @throws ApiError for what contradicts itself; what the market refuses is left to the engine */
export function placeCommand(directory: Directory, company: number, body: OrderBody): PlaceOrder {
  requireConsistent(body);
  const instrument = directory.instrument(body.instrument);
  const price = body.price === null || body.price === undefined ? NONE : parseTicks(body.price);
  return {
    type: 'place',
    company,
    market: instrument?.market ?? NONE,
    hour: instrument?.hour ?? 0,
    side: body.side === 'buy' ? 0 : 1,
    orderType: ORDER_TYPES.indexOf(body.type),
    price,
    quantity: parseSteps(body.quantity),
    timeInForce: TIMES_IN_FORCE.indexOf(body.time_in_force),
    postOnly: body.post_only,
    displayQuantity: written(body.display_quantity, parseSteps),
    minimumQuantity: written(body.minimum_quantity, parseSteps),
    stopPrice: written(body.stop_price, parseTicks),
    expiresAt: body.expires_at === null || body.expires_at === undefined ? 0 : Math.max(1, Date.parse(body.expires_at)),
    model: modelOf(directory, body.model),
    resaleOf: resaleOf(body.resale_of),
    selfTradePrevention: SELF_TRADE_PREVENTIONS.indexOf(body.self_trade_prevention),
    cancelOnDisconnect: body.cancel_on_disconnect,
    clientOrderId: body.client_order_id ?? '',
  };
}

function requireConsistent(body: OrderBody): void {
  const priced = body.type === 'limit' || body.type === 'stop_limit';
  const stops = body.type === 'stop' || body.type === 'stop_limit';
  const given = (value: unknown): boolean => value !== null && value !== undefined;
  if (priced && !given(body.price)) throw malformed('price', `is needed for a ${body.type} order`);
  if (stops !== given(body.stop_price)) throw malformed('stop_price', stops ? `is needed for a ${body.type} order` : 'is for stop orders');
  if ((body.time_in_force === 'gtd') !== given(body.expires_at)) throw malformed('expires_at', 'goes with time_in_force "gtd"');
  if (body.post_only && (body.type !== 'limit' || TIMES_IN_FORCE.indexOf(body.time_in_force) >= IOC)) throw malformed('post_only', 'is for limit orders that may rest');
  if (body.side === 'buy' && given(body.resale_of)) throw malformed('resale_of', 'is for sells');
  if (body.side === 'sell' && given(body.model)) throw malformed('model', 'is for buys');
}

function modelOf(directory: Directory, name: string | null | undefined): number {
  if (name === null || name === undefined) return NONE;
  const model = directory.modelId(name);
  return model === NONE ? UNKNOWN_MODEL : model;
}

function resaleOf(id: string | null | undefined): number {
  if (id === null || id === undefined) return 0;
  const allocation = parseId('allocation', id);
  if (allocation === undefined) throw new ApiError('unknown_allocation', { field: 'resale_of' });
  return allocation;
}

/** An id that is none of ours is an order nobody has. */
const orderNumber = (id: string): number => parseId('order', id) ?? NONE;

export const cancelCommand = (company: number, id: string): CancelOrder => ({ type: 'cancel', company, order: orderNumber(id) });

export function amendCommand(company: number, id: string, body: z.output<typeof amendBody>): AmendOrder {
  if ((body.price ?? null) === null && (body.quantity ?? null) === null) throw malformed('price', 'a new price or a new quantity is needed');
  return { type: 'amend', company, order: orderNumber(id), price: written(body.price, parseTicks), quantity: written(body.quantity, parseSteps) };
}

export function blockCommand(directory: Directory, company: number, body: z.output<typeof blockBody>): PlaceBlock {
  return {
    type: 'placeBlock',
    company,
    market: directory.marketId(body.class, body.region),
    fromHour: wholeHour('start_at', body.start_at),
    toHour: wholeHour('end_at', body.end_at),
    side: body.side === 'buy' ? 0 : 1,
    price: parseTicks(body.price),
    quantity: parseSteps(body.quantity),
    timeInForce: TIMES_IN_FORCE.indexOf(body.time_in_force),
    minimumAcceptanceRatio: parseUnits(body.minimum_acceptance_ratio, 6, 1_000_000),
    model: modelOf(directory, body.model),
    clientOrderId: body.client_order_id ?? '',
  };
}

function wholeHour(field: string, text: string): number {
  const hour = Date.parse(text) / MILLIS_PER_HOUR;
  if (!Number.isSafeInteger(hour)) throw malformed(field, 'must be a whole hour (UTC)');
  return hour;
}
