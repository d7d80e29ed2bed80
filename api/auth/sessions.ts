/** Sessions of the web app: a random token in a cookie, its digest in Postgres, a short-lived copy in memory. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Knex } from 'knex';
import type { Role } from '../../engine/vocabulary.ts';
import { sha256 } from './keys.ts';
import { recordChange } from './changes.ts';

export const SESSION_COOKIE = 'ccx_session';
const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const LIFETIME_MILLIS = 7 * 86_400_000;
const IDLE_MILLIS = 24 * 3_600_000;
/** How old the database's note of the last use may get. */
const TOUCH_MILLIS = 300_000;
const CACHE_MAX = 50_000;

export interface Session {
  /** Digest of the token, hex. */
  id: string;
  user: string;
  email: string;
  company: number;
  role: Role;
  expiresAt: number;
  seenAt: number;
}
interface SessionRow {
  token_hash: Buffer;
  user_id: string;
  email: string;
  company: number;
  role: Role;
  expires_at: Date;
  seen_at: Date;
}

export class SessionStore {
  private readonly database: Knex;
  private readonly cache = new Map<string, Session>();
  /** Grows with each end of a session: what was read before one is not remembered after it. */
  private generation = 0;

  constructor(database: Knex) {
    this.database = database;
  }

  /** Starts a session and ends the one the browser had before. @returns the token for the cookie */
  async open(user: string, previous: string | undefined): Promise<{ token: string; expiresAt: number }> {
    if (previous !== undefined) await this.close(previous);
    const token = randomBytes(32).toString('base64url');
    const expiresAt = Date.now() + LIFETIME_MILLIS;
    await this.database('sessions').insert({ token_hash: sha256(token), user_id: user, expires_at: new Date(expiresAt) });
    await this.database('sessions').where('user_id', user).where('expires_at', '<', new Date()).delete();
    return { token, expiresAt };
  }

  /** @returns the digest of the session that ended, undefined when there was none */
  async close(token: string): Promise<string | undefined> {
    if (!TOKEN.test(token)) return undefined;
    const hash = sha256(token);
    const subject = hash.toString('hex');
    const ended = await this.database.transaction(async (transaction) => {
      const count = await transaction('sessions').where('token_hash', hash).delete();
      if (count > 0) await recordChange(transaction, { kind: 'session', subject });
      return count > 0;
    });
    this.forget(subject);
    return ended ? subject : undefined;
  }

  async resolve(token: string): Promise<Session | undefined> {
    if (!TOKEN.test(token)) return undefined;
    const hash = sha256(token);
    const session = this.cache.get(hash.toString('hex')) ?? (await this.find(hash));
    if (session === undefined) return undefined;
    const now = Date.now();
    if (session.expiresAt <= now || session.seenAt + IDLE_MILLIS <= now) return undefined;
    if (session.seenAt + TOUCH_MILLIS <= now) await this.touch(session, hash);
    return session;
  }

  forget(id: string): void {
    this.generation += 1;
    this.cache.delete(id);
  }

  private async find(hash: Buffer): Promise<Session | undefined> {
    const generation = this.generation;
    const row = await this.database('sessions').join('users', 'users.id', 'sessions.user_id').where('token_hash', hash)
      .first<SessionRow | undefined>('token_hash', 'user_id', 'email', 'company', 'role', 'expires_at', 'seen_at');
    if (generation !== this.generation) return this.find(hash);
    if (row === undefined) return undefined;
    const session: Session = {
      id: row.token_hash.toString('hex'), user: row.user_id, email: row.email, company: row.company, role: row.role,
      expiresAt: row.expires_at.getTime(), seenAt: row.seen_at.getTime(),
    };
    if (this.cache.size >= CACHE_MAX) this.cache.clear();
    this.cache.set(session.id, session);
    return session;
  }

  private async touch(session: Session, hash: Buffer): Promise<void> {
    session.seenAt = Date.now();
    await this.database('sessions').where('token_hash', hash).update({ seen_at: new Date(session.seenAt) });
  }
}

/** What a page of ours knows and a foreign page cannot: bound to the session, worthless without its cookie. */
export const csrfTokenOf = (sessionToken: string): string => createHmac('sha256', sessionToken).update('csrf').digest('base64url');

export function isCsrfTokenOf(sessionToken: string, given: string): boolean {
  const expected = Buffer.from(csrfTokenOf(sessionToken));
  const actual = Buffer.from(given);
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** The session's token in a Cookie header; undefined when there is none. */
export function sessionTokenOf(cookieHeader: string | undefined): string | undefined {
  for (const part of (cookieHeader ?? '').split(';')) {
    const [name, value] = part.trim().split('=');
    if (name === SESSION_COOKIE && value !== undefined && value !== '') return value;
  }
  return undefined;
}

export function sessionCookie(token: string, expiresAt: number, secure: boolean): string {
  const attributes = ['Path=/', 'HttpOnly', 'SameSite=Lax', `Expires=${new Date(expiresAt).toUTCString()}`];
  if (secure) attributes.push('Secure');
  return `${SESSION_COOKIE}=${token}; ${attributes.join('; ')}`;
}
