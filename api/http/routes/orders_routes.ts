/** Entering, changing and cancelling orders. */
import { z } from 'zod';
import { REJECT_CODES } from '../../../engine/catalogue.ts';
import type { RejectCode } from '../../../engine/catalogue.ts';
import { NONE, SIDES } from '../../../engine/vocabulary.ts';
import type { BatchOrders, PlaceBlock, PlaceOrder } from '../../../engine/commands.ts';
import type { EngineEvent } from '../../../engine/events.ts';
import { formatMicro, formatSteps, formatTicks } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { idOf, parseId } from '../../ids.ts';
import type { LiveOrder } from '../../market/live_orders.ts';
import { orderViewOf } from '../../market/live_orders.ts';
import type { FillEvent } from '../../market/market_data.ts';
import { eventOf } from '../../sequencer/port.ts';
import type { Ack } from '../../sequencer/port.ts';
import type { Services } from '../../services.ts';
import { principalIn } from '../middleware/caller.ts';
import { ClientOrderIds } from '../client_order_ids.ts';
import { isDrained } from '../drained.ts';
import { absence, reasonsOf, submitChange } from '../closed_orders.ts';
import { amendBody, amendCommand, batchBody, batchCommand, blockBody, blockCommand, cancelCommand, orderBody, placeCommand } from '../wire/order_commands.ts';
import { fillSchema, fillWire, orderSchema, orderWire, placedBy, withResaleFee } from '../wire/order_wire.ts';
import type { OrderState, OrderWire } from '../wire/order_wire.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { errorSchema, idParams, identifier } from '../wire/schemas.ts';
import { attempt, marketCaughtUp, submit } from '../submit.ts';
import type { Caller } from '../submit.ts';

const tag = 'orders';
const placedSchema = z.object({ order: orderSchema, fills: z.array(fillSchema) });
/** What a cancel or an amend in a batch has done. */
const changeSchema = z.object({ id: z.string(), status: z.string(), price: z.string().optional(), remaining_quantity: z.string(), hold: z.string().optional() });
const resultSchema = z.object({
  status: z.number().int().describe('As the single call would answer: 201 placed, 200 changed or cancelled, 4xx refused'),
  order: z.union([orderSchema, changeSchema]).optional(),
  fills: z.array(fillSchema).optional(),
  error: errorSchema.shape.error.optional(),
});
type Result = z.infer<typeof resultSchema>;

const placeOrder = (ids: ClientOrderIds): Route => route({
  method: 'post', path: '/api/v1/orders', direct: true, operationId: 'placeOrder', summary: 'Place an order', tag, scope: 'trade', body: orderBody,
  responses: { 201: { description: 'The order was accepted; it may have traded or have been cancelled at once.', schema: placedSchema } },
  async handle(context) {
    const { services, body } = context;
    const { company } = principalIn(context);
    const command = placeCommand(services.directory, company, body);
    const used = await ids.usedOf(services, company, [command.clientOrderId]);
    const refusal = await refusalOutside(services, command, used);
    if (refusal !== undefined) throw refusal;
    return { status: 201, body: placedWire(services.directory, await submit(context, command)) };
  },
});

/** Why an order is refused though the engine would take it; undefined: it is not. */
async function refusalOutside(services: Services, order: PlaceOrder, used: ReadonlySet<string>): Promise<ApiError | undefined> {
  if (used.has(order.clientOrderId)) return refusalOfUsed(services, order);
  return (await isDrained(services, order)) ? refusalBy(services, order, 'insufficient_capacity') : undefined;
}

const refusalOfUsed = (services: Services, order: PlaceOrder | PlaceBlock): Promise<ApiError> => refusalBy(services, order, 'duplicate_client_order_id', 'client_order_id');

/** What stands before the code in the order of precedence, the engine says. */
async function refusalBy({ sequencer }: Services, order: PlaceOrder | PlaceBlock, code: RejectCode, field?: string): Promise<ApiError> {
  const refusal = await sequencer.query('refusal', { order });
  if (refusal !== null && REJECT_CODES.indexOf(refusal) < REJECT_CODES.indexOf(code)) return new ApiError(refusal);
  return new ApiError(code, field === undefined ? {} : { field });
}

