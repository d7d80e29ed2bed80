/** People and their companies: registering and logging in. */
import { ApiError } from '../errors.ts';
import type { Role } from '../../engine/vocabulary.ts';
import { eventOf } from '../sequencer/port.ts';
import type { Services } from '../services.ts';
import { hashPassword, verifyPassword } from './passwords.ts';
import { newId } from './keys.ts';

export interface Registration {
  email: string;
  password: string;
  /** The company's name. */
  company: string;
  role: Role;
  /** Beneficial owner; '' for one of its own. */
  group: string;
}
export interface User {
  id: string;
  email: string;
  company: number;
  role: Role;
}
interface UserRow {
  id: string;
  email: string;
  password_hash: string;
  company: number | null;
  role: Role;
}

/** After this a registration that has no company yet is no longer under way. */
const ABANDONED = '1 minute';

const keyOf = (email: string): string => email.trim().toLowerCase();

/**
 * Registers a person with a company of its own. A registration that was cut off before the company
 * existed is taken up again under the same idempotency key, so that it makes one company only.
 * @throws ApiError email_taken
 */
export async function registerUser(services: Pick<Services, 'database' | 'sequencer' | 'committed'>, registration: Registration): Promise<User> {
  const { email, role, group } = registration;
  const passwordHash = await hashPassword(registration.password);
  const reserved = { id: newId('usr'), email: email.trim(), email_key: keyOf(email), password_hash: passwordHash, role };
  // One that is under way at this moment is somebody's: only an abandoned one is taken up.
  const [row] = await services.database('users').insert(reserved).onConflict('email_key').merge({ password_hash: passwordHash, role, created_at: new Date() })
    .whereNull('users.company').whereRaw(`users.created_at < now() - interval '${ABANDONED}'`).returning<UserRow[]>(['id', 'email', 'company', 'role']);
  if (row === undefined) throw new ApiError('email_taken', { field: 'email' });
  const ack = await services.sequencer.submit({
    command: { type: 'registerCompany', name: registration.company, role, group }, idempotencyKey: `register:${row.id}:${role}`, bodyHash: '',
  });
  const rejected = eventOf(ack.events, 'rejected');
  if (rejected !== undefined) throw new ApiError(rejected.code);
  const company = eventOf(ack.events, 'companyRegistered')?.company;
  if (company === undefined) throw new Error(`command ${ack.sequence} registered no company`);
  services.committed.saw(ack.sequence);
  await services.database('users').where('id', row.id).update({ company });
  return { id: row.id, email: row.email, company, role };
}

const FAILURES_MAX = 10;
const WINDOW_MILLIS = 15 * 60_000;
const WATCHED_MAX = 10_000;

/** Counts wrong passwords per email and address, so that guessing is slow and nobody can lock another out. */
export class LoginGuard {
  private failures = new Map<string, { count: number; since: number }>();

  /** @throws ApiError rate_limit_exceeded */
  check(email: string, address: string): void {
    const entry = this.failures.get(`${keyOf(email)} ${address}`);
    if (entry === undefined || entry.count < FAILURES_MAX) return;
    const seconds = Math.ceil((entry.since + WINDOW_MILLIS - Date.now()) / 1000);
    if (seconds > 0) throw new ApiError('rate_limit_exceeded', { values: { seconds }, retryAfterSeconds: seconds });
    this.failures.delete(`${keyOf(email)} ${address}`);
  }

  failed(email: string, address: string): void {
    if (this.failures.size >= WATCHED_MAX) this.failures.clear();
    const key = `${keyOf(email)} ${address}`;
    const entry = this.failures.get(key);
    if (entry === undefined || entry.since + WINDOW_MILLIS < Date.now()) this.failures.set(key, { count: 1, since: Date.now() });
    else entry.count += 1;
  }

  succeeded(email: string, address: string): void {
    this.failures.delete(`${keyOf(email)} ${address}`);
  }
}

/** @throws ApiError invalid_credentials, the same for an unknown email and a wrong password */
export async function checkLogin(database: Services['database'], email: string, password: string): Promise<User> {
  const row = await database('users').where('email_key', keyOf(email)).whereNotNull('company').first<UserRow | undefined>();
  const matches = await verifyPassword(row?.password_hash, password);
  if (!matches || row === undefined || row.company === null) throw new ApiError('invalid_credentials');
  return { id: row.id, email: row.email, company: row.company, role: row.role };
}
