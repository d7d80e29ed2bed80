/** What companies were warned of. */
import type { Knex } from 'knex';
import { json, number, text } from './fields.ts';
import type { RowOf } from './fields.ts';
import { readPage } from './pages.ts';
import type { Page, PageAsk } from './pages.ts';

const WARNING = { number: number('number'), id: text('id'), type: text<WarningType>('type'), at: number('at'), data: json<Record<string, unknown>>('data') } as const;

export const WARNING_TYPES = ['budget.reached', 'allocation.expiring'] as const;
export type WarningType = (typeof WARNING_TYPES)[number];
export type WarningRecord = RowOf<typeof WARNING>;

/** Newest first. @throws InvalidCursor */
export const listWarnings = (db: Knex, { company, ...page }: PageAsk & { company: number }): Promise<Page<WarningRecord>> => readPage(db('warnings').where({ company }), WARNING, ['number'], page);

/** Keys and projects with a budget of the month, and who shares in it. */
export interface BudgetRecord {
  key: string;
  line: string;
  company: number;
  name: string;
  /** Micro-CR; null: none. */
  limit: number | null;
  project: { id: string; name: string; limit: number } | null;
}

/** @param all those that are not revoked besides */
export async function budgetsOfKeys(db: Knex, keys: readonly string[], all: boolean): Promise<BudgetRecord[]> {
  const query = db('api_keys as k').leftJoin('projects as p', 'p.id', 'k.project_id').whereRaw('(k.monthly_limit is not null or p.monthly_budget is not null)');
  void query.where((some) => void (all ? some.whereNull('k.revoked_at').orWhereIn('k.id', keys) : some.whereIn('k.id', keys)));
  const rows = await query.select<{ key: string; line: string | null; company: number; name: string; limit: string | null; project: string | null; project_name: string; budget: string | null }[]>(
    'k.id as key', 'k.line', 'k.company', 'k.name', 'k.monthly_limit as limit', 'p.id as project', 'p.name as project_name', 'p.monthly_budget as budget');
  return rows.map(({ key, line, company, name, limit, project, project_name: projectName, budget }) => ({
    key, line: line ?? key, company, name, limit: limit === null ? null : Number(limit), project: project === null || budget === null ? null : { id: project, name: projectName, limit: Number(budget) },
  }));
}
