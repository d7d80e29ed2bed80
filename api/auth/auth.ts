/** Who is calling, and the keys and sessions by which it is known. Used by http, gateway and sockets alike. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import type { Principal } from './principal.ts';
import { AuthChanges, recordChange } from './changes.ts';
import type { AuthChange } from './changes.ts';
import { KeyStore } from './key_store.ts';
import type { KeyAnswer, Spenders } from './key_store.ts';
import { KEY_PREFIXES, isAddressAllowed, newId, newKeyText, scopesOf, sha256 } from './keys.ts';
import type { ApiKey, EndpointNeeds, Project, SpotPolicy } from './keys.ts';
import { SessionStore, isCsrfTokenOf, sessionTokenOf } from './sessions.ts';
import { senderOf } from './same_site.ts';

export type AuthFailure = 'unauthenticated' | 'invalid_api_key' | 'expired_api_key' | 'ip_not_allowed' | 'cross_site';
export type AuthAnswer = { ok: true; principal: Principal } | { ok: false; reason: AuthFailure };

export interface NewKey {
  name: string;
  scopes: readonly string[];
  allowedModels: readonly string[] | null;
  allowedIps: readonly string[] | null;
  expiresAt: number | null;
  monthlyLimit: number | null;
  requestsPerMinute?: number | null;
  tokensPerMinute?: number | null;
  needs?: EndpointNeeds | null;
  project?: Pick<Project, 'id'> | null;
  spot: SpotPolicy;
  /** Of the key that this one replaces; absent: it begins one. */
  line?: string;
  /** For the sandbox. */
  test?: boolean;
}
/** A key or a session that has ended: sockets that came in with it are to be closed. */
export type Revoked = AuthChange;

interface Asking {
  method: string;
  headers: IncomingHttpHeaders;
  address: string;
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const BEARER = 'Bearer ';
/** A scheme's name counts in any case (RFC 9110, 11.1). */
const isBearer = (authorization: string): boolean => authorization.startsWith(BEARER) || authorization.slice(0, BEARER.length).toLowerCase() === BEARER.toLowerCase();

export class Auth {
  readonly sessions: SessionStore;
  private readonly database: Knex;
  private readonly keys: KeyStore;
  private readonly changes: AuthChanges;
  private readonly revokedListeners = new Set<(revoked: Revoked) => void>();

  /** @param now by which keys expire, milliseconds */
  constructor(database: Knex, log: Logger, now: () => number) {
    this.database = database;
    this.sessions = new SessionStore(database);
    this.keys = new KeyStore(database, now);
    this.changes = new AuthChanges(database, log, (change) => this.changed(change, log));
  }

  async start(): Promise<void> {
    await this.changes.start();
    await this.keys.load();
  }

  async close(): Promise<void> {
    await this.changes.close();
  }

  /** @param bearer the key's text, without `Bearer ` */
  async resolveKey(bearer: string): Promise<KeyAnswer> {
    return this.keys.resolve(bearer);
  }

  /** A live key by its public id; undefined once it is revoked. */
  keyById(id: string): ApiKey | undefined {
    return this.keys.byId(id);
  }

  /** Whose limits count what is spent by a key, live or not. */
  spendersOf(id: string): Promise<Spenders | undefined> {
    return this.keys.spendersOf(id);
  }

  /** Called within a second of the end of a key or session on any process. Returns the unsubscription. */
  onRevoked(listener: (revoked: Revoked) => void): () => void {
    this.revokedListeners.add(listener);
    return () => this.revokedListeners.delete(listener);
  }

  /**
   * A key goes before a cookie. A cookie counts for a write only when one of our own pages sent it:
   * never with a foreign Origin, and with our Origin or the session's token. Who comes with a known key is answered at once.
   */
  authenticate(request: Asking): AuthAnswer | Promise<AuthAnswer> {
    const authorization = request.headers.authorization;
    return authorization === undefined ? this.bySession(request) : this.byBearer(authorization, request.address);
  }

  private async bySession(request: Asking): Promise<AuthAnswer> {
    const token = sessionTokenOf(request.headers.cookie);
    if (token === undefined) return { ok: false, reason: 'unauthenticated' };
    const session = await this.sessions.resolve(token);
    if (session === undefined) return { ok: false, reason: 'unauthenticated' };
    if (!SAFE_METHODS.has(request.method) && !isOwnWrite(request.headers, token)) return { ok: false, reason: 'cross_site' };
    const { user, company, role } = session;
    return { ok: true, principal: { user, company, role, key: 'session', session: session.id, scopes: scopesOf(role) } };
  }

