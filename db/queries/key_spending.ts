/** What a key has spent: on metered use, and on hours bought for it from the spot book. Micro-CR. */
import type { Knex } from 'knex';

export interface KeySpendingAsk {
  company: number;
  /** The key's public id. */
  key: string;
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
export async function keySpending(db: Knex, { company, key, from, untilSequence }: KeySpendingAsk): Promise<KeySpending> {
  const used = await db('projections.usage').where({ company, key }).where('at', '>=', from).where('sequence', '<=', untilSequence)
    .first<{ sum: string | null }>(db.raw('sum(credits + spot_fees) as sum'));
  const bought = await db('projections.orders').where({ company }).where('accepted_at', '>=', from).where('sequence', '<=', untilSequence)
    .whereRaw('starts_with(client_order_id, ?)', [spotOrderPrefix(key)]).whereNot('client_order_id', '')
    .first<{ sum: string | null }>(db.raw('sum(notional + fees) as sum'));
  return { used: Number(used.sum ?? 0), bought: Number(bought.sum ?? 0) };
}
