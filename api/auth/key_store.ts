/** Keys in memory, current within a second on every process; Postgres holds them. */
import { hash as digest } from 'node:crypto';
import type { Knex } from 'knex';
import { looksLikeKey, keyOfRow } from './keys.ts';
import type { ApiKey, KeyRow } from './keys.ts';

/** Who spends when a key is used. */
export interface Spenders {
  line: string;
  project: string | undefined;
}
interface Entry {
  key: ApiKey;
}
export type KeyAnswer = { ok: true; key: ApiKey } | { ok: false; reason: 'invalid_api_key' | 'expired_api_key' };

/** Digests that are no key, so that guessing does not reach the database each time. */
const UNKNOWN_MAX = 10_000;
const INVALID: KeyAnswer = { ok: false, reason: 'invalid_api_key' };

export class KeyStore {
  private readonly database: Knex;
  private readonly now: () => number;
  private readonly byHash = new Map<string, Entry>();
  private readonly hashOfId = new Map<string, string>();
  private readonly unknown = new Set<string>();
  /** Grows with each change: what was read before one is not remembered after it. */
  private generation = 0;

  constructor(database: Knex, now: () => number) {
    this.database = database;
    this.now = now;
  }

  async load(): Promise<void> {
    for (const row of await this.rows()) this.remember(row);
  }

  /** At once where the key is known. @param text what follows `Bearer ` */
  resolve(text: string): KeyAnswer | Promise<KeyAnswer> {
    if (!looksLikeKey(text)) return INVALID;
    // Found by its digest, of which nobody who guesses keys can choose a part.
    const hex = digest('sha256', text);
    const entry = this.byHash.get(hex);
    return entry === undefined ? this.find(hex).then((found) => this.answerFor(found)) : this.answerFor(entry);
  }

  private answerFor(entry: Entry | undefined): KeyAnswer {
    if (entry === undefined) return INVALID;
    if (entry.key.revokedAt !== null) return INVALID;
    if (entry.key.expiresAt !== null && entry.key.expiresAt <= this.now()) return { ok: false, reason: 'expired_api_key' };
    return { ok: true, key: entry.key };
  }

  /** The key as it is known now; undefined when it is not, or has been revoked. */
  byId(id: string): ApiKey | undefined {
    const hash = this.hashOfId.get(id);
    return hash === undefined ? undefined : this.byHash.get(hash)?.key;
  }

  /** Of any key, one that has ended or is not known here yet included; undefined when there has never been such. */
  async spendersOf(id: string): Promise<Spenders | undefined> {
    const key = this.byId(id);
    if (key !== undefined) return { line: key.line, project: key.project?.id };
    const row = await this.database('api_keys').where({ id }).first<Pick<KeyRow, 'line' | 'project_id'> | undefined>('line', 'project_id');
    return row === undefined ? undefined : { line: row.line ?? id, project: row.project_id ?? undefined };
  }

  /** Reads a changed key again; one that is revoked stays forgotten. */
  async refresh(id: string): Promise<void> {
    this.forget(id);
    const generation = this.generation;
    const [row] = await this.rows((query) => query.where('api_keys.id', id));
    if (row !== undefined && generation === this.generation) this.remember(row);
  }

  forget(id: string): void {
    this.generation += 1;
    this.unknown.clear();
    const hash = this.hashOfId.get(id);
    if (hash === undefined) return;
    this.hashOfId.delete(id);
    this.byHash.delete(hash);
  }

  private async find(hex: string): Promise<Entry | undefined> {
    if (this.unknown.has(hex)) return undefined;
    const generation = this.generation;
    const [row] = await this.rows((query) => query.where('api_keys.hash', Buffer.from(hex, 'hex')));
    if (generation !== this.generation) return this.find(hex);
    if (row !== undefined) return this.remember(row);
    if (this.unknown.size >= UNKNOWN_MAX) this.unknown.clear();
    this.unknown.add(hex);
    return undefined;
  }

  private remember(row: KeyRow): Entry {
    const entry = { key: keyOfRow(row) };
    const hex = row.hash.toString('hex');
    this.byHash.set(hex, entry);
    this.hashOfId.set(row.id, hex);
    return entry;
  }

  private rows(narrow: (query: Knex.QueryBuilder) => Knex.QueryBuilder = (query) => query): Promise<KeyRow[]> {
    const query = this.database('api_keys').join('users', 'users.id', 'api_keys.user_id').leftJoin('projects', 'projects.id', 'api_keys.project_id')
      .whereNull('api_keys.revoked_at').select('api_keys.*', 'users.role', 'projects.monthly_budget');
    return narrow(query) as unknown as Promise<KeyRow[]>;
  }
}
