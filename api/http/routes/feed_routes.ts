/** Uploads before an application: what a bank and a cloud export, read line by line, and the figures that follow. Nothing is kept. */
import { z } from 'zod';
import { formatMicro } from '../../../engine/numbers/units.ts';
import { formatPercent } from '../wire/amounts.ts';
import { bankFigures, bankMonths, forecastError, readBankFeed, readUsageFeed, usageMonths } from '../wire/feeds.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';

const tag = 'facilities';
const text = z.string();
const borrower = ['borrower'] as const;
const BODY_MAX = 8 * 1024 * 1024;

const errorsSchema = z.array(z.object({ line: z.number().int().describe('From 1, the header'), detail: text }));
const money = (amount: number | null): string | null => (amount === null ? null : formatMicro(amount));
const percent = (share: number | null): string | null => (share === null ? null : formatPercent(share));

export const bankSchema = z.object({
  lines: z.number().int(), errors: errorsSchema, months: z.array(z.object({ month: text, inflow: text, outflow: text, balance: text.nullable() })),
  application: z.object({
    cash: text.nullable(), monthly_burn: text, monthly_revenue: text, cash_trend_3m_percent: text.nullable(), revenue_growth_percent: text.nullable(),
  }).describe('By the last three months; null where too little is known'),
});

const bank = route({
  method: 'post', path: '/api/v1/feeds/bank', operationId: 'readBankFeed', summary: 'Read an account\'s transactions (CSV: date, amount, balance?) and say what follows for an application', tag, scope: 'credit',
  roles: borrower, contentType: 'text/csv', bodyLimit: BODY_MAX, body: z.string().min(1, 'must not be empty'),
  responses: { 200: { description: 'Lines that cannot be read are named; the others count.', schema: bankSchema } },
  handle({ body }) {
    const { lines, rows, errors } = readBankFeed(body);
    const months = bankMonths(rows);
    const figures = bankFigures(months);
    return Promise.resolve({
      status: 200,
      body: {
        lines, errors, months: months.map(({ month, inflow, outflow, balance }) => ({ month, inflow: formatMicro(inflow), outflow: formatMicro(outflow), balance: money(balance) })),
        application: {
          cash: money(figures.cash), monthly_burn: formatMicro(figures.monthlyBurn), monthly_revenue: formatMicro(figures.monthlyRevenue), cash_trend_3m_percent: percent(figures.cashTrend),
          revenue_growth_percent: percent(figures.revenueGrowth),
        },
      },
    });
  },
});

export const usageSchema = z.object({
  lines: z.number().int(), errors: errorsSchema, months: z.array(z.object({ month: text, cost: text, planned: text.nullable() })),
  application: z.object({ forecast_error_percent: text.nullable() }),
});

const usage = route({
  method: 'post', path: '/api/v1/feeds/usage', operationId: 'readUsageFeed', summary: 'Read what compute has cost (CSV: date, cost, planned?) and how far it was from plan', tag, scope: 'credit', roles: borrower,
  contentType: 'text/csv', bodyLimit: BODY_MAX, body: z.string().min(1, 'must not be empty'),
  responses: { 200: { description: 'Lines that cannot be read are named; the others count.', schema: usageSchema } },
  handle({ body }) {
    const { lines, rows, errors } = readUsageFeed(body);
    const months = usageMonths(rows);
    return Promise.resolve({
      status: 200,
      body: {
        lines, errors, months: months.map(({ month, cost, planned }) => ({ month, cost: formatMicro(cost), planned: money(planned) })),
        application: { forecast_error_percent: percent(forecastError(months)) },
      },
    });
  },
});

export const feedRoutes: Route[] = [bank, usage];
