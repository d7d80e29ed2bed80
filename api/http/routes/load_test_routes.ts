/** Load tests of what a provider has sold: asked for, and how each ended. */
import { z } from 'zod';
import { classOf, regionOf } from '../../../engine/vocabulary.ts';
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import { formatPercent } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { idParams, noBody, pageOf, pageQuery } from '../wire/schemas.ts';

const tag = 'provider';
const provider = ['provider'] as const;
const text = z.string();
const count = z.number().int();
/** Nobody has the tests for itself: those of others wait as long as one is made. */
const AGAIN_MILLIS = 10 * MILLIS_PER_MINUTE;
/** Those of a place that are shown. */
const SHOWN = 1_000;

interface LoadTestRow {
  id: number;
  market: number;
  asked_at: Date | null;
  began_at: Date | null;
  ended_at: Date | null;
  wanted: number | null;
  reached: number | null;
  shortfall: number | null;
}
export const loadTestSchema = z.object({
  id: text, class: text, region: text, status: z.enum(['asked', 'running', 'ended']), asked_at: text.nullable().describe('null: it fell due by itself'), began_at: text.nullable(), ended_at: text.nullable(),
  wanted_tokens: count.nullable(), reached_tokens: count.nullable(), shortfall_percent: text.nullable().describe('Of what was sold; it counts as failed capacity until a later test'),
});
const timeOf = (at: Date | null): string | null => at?.toISOString() ?? null;

const loadTestWire = (directory: Directory, row: LoadTestRow): z.infer<typeof loadTestSchema> => ({
  id: String(row.id), class: directory.className(classOf(row.market)), region: directory.regionName(regionOf(row.market)),
  status: row.ended_at !== null ? 'ended' : row.began_at === null ? 'asked' : 'running',
  asked_at: timeOf(row.asked_at), began_at: timeOf(row.began_at), ended_at: timeOf(row.ended_at), wanted_tokens: row.wanted, reached_tokens: row.reached,
  shortfall_percent: row.shortfall === null ? null : formatPercent(row.shortfall),
});

const ask = route({
  method: 'post', path: '/api/v1/endpoints/{id}/load-test', operationId: 'askLoadTest', summary: 'Have what is sold of the running hour tested in the next minute, as after a mend', tag, scope: 'provide', roles: provider,
  params: idParams, body: noBody,
  responses: { 202: { description: 'It is made of all endpoints that the provider has there; once in ten minutes.', schema: loadTestSchema } },
  async handle(context) {
    const { services, params } = context;
    const { company } = principalIn(context);
    const endpoint = await services.database('endpoints').where({ id: params.id, company }).whereNot('status', 'removed').first<{ market: number } | undefined>('market');
    if (endpoint === undefined) throw new ApiError('not_found');
    const { market } = endpoint;
    const { now } = services.committed;
    const hour = Math.floor(now / MILLIS_PER_HOUR);
    const sold = await services.sequencer.query('soldPlaces', { fromHour: hour, toHour: hour });
    if (!sold.some((place) => place.company === company && place.market === market)) throw new ApiError('invalid_state');
    return once(context, async (transaction) => {
      const rows = transaction('load_tests').where({ company, market }).whereNotNull('asked_at');
      const last = await rows.orderBy('id', 'desc').first<LoadTestRow | undefined>();
      // One that waits to begin is this one.
      if (last?.began_at === null) return { reply: { status: 202, body: loadTestWire(services.directory, last) } };
      const wait = last === undefined ? 0 : Number(last.asked_at) + AGAIN_MILLIS - now;
      if (wait > 0) throw new ApiError('rate_limit_exceeded', { values: { seconds: Math.ceil(wait / 1_000) }, retryAfterSeconds: Math.ceil(wait / 1_000) });
      const [made] = await transaction('load_tests').insert({ company, market, asked_at: new Date(now) }).returning<LoadTestRow[]>('*');
      return { reply: { status: 202, body: loadTestWire(services.directory, made) } };
    });
  },
});

const list = route({
  method: 'get', path: '/api/v1/load-tests', operationId: 'listLoadTests', summary: 'Load tests of what you have sold', tag, scope: 'read', roles: provider, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(loadTestSchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    const rows = await services.database('load_tests').where({ company }).orderBy('id', 'desc').limit(SHOWN).select<LoadTestRow[]>();
    return { status: 200, body: pageOfRows(rows, query, (row) => [row.id], (row) => loadTestWire(services.directory, row)) };
  },
});

export const loadTestRoutes: Route[] = [ask, list];
