/** Endpoints as they are stored. */
import type { Knex } from 'knex';

/** One that drains finishes what is under way and gets nothing new. */
export type EndpointStatus = 'pending' | 'verified' | 'failed' | 'draining' | 'removed';

export interface EndpointRow {
  id: string;
  company: number;
  market: number;
  url: string;
  /** Sealed for `id`; null: the endpoint asks for none. */
  credential: Buffer | null;
  /** As the endpoint calls them: ids or aliases of the catalogue. */
  models: string[];
  precision?: string | null;
  country?: string | null;
  prompt_retention?: string | null;
  status: EndpointStatus;
}

export interface EndpointRows {
  /** All that are not removed. */
  all(): Promise<EndpointRow[]>;
  /** Where a provider has ever registered one, removed or not. */
  places(): Promise<Pick<EndpointRow, 'company' | 'market'>[]>;
  find(id: string): Promise<EndpointRow | undefined>;
  /** How the verification of a row ended; one that has been changed since stays as it is. */
  judged(row: EndpointRow, status: 'verified' | 'failed', reason: string): Promise<void>;
}

const COLUMNS = ['id', 'company', 'market', 'url', 'credential', 'models', 'precision', 'country', 'prompt_retention', 'status'] as const;

export class StoredEndpoints implements EndpointRows {
  private readonly database: Knex;

  constructor(database: Knex) {
    this.database = database;
  }

  all(): Promise<EndpointRow[]> {
    return this.database('endpoints').whereNot('status', 'removed').orderBy(['created_at', 'id']).select<EndpointRow[]>(...COLUMNS);
  }

  places(): Promise<Pick<EndpointRow, 'company' | 'market'>[]> {
    return this.database('endpoints').distinct('company', 'market');
  }

  find(id: string): Promise<EndpointRow | undefined> {
    return this.database('endpoints').where({ id }).first<EndpointRow | undefined>(...COLUMNS);
  }

  async judged(row: EndpointRow, status: 'verified' | 'failed', reason: string): Promise<void> {
    await this.database('endpoints').where({ id: row.id, url: row.url, status: row.status })
      .update({ status, status_reason: reason, verified_at: status === 'verified' ? new Date() : null });
  }
}

/** For tests and benchmarks. */
export class EndpointsInMemory implements EndpointRows {
  readonly rows: EndpointRow[] = [];

  all(): Promise<EndpointRow[]> {
    return Promise.resolve(this.rows.filter(({ status }) => status !== 'removed').map((row) => ({ ...row })));
  }

  places(): Promise<Pick<EndpointRow, 'company' | 'market'>[]> {
    return Promise.resolve(this.rows);
  }

  find(id: string): Promise<EndpointRow | undefined> {
    return Promise.resolve(this.rows.find((row) => row.id === id));
  }

  judged({ id }: EndpointRow, status: 'verified' | 'failed'): Promise<void> {
    for (const row of this.rows) if (row.id === id) row.status = status;
    return Promise.resolve();
  }
}
