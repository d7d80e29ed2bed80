/**
 * The demo's logins and keys. What `demo.json` holds is used again at every start; what is missing or
 * no longer valid is made anew, so the file always opens the accounts it names.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { CompanyId, Role } from '../../engine/vocabulary.ts';
import { NO_SPOT, newId, scopesOf } from '../auth/keys.ts';
import type { SpotPolicy } from '../auth/keys.ts';
import { hashPassword, verifyPassword } from '../auth/passwords.ts';
import type { Services } from '../services.ts';
import { LOAD_CLASSES } from './plan.ts';
import type { SeededMarket } from './seed.ts';

export type AccountServices = Pick<Services, 'auth' | 'config' | 'database'>;

const loginSchema = z.object({ email: z.string(), password: z.string(), api_key: z.string() });
const demoFileSchema = z.object({
  url: z.string(),
  borrower: loginSchema,
  provider: loginSchema,
  lender: loginSchema,
  operator: loginSchema,
  operator_2: loginSchema,
  gateway_key: z.string(),
});
/** What `DATA_DIR/demo.json` holds. */
export type DemoFile = z.infer<typeof demoFileSchema>;
type Login = z.infer<typeof loginSchema>;

const ANY_SPOT: SpotPolicy = { enabled: true, maximumPrice: null, classes: null, regions: null, monthlyLimit: null };
const GATEWAY_SCOPES = ['inference', 'account', 'read'];

const fileOf = (dataDir: string): string => join(dataDir, 'demo.json');
const secret = (): string => randomBytes(12).toString('base64url');

/** Makes sure that every login and key works and writes the file, readable by its owner alone. */
export async function openAccounts(services: AccountServices, market: SeededMarket, url: string): Promise<DemoFile> {
  const known = await readDemoFile(services.config.dataDir);
  const login = (name: string, role: Role, previous: Login | undefined) => openLogin(services, market.accounts[role], name, role, previous);
  const [borrower, provider, lender, operator, operator2] = await Promise.all([
    login('borrower', 'borrower', known?.borrower),
    login('provider', 'provider', known?.provider),
    login('lender', 'lender', known?.lender),
    login('operator', 'operator', known?.operator),
    login('operator2', 'operator', known?.operator_2),
  ]);
  const owner = { user: borrower.user, company: market.accounts.borrower };
  const file: DemoFile = {
    url,
    borrower: borrower.login,
    provider: provider.login,
    lender: lender.login,
    operator: operator.login,
    operator_2: operator2.login,
    gateway_key: await openKey(services, owner, 'gateway', GATEWAY_SCOPES, ANY_SPOT, known?.gateway_key),
  };
  await services.auth.look();
  await writeDemoFile(services.config.dataDir, file);
  return file;
}

/** A key for the inference load; the one of the start before ends. */
export async function openLoadKey(services: AccountServices, market: SeededMarket): Promise<string> {
  const { auth, database } = services;
  const { user } = await ensureUser(services, market.load, 'load', 'borrower', undefined);
  const old = (await database('api_keys').where({ company: market.load }).whereNull('revoked_at').select('id')) as { id: string }[];
  for (const { id } of old) await auth.revokeKey(market.load, id);
  const key = await openKey(services, { user, company: market.load }, 'inference load', GATEWAY_SCOPES, { ...ANY_SPOT, classes: [...LOAD_CLASSES] }, undefined);
  await auth.look();
  return key;
}

async function openLogin(services: AccountServices, company: CompanyId, name: string, role: Role, previous: Login | undefined): Promise<{ user: string; login: Login }> {
  const { user, email, password } = await ensureUser(services, company, name, role, previous?.password);
  const api_key = await openKey(services, { user, company }, 'demo', scopesOf(role), NO_SPOT, previous?.api_key);
  return { user, login: { email, password, api_key } };
}

/** @throws Error when the email belongs to another company: the demo takes over nobody's account */
async function ensureUser({ database }: AccountServices, company: CompanyId, name: string, role: Role, previous: string | undefined): Promise<{ user: string; email: string; password: string }> {
  const email = `${name}@demo.example`;
  const known = (await database('users').where({ email_key: email }).first('id', 'company', 'password_hash')) as
    | { id: string; company: number | null; password_hash: string }
    | undefined;
  if (known === undefined) {
    const password = previous ?? secret();
    const id = newId('usr');
    await database('users').insert({ id, email, email_key: email, password_hash: await hashPassword(password), company, role });
    return { user: id, email, password };
  }
  if (known.company !== company) throw new Error(`${email} belongs to another company: this database was not made by a demo`);
  if (previous !== undefined && (await verifyPassword(known.password_hash, previous))) return { user: known.id, email, password: previous };
  const password = secret();
  await database('users').where({ id: known.id }).update({ password_hash: await hashPassword(password) });
  return { user: known.id, email, password };
}

async function openKey(
  { auth, database }: AccountServices, owner: { user: string; company: CompanyId }, name: string, scopes: readonly string[], spot: SpotPolicy, previous: string | undefined,
): Promise<string> {
  if (previous !== undefined) {
    const answer = await auth.resolveKey(previous);
    if (answer.ok && answer.key.company === owner.company) return previous;
  }
  const key = { name, scopes, allowedModels: null, allowedIps: null, expiresAt: null, monthlyLimit: null, spot };
  const { text } = await database.transaction((transaction) => auth.createKey(transaction, owner, key));
  return text;
}

/** undefined when there is none, or none that can be read. */
export async function readDemoFile(dataDir: string): Promise<DemoFile | undefined> {
  let text: string;
  try {
    text = await readFile(fileOf(dataDir), 'utf8');
  } catch {
    return undefined;
  }
  try {
    return demoFileSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Whole or not at all. */
async function writeDemoFile(dataDir: string, file: DemoFile): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const unfinished = `${fileOf(dataDir)}.${process.pid}`;
  await writeFile(unfinished, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  await rename(unfinished, fileOf(dataDir));
}
