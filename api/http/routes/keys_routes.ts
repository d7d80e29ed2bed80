/** API keys of a company. */
import type { Knex } from 'knex';
import { z } from 'zod';
import { keySpending, keysOfLine, monthBegan } from '../../../db/queries/key_spending.ts';
import { NONE } from '../../../engine/vocabulary.ts';
import { formatMicro, formatTicks, parseMicro, parseTicks } from '../../../engine/numbers/units.ts';
import { TEST_SCOPES, isAddressOrRange, isTestKey, keyOfRow } from '../../auth/keys.ts';
import type { ApiKey, EndpointNeeds, KeyRow, SpotPolicy } from '../../auth/keys.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import { findModel } from '../../gateway/catalogue/catalogue.ts';
import { boundBy, requireWithin } from '../key_bounds.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import type { Services } from '../../services.ts';
import { alertsOf } from '../../warnings/budget_warning.ts';
import { decimal, idParams, identifier, instant, line, pageOf, pageQuery } from '../wire/schemas.ts';

const tag = 'keys';
const names = z.array(identifier).min(1, 'must not be empty; null means all').max(200);
const spotBody = z.strictObject({
  enabled: z.boolean(),
  maximum_price: decimal.nullish(),
  classes: names.nullish(),
  regions: names.nullish(),
  monthly_limit: decimal.nullish(),
});
const needsBody = z.strictObject({
  countries: z.array(z.string().regex(/^[A-Z]{2}$/, 'must be country codes of two letters')).min(1, 'must not be empty; null means all').max(200).nullish(),
  precisions: names.nullish(),
  prompt_retention: names.nullish(),
});
const keyBody = z.strictObject({
  name: line(100),
  scopes: z.array(z.string()).min(1, 'must name at least one scope').max(20),
  allowed_models: names.nullish(),
  allowed_ips: z.array(z.string().refine(isAddressOrRange, 'must be addresses or CIDR ranges')).min(1, 'must not be empty; null means all').max(100).nullish(),
  expires_at: instant.nullish(),
  monthly_limit: decimal.nullish().describe('CR of inference in a calendar month'),
  requests_per_minute: z.int().min(1).max(10_000_000).nullish(),
  tokens_per_minute: z.int().min(1).max(1_000_000_000_000).nullish(),
  spot: spotBody.nullish().describe('What the gateway may buy from the spot book'),
  endpoint: needsBody.nullish().describe('What the key asks of the endpoints that serve it; a provider that does not say is not asked'),
  project: identifier.nullish().describe('The id of the project whose budget the key shares'),
  test: z.boolean().optional().describe('A key for the sandbox: it costs nothing, and may only read and infer'),
});
const rotateBody = z.strictObject({ overlap_seconds: z.int().min(0).max(2_592_000).optional().describe('How long the old key still works; an hour unless told') });

/** Of a limit: what has been used of it, and which per cent have been reached. */
export const monthSchema = z.object({ used: z.string(), alerts: z.array(z.number()).describe('Of 80, 95 and 100: the per cent of the limit that have been reached; 100 also when what is left held no request') });

const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  prefix: z.string(),
  last_four: z.string(),
  scopes: z.array(z.string()),
  allowed_models: z.array(z.string()).nullable(),
  allowed_ips: z.array(z.string()).nullable(),
  expires_at: z.string().nullable(),
  monthly_limit: z.string().nullable(),
  requests_per_minute: z.number().nullable(),
  tokens_per_minute: z.number().nullable(),
  endpoint: z.object({ countries: z.array(z.string()).nullable(), precisions: z.array(z.string()).nullable(), prompt_retention: z.array(z.string()).nullable() }).nullable(),
  project: z.string().nullable(),
  test: z.boolean(),
  month: monthSchema.optional()
    .describe('Of keys with a monthly limit: what they have used of it, together with those that they were rotated from or into'),
  spot: z.object({
    enabled: z.boolean(), maximum_price: z.string().nullable(), classes: z.array(z.string()).nullable(), regions: z.array(z.string()).nullable(),
    monthly_limit: z.string().nullable(),
  }),
  created_at: z.string(),
  secret: z.string().optional().describe('The key itself; shown once, in the answer that makes it'),
});
type KeyWire = z.infer<typeof keySchema>;

const optional = <V, T>(value: V | null, format: (value: V) => T): T | null => (value === null ? null : format(value));
const timeOf = (millis: number): string => new Date(millis).toISOString();

