/** What a provider declares, proves and has sold. */
import { z } from 'zod';
import { NONE, SELL, classOf, regionOf } from '../../../engine/vocabulary.ts';
import type { CapacityView } from '../../../engine/queries.ts';
import { formatMicro } from '../../../engine/numbers/units.ts';
import { newId } from '../../auth/keys.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import type { EndpointRow } from '../../gateway/endpoints/endpoint_rows.ts';
import { moneyOf } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { orderSchema, orderWire } from '../wire/order_wire.ts';
import { stateOf } from './orders_routes.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { decimal, idParams, identifier, pageOf, pageQuery } from '../wire/schemas.ts';
import { expectEvent, marketCaughtUp, submit } from '../submit.ts';

const tag = 'provider';
const text = z.string();
const provider = ['provider'] as const;
const GPUS_MAX = 1_000_000;

const capacitySchema = z.object({
  class: text, region: text, gpus: z.number().int(), verified_gpus: z.number().int(), models: z.array(text), status: z.enum(['pending', 'verified']),
});
export const capacityWire = (directory: Directory, { market, declared, verified, models }: CapacityView): z.infer<typeof capacitySchema> => ({
  class: directory.className(classOf(market)),
  region: directory.regionName(regionOf(market)),
  gpus: declared,
  verified_gpus: verified,
  models: models.map((model) => directory.modelName(model)),
  status: verified >= declared ? 'verified' : 'pending',
});

/** @throws ApiError when there is no such class or region */
function marketOf(directory: Directory, body: { class: string; region: string }): number {
  if (directory.classId(body.class) === NONE) throw new ApiError('instrument_unknown', { field: 'class' });
  const market = directory.marketId(body.class, body.region);
  if (market === NONE) throw new ApiError('instrument_unknown', { field: 'region' });
  return market;
}

const declareCapacity = route({
  method: 'post', path: '/api/v1/capacity', operationId: 'declareCapacity', summary: 'Declare GPUs of a class in a region; what is proven of them can be sold', tag,
  scope: 'provide', roles: provider, body: z.strictObject({ class: identifier, region: identifier, gpus: z.number().int().min(0).max(GPUS_MAX) }),
  responses: { 201: { description: 'Pending until an endpoint proves it.', schema: capacitySchema } },
  async handle(context) {
    const { services, body } = context;
    const { directory } = services;
    const { company } = principalIn(context);
    const market = marketOf(directory, body);
    // What is verified changes: a repeat is answered from what was stored, not from what is.
    const reply = await once(context, async () => {
      const declared = expectEvent(await submit(context, { type: 'declareCapacity', company, market, gpus: body.gpus }), 'capacityDeclared');
      const known = directory.capacities(company).find((capacity) => capacity.market === market);
      return { reply: { status: 201, body: capacityWire(directory, { company, market, declared: declared.gpus, verified: known?.verified ?? 0, models: known?.models ?? [] }) } };
    }, { becomesCommand: true });
    const rows: { id: string }[] = await services.database('endpoints').where({ company, market }).whereNot('status', 'removed').select('id');
    for (const { id } of rows) services.endpoints.changed(id);
    return reply;
  },
});

const listCapacity = route({
  method: 'get', path: '/api/v1/capacity', operationId: 'listCapacity', summary: 'Declared and verified GPUs', tag, scope: 'read', roles: provider, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'One row for each class and region.', schema: pageOf(capacitySchema) } },
  handle(context) {
    const { directory } = context.services;
    const rows = directory.capacities(principalIn(context).company);
    return Promise.resolve({ status: 200, body: pageOfRows(rows, context.query, (row) => [row.market], (row) => capacityWire(directory, row)) });
  },
});

const URL_LENGTH_MAX = 2_000;
const endpointUrl = z.string().max(URL_LENGTH_MAX).refine(isPlainHttpUrl, 'must be an http or https URL without user, password, query or fragment');

function isPlainHttpUrl(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, username, password, search, hash } = new URL(given);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '' && search === '' && hash === '';
}

const endpointBody = z.strictObject({
  url: endpointUrl.describe('Base of an OpenAI-compatible server, such as https://gpu.example.com/v1'),
  api_key: z.string().min(1).max(1000).regex(/^[\x21-\x7e]*$/, 'must be visible ASCII characters').nullish(),
  class: identifier,
  region: identifier,
  models: z.array(z.string().min(1).max(200)).min(1, 'must name at least one model').max(200),
  precision: z.string().min(1).max(40).nullish(),
  country: z.string().regex(/^[A-Z]{2}$/, 'must be a country code of two letters').nullish(),
  prompt_retention: z.string().min(1).max(200).nullish(),
});

/** An endpoint with what its provider is told of it. */
export interface ToldEndpointRow extends Required<EndpointRow> {
  status_reason: string;
  created_at: Date;
  verified_at: Date | null;
  heard_at: Date | null;
  gpus_seen: { name: string; uuid?: string; memory_mb: number; utilisation_percent?: number }[] | null;
}