  /** @returns the record, and the text that is never shown again */
  async createKey(transaction: Knex.Transaction, owner: { user: string; company: number }, key: NewKey): Promise<{ id: string; text: string }> {
    const kind = key.test === true ? 'test' : 'live';
    const text = newKeyText(kind);
    const id = newId('key');
    await transaction('api_keys').insert({
      id, user_id: owner.user, company: owner.company, name: key.name, prefix: KEY_PREFIXES[kind], last_four: text.slice(-4), hash: sha256(text),
      scopes: JSON.stringify(key.scopes), allowed_models: jsonOrNull(key.allowedModels), allowed_ips: jsonOrNull(key.allowedIps),
      expires_at: key.expiresAt === null ? null : new Date(key.expiresAt), monthly_limit: key.monthlyLimit, spot: JSON.stringify(key.spot),
      requests_per_minute: key.requestsPerMinute ?? null, tokens_per_minute: key.tokensPerMinute ?? null,
      needs: jsonOrNull(key.needs ?? null), project_id: key.project?.id ?? null, line: key.line ?? null,
    });
    await recordChange(transaction, { kind: 'key', subject: id });
    return { id, text };
  }

  /** Lets a key that stays behind another end soon, or at the time it would have ended anyway. */
  async endKeyAt(transaction: Knex.Transaction, { id, expiresAt }: Pick<ApiKey, 'id' | 'expiresAt'>, at: number): Promise<void> {
    await transaction('api_keys').where({ id }).update({ expires_at: new Date(Math.min(at, expiresAt ?? Infinity)) });
    await recordChange(transaction, { kind: 'key', subject: id });
  }

  /** The keys of a project carry its budget: every process reads them again. */
  async projectChanged(transaction: Knex.Transaction, project: string): Promise<void> {
    const keys = await transaction('api_keys').where({ project_id: project }).whereNull('revoked_at').select<{ id: string }[]>('id');
    for (const { id } of keys) await recordChange(transaction, { kind: 'key', subject: id });
  }

  /** @returns false when the company has no such live key */
  async revokeKey(company: number, id: string): Promise<boolean> {
    const done = await this.database.transaction(async (transaction) => {
      const count = await transaction('api_keys').where({ id, company }).whereNull('revoked_at').update({ revoked_at: new Date() });
      if (count > 0) await recordChange(transaction, { kind: 'key', subject: id });
      return count > 0;
    });
    if (done) await this.look();
    return done;
  }

  /** Makes this process see every change of keys and sessions committed so far. */
  look(): Promise<void> {
    return this.changes.look();
  }

  private byBearer(authorization: string, address: string): AuthAnswer | Promise<AuthAnswer> {
    if (!isBearer(authorization)) return { ok: false, reason: 'invalid_api_key' };
    const answer = this.keys.resolve(authorization.slice(BEARER.length));
    return answer instanceof Promise ? answer.then((found) => answerBy(found, address)) : answerBy(answer, address);
  }

  private changed(change: AuthChange, log: Logger): void {
    if (change.kind === 'session') {
      this.sessions.forget(change.subject);
      this.tellRevoked(change);
      return;
    }
    this.keys.forget(change.subject);
    this.keys.refresh(change.subject).then(
      () => {
        if (this.keys.byId(change.subject) === undefined) this.tellRevoked(change);
      },
      (error: unknown) => log.error({ err: error, key: change.subject }, 'a changed key cannot be read; it is refused until it is asked for again'),
    );
  }

  private tellRevoked(revoked: Revoked): void {
    for (const listener of this.revokedListeners) listener(revoked);
  }
}

function answerBy(answer: KeyAnswer, address: string): AuthAnswer {
  if (!answer.ok) return answer;
  const { key } = answer;
  if (!isAddressAllowed(key.allowedIps, address)) return { ok: false, reason: 'ip_not_allowed' };
  return { ok: true, principal: { user: key.user, company: key.company, role: key.role, key: key.id, scopes: key.scopes, apiKey: key } };
}

/** A write by cookie: no other site may cause it. */
function isOwnWrite(headers: IncomingHttpHeaders, sessionToken: string): boolean {
  const sender = senderOf(headers);
  if (sender === 'foreign') return false;
  const given = headers['x-csrf-token'];
  if (typeof given === 'string') return isCsrfTokenOf(sessionToken, given);
  return sender === 'own';
}

const jsonOrNull = (value: object | null): string | null => (value === null ? null : JSON.stringify(value));
