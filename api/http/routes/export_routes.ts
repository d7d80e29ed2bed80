/** Everything of one's company in one file, for whoever leaves or keeps books elsewhere. */
import { listAllocations, listDeliveries } from '../../../db/queries/allocations.ts';
import type { AllocationRecord } from '../../../db/queries/allocations.ts';
import { listDeclines, statement } from '../../../db/queries/credit.ts';
import { listFills } from '../../../db/queries/fills.ts';
import { listLedger } from '../../../db/queries/ledger.ts';
import { listLifeEvents } from '../../../db/queries/life_events.ts';
import { listOrders } from '../../../db/queries/orders.ts';
import { listPayments } from '../../../db/queries/payments.ts';
import type { PaymentRecord } from '../../../db/queries/payments.ts';
import { listUsage } from '../../../db/queries/usage.ts';
import type { UsageRecord } from '../../../db/queries/usage.ts';
import type { Page, PageAsk } from '../../../db/queries/pages.ts';
import { formatMicro, formatSteps, formatUnits } from '../../../engine/numbers/units.ts';
import { keyOfRow } from '../../auth/keys.ts';
import type { KeyRow } from '../../auth/keys.ts';
import type { Directory } from '../../directory.ts';
import { idOf } from '../../ids.ts';
import type { Services } from '../../services.ts';
import { lifeEventWire } from '../../webhooks/life_wire.ts';
import { listFeeds } from '../feed_store.ts';
import { allocationWire, balancesWire, lotWire } from './account_routes.ts';
import { decisionWire, declinedWire } from './decision_routes.ts';
import { deliveryWire, lineWire } from './delivery_routes.ts';
import { feedWire } from './feed_routes.ts';
import { ledgerWire, pastAllocation } from './history_routes.ts';
import { keyWire } from './keys_routes.ts';
import { mandateWire } from './lender_routes.ts';
import { capacityWire, endpointWire } from './provider_routes.ts';
import type { ToldEndpointRow } from './provider_routes.ts';
import { webhookWire } from './webhook_routes.ts';
import type { WebhookRow } from './webhook_routes.ts';
import { formatTime } from '../wire/amounts.ts';
import { orderWire, pastFillWire } from '../wire/order_wire.ts';
import { principalIn } from '../middleware/caller.ts';
import { facilitiesOf } from './facilities_routes.ts';
import { facilityWire, scheduleRowWire } from '../wire/facility_wire.ts';
import { projectionsCaughtUp } from '../history.ts';
import { route } from '../route.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Route } from '../route.ts';
import { statementMonths, statementOf } from '../statements.ts';
import { z } from 'zod';

const PAGE = 1_000;

interface Line {
  type: string;
  data: unknown;
}

