import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { NONE } from '../../engine/vocabulary.ts';
import { createProvider } from '../demo/provider/provider.ts';
import { ANY_SPOT, CHAT, HOUR, MARKET, RATED, micro, openGatewayWorld, receiptOf } from './test/gateway_world.ts';
import type { GatewayWorld } from './test/gateway_world.ts';
import type { PublishedRatings } from './catalogue/rating_book.ts';

const messages = [{ role: 'user' as const, content: 'What does an hour of compute cost?' }];

describe('a request paid from an allocation', () => {
  let world: GatewayWorld;
  let allocation: number;
  let key: string;
  beforeAll(async () => {
    world = await openGatewayWorld();
    await world.offer(world.providers[0], 24_000, 1_000);
    allocation = await world.buy(24_000, 100);
    key = world.key();
  });
  afterAll(() => world.close());

  /** Runs one request and proves what it cost. */
  async function charged(ask: () => Promise<{ answer: unknown; prompt: number; completion: number }>): Promise<void> {
    const before = { remaining: await world.remaining(), provider: await world.balances(world.providers[0]) };
    const { answer, prompt, completion } = await ask();
    const receipt = receiptOf(answer);
    const [view] = await world.services.sequencer.query('allocations', { company: world.borrower });
    expect(receipt.allocation_id).toBe(`alc_${allocation}`);
    expect(receipt.provider).toBe('Provider 0');
    expect(before.remaining - (await world.remaining())).toBe(micro(receipt.credits_used));
    expect(micro(receipt.credits_remaining)).toBe(await world.remaining());
    expect(micro(receipt.credits_used)).toBeGreaterThan(0);
    expect((await world.balances(world.providers[0])).payable).toBeGreaterThan(before.provider.payable);
    expect(micro(receipt.gpu_seconds)).toBe(prompt + completion);
    expect(view.usedGpu).toBeGreaterThan(0);
    await world.check();
  }

  test('comes whole', async () => {
    await charged(async () => {
      const answer = await world.client(key).chat.completions.create({ model: CHAT, messages, max_tokens: 40 });
      expect(answer.choices[0].message.content).toMatch(/\w/);
      expect(answer.usage?.completion_tokens).toBe(40);
      return { answer, prompt: (answer.usage?.prompt_tokens ?? 0) * RATED.prompt, completion: 40 * RATED.completion };
    });
  });

  test('comes as a stream, with the receipt and the figures in its last event', async () => {
    await charged(async () => {
      const stream = await world.client(key).chat.completions.create({ model: CHAT, messages, max_tokens: 40, stream: true, stream_options: { include_usage: true } });
      let text = '';
      let last;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? '';
        last = chunk;
      }
      expect(text.split(' ')).toHaveLength(40);
      expect(last?.usage?.completion_tokens).toBe(40);
      return { answer: last, prompt: (last?.usage?.prompt_tokens ?? 0) * RATED.prompt, completion: 40 * RATED.completion };
    });
  });

  test('comes as a stream without figures unless asked', async () => {
    const stream = await world.client(key).chat.completions.create({ model: CHAT, messages, max_tokens: 5, stream: true });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.every(({ choices }) => choices.length === 1)).toBe(true);
    expect(chunks.at(-1)?.choices[0].finish_reason).toBe('length');
    expect(micro(receiptOf(chunks.at(-1)).credits_used)).toBeGreaterThan(0);
  });

  test('may be any of the paths', async () => {
    const client = world.client(key);
    const completed = await client.completions.create({ model: 'bigcode/starcoder2-15b', prompt: 'def add(a, b):', max_tokens: 8 });
    expect(micro(receiptOf(completed).credits_used)).toBeGreaterThan(0);
    const embedded = await client.embeddings.create({ model: 'BAAI/bge-m3', input: ['one', 'two'] });
    expect(embedded.data[0].embedding).toHaveLength(384);
    expect(micro(receiptOf(embedded).credits_used)).toBeGreaterThanOrEqual(0);
    const answered = await client.responses.create({ model: CHAT, input: 'hello', max_output_tokens: 12 });
    expect(answered.output_text.split(' ')).toHaveLength(12);
    expect(micro(receiptOf(answered).credits_used)).toBeGreaterThan(0);
    let final;
    for await (const event of await client.responses.create({ model: CHAT, input: 'hello', max_output_tokens: 12, stream: true })) final = event;
    expect(final?.type).toBe('response.incomplete');
    expect(micro(receiptOf(final).credits_used)).toBe(micro(receiptOf(answered).credits_used));
    await world.check();
  });

  test('answers each of several prompts, repeated before what follows it', async () => {
    const { choices, usage } = await world.client(key).completions.create({ model: 'bigcode/starcoder2-15b', prompt: ['def a', 'def b'], n: 2, max_tokens: 3, echo: true });
    expect(choices.map(({ index, text }) => [index, text.slice(0, 5)])).toEqual([[0, 'def a'], [1, 'def a'], [2, 'def b'], [3, 'def b']]);
    expect(usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 12 });
  });

  test('names the model as the client does', async () => {
    const answer = await world.client(key).chat.completions.create({ model: 'llama-3.1-8b-instruct', messages, max_tokens: 3 });
    expect(answer.model).toBe('llama-3.1-8b-instruct');
  });

  test('is served exactly k times of 200 at once on a budget worth k', async () => {
    // Slow enough that all have been authorised before the first ends.
    const other = await openGatewayWorld({ demo: { firstTokenMillis: 1_500 }, models: [CHAT] });
    await other.offer(other.providers[0], 24_000, 1);
    await other.buy(24_000, 1);
    const client = other.client(other.key());
    const body = { model: CHAT, messages, max_tokens: 3_000, ignore_eos: true };
    const results = await Promise.allSettled(Array.from({ length: 200 }, () => client.chat.completions.create(body)));
    const served = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const used = (served[0].usage?.prompt_tokens ?? 0) * RATED.prompt + 3_000 * RATED.completion;
    // Each holds a little more than it uses; what the first ones leave serves one who waits.
    expect(served).toHaveLength(Math.floor(36_000_000 / used));
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as { status: number; code: string }] : []));
    for (const { status, code } of refused) expect([status, code]).toEqual([429, 'capacity_exhausted']);
    const [view] = await other.services.sequencer.query('allocations', { company: other.borrower });
    expect(view.usedGpu).toBe(served.reduce((sum, answer) => sum + micro(receiptOf(answer).gpu_seconds), 0));
    await other.check();
    await other.close();
  }, 30_000);
});

