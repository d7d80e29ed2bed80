/**
 * What requests and probes met, kept for a day for whom they concern. It is no part of the market's state: nobody waits for
 * it, a second's worth is written at once, and of more than that the rest is left out.
 */
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import type { CanaryResult } from '../endpoints/canary.ts';

export type TryOutcome = 'answered' | 'failed' | 'refused' | 'given_up';

/** One endpoint that a request was brought to. */
export interface Try {
  endpoint: string;
  /** Company. */
  provider: number;
  /** Since the request came, and how long it took. */
  began_ms: number;
  millis: number;
  outcome: TryOutcome;
  error: string | null;
}

/** Notes of one request while it is served. */
export class Trail {
  readonly at = Date.now();
  readonly tries: Try[] = [];
  billed: { promptTokens: number; completionTokens: number; credits: string } | undefined;
  private readonly began = performance.now();

  get millis(): number {
    return Math.round(performance.now() - this.began);
  }

  /** @param began and ended as `performance.now()` gave them */
  tried(endpoint: { id: string; company: number }, began: number, outcome: TryOutcome, error: string | null, ended = performance.now()): void {
    this.tries.push({ endpoint: endpoint.id, provider: endpoint.company, began_ms: Math.round(began - this.began), millis: Math.round(ended - began), outcome, error });
  }
}

export interface RequestEntry {
  id: string;
  company: number;
  key: string;
  model: string;
  path: string;
  streamed: boolean;
  status: number;
  error: string | null;
  trail: Trail;
}
export interface ProbeEntry {
  endpoint: string;
  model: string;
  result: CanaryResult;
  millis: number;
}
export interface Logbook {
  request(entry: RequestEntry): void;
  probe(entry: ProbeEntry): void;
  close(): void;
}

const nothing = (): void => undefined;
export const NO_LOGBOOK: Logbook = { request: nothing, probe: nothing, close: nothing };

const FLUSH_MILLIS = 1_000;
const ROWS_MAX = 200;
const PRUNE_MILLIS = 10 * 60_000;
const KEPT = '24 hours';

/** Rows of one table, written once a second. */
class Batch {
  private rows: object[] = [];
  private readonly table: string;

  constructor(table: string) {
    this.table = table;
  }

  get isFull(): boolean {
    return this.rows.length >= ROWS_MAX;
  }

  add(row: object): void {
    if (!this.isFull) this.rows.push(row);
  }

  async write(database: Knex): Promise<void> {
    if (this.rows.length === 0) return;
    const rows = this.rows;
    this.rows = [];
    await database(this.table).insert(rows);
  }
}

export class StoredLogbook implements Logbook {
  private readonly database: Knex;
  private readonly log: Logger;
  private readonly requests = new Batch('request_log');
  private readonly probes = new Batch('probe_log');
  private readonly timers: NodeJS.Timeout[];

  constructor(database: Knex, log: Logger) {
    this.database = database;
    this.log = log;
    this.timers = [setInterval(() => void this.inBackground(() => this.flush()), FLUSH_MILLIS), setInterval(() => void this.inBackground(() => this.prune()), PRUNE_MILLIS)];
    for (const timer of this.timers) timer.unref();
  }

  request({ trail, ...entry }: RequestEntry): void {
    if (this.requests.isFull) return;
    const { billed } = trail;
    this.requests.add({
      ...entry, at: new Date(trail.at), millis: trail.millis, prompt_tokens: billed?.promptTokens ?? null, completion_tokens: billed?.completionTokens ?? null,
      credits: billed?.credits ?? null, tries: JSON.stringify(trail.tries),
    });
  }

  probe(entry: ProbeEntry): void {
    this.probes.add({ ...entry, at: new Date() });
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  private async flush(): Promise<void> {
    await this.requests.write(this.database);
    await this.probes.write(this.database);
  }

  /** Drops what is older than it is kept; by itself every ten minutes. */
  async prune(): Promise<void> {
    for (const table of ['request_log', 'probe_log']) await this.database(table).whereRaw('at < now() - ?::interval', [KEPT]).delete();
  }

  /** A log that cannot be written is no reason to stop anything. */
  private async inBackground(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.log.debug({ err: error }, 'the log of requests cannot be written at the moment');
    }
  }
}
