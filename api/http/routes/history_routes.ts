/** Orders, fills, allocations and the books, of the past and the present. */
import { z } from 'zod';
import { getAllocation, listAllocations } from '../../../db/queries/allocations.ts';
import type { AllocationRecord } from '../../../db/queries/allocations.ts';
import { listFills, listFillsOfOrder } from '../../../db/queries/fills.ts';
import { listLedger } from '../../../db/queries/ledger.ts';
import type { LedgerEntry } from '../../../db/queries/ledger.ts';
import { getOrder, listOrders } from '../../../db/queries/orders.ts';
import { ACCOUNT_NAMES, LEDGERS } from '../../../engine/ledger/accounts.ts';
import { SIDES } from '../../../engine/vocabulary.ts';
import { ORDER_STATUSES } from '../../../engine/events.ts';
import type { AllocationView } from '../../../engine/queries.ts';
import { MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_HOUR, formatMicro } from '../../../engine/numbers/units.ts';
import type { Directory, InstrumentRef } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import { idOf, parseId } from '../../ids.ts';
import { allocationSchema, allocationWire } from './account_routes.ts';
import { formatGpuHours, formatTime } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { projectionsCaughtUp } from '../history.ts';
import { fillSchema, orderSchema, orderWire, pastFillWire } from '../wire/order_wire.ts';
import { stateOf } from './orders_routes.ts';
import { pageOfQuery, pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { idParams, identifier, pageOf, pageQuery } from '../wire/schemas.ts';
import { marketCaughtUp } from '../submit.ts';

const text = z.string();

/** @throws ApiError instrument_unknown */
function instrumentNamed(directory: Directory, name: string | undefined): InstrumentRef | undefined {
  if (name === undefined) return undefined;
  const instrument = directory.instrument(name);
  if (instrument === undefined) throw new ApiError('instrument_unknown', { field: 'instrument' });
  return instrument;
}

const ordersQuery = z.strictObject({
  status: z.enum(ORDER_STATUSES).optional().describe('`open` is every order still in the market'),
  side: z.enum(SIDES).optional(),
  instrument: identifier.optional(),
  ...pageQuery,
});

const list = route({
  method: 'get', path: '/api/v1/orders', operationId: 'listOrders', summary: "One's orders", tag: 'orders', scope: 'read', query: ordersQuery,
  responses: { 200: { description: 'Newest first.', schema: pageOf(orderSchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    const instrument = instrumentNamed(services.directory, query.instrument);
    const side = query.side === undefined ? undefined : SIDES.indexOf(query.side);
    if (query.status === 'open') {
      await marketCaughtUp(services);
      const open = services.market.openOrders(company).filter((order) => side === undefined || order.side === side)
        .filter((order) => instrument === undefined || (order.market === instrument.market && order.hour === instrument.hour));
      return { status: 200, body: pageOfRows(open, query, (order) => [order.sequence, order.order], (order) => orderWire(services.directory, stateOf(order))) };
    }
    await projectionsCaughtUp(services, 'orders');
    const body = await pageOfQuery(query, (page) => listOrders(services.database, { company, status: query.status, side, instrument, ...page }), (order) => orderWire(services.directory, order));
    return { status: 200, body };
  },
});

const read = route({
  method: 'get', path: '/api/v1/orders/{id}', operationId: 'getOrder', summary: 'One order and its fills', tag: 'orders', scope: 'read', params: idParams,
  responses: { 200: { description: 'As it stands, or as it ended.', schema: z.object({ order: orderSchema, fills: z.array(fillSchema) }) } },
  async handle(context) {
    const { services, params } = context;
    const { company } = principalIn(context);
    const number = parseId('order', params.id);
    if (number === undefined) throw new ApiError('unknown_order');
    await projectionsCaughtUp(services, 'orders', 'trades');
    const order = await getOrder(services.database, number);
    if (order === undefined || order.company !== company) throw new ApiError('unknown_order');
    const fills = await listFillsOfOrder(services.database, number);
    return { status: 200, body: { order: orderWire(services.directory, order), fills: fills.map((fill) => pastFillWire(services.directory, fill)) } };
  },
});

const fills = route({
  method: 'get', path: '/api/v1/fills', operationId: 'listFills', summary: "One's executions", tag: 'orders', scope: 'read',
  query: z.strictObject({ instrument: identifier.optional(), ...pageQuery }),
  responses: { 200: { description: 'Newest first.', schema: pageOf(fillSchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    const instrument = instrumentNamed(services.directory, query.instrument);
    await projectionsCaughtUp(services, 'trades');
    return { status: 200, body: await pageOfQuery(query, (page) => listFills(services.database, { company, instrument, ...page }), (fill) => pastFillWire(services.directory, fill)) };
  },
});

/** What is over is told by the projection; what is not, by the engine, which knows the credit left and the freeze. */
const allocations = route({
  method: 'get', path: '/api/v1/allocations', operationId: 'listAllocations', summary: 'GPU-hours one bought', tag: 'account', scope: 'read', query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(allocationSchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    const live = new Map((await services.sequencer.query('allocations', { company })).map((view) => [view.allocation, view]));
    await projectionsCaughtUp(services, 'delivery', 'orders');
    const wire = (record: AllocationRecord) => allocationWire(services.directory, live.get(record.allocation) ?? pastAllocation(record, services.committed.now));
    return { status: 200, body: await pageOfQuery(query, (page) => listAllocations(services.database, { company, ...page }), wire) };
  },
});

const readAllocation = route({
  method: 'get', path: '/api/v1/allocations/{id}', operationId: 'getAllocation', summary: 'One allocation', tag: 'account', scope: 'read', params: idParams,
  responses: { 200: { description: 'As it stands, or as it ended.', schema: allocationSchema } },
  async handle(context) {
    const { services, params } = context;
    const { company } = principalIn(context);
    const number = parseId('allocation', params.id);
    if (number === undefined) throw new ApiError('unknown_allocation');
    const live = (await services.sequencer.query('allocations', { company })).find((view) => view.allocation === number);
    if (live !== undefined) return { status: 200, body: allocationWire(services.directory, live) };
    await projectionsCaughtUp(services, 'delivery', 'orders');
    const record = await getAllocation(services.database, number);
    if (record === undefined || record.company !== company) throw new ApiError('unknown_allocation');
    return { status: 200, body: allocationWire(services.directory, pastAllocation(record, services.committed.now)) };
  },
});

/** An allocation as the projection knows it, in the engine's terms. */
export function pastAllocation(record: AllocationRecord, now: number): AllocationView {
  const { allocation, company, provider, market, hour, model, price, usedGpu } = record;
  // What was resold is another's.
  const quantity = record.quantity - record.resold;
  const left = Math.max(0, price * quantity - record.usedCredits - record.unusedCredits - record.failedCredits);
  const credits = record.settledAt !== null && record.pendingGpu === 0 ? 0 : left;
  return {
    allocation, company, provider, market, hour, model, price, quantity, usedGpu, budgetGpu: quantity * MICRO_GPU_SECONDS_PER_STEP, offeredGpu: 0, credits,
    status: statusOf(record, now), frozen: false,
  };
}

function statusOf(record: AllocationRecord, now: number): AllocationView['status'] {
  if (record.settledAt === null) return record.hour * MILLIS_PER_HOUR <= now ? 'delivering' : 'open';
  // What had been delivered before it was found to have failed is counted as both.
  if (record.failedCredits > 0 && record.usedCredits + record.unusedCredits === record.undoneCredits) return 'failed';
  return record.resold >= record.quantity ? 'resold' : 'delivered';
}

const ledgerSchema = z.object({
  ledger: z.enum(LEDGERS), account: text, owner: text.describe('What the account belongs to: the company, or one of its lots or facilities'),
  amount: text.describe('Debit positive; of CAP in GPU-hours, to the nearest millionth'), gpu_seconds: text.nullable().describe('Of CAP, exactly'), sequence: z.number().int(), event: text, at: text,
});

const ledger = route({
  method: 'get', path: '/api/v1/ledger', operationId: 'listLedger', summary: "Every posting on one's accounts", tag: 'account', scope: 'read',
  query: z.strictObject({ ledger: z.enum(LEDGERS).optional(), account: z.enum(ACCOUNT_NAMES as [string, ...string[]]).optional(), ...pageQuery }),
  responses: { 200: { description: 'Newest first. All postings of one sequence sum to zero in each ledger, those of other companies included.', schema: pageOf(ledgerSchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    const account = ACCOUNT_NAMES.find((name) => name === query.account);
    await projectionsCaughtUp(services, 'ledger');
    const body = await pageOfQuery(query, (page) => listLedger(services.database, { company, ledger: query.ledger, account, ...page }), ledgerWire);
    return { status: 200, body };
  },
});

export const ledgerWire = (entry: LedgerEntry): z.infer<typeof ledgerSchema> => ({
  ledger: entry.ledger,
  account: entry.account,
  owner: ownerOf(entry),
  amount: entry.ledger === 'CAP' ? formatGpuHours(entry.amount) : formatMicro(entry.amount),
  gpu_seconds: entry.ledger === 'CAP' ? formatMicro(entry.amount) : null,
  sequence: entry.sequence,
  event: entry.event,
  at: formatTime(entry.at),
});

const ownerOf = ({ ownerKind, owner }: LedgerEntry): string => (ownerKind === 'cell' ? `cell_${owner}` : idOf(ownerKind, owner));

export const historyRoutes: Route[] = [list, read, fills, allocations, readAllocation, ledger];
