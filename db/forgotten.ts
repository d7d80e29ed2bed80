/**
 * A connection can die without a word: then neither end ever hears of it, and what was asked over it is never
 * answered. It is told from a server that is slow by asking the server, over another connection.
 */
import pg from 'pg';
import type { Client } from 'pg';

/** Of a connection that waits for long: the system asks the other end when nothing was heard for so long, and ten times more, a second apart. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 5_000 } as const;

const PROBE_MILLIS = 1_000;
const LOOK_MILLIS = 500;
/** An answer that is owed for less is only slow. */
const OWED_MILLIS = 2_000;
/** A server that has just begun or ended our work may look as if it had forgotten it. */
const TIMES = 2;

/**
 * Whether the server answers others and does not work for this connection, or waits for us amid our own statement (a COPY,
 * or one of whose parts the last is lost): then what we wait for will never come. A server that is slow, or does not answer anybody, has forgotten nothing.
 */
export async function isForgotten(url: string, client: Client): Promise<boolean> {
  const { processID } = client as Client & { processID: number };
  const probe = new pg.Client({ connectionString: url, connectionTimeoutMillis: PROBE_MILLIS, query_timeout: PROBE_MILLIS });
  probe.on('error', () => undefined);
  try {
    await probe.connect();
    const { rowCount } = await probe.query(`select 1 from pg_stat_activity where pid = $1 and state = 'active' and wait_event is distinct from 'ClientRead'`, [processID]);
    return rowCount === 0;
  } catch {
    return false;
  } finally {
    probe.end().catch(() => undefined);
  }
}

/** What of a client this needs beyond its types. */
interface Inside {
  connection: { stream: { bytesRead: number; bytesWritten: number; destroy(error: Error): void } };
}

/** Gives the connection up once it is forgotten: whatever waits for it fails then. To be called before anything is asked. @returns what ends the watch */
export function giveUpForgotten(client: Client, url: string): () => void {
  let owedSince: number | undefined;
  let looking = false;
  let times = 0;
  const { connection } = client as unknown as Inside;
  let passed = 0;
  const query = client.query.bind(client) as (...given: unknown[]) => unknown;
  Object.assign(client, {
    query: (...given: unknown[]) => {
      owedSince ??= performance.now();
      return query(...given);
    },
  });
  client.on('drain', () => (owedSince = undefined));
  const isOwed = (): boolean => owedSince !== undefined && performance.now() - owedSince > OWED_MILLIS;
  const look = async (): Promise<void> => {
    times = (await isForgotten(url, client)) && isOwed() ? times + 1 : 0;
    if (times >= TIMES) connection.stream.destroy(new Error('the connection to the database has died'));
  };
  const timer = setInterval(() => {
    // While much is being sent the server waits for more of it now and then.
    const before = passed;
    passed = connection.stream.bytesRead + connection.stream.bytesWritten;
    if (passed !== before) times = 0;
    if (looking || passed !== before || !isOwed()) return;
    looking = true;
    void look().finally(() => (looking = false));
  }, LOOK_MILLIS);
  timer.unref();
  const end = (): void => clearInterval(timer);
  client.on('end', end);
  return end;
}
