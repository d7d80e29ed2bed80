/** What a process has missed of the committed batches, read from where they were committed. */
import pg from 'pg';
import { decodeEventBytes } from '../../engine/codec/event_codec.ts';
import { KEEP_ALIVE } from '../../db/forgotten.ts';
import { readRows } from '../../db/journal_reader.ts';
import type { CommittedBatch } from '../sequencer/port.ts';

const CONNECT_MILLIS = 2_000;
const QUERY_MILLIS = 10_000;

/** The journal does not hold what was missed: it has been cut, or is another. */
export class MissedForGood extends Error {
  constructor(sequence: number) {
    super(`the journal does not hold sequence ${sequence}; this process must begin anew`);
    this.name = 'MissedForGood';
  }
}

/**
 * Batches from `from` to `to`, both ends of batches, in order. Not further: what the leader has not told yet
 * comes in its own message.
 * @throws MissedForGood, and what breaks with the database
 */
export async function* missedBatches(url: string, from: number, to: number): AsyncGenerator<CommittedBatch> {
  const client = new pg.Client({
    connectionString: url, application_name: 'compute-credit-exchange follower', connectionTimeoutMillis: CONNECT_MILLIS, query_timeout: QUERY_MILLIS, ...KEEP_ALIVE,
  });
  client.on('error', () => undefined);
  await client.connect();
  let next = from;
  try {
    for await (const row of readRows(client, from)) {
      if (row.firstSequence !== next || next > to) break;
      next = row.lastSequence + 1;
      yield { firstSequence: row.firstSequence, lastSequence: row.lastSequence, now: row.engineTime, events: decodeEventBytes(row.events) };
    }
  } finally {
    await client.end();
  }
  if (next <= to) throw new MissedForGood(next);
}
