/** Whether a failure of the database passes when it is there again, has room, or takes writes again. */

/**
 * The classes 08 (connection), 53 (resources: disk, memory, connections), 57P (shutdown) and 58 (the system beneath), a transaction that may
 * only read, and what the operating system says of a connection.
 */
const CODES = /^(08|53|57P|58|25006$|E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|AI_AGAIN)$)/;
/** What pg says of a connection that broke, is being given up, or does not come about, and Knex of a pool that has none left: these have no code. */
const MESSAGES = /^(Connection terminated|Client (has encountered a connection error|was closed)|timeout (expired|exceeded when trying to connect)|Query read timeout|Knex: Timeout acquiring a connection)/;

export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return CODES.test(code) || MESSAGES.test(error.message);
}
