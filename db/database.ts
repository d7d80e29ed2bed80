/** Connections to Postgres for everything but the journal. */
import knex from 'knex';
import type { Knex } from 'knex';

const POOL_MAX = 10;
const CONNECT_MILLIS = 5_000;

export function openDatabase(url: string, connectionsMaximum = POOL_MAX): Knex {
  return knex({
    client: 'pg',
    connection: { connectionString: url, application_name: 'compute-credit-exchange', connectionTimeoutMillis: CONNECT_MILLIS },
    // Two: a migration holds its lock on one.
    pool: { min: 0, max: Math.max(2, connectionsMaximum) },
    acquireConnectionTimeout: CONNECT_MILLIS,
  });
}
