/** What a company's requests met, and what a provider's endpoints answered to probes: the last day of it. */
import { z } from 'zod';
import type { Try } from '../../gateway/relay/logbook.ts';
import { ApiError } from '../../errors.ts';
import { formatTime } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { LIMIT_DEFAULT, decodeCursor, decodeNumberCursor, encodeCursor } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { idParams, pageOf, pageQuery } from '../wire/schemas.ts';

const text = z.string();
const count = z.number().int();

export const requestLogSchema = z.object({
  id: text, at: text, key: text.describe('The key\'s id, or `session`'), model: text, path: text, streamed: z.boolean(), status: count.describe('499: the client went away'), error: text.nullable(),
  millis: count, prompt_tokens: count.nullable(), completion_tokens: count.nullable(), credits_used: text.nullable(),
  attempts: z.array(z.object({
    endpoint: text, provider: text, began_ms: count.describe('Since the request came'), millis: count, outcome: z.enum(['answered', 'failed', 'refused', 'given_up']), error: text.nullable(),
  })).describe('Endpoints that were asked, in their order'),
});
interface RequestRow {
  id: string;
  at: Date;
  key: string;
  model: string;
  path: string;
  streamed: boolean;
  status: number;
  error: string | null;
  millis: number;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  credits: string | null;
  tries: Try[];
}

/** @throws ApiError invalid_cursor */
function positionOf(cursor: string): [at: Date, id: string] {
  const [millis, id] = decodeCursor(cursor).split(',');
  const at = new Date(Number(millis));
  if (id === undefined || Number.isNaN(at.getTime())) throw new ApiError('invalid_cursor', { field: 'cursor' });
  return [at, id];
}

const requests = route({
  method: 'get', path: '/api/v1/requests', operationId: 'listRequests', summary: 'Requests of the last day with the endpoints that were tried for each', tag: 'inference', scope: 'read', roles: ['borrower'],
  query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first. Of more than 200 in a second the rest is left out; what is charged stands in the usage.', schema: pageOf(requestLogSchema) } },
  async handle(context) {
    const { services, query } = context;
    const limit = query.limit ?? LIMIT_DEFAULT;
    const select = services.database('request_log').where('company', principalIn(context).company).orderBy([{ column: 'at', order: 'desc' }, { column: 'id', order: 'desc' }]).limit(limit + 1);
    if (query.cursor !== undefined) void select.whereRaw('(at, id) < (?, ?)', positionOf(query.cursor));
    const rows = await select.select<RequestRow[]>();
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      status: 200,
      body: {
        data: page.map(({ at, credits, tries, id, key, model, path, streamed, status, error, millis, prompt_tokens, completion_tokens }) => ({
          id, at: formatTime(at.getTime()), key, model, path, streamed, status, error, millis, prompt_tokens, completion_tokens, credits_used: credits,
          attempts: tries.map((tried) => ({ ...tried, provider: services.directory.companyName(tried.provider) })),
        })),
        next_cursor: rows.length > limit && last !== undefined ? encodeCursor(`${last.at.getTime()},${last.id}`) : null,
      },
    };
  },
});

export const probeSchema = z.object({ id: text, at: text, model: text, result: z.enum(['passed', 'failed', 'mismatched']), millis: count });
interface ProbeRow {
  id: string;
  at: Date;
  model: string;
  result: z.infer<typeof probeSchema>['result'];
  millis: number;
}

const probes = route({
  method: 'get', path: '/api/v1/endpoints/{id}/probes', operationId: 'listProbes', summary: 'What an endpoint answered to the probes of the last day', tag: 'provider', scope: 'read', roles: ['provider'],
  params: idParams, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(probeSchema) } },
  async handle(context) {
    const { services, params, query } = context;
    const own = await services.database('endpoints').where({ id: params.id, company: principalIn(context).company }).first<{ id: string } | undefined>('id');
    if (own === undefined) throw new ApiError('not_found');
    const limit = query.limit ?? LIMIT_DEFAULT;
    const after = decodeNumberCursor(query.cursor) ?? Number.MAX_SAFE_INTEGER;
    const rows = await services.database('probe_log').where('endpoint', params.id).where('id', '<', after).orderBy('id', 'desc').limit(limit + 1).select<ProbeRow[]>();
    const page = rows.slice(0, limit);
    return {
      status: 200,
      body: {
        data: page.map(({ id, at, model, result, millis }) => ({ id, at: formatTime(at.getTime()), model, result, millis })),
        next_cursor: rows.length > limit ? encodeCursor(page[limit - 1].id) : null,
      },
    };
  },
});

export const logRoutes: Route[] = [requests, probes];
