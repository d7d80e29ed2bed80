/**
 * All versions of the ratings. One is published at least seven days before the first hour that it rates, and never rates
 * what had been sold by then: whoever buys later knows by what its hours will be rated.
 */
import type { Knex } from 'knex';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../../../engine/numbers/units.ts';
import { findModel } from './catalogue.ts';
import { FIRST_RATINGS } from './ratings.ts';
import type { RatingTable } from './ratings.ts';
import type { Rating } from './roofline.ts';

/** Model -> class -> 1e-6 GPU-seconds a prompt token and a completion token. */
export type RatingChanges = Record<string, Record<string, [prompt: number, completion: number]>>;

export interface PublishedRatings {
  version: number;
  /** Engine time. */
  publishedAt: number;
  /** The first hour that it rates. */
  fromHour: number;
  reason: string;
  /** What is not as in the version before. */
  changes: RatingChanges;
  /** What of those hours had been sold before it was published. */
  sold: [allocation: number, company: number, hour: number][];
}

export interface PublishedVersions {
  /** In their order. */
  all(): Promise<PublishedRatings[]>;
}

const NOTICE_MILLIS = 7 * MILLIS_PER_DAY;
/** Other processes publish too. */
const REFRESH_MILLIS = 5_000;

/** The first hour that a version may rate which is published now. */
export const firstHourAfterNotice = (now: number): number => Math.ceil((now + NOTICE_MILLIS) / MILLIS_PER_HOUR);

export class PublishedTable implements RatingTable {
  readonly published: PublishedRatings;
  readonly before: RatingTable;
  private readonly changed: ReadonlyMap<string, ReadonlyMap<string, Rating>>;
  private readonly sold: ReadonlySet<number>;
  private readonly soldTo: ReadonlySet<string>;

  constructor(published: PublishedRatings, before: RatingTable) {
    this.published = published;
    this.before = before;
    this.changed = new Map(Object.entries(published.changes).map(([model, classes]) => [model, withChanges(before.of(model), classes)]));
    this.sold = new Set(published.sold.map(([allocation]) => allocation));
    this.soldTo = new Set(published.sold.map(([, company, hour]) => `${company}:${hour}`));
  }

  get version(): number {
    return this.published.version;
  }
  of(model: string): ReadonlyMap<string, Rating> {
    return this.changed.get(findModel(model)?.id ?? model) ?? this.before.of(model);
  }
  /** Whether the allocation was sold before this version was published. */
  precedes(allocation: number): boolean {
    return this.sold.has(allocation);
  }
  /** Whether anything of the hour had been sold to the company by then. */
  precedesSomeOf(company: number, hour: number): boolean {
    return this.soldTo.has(`${company}:${hour}`);
  }
}

function withChanges(known: ReadonlyMap<string, Rating>, changes: RatingChanges[string]): ReadonlyMap<string, Rating> {
  return new Map(Array.from(known, ([name, rated]): [string, Rating] => {
    const [prompt, completion] = changes[name] ?? [rated.prompt, rated.completion];
    return [name, { ...rated, prompt, completion }];
  }));
}

export class RatingBook {
  private readonly store: PublishedVersions;
  /** Newest first. */
  private tables: readonly PublishedTable[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(store: PublishedVersions) {
    this.store = store;
  }

  async start(): Promise<void> {
    await this.refresh();
    this.timer = setInterval(() => void this.refresh().catch(() => undefined), REFRESH_MILLIS);
    this.timer.unref();
  }
  stop(): void {
    clearInterval(this.timer);
  }

  /** Versions that are known stay as they are: what is remembered of them is not made anew. */
  async refresh(): Promise<void> {
    const tables = [...this.tables].reverse();
    for (const published of (await this.store.all()).slice(tables.length)) tables.push(new PublishedTable(published, tables.at(-1) ?? FIRST_RATINGS));
    if (tables.length > this.tables.length) this.tables = tables.reverse();
  }

  /** Newest first; the first version is none of them. */
  published(): readonly PublishedTable[] {
    return this.tables;
  }
  newest(): RatingTable {
    return this.tables[0] ?? FIRST_RATINGS;
  }

  /** By what is rated that is bought now of an hour. */
  inForce(hour: number): RatingTable {
    return this.tables.find(({ published }) => published.fromHour <= hour) ?? FIRST_RATINGS;
  }

  /** By what an allocation of an hour is rated. */
  ofAllocation(allocation: number, hour: number): RatingTable {
    return this.tables.find((table) => table.published.fromHour <= hour && !table.precedes(allocation)) ?? FIRST_RATINGS;
  }

  /** By what anything is rated that a company may have of an hour: first the version in force. */
  ofCompany(company: number, hour: number): readonly RatingTable[] {
    const found: RatingTable[] = [this.inForce(hour)];
    for (let table = found[0]; table instanceof PublishedTable && table.precedesSomeOf(company, hour); table = table.before) found.push(table.before);
    return found;
  }
}

interface Row {
  version: number;
  published_at: Date;
  effective_at: Date;
  reason: string;
  changes: RatingChanges;
  sold: PublishedRatings['sold'];
}

export class StoredVersions implements PublishedVersions {
  private readonly database: Knex;

  constructor(database: Knex) {
    this.database = database;
  }

  async all(): Promise<PublishedRatings[]> {
    const rows = await this.database('rating_versions').orderBy('version').select<Row[]>();
    return rows.map(({ version, published_at: at, effective_at: from, reason, changes, sold }) => ({ version, publishedAt: at.getTime(), fromHour: from.getTime() / MILLIS_PER_HOUR, reason, changes, sold }));
  }
}

/** @returns false when another process has published this version */
export async function storeVersion(transaction: Knex, { version, publishedAt, fromHour, reason, changes, sold }: PublishedRatings): Promise<boolean> {
  const stored = await transaction('rating_versions').onConflict('version').ignore().returning('version').insert({
    version, published_at: new Date(publishedAt), effective_at: new Date(fromHour * MILLIS_PER_HOUR), reason, changes: JSON.stringify(changes), sold: JSON.stringify(sold),
  });
  return stored.length > 0;
}

export const NO_VERSIONS: PublishedVersions = { all: () => Promise.resolve([]) };
