/** What a provider's agent says of its endpoint: that it lives, which GPUs it has, that it is about to stop. */
import { z } from 'zod';
import { ApiError } from '../../errors.ts';
import { formatTime } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { endpointSchema, endpointWire } from './provider_routes.ts';
import type { ToldEndpointRow } from './provider_routes.ts';
import { route } from '../route.ts';
import type { Route, RouteContext } from '../route.ts';
import { idParams, line } from '../wire/schemas.ts';

const tag = 'provider';
const text = z.string();
const provider = ['provider'] as const;
const GPUS_MAX = 1_024;

const gpuSchema = z.strictObject({
  name: line(100), uuid: z.string().min(1).max(100).regex(/^[A-Za-z0-9-]+$/, 'must be letters, digits and dashes').optional(), memory_mb: z.number().int().min(0).max(10_000_000),
  utilisation_percent: z.number().int().min(0).max(100).optional(),
});

const heartbeat = route({
  method: 'post', path: '/api/v1/endpoints/{id}/heartbeat', operationId: 'endpointHeartbeat', summary: "An agent's sign of life, with the GPUs it sees", tag, scope: 'provide',
  roles: provider, params: idParams, body: z.strictObject({ gpus: z.array(gpuSchema).max(GPUS_MAX).optional() }),
  responses: { 200: { description: 'Heard.', schema: z.object({ id: text, status: endpointSchema.shape.status, status_reason: text, heard_at: text }) } },
  async handle(context) {
    const { services, params, body } = context;
    const { company } = principalIn(context);
    const at = Date.now();
    const [row] = await services.database('endpoints').where({ id: params.id, company }).whereNot('status', 'removed')
      .update({ heard_at: new Date(at), ...(body.gpus === undefined ? {} : { gpus_seen: JSON.stringify(body.gpus) }) }).returning<ToldEndpointRow[]>('*');
    if (row === undefined) throw new ApiError('not_found');
    return { status: 200, body: { id: row.id, status: row.status, status_reason: row.status_reason, heard_at: formatTime(at) } };
  },
});

const change = (verb: 'drain' | 'resume', to: 'draining' | 'pending', summary: string): Route =>
  route({
    method: 'post', path: `/api/v1/endpoints/{id}/${verb}`, operationId: `${verb}Endpoint`, summary, tag, scope: 'provide', roles: provider, params: idParams, body: z.strictObject({}),
    responses: { 200: { description: 'As it is now.', schema: endpointSchema } },
    async handle(context: RouteContext<{ id: string }, unknown, object>) {
      const { services, params } = context;
      const { company } = principalIn(context);
      const reply = await once(context, async (transaction) => {
        const rows = transaction('endpoints').where({ id: params.id, company }).whereNot('status', 'removed');
        // What serves already goes on serving.
        if (to === 'pending') void rows.where({ status: 'draining' });
        await rows.update({ status: to, status_reason: '' });
        const row = await transaction('endpoints').where({ id: params.id, company }).whereNot('status', 'removed').first<ToldEndpointRow | undefined>();
        if (row === undefined) throw new ApiError('not_found');
        return { reply: { status: 200, body: endpointWire(services.directory, row) } };
      });
      services.endpoints.changed(params.id);
      return reply;
    },
  });

export const endpointAgentRoutes: Route[] = [
  heartbeat,
  change('drain', 'draining', 'No new request goes there; those under way end'),
  change('resume', 'pending', 'An endpoint that drains serves again, once it has answered a completion'),
];
