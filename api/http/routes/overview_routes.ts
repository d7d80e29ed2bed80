/** What an operator looks at: how far everything that follows the engine has come, and who is here. */
import { z } from 'zod';
import { projectionPositions } from '../../../db/queries/positions.ts';
import { ApiError } from '../../errors.ts';
import { idOf } from '../../ids.ts';
import { formatTime } from '../wire/amounts.ts';
import { LIMIT_DEFAULT, decodeCursor, encodeCursor } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { pageOf, pageQuery } from '../wire/schemas.ts';

const tag = 'operator';
const text = z.string();
const operator = ['operator'] as const;
const sequence = z.number().int();

export const positionsSchema = z.object({
  engine: sequence.describe('Last command that was acknowledged'),
  journal: sequence.describe('End of the last row that is durable'),
  snapshot: sequence.describe('Where a recovery would begin'),
  feed: sequence.describe('What this process has told its live connections'),
  projections: z.array(z.object({ name: text, sequence, behind: sequence.describe('Commands of the journal that it does not include yet') })),
  now: text.describe('Engine time'),
});

const positions = route({
  method: 'get', path: '/api/v1/positions', operationId: 'getPositions', summary: 'How far engine, journal, snapshot, projections and feed have come', tag, scope: 'operate', roles: operator,
  responses: { 200: { description: 'Read one after the other, so one may be a little ahead of another.', schema: positionsSchema } },
  async handle({ services }) {
    const { database, committed, market } = services;
    const projections = await projectionPositions(database);
    const snapshot = await database('snapshots').max<{ max: string | null }[]>('sequence as max');
    const journal = await database('journal').orderBy('first_sequence', 'desc').first<{ last_sequence: string } | undefined>('last_sequence');
    const end = Number(journal?.last_sequence ?? 0);
    return {
      status: 200,
      body: {
        engine: Math.max(committed.sequence, end), journal: end, snapshot: Number(snapshot[0]?.max ?? 0), feed: market.sequence,
        projections: projections.map((position) => ({ name: position.name, sequence: position.sequence, behind: Math.max(0, end - position.sequence) })), now: formatTime(committed.now),
      },
    };
  },
});

export const userSchema = z.object({ id: text, email: text, role: text, company: text.nullable(), company_id: text.nullable(), created_at: text });
interface UserRow {
  id: string;
  email: string;
  role: string;
  company: number | null;
  created_at: Date;
}

/** Where a person stands in the list. @throws ApiError invalid_cursor */
function positionOf(cursor: string): [createdAt: Date, id: string] {
  const [millis, id] = decodeCursor(cursor).split(',');
  const createdAt = new Date(Number(millis));
  if (id === undefined || Number.isNaN(createdAt.getTime())) throw new ApiError('invalid_cursor', { field: 'cursor' });
  return [createdAt, id];
}

const users = route({
  method: 'get', path: '/api/v1/users', operationId: 'listUsers', summary: 'Who has an account, and for which company', tag, scope: 'operate', roles: operator, query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(userSchema) } },
  async handle({ services, query }) {
    const limit = query.limit ?? LIMIT_DEFAULT;
    const moment = "date_trunc('milliseconds', created_at)";
    const select = services.database('users').orderByRaw(`${moment} desc, id desc`).limit(limit + 1);
    if (query.cursor !== undefined) void select.whereRaw(`(${moment}, id) < (?, ?)`, positionOf(query.cursor));
    const rows = await select.select<UserRow[]>('id', 'email', 'role', 'company', 'created_at');
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      status: 200,
      body: {
        data: page.map((row) => ({
          id: row.id, email: row.email, role: row.role, company: row.company === null ? null : services.directory.companyName(row.company),
          company_id: row.company === null ? null : idOf('company', row.company), created_at: formatTime(row.created_at.getTime()),
        })),
        next_cursor: rows.length > limit && last !== undefined ? encodeCursor(`${last.created_at.getTime()},${last.id}`) : null,
      },
    };
  },
});

export const overviewRoutes: Route[] = [positions, users];