function placedWire(directory: Directory, ack: Ack): z.infer<typeof placedSchema> {
  const placed = placedBy(ack.events, ack.sequence, ack.now);
  if (placed === undefined) throw new Error(`command ${ack.sequence} placed nothing`);
  return { order: orderWire(directory, placed.order), fills: placed.fills.map(({ fill, order }) => fillWire(directory, fill, order)) };
}

const placeBatch = (ids: ClientOrderIds): Route => route({
  method: 'post', path: '/api/v1/orders/batch', direct: true, operationId: 'batchOrders', summary: 'Place, cancel and amend up to 500 orders, in order', tag, scope: 'trade',
  body: batchBody, bodyLimit: 1024 * 1024,
  responses: { 200: { description: 'One result for each operation, in their order.', schema: z.object({ results: z.array(resultSchema) }) } },
  async handle(context) {
    const { services, body } = context;
    const { company } = principalIn(context);
    const parsed = body.operations.map((operation) => parsedOperation(services.directory, company, operation));
    const clientIds = parsed.flatMap((operation) => ('type' in operation && operation.type === 'place' ? [operation.clientOrderId] : []));
    const used = await ids.usedOf(services, company, clientIds);
    const known = await Promise.all(parsed.map(async (operation) => (
      'type' in operation && operation.type === 'place' ? ((await refusalOutside(services, operation, used)) ?? operation) : operation
    )));
    const operations = known.filter((operation) => 'type' in operation);
    const executed = operations.length === 0 ? [] : await executeBatch(context, company, operations);
    let next = 0;
    return { status: 200, body: { results: known.map((operation) => ('type' in operation ? executed[next++] : refusedBy(operation, context.requestId))) } };
  },
});

type Operation = BatchOrders['operations'][number];

/** The operation, or why it is none. */
function parsedOperation(directory: Directory, company: number, operation: unknown): Operation | ApiError {
  try {
    return batchCommand(directory, company, operation);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error;
  }
}

async function executeBatch(context: Caller & { requestId: string }, company: number, operations: Operation[]): Promise<Result[]> {
  const ack = await attempt(context, { type: 'batch', company, operations });
  return withReasons(context, company, operations, resultsOf(context.services.directory, ack, operations, context.requestId));
}

const refusedBy = (error: ApiError, requestId: string): Result => ({ status: error.status, error: error.body(requestId).error });

/** @throws ApiError when the batch as a whole was refused */
function resultsOf(directory: Directory, ack: Ack, operations: readonly Operation[], requestId: string): Result[] {
  const perOperation: EngineEvent[][] = operations.map(() => []);
  let current: EngineEvent[] | undefined;
  for (const event of ack.events) {
    if (event.kind === 'operation') current = perOperation[event.index];
    else if (current !== undefined) current.push(event);
    else if (event.kind === 'rejected') throw new ApiError(event.code);
  }
  return perOperation.map((events, index) => resultOf(directory, operations[index], events, ack, requestId));
}

function resultOf(directory: Directory, operation: Operation, events: EngineEvent[], ack: Ack, requestId: string): Result {
  const rejected = eventOf(events, 'rejected');
  if (rejected !== undefined) {
    return refusedBy(new ApiError(rejected.code), requestId);
  }
  if (operation.type !== 'place') return { status: 200, ...changedWire(directory, operation.order, events) };
  const placed = placedBy(events, ack.sequence, ack.now);
  if (placed === undefined) throw new Error(`command ${ack.sequence} placed nothing`);
  return { status: 201, order: orderWire(directory, placed.order), fills: placed.fills.map(({ fill, order }) => fillWire(directory, fill, order)) };
}

/**
 * Tells the caller's own orders that are over from those that never were. While the tables of the past are behind, who
 * sends a key is told to repeat, and then hears what it will always hear; who has none is not to repeat what was executed.
 */
