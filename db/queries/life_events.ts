/** What happened in the lives of loans, lots and money. Reads the projection `life`. */
import type { Knex } from 'knex';
import type { LifeEventKind } from '../projections/life_events.ts';
import { json, number, numberOrNull, text } from './fields.ts';
import type { RowOf } from './fields.ts';
import { readAll, readPage } from './pages.ts';
import type { Page, PageAsk } from './pages.ts';

const EVENT = {
  sequence: number('e.sequence'), place: number('e.place'), kind: text<LifeEventKind>('e.kind'), facility: numberOrNull('e.facility'), at: number('e.at'),
  data: json<Record<string, unknown>>('e.data'),
} as const;
export type LifeEventRecord = RowOf<typeof EVENT>;

/** What is told to everybody. */
const EVERYBODY = -1;

const events = (db: Knex, company: number): Knex.QueryBuilder =>
  db('projections.life_events as e').whereExists(db('projections.life_event_parties as p').whereRaw('p.sequence = e.sequence and p.place = e.place').whereIn('p.company', [company, EVERYBODY]).select(db.raw('1')));

/** Newest first. @throws InvalidCursor */
export async function listLifeEvents(db: Knex, { company, kinds, ...page }: PageAsk & { company: number; kinds?: readonly LifeEventKind[] }): Promise<Page<LifeEventRecord>> {
  const query = events(db, company);
  if (kinds !== undefined) void query.whereIn('e.kind', kinds);
  return readPage(query, EVENT, ['sequence', 'place'], page);
}

/** Oldest first, after the event at `sequence` and `place`. */
export function lifeEventsAfter(db: Knex, { company, sequence, place, limit }: { company: number; sequence: number; place: number; limit: number }): Promise<LifeEventRecord[]> {
  const query = db('projections.life_event_parties as p').join('projections.life_events as e', (join) => join.on('e.sequence', 'p.sequence').on('e.place', 'p.place'))
    .whereIn('p.company', [company, EVERYBODY]).whereRaw('(p.sequence, p.place) > (?, ?)', [sequence, place]).orderBy(['e.sequence', 'e.place']).limit(limit);
  return readAll(query, EVENT);
}
