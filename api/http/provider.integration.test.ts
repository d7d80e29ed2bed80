/** What a provider declares, and what of it others may see. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLASS, MODEL, REGION, openApiWorld } from './test/api_world.ts';
import type { Answer, ApiWorld, Member } from './test/api_world.ts';

let world: ApiWorld;
let provider: Member;

beforeAll(async () => {
  world = await openApiWorld();
  provider = await world.member('provider');
});
afterAll(() => world.close());

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> => world.call('POST', `/api/v1${path}`, { key: provider.key, body, headers });
const get = (path: string): Promise<Answer> => world.call('GET', `/api/v1${path}`, { key: provider.key });
const endpoint = { url: 'https://gpu.example.com/v1', api_key: 'sk-provider-secret', class: CLASS, region: REGION, models: [MODEL], precision: 'fp8', country: 'DE', prompt_retention: 'none' };

test('capacity is pending until it is proven, and a repeat is answered as it was', async () => {
  const headers = { 'idempotency-key': 'capacity-1' };
  const declared = await post('/capacity', { class: CLASS, region: REGION, gpus: 8 }, headers);
  expect([declared.status, declared.body]).toEqual([201, { class: CLASS, region: REGION, gpus: 8, verified_gpus: 0, models: [], status: 'pending' }]);
  await world.execute({ type: 'verifyCapacity', company: provider.user.company, market: 0, gpus: 8 });
  expect((await post('/capacity', { class: CLASS, region: REGION, gpus: 8 }, headers)).body).toEqual(declared.body);
  expect((await get('/capacity')).body.data).toEqual([{ class: CLASS, region: REGION, gpus: 8, verified_gpus: 8, models: [], status: 'verified' }]);
  expect((await post('/capacity', { class: CLASS, region: REGION, gpus: 4 })).body).toMatchObject({ gpus: 4, status: 'verified' });
  expect((await post('/capacity', { class: 'H100', region: REGION, gpus: 8 })).body.error).toMatchObject({ code: 'instrument_unknown', field: 'class' });
  expect((await post('/capacity', { class: CLASS, region: 'mars', gpus: 8 })).body.error).toMatchObject({ code: 'instrument_unknown', field: 'region' });
});

test('an endpoint is registered once, and its credential seen by nobody', async () => {
  const headers = { 'idempotency-key': 'endpoint-1' };
  const made = await post('/endpoints', endpoint, headers);
  expect(made.status).toBe(201);
  const { api_key: _secret, ...shown } = endpoint;
  expect(made.body).toMatchObject({ ...shown, id: expect.stringMatching(/^end_/), has_api_key: true, verified_at: null });
  expect((await post('/endpoints', endpoint, headers)).body).toEqual(made.body);
  const listed = (await get('/endpoints')).body.data as { id: string }[];
  expect(listed.map(({ id }) => id)).toEqual([made.body.id]);
  const stored = JSON.stringify([await world.services.database('endpoints').select(), await world.services.database('idempotency').select()]);
  expect(stored + JSON.stringify([made.body, listed])).not.toContain(endpoint.api_key);
  const row = await world.services.database('endpoints').first<{ id: string; credential: Buffer }>('id', 'credential');
  expect(world.services.vault.open(row.credential, row.id)).toBe(endpoint.api_key);
  expect((await world.call('DELETE', `/api/v1/endpoints/${row.id}`, { key: provider.key })).status).toBe(204);
  expect((await get('/endpoints')).body.data).toEqual([]);
  expect((await world.services.database('endpoints').first<{ credential: Buffer | null }>('credential')).credential).toBeNull();
});

test.each([
  'http://127.0.0.1:9000/v1', 'http://localhost.:9000', 'http://[::1]/v1', 'http://169.254.169.254/latest', 'http://10.0.0.1/v1', 'http://[::ffff:127.0.0.1]/v1', 'http://0x7f000001/v1', 'http://2130706433/',
])('an endpoint at %s is refused or never reached', async (url) => {
  const answer = await post('/endpoints', { ...endpoint, url });
  if (answer.status !== 201) expect([answer.status, answer.body.error?.code, answer.body.error?.field]).toEqual([422, 'endpoint_not_allowed', 'url']);
  else await expect.poll(async () => (await world.services.database('endpoints').where({ id: answer.body.id }).first<{ status: string }>('status')).status, { timeout: 8_000 }).toBe('failed');
}, 10_000);

test.each([
  ['ftp://gpu.example.com/', 'url'], ['https://user:pass@gpu.example.com/v1', 'url'], ['https://gpu.example.com/v1?key=1', 'url'], ['gpu.example.com', 'url'], ['javascript:alert(1)', 'url'],
])('%s is no endpoint', async (url, field) => {
  const answer = await post('/endpoints', { ...endpoint, url });
  expect([answer.status, answer.body.error?.field]).toEqual([400, field]);
});

test('an endpoint serves models of the catalogue', async () => {
  const answer = await post('/endpoints', { ...endpoint, models: ['gpt-9'] });
  expect([answer.status, answer.body.error?.field]).toEqual([400, 'models']);
});

test('a bond comes out of money that is there', async () => {
  expect((await post('/bond', { amount: '100' })).body.error?.code).toBe('insufficient_funds');
  await post('/deposits', { amount: '1000', reference: 'r' });
  expect((await post('/bond', { amount: '100' })).body).toEqual({ amount: '100.00' });
  expect((await get('/balances')).body).toMatchObject({ usd: '900.00', bond: '100.00' });
  expect((await post('/withdrawals', { amount: '900.000001' })).body.error?.code).toBe('insufficient_funds');
  expect((await post('/withdrawals', { amount: '900.0000001' })).status).toBe(400);
  expect((await post('/withdrawals', { amount: '900' })).body).toEqual({ amount: '900.00' });
});

test('offers are what one sells, and an offer beyond capacity is refused', async () => {
  await post('/capacity', { class: CLASS, region: REGION, gpus: 8 });
  await world.execute({ type: 'verifyCapacity', company: provider.user.company, market: 0, gpus: 8 });
  const offer = { instrument: `${CLASS}.${REGION}.20261201T14Z`, side: 'sell', price: '2.0000', quantity: '8' };
  expect((await post('/orders', offer)).status).toBe(201);
  expect((await post('/orders', { ...offer, quantity: '0.01' })).body.error?.code).toBe('insufficient_capacity');
  expect((await get('/offers')).body.data).toMatchObject([{ side: 'sell', quantity: '8', status: 'open' }]);
});
