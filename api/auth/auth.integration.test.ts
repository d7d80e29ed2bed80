/** Keys and sessions as attackers and owners meet them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pino } from 'pino';
import { keysOfLine } from '../../db/queries/key_spending.ts';
import { Auth } from './auth.ts';
import type { Revoked } from './auth.ts';
import { PASSWORD, openApiWorld } from '../http/test/api_world.ts';
import type { Answer, ApiWorld, Member } from '../http/test/api_world.ts';

let world: ApiWorld;
let borrower: Member;

beforeAll(async () => {
  world = await openApiWorld();
  borrower = await world.member('borrower', 'acme');
});
afterAll(() => world.close());

const login = (email: string, password: string, headers: Record<string, string> = {}): Promise<Answer> =>
  world.call('POST', '/api/v1/auth/login', { body: { email, password }, headers });
const cookieOf = (answer: Answer): string => (answer.headers.get('set-cookie') ?? '').split(';')[0];
const codeOf = (answer: Answer): string | undefined => answer.body.error?.code;

test('registers a person with a company, once', async () => {
  const body = { email: 'Ada@Example.com', password: PASSWORD, company: 'Engines Ltd', role: 'borrower', group: 'Lovelace' };
  const made = await world.call('POST', '/api/v1/auth/register', { body });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({ email: 'Ada@Example.com', company: 'Engines Ltd', group: 'Lovelace', role: 'borrower', company_id: expect.stringMatching(/^cmp_/) });
  const again = await world.call('POST', '/api/v1/auth/register', { body: { ...body, email: 'ada@example.COM' } });
  expect([again.status, codeOf(again)]).toEqual([409, 'email_taken']);
  const two = await Promise.all([1, 2].map(() => world.call('POST', '/api/v1/auth/register', { body: { ...body, email: 'twice@example.com' } })));
  expect(two.map(({ status }) => status).sort()).toEqual([201, 409]);
});

test('takes up a registration that was cut off before its company existed', async () => {
  await world.services.database('users').insert({ id: 'usr_half', email: 'half@example.com', email_key: 'half@example.com', password_hash: 'x', role: 'lender', created_at: new Date(Date.now() - 120_000) });
  const refused = await login('half@example.com', PASSWORD);
  expect(refused.status).toBe(401);
  const made = await world.call('POST', '/api/v1/auth/register', { body: { email: 'half@example.com', password: PASSWORD, company: 'Half', role: 'lender' } });
  expect([made.status, made.body.id]).toEqual([201, 'usr_half']);
  expect((await login('half@example.com', PASSWORD)).status).toBe(200);
});

test('knows a key whichever way its scheme is written', async () => {
  const { status: bare } = await world.call('GET', '/api/v1/me', { headers: { authorization: borrower.key } });
  const told = await Promise.all(['Bearer', 'bearer', 'BEARER', 'Basic'].map((scheme) => world.call('GET', '/api/v1/me', { headers: { authorization: `${scheme} ${borrower.key}` } })));
  expect([bare, ...told.map(({ status }) => status)]).toEqual([401, 200, 200, 200, 401]);
});

test('nobody makes themselves an operator', async () => {
  const answer = await world.call('POST', '/api/v1/auth/register', { body: { email: 'root@example.com', password: PASSWORD, company: 'Root', role: 'operator' } });
  expect([answer.status, answer.body.error?.field]).toEqual([400, 'role']);
});

test('opens a session whose cookie a page cannot read, and closes it', async () => {
  const opened = await login('ACME@example.com', PASSWORD);
  expect(opened.status).toBe(200);
  expect(opened.headers.get('set-cookie')).toMatch(/^ccx_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Expires=/);
  const cookie = cookieOf(opened);
  const me = await world.call('GET', '/api/v1/me', { headers: { cookie } });
  expect((await world.call('GET', '/api/v1/auth/session', { headers: { cookie } })).body).toEqual({ session: me.body });
  expect(me.body).toMatchObject({ email: 'acme@example.com', company: 'acme', role: 'borrower', key: null, csrf_token: opened.body.csrf_token });
  const out = await world.call('POST', '/api/v1/auth/logout', { headers: { cookie } });
  expect(out.status).toBe(204);
  expect((await world.call('GET', '/api/v1/me', { headers: { cookie } })).status).toBe(401);
  expect(await world.call('GET', '/api/v1/auth/session', { headers: { cookie } })).toMatchObject({ status: 200, body: { session: null } });
});

test('a login never continues a session from before it', async () => {
  const planted = `ccx_session=${'A'.repeat(43)}`;
  const first = await login('acme@example.com', PASSWORD, { cookie: planted });
  expect(cookieOf(first)).not.toBe(planted);
  const second = await login('acme@example.com', PASSWORD, { cookie: cookieOf(first) });
  expect((await world.call('GET', '/api/v1/me', { headers: { cookie: cookieOf(first) } })).status).toBe(401);
  expect((await world.call('GET', '/api/v1/me', { headers: { cookie: cookieOf(second) } })).status).toBe(200);
});

test('the same answer for an unknown email and a wrong password, and after ten of them none', async () => {
  const wrong = await login('acme@example.com', 'wrong');
  const unknown = await login('nobody@example.com', 'wrong');
  expect([wrong.status, codeOf(wrong), wrong.body.error?.message]).toEqual([401, 'invalid_credentials', unknown.body.error?.message]);
  for (let attempt = 0; attempt < 10; attempt++) await login('guessed@example.com', 'wrong');
  const stopped = await login('guessed@example.com', 'wrong');
  expect([stopped.status, codeOf(stopped)]).toEqual([429, 'rate_limit_exceeded']);
  expect(Number(stopped.headers.get('retry-after'))).toBeGreaterThan(0);
}, 30_000);

test('a cookie writes for our own pages alone', async () => {
  const opened = await login('acme@example.com', PASSWORD);
  const cookie = cookieOf(opened);
  const token = String(opened.body.csrf_token);
  const own = world.url;
  const write = (headers: Record<string, string>) => world.call('POST', '/api/v1/orders/cancel-after', { body: { seconds: 0 }, headers: { cookie, ...headers } });
  const allowed: Record<string, string>[] = [{ origin: own }, { 'sec-fetch-site': 'same-origin' }, { 'x-csrf-token': token }, { origin: own, 'x-csrf-token': token }];
  for (const headers of allowed) expect((await write(headers)).status, JSON.stringify(headers)).toBe(200);
  const refused: Record<string, string>[] = [
    {}, { origin: 'https://evil.example' }, { origin: 'null' }, { origin: 'https://evil.example', 'x-csrf-token': token }, { 'sec-fetch-site': 'cross-site', 'x-csrf-token': token },
    { 'sec-fetch-site': 'same-site' }, { 'x-csrf-token': 'guess' }, { origin: own, 'x-csrf-token': 'guess' }, { origin: own.replace('http:', 'https:').replace(/\d+$/, '1') },
  ];
  for (const headers of refused) {
    const answer = await write(headers);
    expect([answer.status, codeOf(answer)], JSON.stringify(headers)).toEqual([403, 'cross_site']);
  }
  const foreign = await login('acme@example.com', PASSWORD, { origin: 'https://evil.example' });
  expect([foreign.status, codeOf(foreign)]).toEqual([403, 'cross_site']);
});

test('a session ends on its day and when it is left alone', async () => {
  const { database } = world.services;
  for (const change of [{ expires_at: new Date(Date.now() - 1) }, { seen_at: new Date(Date.now() - 25 * 3_600_000) }]) {
    const cookie = cookieOf(await login('acme@example.com', PASSWORD));
    await database('sessions').where('user_id', borrower.user.id).update(change);
    expect((await world.call('GET', '/api/v1/me', { headers: { cookie } })).status).toBe(401);
  }
});

test('a key is shown once, works within its scopes, and dies at once', async () => {
  const headers = { 'idempotency-key': 'key-1' };
  const body = {
    name: 'desk', scopes: ['read', 'trade'], allowed_models: ['llama-3.1-8b'], monthly_limit: '250', spot: { enabled: true, maximum_price: '2.5', classes: null, regions: ['us-east'], monthly_limit: '100' },
  };
  const made = await world.call('POST', '/api/v1/keys', { key: borrower.key, body, headers });
  expect(made.status).toBe(201);
  const { secret, ...record } = made.body as { secret: string; id: string };
  expect(record).toMatchObject({ name: 'desk', prefix: 'ccx_live_', last_four: secret.slice(-4), monthly_limit: '250.00', spot: { maximum_price: '2.5000', monthly_limit: '100.00' } });
  const again = await world.call('POST', '/api/v1/keys', { key: borrower.key, body, headers });
  expect([again.status, again.body]).toEqual([201, record]);
  const other = await world.call('POST', '/api/v1/keys', { key: borrower.key, body: { ...body, name: 'else' }, headers });
  expect([other.status, codeOf(other)]).toEqual([409, 'idempotency_mismatch']);
  expect((await world.call('GET', '/api/v1/me', { key: secret })).body).toMatchObject({ key: record.id, scopes: ['read', 'trade'] });
  const listed = await world.call('GET', '/api/v1/keys', { key: borrower.key });
  expect(JSON.stringify(listed.body)).not.toContain(secret);
  expect((await world.call('DELETE', `/api/v1/keys/${record.id}`, { key: borrower.key })).status).toBe(204);
  expect((await world.call('GET', '/api/v1/me', { key: secret })).status).toBe(401);
  expect((await world.call('DELETE', `/api/v1/keys/${record.id}`, { key: borrower.key })).status).toBe(404);
});

test.each([
  ['has expired', { expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
  ['expires at this moment of the market', () => ({ expires_at: new Date(world.services.committed.now).toISOString() }), 'expires_at'],
  ['is for a model nobody knows', { allowed_models: ['llama-3.1-8b', 'gpt-9'] }, 'allowed_models.1'],
])('no key is made that %s', async (_, more, field) => {
  const names = async () => ((await world.call('GET', '/api/v1/keys', { key: borrower.key })).body.data as { name: string }[]).map(({ name }) => name);
  const body = { name: 'of no use', scopes: ['read'], ...(typeof more === 'function' ? more() : more) };
  const answer = await world.call('POST', '/api/v1/keys', { key: borrower.key, body });
  expect([answer.status, codeOf(answer), answer.body.error?.field]).toEqual([400, 'invalid_request', field]);
  expect(await names()).not.toContain('of no use');
});

test('a rotated key has a successor of the same rights, works on for as long as was asked for, and is not rotated again after that', async () => {
  const made = (await world.call('POST', '/api/v1/keys', { key: borrower.key, body: { name: 'turns', scopes: ['read'], monthly_limit: '5' } })).body as { id: string; secret: string };
  const rotate = (seconds: number): Promise<Answer> => world.call('POST', `/api/v1/keys/${made.id}/rotate`, { key: borrower.key, body: { overlap_seconds: seconds } });
  const works = async (key: unknown): Promise<boolean> => (await world.call('GET', '/api/v1/me', { key: String(key) })).status === 200;
  const next = await rotate(60);
  expect(next).toMatchObject({ status: 201, body: { name: 'turns', scopes: ['read'], monthly_limit: '5.00', expires_at: null } });
  expect([await works(made.secret), await works(next.body.secret)]).toEqual([true, true]);
  expect((await rotate(0)).status).toBe(201);
  expect([await works(made.secret), await works(next.body.secret)]).toEqual([false, true]);
  const third = await world.call('POST', `/api/v1/keys/${String(next.body.id)}/rotate`, { key: borrower.key, body: { overlap_seconds: 60 } });
  // All of them spend together, those that have ended included.
  expect(await keysOfLine(world.services.database, made.id)).toHaveLength(4);
  for (const id of [made.id, String(third.body.id)]) expect(await world.services.auth.spendersOf(id)).toEqual({ line: made.id, project: undefined });
  const refused = await rotate(60);
  expect([refused.status, codeOf(refused)]).toEqual([409, 'invalid_state']);
});

test('a key makes no key that may do more than itself', async () => {
  const key = await world.keyFor(borrower.user, { scopes: ['keys', 'read'] });
  const answer = await world.call('POST', '/api/v1/keys', { key, body: { name: 'more', scopes: ['read', 'trade'] } });
  expect([answer.status, codeOf(answer), answer.body.error?.field]).toEqual([403, 'insufficient_scope', 'scopes']);
});

test('the database holds no key and no password', async () => {
  const { database } = world.services;
  const rows = JSON.stringify([await database('api_keys').select(), await database('users').select(), await database('sessions').select(), await database('idempotency').select()]);
  expect(rows).not.toContain(borrower.key);
  expect(rows).not.toContain(PASSWORD);
  expect(rows).toContain('$argon2id$');
});

test('another process refuses a revoked key and a closed session within a second, and says so', async () => {
  const second = new Auth(world.services.database, pino({ level: 'silent' }), Date.now);
  await second.start();
  const told: Revoked[] = [];
  second.onRevoked((revoked) => told.push(revoked));
  try {
    const key = await world.keyFor(borrower.user);
    expect((await second.resolveKey(key)).ok).toBe(true);
    const { id } = ((await second.resolveKey(key)) as { key: { id: string } }).key;
    const opened = await login('acme@example.com', PASSWORD);
    const token = cookieOf(opened).split('=')[1];
    expect(await second.sessions.resolve(token)).toBeDefined();
    await world.services.auth.revokeKey(borrower.user.company, id);
    await world.services.auth.sessions.close(token);
    await expect.poll(() => second.resolveKey(key), { interval: 20 }).toEqual({ ok: false, reason: 'invalid_api_key' });
    await expect.poll(() => second.sessions.resolve(token), { interval: 20 }).toBeUndefined();
    await expect.poll(() => told.map(({ kind }) => kind).sort(), { interval: 20 }).toEqual(['key', 'session']);
  } finally {
    await second.close();
  }
});

test('a lost connection delays a revocation, and does not lose it', async () => {
  const second = new Auth(world.services.database, pino({ level: 'silent' }), Date.now);
  await second.start();
  try {
    const key = await world.keyFor(borrower.user);
    const answer = await second.resolveKey(key);
    if (!answer.ok) throw new Error('the key is live');
    await world.services.database.raw("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%' and pid <> pg_backend_pid()");
    await world.services.auth.revokeKey(borrower.user.company, answer.key.id);
    await expect.poll(() => second.resolveKey(key), { interval: 20 }).toMatchObject({ ok: false });
  } finally {
    await second.close();
  }
});
