/** Projects of a company: keys that share a budget. */
import { z } from 'zod';
import { keySpending, keysOfProject, monthBegan } from '../../../db/queries/key_spending.ts';
import { formatMicro, parseMicro } from '../../../engine/numbers/units.ts';
import { newId } from '../../auth/keys.ts';
import { ApiError } from '../../errors.ts';
import { principalIn } from '../middleware/caller.ts';
import { projectionsCaughtUp } from '../history.ts';
import { once } from '../middleware/idempotency.ts';
import { alertsOf } from '../../warnings/budget_warning.ts';
import { monthSchema } from './keys_routes.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { decimal, idParams, line, pageOf, pageQuery } from '../wire/schemas.ts';
import type { Services } from '../../services.ts';

const tag = 'keys';
const PROJECTS_MAX = 1_000;

interface ProjectRow {
  id: string;
  company: number;
  name: string;
  monthly_budget: string | null;
  created_at: Date;
}

export const projectSchema = z.object({
  id: z.string(), name: z.string(), monthly_budget: z.string().nullable().describe('CR of inference in a calendar month, of all its keys together'), keys: z.number().int(),
  month: monthSchema.extend({ remaining: z.string().nullable() }).describe('What its keys have used this month'), created_at: z.string(),
});
const body = z.strictObject({ name: line(100), monthly_budget: decimal.nullish() });

function budgetIn(text: string | null | undefined): number | null {
  if (text == null) return null;
  const value = parseMicro(text);
  if (value < 0) throw new ApiError('invalid_request', { field: 'monthly_budget', values: { detail: 'monthly_budget: too large, or more decimal places than the unit has' } });
  return value;
}

async function projectWire({ database, committed }: Services, row: ProjectRow): Promise<z.infer<typeof projectSchema>> {
  const keys = await keysOfProject(database, row.id);
  const month = monthBegan(committed.now);
  const { used } = await keySpending(database, { company: row.company, keys, from: month, untilSequence: committed.sequence });
  const budget = row.monthly_budget === null ? null : Number(row.monthly_budget);
  return {
    id: row.id, name: row.name, monthly_budget: budget === null ? null : formatMicro(budget), keys: keys.length,
    month: { used: formatMicro(used), alerts: budget === null ? [] : await alertsOf(database, { id: row.id, limit: budget }, { used, month }), remaining: budget === null ? null : formatMicro(Math.max(0, budget - used)) },
    created_at: row.created_at.toISOString(),
  };
}

const create = route({
  method: 'post', path: '/api/v1/projects', operationId: 'createProject', summary: 'Make a project, whose keys share a monthly budget', tag, scope: 'keys', body,
  responses: { 201: { description: 'Name it when you make a key.', schema: projectSchema } },
  async handle(context) {
    const { services, body: asked } = context;
    const { company } = principalIn(context);
    return once(context, async (transaction) => {
      const [{ count }] = await transaction('projects').where({ company }).count<{ count: string }[]>('id as count');
      if (Number(count) >= PROJECTS_MAX) throw new ApiError('limit_exceeded');
      const [row] = await transaction('projects').insert({ id: newId('prj'), company, name: asked.name, monthly_budget: budgetIn(asked.monthly_budget) })
        .onConflict(['company', 'name']).ignore().returning<ProjectRow[]>('*');
      if (row === undefined) throw new ApiError('invalid_request', { field: 'name', values: { detail: 'name: there is a project of this name' } });
      return { reply: { status: 201, body: await projectWire(services, row) } };
    });
  },
});

const list = route({
  method: 'get', path: '/api/v1/projects', operationId: 'listProjects', summary: 'Projects, their budgets and what is used of them', tag, scope: 'keys', query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(projectSchema) } },
  async handle(context) {
    const { services } = context;
    const { company } = principalIn(context);
    await projectionsCaughtUp(services, 'delivery');
    const rows = await services.database('projects').where({ company }).orderBy('created_at', 'desc').select<ProjectRow[]>();
    const { data, next_cursor } = pageOfRows(rows, context.query, (row) => [row.created_at.getTime(), row.id], (row) => row);
    return { status: 200, body: { data: await Promise.all(data.map((row) => projectWire(services, row))), next_cursor } };
  },
});

const change = route({
  method: 'patch', path: '/api/v1/projects/{id}', operationId: 'changeProject', summary: "Change a project's name or budget; it holds for the next request", tag, scope: 'keys',
  params: idParams, body: body.partial(),
  responses: { 200: { description: 'As it is now.', schema: projectSchema } },
  async handle(context) {
    const { services, params, body: asked } = context;
    const { company } = principalIn(context);
    const row = await services.database.transaction(async (transaction) => {
      const changes = { ...(asked.name === undefined ? {} : { name: asked.name }), ...(asked.monthly_budget === undefined ? {} : { monthly_budget: budgetIn(asked.monthly_budget) }) };
      const rows = transaction('projects').where({ id: params.id, company });
      const [changed] = Object.keys(changes).length === 0 ? await rows.select<ProjectRow[]>() : await rows.update(changes).returning<ProjectRow[]>('*');
      if (changed === undefined) throw new ApiError('not_found');
      await services.auth.projectChanged(transaction, params.id);
      return changed;
    });
    await services.auth.look();
    await projectionsCaughtUp(services, 'delivery');
    return { status: 200, body: await projectWire(services, row) };
  },
});

export const projectsRoutes: Route[] = [create, list, change];
