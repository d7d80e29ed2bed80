/** Everything of one's company in one file, for whoever leaves or keeps books elsewhere. */
import { listAllocations } from '../../../db/queries/allocations.ts';
import { listDeclines, statement } from '../../../db/queries/credit.ts';
import { listFills } from '../../../db/queries/fills.ts';
import { listLedger } from '../../../db/queries/ledger.ts';
import { listLifeEvents } from '../../../db/queries/life_events.ts';
import { listOrders } from '../../../db/queries/orders.ts';
import { listPayments } from '../../../db/queries/payments.ts';
import { listUsage } from '../../../db/queries/usage.ts';
import type { Page, PageAsk } from '../../../db/queries/pages.ts';
import type { Services } from '../../services.ts';
import { lifeEventWire } from '../../webhooks/life_wire.ts';
import { balancesWire, lotWire } from './account_routes.ts';
import { principalIn } from '../middleware/caller.ts';
import { facilitiesOf } from './facilities_routes.ts';
import { facilityWire, scheduleRowWire } from '../wire/facility_wire.ts';
import { projectionsCaughtUp } from '../history.ts';
import { route } from '../route.ts';
import type { Principal, Route } from '../route.ts';
import { statementMonths, statementOf } from '../statements.ts';
import { z } from 'zod';

const PAGE = 1_000;

interface Line {
  type: string;
  data: unknown;
}

async function* pagesOf<Row>(type: string, read: (page: PageAsk) => Promise<Page<Row>>, wire: (row: Row) => unknown = (row) => row): AsyncGenerator<Line> {
  let cursor: string | undefined;
  do {
    const page: Page<Row> = await read({ limit: PAGE, cursor });
    for (const row of page.rows) yield { type, data: wire(row) };
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

/** What is now first, then the past, each newest first. Records of the past hold numbers: micro-units, ticks, steps, milliseconds. */
async function* linesOf(services: Services, principal: Principal): AsyncGenerator<Line> {
  const { database, sequencer, directory } = services;
  const { company, role } = principal;
  yield { type: 'company', data: directory.company(company) };
  yield { type: 'balances', data: balancesWire(await sequencer.query('balances', { company })) };
  for (const lot of await sequencer.query('lots', { company })) yield { type: 'lot', data: lotWire(lot) };
  const facilities = await facilitiesOf(services, { company, role: role === 'lender' ? 'lender' : 'borrower' });
  for (const view of facilities) {
    yield { type: 'facility', data: { ...facilityWire(directory, view), schedule: view.schedule.map(scheduleRowWire) } };
    yield* pagesOf('facility_history', (page) => statement(database, { facility: view.facility, ...page }), (row) => ({ facility: view.facility, ...row }));
  }
  for (const month of await statementMonths(services, company)) yield { type: 'statement', data: await statementOf(services, company, month) };
  yield* pagesOf('decline', (page) => listDeclines(database, { company, ...page }));
  yield* pagesOf('payment', (page) => listPayments(database, { company, ...page }));
  yield* pagesOf('order', (page) => listOrders(database, { company, ...page }));
  yield* pagesOf('fill', (page) => listFills(database, { company, ...page }));
  yield* pagesOf('allocation', (page) => listAllocations(database, { company, ...page }));
  yield* pagesOf('usage', (page) => listUsage(database, { company, ...page }));
  yield* pagesOf('event', (page) => listLifeEvents(database, { company, ...page }), (record) => lifeEventWire(record, { company, directory }));
  yield* pagesOf('posting', (page) => listLedger(database, { company, ...page }));
}

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
      if (!response.write(`${JSON.stringify(line, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}\n`)) await drained(response);
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
