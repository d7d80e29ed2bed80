import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countTokens } from '../../gateway/metering/token_count.ts';
import { createProvider } from './provider.ts';

const MODEL = 'meta-llama/Llama-3.1-8B-Instruct';
let server: Server;
let client: OpenAI;

beforeAll(async () => {
  server = createProvider({ firstTokenMillis: 0, tokenMillis: 0, apiKey: 'sk-demo' });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new OpenAI({ baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/acme/v1`, apiKey: 'sk-demo', maxRetries: 0 });
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

const messages = [{ role: 'user' as const, content: 'What is a GPU hour?' }];

describe('the demo provider', () => {
  test('lists the catalogue', async () => {
    const ids = (await client.models.list()).data.map(({ id }) => id);
    expect(ids).toContain(MODEL);
  });

  test('says the same to the same question, and counts its tokens honestly', async () => {
    const ask = () => client.chat.completions.create({ model: MODEL, messages, max_tokens: 40 });
    const [first, second] = [await ask(), await ask()];
    expect(first.choices).toEqual(second.choices);
    expect(first.choices[0].finish_reason).toBe('length');
    expect(first.usage?.completion_tokens).toBe(40);
    expect(countTokens(first.choices[0].message.content ?? '')).toBe(40);
  });

  test('streams the same text, with usage when asked', async () => {
    const whole = await client.chat.completions.create({ model: MODEL, messages, n: 2 });
    const stream = await client.chat.completions.create({ model: MODEL, messages, n: 2, stream: true, stream_options: { include_usage: true } });
    const texts = ['', ''];
    let usage;
    for await (const chunk of stream) {
      for (const { index, delta } of chunk.choices) texts[index] += delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(texts).toEqual(whole.choices.map(({ message }) => message.content));
    expect(usage).toEqual(whole.usage);
  });

  test('completes, embeds and responds', async () => {
    const completed = await client.completions.create({ model: 'bigcode/starcoder2-15b', prompt: 'def add(a, b):', max_tokens: 8 });
    expect(countTokens(completed.choices[0].text)).toBe(8);
    const embedded = await client.embeddings.create({ model: 'BAAI/bge-m3', input: ['one', 'two'] });
    expect(embedded.data.map(({ embedding }) => embedding.length)).toEqual([384, 384]);
    const answered = await client.responses.create({ model: MODEL, input: 'hello', max_output_tokens: 12 });
    expect(countTokens(answered.output_text)).toBe(12);
    let text = '';
    for await (const event of await client.responses.create({ model: MODEL, input: 'hello', max_output_tokens: 12, stream: true })) {
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    expect(text).toBe(answered.output_text);
  });

  const schema = {
    type: 'object', required: ['city', 'days', 'unit'], additionalProperties: false,
    properties: { city: { type: 'string' }, days: { type: 'array', items: { $ref: '#/$defs/day' } }, unit: { enum: ['C', 'F'] } },
    $defs: { day: { type: 'object', properties: { high: { type: 'number' }, wet: { type: 'boolean' } }, required: ['high', 'wet'] } },
  };
  const fits = (text: string): void => {
    const said = JSON.parse(text) as { city: string; days: { high: number; wet: boolean }[]; unit: string };
    expect([typeof said.city, typeof said.days[0].high, typeof said.days[0].wet, ['C', 'F'].includes(said.unit)]).toEqual(['string', 'number', 'boolean', true]);
  };

  test('says JSON of the form that is asked for, with its log probabilities', async () => {
    const asked = { model: MODEL, messages, response_format: { type: 'json_schema' as const, json_schema: { name: 'w', schema, strict: true } }, logprobs: true, top_logprobs: 1 };
    const { choices: [choice], usage } = await client.chat.completions.create(asked);
    fits(choice.message.content ?? '');
    expect(usage?.completion_tokens).toBe(countTokens(choice.message.content ?? ''));
    expect(choice.logprobs?.content?.map(({ token }) => token).join('')).toBe(choice.message.content);
    const cut = await client.chat.completions.create({ ...asked, max_tokens: 5 });
    expect([cut.choices[0].finish_reason, cut.usage?.completion_tokens]).toEqual(['length', 5]);
    fits((await client.responses.create({ model: MODEL, input: 'hello', text: { format: { type: 'json_schema', name: 'w', schema } } })).output_text);
  });

  test('calls the tools it must, or those the question speaks of, and talks once they have answered', async () => {
    const tool = (name: string) => ({ type: 'function' as const, function: { name, parameters: schema } });
    const asked = { model: MODEL, messages: [{ role: 'user' as const, content: 'What is the weather, and the price of a stock?' }], tools: [tool('get_weather'), tool('stock_price'), tool('send_letter')] };
    const called = await client.chat.completions.create(asked);
    const calls = called.choices[0].message.tool_calls ?? [];
    expect(calls.map((call) => call.type === 'function' && call.function.name)).toEqual(['get_weather', 'stock_price']);
    for (const call of calls) fits(call.type === 'function' ? call.function.arguments : '');
    expect(called.choices[0].finish_reason).toBe('tool_calls');
    const streamed = await client.chat.completions.stream({ ...asked, tool_choice: 'required', parallel_tool_calls: false }).finalChatCompletion();
    expect(streamed.choices[0].message.tool_calls).toHaveLength(1);
    const told = await client.chat.completions.create({ ...asked, messages: [...asked.messages, called.choices[0].message, ...calls.map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: '7' }))] });
    expect(told.choices[0].message.content).toMatch(/^\w+/);
    const responded = await client.responses.stream({ model: MODEL, input: 'hello', tools: [{ type: 'function', name: 'get_weather', parameters: schema, strict: true }], tool_choice: 'required' }).finalResponse();
    expect(responded.output).toMatchObject([{ type: 'function_call', name: 'get_weather' }]);
  });

  test('refuses a wrong key, an unknown model and a bad body', async () => {
    const stranger = new OpenAI({ baseURL: client.baseURL, apiKey: 'other', maxRetries: 0 });
    await expect(stranger.models.list()).rejects.toMatchObject({ status: 401 });
    await expect(client.chat.completions.create({ model: 'none', messages })).rejects.toMatchObject({ status: 404 });
    await expect(client.chat.completions.create({ model: MODEL, messages: [] })).rejects.toMatchObject({ status: 400 });
  });
});
