/** Money in and out, micro-USD. Reads the projection `credit`. */
import type { Knex } from 'knex';
import { number, text } from './fields.ts';
import type { RowOf } from './fields.ts';
import { readPage } from './pages.ts';
import type { Page, PageAsk } from './pages.ts';

export type PaymentKind = 'deposited' | 'withdrawn' | 'bondPosted' | 'payoutMade';
const PAYMENT = {
  sequence: number('sequence'), place: number('place'), kind: text<PaymentKind>('kind'), company: number('company'), amount: number('amount'),
  reference: text('reference'), at: number('at'),
} as const;
export type PaymentRecord = RowOf<typeof PAYMENT>;

/** Newest first. @throws InvalidCursor */
export async function listPayments(db: Knex, { company, kind, ...page }: PageAsk & { company: number; kind?: PaymentKind }): Promise<Page<PaymentRecord>> {
  const query = db('projections.payments').where({ company });
  if (kind !== undefined) void query.where({ kind });
  return readPage(query, PAYMENT, ['sequence', 'place'], page);
}

export const listPayouts = (db: Knex, ask: PageAsk & { company: number }): Promise<Page<PaymentRecord>> => listPayments(db, { ...ask, kind: 'payoutMade' });
