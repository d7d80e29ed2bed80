/** Who sells, how reliable each is, and the operator's switch that takes one off the market. */
import { z } from 'zod';
import { reliability } from '../../../db/queries/reliability.ts';
import { classOf, regionOf } from '../../../engine/vocabulary.ts';
import { MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_HOUR, formatUnits } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';
import { idOf, parseId } from '../../ids.ts';
import type { Services } from '../../services.ts';
import { recordAudit } from '../middleware/audit.ts';
import { principalIn } from '../middleware/caller.ts';
import { projectionsCaughtUp } from '../history.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { idParams, line, pageOf, pageQuery } from '../wire/schemas.ts';
import { submit } from '../submit.ts';
import { confirmedByTwo, onceOfPerson, pendingSchema } from '../two_persons.ts';

const text = z.string();
const WINDOW_DAYS = 30;
const HOURS_PER_DAY = 24;
const MICRO_GPU_MINUTE = 60_000_000n;

export const providerSchema = z.object({
  id: text, name: text,
  reliability_percent: text.nullable().describe('Delivered of promised GPU-minutes of the last 30 days; null: nothing was promised. Minutes in which the platform was down are not counted'),
  promised_gpu_minutes: text, delivered_gpu_minutes: text, suspended: z.boolean(),
  markets: z.array(z.object({ class: text, region: text, verified_gpus: z.number().int(), models: z.array(text) })),
});
type ProviderWire = z.infer<typeof providerSchema>;

/** To four places, rounded down: 100 only when all was delivered. */
const percentOf = (part: bigint, whole: bigint): string => formatUnits((part * 1_000_000n) / whole, 4, 2);
const minutesOf = (gpu: bigint): string => formatUnits((gpu * 100n) / MICRO_GPU_MINUTE, 2, 2);

async function providersNow({ database, directory, committed, sequencer }: Services): Promise<ProviderWire[]> {
  const hour = Math.floor(committed.now / MILLIS_PER_HOUR);
  const [records, suspended] = await Promise.all([reliability(database, { fromHour: hour - WINDOW_DAYS * HOURS_PER_DAY, toHour: hour }), sequencer.query('suspended', {})]);
  const known = new Map(records.map((record) => [record.provider, record]));
  const suspendedNow = new Set(suspended.map(({ company }) => company));
  return directory.companies().filter(({ role }) => role === 'provider').map(({ company, name }) => {
    const record = known.get(company);
    const sold = (record?.sold ?? 0n) * BigInt(MICRO_GPU_SECONDS_PER_STEP);
    const promised = sold - ((record?.failedGpu ?? 0n) - (record?.faultGpu ?? 0n));
    const delivered = promised - (record?.faultGpu ?? 0n);
    return {
      id: idOf('company', company), name, reliability_percent: promised === 0n ? null : percentOf(delivered, promised),
      promised_gpu_minutes: minutesOf(promised), delivered_gpu_minutes: minutesOf(delivered), suspended: suspendedNow.has(company),
      markets: directory.capacities(company).filter(({ verified }) => verified > 0).map(({ market, verified, models }) => ({
        class: directory.className(classOf(market)), region: directory.regionName(regionOf(market)), verified_gpus: verified, models: models.map((model) => directory.modelName(model)),
      })),
    };
  });
}

const list = route({
  method: 'get', path: '/api/v1/providers', operationId: 'listProviders', summary: 'Who sells what, and how reliably it was delivered', tag: 'market', scope: 'public',
  query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest company first.', schema: pageOf(providerSchema) } },
  async handle({ services, query }) {
    await projectionsCaughtUp(services, 'delivery');
    const rows = await providersNow(services);
    return { status: 200, body: pageOfRows(rows, query, ({ id }) => [parseId('company', id) ?? 0], (row) => row) };
  },
});

const one = route({
  method: 'get', path: '/api/v1/providers/{id}', operationId: 'getProvider', summary: 'One provider, by id or name', tag: 'market', scope: 'public', params: idParams,
  responses: { 200: { description: 'As of now.', schema: providerSchema } },
  async handle({ services, params }) {
    await projectionsCaughtUp(services, 'delivery');
    const found = (await providersNow(services)).find(({ id, name }) => id === params.id || name === params.id);
    if (found === undefined) throw new ApiError('not_found');
    return { status: 200, body: found };
  },
});

const suspensionSchema = z.object({ id: text, suspended: z.boolean(), reason: text });
const reasonBody = z.strictObject({ reason: line(500) });

/** @throws ApiError when no provider has this id */
function providerOf({ directory }: Services, id: string): number {
  const company = parseId('company', id);
  if (company === undefined || directory.company(company)?.role !== 'provider') throw new ApiError('not_found');
  return company;
}

const suspend = route({
  method: 'post', path: '/api/v1/providers/{id}/suspend', operationId: 'suspendProvider', tag: 'operator', scope: 'operate', roles: ['operator'], params: idParams, body: reasonBody,
  summary: 'Take a provider off the market: its offers end, what it sold fails minute by minute',
  responses: { 200: { description: 'Done.', schema: suspensionSchema } },
  async handle(context) {
    const { services, params, body } = context;
    const actor = principalIn(context);
    const provider = providerOf(services, params.id);
    const ack = await submit(context, { type: 'suspendProvider', company: actor.company, provider, reason: body.reason });
    await recordAudit(services.database, { at: ack.now, actor, action: 'provider.suspend', target: params.id, reason: body.reason, sequence: ack.sequence });
    return { status: 200, body: { id: params.id, suspended: true, reason: body.reason } };
  },
});

const reinstate = route({
  method: 'post', path: '/api/v1/providers/{id}/reinstate', operationId: 'reinstateProvider', tag: 'operator', scope: 'operate', roles: ['operator'], params: idParams, body: reasonBody,
  summary: 'Let a provider sell again; takes two operators',
  responses: { 200: { description: 'Done.', schema: suspensionSchema }, 202: { description: 'Another operator must make the same call.', schema: pendingSchema } },
  async handle(context) {
    const { services, params, body } = context;
    const actor = principalIn(context);
    const provider = providerOf(services, params.id);
    const reply = await onceOfPerson(context, actor.user, async (transaction) => {
      const { pending, requestedBy } = await confirmedByTwo(transaction, { action: 'provider.reinstate', target: params.id, reason: body.reason, person: actor.user });
      if (pending !== undefined) {
        await recordAudit(transaction, { at: services.committed.now, actor, action: 'provider.reinstate.requested', target: params.id, reason: body.reason });
        return pending;
      }
      const ack = await submit({ services, idempotencyKey: '', bodyHash: '' }, { type: 'reinstateProvider', company: actor.company, provider, reason: body.reason });
      await recordAudit(transaction, { at: ack.now, actor, action: 'provider.reinstate', target: params.id, reason: body.reason, details: { requested_by: requestedBy }, sequence: ack.sequence });
      return { reply: { status: 200, body: { id: params.id, suspended: false, reason: body.reason } } };
    });
    // What its endpoints serve is told to the market again.
    const rows: { id: string }[] = await services.database('endpoints').where({ company: provider }).whereNot('status', 'removed').select('id');
    for (const { id } of rows) services.endpoints.changed(id);
    return reply;
  },
});

export const providersRoutes: Route[] = [list, one, suspend, reinstate];