export const keyWire = (key: ApiKey): KeyWire => ({
  id: key.id,
  name: key.name,
  prefix: key.prefix,
  last_four: key.lastFour,
  scopes: [...key.scopes],
  allowed_models: key.allowedModels === null ? null : [...key.allowedModels],
  allowed_ips: key.allowedIps === null ? null : [...key.allowedIps],
  expires_at: optional(key.expiresAt, timeOf),
  monthly_limit: optional(key.monthlyLimit, formatMicro),
  requests_per_minute: key.requestsPerMinute,
  tokens_per_minute: key.tokensPerMinute,
  endpoint: optional(key.needs, ({ countries, precisions, promptRetention }) => ({ countries, precisions, prompt_retention: promptRetention })),
  project: key.project?.id ?? null,
  test: isTestKey(key),
  spot: {
    enabled: key.spot.enabled, maximum_price: optional(key.spot.maximumPrice, formatTicks), classes: key.spot.classes, regions: key.spot.regions,
    monthly_limit: optional(key.spot.monthlyLimit, formatMicro),
  },
  created_at: timeOf(key.createdAt),
});

/** @throws ApiError for a key that would be of no use: one that has expired, or is for a model, a class or a region nobody knows */
function requireUsable(directory: Directory, { expiresAt, allowedModels, spot }: Pick<ApiKey, 'expiresAt' | 'allowedModels' | 'spot'>, now: number): void {
  if (expiresAt !== null && expiresAt <= now) throw new ApiError('invalid_request', { field: 'expires_at', values: { detail: 'expires_at: has passed' } });
  requireKnown('allowed_models', 'model', allowedModels, (name) => findModel(name) !== undefined || directory.modelId(name) !== NONE);
  requireKnown('spot.classes', 'GPU class', spot.classes, (name) => directory.classId(name) !== NONE);
  requireKnown('spot.regions', 'region', spot.regions, (name) => directory.regionId(name) !== NONE);
}

function requireKnown(list: string, thing: string, names: readonly string[] | null, isKnown: (name: string) => boolean): void {
  const unknown = names?.findIndex((name) => !isKnown(name)) ?? -1;
  if (unknown < 0) return;
  const field = `${list}.${unknown}`;
  throw new ApiError('invalid_request', { field, values: { detail: `${field}: there is no ${thing} "${names?.[unknown] ?? ''}"` } });
}

/** @throws ApiError when the text has too many places or is too large */
function amountIn(field: string, text: string | null | undefined, parse: (text: string) => number): number | null {
  if (text === null || text === undefined) return null;
  const value = parse(text);
  if (value < 0) throw new ApiError('invalid_request', { field, values: { detail: `${field}: too large, or more decimal places than the unit has` } });
  return value;
}

const spotOf = (spot: z.output<typeof spotBody> | null | undefined): SpotPolicy => ({
  enabled: spot?.enabled ?? false,
  maximumPrice: amountIn('spot.maximum_price', spot?.maximum_price, parseTicks),
  classes: spot?.classes ?? null,
  regions: spot?.regions ?? null,
  monthlyLimit: amountIn('spot.monthly_limit', spot?.monthly_limit, parseMicro),
});

const needsOf = (needs: z.output<typeof needsBody> | null | undefined): EndpointNeeds | null =>
  needs == null ? null : { countries: needs.countries ?? null, precisions: needs.precisions ?? null, promptRetention: needs.prompt_retention ?? null };

/** @throws ApiError when the company has no such project */
async function requireProject(transaction: Knex.Transaction, company: number, id: string): Promise<void> {
  const known = await transaction('projects').where({ id, company }).first<{ id: string } | undefined>('id');
  if (known === undefined) throw new ApiError('invalid_request', { field: 'project', values: { detail: 'project: there is no such project' } });
}

const createKey = route({
  method: 'post', path: '/api/v1/keys', operationId: 'createKey', summary: 'Make a key; it may do no more than its maker', tag, scope: 'keys', body: keyBody,
  responses: { 201: { description: 'The key, with its secret. A repeat under the same Idempotency-Key answers without it.', schema: keySchema } },
  async handle(context) {
    const { services, body } = context;
    const principal = principalIn(context);
    const missing = body.scopes.find((scope) => !principal.scopes.includes(scope));
    if (missing !== undefined) throw new ApiError('insufficient_scope', { field: 'scopes', values: { scope: missing } });
    const unfit = body.test === true ? body.scopes.find((scope) => !TEST_SCOPES.some((known) => known === scope)) : undefined;
    if (unfit !== undefined) throw new ApiError('invalid_request', { field: 'scopes', values: { detail: `scopes: a test key may only have ${TEST_SCOPES.join(', ')}` } });
    const expiresAt = body.expires_at === null || body.expires_at === undefined ? null : Date.parse(body.expires_at);
    const created = boundBy({
      name: body.name, scopes: [...new Set(body.scopes)], allowedModels: body.allowed_models ?? null, allowedIps: body.allowed_ips ?? null, expiresAt,
      monthlyLimit: amountIn('monthly_limit', body.monthly_limit, parseMicro), requestsPerMinute: body.requests_per_minute ?? null,
      tokensPerMinute: body.tokens_per_minute ?? null, spot: spotOf(body.spot), needs: needsOf(body.endpoint), project: body.project == null ? null : { id: body.project }, test: body.test === true,
    }, principal.apiKey);
    const reply = await once(context, async (transaction) => {
      // A repeat is answered even when the key has expired meanwhile.
      requireUsable(services.directory, created, Math.max(Date.now(), services.committed.now));
      if (created.project !== null) await requireProject(transaction, principal.company, created.project.id);
      const { id, text } = await services.auth.createKey(transaction, principal, created);
      const record = keyWire(keyOfRow({ ...(await transaction('api_keys').where('id', id).first<KeyRow>()), role: principal.role }));
      return { reply: { status: 201, body: { ...record, secret: text } }, repeat: { status: 201, body: record } };
    });
    await services.auth.look();
    return reply;
  },
});

