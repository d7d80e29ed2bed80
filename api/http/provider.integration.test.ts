/** What a provider declares, and what of it others may see. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Exchange } from '../agent/exchange.ts';
import { StoredLoadTests } from '../gateway/endpoints/load_test_log.ts';
import { StoredRepricingRules } from '../upkeep/repricing.ts';
import { CLASS, MODEL, REGION, equip, fund, openApiWorld } from './test/api_world.ts';
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

test('a rule that moves offers is set, changed and ended, and the audit says by whom', async () => {
  const rule = { class: CLASS, region: REGION, enabled: true, price_floor: '1.5', undercut: '0.0001' };
  const stored = { ...rule, price_floor: '1.5000', price_ceiling: null, moves: 0, moved_at: null, moved_sequence: null, last_refusal: null };
  expect((await post('/repricing-rules', rule)).body).toEqual(stored);
  expect((await post('/repricing-rules', { ...rule, price_ceiling: '1.4' })).body.error).toMatchObject({ code: 'invalid_tick', field: 'price_ceiling' });
  expect((await post('/repricing-rules', { ...rule, price_floor: '0' })).body.error).toMatchObject({ code: 'invalid_tick', field: 'price_floor' });
  expect((await post('/repricing-rules', { ...rule, region: 'mars' })).body.error).toMatchObject({ code: 'instrument_unknown', field: 'region' });
  const rules = new StoredRepricingRules(world.services.database);
  const [enabled] = await rules.enabled();
  expect(enabled).toEqual({ company: provider.user.company, market: 0, enabled: true, priceFloor: 15_000, priceCeiling: null, undercut: 1 });
  await rules.moved(enabled, { moves: 2, at: 0, sequence: 7, refusal: 'price_band' });
  await post('/repricing-rules', { ...rule, enabled: false });
  expect((await get('/repricing-rules')).body.data).toEqual([{ ...stored, enabled: false, moves: 2, moved_at: '1970-01-01T00:00:00.000Z', moved_sequence: 7 }]);
  expect(await rules.enabled()).toEqual([]);
  expect(await world.services.database('audit').where({ actor: provider.user.id }).orderBy('at').pluck('action')).toEqual(['repricing.on', 'repricing.off']);
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
  else await expect.poll(async () => (await world.services.database('endpoints').where({ id: answer.body.id }).first<{ status: string }>('status')).status).toBe('failed');
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

test('reliability is public: of what was promised, what was delivered', async () => {
  const [hour, seller] = [Math.floor(Date.parse('2026-12-01T13:00:00Z') / 3_600_000), provider.user.company];
  const buyer = await world.member('borrower');
  await world.call('POST', '/api/v1/deposits', { key: buyer.key, body: { amount: '1000', reference: 'r' } });
  await world.call('POST', '/api/v1/prepayments', { key: buyer.key, body: { amount: '1000' } });
  const instrument = `${CLASS}.${REGION}.20261201T13Z`;
  await post('/bond', { amount: '90' });
  expect((await post('/orders', { instrument, side: 'sell', price: '2.0000', quantity: '4' })).status).toBe(201);
  expect((await world.call('POST', '/api/v1/orders', { key: buyer.key, body: { instrument, side: 'buy', price: '2.0000', quantity: '4' } })).body.fills).toHaveLength(1);
  await world.services.sequencer.setClock((hour + 1) * 3_600_000 - 1);
  const outcomes = [{ company: seller, market: 0, model: -1, canary: 'failed', requests: 0, failures: 0, shortfall: 0, notServed: false }] as const;
  for (let minute = 0; minute < 15; minute++) await world.execute({ type: 'reportMinute', minute: hour * 60 + minute, outcomes: [...outcomes] });
  await world.services.sequencer.setClock((hour + 1) * 3_600_000);
  const { body } = await world.call('GET', `/api/v1/providers/cmp_${seller}`);
  expect(body).toMatchObject({ id: `cmp_${seller}`, reliability_percent: '75.00', promised_gpu_minutes: '240.00', delivered_gpu_minutes: '180.00', suspended: false });
  expect((await world.call('GET', '/api/v1/providers')).body.data).toContainEqual(body);
  const [delivered] = (await get('/deliveries')).body.data as { instrument: string }[];
  expect(delivered).toMatchObject({ instrument, failed_credits: '2.00', failed_gpu_hours: '1', fault_gpu_hours: '1', unused_credits: '6.00', damages: '0.31' });
  const told = async (key: string, type: string) => ((await world.call('GET', `/api/v1/events?type=${type}`, { key })).body.data as { data: unknown }[]).map(({ data }) => data);
  expect(await told(provider.key, 'delivery.minute_failed')).toHaveLength(15);
  expect((await told(provider.key, 'delivery.minute_failed'))[0]).toMatchObject({ class: CLASS, region: REGION, model: null, minute: '2026-12-01T13:14:00.000Z', reason: 'canary', share: '1.00' });
  expect(await told(buyer.key, 'delivery.failed')).toMatchObject([{ company_id: `cmp_${buyer.user.company}`, provider_id: `cmp_${seller}`, found: 'before_delivery', reason: 'canary', gpu_hours: '1', fault_gpu_hours: '1', credits: '2.00', damages: '0.31' }]);
  expect(await told(provider.key, 'delivery.failed')).toMatchObject([{ provider_id: `cmp_${seller}`, reason: 'canary', credits: '2.00', damages: '0.31', clawed_back: '0.00' }]);
  const statement = (await get('/payouts/statement')).body;
  expect(statement).toMatchObject({ earned: '3.71256', paid: '0.00', payable: '3.71256', receivable: '0.00', next_payout_at: '2026-12-07T00:00:00.000Z', upcoming: [{ due_at: '2026-12-08T00:00:00.000Z', amount: '3.71256', held: false }] });
  const lines = await world.call('GET', '/api/v1/payouts/statement?format=csv', { key: provider.key });
  expect(lines.headers.get('content-type')).toContain('text/csv');
  expect((lines.body.text as string).split('\r\n')).toEqual(expect.arrayContaining(['line,amount,due_at,kind,held', 'earned,3.71256,,,', 'upcoming,3.71256,2026-12-08T00:00:00.000Z,used,false']));
  const file = await world.call('GET', '/api/v1/deliveries?format=csv', { key: provider.key });
  expect(file.status).toBe(200);
  expect(file.headers.get('content-type')).toContain('text/csv');
});

test('a provider is suspended by one operator and reinstated by two', async () => {
  const operators = [await world.member('operator'), await world.member('operator')];
  const id = `cmp_${provider.user.company}`;
  const act = (index: number, verb: string) => world.call('POST', `/api/v1/providers/${id}/${verb}`, { key: operators[index].key, body: { reason: 'drill' } });
  expect((await act(0, 'suspend')).body).toEqual({ id, suspended: true, reason: 'drill' });
  expect((await act(0, 'suspend')).body.error?.code).toBe('invalid_state');
  expect((await get('/offers')).body.data).toEqual([]);
  expect((await post('/orders', { instrument: `${CLASS}.${REGION}.20261201T15Z`, side: 'sell', price: '2.0000', quantity: '1' })).body.error?.code).toBe('not_authorized');
  expect([(await act(0, 'reinstate')).status, (await act(0, 'reinstate')).status, (await act(1, 'reinstate')).status]).toEqual([202, 202, 200]);
  expect((await world.call('GET', `/api/v1/providers/${id}`)).body.suspended).toBe(false);
  expect((await world.call('POST', '/api/v1/providers/cmp_9999/suspend', { key: operators[0].key, body: { reason: 'drill' } })).status).toBe(404);
});

test("an agent's endpoint is heard, drains and serves again", async () => {
  const made = (await post('/endpoints', { ...endpoint, url: 'https://agent.example.com/v1' })).body;
  const gpus = [{ name: 'NVIDIA H100 80GB HBM3', uuid: 'GPU-5c2f', memory_mb: 81_559, utilisation_percent: 97 }];
  const heard = await post(`/endpoints/${String(made.id)}/heartbeat`, { gpus });
  expect(heard.body).toMatchObject({ id: made.id, heard_at: expect.any(String) });
  const listed = (await get('/endpoints')).body.data as { id: string; gpus_seen: unknown }[];
  expect(listed.find(({ id }) => id === made.id)?.gpus_seen).toEqual(gpus);
  expect((await post(`/endpoints/${String(made.id)}/heartbeat`, { gpus: [{ name: 'H100', memory_mb: -1 }] })).status).toBe(400);
  expect((await post(`/endpoints/${String(made.id)}/drain`, {})).body.status).toBe('draining');
  expect((await post(`/endpoints/${String(made.id)}/resume`, {})).body.status).toMatch(/pending|failed/);
  const stranger = await world.member('provider');
  expect((await world.call('POST', `/api/v1/endpoints/${String(made.id)}/drain`, { key: stranger.key, body: {} })).status).toBe(404);
});

test('of the running hour nothing is offered where every endpoint drains', async () => {
  const seller = await world.member('provider');
  await equip(world, seller, 4);
  const { company } = seller.user;
  await world.services.database('endpoints').insert({ id: 'end_drained', company, market: 0, url: 'https://gpu.example.com/v1', models: JSON.stringify([MODEL]), status: 'draining' });
  const hour = Math.floor(world.services.committed.now / 3_600_000);
  const order = (later: number, more: object = {}): object => ({ instrument: world.services.directory.instrumentName(0, hour + later), side: 'sell', type: 'limit', price: '2.0000', quantity: '0.01', ...more });
  const codeOf = async (body: object): Promise<unknown> => (await world.call('POST', '/api/v1/orders', { key: seller.key, body })).body.error?.code;
  expect(await codeOf(order(0))).toBeUndefined();
  await world.execute({ type: 'setEligibility', company, market: 0, models: [] });
  expect(await codeOf(order(0))).toBe('insufficient_capacity');
  expect(await codeOf(order(0, { price: '9.0000' }))).toBe('above_list_price');
  expect(await codeOf(order(1))).toBeUndefined();
  const batch = await world.call('POST', '/api/v1/orders/batch', { key: seller.key, body: { operations: [order(0, { op: 'place' }), order(2, { op: 'place' })] } });
  expect((batch.body.results as { status: number }[]).map(({ status }) => status)).toEqual([422, 201]);
  await world.services.database('endpoints').where({ id: 'end_drained' }).update({ status: 'removed' });
});

test('the agent offers what the exchange knows of the models that its server lists', async () => {
  const exchange = new Exchange(world.url, provider.key);
  const known = ['meta-llama/Llama-3.1-8B-Instruct', 'Llama-3.3-70B-Instruct'];
  expect(await exchange.known(['own/adapter', ...known])).toEqual(known);
});

test('a load test is asked for where something is sold, once in ten minutes', async () => {
  const seller = await world.member('provider');
  await equip(world, seller, 4);
  const buyer = await world.member('borrower');
  await fund(world, buyer, 1_000);
  const { database, committed, directory } = world.services;
  await database('endpoints').insert({ id: 'end_tested', company: seller.user.company, market: 0, url: 'https://gpu.example.com/v1', models: JSON.stringify([MODEL]), status: 'verified' });
  const asked = (key = seller.key): Promise<Answer> => world.call('POST', '/api/v1/endpoints/end_tested/load-test', { key, body: {} });
  expect((await asked(provider.key)).status).toBe(404);
  expect((await asked()).body.error?.code).toBe('invalid_state');
  const order = { instrument: directory.instrumentName(0, Math.floor(committed.now / 3_600_000)), type: 'limit', price: '1.5000', quantity: '0.01' };
  for (const [side, { key }] of [['sell', seller], ['buy', buyer]] as const) await world.call('POST', '/api/v1/orders', { key, body: { ...order, side } });
  const made = await asked();
  expect([made.status, made.body]).toMatchObject([202, { class: CLASS, region: REGION, status: 'asked', shortfall_percent: null }]);
  expect((await asked()).body).toEqual(made.body);
  const tests = new StoredLoadTests(database);
  expect(await tests.asked()).toEqual([{ company: seller.user.company, market: 0 }]);
  await tests.ended(await tests.began({ company: seller.user.company, market: 0 }, committed.now), { wanted: 1_000, reached: 750, shortfall: 250_000 }, committed.now);
  expect(await tests.latest()).toEqual([{ company: seller.user.company, market: 0, shortfall: 250_000 }]);
  expect((await asked()).body.error?.code).toBe('rate_limit_exceeded');
  await database('load_tests').where({ company: seller.user.company }).update({ asked_at: new Date(committed.now - 600_000) });
  expect((await asked()).body).toMatchObject({ status: 'asked', asked_at: new Date(committed.now).toISOString() });
  const listed = await world.call('GET', '/api/v1/load-tests', { key: seller.key });
  expect(listed.body.data).toMatchObject([{ status: 'asked' }, { id: made.body.id, status: 'ended', wanted_tokens: 1_000, reached_tokens: 750, shortfall_percent: '25.00' }]);
});

test('an operator publishes ratings from what verification has measured, with seven days of notice', async () => {
  const operator = await world.member('operator');
  const publish = (): Promise<Answer> => world.call('POST', '/api/v1/ratings', { key: operator.key, body: { reason: 'three data centres' } });
  expect((await publish()).body.error?.code).toBe('invalid_state');
  const { database, committed } = world.services;
  const model = 'meta-llama/Llama-3.1-8B-Instruct';
  for (const [index, completion] of [290, 300, 800].entries()) {
    const { user } = await world.member('provider');
    const id = `end_run_${index}`;
    await database('endpoints').insert({ id, company: user.company, market: 0, url: 'https://gpu.example.com/v1', models: JSON.stringify([model]), status: 'verified' });
    await database('verification_runs').insert({ endpoint: id, model, class: CLASS, company: user.company, completion });
  }
  const runs = await world.call('GET', '/api/v1/verification-runs', { key: operator.key });
  expect(runs.body.data).toEqual([{ model, class: CLASS, providers: 3, median: '0.0003', rated: '0.00025', proposed: '0.0003' }]);
  const published = await publish();
  expect(published.status).toBe(201);
  const change = { model, class: CLASS, prompt: '0.000033', completion: '0.0003', before: { prompt: '0.000033', completion: '0.00025' } };
  expect(published.body).toMatchObject({ version: 2, status: 'announced', reason: 'three data centres', changes: [change] });
  const notice = Date.parse(String(published.body.effective_at)) - committed.now;
  expect(notice).toBeGreaterThanOrEqual(7 * 86_400_000);
  expect(notice).toBeLessThanOrEqual(7 * 86_400_000 + 3_600_000);
  expect((await publish()).body.error?.code).toBe('invalid_state');
  expect((await world.call('GET', '/api/v1/ratings')).body.data).toEqual([published.body, { version: 1, status: 'in_force', published_at: null, effective_at: null, reason: null, changes: [] }]);
  const models = (await world.call('GET', '/api/v1/models')).body.data as { id: string; rating_version: number; announced_ratings: { ratings: { class: string; completion: string }[] }[] }[];
  const listed = models.find(({ id }) => id === model);
  expect([listed?.rating_version, listed?.announced_ratings.map(({ ratings }) => ratings.find((rated) => rated.class === CLASS)?.completion)]).toEqual([1, ['0.0003']]);
  expect(await database('audit').where({ actor: operator.user.id }).pluck('action')).toEqual(['ratings.publish']);
});
