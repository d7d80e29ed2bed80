/**
 * Idempotency keys of calls that change rows and not the market: the answer is stored in the
 * transaction that has the effect. Calls that become commands leave this to the engine, which every key is known to:
 * one that any call of the company has used is refused to another.
 */
import type { Knex } from 'knex';
import { ApiError } from '../../errors.ts';
import { principalIn } from './caller.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Reply } from '../route.ts';
import { submit } from '../submit.ts';
import type { Caller } from '../submit.ts';

export interface Once {
  reply: Reply;
  /** What a repeat gets, when it may not get the same. */
  repeat?: Reply;
}

const KEPT = '24 hours';

export interface OneCaller extends Caller {
  principal: Principal | undefined;
}

export interface OnceOptions {
  /** Whose key it is; absent: the company's. */
  person?: string;
  /** The call becomes a command under the same key, which tells the engine of it. */
  becomesCommand?: boolean;
  /** Throws when the body cannot be read: that uses up no key, but a key that was used for another body is refused first. */
  read?: () => void;
}

/** @throws ApiError idempotency_mismatch */
export function once(caller: OneCaller, run: (transaction: Knex.Transaction) => Promise<Once>, { person, becomesCommand = false, read }: OnceOptions = {}): Promise<Reply> {
  const { idempotencyKey, bodyHash } = caller;
  const key = idempotencyKey === '' || person === undefined ? idempotencyKey : `${person}:${idempotencyKey}`;
  return caller.services.database.transaction(async (transaction) => {
    if (key === '') {
      read?.();
      return (await run(transaction)).reply;
    }
    // Two at once under one key: the second waits for the first and finds its answer.
    await transaction.raw('select pg_advisory_xact_lock(hashtextextended(?, 0))', [key]);
    await transaction('idempotency').whereRaw(`created_at < now() - interval '${KEPT}'`).delete();
    const known = await transaction('idempotency').where('key', key).first<{ body_hash: string; status: number; body: unknown } | undefined>();
    if (known !== undefined) {
      if (known.body_hash !== bodyHash) throw new ApiError('idempotency_mismatch');
      return { status: known.status, body: known.body };
    }
    read?.();
    if (!becomesCommand) await submit(caller, { type: 'claimKey', company: principalIn(caller).company });
    const { reply, repeat } = await run(transaction);
    const stored = repeat ?? reply;
    await transaction('idempotency').insert({ key, body_hash: bodyHash, status: stored.status, body: JSON.stringify(stored.body ?? null) });
    return reply;
  });
}
