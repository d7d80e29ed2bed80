/** What a provider has delivered and been paid, and what happened to a facility. */
import { z } from 'zod';
import { listDeliveries } from '../../../db/queries/allocations.ts';
import type { DeliveryRecord } from '../../../db/queries/allocations.ts';
import { statement } from '../../../db/queries/credit.ts';
import type { StatementLine } from '../../../db/queries/credit.ts';
import { listPayouts } from '../../../db/queries/payments.ts';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR, formatMicro, formatSteps } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { formatGpuHours, formatTime } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { visibleFacility } from './facilities_routes.ts';
import { csvReply } from '../wire/csv.ts';
import { projectionsCaughtUp } from '../history.ts';
import { pageOfQuery } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { idParams, pageOf, pageQuery } from '../wire/schemas.ts';

const text = z.string();
const provider = ['provider'] as const;

const listQuery = z.strictObject({ ...pageQuery, format: z.enum(['json', 'csv']).optional().describe('csv: the page as a file, the next cursor in x-next-cursor') });

const deliverySchema = z.object({
  id: text, instrument: text, quantity: text.describe('GPU-hours sold'), used: text.describe('GPU-hours consumed'), credits: text.describe('CR sold for'),
  delivered_credits: text, unused_credits: text.describe('Of the delivered ones, those nobody used'), failed_credits: text,
  failed_gpu_hours: text.describe('GPU-hours that were not delivered'), fault_gpu_hours: text.describe("Of these, by the provider's fault"),
  usd: text.describe('Earned so far, after commission'), commission: text, damages: text.describe('Paid out of the bond'), replacement_cost: text.describe('Paid out of the bond for hours bought elsewhere'),
  requests: z.number().int(),
  status: z.enum(['scheduled', 'delivering', 'delivered']),
});

export const deliveryWire = (directory: Directory, record: DeliveryRecord, now: number): z.infer<typeof deliverySchema> => {
  const instrument = directory.instrumentName(record.market, record.hour);
  const start = record.hour * MILLIS_PER_HOUR;
  const delivered = record.usedCredits + record.unusedCredits - record.undoneCredits;
  return {
    id: instrument,
    instrument,
    quantity: formatSteps(record.sold),
    used: formatGpuHours(record.usedGpu),
    credits: formatMicro(record.notional),
    delivered_credits: formatMicro(delivered),
    unused_credits: formatMicro(Math.min(record.unusedCredits, delivered)),
    failed_credits: formatMicro(record.failedCredits),
    failed_gpu_hours: formatGpuHours(record.failedGpu),
    fault_gpu_hours: formatGpuHours(record.faultGpu),
    usd: formatMicro(record.payable),
    commission: formatMicro(record.commission),
    damages: formatMicro(record.damages),
    replacement_cost: formatMicro(record.replacement),
    requests: record.requests,
    status: now < start ? 'scheduled' : now < start + MILLIS_PER_HOUR ? 'delivering' : 'delivered',
  };
};

