/**
 * The journal in Postgres, as its leader sees it. There is one leader: who holds the lease's epoch.
 * Every append names its epoch inside the statement, so that a leader that was paused and replaced
 * writes nothing. An advisory lock only tells, at once, that the last leader's session is gone.
 */
import pg from 'pg';
import type { Client, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { KEEP_ALIVE, giveUpForgotten, isForgotten } from './forgotten.ts';
import { LEASE_MISSING, readLastRow, readRowOf, readRows } from './journal_reader.ts';
import type { Queryable } from './journal_reader.ts';
import { GENESIS_HASH, hashRow, JournalCorrupt, StaleEpoch } from './journal_record.ts';
import type { Journal, JournalRecord, JournalRow } from './journal_record.ts';
import { DURABILITY, requireDurable } from './durability.ts';
import { setTimeout as sleep } from 'node:timers/promises';

const LOCK = 7_301_843;
/**
 * A leader that has not renewed for this long may be replaced although its session stands. Short, because a leader that
 * has vanished keeps the market waiting for it; one that was only slow is replaced for nothing, and harms nobody: its
 * epoch is over, so it appends nothing.
 */
export const LEASE_MILLIS = 2_000;
const RENEW_MILLIS = 400;
const POLL_MILLIS = 50;
const CONNECT_MILLIS = 5_000;
/** The last resort: whatever is asked of the journal fails when it has taken this long. */
const ANSWER_MILLIS_MAX = 60_000;

/** Somebody else leads, and goes on leading. */
export class AnotherLeads extends Error {
  constructor(holder: string) {
    super(`another engine leads (${holder}); only one may run on a database`);
    this.name = 'AnotherLeads';
  }
}

export interface LeadOptions {
  url: string;
  /** Who leads: unique to a process, and readable. */
  holder: string;
  /** How long to wait for another leader to go; 0: not at all. */
  waitMillis?: number;
  /** This holder has led before: it waits for its own lost session, never for a successor. */
  resume?: boolean;
  /** Called once when the lead is lost between appends: by another's takeover, or with the connection. */
  onLost?: (error: Error) => void;
}

/** Nothing is appended for a leader that was replaced, behind a gap, or while a commit is no promise. */
const APPEND = `
  with lead as (
    update journal_lease set high_water = $2, renewed_at = clock_timestamp()
    where epoch = $4 and high_water = $1::bigint - 1 and ${DURABILITY.map((setting) => `current_setting('${setting}') <> 'off'`).join(' and ')} returning epoch
  )
  insert into journal (first_sequence, last_sequence, engine_time, epoch, rules_version, commands, events, hash)
  select $1, $2, $3, $4, $5, $6, $7, $8 from lead`;

/** One connection for append, renewal and reading: each waits for the one before. */
class OneAtATime implements Queryable {
  private readonly client: Client;
  private before: Promise<unknown> = Promise.resolve();

  constructor(client: Client) {
    this.client = client;
  }
  query<R extends QueryResultRow>(query: string | QueryConfig<unknown[]>, values?: unknown[]): Promise<QueryResult<R>> {
    const result = this.before.then(() => this.client.query<R>(query, values));
    this.before = result.catch(() => undefined);
    return result;
  }
}

export class PostgresJournal implements Journal {
  readonly epoch: number;
  private readonly url: string;
  private readonly client: Client;
  private readonly connection: Queryable;
  private lastHash: Uint8Array;
  /** Of what is durable. */
  lastSequence: number;
  private readonly renewal: NodeJS.Timeout;
  private readonly onLost: (error: Error) => void;
  /** When what last confirmed the lead was sent. */
  private renewedAt = performance.now();
  private renewing = false;
  private over = false;

  private constructor(url: string, client: Client, epoch: number, last: JournalRow | undefined, onLost: (error: Error) => void) {
    this.url = url;
    this.client = client;
    this.connection = new OneAtATime(client);
    this.epoch = epoch;
    this.lastSequence = last?.lastSequence ?? 0;
    this.lastHash = last?.hash ?? GENESIS_HASH;
    this.onLost = onLost;
    client.on('error', (error) => this.lose(error));
    client.on('end', () => this.lose(new Error('the connection to the database has ended')));
    this.renewal = setInterval(() => void this.renew(), RENEW_MILLIS);
  }

  /**
   * Connects and takes the lead, under a new epoch.
   * @throws AnotherLeads when another leader still leads after `waitMillis`
   * @throws NotDurable
   */
  static async lead({ url, holder, waitMillis = 0, resume = false, onLost = () => undefined }: LeadOptions): Promise<PostgresJournal> {
    const client = new pg.Client({ connectionString: url, application_name: 'compute-credit-exchange journal', connectionTimeoutMillis: CONNECT_MILLIS, ...KEEP_ALIVE, query_timeout: ANSWER_MILLIS_MAX });
    // Until the journal listens itself, the query under way reports what broke.
    const ignore = () => undefined;
    client.on('error', ignore);
    const unwatch = giveUpForgotten(client, url);
    await client.connect();
    try {
      await client.query('set synchronous_commit = on');
      await requireDurable(client);
      const epoch = await takeLead(client, holder, waitMillis, resume);
      const journal = new PostgresJournal(url, client, epoch, await readLastRow(client), onLost);
      client.off('error', ignore);
      // From here on its leader looks, which knows what it waits for.
      unwatch();
      return journal;
    } catch (error) {
      await client.end();
      throw error;
    }
  }

  async append(record: JournalRecord): Promise<void> {
    const row = { ...record, epoch: this.epoch };
    const hash = hashRow(this.lastHash, row);
    const values = [row.firstSequence, row.lastSequence, row.engineTime, row.epoch, row.rulesVersion, row.commands, row.events, hash];
    const asked = performance.now();
    const { rowCount } = await this.connection.query({ name: 'journal_append', text: APPEND, values });
    // A query that pg has a promise of is taken for alive by V8's collections of what is young long after it has ended, with what was sent. When that
    // is 64 MB everything is collected, and for some 20 ms the threads that do it have the processors that the market and the database need.
    values.length = 0;
    if (rowCount !== 1) throw await this.whyNothingWasWritten(record);
    this.lastHash = hash;
    this.lastSequence = row.lastSequence;
    this.renewedAt = asked;
  }

  rowOf(sequence: number): Promise<JournalRow | undefined> {
    return readRowOf(this.connection, sequence);
  }
  rows(sequence: number): AsyncIterable<JournalRow> {
    return readRows(this.connection, sequence);
  }
  /** Milliseconds since the lead was last confirmed: below LEASE_MILLIS nobody else can have it. */
  get leaseAge(): number {
    return performance.now() - this.renewedAt;
  }
  /** Hash of the newest row: what a snapshot of the present state belongs to. */
  get headHash(): Uint8Array {
    return this.lastHash;
  }

  isForgotten(): Promise<boolean> {
    return isForgotten(this.url, this.client);
  }

  /** Gives up a connection that `isForgotten`. */
  abandon(): void {
    this.lose(new Error('the connection to the database has died'));
  }

  /** The next leader need not wait for this one's lease to run out. */
  async close(): Promise<void> {
    if (this.over) return;
    this.end();
    await this.client.end();
  }

  private async whyNothingWasWritten(record: JournalRecord): Promise<Error> {
    await requireDurable(this.connection);
    const { rows } = await this.connection.query<{ epoch: string; high_water: string }>('select epoch, high_water from journal_lease');
    if (rows.length === 1 && Number(rows[0].epoch) === this.epoch) return new JournalCorrupt(record.firstSequence, `its high-water mark is ${rows[0].high_water}`);
    return new StaleEpoch(this.epoch);
  }

  private async renew(): Promise<void> {
    if (this.over || this.renewing || this.leaseAge < RENEW_MILLIS / 2) return;
    this.renewing = true;
    const asked = performance.now();
    try {
      const { rowCount } = await this.connection.query('update journal_lease set renewed_at = clock_timestamp() where epoch = $1', [this.epoch]);
      if (rowCount !== 1) this.lose(new StaleEpoch(this.epoch));
      this.renewedAt = asked;
    } catch (error) {
      this.lose(error instanceof Error ? error : new Error(String(error)));
    }
    this.renewing = false;
  }

  private end(): void {
    this.over = true;
    clearInterval(this.renewal);
  }

  private lose(error: Error): void {
    if (this.over) return;
    this.end();
    this.onLost(error);
    // What is under way has failed or will; the server notices the rest.
    this.client.end().catch(() => undefined);
  }
}

/**
 * For who has led before and is to lead again.
 * @throws AnotherLeads when the lead has gone to another holder
 */
export const requireHolder = ({ url, holder }: Pick<LeadOptions, 'url' | 'holder'>): Promise<void> =>
  asked(url, async (client) => {
    const leader = await holderOf(client);
    if (leader !== holder) throw new AnotherLeads(leader);
  });

/** Whether somebody leads now. */
export const isLed = (url: string): Promise<boolean> => asked(url, async (client) => (await leadership(client)).leads);

/** Over a connection of its own. */
async function asked<T>(url: string, ask: (client: Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MILLIS, query_timeout: CONNECT_MILLIS });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await ask(client);
  } finally {
    client.end().catch(() => undefined);
  }
}

