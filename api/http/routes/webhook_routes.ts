/** What happened, as a list and as webhooks by the scheme of Standard Webhooks. */
import type { Knex } from 'knex';
import { z } from 'zod';
import { listLifeEvents } from '../../../db/queries/life_events.ts';
import { WARNING_TYPES, listWarnings } from '../../../db/queries/warnings.ts';
import { newId } from '../../auth/keys.ts';
import { ApiError } from '../../errors.ts';
import { LIFE_EVENT_TYPE_NAMES, kindsOfType, lifeEventWire } from '../../webhooks/life_wire.ts';
import { warningWire } from '../../warnings/warnings.ts';
import { newSecret } from '../../webhooks/signature.ts';
import { principalIn } from '../middleware/caller.ts';
import { projectionsCaughtUp } from '../history.ts';
import { once } from '../middleware/idempotency.ts';
import { pageOfQuery, pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { idParams, instant, pageOf, pageQuery } from '../wire/schemas.ts';

const tag = 'webhooks';
const text = z.string();
const eventType = z.enum(LIFE_EVENT_TYPE_NAMES);
const WEBHOOKS_MAX = 20;
const OLD_SECRET_SIGNS = '24 hours';
const DELIVERIES_SHOWN = 1_000;
/** After every event of the last command. */
const PLACE_MAX = 2 ** 31 - 1;

const eventSchema = z.object({ id: text, type: eventType, timestamp: text, data: z.record(z.string(), z.unknown()) });

const events = route({
  method: 'get', path: '/api/v1/events', operationId: 'listEvents', summary: "What happened to one's loans, lots and money, and what was not delivered", tag, scope: 'read',
  query: z.strictObject({ type: eventType.optional(), ...pageQuery }), responses: { 200: { description: 'Newest first.', schema: pageOf(eventSchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    const kinds = query.type === undefined ? undefined : kindsOfType(query.type);
    await projectionsCaughtUp(services, 'life');
    const body = await pageOfQuery(query, (page) => listLifeEvents(services.database, { company, kinds, ...page }), (record) => lifeEventWire(record, { company, directory: services.directory }));
    return { status: 200, body };
  },
});

export const webhookSchema = z.object({
  id: text, url: text, description: text, events: z.array(text).describe('Empty: all'), status: z.enum(['active', 'disabled']), reason: text, created_at: text,
});
const withSecret = webhookSchema.extend({ secret: text.describe('Shown once: `whsec_` and the key in base64') });

export interface WebhookRow {
  id: string;
  company: number;
  url: string;
  description: string;
  events: string[];
  status: 'active' | 'disabled';
  reason: string;
  secret: Buffer;
  created_at: Date;
}

export const webhookWire = (row: Omit<WebhookRow, 'secret' | 'company'>): z.infer<typeof webhookSchema> => ({
  id: row.id, url: row.url, description: row.description, events: row.events, status: row.status, reason: row.reason, created_at: row.created_at.toISOString(),
});

const urlBody = z.string().max(2_000).refine((given) => URL.canParse(given) && /^https?:$/.test(new URL(given).protocol), 'must be an http or https URL');

/** What a webhook may be told of. */
const toldType = z.enum([...LIFE_EVENT_TYPE_NAMES, ...WARNING_TYPES]);
const warningSchema = z.object({ id: text, type: z.enum(WARNING_TYPES), timestamp: text, data: z.record(z.string(), z.unknown()) });

const warnings = route({
  method: 'get', path: '/api/v1/warnings', operationId: 'listWarnings', summary: 'What one was warned of: budgets that are used up, hours that were about to end unused', tag, scope: 'read',
  query: z.strictObject(pageQuery), responses: { 200: { description: 'Newest first.', schema: pageOf(warningSchema) } },
  async handle(context) {
    const { services: { database }, query } = context;
    const { company } = principalIn(context);
    return { status: 200, body: await pageOfQuery(query, (page) => listWarnings(database, { company, ...page }), warningWire) };
  },
});

const create = route({
  method: 'post', path: '/api/v1/webhooks', operationId: 'createWebhook', summary: 'Be told of what happens, signed by the scheme of Standard Webhooks', tag, scope: 'account',
  body: z.strictObject({ url: urlBody, description: z.string().max(200).default(''), events: z.array(toldType).max(toldType.options.length).default([]) }),
  responses: { 201: { description: 'With the secret that signs what is sent.', schema: withSecret } },
  async handle(context) {
    const { services, body } = context;
    const { company } = principalIn(context);
    const refusal = await services.endpoints.refusal(body.url);
    if (refusal !== undefined) throw new ApiError('endpoint_not_allowed', { field: 'url', values: { detail: refusal } });
    return once(context, async (transaction) => {
      const [{ count }] = (await transaction('webhooks').where({ company }).count({ count: '*' })) as { count: string }[];
      if (Number(count) >= WEBHOOKS_MAX) throw new ApiError('limit_exceeded');
      const id = newId('whk');
      const secret = newSecret();
      const [row] = await transaction('webhooks').insert({
        id, company, url: body.url, description: body.description, events: JSON.stringify([...new Set(body.events)]), secret: services.vault.seal(secret, id),
        sequence: await services.committed.present(), place: PLACE_MAX,
      }).returning<WebhookRow[]>('*');
      const shown = webhookWire(row);
      return { reply: { status: 201, body: { ...shown, secret } }, repeat: { status: 201, body: shown } };
    });
  },
});

const list = route({
  method: 'get', path: '/api/v1/webhooks', operationId: 'listWebhooks', summary: "One's webhooks", tag, scope: 'read', query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(webhookSchema) } },
  async handle(context) {
    const rows: WebhookRow[] = await context.services.database('webhooks').where({ company: principalIn(context).company }).select('*');
    return { status: 200, body: pageOfRows(rows, context.query, (row) => [row.created_at.getTime(), row.id], webhookWire) };
  },
});

/** @throws ApiError not_found */
async function own(database: Knex, company: number, id: string): Promise<WebhookRow> {
  const row = await database('webhooks').where({ id, company }).first<WebhookRow | undefined>('*');
  if (row === undefined) throw new ApiError('not_found');
  return row;
}

const remove = route({
  method: 'delete', path: '/api/v1/webhooks/{id}', operationId: 'deleteWebhook', summary: 'Be told no more', tag, scope: 'account', params: idParams,
  responses: { 200: { description: 'Gone, with what was still to be sent.', schema: z.object({ id: text }) } },
  async handle(context) {
    const { database } = context.services;
    const { id } = await own(database, principalIn(context).company, context.params.id);
    await database('webhooks').where({ id }).delete();
    return { status: 200, body: { id } };
  },
});

const rotate = route({
  method: 'post', path: '/api/v1/webhooks/{id}/rotate', operationId: 'rotateWebhookSecret', summary: 'A new secret; the old one signs too for a day. Also activates a webhook that was disabled', tag, scope: 'account',
  params: idParams, responses: { 200: { description: 'With the new secret.', schema: withSecret } },
  async handle(context) {
    const { services, params } = context;
    return once(context, async (transaction) => {
      const row = await own(transaction, principalIn(context).company, params.id);
      const secret = newSecret();
      await transaction('webhooks').where({ id: row.id }).update({
        secret: services.vault.seal(secret, row.id), previous_secret: row.secret, previous_until: transaction.raw(`now() + interval '${OLD_SECRET_SIGNS}'`), status: 'active', reason: '',
      });
      const shown = webhookWire({ ...row, status: 'active', reason: '' });
      return { reply: { status: 200, body: { ...shown, secret } }, repeat: { status: 200, body: shown } };
    });
  },
});

export const deliverySchema = z.object({
  id: text, event_id: text, type: text, status: z.enum(['pending', 'delivered', 'failed']), attempts: z.number().int(), last_status: z.number().int().nullable(), last_error: text,
  next_attempt_at: text.nullable(), delivered_at: text.nullable(), created_at: text,
});
interface DeliveryRow {
  id: string;
  message: string;
  type: string;
  status: 'pending' | 'delivered' | 'failed';
  attempts: number;
  last_status: number | null;
  last_error: string;
  next_attempt_at: Date;
  delivered_at: Date | null;
  created_at: Date;
}
const deliveryWire = (row: DeliveryRow): z.infer<typeof deliverySchema> => ({
  id: row.id, event_id: row.message, type: row.type, status: row.status, attempts: row.attempts, last_status: row.last_status, last_error: row.last_error,
  next_attempt_at: row.status === 'pending' ? row.next_attempt_at.toISOString() : null, delivered_at: row.delivered_at?.toISOString() ?? null, created_at: row.created_at.toISOString(),
});

const deliveries = route({
  method: 'get', path: '/api/v1/webhooks/{id}/deliveries', operationId: 'listWebhookDeliveries', summary: 'What was sent, and what became of it', tag, scope: 'read', params: idParams,
  query: z.strictObject({ status: z.enum(['pending', 'delivered', 'failed']).optional(), ...pageQuery }),
  responses: { 200: { description: 'Newest first, the last thousand.', schema: pageOf(deliverySchema) } },
  async handle(context) {
    const { services: { database }, params, query } = context;
    const { id } = await own(database, principalIn(context).company, params.id);
    const rows = database('webhook_deliveries').where({ webhook: id }).orderBy('created_at', 'desc').limit(DELIVERIES_SHOWN);
    if (query.status !== undefined) void rows.where({ status: query.status });
    return { status: 200, body: pageOfRows((await rows.select('*')) as DeliveryRow[], query, (row) => [row.created_at.getTime(), row.id], deliveryWire) };
  },
});

const replay = route({
  method: 'post', path: '/api/v1/webhooks/{id}/replay', operationId: 'replayWebhook', summary: 'Send again: one delivery, of all events since a time, or all that failed', tag, scope: 'account', params: idParams,
  body: z.strictObject({ delivery_id: text.max(200).optional(), since: instant.optional() }),
  responses: { 200: { description: 'How many are sent again, each under its own id as before.', schema: z.object({ deliveries: z.number().int() }) } },
  async handle(context) {
    const { params, body } = context;
    return once(context, async (transaction) => ({ reply: { status: 200, body: { deliveries: await sendAgain(transaction, await own(transaction, principalIn(context).company, params.id), body) } } }));
  },
});

/** @throws ApiError not_found */
async function sendAgain(database: Knex, { id }: WebhookRow, body: { delivery_id?: string; since?: string }): Promise<number> {
  const rows = database('webhook_deliveries').where({ webhook: id });
  if (body.delivery_id !== undefined) void rows.where({ id: body.delivery_id });
  // By when it happened, which its delivery may be long after.
  if (body.since !== undefined) void rows.whereRaw(`(payload::jsonb ->> 'timestamp')::timestamptz >= ?`, [body.since]);
  if (body.delivery_id === undefined && body.since === undefined) void rows.where({ status: 'failed' });
  const count = await rows.update({ status: 'pending', attempts: 0, next_attempt_at: database.fn.now() });
  if (body.delivery_id !== undefined && count === 0) throw new ApiError('not_found');
  return count;
}

const test = route({
  method: 'post', path: '/api/v1/webhooks/{id}/test', operationId: 'testWebhook', summary: 'Send something now', tag, scope: 'account', params: idParams,
  responses: { 202: { description: 'On its way, of the type webhook.test.', schema: z.object({ delivery_id: text }) } },
  async handle(context) {
    const { services } = context;
    return once(context, async (transaction) => {
      const { id } = await own(transaction, principalIn(context).company, context.params.id);
      return { reply: { status: 202, body: { delivery_id: await sendTest(transaction, services.committed.now, id) } } };
    });
  },
});

async function sendTest(database: Knex, now: number, webhook: string): Promise<string> {
  const message = newId('evt');
  const id = `${webhook}.${message}`;
  const payload = JSON.stringify({ type: 'webhook.test', timestamp: new Date(now).toISOString(), data: { webhook_id: webhook } });
  await database('webhook_deliveries').insert({ id, webhook, message, type: 'webhook.test', payload });
  return id;
}

export const webhookRoutes: Route[] = [events, warnings, create, list, remove, rotate, deliveries, replay, test];
