/** Answers recorded of models at temperature 0, read from their table and kept for a second. */
import type { Knex } from 'knex';
import type { Reference } from './canary.ts';
import type { ReferenceAnswers } from './delivery_watch.ts';

const KEPT_MILLIS = 1_000;

interface Row extends Reference {
  model: string;
  precision: string | null;
}

export class StoredReferences implements ReferenceAnswers {
  private readonly database: Knex;
  private rows: readonly Row[] = [];
  private readAt = -Infinity;

  constructor(database: Knex) {
    this.database = database;
  }

  async of(model: string, precision: string | null): Promise<readonly Reference[]> {
    if (performance.now() > this.readAt + KEPT_MILLIS) {
      this.rows = await this.database('reference_answers').select<Row[]>('model', 'precision', 'prompt', 'answer');
      this.readAt = performance.now();
    }
    return this.rows.filter((row) => row.model === model && (row.precision === null || row.precision === precision));
  }
}

export const NO_REFERENCES: ReferenceAnswers = { of: () => Promise.resolve([]) };
