/** What keys have spent: on metered use, and on hours bought for it from the spot book. Micro-CR. */
import type { Knex } from 'knex';

/** When the calendar month of a time began: limits of a month count from there. Milliseconds, UTC. */
export const monthBegan = (now: number): number => Date.UTC(new Date(now).getUTCFullYear(), new Date(now).getUTCMonth());

export interface KeySpendingAsk {
  company: number;
  /** Public ids. */
  keys: readonly string[];
  /** Milliseconds: what happened from here on. */
  from: number;
  /** Last command that counts; the projections must have come this far. */
  untilSequence: number;
}
export interface KeySpending {
  /** Credit retired by requests, and fees of the hours bought for them. */
  used: number;
  /** Price and fees of hours bought on the spot book. */
  bought: number;
}

/** Purchases for a key bear it in their client order id: `spot:KEY:REQUEST`. */
export const spotOrderPrefix = (key: string): string => `spot:${key}:`;

/** Reads the projections `delivery` and `orders`. */
export async function keySpending(db: Knex, { company, keys, from, untilSequence }: KeySpendingAsk): Promise<KeySpending> {
  if (keys.length === 0) return { used: 0, bought: 0 };
  const used = await db('projections.usage').where({ company }).whereIn('key', keys).where('at', '>=', from).where('sequence', '<=', untilSequence)
    .first<{ sum: string | null }>(db.raw('sum(credits + spot_fees) as sum'));
  const bought = await db('projections.orders').where({ company }).where('accepted_at', '>=', from).where('sequence', '<=', untilSequence)
    .whereNot('client_order_id', '').where((any) => keys.forEach((key) => void any.orWhereRaw('starts_with(client_order_id, ?)', [spotOrderPrefix(key)])))
    .first<{ sum: string | null }>(db.raw('sum(notional + fees) as sum'));
  return { used: Number(used.sum ?? 0), bought: Number(bought.sum ?? 0) };
}

/** The keys of a line: its first, and what that was rotated into. */
export async function keysOfLine(db: Knex, line: string): Promise<string[]> {
  return (await db('api_keys').where({ id: line }).orWhere({ line }).select<{ id: string }[]>('id')).map(({ id }) => id);
}

/** The keys of a project, those that are revoked included: what they have used stays used. */
export async function keysOfProject(db: Knex, project: string): Promise<string[]> {
  return (await db('api_keys').where({ project_id: project }).select<{ id: string }[]>('id')).map(({ id }) => id);
}