const listKeys = route({
  method: 'get', path: '/api/v1/keys', operationId: 'listKeys', summary: 'Keys that are not revoked', tag, scope: 'keys', query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(keySchema) } },
  async handle(context) {
    const { company, role } = principalIn(context);
    const rows = await context.services.database('api_keys').where({ company }).whereNull('revoked_at').orderBy('created_at', 'desc').select<KeyRow[]>();
    const { data, next_cursor } = pageOfRows(rows.map((row) => keyOfRow({ ...row, role })), context.query, (key) => [key.createdAt, key.id], (key) => key);
    return { status: 200, body: { data: await Promise.all(data.map(async (key) => ({ ...keyWire(key), ...(await monthOf(context.services, key)) }))), next_cursor } };
  },
});

const revokeKey = route({
  method: 'delete', path: '/api/v1/keys/{id}', operationId: 'revokeKey', summary: 'End a key at once', tag, scope: 'keys', params: idParams,
  responses: { 204: { description: 'The key is dead.' } },
  async handle(context) {
    const { company } = principalIn(context);
    if (!(await context.services.auth.revokeKey(company, context.params.id))) throw new ApiError('not_found');
    return { status: 204 };
  },
});

const HOUR_SECONDS = 3_600;
const MILLIS_PER_SECOND = 1_000;

const rotateKey = route({
  method: 'post', path: '/api/v1/keys/{id}/rotate', operationId: 'rotateKey', summary: 'Replace a key by a new one of the same rights; the old one works on for a while', tag, scope: 'keys',
  params: idParams, body: rotateBody,
  responses: { 201: { description: 'The new key, with its secret. A repeat under the same Idempotency-Key answers without it.', schema: keySchema } },
  async handle(context) {
    const { services, params, body } = context;
    const principal = principalIn(context);
    const reply = await once(context, async (transaction) => {
      const row = await transaction('api_keys').where({ id: params.id, company: principal.company }).whereNull('revoked_at').forUpdate().first<KeyRow | undefined>();
      if (row === undefined) throw new ApiError('not_found');
      const old = keyOfRow({ ...row, role: principal.role });
      const missing = old.scopes.find((scope) => !principal.scopes.some((known) => known === scope));
      if (missing !== undefined) throw new ApiError('insufficient_scope', { field: 'scopes', values: { scope: missing } });
      requireWithin(old, principal.apiKey);
      const now = Math.max(Date.now(), services.committed.now);
      // Its successor would have expired with it.
      if (old.expiresAt !== null && old.expiresAt <= now) throw new ApiError('invalid_state', { because: 'The key has expired.' });
      const { id, text } = await services.auth.createKey(transaction, principal, { ...old, test: isTestKey(old) });
      await services.auth.endKeyAt(transaction, old, now + (body.overlap_seconds ?? HOUR_SECONDS) * MILLIS_PER_SECOND);
      const record = keyWire(keyOfRow({ ...(await transaction('api_keys').where('id', id).first<KeyRow>()), role: principal.role }));
      return { reply: { status: 201, body: { ...record, secret: text } }, repeat: { status: 201, body: record } };
    });
    await services.auth.look();
    return reply;
  },
});

/** What a key with a monthly limit has used of it, with those that it was rotated from or into. */
async function monthOf({ database, committed }: Services, { line, company, monthlyLimit }: ApiKey): Promise<Pick<KeyWire, 'month'>> {
  if (monthlyLimit === null) return {};
  const month = monthBegan(committed.now);
  const { used } = await keySpending(database, { company, keys: await keysOfLine(database, line), from: month, untilSequence: committed.sequence });
  return { month: { used: formatMicro(used), alerts: await alertsOf(database, { id: line, limit: monthlyLimit }, { used, month }) } };
}

export const keysRoutes: Route[] = [createKey, listKeys, rotateKey, revokeKey];