const deliveries = route({
  method: 'get', path: '/api/v1/deliveries', operationId: 'listDeliveries', summary: 'Hours one sold and what became of them', tag: 'provider', scope: 'read', roles: provider,
  query: listQuery,
  responses: { 200: { description: 'Latest hour first, those to come included.', schema: pageOf(deliverySchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    await projectionsCaughtUp(services, 'delivery');
    const wire = (record: DeliveryRecord) => deliveryWire(services.directory, record, services.committed.now);
    const page = await pageOfQuery(query, (ask) => listDeliveries(services.database, { provider: company, ...ask }), wire);
    return query.format === 'csv' ? csvReply('deliveries', Object.keys(deliverySchema.shape), page.data, page.next_cursor) : { status: 200, body: page };
  },
});

const payoutSchema = z.object({ amount: text, sequence: z.number().int(), at: text });

const payouts = route({
  method: 'get', path: '/api/v1/payouts', operationId: 'listPayouts', summary: 'Money one was paid', tag: 'provider', scope: 'read', roles: provider, query: listQuery,
  responses: { 200: { description: 'Newest first.', schema: pageOf(payoutSchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    await projectionsCaughtUp(services, 'credit');
    const body = await pageOfQuery(query, (page) => listPayouts(services.database, { company, ...page }), ({ amount, sequence, at }) => ({ amount: formatMicro(amount), sequence, at: formatTime(at) }));
    return query.format === 'csv' ? csvReply('payouts', Object.keys(payoutSchema.shape), body.data, body.next_cursor) : { status: 200, body };
  },
});

export const statementSchema = z.object({
  earned: text.describe('USD of deliveries since the beginning, commissions and what was taken back left out'), paid: text, payable: text.describe('Earned and not paid yet'),
  receivable: text.describe('Owed back for hours that had been paid and proved not delivered; kept from the next payouts'), bond: text, next_payout_at: text,
  upcoming: z.array(z.object({ due_at: text, amount: text, kind: z.enum(['used', 'unused_financed']).describe('used: what was used, and what was not and no loan paid for'), held: z.boolean().describe('The loan that paid for them is past due or frozen') })),
});
const STATEMENT_COLUMNS = ['line', 'amount', 'due_at', 'kind', 'held'];
const PAYOUT_WEEKDAY = 4;
const DAYS_OF_WEEK = 7;

/** The next Monday that has not begun; day 0 was a Thursday. */
function nextPayout(now: number): number {
  const day = Math.floor(now / MILLIS_PER_DAY) + 1;
  return (day + ((PAYOUT_WEEKDAY - (day % DAYS_OF_WEEK) + DAYS_OF_WEEK) % DAYS_OF_WEEK)) * MILLIS_PER_DAY;
}

const payoutStatement = route({
  method: 'get', path: '/api/v1/payouts/statement', operationId: 'getPayoutStatement', summary: 'What one has earned, was paid and will be paid, and when', tag: 'provider', scope: 'read', roles: provider,
  query: z.strictObject({ format: z.enum(['json', 'csv']).optional().describe('csv: a line for each figure and each payment to come') }),
  responses: { 200: { description: 'As of now.', schema: statementSchema } },
  async handle(context) {
    const { sequencer, committed } = context.services;
    const { company } = principalIn(context);
    const [balances, payables] = await Promise.all([sequencer.query('balances', { company }), sequencer.query('payables', { company })]);
    const upcoming = payables.map(({ dueAt, amount, financed, held }) => ({
      due_at: formatTime(dueAt), amount: formatMicro(amount), kind: financed ? ('unused_financed' as const) : ('used' as const), held,
    }));
    const figures = {
      earned: formatMicro(balances.earned), paid: formatMicro(balances.paid), payable: formatMicro(balances.payable), receivable: formatMicro(balances.receivable),
      bond: formatMicro(balances.bond),
    };
    const nextPayoutAt = formatTime(nextPayout(committed.now));
    if (context.query.format !== 'csv') return { status: 200, body: { ...figures, next_payout_at: nextPayoutAt, upcoming } };
    const lines = [...Object.entries(figures).map(([line, amount]) => ({ line, amount })), { line: 'next_payout_at', due_at: nextPayoutAt }, ...upcoming.map((payment) => ({ line: 'upcoming', ...payment }))];
    return csvReply('payout-statement', STATEMENT_COLUMNS, lines, null);
  },
});

const lineSchema = z.object({ sequence: z.number().int(), at: text, event: text, amount: text, interest: text, principal: text, fees: text, reason: text });
export const lineWire = (line: StatementLine): z.infer<typeof lineSchema> => ({
  sequence: line.sequence,
  at: formatTime(line.at),
  event: line.kind,
  amount: formatMicro(line.amount),
  interest: formatMicro(line.interest),
  principal: formatMicro(line.principal),
  fees: formatMicro(line.fees),
  reason: line.text,
});

const facilityStatement = route({
  method: 'get', path: '/api/v1/facilities/{id}/statement', operationId: 'getStatement', summary: 'Everything that happened to a facility', tag: 'facilities', scope: 'read',
  params: idParams, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(lineSchema) } },
  async handle(context) {
    const { services, params, query } = context;
    const { facility } = await visibleFacility(services, principalIn(context), params.id);
    await projectionsCaughtUp(services, 'credit');
    return { status: 200, body: await pageOfQuery(query, (page) => statement(services.database, { facility, ...page }), lineWire) };
  },
});

export const deliveryRoutes: Route[] = [deliveries, payouts, payoutStatement, facilityStatement];
