/** The published offers as last collected; until any have been, those that come with the program. */
import type { Knex } from 'knex';
import { OFFERS } from '../seed/offers.ts';
import type { Offer } from '../seed/offers.ts';

interface Row {
  id: string;
  provider: string;
  class: string;
  usd: string;
  is_spot: boolean;
  collected_at: Date;
}

/** In order of id. */
export async function publishedOffers(database: Knex): Promise<Offer[]> {
  const rows = await database<Row>('published_offers').orderBy('id').select();
  if (rows.length === 0) return [...OFFERS].sort((a, b) => (a.id < b.id ? -1 : 1));
  return rows.map((row) => ({ id: row.id, provider: row.provider, class: row.class, usd: Number(row.usd), isSpot: row.is_spot, collectedAt: row.collected_at.toISOString() }));
}

/** A new collection takes the place of the one before, whole. */
export async function replacePublishedOffers(transaction: Knex.Transaction, offers: readonly Offer[]): Promise<void> {
  await transaction('published_offers').delete();
  const rows = offers.map(({ isSpot, collectedAt, ...offer }) => ({ ...offer, is_spot: isSpot, collected_at: collectedAt }));
  await transaction.batchInsert('published_offers', rows, 500);
}
