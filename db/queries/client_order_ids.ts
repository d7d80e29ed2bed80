/** Client order ids older than the engine remembers. Reads the projection `orders`. */
import type { Knex } from 'knex';

const TABLE = 'projections.orders';

/** When a company's first order was accepted; undefined when it has none. */
export async function firstOrderAt(db: Knex, company: number): Promise<number | undefined> {
  const row = (await db(TABLE).where({ company }).orderBy('sequence').first('accepted_at')) as { accepted_at: string } | undefined;
  return row === undefined ? undefined : Number(row.accepted_at);
}

/** Those of the ids that the company used for orders accepted at or before `until`. */
export async function usedClientOrderIds(db: Knex, ask: { company: number; clientOrderIds: readonly string[]; until: number }): Promise<string[]> {
  const rows = (await db(TABLE).where({ company: ask.company }).whereNot({ client_order_id: '' }).whereIn('client_order_id', [...ask.clientOrderIds])
    .where('accepted_at', '<=', ask.until).distinct('client_order_id')) as { client_order_id: string }[];
  return rows.map((row) => row.client_order_id);
}