async function withReasons({ services, requestId, idempotencyKey }: Caller & { requestId: string }, company: number, operations: BatchOrders['operations'], results: Result[]): Promise<Result[]> {
  const orders = operations.map((operation, index) => (operation.type !== 'place' && results[index].error?.code === 'unknown_order' ? operation.order : undefined));
  const reasons = await reasonsOf(services, company, orders.filter((order) => order !== undefined)).catch((error: unknown): Map<number, ErrorCode> => {
    if (idempotencyKey === '') return new Map();
    throw error;
  });
  return results.map((result, index) => {
    const order = orders[index];
    // An id that is none counts as NONE among the orders asked for; what placed an order was asked for none.
    const reason = order === undefined ? undefined : reasons.get(order);
    return reason === undefined ? result : refusedBy(new ApiError(reason), requestId);
  });
}

/** What a cancel or an amend has done, told by its events alone, so that a repeat hears the same. */
function changedWire(directory: Directory, subject: number, events: EngineEvent[]): Pick<Result, 'order' | 'fills'> {
  let [status, price, remaining, hold] = ['open', 0, 0, 0];
  for (const event of events) {
    if (event.kind === 'fill' && (event.taker === subject || event.maker === subject)) {
      const takes = event.taker === subject;
      [status, remaining] = ['partially_filled', takes ? event.takerRemaining : event.makerRemaining];
      if (takes === (event.takerSide === 'buy')) hold = event.buyerHold;
    }
    if (!('order' in event) || event.order !== subject) continue;
    if (event.kind === 'orderAmended') price = event.price;
    if (event.kind === 'orderAmended' || event.kind === 'orderReduced') [remaining, hold] = [event.remaining, event.hold];
    if (event.kind === 'orderDone') [status, remaining, hold] = [event.status, event.remaining, 0];
  }
  return {
    order: { id: idOf('order', subject), status, ...(price > 0 ? { price: formatTicks(price) } : {}), remaining_quantity: formatSteps(remaining), hold: formatMicro(hold) },
    fills: fillsOf(events, subject).map((fill) => fillWire(directory, fill, subject)),
  };
}

/** What an order has executed by the command, also with a block that waited for it. */
const fillsOf = (events: EngineEvent[], order: number): FillEvent[] =>
  events.flatMap((event) => (event.kind === 'fill' && (event.taker === order || event.maker === order) ? [withResaleFee(event, events)] : []));

const amendOrder = route({
  method: 'patch', path: '/api/v1/orders/{id}', operationId: 'amendOrder', summary: 'Change price or remaining quantity; a pure decrease keeps the place in the queue',
  tag, scope: 'trade', params: idParams, body: amendBody,
  responses: { 200: { description: 'The order as it stands now.', schema: placedSchema } },
  async handle(context) {
    const { services, params } = context;
    const { company } = principalIn(context);
    const command = amendCommand(company, params.id, context.body);
    const before = await liveOrder(services, company, params.id);
    const ack = await submitChange(context, command);
    const fills = fillsOf(ack.events, command.order).map((fill) => fillWire(services.directory, fill, command.order));
    return { status: 200, body: { order: await orderAfter(services, before, params.id), fills } };
  },
});

const cancelOrder = route({
  method: 'delete', path: '/api/v1/orders/{id}', operationId: 'cancelOrder', summary: 'Cancel an order', tag, scope: 'trade', params: idParams,
  responses: { 200: { description: 'The cancelled order.', schema: z.object({ order: orderSchema }) } },
  async handle(context) {
    const { services, params } = context;
    const { company } = principalIn(context);
    const before = await liveOrder(services, company, params.id);
    await submitChange(context, cancelCommand(company, params.id));
    return { status: 200, body: { order: await orderAfter(services, before, params.id) } };
  },
});

/**
 * The order as market data keeps it; the object goes on telling what becomes of the order.
 * @throws ApiError order_closed when it is over; unknown_order when there is none, or it is another company's
 */
