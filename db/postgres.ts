/** Finds or starts the Postgres that everything durable lives in. */
import pg from 'pg';
import { EmbeddedPostgres } from './embedded_postgres.ts';
import type { Say } from './embedded_postgres.ts';

/** Settings without which a commit is not a promise. */
const DURABILITY = ['fsync', 'synchronous_commit', 'full_page_writes'] as const;

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
}

/** A database that would lose commits; its message is for the person at the terminal. */
export class NotDurable extends Error {
  constructor(setting: string) {
    super(`the database runs with ${setting}=off: an acknowledged order could be lost. Turn it on and start again`);
    this.name = 'NotDurable';
  }
}

/**
 * @throws NotDurable
 * @throws Error when the database does not answer or the embedded one does not start
 */
export async function openPostgres({ databaseUrl, dataDir, say = () => undefined }: PostgresOptions): Promise<Postgres> {
  if (databaseUrl !== undefined) {
    await assertDurable(databaseUrl);
    return { url: databaseUrl, embedded: false, started: false, stop: () => Promise.resolve() };
  }
  const embedded = await EmbeddedPostgres.open(dataDir, say);
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
    for (const setting of DURABILITY) {
      const { rows } = await client.query<{ value: string }>('select current_setting($1) as value', [setting]);
      if (rows[0].value === 'off') throw new NotDurable(setting);
    }
  } finally {
    await client.end();
  }
}