async function takeLead(client: Client, holder: string, waitMillis: number, resume: boolean): Promise<number> {
  for (const end = performance.now() + waitMillis; ; await sleep(POLL_MILLIS)) {
    const sessionGone = await lock(client);
    const { rows } = await client.query<{ epoch: string }>(
      `update journal_lease set epoch = epoch + 1, holder = $1, renewed_at = clock_timestamp()
       where $2 or renewed_at < clock_timestamp() - make_interval(secs => $3) returning epoch`,
      [holder, sessionGone, LEASE_MILLIS / 1000],
    );
    if (rows.length === 1) {
      if (!sessionGone) await endOtherSession(client);
      return Number(rows[0].epoch);
    }
    const leader = await holderOf(client);
    if (performance.now() >= end || (resume && leader !== holder)) throw new AnotherLeads(leader);
  }
}

async function lock(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [LOCK]);
  return rows[0].locked;
}

const HELD = `locktype = 'advisory' and classid = 0 and objid = $1 and granted and database = (select oid from pg_database where datname = current_database())`;

/** Whether anybody leads now: renews the lease, and has not gone since. And whether anybody ever has. */
export async function leadership(client: Queryable): Promise<{ leads: boolean; led: boolean }> {
  const { rows } = await client.query<{ leads: boolean; led: boolean }>(
    `select renewed_at > clock_timestamp() - make_interval(secs => $2) and exists (select from pg_locks where ${HELD}) as leads, epoch > 0 as led from journal_lease`,
    [LOCK, LEASE_MILLIS / 1000],
  );
  if (rows.length === 0) throw new JournalCorrupt(1, LEASE_MISSING);
  return rows[0];
}

/** The old leader's epoch is over; its session would only keep the next one waiting. */
async function endOtherSession(client: Client): Promise<void> {
  await client.query(
    `select pg_terminate_backend(pid) from pg_locks where ${HELD} and pid <> pg_backend_pid()`,
    [LOCK],
  );
  await client.query('select pg_advisory_lock($1)', [LOCK]);
}

async function holderOf(client: Client): Promise<string> {
  const { rows } = await client.query<{ holder: string }>('select holder from journal_lease');
  if (rows.length === 0) throw new JournalCorrupt(1, LEASE_MISSING);
  return rows[0].holder;
}
