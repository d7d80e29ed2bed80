import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../db/database.ts';
import { freshDatabase } from '../../db/test/fresh_database.ts';
import type { FreshDatabase } from '../../db/test/fresh_database.ts';
import { checkLogin } from '../auth/accounts.ts';
import { Auth } from '../auth/auth.ts';
import { readConfig } from '../config.ts';
import { openAccounts, openLoadKey } from './accounts.ts';
import type { AccountServices, DemoFile } from './accounts.ts';
import type { SeededMarket } from './seed.ts';

const MARKET: SeededMarket = { accounts: { operator: 0, lender: 1, borrower: 2, provider: 3 }, providers: new Map(), bidders: [], load: 9 };
const URL = 'http://localhost:8080';
const dataDir = mkdtempSync(join(tmpdir(), 'demo-accounts-'));
let fresh: FreshDatabase;
let services: AccountServices;

beforeAll(async () => {
  fresh = await freshDatabase();
  const database = openDatabase(fresh.url, 4);
  const auth = new Auth(database, pino({ level: 'silent' }), Date.now);
  await auth.start();
  services = { auth, database, config: readConfig({ DATA_DIR: dataDir }) };
});
afterAll(async () => {
  await services.auth.close();
  await services.database.destroy();
  await fresh.drop();
  rmSync(dataDir, { recursive: true });
});

const fileText = (): string => readFileSync(join(dataDir, 'demo.json'), 'utf8');
const logins = (file: DemoFile) => [file.borrower, file.provider, file.lender, file.operator, file.operator_2];

async function expectOpen(file: DemoFile): Promise<void> {
  const companies: number[] = [];
  for (const { email, password, api_key } of logins(file)) {
    const { company } = await checkLogin(services.database, email, password);
    expect(await services.auth.resolveKey(api_key)).toMatchObject({ ok: true, key: { company } });
    companies.push(company);
  }
  expect(companies).toEqual([2, 3, 1, 0, 0]);
}

describe('the demo accounts', () => {
  test('open with what the file says, which only its owner may read', async () => {
    const file = await openAccounts(services, MARKET, URL);
    expect(JSON.parse(fileText())).toEqual(file);
    expect(Object.keys(file)).toEqual(['url', 'borrower', 'provider', 'lender', 'operator', 'operator_2', 'gateway_key']);
    expect(statSync(join(dataDir, 'demo.json')).mode & 0o777).toBe(0o600);
    await expectOpen(file);
    expect(await services.auth.resolveKey(file.gateway_key)).toMatchObject({
      ok: true,
      key: { company: 2, spot: { enabled: true, maximumPrice: null, classes: null, regions: null, monthlyLimit: null }, allowedModels: null, monthlyLimit: null },
    });
    expect(new Set([...logins(file).map((login) => login.api_key), file.gateway_key]).size).toBe(6);
  });

  test('are the same at the next start', async () => {
    const before = fileText();
    await openAccounts(services, MARKET, URL);
    expect(fileText()).toBe(before);
  });

  test('open again when the file is lost, broken, or a key was revoked', async () => {
    const before = JSON.parse(fileText()) as DemoFile;
    const answer = await services.auth.resolveKey(before.lender.api_key);
    if (!answer.ok) throw new Error('the lender has no key');
    await services.auth.revokeKey(1, answer.key.id);
    const repaired = await openAccounts(services, MARKET, URL);
    expect({ ...repaired, lender: before.lender }).toEqual(before);
    expect(repaired.lender.api_key).not.toBe(before.lender.api_key);
    for (const text of ['{"url": 1}', 'not json', '']) {
      writeFileSync(join(dataDir, 'demo.json'), text);
      await expectOpen(await openAccounts(services, MARKET, URL));
    }
    rmSync(join(dataDir, 'demo.json'));
    await expectOpen(await openAccounts(services, MARKET, URL));
  });

  test('never take over an account of somebody else', async () => {
    await expect(openAccounts(services, { ...MARKET, accounts: { ...MARKET.accounts, lender: 7 } }, URL)).rejects.toThrow('belongs to another company');
  });

  test('keep one key for the load', async () => {
    const first = await openLoadKey(services, MARKET);
    const second = await openLoadKey(services, MARKET);
    expect(await services.auth.resolveKey(first)).toMatchObject({ ok: false });
    expect(await services.auth.resolveKey(second)).toMatchObject({ ok: true, key: { company: 9, spot: { enabled: true } } });
  });
});
