/** Finds or starts the Postgres that everything durable lives in. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { requireDurable } from './durability.ts';
import { EmbeddedPostgres } from './embedded_postgres.ts';
import type { Say } from './embedded_postgres.ts';

export interface Postgres {
  readonly url: string;
  readonly embedded: boolean;
  /** False when the embedded Postgres was running already, or the database is another's. */
  readonly started: boolean;
  /** Stops an embedded Postgres. With `onlyIfIdle` it goes on when others are connected. */
  stop(options?: { onlyIfIdle?: boolean }): Promise<void>;
}

export interface PostgresOptions {
  /** Undefined: the embedded Postgres of `dataDir`. */
  databaseUrl: string | undefined;
  /** Absolute. */
  dataDir: string;
  /** Told what takes time. */
  say?: Say;
  /** An embedded one that is new is made ready for a market that commits often, in a second or two. */
  preparesLog?: boolean;
  /** Gives up an embedded one that is being made or started. */
  signal?: AbortSignal;
}

/**
 * @throws NotDurable
 * @throws Error when the database does not answer, takes no writes within a minute, or the embedded one does not start
 */
export async function openPostgres({ databaseUrl, dataDir, say = () => undefined, preparesLog = false, signal }: PostgresOptions): Promise<Postgres> {
  if (databaseUrl !== undefined) {
    await assertFit(databaseUrl, say);
    return { url: databaseUrl, embedded: false, started: false, stop: () => Promise.resolve() };
  }
  const embedded = await EmbeddedPostgres.open(dataDir, say, preparesLog, signal);
  await assertFit(embedded.url, say);
  return {
    // The port may change when Postgres had to be started again.
    get url() {
      return embedded.url;
    },
    embedded: true,
    get started() {
      return embedded.started;
    },
    stop: (options) => embedded.stop(options),
  };
}

/** How long a database that is brought back from a backup may take to open itself for writing. */
const WRITABLE_MILLIS_MAX = 60_000;
const WRITABLE_POLL_MILLIS = 100;

/** Waits for one that still reads its log after a restore. */
async function assertFit(url: string, say: Say): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  // A connection that breaks while idle must not end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await requireDurable(client);
    await untilWritable(client, say);
  } finally {
    await client.end();
  }
}

async function untilWritable(client: pg.Client, say: Say): Promise<void> {
  const end = performance.now() + WRITABLE_MILLIS_MAX;
  for (let told = false; await isInRecovery(client); told = true, await sleep(WRITABLE_POLL_MILLIS)) {
    if (!told) say('the database is reading its log; waiting until it can be written ...');
    if (performance.now() > end) throw new Error('the database can only be read: it is a replica, or still in recovery. Name its primary, or promote it');
  }
}

async function isInRecovery(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ recovering: boolean }>('select pg_is_in_recovery() as recovering');
  return rows[0].recovering;
}