export const endpointSchema = z.object({
  id: text, url: text, has_api_key: z.boolean(), class: text, region: text, models: z.array(text), precision: text.nullable(), country: text.nullable(),
  prompt_retention: text.nullable(), status: z.enum(['pending', 'verified', 'failed', 'draining', 'removed']), status_reason: text, created_at: text, verified_at: text.nullable(),
  heard_at: text.nullable().describe("The last sign of life of the provider's agent"),
  gpus_seen: z.array(z.object({ name: text, uuid: text.optional(), memory_mb: z.number().int(), utilisation_percent: z.number().int().optional() })).nullable(),
});
export const endpointWire = (directory: Directory, row: ToldEndpointRow): z.infer<typeof endpointSchema> => ({
  id: row.id,
  url: row.url,
  has_api_key: row.credential !== null,
  class: directory.className(classOf(row.market)),
  region: directory.regionName(regionOf(row.market)),
  models: row.models,
  precision: row.precision,
  country: row.country,
  prompt_retention: row.prompt_retention,
  status: row.status,
  status_reason: row.status_reason,
  created_at: row.created_at.toISOString(),
  verified_at: row.verified_at?.toISOString() ?? null,
  heard_at: row.heard_at?.toISOString() ?? null,
  gpus_seen: row.gpus_seen,
});

const createEndpoint = route({
  method: 'post', path: '/api/v1/endpoints', operationId: 'createEndpoint', summary: 'Register a server that serves models on declared capacity', tag, scope: 'provide',
  roles: provider, body: endpointBody,
  responses: { 201: { description: 'Registered; it is verified by a completion.', schema: endpointSchema } },
  async handle(context) {
    const { services, body } = context;
    const { directory } = services;
    const { company } = principalIn(context);
    const market = marketOf(directory, body);
    const unknown = body.models.find((name) => directory.modelId(name) === NONE);
    if (unknown !== undefined) throw new ApiError('invalid_request', { field: 'models', values: { detail: `models: there is no model "${unknown}" in the catalogue` } });
    const refusal = await services.endpoints.refusal(body.url);
    if (refusal !== undefined) throw new ApiError('endpoint_not_allowed', { field: 'url', values: { detail: refusal } });
    const id = newId('end');
    const reply = await once(context, async (transaction) => {
      const [row] = await transaction('endpoints').insert({
        id, company, market, url: body.url, credential: typeof body.api_key === 'string' ? services.vault.seal(body.api_key, id) : null,
        models: JSON.stringify([...new Set(body.models)]), precision: body.precision ?? null, country: body.country ?? null, prompt_retention: body.prompt_retention ?? null,
      }).returning<ToldEndpointRow[]>('*');
      return { reply: { status: 201, body: endpointWire(directory, row) } };
    });
    services.endpoints.changed(id);
    return reply;
  },
});

const listEndpoints = route({
  method: 'get', path: '/api/v1/endpoints', operationId: 'listEndpoints', summary: "One's endpoints and their state", tag, scope: 'read', roles: provider, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(endpointSchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    const rows = await services.database('endpoints').where({ company }).whereNot('status', 'removed').orderBy('created_at', 'desc').select<ToldEndpointRow[]>();
    return { status: 200, body: pageOfRows(rows, query, (row) => [row.created_at.getTime(), row.id], (row) => endpointWire(services.directory, row)) };
  },
});

const removeEndpoint = route({
  method: 'delete', path: '/api/v1/endpoints/{id}', operationId: 'removeEndpoint', summary: 'Take an endpoint out of service', tag, scope: 'provide', roles: provider, params: idParams,
  responses: { 204: { description: 'No new request goes there.' } },
  async handle(context) {
    const { services, params } = context;
    const { company } = principalIn(context);
    const count = await services.database('endpoints').where({ id: params.id, company }).whereNot('status', 'removed').update({ status: 'removed', credential: null });
    if (count === 0) throw new ApiError('not_found');
    services.endpoints.changed(params.id);
    return { status: 204 };
  },
});

const postBond = route({
  method: 'post', path: '/api/v1/bond', operationId: 'postBond', summary: 'Put up money that covers damages', tag, scope: 'provide', roles: provider,
  body: z.strictObject({ amount: decimal }),
  responses: { 201: { description: 'Posted.', schema: z.object({ amount: text }) } },
  async handle(context) {
    const { company } = principalIn(context);
    const posted = expectEvent(await submit(context, { type: 'postBond', company, amount: moneyOf('amount', context.body.amount) }), 'bondPosted');
    return { status: 201, body: { amount: formatMicro(posted.amount) } };
  },
});

const listOffers = route({
  method: 'get', path: '/api/v1/offers', operationId: 'listOffers', summary: 'Hours on offer: open sell orders', tag, scope: 'read', roles: provider, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(orderSchema) } },
  async handle(context) {
    const { services, query } = context;
    await marketCaughtUp(services);
    const offers = services.market.openOrders(principalIn(context).company).filter((order) => order.side === SELL);
    return { status: 200, body: pageOfRows(offers, query, (order) => [order.sequence, order.order], (order) => orderWire(services.directory, stateOf(order))) };
  },
});

export const providerRoutes: Route[] = [declareCapacity, listCapacity, createEndpoint, listEndpoints, removeEndpoint, postBond, listOffers];
