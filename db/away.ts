/** Whether a failure of the database passes when it is there again, has room, or takes writes again. */

/**
 * The classes 08 (connection), 53 (resources: disk, memory, connections), 57P (shutdown) and 58 (the system beneath), a transaction that may
 * only read, and what the operating system and Node's streams say of a connection.
 */
const CODES = /^(08|53|57P|58|25006$|E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|AI_AGAIN)$|ERR_(STREAM_(DESTROYED|WRITE_AFTER_END|PREMATURE_CLOSE)|SOCKET_CLOSED)$)/;
/**
 * What pg says of a connection that broke, is being given up, or does not come about, and Knex of a pool that has none left: these have no code.
 * Knex puts the statement before what pg says of it.
 */
const MESSAGES = /(^| - )(Connection terminated[^\n]*|Client has encountered a connection error and is not queryable|Client was closed and is not queryable|timeout expired|timeout exceeded when trying to connect|Query read timeout|Knex: Timeout acquiring a connection[^\n]*)$/;
/** An error of the server's own making, where it ends the connection or itself. */
const INTERNAL = /^XX/;
const ENDING = ['FATAL', 'PANIC'];

export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = textIn(error, 'code');
  if (code === '') return MESSAGES.test(error.message);
  return CODES.test(code) || (INTERNAL.test(code) && ENDING.includes(textIn(error, 'severity')));
}

function textIn(error: object, name: string): string {
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' ? value : '';
}