async function liveOrder(services: Services, company: number, id: string): Promise<LiveOrder> {
  await marketCaughtUp(services);
  const number = parseId('order', id);
  const order = number === undefined ? undefined : services.market.order(number);
  if (number === undefined) throw new ApiError('unknown_order');
  if (order === undefined || order.company !== company) throw await absence(services, company, number);
  return order;
}

async function orderAfter(services: Services, order: LiveOrder, id: string): Promise<OrderWire> {
  await marketCaughtUp(services);
  // An amend may replace the object; a cancelled order stays what it was when it left.
  const number = parseId('order', id);
  const current = (number === undefined ? undefined : services.market.order(number)) ?? order;
  return orderWire(services.directory, stateOf(current));
}

export const stateOf = (order: LiveOrder): OrderState => ({
  ...orderViewOf(order), reason: order.done?.reason ?? '', block: order.block, blockId: order.parent?.order ?? 0,
});

const massCancel = route({
  method: 'delete', path: '/api/v1/orders', operationId: 'cancelOrders', summary: 'Cancel all orders, those of an instrument, or one side', tag, scope: 'trade',
  query: z.strictObject({ instrument: identifier.optional(), side: z.enum(SIDES).optional() }),
  responses: { 200: { description: 'The orders that were cancelled.', schema: z.object({ canceled: z.number().int(), orders: z.array(z.string()) }) } },
  async handle(context) {
    const { services, query, request } = context;
    const { company } = principalIn(context);
    // `/orders/` and no id: whoever lost the id of one order does not mean all.
    if (request.path.endsWith('/')) throw new ApiError('unknown_order');
    const instrument = query.instrument === undefined ? { market: NONE, hour: NONE } : services.directory.instrument(query.instrument);
    if (instrument === undefined) throw new ApiError('instrument_unknown', { field: 'instrument' });
    const side = query.side === undefined ? NONE : SIDES.indexOf(query.side);
    const ack = await submit(context, { type: 'cancelAll', company, ...instrument, side, onDisconnect: false });
    const orders = ack.events.flatMap((event) => (event.kind === 'orderDone' ? [idOf('order', event.order)] : []));
    return { status: 200, body: { canceled: orders.length, orders } };
  },
});

const cancelAfter = route({
  method: 'post', path: '/api/v1/orders/cancel-after', operationId: 'cancelAfter',
  summary: 'Cancel all orders unless this is called again within so many seconds; 0 disarms', tag, scope: 'trade',
  body: z.strictObject({ seconds: z.number().int().min(0).max(86_400) }),
  responses: { 200: { description: 'When the orders will be cancelled.', schema: z.object({ cancel_at: z.string().nullable() }) } },
  async handle(context) {
    const { company } = principalIn(context);
    const { seconds } = context.body;
    const ack = await submit(context, { type: 'cancelAfter', company, after: seconds * 1000 });
    return { status: 200, body: { cancel_at: seconds === 0 ? null : new Date(ack.now + seconds * 1000).toISOString() } };
  },
});

const placeBlock = (ids: ClientOrderIds): Route => route({
  method: 'post', path: '/api/v1/blocks', operationId: 'placeBlock', summary: 'Place one order over consecutive hours', tag, scope: 'trade', body: blockBody,
  responses: { 201: { description: 'The block was accepted.', schema: placedSchema } },
  async handle(context) {
    const { services, body } = context;
    const { company } = principalIn(context);
    const command = blockCommand(services.directory, company, body);
    if ((await ids.usedOf(services, company, [command.clientOrderId])).size > 0) throw await refusalOfUsed(services, command);
    return { status: 201, body: placedWire(services.directory, await submit(context, command)) };
  },
});

export function ordersRoutes(): Route[] {
  const ids = new ClientOrderIds();
  return [placeOrder(ids), placeBatch(ids), cancelAfter, amendOrder, cancelOrder, massCancel, placeBlock(ids)];
}
