/** What is kept of load tests: which were asked for, and how each ended. A shortfall counts until a later test, whatever process runs by then. */
import type { Knex } from 'knex';
import type { Millis, Ppm } from '../../../engine/numbers/units.ts';

export interface TestedPlace {
  company: number;
  market: number;
}
export interface LoadTestResult {
  /** Tokens. */
  wanted: number;
  reached: number;
  shortfall: Ppm;
}

export interface LoadTestLog {
  /** Places whose provider asks for a test that has not begun. */
  asked(): Promise<TestedPlace[]>;
  /** How the last test of each place ended. */
  latest(): Promise<(TestedPlace & { shortfall: Ppm })[]>;
  /** Those that were asked for of the place have begun with it. @param at engine time */
  began(place: TestedPlace, at: Millis): Promise<number>;
  ended(test: number, result: LoadTestResult, at: Millis): Promise<void>;
}

export class StoredLoadTests implements LoadTestLog {
  private readonly database: Knex;

  constructor(database: Knex) {
    this.database = database;
  }

  asked(): Promise<TestedPlace[]> {
    return this.database('load_tests').whereNull('began_at').distinct('company', 'market');
  }

  async latest(): Promise<(TestedPlace & { shortfall: Ppm })[]> {
    return this.database('load_tests').whereNotNull('ended_at').distinctOn('company', 'market').orderBy(['company', 'market', { column: 'id', order: 'desc' }]).select('company', 'market', 'shortfall');
  }

  async began({ company, market }: TestedPlace, at: Millis): Promise<number> {
    const [asked] = await this.database('load_tests').where({ company, market }).whereNull('began_at').update({ began_at: new Date(at) }).returning<{ id: number }[]>('id');
    if (asked !== undefined) return asked.id;
    const [due] = await this.database('load_tests').insert({ company, market, began_at: new Date(at) }).returning<{ id: number }[]>('id');
    return due.id;
  }

  async ended(test: number, { wanted, reached, shortfall }: LoadTestResult, at: Millis): Promise<void> {
    await this.database('load_tests').where({ id: test }).update({ ended_at: new Date(at), wanted, reached, shortfall });
  }
}

/** For tests and benchmarks. */
export class LoadTestsInMemory implements LoadTestLog {
  readonly wanted: TestedPlace[] = [];
  readonly results: (TestedPlace & LoadTestResult)[] = [];
  private readonly running: TestedPlace[] = [];

  asked(): Promise<TestedPlace[]> {
    return Promise.resolve([...this.wanted]);
  }
  latest(): Promise<(TestedPlace & { shortfall: Ppm })[]> {
    return Promise.resolve([...this.results]);
  }
  began({ company, market }: TestedPlace): Promise<number> {
    this.wanted.splice(0, this.wanted.length, ...this.wanted.filter((place) => place.company !== company || place.market !== market));
    return Promise.resolve(this.running.push({ company, market }) - 1);
  }
  ended(test: number, result: LoadTestResult): Promise<void> {
    this.results.push({ ...this.running[test], ...result });
    return Promise.resolve();
  }
}
