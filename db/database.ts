/** Connections to Postgres for everything but the journal. */
import knex from 'knex';
import type { Knex } from 'knex';

const POOL_MAX = 10;
/** Long, because at a start the machine may be busy with everything at once, and this thread with other things than the answer. */
const CONNECT_MILLIS = 10_000;
const ACQUIRE_MILLIS = 15_000;
/** A connection that answers nothing for so long is given up: it may have died without a word, and would keep its place in the pool. */
const ANSWER_MILLIS_MAX = 10_000;

export function openDatabase(url: string, connectionsMaximum = POOL_MAX): Knex {
  return knex({
    client: 'pg',
    connection: { connectionString: url, application_name: 'compute-credit-exchange', connectionTimeoutMillis: CONNECT_MILLIS },
    // Two: a migration holds its lock on one.
    pool: { min: 0, max: Math.max(2, connectionsMaximum), afterCreate: giveUpSilent },
    acquireConnectionTimeout: ACQUIRE_MILLIS,
    // Who asks is told what fails.
    log: { warn: () => undefined, error: () => undefined, deprecate: () => undefined, debug: () => undefined },
  });
}

/** What of a pg client this needs. */
interface Connection {
  query(...given: unknown[]): unknown;
  on(event: 'drain', run: () => void): void;
  connection: { stream: { destroy(error: Error): void } };
}

function giveUpSilent(connection: Connection, done: (error: undefined, connection: Connection) => void): void {
  let timer: NodeJS.Timeout | undefined;
  const query = connection.query.bind(connection);
  connection.query = (...given) => {
    timer ??= setTimeout(() => connection.connection.stream.destroy(new Error('Connection terminated: the database does not answer')), ANSWER_MILLIS_MAX).unref();
    return query(...given);
  };
  connection.on('drain', () => {
    clearTimeout(timer);
    timer = undefined;
  });
  done(undefined, connection);
}