test('what was sold before a version of the ratings was published is rated as it was then', async () => {
  const versions: PublishedRatings[] = [];
  const world = await openGatewayWorld({ versions: { all: () => Promise.resolve(versions) } });
  const asked = async (): Promise<[string, number]> => {
    const answer = await world.client(world.key()).chat.completions.create({ model: CHAT, messages, max_tokens: 40 });
    const receipt = receiptOf(answer);
    return [receipt.allocation_id, micro(receipt.gpu_seconds) - (answer.usage?.prompt_tokens ?? 0) * RATED.prompt];
  };
  await world.offer(world.providers[0], 24_000, 1_000);
  const before = await world.buy(24_000, 100);
  versions.push({ version: 2, publishedAt: 0, fromHour: HOUR, reason: '', changes: { [CHAT]: { 'H100-SXM-80': [RATED.prompt, 300] } }, sold: [[before, world.borrower, HOUR]] });
  await world.gateway.ratings.refresh();
  expect(await asked()).toEqual([`alc_${before}`, 40 * RATED.completion]);
  await world.offer(world.providers[0], 20_000, 100);
  const after = await world.buy(20_000, 100);
  expect(await asked()).toEqual([`alc_${after}`, 40 * 300]);
  const { data } = (await (await fetch(`${world.url}/api/v1/ratings`)).json()) as { data: object[] };
  expect(data).toMatchObject([{ version: 2, status: 'in_force', changes: [{ completion: '0.0003', before: { completion: '0.00025' } }] }, { version: 1, status: 'superseded' }]);
  await world.check();
  await world.close();
});

