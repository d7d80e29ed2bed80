/** Who and what takes part, and the acts of those who control the market. Reads the projection `registry`. */
import type { Knex } from 'knex';
import type { Role } from '../../engine/vocabulary.ts';
import { json, number, text } from './fields.ts';
import type { RowOf } from './fields.ts';
import { readAll, readPage } from './pages.ts';
import type { Page, PageAsk } from './pages.ts';

const COMPANY = { company: number('company'), name: text('name'), role: text<Role>('role'), group: text('owner_group'), at: number('at') } as const;
const CAPACITY = {
  company: number('company'), market: number('market'), declared: number('declared'), verified: number('verified'),
  models: { column: 'models', read: (value: unknown): number[] => (value as number[] | null) ?? [] }, updatedAt: number('updated_at'),
} as const;
const LIST_PRICE = {
  class: number('class'), sequence: number('sequence'), place: number('place'), kind: text<'announced' | 'effective'>('kind'), price: number('price'),
  effectiveAt: number('effective_at'), inputs: json<{ provider: string; usd: number }[]>('inputs'),
} as const;
const ACT = {
  sequence: number('sequence'), place: number('place'), kind: text<'tradingModeSet' | 'facilityFrozen' | 'facilityStateChanged'>('kind'),
  /** The company that acted. */
  actor: number('actor'), reason: text('reason'), detail: json<Record<string, unknown>>('detail'), at: number('at'),
} as const;
export type CompanyRecord = RowOf<typeof COMPANY>;
/** GPUs; 0 where nothing was said yet. */
export type CapacityRecord = RowOf<typeof CAPACITY>;
export type ListPriceRecord = RowOf<typeof LIST_PRICE>;
/** detail: the event's other fields, as the engine names them. */
export type ActRecord = RowOf<typeof ACT>;

/** Newest first. @throws InvalidCursor */
export const listCompanies = (db: Knex, page: PageAsk): Promise<Page<CompanyRecord>> => readPage(db('projections.companies'), COMPANY, ['company'], page);

export const listCapacities = (db: Knex, company: number): Promise<CapacityRecord[]> =>
  readAll(db('projections.capacities').where({ company }).orderBy('market'), CAPACITY);

/** Of a class: what was announced and what took effect, newest first. @throws InvalidCursor */
export const listListPrices = (db: Knex, { class: classId, ...page }: PageAsk & { class: number }): Promise<Page<ListPriceRecord>> =>
  readPage(db('projections.list_prices').where({ class: classId }), LIST_PRICE, ['sequence', 'place'], page);

/** Halts, freezes and the like, newest first. @throws InvalidCursor */
export async function listActs(db: Knex, { actor, ...page }: PageAsk & { actor?: number }): Promise<Page<ActRecord>> {
  const query = db('projections.acts');
  if (actor !== undefined) void query.where({ actor });
  return readPage(query, ACT, ['sequence', 'place'], page);
}
