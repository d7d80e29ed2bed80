/**
 * How one process tells all others that a key or a session is dead. Each change takes the next
 * version in the transaction that makes it; listeners are woken by NOTIFY and look for themselves
 * twice a second, so a lost connection delays a revocation by half a second and never loses it.
 */
import type { Knex } from 'knex';
import type { Logger } from 'pino';

export interface AuthChange {
  kind: 'key' | 'session';
  /** The key's id, or the session's digest in hex. */
  subject: string;
}

const CHANNEL = 'auth_changes';
const POLL_MILLIS = 500;
/** Processes that were away longer start anew and read everything. */
const KEPT = '1 day';

/** Part of the transaction that changes the key or the session. */
export async function recordChange(transaction: Knex.Transaction, change: AuthChange): Promise<void> {
  const [row] = await transaction('auth_version').increment('version', 1).returning<{ version: string }[]>('version');
  await transaction('auth_changes').insert({ version: row.version, kind: change.kind, subject: change.subject });
  await transaction('auth_changes').whereRaw(`at < now() - interval '${KEPT}'`).delete();
  await transaction.raw('select pg_notify(?, ?)', [CHANNEL, row.version]);
}

/** The part of a pg client that listening needs. */
interface Listener {
  query(sql: string): Promise<unknown>;
  on(event: string, run: () => void): void;
}

export class AuthChanges {
  private readonly database: Knex;
  private readonly log: Logger;
  private readonly onChange: (change: AuthChange) => void;
  private version = 0;
  private timer: NodeJS.Timeout | undefined;
  private listener: Listener | undefined;
  private looking: Promise<void> | undefined;
  private closed = false;

  constructor(database: Knex, log: Logger, onChange: (change: AuthChange) => void) {
    this.database = database;
    this.log = log;
    this.onChange = onChange;
  }

  /** Call before reading keys: changes from here on are reported. */
  async start(): Promise<void> {
    const row = await this.database('auth_version').first<{ version: string }>('version');
    this.version = Number(row.version);
    await this.listen();
    this.timer = setInterval(() => void this.wake(), POLL_MILLIS);
    this.timer.unref();
  }

  /** Looks now; resolves when everything committed so far has been reported. */
  async look(): Promise<void> {
    await this.looking;
    this.looking ??= this.read().finally(() => (this.looking = undefined));
    await this.looking;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    await this.looking?.catch(() => undefined);
    const listener = this.listener;
    this.listener = undefined;
    if (listener !== undefined) await this.database.client.releaseConnection(listener);
  }

  private async wake(): Promise<void> {
    try {
      if (this.listener === undefined && !this.closed) await this.listen();
      await this.look();
    } catch (error) {
      this.log.warn({ err: error }, 'changes of keys and sessions cannot be read');
    }
  }

  private async listen(): Promise<void> {
    const connection: unknown = await this.database.client.acquireConnection();
    const listener = connection as Listener;
    const lost = (): void => {
      if (this.listener !== listener) return;
      this.listener = undefined;
      // The pool finds it broken and replaces it.
      void this.database.client.releaseConnection(listener);
    };
    listener.on('notification', () => void this.wake());
    listener.on('error', lost);
    listener.on('end', lost);
    await listener.query(`listen ${CHANNEL}`);
    this.listener = listener;
  }

  private async read(): Promise<void> {
    const rows = await this.database('auth_changes').where('version', '>', this.version).orderBy('version')
      .select<{ version: string; kind: AuthChange['kind']; subject: string }[]>('version', 'kind', 'subject');
    for (const row of rows) {
      this.version = Number(row.version);
      this.onChange({ kind: row.kind, subject: row.subject });
    }
  }
}
