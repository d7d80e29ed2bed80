/** What endpoints were found to take for a token when they were verified, and what ratings follow from that. */
import type { Knex } from 'knex';
import type { RatingChanges } from './rating_book.ts';
import type { RatingTable } from './ratings.ts';
import type { Rating } from './roofline.ts';

export interface VerificationRun {
  endpoint: string;
  company: number;
  /** The catalogue's id. */
  model: string;
  class: string;
  /** 1e-6 GPU-seconds a completion token, with all streams of a replica in use. */
  completion: number;
}

export interface VerificationRuns {
  note(run: VerificationRun): Promise<void>;
  /** The newest of each endpoint that is verified and each of its models. */
  newest(): Promise<VerificationRun[]>;
}

/** What a model was found to take on a class. */
export interface Measured {
  model: string;
  class: string;
  /** Of different owners. */
  providers: number;
  median: number;
  rated: Rating;
  /** What the next version would say; null: what the last one says. */
  proposed: number | null;
}

/** Fewer decide nothing, and one version moves a rating by at most a quarter: nobody sets it alone, or at once. */
export const PROVIDERS_LEAST = 3;
const PART_MOST = 4;

/**
 * Each owner counts once, with the median of its own runs.
 * @param ownerOf providers of one group are one owner
 */
export function measuredBy(runs: readonly VerificationRun[], ratings: RatingTable, ownerOf: (company: number) => string): Measured[] {
  const kinds = new Map<string, VerificationRun[]>();
  for (const run of runs) {
    const key = `${run.model} ${run.class}`;
    kinds.set(key, [...(kinds.get(key) ?? []), run]);
  }
  return [...kinds].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, alike]) => {
    const { model, class: name } = alike[0];
    const rated = ratings.of(model).get(name);
    if (rated === undefined) return [];
    const owners = byOwner(alike, ownerOf);
    const median = medianOf([...owners.values()].map(medianOf));
    const most = Math.floor(rated.completion / PART_MOST);
    const next = Math.max(1, Math.min(rated.completion + most, Math.max(rated.completion - most, median)));
    const proposed = owners.size < PROVIDERS_LEAST || next === rated.completion ? null : next;
    return [{ model, class: name, providers: owners.size, median, rated, proposed }];
  });
}

function byOwner(runs: readonly VerificationRun[], ownerOf: (company: number) => string): Map<string, number[]> {
  const owners = new Map<string, number[]>();
  for (const { company, completion } of runs) owners.set(ownerOf(company), [...(owners.get(ownerOf(company)) ?? []), completion]);
  return owners;
}

export function changesOf(measured: readonly Measured[]): RatingChanges {
  const changes: RatingChanges = {};
  for (const { model, class: name, rated, proposed } of measured) if (proposed !== null) (changes[model] ??= {})[name] = [rated.prompt, proposed];
  return changes;
}

const TOLD_MAX = 5;
const MEASURED_WHEN = 'Endpoints are measured when they are verified, those of the demo a little later (GET /api/v1/verification-runs).';

/** Why no rating would change, and what of it is missing most nearly. */
export function whyUnchanged(measured: readonly Measured[]): string {
  if (measured.length === 0) return `There is nothing to change: no endpoint that is verified has been measured yet. ${MEASURED_WHEN}`;
  const lacking = measured.filter(({ providers }) => providers < PROVIDERS_LEAST).sort((a, b) => b.providers - a.providers);
  const told = lacking.slice(0, TOLD_MAX).map(({ model, class: name, providers }) => `${model} on ${name} has ${providers}`);
  const rest = lacking.length > told.length ? `, and ${lacking.length - told.length} more have no more than these` : '';
  const same = measured.length - lacking.length;
  const parts = [
    ...(lacking.length === 0 ? [] : [`a rating follows runs of at least ${PROVIDERS_LEAST} owners, and ${told.join(', ')}${rest}`]),
    ...(same === 0 ? [] : [`of ${same} with enough owners the median is what is rated`]),
  ];
  return `There is nothing to change: ${parts.join('; ')}. ${MEASURED_WHEN}`;
}

/** Of two in the middle their mean, a half rounded up. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : Math.round((sorted[middle - 1] + sorted[middle]) / 2);
}

const COLUMNS = ['endpoint', 'company', 'model', 'class', 'completion'] as const;

export class StoredRuns implements VerificationRuns {
  private readonly database: Knex;

  constructor(database: Knex) {
    this.database = database;
  }

  async note(run: VerificationRun): Promise<void> {
    await this.database('verification_runs').insert({ ...run, at: new Date() }).onConflict(['endpoint', 'model']).merge();
  }

  newest(): Promise<VerificationRun[]> {
    const verified = this.database('endpoints').where({ status: 'verified' }).select('id');
    return this.database('verification_runs').whereIn('endpoint', verified).orderBy(['endpoint', 'model']).select<VerificationRun[]>(...COLUMNS);
  }
}

/** For tests and benchmarks. */
export class RunsInMemory implements VerificationRuns {
  readonly runs: VerificationRun[] = [];

  note(run: VerificationRun): Promise<void> {
    this.runs.push(run);
    return Promise.resolve();
  }
  newest(): Promise<VerificationRun[]> {
    return Promise.resolve([...this.runs]);
  }
}
