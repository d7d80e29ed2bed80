/** What protects the market is done by one person and undone by two. */
import type { Knex } from 'knex';
import { newId } from '../auth/keys.ts';

const WAITS = '1 hour';

export type Confirmation = { complete: false; id: string } | { complete: true; id: string; requestedBy: string };

interface Row {
  id: string;
  requested_by: string;
}

interface Waiting extends Row {
  target: string;
  reason: string;
}

/** The last act of its kind that still waits for another person. */
export function waitingFor(database: Knex, action: string): Promise<Waiting | undefined> {
  return database('confirmations').where({ action }).whereNull('confirmed_at').whereRaw('expires_at > now()').orderBy('requested_at', 'desc')
    .first<Waiting | undefined>('id', 'target', 'reason', 'requested_by');
}

/**
 * The first call leaves a request; the same call by another person within an hour completes it.
 * Run the act itself in the same transaction, after this.
 */
export async function confirmedByTwo(transaction: Knex.Transaction, act: { action: string; target: string; reason: string; person: string }): Promise<Confirmation> {
  const { action, target, reason, person } = act;
  await transaction.raw('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`${action} ${target}`]);
  const open = await transaction('confirmations').where({ action, target }).whereNull('confirmed_at').whereRaw('expires_at > now()')
    .first<Row | undefined>('id', 'requested_by');
  if (open === undefined) {
    const id = newId('cnf');
    await transaction('confirmations').insert({ id, action, target, reason, requested_by: person, expires_at: transaction.raw(`now() + interval '${WAITS}'`) });
    return { complete: false, id };
  }
  if (open.requested_by === person) return { complete: false, id: open.id };
  await transaction('confirmations').where('id', open.id).update({ confirmed_by: person, confirmed_at: transaction.fn.now() });
  return { complete: true, id: open.id, requestedBy: open.requested_by };
}
