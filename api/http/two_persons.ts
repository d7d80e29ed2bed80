/** What protects the market is done by one person and undone by two. */
import type { Knex } from 'knex';
import { z } from 'zod';
import { newId } from '../auth/keys.ts';
import { once } from './middleware/idempotency.ts';
import type { Once, OneCaller } from './middleware/idempotency.ts';
import type { Reply } from './route.ts';

const WAITS = '1 hour';

export const pendingSchema = z.object({ status: z.literal('pending_confirmation'), confirmation_id: z.string() });
const pending = (id: string): Once => ({ reply: { status: 202, body: { status: 'pending_confirmation', confirmation_id: id } } });

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

/** As `once`, but an idempotency key is each person's own: the second makes the same call, and may make it under the same key. */
export const onceOfPerson = (caller: OneCaller, person: string, run: (transaction: Knex.Transaction) => Promise<Once>): Promise<Reply> => once(caller, run, { person });

/**
 * The first call leaves a request; the same call by another person within an hour completes it.
 * Run the act itself in the same transaction, after this.
 * @returns what the first person hears, nothing when two have asked for it; and who the first is
 */
export async function confirmedByTwo(transaction: Knex.Transaction, act: { action: string; target: string; reason: string; person: string }): Promise<{ pending?: Once; requestedBy: string }> {
  const { action, target, reason, person } = act;
  await transaction.raw('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`${action} ${target}`]);
  const open = await transaction('confirmations').where({ action, target }).whereNull('confirmed_at').whereRaw('expires_at > now()')
    .first<Row | undefined>('id', 'requested_by');
  if (open === undefined) {
    const id = newId('cnf');
    await transaction('confirmations').insert({ id, action, target, reason, requested_by: person, expires_at: transaction.raw(`now() + interval '${WAITS}'`) });
    return { pending: pending(id), requestedBy: person };
  }
  if (open.requested_by === person) return { pending: pending(open.id), requestedBy: person };
  await transaction('confirmations').where('id', open.id).update({ confirmed_by: person, confirmed_at: transaction.fn.now() });
  return { requestedBy: open.requested_by };
}