async function* pagesOf<Row>(type: string, read: (page: PageAsk) => Promise<Page<Row>>, wire: (row: Row) => unknown): AsyncGenerator<Line> {
  let cursor: string | undefined;
  do {
    const page: Page<Row> = await read({ limit: PAGE, cursor });
    for (const row of page.rows) yield { type, data: wire(row) };
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

/** What is now first, then the past, each newest first; all in the shapes of the routes that list it. */
async function* linesOf(services: Services, principal: Principal): AsyncGenerator<Line> {
  const { database, directory } = services;
  const { company } = principal;
  yield* present(services, principal);
  yield* pagesOf('declined_application', (page) => listDeclines(database, { company, ...page }), (row) => declinedWire(services, row));
  yield* pagesOf('payment', (page) => listPayments(database, { company, ...page }), paymentWire);
  yield* pagesOf('order', (page) => listOrders(database, { company, ...page }), (row) => orderWire(directory, row));
  yield* pagesOf('fill', (page) => listFills(database, { company, ...page }), (row) => pastFillWire(directory, row));
  const live = new Map((await services.sequencer.query('allocations', { company })).map((view) => [view.allocation, view]));
  yield* pagesOf('allocation', (page) => listAllocations(database, { company, ...page }), (row) => ({
    ...allocationWire(directory, live.get(row.allocation) ?? pastAllocation(row, services.committed.now)), ...becameWire(row),
  }));
  yield* pagesOf('delivery', (page) => listDeliveries(database, { provider: company, ...page }), (row) => deliveryWire(directory, row, services.committed.now));
  yield* pagesOf('usage', (page) => listUsage(database, { company, ...page }), (row) => usageWire(directory, row));
  yield* pagesOf('event', (page) => listLifeEvents(database, { company, ...page }), (record) => lifeEventWire(record, { company, directory }));
  yield* pagesOf('posting', (page) => listLedger(database, { company, ...page }), ledgerWire);
}

/** What one has and has set up here. */
async function* present(services: Services, { company, role }: Principal): AsyncGenerator<Line> {
  const { database, sequencer, directory } = services;
  yield { type: 'company', data: { id: idOf('company', company), name: directory.companyName(company), role, group: directory.company(company)?.group ?? '' } };
  yield { type: 'balances', data: balancesWire(await sequencer.query('balances', { company })) };
  for (const lot of (await sequencer.query('lots', { company })).reverse()) yield { type: 'lot', data: lotWire(lot) };
  for (const mandate of await sequencer.query('mandates', { company })) yield { type: 'mandate', data: mandateWire(mandate) };
  for (const view of await facilitiesOf(services, { company, role: role === 'lender' ? 'lender' : 'borrower' })) {
    yield { type: 'facility', data: { ...facilityWire(directory, view), schedule: view.schedule.map(scheduleRowWire) } };
    const facility = idOf('facility', view.facility);
    yield { type: 'decision', data: { facility_id: facility, ...decisionWire(directory, view) } };
    yield* pagesOf('facility_history', (page) => statement(database, { facility: view.facility, ...page }), (row) => ({ facility_id: facility, ...lineWire(row) }));
  }
  for (const month of await statementMonths(services, company)) yield { type: 'statement', data: await statementOf(services, company, month) };
  for (const row of directory.capacities(company)) yield { type: 'capacity', data: capacityWire(directory, row) };
  for (const row of await database('endpoints').where({ company }).orderBy('created_at', 'desc').select<ToldEndpointRow[]>()) yield { type: 'endpoint', data: endpointWire(directory, row) };
  for (const row of await database('api_keys').where({ company }).whereNull('revoked_at').orderBy('created_at', 'desc').select<KeyRow[]>()) yield { type: 'key', data: keyWire(keyOfRow({ ...row, role })) };
  for (const row of await database('webhooks').where({ company }).orderBy('created_at', 'desc').select<WebhookRow[]>()) yield { type: 'webhook', data: webhookWire(row) };
  for (const feed of await listFeeds(database, company)) yield { type: 'feed', data: feedWire(feed) };
}

const paymentWire = ({ sequence, kind, amount, reference, at }: PaymentRecord): Record<string, unknown> => ({ kind, amount: formatMicro(amount), reference, sequence, at: formatTime(at) });

/** What of an allocation the list leaves out: what became of its credits, and what was refunded in cash. */
const becameWire = (row: AllocationRecord): Record<string, unknown> => ({
  bought_at: formatTime(row.boughtAt), settled_at: row.settledAt === null ? null : formatTime(row.settledAt), used_credits: formatMicro(row.usedCredits), unused_credits: formatMicro(row.unusedCredits),
  failed_credits: formatMicro(row.failedCredits), resold: formatSteps(row.resold), damages: formatMicro(row.damages), requests: row.requests, prompt_tokens: row.promptTokens,
  completion_tokens: row.completionTokens,
});

const usageWire = (directory: Directory, row: UsageRecord): Record<string, unknown> => ({
  id: row.request, at: formatTime(row.at), model: directory.modelName(row.model), provider: directory.companyName(row.provider), endpoint: row.endpoint,
  allocation_id: idOf('allocation', row.allocation), key: row.key, prompt_tokens: row.promptTokens, completion_tokens: row.completionTokens, gpu_seconds: formatUnits(row.gpu, 6),
  credits_used: formatMicro(row.credits + row.spotFees), estimated: row.estimated, sequence: row.sequence,
});

const exportAll = route({
  method: 'get', path: '/api/v1/export', operationId: 'exportAll', summary: 'Everything of one\'s company: one JSON object a line, with its type', tag: 'account', scope: 'account',
  responses: { 200: { description: 'Ends with a line of the type `end`; a file without it is not whole.', contentType: 'application/x-ndjson', schema: z.object({ type: z.string(), data: z.unknown() }) } },
  async handle(context) {
    const { services, response } = context;
    const principal = principalIn(context);
    await projectionsCaughtUp(services, 'ledger', 'credit', 'orders', 'trades', 'delivery', 'life');
    response.writeHead(200, { 'content-type': 'application/x-ndjson; charset=utf-8', 'content-disposition': 'attachment; filename="export.ndjson"', 'cache-control': 'no-store' });
    let count = 0;
    for await (const line of linesOf(services, principal)) {
      count++;
      if (response.destroyed) return undefined;
      if (!response.write(`${JSON.stringify(line)}\n`)) await drained(response);
    }
    response.end(`${JSON.stringify({ type: 'end', data: { lines: count } })}\n`);
    return undefined;
  },
});

/** Resolves when more can be written, or when nobody reads any more. */
const drained = (response: Pick<NodeJS.WritableStream, 'once' | 'off'>): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });

export const exportRoutes: Route[] = [exportAll];
