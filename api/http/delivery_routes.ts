/** What a provider has delivered and been paid, and what happened to a facility. */
import { z } from 'zod';
import { listDeliveries } from '../../db/queries/allocations.ts';
import type { DeliveryRecord } from '../../db/queries/allocations.ts';
import { statement } from '../../db/queries/credit.ts';
import type { StatementLine } from '../../db/queries/credit.ts';
import { listPayouts } from '../../db/queries/payments.ts';
import { MILLIS_PER_HOUR, formatMicro, formatSteps } from '../../engine/units.ts';
import type { Directory } from '../directory.ts';
import { formatGpuHours } from './account_routes.ts';
import { formatTime } from './amounts.ts';
import { principalIn } from './caller.ts';
import { visibleFacility } from './facilities_routes.ts';
import { projectionsCaughtUp } from './history.ts';
import { pageOfQuery } from './pages.ts';
import { route } from './route.ts';
import type { Route } from './route.ts';
import { idParams, pageOf, pageQuery } from './schemas.ts';

const text = z.string();
const provider = ['provider'] as const;

const deliverySchema = z.object({
  id: text, instrument: text, quantity: text.describe('GPU-hours sold'), used: text.describe('GPU-hours consumed'), credits: text.describe('CR sold for'),
  delivered_credits: text, failed_credits: text, usd: text.describe('Earned so far, after commission'), commission: text, requests: z.number().int(),
  status: z.enum(['scheduled', 'delivering', 'delivered']),
});

const deliveryWire = (directory: Directory, record: DeliveryRecord, now: number): z.infer<typeof deliverySchema> => {
  const instrument = directory.instrumentName(record.market, record.hour);
  const start = record.hour * MILLIS_PER_HOUR;
  return {
    id: instrument,
    instrument,
    quantity: formatSteps(record.sold),
    used: formatGpuHours(record.usedGpu),
    credits: formatMicro(record.notional),
    delivered_credits: formatMicro(record.usedCredits + record.unusedCredits),
    failed_credits: formatMicro(record.failedCredits),
    usd: formatMicro(record.payable),
    commission: formatMicro(record.commission),
    requests: record.requests,
    status: now < start ? 'scheduled' : now < start + MILLIS_PER_HOUR ? 'delivering' : 'delivered',
  };
};

const deliveries = route({
  method: 'get', path: '/api/v1/deliveries', operationId: 'listDeliveries', summary: 'Hours one sold and what became of them', tag: 'provider', scope: 'read', roles: provider,
  query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Latest hour first, those to come included.', schema: pageOf(deliverySchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    await projectionsCaughtUp(services, 'delivery');
    const wire = (record: DeliveryRecord) => deliveryWire(services.directory, record, services.committed.now);
    return { status: 200, body: await pageOfQuery(query, (page) => listDeliveries(services.database, { provider: company, ...page }), wire) };
  },
});

const payoutSchema = z.object({ amount: text, sequence: z.number().int(), at: text });

const payouts = route({
  method: 'get', path: '/api/v1/payouts', operationId: 'listPayouts', summary: 'Money one was paid', tag: 'provider', scope: 'read', roles: provider, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(payoutSchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    await projectionsCaughtUp(services, 'credit');
    const body = await pageOfQuery(query, (page) => listPayouts(services.database, { company, ...page }), ({ amount, sequence, at }) => ({ amount: formatMicro(amount), sequence, at: formatTime(at) }));
    return { status: 200, body };
  },
});

const lineSchema = z.object({ sequence: z.number().int(), at: text, event: text, amount: text, interest: text, principal: text, fees: text, reason: text });
const lineWire = (line: StatementLine): z.infer<typeof lineSchema> => ({
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

export const deliveryRoutes: Route[] = [deliveries, payouts, facilityStatement];
