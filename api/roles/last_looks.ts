/** Whether the database still answers a process that is ending: what rests on one that hangs would keep it for as long as connections are given. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** Long enough for a machine that is busy with everything at once. One that refuses hangs nobody. */
const ANSWER_MILLIS = 1_400;
const PAUSE_MILLIS = 200;
/** Looks without an answer, one after the other, after which it is away. */
const LOOKS = 2;

/**
 * Begins to look when `closing` is told.
 * @param away called once, when the database does not answer
 * @returns ends it; resolves when nothing of it is connected any more
 */
export function lookWhenClosing(closing: AbortSignal, url: () => string, away: () => void): () => Promise<void> {
  const over = new AbortController();
  let looking = Promise.resolve();
  const begin = (): void => void (looking = look(url, over.signal, away));
  if (closing.aborted) begin();
  else closing.addEventListener('abort', begin, { once: true });
  return () => {
    closing.removeEventListener('abort', begin);
    over.abort();
    return looking;
  };
}

async function look(url: () => string, over: AbortSignal, away: () => void): Promise<void> {
  for (let silent = 0; !over.aborted; ) {
    silent = (await isSilent(url())) ? silent + 1 : 0;
    if (silent === LOOKS) return away();
    await sleep(PAUSE_MILLIS, undefined, { signal: over }).catch(() => undefined);
  }
}

async function isSilent(url: string): Promise<boolean> {
  const begun = performance.now();
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWER_MILLIS, query_timeout: ANSWER_MILLIS });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    await client.end();
    return false;
  } catch {
    client.end().catch(() => undefined);
    return performance.now() - begun >= ANSWER_MILLIS;
  }
}
