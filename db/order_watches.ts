/** Which companies' orders are watched over by a connection, for the process that comes after one that was killed. */
import type { Knex } from 'knex';

export interface WatchLog {
  note(company: number): Promise<void>;
  forget(company: number): Promise<void>;
  /** Those that were noted and not forgotten. */
  noted(): Promise<number[]>;
}

export class StoredWatchLog implements WatchLog {
  private readonly database: Knex;

  constructor(database: Knex) {
    this.database = database;
  }

  async note(company: number): Promise<void> {
    await this.database('order_watches').insert({ company }).onConflict('company').ignore();
  }

  async forget(company: number): Promise<void> {
    await this.database('order_watches').where({ company }).delete();
  }

  async noted(): Promise<number[]> {
    const rows = await this.database<{ company: number }>('order_watches').select('company').orderBy('company');
    return rows.map(({ company }) => company);
  }
}
