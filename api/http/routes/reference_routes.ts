/** Recorded answers by which the market's probes find a provider that serves another model than it says. */
import { z } from 'zod';
import { newId } from '../../auth/keys.ts';
import { ApiError } from '../../errors.ts';
import { findModel } from '../../gateway/catalogue/catalogue.ts';
import { recordAudit } from '../middleware/audit.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { idParams, identifier, pageOf, pageQuery } from '../wire/schemas.ts';

const tag = 'operator';
const operator = ['operator'] as const;
const TEXT_MAX = 10_000;

interface ReferenceRow {
  id: string;
  model: string;
  precision: string | null;
  prompt: string;
  answer: string;
  recorded_at: Date;
}

const referenceSchema = z.object({
  id: z.string(), model: z.string(), precision: z.string().nullable().describe('null: whatever the precision'), prompt: z.string(), answer: z.string(), recorded_at: z.string(),
});
const referenceWire = ({ recorded_at: at, ...row }: ReferenceRow): z.infer<typeof referenceSchema> => ({ ...row, recorded_at: at.toISOString() });

const record = route({
  method: 'post', path: '/api/v1/reference-answers', operationId: 'recordReferenceAnswer', summary: 'Record what a model says to a question at temperature 0', tag, scope: 'operate', roles: operator,
  body: z.strictObject({
    model: z.string().min(1).max(200).describe('An id or an alias of the catalogue'), precision: identifier.nullish(),
    prompt: z.string().min(1).max(TEXT_MAX), answer: z.string().min(1).max(TEXT_MAX),
  }),
  responses: { 201: { description: 'Probes ask it within a minute. Three wrong answers in a row: undelivered from the first, and suspension.', schema: referenceSchema } },
  async handle(context) {
    const { services, body } = context;
    const actor = principalIn(context);
    const model = findModel(body.model);
    if (model === undefined) throw new ApiError('invalid_request', { field: 'model', values: { detail: `model: there is no model "${body.model}"` } });
    return once(context, async (transaction) => {
      const [row] = await transaction('reference_answers')
        .insert({ id: newId('ref'), model: model.id, precision: body.precision ?? null, prompt: body.prompt, answer: body.answer }).returning<ReferenceRow[]>(['id', 'model', 'precision', 'prompt', 'answer', 'recorded_at']);
      await recordAudit(transaction, { at: services.committed.now, actor, action: 'reference_answer.record', target: row.id, reason: model.id });
      return { reply: { status: 201, body: referenceWire(row) } };
    });
  },
});

const list = route({
  method: 'get', path: '/api/v1/reference-answers', operationId: 'listReferenceAnswers', summary: 'Recorded answers', tag, scope: 'operate', roles: operator, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(referenceSchema) } },
  async handle({ services, query }) {
    const rows = await services.database('reference_answers').orderBy('recorded_at', 'desc').select<ReferenceRow[]>('id', 'model', 'precision', 'prompt', 'answer', 'recorded_at');
    return { status: 200, body: pageOfRows(rows, query, (row) => [row.recorded_at.getTime(), row.id], referenceWire) };
  },
});

const remove = route({
  method: 'delete', path: '/api/v1/reference-answers/{id}', operationId: 'removeReferenceAnswer', summary: 'Ask a question no longer', tag, scope: 'operate', roles: operator, params: idParams,
  responses: { 204: { description: 'Forgotten within a minute.' } },
  async handle(context) {
    const { services, params } = context;
    const removed = await services.database('reference_answers').where({ id: params.id }).delete();
    if (removed === 0) throw new ApiError('not_found');
    await recordAudit(services.database, { at: services.committed.now, actor: principalIn(context), action: 'reference_answer.remove', target: params.id, reason: '' });
    return { status: 204 };
  },
});

export const referenceRoutes: Route[] = [record, list, remove];