describe('a request under way when its hour ends', () => {
  test('is charged to that hour, and what it leaves is delivered', async () => {
    const world = await openGatewayWorld({ demo: { firstTokenMillis: 600 }, models: [CHAT] });
    await world.offer(world.providers[0], 24_000, 100);
    const allocation = await world.buy(24_000, 100);
    const before = await world.remaining();
    const asked = world.client(world.key()).chat.completions.create({ model: CHAT, messages, max_tokens: 20 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await world.services.sequencer.setClock((HOUR + 1) * 3_600_000 + 1_000);
    const settled = await world.balances();
    expect(settled.contracted).toBeGreaterThan(0);
    const receipt = receiptOf(await asked);
    expect(receipt.allocation_id).toBe(`alc_${allocation}`);
    expect(micro(receipt.credits_used)).toBeGreaterThan(0);
    // The whole hour is paid for, used or not.
    await expect.poll(async () => (await world.balances()).contracted).toBe(0);
    expect(before - (await world.remaining())).toBe(2_400_000);
    await world.check();
    await world.close();
  });
});

describe('a request paid from the spot book', () => {
  let world: GatewayWorld;
  beforeAll(async () => {
    world = await openGatewayWorld();
    await world.offer(world.providers[0], 24_000, 1_000);
  });
  afterAll(() => world.close());

  test('is refused without a policy, and buys the least with one', async () => {
    const refused = world.client(world.key()).chat.completions.create({ model: CHAT, messages, max_tokens: 10 });
    await expect(refused).rejects.toMatchObject({ status: 429, code: 'capacity_exhausted' });
    const key = world.key({ spot: ANY_SPOT });
    const before = await world.remaining();
    const answer = await world.client(key).chat.completions.create({ model: CHAT, messages, max_tokens: 10 });
    const [view] = await world.services.sequencer.query('allocations', { company: world.borrower });
    expect(view).toMatchObject({ quantity: 1, price: 24_000, hour: HOUR });
    const receipt = receiptOf(answer);
    // One step at 2.4 CR costs 0.024 CR and a fee of 0.5 %.
    const used = ((answer.usage?.prompt_tokens ?? 0) * RATED.prompt + 10 * RATED.completion) * 2.4 / 3_600;
    expect(micro(receipt.credits_used)).toBe(Math.round(used) + 120);
    expect(before - (await world.remaining())).toBe(micro(receipt.credits_used));
    const again = receiptOf(await world.client(key).chat.completions.create({ model: CHAT, messages, max_tokens: 10 }));
    expect(micro(again.credits_used)).toBeLessThan(micro(receipt.credits_used));
    expect(again.allocation_id).toBe(receipt.allocation_id);
    await world.check();
  });

  test('keeps to the policy', async () => {
    const ask = (spot: object) => world.client(world.key({ spot: { ...ANY_SPOT, ...spot } })).chat.completions.create({ model: CHAT, messages, max_tokens: 130_000, n: 2 });
    await expect(ask({ maximumPrice: 23_999 })).rejects.toMatchObject({ status: 429, code: 'capacity_exhausted' });
    await expect(ask({ classes: ['A100-SXM-80'] })).rejects.toMatchObject({ status: 429 });
    await expect(ask({ regions: ['eu-west'] })).rejects.toMatchObject({ status: 429 });
    await expect(ask({ monthlyLimit: 1_000 })).rejects.toMatchObject({ status: 402, code: 'budget_exceeded' });
  });

  test('is bought from the provider that was picked, past cheaper ones and their resales', async () => {
    const other = await openGatewayWorld({ providers: 2 });
    const [near, far] = other.providers;
    await other.serveAt(far, createProvider({ firstTokenMillis: 0, tokenMillis: 0, apiKey: 'sk-endpoint' }), [CHAT]);
    await other.offer(near, 24_000, 1_000);
    await other.offer(far, 30_000, 1_000);
    const key = other.key({ spot: ANY_SPOT });
    const ask = (name: string) => other.client(key, { 'x-ccx-provider': name }).chat.completions.create({ model: CHAT, messages, max_tokens: 10 });
    expect(receiptOf(await ask('Provider 1')).provider).toBe('Provider 1');
    const views = await other.services.sequencer.query('allocations', { company: other.borrower });
    expect(views).toMatchObject([{ provider: far, price: 30_000, quantity: 1 }]);
    expect(receiptOf(await ask('Provider 0')).provider).toBe('Provider 0');
    const capped = other.key({ spot: { ...ANY_SPOT, maximumPrice: 25_000 } });
    await expect(other.client(capped, { 'x-ccx-provider': 'Provider 1' }).chat.completions.create({ model: CHAT, messages, max_tokens: 130_000, n: 2 })).rejects.toMatchObject({ status: 429 });
    await other.check();
    await other.close();
  });

  test('is bought once for many that come at once', async () => {
    const other = await openGatewayWorld();
    await other.offer(other.providers[0], 24_000, 1_000);
    const client = other.client(other.key({ spot: ANY_SPOT }));
    const before = await other.remaining();
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.chat.completions.create({ model: CHAT, messages, max_tokens: 64 })));
    const views = await other.services.sequencer.query('allocations', { company: other.borrower });
    expect(views.length).toBeLessThanOrEqual(3);
    const used = answers.reduce((sum, answer) => sum + micro(receiptOf(answer).credits_used), 0);
    expect(before - (await other.remaining())).toBe(used);
    await other.check();
    await other.close();
  });

  test('is bought however long it takes to ask for it', async () => {
    const other = await openGatewayWorld();
    await other.offer(other.providers[0], 24_000, 1_000);
    const { sequencer } = other.services;
    const authorise = sequencer.authorise.bind(sequencer);
    const now = performance.now.bind(performance);
    let held = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now() + held);
    vi.spyOn(sequencer, 'authorise').mockImplementation((request) => {
      held += 6_000;
      return authorise(request);
    });
    const answer = await other.client(other.key({ spot: ANY_SPOT })).chat.completions.create({ model: CHAT, messages, max_tokens: 64 }).finally(() => vi.restoreAllMocks());
    expect(micro(receiptOf(answer).credits_used)).toBeGreaterThan(0);
    await other.check();
    await other.close();
  });

  test('is refused when there is no credit', async () => {
    const poor = await world.run({ type: 'registerCompany', name: 'Poor', role: 'borrower', group: '' });
    const registered = poor.events.find((event) => event.kind === 'companyRegistered');
    const company = registered?.kind === 'companyRegistered' ? registered.company : -1;
    const key = world.key({ company, spot: ANY_SPOT });
    await expect(world.client(key).chat.completions.create({ model: CHAT, messages })).rejects.toMatchObject({ status: 402, code: 'insufficient_credits' });
  });
});

