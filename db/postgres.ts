/** Finds or starts the Postgres that everything durable lives in. */
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
}

/**
 * @throws NotDurable
 * @throws Error when the database does not answer or the embedded one does not start
 */
export async function openPostgres({ databaseUrl, dataDir, say = () => undefined, preparesLog = false }: PostgresOptions): Promise<Postgres> {
  if (databaseUrl !== undefined) {
    await assertDurable(databaseUrl);
    return { url: databaseUrl, embedded: false, started: false, stop: () => Promise.resolve() };
  }
  const embedded = await EmbeddedPostgres.open(dataDir, say, preparesLog);
  await assertDurable(embedded.url);
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

/** @throws NotDurable naming the first setting that is off */
export async function assertDurable(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  // A connection that breaks while idle must not end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await requireDurable(client);
  } finally {
    await client.end();
  }
}
