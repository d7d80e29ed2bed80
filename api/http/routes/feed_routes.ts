/** Uploads before an application: what a bank and a cloud export, read line by line, kept as it came, and the figures that follow. */
import { z } from 'zod';
import { formatMicro } from '../../../engine/numbers/units.ts';
import { FEED_KINDS, keepFeed, listFeeds, readFeed } from '../feed_store.ts';
import type { FeedKind, FeedRecord } from '../feed_store.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { formatPercent, formatTime } from '../wire/amounts.ts';
import { bankFigures, bankMonths, forecastError, readBankFeed, readUsageFeed, usageMonths } from '../wire/feeds.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Reply, Route, RouteContext } from '../route.ts';
import { idParams, pageOf, pageQuery } from '../wire/schemas.ts';

const tag = 'facilities';
const text = z.string();
const borrower = ['borrower'] as const;
const readers = ['borrower', 'operator'] as const;
const BODY_MAX = 8 * 1024 * 1024;
const body = z.string().min(1, 'must not be empty');

const errorsSchema = z.array(z.object({ line: z.number().int().describe('From 1, the header'), detail: text }));
const money = (amount: number | null): string | null => (amount === null ? null : formatMicro(amount));
const percent = (share: number | null): string | null => (share === null ? null : formatPercent(share));

const feedSchema = z.object({
  id: text, kind: z.enum(FEED_KINDS), sha256: text.describe('Of the bytes that were sent'), bytes: z.number().int(), lines: z.number().int(), unreadable_lines: z.number().int(),
  uploaded_by: text, uploaded_at: text,
});
export const feedWire = ({ id, kind, sha256, bytes, lines, errors, member, receivedAt }: FeedRecord): z.infer<typeof feedSchema> => ({
  id, kind, sha256, bytes, lines, unreadable_lines: errors, uploaded_by: member, uploaded_at: formatTime(receivedAt),
});

export const bankSchema = z.object({
  lines: z.number().int(), errors: errorsSchema, months: z.array(z.object({ month: text, inflow: text, outflow: text, balance: text.nullable() })),
  application: z.object({
    cash: text.nullable(), monthly_burn: text, monthly_revenue: text, cash_trend_3m_percent: text.nullable(), revenue_growth_percent: text.nullable(),
  }).describe('By the last three months; null where too little is known'),
});
export const usageSchema = z.object({
  lines: z.number().int(), errors: errorsSchema, months: z.array(z.object({ month: text, cost: text, planned: text.nullable() })),
  application: z.object({ forecast_error_percent: text.nullable() }),
});
const kept = { feed: feedSchema };

function bankWire(csv: string): z.infer<typeof bankSchema> {
  const { lines, rows, errors } = readBankFeed(csv);
  const months = bankMonths(rows);
  const figures = bankFigures(months);
  return {
    lines, errors, months: months.map(({ month, inflow, outflow, balance }) => ({ month, inflow: formatMicro(inflow), outflow: formatMicro(outflow), balance: money(balance) })),
    application: {
      cash: money(figures.cash), monthly_burn: formatMicro(figures.monthlyBurn), monthly_revenue: formatMicro(figures.monthlyRevenue), cash_trend_3m_percent: percent(figures.cashTrend),
      revenue_growth_percent: percent(figures.revenueGrowth),
    },
  };
}

function usageWire(csv: string): z.infer<typeof usageSchema> {
  const { lines, rows, errors } = readUsageFeed(csv);
  const months = usageMonths(rows);
  return {
    lines, errors, months: months.map(({ month, cost, planned }) => ({ month, cost: formatMicro(cost), planned: money(planned) })),
    application: { forecast_error_percent: percent(forecastError(months)) },
  };
}

/** What is read of it, and the record under which it is kept. */
function keep(context: RouteContext<unknown, unknown, string>, kind: FeedKind, wireOf: (csv: string) => { lines: number; errors: unknown[] }): Promise<Reply> {
  const { services, body: csv } = context;
  const { user, company } = principalIn(context);
  let found: ReturnType<typeof wireOf> = { lines: 0, errors: [] };
  const read = (): void => {
    found = wireOf(csv);
  };
  return once(context, async (transaction) => {
    const { lines, errors } = found;
    const feed = await keepFeed(transaction, { company, member: user, kind, lines, errors: errors.length, receivedAt: services.committed.now }, csv);
    return { reply: { status: 200, body: { ...found, feed: feedWire(feed) } } };
  }, { read });
}

const bank = route({
  method: 'post', path: '/api/v1/feeds/bank', operationId: 'readBankFeed', summary: 'Read an account\'s transactions (CSV: date, amount, balance?) and say what follows for an application', tag, scope: 'credit',
  roles: borrower, contentType: 'text/csv', bodyLimit: BODY_MAX, body,
  responses: { 200: { description: 'Lines that cannot be read are named; the others count. The file is kept; sent again it is the same.', schema: bankSchema.extend(kept) } },
  handle: (context) => keep(context, 'bank', bankWire),
});

const usage = route({
  method: 'post', path: '/api/v1/feeds/usage', operationId: 'readUsageFeed', summary: 'Read what compute has cost (CSV: date, cost, planned?) and how far it was from plan', tag, scope: 'credit', roles: borrower,
  contentType: 'text/csv', bodyLimit: BODY_MAX, body,
  responses: { 200: { description: 'Lines that cannot be read are named; the others count. The file is kept; sent again it is the same.', schema: usageSchema.extend(kept) } },
  handle: (context) => keep(context, 'usage', usageWire),
});

const list = route({
  method: 'get', path: '/api/v1/feeds', operationId: 'listFeeds', summary: 'What has been uploaded, newest first', tag, scope: 'read', roles: borrower, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Files of one\'s company.', schema: pageOf(feedSchema) } },
  async handle(context) {
    const feeds = await listFeeds(context.services.database, principalIn(context).company);
    return { status: 200, body: pageOfRows(feeds, context.query, ({ number }) => [number], feedWire) };
  },
});

const read = route({
  method: 'get', path: '/api/v1/feeds/{id}', operationId: 'getFeed', summary: 'An upload, read again from the bytes that were kept', tag, scope: 'read', roles: readers, params: idParams,
  responses: { 200: { description: 'As when it was uploaded.', schema: z.union([bankSchema.extend(kept), usageSchema.extend(kept)]) } },
  async handle(context) {
    const { feed, text: csv } = await readFeed(context.services.database, principalIn(context), context.params.id);
    return { status: 200, body: { ...(feed.kind === 'bank' ? bankWire(csv) : usageWire(csv)), feed: feedWire(feed) } };
  },
});

const content = route({
  method: 'get', path: '/api/v1/feeds/{id}/content', operationId: 'getFeedContent', summary: 'The file as it was uploaded', tag, scope: 'read', roles: readers, params: idParams,
  responses: { 200: { description: 'CSV.', schema: text, contentType: 'text/csv' } },
  async handle(context) {
    const { feed, text: csv } = await readFeed(context.services.database, principalIn(context), context.params.id);
    return { status: 200, body: csv, headers: { 'content-type': 'text/csv; charset=utf-8', 'content-disposition': `attachment; filename="${feed.id}.csv"` } };
  },
});

export const feedRoutes: Route[] = [bank, usage, list, read, content];