test('a test key talks to the sandbox: any model, any form, no charge', async () => {
  const world = await openGatewayWorld();
  const client = world.client(world.key({ prefix: 'ccx_test_' }));
  const before = await world.remaining();
  const model = 'deepseek-ai/DeepSeek-R1-0528';
  const whole = await client.chat.completions.create({ model, messages, max_tokens: 5 });
  expect(whole.usage?.completion_tokens).toBe(5);
  expect(receiptOf(whole)).toMatchObject({ provider: 'sandbox', credits_used: '0.00', credits_remaining: '150000.00' });
  let text = '';
  for await (const chunk of await client.chat.completions.create({ model, messages, max_tokens: 5, stream: true })) text += chunk.choices[0].delta.content ?? '';
  expect(text).toBe(whole.choices[0].message.content);
  expect((await client.responses.create({ model, input: 'hello', max_output_tokens: 5 })).output_text.split(' ')).toHaveLength(5);
  expect((await client.embeddings.create({ model: 'BAAI/bge-m3', input: 'hello' })).data[0].embedding.length).toBeGreaterThan(0);
  expect(await world.remaining()).toBe(before);
  await world.close();
});

describe('refusals', () => {
  let world: GatewayWorld;
  beforeAll(async () => {
    world = await openGatewayWorld();
    await world.offer(world.providers[0], 24_000, 1_000);
    await world.buy(24_000, 100);
  });
  afterAll(() => world.close());
  const post = async (body: unknown, headers: Record<string, string> = {}, path = '/v1/chat/completions') => {
    const answer = await fetch(world.url + path, {
      method: 'POST', headers: { authorization: `Bearer ${world.key()}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: answer.status, headers: answer.headers, ...((await answer.json()) as { error: { code: string; type: string; param: string | null; message: string } }) };
  };

  test.each([
    ['no messages', { model: CHAT }, 400, 'invalid_request_error', 'messages'],
    ['a temperature out of range', { model: CHAT, messages, temperature: 3 }, 400, 'invalid_request_error', 'temperature'],
    ['an unknown model', { model: 'none', messages }, 404, 'model_not_found', 'model'],
    ['an embedding model that should chat', { model: 'BAAI/bge-m3', messages }, 400, 'invalid_request_error', 'model'],
    ['more than the context', { model: CHAT, messages: [{ role: 'user', content: 'a '.repeat(131_072) }] }, 400, 'context_length_exceeded', null],
    ['text that is no JSON', '{', 400, 'invalid_request_error', null],
  ])('%s', async (_, body, status, code, param) => {
    const refused = await post(body);
    expect([refused.status, refused.error.code, refused.error.param]).toEqual([status, code, param]);
    expect(refused.error.type).toBe('invalid_request_error');
    expect(refused.error.message).not.toBe('');
  });

  test('of keys', async () => {
    expect((await post({ model: CHAT, messages }, { authorization: 'Bearer nonsense' })).error).toMatchObject({ code: 'invalid_api_key', type: 'authentication_error' });
    const narrow = world.client(world.key({ allowedModels: ['BAAI/bge-m3'] }));
    await expect(narrow.chat.completions.create({ model: CHAT, messages })).rejects.toMatchObject({ status: 403, code: 'model_not_allowed' });
    const scopeless = world.client(world.key({ scopes: ['read'] }));
    await expect(scopeless.chat.completions.create({ model: CHAT, messages })).rejects.toMatchObject({ status: 403, code: 'insufficient_scope' });
    const limited = world.client(world.key({ monthlyLimit: 5 }));
    await expect(limited.chat.completions.create({ model: CHAT, messages })).rejects.toMatchObject({ status: 402, code: 'budget_exceeded' });
  });

  test('of providers nobody knows, or that do not serve', async () => {
    expect((await post({ model: CHAT, messages }, { 'x-ccx-provider': 'Nobody' })).error).toMatchObject({ code: 'invalid_request_error', param: 'x-ccx-provider' });
    const picked = await world.client(world.key(), { 'x-ccx-provider': 'provider 0' }).chat.completions.create({ model: CHAT, messages, max_tokens: 3 });
    expect(receiptOf(picked).provider).toBe('Provider 0');
  });

  test('of a key that is used faster than it may', async () => {
    const client = world.client(world.key({ requestsPerMinute: 2 }));
    const ask = () => client.chat.completions.create({ model: CHAT, messages, max_tokens: 2 });
    await ask();
    const { response } = await ask().withResponse();
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    await expect(ask()).rejects.toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
  });

  test('of a key that asks at once for more tokens than it may have in a minute', async () => {
    const client = world.client(world.key({ tokensPerMinute: 100 }));
    const ask = (tokens: number) => client.chat.completions.create({ model: CHAT, messages, max_tokens: tokens });
    await expect(ask(200)).rejects.toMatchObject({ status: 429, code: 'rate_limit_exceeded', message: expect.stringMatching(/Request too large/) as string });
    const answers = await Promise.allSettled(Array.from({ length: 10 }, () => ask(20)));
    const used = answers.map((answer) => (answer.status === 'fulfilled' ? (answer.value.usage?.total_tokens ?? 0) : 0));
    const sum = used.reduce((total, tokens) => total + tokens, 0);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThanOrEqual(100);
    expect(answers.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { status: 429, code: 'rate_limit_exceeded' } });
    // What was set aside and not used may be used.
    const { response } = await client.models.list().withResponse();
    expect(response.headers.get('x-ratelimit-remaining-tokens')).toBe(String(100 - sum));
  });

  test('of a key whose client names no bound of its answers, which are no longer than what is left of the minute', async () => {
    const client = world.client(world.key({ tokensPerMinute: 80 }));
    const ask = (n: number) => client.chat.completions.create({ model: CHAT, messages, n });
    const { usage, choices } = await ask(2);
    expect(choices.map(({ finish_reason }) => finish_reason)).toEqual(['length', 'length']);
    expect(usage?.total_tokens).toBeGreaterThan(40);
    expect(usage?.total_tokens).toBeLessThanOrEqual(80);
    await expect(ask(2)).rejects.toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
  });

  test('leave nothing held', async () => {
    const worst = 100 * 36_000_000;
    const request = { company: world.borrower, request: 'probe', model: world.services.directory.modelId(CHAT), provider: NONE, excluded: [] };
    const [{ usedGpu }] = await world.services.sequencer.query('allocations', { company: world.borrower });
    expect(await world.services.sequencer.authorise({ ...request, worstGpu: { 0: worst - usedGpu } })).toMatchObject({ ok: true });
    await world.services.sequencer.release('probe');
  });
});

describe('models and account', () => {
  let world: GatewayWorld;
  beforeAll(async () => {
    world = await openGatewayWorld();
    await world.offer(world.providers[0], 24_000, 1_000);
  });
  afterAll(() => world.close());

  test('lists what is served first, with prices', async () => {
    const client = world.client(world.key());
    const { data } = await client.models.list();
    expect(data.length).toBeGreaterThanOrEqual(60);
    expect(data[0]).toMatchObject({ id: CHAT, object: 'model', x_ccx: { served: true, pricing: { live: { market: 'H100-SXM-80.us-east', price: '2.4000', prompt: '0.022', completion: '0.166667' } } } });
    expect(await client.models.retrieve(CHAT)).toMatchObject({ id: CHAT });
    const byAlias = await fetch(`${world.url}/v1/models/llama-3.1-8b-instruct`, { headers: { authorization: `Bearer ${world.key()}` } });
    expect(await byAlias.json()).toMatchObject({ id: CHAT });
    await expect(client.models.retrieve('no/such/model')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
    const open = (await (await fetch(`${world.url}/api/v1/models?limit=2`)).json()) as { data: { id: string; ratings: object[] }[]; next_cursor: string };
    expect(open.data).toHaveLength(2);
    const more = (await (await fetch(`${world.url}/api/v1/models?limit=2&cursor=${open.next_cursor}`)).json()) as typeof open;
    expect(more.data.map(({ id }) => id)).toEqual(data.slice(2, 4).map(({ id }) => id));
    expect(open.data[0]).toMatchObject({ id: CHAT, rating_version: 1, pricing: { list: { class: 'H100-SXM-80' } } });
  });

  test('tells the credits', async () => {
    const answer = await fetch(`${world.url}/v1/account/credits`, { headers: { authorization: `Bearer ${world.key()}` } });
    expect(await answer.json()).toMatchObject({ available: '150000.00', held: '0.00', contracted: '0.00', remaining: '150000.00', retired: '0.00', conversion_rate: '1.50', realised_conversion: null });
  });

  test('knows what the market learned of the endpoint', () => {
    const [capacity] = world.services.directory.capacities(world.providers[0]);
    expect(capacity).toMatchObject({ market: MARKET, declared: 1_000, verified: 1_000 });
    expect(capacity.models).toHaveLength(4);
  });
});
