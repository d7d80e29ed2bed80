import { createServer, get } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHAT, openGatewayWorld, receiptOf } from './test/gateway_world.ts';
import type { GatewayWorld } from './test/gateway_world.ts';
import * as schema from './test/openai_schema.ts';

const EMBED = 'BAAI/bge-m3';
const CODE = 'bigcode/starcoder2-15b';
const messages = [{ role: 'user' as const, content: 'hello' }];

type Asked = { path: string; body: Record<string, unknown>; headers: IncomingMessage['headers'] };
let world: GatewayWorld;
let answer: (asked: Asked, reply: ServerResponse) => void;
let seen: Asked[] = [];

/** Passes verification, then does as the test at hand says. */
const endpoint = (): Server =>
  createServer((request, reply) => {
    if (request.method === 'GET') return void reply.end(JSON.stringify({ object: 'list', data: [{ id: CHAT }, { id: EMBED }, { id: CODE }] }));
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const asked = { path: request.url ?? '', body: JSON.parse(Buffer.concat(pieces).toString()) as Record<string, unknown>, headers: request.headers };
      seen.push(asked);
      answer(asked, reply);
    });
  });
const verified = (asked: Asked, reply: ServerResponse): void =>
  void reply.end(JSON.stringify(asked.path.endsWith('/embeddings') ? { data: [{ embedding: [1] }] } : { choices: [{ text: 'x', message: { content: 'x' } }] }));
const json = (body: unknown) => (_asked: Asked, reply: ServerResponse): void => void reply.end(JSON.stringify(body));
const sse = (events: (object | string)[]) => (_asked: Asked, reply: ServerResponse): void => {
  reply.writeHead(200, { 'content-type': 'text/event-stream' });
  reply.end(events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join(''));
};

beforeAll(async () => {
  answer = verified;
  world = await openGatewayWorld({ providers: 2 });
  await world.serveAt(world.providers[1], endpoint(), [CHAT, EMBED, CODE]);
  await world.offer(world.providers[1], 20_000, 1_000);
  await world.buy(20_000, 1_000);
});
afterAll(async () => {
  await world.check();
  await world.close();
});

interface Told {
  status: number;
  headers: Headers;
  text: string;
}
async function ask(path: string, body: unknown, headers: Record<string, string> = {}, method = 'POST'): Promise<Told> {
  seen = [];
  const sent = method === 'GET' ? undefined : typeof body === 'string' ? body : Buffer.isBuffer(body) ? Uint8Array.from(body) : JSON.stringify(body);
  const told = await fetch(world.url + path, { method, body: sent, headers: { authorization: `Bearer ${world.key()}`, 'content-type': 'application/json', ...headers } });
  return { status: told.status, headers: told.headers, text: await told.text() };
}
const eventsIn = (text: string): Record<string, unknown>[] =>
  text.split('\n\n').flatMap((block) => /^data: (?!\[DONE\])(.*)$/m.exec(block)?.[1] ?? []).map((data) => JSON.parse(data) as Record<string, unknown>);

describe('answers that leave things out have the published shape', () => {
  test('a chat', async () => {
    answer = json({ choices: [{ message: { content: 'hi', refusal: undefined, tool_calls: null, function_call: null }, finish_reason: 'eos' }], system_fingerprint: null, usage: null });
    const told = schema.chatCompletion.parse(JSON.parse((await ask('/v1/chat/completions', { model: CHAT, messages })).text));
    expect(told).toMatchObject({ model: CHAT, choices: [{ index: 0, finish_reason: 'stop', message: { content: 'hi' } }], x_ccx: { estimated: true } });
  });

  test('a chat whose text comes in parts, which are counted', async () => {
    answer = json({ error: null, choices: [{ message: { content: [{ type: 'text', text: 'one two' }, { type: 'text', text: ' three' }] }, finish_reason: 'stop' }] });
    const told = schema.chatCompletion.parse(JSON.parse((await ask('/v1/chat/completions', { model: CHAT, messages })).text));
    expect(told).toMatchObject({ choices: [{ message: { content: 'one two three' } }], usage: { completion_tokens: 3 } });
  });

  test('a chat that calls tools', async () => {
    answer = json({ model: 'other', choices: [{ message: { tool_calls: [{ function: { name: 'f', arguments: { a: 1 } } }, { id: 'b', function: { name: 'g', arguments: '{}' } }] }, finish_reason: null }] });
    const told = schema.chatCompletion.parse(JSON.parse((await ask('/v1/chat/completions', { model: CHAT, messages })).text));
    expect(told.choices[0].finish_reason).toBe('tool_calls');
    expect(told.choices[0].message.tool_calls?.map((call) => 'function' in call && call.function.arguments)).toEqual(['{"a":1}', '{}']);
  });

  test('log probabilities and figures as vLLM writes them', async () => {
    const token = { token: 'hi', logprob: -0.1, bytes: [104, 105], top_logprobs: [{ token: 'hi', logprob: -0.1 }] };
    const choice = { index: 0, logprobs: { content: [token] }, stop_reason: null, token_ids: null };
    const usage = { prompt_tokens: 8, completion_tokens: 1, total_tokens: 9, prompt_tokens_details: 'none', completion_tokens_details: { reasoning_tokens: null, accepted_prediction_tokens: 'x', audio_tokens: 0 } };
    answer = json({ id: 'c', object: 'chat.completion', created: 1, model: CHAT, service_tier: null, system_fingerprint: null, prompt_logprobs: null, kv_transfer_params: null, usage, choices: [{ ...choice, finish_reason: 'stop', message: { role: 'assistant', content: 'hi', refusal: null, annotations: null, audio: null, function_call: null, tool_calls: [], reasoning_content: null } }] });
    const whole = schema.chatCompletion.parse(JSON.parse((await ask('/v1/chat/completions', { model: CHAT, messages, logprobs: true, top_logprobs: 1 })).text));
    expect(whole).toMatchObject({ usage: { completion_tokens: 1, completion_tokens_details: { audio_tokens: 0 } } });
    answer = sse([{ choices: [{ ...choice, delta: { role: 'assistant', content: 'hi' }, finish_reason: null }] }, { choices: [{ index: 0, delta: { content: '', tool_calls: null }, logprobs: null, finish_reason: 'stop' }] }, '[DONE]']);
    for (const event of eventsIn((await ask('/v1/chat/completions', { model: CHAT, messages, logprobs: true, stream: true })).text)) schema.chatChunk.parse(event);
  });

  test('calls in a stream have an id and a type from their first piece on', async () => {
    const piece = (tool_calls: object[], finish: string | null = null): object => ({ service_tier: 'gold', system_fingerprint: 7, choices: [{ index: 0, delta: { tool_calls }, finish_reason: finish }] });
    answer = sse([piece([{ function: { name: 'f', arguments: '' } }]), piece([{ index: 0, function: { arguments: '{}' } }]), piece([{ index: 1, id: 'mine', function: { name: 'g', arguments: '{}' } }]), piece([], 'tool_calls'), '[DONE]']);
    const chunks = eventsIn((await ask('/v1/chat/completions', { model: CHAT, messages, stream: true })).text).map((event) => schema.chatChunk.parse(event));
    const [first, more, second] = chunks.map(({ choices }) => choices[0].delta.tool_calls?.[0]);
    expect(first).toMatchObject({ index: 0, id: expect.stringMatching(/^call_.+0$/) as string, type: 'function' });
    expect(more).toEqual({ index: 0, function: { arguments: '{}' } });
    expect(second).toMatchObject({ index: 1, id: 'mine', type: 'function' });
    expect(chunks.every((chunk) => !('service_tier' in chunk) && !('system_fingerprint' in chunk))).toBe(true);
  });

  test('the chunks of a chat, with one id and figures only when asked', async () => {
    const usage = { prompt_tokens: 8, completion_tokens: 2 };
    answer = sse([
      { choices: [{ delta: { role: 'assistant', content: null, tool_calls: null } }], usage: null }, { choices: [{ index: 0, delta: { content: 'one' } }], usage },
      { id: 'late', choices: [{ index: 0, delta: { content: ' two' }, finish_reason: null }], usage }, { choices: [{ delta: null, finish_reason: 'eos_token' }], usage }, '[DONE]',
    ]);
    const plain = await ask('/v1/chat/completions', { model: CHAT, messages, stream: true });
    const chunks = eventsIn(plain.text).map((event) => schema.chatChunk.parse(event));
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.every(({ usage: figures, choices }) => figures === undefined && choices.length === 1)).toBe(true);
    const counted = eventsIn((await ask('/v1/chat/completions', { model: CHAT, messages, stream: true, stream_options: { include_usage: true } })).text);
    expect(counted.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 8, completion_tokens: 2, total_tokens: 10 } });
    expect(counted.filter((event) => 'usage' in event && event.usage !== null)).toHaveLength(1);
    expect(counted[0].usage).toBeNull();
  });

  test('a stream, to a client that does not know pieces with their length', async () => {
    answer = sse([{ choices: [{ index: 0, delta: { content: 'one' } }] }, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }, '[DONE]']);
    const body = JSON.stringify({ model: CHAT, messages, stream: true });
    const told = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
      let text = '';
      socket.on('data', (piece: Buffer) => (text += piece.toString())).on('close', () => resolve(text)).on('error', reject);
      socket.write(`POST /v1/chat/completions HTTP/1.0\r\nauthorization: Bearer ${world.key()}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
    const [head, sent] = told.split('\r\n\r\n');
    expect(head).not.toMatch(/transfer-encoding/i);
    expect(sent.startsWith('data: {')).toBe(true);
    expect(sent.endsWith('}\n\ndata: [DONE]\n\n')).toBe(true);
  });

  test('a completion, and its stream', async () => {
    answer = json({ choices: [{ text: 'x = 1', finish_reason: 'max_tokens' }] });
    const told = schema.textCompletion.parse(JSON.parse((await ask('/v1/completions', { model: CODE, prompt: 'def' })).text));
    expect(told.choices[0].finish_reason).toBe('length');
    answer = sse([{ choices: [{ text: 'x' }] }, { choices: [{ text: '', finish_reason: 'stop' }] }, '[DONE]']);
    for (const event of eventsIn((await ask('/v1/completions', { model: CODE, prompt: 'def', stream: true })).text)) schema.textChunk.parse(event);
  });

  test('embeddings, in the form that was asked for', async () => {
    answer = json({ data: [{ embedding: [0.5, -2] }, { embedding: [1, 2] }] });
    const told = schema.embeddingList.parse(JSON.parse((await ask('/v1/embeddings', { model: EMBED, input: ['a', 'b'] })).text));
    expect(told.data.map(({ index }) => index)).toEqual([0, 1]);
    // The SDK asks for base64 and reads floats.
    const read = await world.client(world.key()).embeddings.create({ model: EMBED, input: ['a', 'b'] });
    expect([...read.data[0].embedding]).toEqual([0.5, -2]);
    answer = json({ data: [{ embedding: Buffer.from(new Float32Array([0.25]).buffer).toString('base64') }] });
    const floats = JSON.parse((await ask('/v1/embeddings', { model: EMBED, input: [1, 2, 3], encoding_format: 'float', dimensions: 1 })).text) as { data: { embedding: number[] }[] };
    expect(floats.data[0].embedding).toEqual([0.25]);
    answer = json({ data: [{ index: 1, embedding: [1] }, { index: 0, embedding: [2] }] });
    const ordered = schema.embeddingList.parse(JSON.parse((await ask('/v1/embeddings', { model: EMBED, input: ['a', 'b'] })).text));
    expect(ordered.data.map(({ index, embedding }) => [index, embedding])).toEqual([[0, [2]], [1, [1]]]);
    answer = json({ data: [{ embedding: [1] }] });
    expect((await ask('/v1/embeddings', { model: EMBED, input: ['a', 'b'] })).status).toBe(502);
  });

  test('models', async () => {
    schema.modelList.parse(JSON.parse((await ask('/v1/models', undefined, {}, 'GET')).text));
    for (const id of [CHAT, encodeURIComponent(CHAT)]) schema.modelObject.parse(JSON.parse((await ask(`/v1/models/${id}`, undefined, {}, 'GET')).text));
  });
});

/** Before those of one that does not: what an endpoint lacks is remembered. */
describe('an answer that is not called what it is', () => {
  const as = (contentType: string, text: string) => (_asked: Asked, reply: ServerResponse): void => void reply.writeHead(200, { 'content-type': contentType }).end(text);
  const delta = (more: object, reason: string | null = null): string => `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta: more, finish_reason: reason }] })}\n\n`;
  const events = `event: message\nid: 1\n${delta({ content: 'hi ' })}event: message\n${delta({ content: 'there' })}${delta({}, 'stop')}data: [DONE]\n\n`;
  const usage = { prompt_tokens: 8, completion_tokens: 2, total_tokens: 10 };
  const streamed = (): Promise<Told> => ask('/v1/chat/completions', { model: CHAT, messages, stream: true, stream_options: { include_usage: true } });

  test.each(['text/plain', 'application/octet-stream', 'application/json', 'text/event-stream'])('is a stream where it is written as one, under %s, and its events have no names', async (contentType) => {
    answer = as(contentType, `${contentType === 'text/plain' ? '\uFEFF\n: begun\n\n' : ''}${events}`);
    const { text } = await streamed();
    expect(text).not.toMatch(/^(?:event|id):/m);
    const chunks = eventsIn(text).map((event) => schema.chatChunk.parse(event));
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('hi there');
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    // OpenAI's client puts a stream together only where it says who speaks, once.
    expect(chunks.map(({ choices }) => choices[0]?.delta.role)).toEqual(['assistant', undefined, undefined, undefined]);
  });

  test.each(['application/json', 'text/event-stream', 'text/plain'])('that comes whole under %s is told as the stream that was asked for', async (contentType) => {
    const message = { content: 'hi', tool_calls: [{ id: 'call_a', type: 'function', function: { name: 'f', arguments: { a: 1 } } }] };
    answer = as(contentType, `\n${JSON.stringify({ id: 'c', choices: [{ message }, { index: 1, message: { content: 'ho' }, finish_reason: 'max_tokens' }], usage })}`);
    const chunks = eventsIn((await streamed()).text).map((event) => schema.chatChunk.parse(event));
    expect(chunks[0].choices[0].delta).toMatchObject({ role: 'assistant', content: 'hi', tool_calls: [{ index: 0, id: 'call_a', function: { arguments: '{"a":1}' } }] });
    expect(chunks.flatMap(({ choices }) => choices.flatMap(({ index, finish_reason: reason }) => (reason === null ? [] : [[index, reason]])))).toEqual([[0, 'tool_calls'], [1, 'length']]);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: expect.any(Number) as number }, x_ccx: { credits_used: expect.any(String) as string } });
  });

  test('is told so for a completion and a response as well', async () => {
    answer = json({ choices: [{ text: 'x = 1', finish_reason: 'stop' }], usage });
    const told = eventsIn((await ask('/v1/completions', { model: CODE, prompt: 'def', stream: true })).text).map((event) => schema.textChunk.parse(event));
    expect(told.map(({ choices: [choice] }) => [choice.text, choice.finish_reason])).toEqual([['x = 1', null], ['', 'stop']]);
    answer = json({ id: 'resp_1', status: 'completed', output: [{ type: 'message', content: [{ type: 'output_text', text: 'hi' }] }, { type: 'function_call', call_id: 'call_a', name: 'f', arguments: '{}' }], usage: { input_tokens: 8, output_tokens: 2 } });
    for (const event of eventsIn((await ask('/v1/responses', { model: CHAT, input: 'hello', stream: true })).text)) schema.responseEvent.parse(event);
    const final = await world.client(world.key()).responses.stream({ model: CHAT, input: 'hello' }).finalResponse();
    expect([final.output_text, final.status]).toEqual(['hi', 'completed']);
  });

  test.each([['a page', 'text/html', '<html>busy</html>'], ['nothing', 'text/plain', ''], ['an error', 'application/json', '{"error":{"message":"no"}}'], ['a list', 'application/json', '[1]'], ['prose', 'text/plain', 'no']])('is none where it is %s', async (_, contentType, text) => {
    answer = as(contentType, text);
    expect(await streamed()).toMatchObject({ status: 502 });
  });
});


describe('responses of an endpoint that knows them', () => {
  test('have the published shape though it leaves things out', async () => {
    const output = [{ type: 'reasoning', summary: null, content: null }, { type: 'message', content: [{ type: 'output_text', text: 'hi' }] }, { type: 'function_call', id: null, call_id: 'c1', name: 'f', arguments: '{}', status: null }];
    const whole = { id: 'resp-1', status: 'completed', output, user: null, prompt_cache_key: null, safety_identifier: null, usage: { input_tokens: 8, output_tokens: 2 } };
    const asked = { model: CHAT, input: 'hello', tools: [{ type: 'function', name: 'f' }] };
    answer = json(whole);
    schema.responseObject.parse(JSON.parse((await ask('/v1/responses', asked)).text));
    answer = sse([
      { type: 'response.created', response: { id: 'resp-1', status: 'in_progress', user: null } }, { type: 'response.output_item.added', output_index: 0, item: { type: 'message', role: 'assistant' } },
      { type: 'response.content_part.added', item_id: 'm', output_index: 0, content_index: 0, part: { type: 'output_text', text: '' } },
      { type: 'response.output_text.delta', item_id: 'm', output_index: 0, content_index: 0, delta: 'hi' }, { type: 'response.output_text.done', item_id: 'm', output_index: 0, content_index: 0, text: 'hi' },
      { type: 'response.output_item.done', output_index: 0, item: { type: 'message', content: [{ type: 'output_text', text: 'hi' }] } }, { type: 'response.completed', response: { ...whole } },
    ]);
    const events = eventsIn((await ask('/v1/responses', { ...asked, stream: true })).text).map((event) => schema.responseEvent.parse(event));
    expect(events).toHaveLength(7);
  });
});

describe('responses of an endpoint that only knows chats', () => {
  const asChat = (then: typeof answer): typeof answer => (asked, reply) => (asked.path.endsWith('/responses') ? void reply.writeHead(404).end('{"detail":"Not Found"}') : then(asked, reply));

  test.each([
    ['tools[0].type', { tools: [{ type: 'web_search' }] }], ['prompt', { prompt: { id: 'pmpt_1' } }], ['input[0].type', { input: [{ type: 'item_reference', id: 'x' }] }],
  ])('are refused where a chat could not be asked for them: %s', async (field, more) => {
    answer = asChat(json({ choices: [{ message: { content: 'x' } }] }));
    const told = await ask('/v1/responses', { model: CHAT, input: 'hello', ...more });
    expect([told.status, schema.errorBody.parse(JSON.parse(told.text)).error.param]).toEqual([400, field]);
  });

  test('bear the log probabilities that they were asked for, whole and as a stream', async () => {
    const logprobs = { content: [{ token: 'hi', logprob: -0.5, bytes: [104, 105], top_logprobs: [{ token: 'hi', logprob: -0.5, bytes: null }] }] };
    const asked = { model: CHAT, input: 'hello', include: ['message.output_text.logprobs'], top_logprobs: 1 };
    const said = [{ token: 'hi', logprob: -0.5, bytes: [104, 105], top_logprobs: [{ token: 'hi', logprob: -0.5, bytes: [] }] }];
    answer = asChat(json({ choices: [{ message: { content: 'hi' }, logprobs, finish_reason: 'stop' }] }));
    expect(schema.responseObject.parse(JSON.parse((await ask('/v1/responses', asked)).text)).output).toMatchObject([{ content: [{ text: 'hi', logprobs: said }] }]);
    expect(seen.at(-1)?.body).toMatchObject({ logprobs: true, top_logprobs: 1 });
    answer = asChat(sse([{ choices: [{ index: 0, delta: { content: 'hi' }, logprobs, finish_reason: null }] }, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }, '[DONE]']));
    const events = eventsIn((await ask('/v1/responses', { ...asked, stream: true })).text).map((event) => schema.responseEvent.parse(event));
    for (const type of ['response.output_text.delta', 'response.output_text.done']) expect(events.find((event) => event.type === type)).toMatchObject({ logprobs: said });
  });

  test('stream where the chat came whole', async () => {
    answer = asChat(json({ choices: [{ message: { content: 'hi' }, finish_reason: 'length' }] }));
    for (const event of eventsIn((await ask('/v1/responses', { model: CHAT, input: 'hello', stream: true })).text)) schema.responseEvent.parse(event);
    expect(await world.client(world.key()).responses.stream({ model: CHAT, input: 'hello' }).finalResponse()).toMatchObject({ output_text: 'hi', status: 'incomplete' });
  });

  test('come whole', async () => {
    answer = asChat(json({ id: 'chatcmpl-7', choices: [{ message: { content: 'hi there' }, finish_reason: 'length' }], usage: { prompt_tokens: 8, completion_tokens: 2 } }));
    const input = [{ role: 'user', content: [{ type: 'input_text', text: 'hello' }, { type: 'input_image', image_url: 'data:image/png;base64,AA==' }] }, { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' }, { type: 'function_call_output', call_id: 'c1', output: '7' }];
    const told = schema.responseObject.parse(JSON.parse((await ask('/v1/responses', {
      model: CHAT, input, instructions: 'be short', max_output_tokens: 9, tools: [{ type: 'function', name: 'f', parameters: { type: 'object' } }], text: { format: { type: 'json_schema', name: 'n', schema: {} } },
    })).text));
    expect(told).toMatchObject({ id: 'resp_7', status: 'incomplete', output: [{ content: [{ text: 'hi there' }] }] });
    expect(seen.at(-1)).toMatchObject({ path: expect.stringMatching(/chat\/completions$/) as string, body: {
      max_tokens: 9, response_format: { type: 'json_schema', json_schema: { name: 'n' } }, tools: [{ type: 'function', function: { name: 'f' } }],
      messages: [
        { role: 'system', content: 'be short' }, { role: 'user', content: [{ type: 'text', text: 'hello' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }] },
        { role: 'assistant', tool_calls: [{ id: 'c1', function: { name: 'f' } }] }, { role: 'tool', tool_call_id: 'c1', content: '7' },
      ],
    } });
    // What the endpoint lacks is remembered.
    await ask('/v1/responses', { model: CHAT, input: 'hello' });
    expect(seen.map(({ path }) => path.split('/').at(-1))).toEqual(['completions']);
  });

  test('stream in the published order', async () => {
    const delta = (fields: object, finish: string | null = null): object => ({ id: 'c', choices: [{ index: 0, delta: fields, finish_reason: finish }] });
    answer = asChat(sse([
      delta({ role: 'assistant', content: '' }), delta({ reasoning_content: 'hmm' }), delta({ content: 'hi' }), delta({ content: ' there' }),
      delta({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'f', arguments: '' } }] }), delta({ tool_calls: [{ index: 0, function: { arguments: '{"a":1}' } }] }),
      delta({}, 'tool_calls'), { choices: [], usage: { prompt_tokens: 8, completion_tokens: 9 } }, '[DONE]',
    ]));
    const { text } = await ask('/v1/responses', { model: CHAT, input: 'hello', stream: true });
    const events = eventsIn(text).map((event) => schema.responseEvent.parse(event));
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index));
    expect(events.map(({ type }) => type.replace('response.', ''))).toEqual([
      'created', 'in_progress', 'output_item.added', 'content_part.added', 'reasoning_text.delta', 'reasoning_text.done', 'content_part.done', 'output_item.done', 'output_item.added', 'content_part.added',
      'output_text.delta', 'output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done', 'output_item.added', 'function_call_arguments.delta',
      'function_call_arguments.done', 'output_item.done', 'completed',
    ]);
    expect(text).not.toContain('[DONE]');
    const stream = world.client(world.key()).responses.stream({ model: CHAT, input: 'hello' });
    const final = await stream.finalResponse();
    expect(final.output_text).toBe('hi there');
    expect(receiptOf(final).provider).toBe('Provider 1');
  });

  test('stream calls that are told in turns, and a refusal as one', async () => {
    const call = (index: number, args: string, named = {}): object => ({ id: 'c', choices: [{ index: 0, delta: { tool_calls: [{ index, ...named, function: { arguments: args, ...named } }] }, finish_reason: null }] });
    answer = asChat(sse([
      { id: 'c', choices: [{ index: 0, delta: { refusal: 'I ' }, finish_reason: null }] }, { id: 'c', choices: [{ index: 0, delta: { refusal: 'will not' }, finish_reason: null }] },
      call(0, '', { id: 'call_a', name: 'f' }), call(1, '{"b"', { id: 'call_b', name: 'g' }), call(0, '{"a":'), call(1, ':2}'), call(0, '1}'),
      { id: 'c', choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }, '[DONE]',
    ]));
    const { text } = await ask('/v1/responses', { model: CHAT, input: 'hello', stream: true });
    const events = eventsIn(text).map((event) => schema.responseEvent.parse(event));
    expect(events.filter(({ type }) => type.startsWith('response.refusal'))).toMatchObject([{ delta: 'I ' }, { delta: 'will not' }, { refusal: 'I will not' }]);
    const final = await world.client(world.key()).responses.stream({ model: CHAT, input: 'hello' }).finalResponse();
    expect(final.output).toMatchObject([
      { type: 'message', content: [{ type: 'refusal', refusal: 'I will not' }] }, { type: 'function_call', call_id: 'call_a', name: 'f', arguments: '{"a":1}' },
      { type: 'function_call', call_id: 'call_b', name: 'g', arguments: '{"b":2}' },
    ]);
  });

  test('say of a call that was cut that it is incomplete, whole and as a stream, and of what was said before it that it is not', async () => {
    const calls = [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }, { index: 1, id: 'b', type: 'function', function: { name: 'f', arguments: '{"city":' } }];
    const cut = { status: 'incomplete', output: [{ type: 'message', status: 'completed' }, { call_id: 'a', status: 'completed' }, { call_id: 'b', status: 'incomplete', arguments: '{"city":' }] };
    answer = asChat(json({ choices: [{ message: { content: 'see', tool_calls: calls }, finish_reason: 'length' }] }));
    expect(schema.responseObject.parse(JSON.parse((await ask('/v1/responses', { model: CHAT, input: 'hello' })).text))).toMatchObject(cut);
    answer = asChat(sse([{ choices: [{ index: 0, delta: { content: 'see' } }] }, { choices: [{ index: 0, delta: { tool_calls: calls } }] }, { choices: [{ index: 0, delta: {}, finish_reason: 'length' }] }, '[DONE]']));
    const events = eventsIn((await ask('/v1/responses', { model: CHAT, input: 'hello', stream: true })).text).map((event) => schema.responseEvent.parse(event));
    expect(events.filter(({ type }) => /output_item.done|incomplete/.test(type))).toMatchObject([...cut.output.map((item) => ({ item })), { response: cut }]);
  });

  test('that break off say so once', async () => {
    answer = asChat((_asked, reply) => {
      reply.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'hi' } }] })}\n\n`);
      setTimeout(() => reply.destroy(), 20);
    });
    const { text } = await ask('/v1/responses', { model: CHAT, input: 'hello', stream: true });
    expect(text.match(/event: error\ndata: \{"error"/g)).toHaveLength(1);
    expect(text).not.toContain('response.completed');
    const told = eventsIn(text);
    expect(schema.responseEvent.parse(told.at(-1))).toMatchObject({ type: 'error', code: 'provider_error', sequence_number: told.length - 1 });
    const events = await world.client(world.key()).responses.create({ model: CHAT, input: 'hello', stream: true });
    await expect((async () => { for await (const _ of events); })()).rejects.toThrow('The provider answered with an error.');
  });

  test('have an id of their own where the chat has none', async () => {
    answer = asChat(json({ choices: [{ message: { content: 'hi', tool_calls: [{ function: { name: 'f', arguments: '{}' } }] }, finish_reason: 'stop' }] }));
    const ids = async (): Promise<string[]> => {
      const told = schema.responseObject.parse(JSON.parse((await ask('/v1/responses', { model: CHAT, input: 'hello' })).text));
      return [told.id, ...(told.output as { id: string }[]).map(({ id }) => id)];
    };
    expect(new Set([...(await ids()), ...(await ids())]).size).toBe(6);
  });
});

describe('what a client asks for reaches the endpoint', () => {
  test('all of it, and nothing that is not its business', async () => {
    answer = verified;
    const asked = {
      messages: [{ role: 'system', content: 's' }, { role: 'user', content: [{ type: 'text', text: 't' }, { type: 'image_url', image_url: { url: 'https://x.example/i.png', detail: 'low' } }] }],
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { constructor: { type: 'string' } } }, strict: true } }], tool_choice: { type: 'function', function: { name: 'f' } },
      parallel_tool_calls: false, response_format: { type: 'json_schema', json_schema: { name: 'n', schema: {}, strict: true } }, logprobs: true, top_logprobs: 3, n: 1, seed: -9, stop: ['a', 'b'],
      logit_bias: { '5': -100 }, temperature: 0, top_p: 0.5, presence_penalty: -2, frequency_penalty: 2, max_completion_tokens: 7, user: 'u', vendor_field: { deep: [1, { kept: null }] }, guided_json: {}, store: true,
    };
    await ask('/v1/chat/completions', { model: 'llama-3.1-8b-instruct', ...asked }, { cookie: 'ccx_session=1', 'x-forwarded-for': '1.1.1.1', 'openai-organization': 'o', 'x-api-key': 'k' });
    expect(seen[0].body).toEqual({ model: CHAT, ...asked, max_tokens: 7, store: false });
    for (const name of ['cookie', 'x-forwarded-for', 'openai-organization', 'x-api-key', 'x-request-id', 'origin']) expect(seen[0].headers[name]).toBeUndefined();
  });
});

describe('refusals are of the published shape, with the headers of every answer', () => {
  const chat = '/v1/chat/completions';
  const deep = `{"model":"m","messages":${'['.repeat(100)}${']'.repeat(100)}}`;
  test.each<[string, string, unknown, Record<string, string>, number, string, string | null]>([
    ['no JSON', chat, '{"model":', {}, 400, 'invalid_request_error', null],
    ['deep nesting', chat, deep, {}, 400, 'invalid_request_error', null],
    ['a name twice', chat, '{"model":"a","model":"b","messages":[]}', {}, 400, 'invalid_request_error', 'model'],
    ['a number beyond all', chat, `{"model":"${CHAT}","messages":[{"role":"user","content":"x"}],"temperature":1e999}`, {}, 400, 'invalid_request_error', 'temperature'],
    ['another type', chat, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 400, 'invalid_request_error', null],
    ['what is not compressed as it says', chat, '{}', { 'content-encoding': 'gzip' }, 400, 'invalid_request_error', null],
    ['a compression that few know', chat, '{}', { 'content-encoding': 'compress' }, 400, 'invalid_request_error', null],
    ['too much, however small it came', chat, gzipSync(`{"x":"${'x'.repeat(21 * 1024 * 1024)}"}`), { 'content-encoding': 'gzip' }, 413, 'request_too_large', null],
    ['too much', chat, `{"x":"${'x'.repeat(21 * 1024 * 1024)}"}`, {}, 413, 'request_too_large', null],
    ['an unknown role', chat, { model: CHAT, messages: [{ role: 'wizard', content: 'x' }] }, {}, 400, 'invalid_request_error', 'messages[0].role'],
    ['no content', chat, { model: CHAT, messages: [{ role: 'user' }] }, {}, 400, 'invalid_request_error', 'messages[0].content'],
    ['n of zero', chat, { model: CHAT, messages, n: 0 }, {}, 400, 'invalid_request_error', 'n'],
    ['text for a number', chat, { model: CHAT, messages, max_tokens: '5' }, {}, 400, 'invalid_request_error', 'max_tokens'],
    ['top_logprobs alone', chat, { model: CHAT, messages, top_logprobs: 2 }, {}, 400, 'invalid_request_error', 'top_logprobs'],
    ['a tool without a name', chat, { model: CHAT, messages, tools: [{ type: 'function' }] }, {}, 400, 'invalid_request_error', 'tools[0].function'],
    ['stream_options without a stream', chat, { model: CHAT, messages, stream_options: { include_usage: true } }, {}, 400, 'invalid_request_error', 'stream_options'],
    ['a choice of no tool', chat, { model: CHAT, messages, tool_choice: 'required' }, {}, 400, 'invalid_request_error', 'tool_choice'],
    ['an image without an address', chat, { model: CHAT, messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, {}, 400, 'invalid_request_error', 'messages[0].content[0].image_url'],
    ['seventeen notes', chat, { model: CHAT, messages, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`n${index}`, 'x'])) }, {}, 400, 'invalid_request_error', 'metadata'],
    ['the best of too many', '/v1/completions', { model: CHAT, prompt: 'x', best_of: 21 }, {}, 400, 'invalid_request_error', 'best_of'],
    ['an empty input', '/v1/embeddings', { model: EMBED, input: '' }, {}, 400, 'invalid_request_error', 'input'],
    ['sound that nobody hears', chat, { model: CHAT, messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AA', format: 'wav' } }] }] }, {}, 400, 'invalid_request_error', 'messages[0].content[0]'],
    ['a function that no tool is', chat, { model: CHAT, messages, tools: [{ type: 'function', function: { name: 'a' } }], tool_choice: { type: 'function', function: { name: 'b' } } }, {}, 400, 'invalid_request_error', 'tool_choice'],
    ['an assistant that said nothing', chat, { model: CHAT, messages: [...messages, { role: 'assistant' }] }, {}, 400, 'invalid_request_error', 'messages[1].content'],
    ['a response that should be kept', '/v1/responses', { model: CHAT, input: 'x', previous_response_id: 'resp_1' }, {}, 400, 'invalid_request_error', 'previous_response_id'],
    ['an unknown model', chat, { model: 'a/b', messages }, {}, 404, 'model_not_found', 'model'],
    ['no key', chat, { model: CHAT, messages }, { authorization: '' }, 401, 'invalid_api_key', null],
    ['an unknown path', '/v1/images/generations', {}, {}, 404, 'not_found', null],
    ['a session key that is none', chat, { model: CHAT, messages }, { authorization: 'Basic eA==' }, 401, 'invalid_api_key', null],
  ])('%s', async (_, path, body, headers, status, code, param) => {
    const told = await ask(path, body, headers);
    const { error } = schema.errorBody.parse(JSON.parse(told.text));
    expect([told.status, error.code, error.param]).toEqual([status, code, param]);
    for (const name of ['x-request-id', 'openai-processing-ms', 'x-ratelimit-limit-requests', 'x-ratelimit-remaining-tokens', 'x-ratelimit-reset-requests']) expect(told.headers.get(name)).not.toBeNull();
  });

  test('the whole address is a path as well', async () => {
    const { port } = new URL(world.url);
    const answered = await new Promise<IncomingMessage>((resolve) => get({ port, host: '127.0.0.1', path: `http://gateway.example/v1/models/${CHAT}?a`, headers: { authorization: `Bearer ${world.key()}` } }, resolve));
    expect(answered.statusCode).toBe(200);
    answered.resume();
  });

  test('a method that the path does not take', async () => {
    const told = await ask(chat, undefined, {}, 'GET');
    expect([told.status, told.headers.get('allow')]).toEqual([405, 'POST']);
    schema.errorBody.parse(JSON.parse(told.text));
  });

  test('what an endpoint says of the request is told with the field it is about', async () => {
    const refused = async (error: object): Promise<unknown> => {
      answer = (_asked, reply) => void reply.writeHead(400).end(JSON.stringify({ error }));
      const { error: told } = schema.errorBody.parse(JSON.parse((await ask(chat, { model: CHAT, messages })).text));
      return [told.code, told.param];
    };
    expect(await refused({ message: 'logit_bias is not supported', param: 'logit_bias', code: 400 })).toEqual(['invalid_request_error', 'logit_bias']);
    expect(await refused({ message: 'odd', param: '<b>' })).toEqual(['invalid_request_error', null]);
    expect(await refused({ message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.", code: 400 })).toEqual(['context_length_exceeded', null]);
  });

  test.each([['gzip', gzipSync], ['br', brotliCompressSync]] as const)('what is compressed as %s is read', async (encoding, compress) => {
    answer = json({ choices: [{ message: { content: 'hi' }, finish_reason: 'stop' }] });
    const told = await ask(chat, compress(JSON.stringify({ model: CHAT, messages })), { 'content-encoding': encoding });
    expect([told.status, seen[0].headers['content-encoding'], seen[0].body]).toMatchObject([200, undefined, { messages }]);
  });

  test('a page of another site may ask with a key of its own', async () => {
    const preflight = await fetch(world.url + chat, { method: 'OPTIONS', headers: { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,x-stainless-os' } });
    expect(preflight.status).toBe(204);
    expect(['access-control-allow-origin', 'access-control-allow-methods', 'access-control-allow-headers'].map((name) => preflight.headers.get(name))).toEqual(['*', 'POST', 'authorization,content-type,x-stainless-os']);
    answer = json({ choices: [{ message: { content: 'hi' }, finish_reason: 'stop' }] });
    const told = await ask(chat, { model: CHAT, messages }, { origin: 'https://app.example' });
    expect([told.status, told.headers.get('access-control-allow-origin'), told.headers.get('access-control-allow-credentials')]).toEqual([200, '*', null]);
  });

  test("an endpoint's secrets stay where they are", async () => {
    answer = (asked, reply) => void reply.writeHead(400).end(JSON.stringify({ error: { message: `bad key ${String(asked.headers.authorization)} at ${String(asked.headers.host)}`, code: 17 } }));
    const told = await ask(chat, { model: CHAT, messages });
    expect(told.status).toBe(400);
    expect(told.text).not.toContain('sk-endpoint');
    expect(told.text).not.toContain('127.0.0.1');
  });
});

describe('a request with an Idempotency-Key', () => {
  const chat = (): object => ({ id: 'c', choices: [{ message: { content: 'one two three' }, finish_reason: 'stop' }] });
  const used = async (): Promise<number> => (await world.services.sequencer.query('allocations', { company: world.borrower })).reduce((sum, view) => sum + view.usedGpu, 0);

  test('is charged once, whole or as a stream, and a repeat has the same answer', async () => {
    const key = world.key();
    for (const stream of [false, true]) {
      answer = stream ? sse([{ choices: [{ index: 0, delta: { content: 'one' }, finish_reason: null }] }, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }, '[DONE]']) : json(chat());
      const headers = { 'idempotency-key': `k-${stream}`, authorization: `Bearer ${key}` };
      const both = await Promise.all([ask('/v1/chat/completions', { model: CHAT, messages, stream }, headers), ask('/v1/chat/completions', { model: CHAT, messages, stream }, headers)]);
      const after = await used();
      const again = await ask('/v1/chat/completions', { model: CHAT, messages, stream }, headers);
      expect(new Set([...both, again].map(({ text }) => text)).size).toBe(1);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(await used()).toBe(after);
      const other = await ask('/v1/chat/completions', { model: CHAT, messages, stream, max_tokens: 3 }, headers);
      expect([other.status, (JSON.parse(other.text) as { error: { code: string } }).error.code]).toEqual([409, 'idempotency_mismatch']);
    }
  });

  test('that another call has had is refused; where that call comes meanwhile, what was served is charged', async () => {
    const key = world.key();
    const submit = (name: string) => world.services.sequencer.submit({ command: { type: 'claimKey', company: world.borrower }, idempotencyKey: `${world.borrower}:${name}`, bodyHash: 'of an order' });
    for (const stream of [false, true]) {
      const served = stream ? sse([{ choices: [{ index: 0, delta: { content: 'one' }, finish_reason: null }] }, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }, '[DONE]']) : json(chat());
      await submit(`k-before-${stream}`);
      expect((await ask('/v1/chat/completions', { model: CHAT, messages, stream }, { 'idempotency-key': `k-before-${stream}`, authorization: `Bearer ${key}` })).status).toBe(409);
      expect(seen).toEqual([]);
      answer = (asked, reply) => void submit(`k-order-${stream}`).then(() => served(asked, reply));
      const before = await used();
      expect((await ask('/v1/chat/completions', { model: CHAT, messages, stream }, { 'idempotency-key': `k-order-${stream}`, authorization: `Bearer ${key}` })).status).toBe(200);
      expect(await used()).toBeGreaterThan(before);
    }
  });

  test('may be tried again when it failed', async () => {
    const headers = { 'idempotency-key': 'k-failed', authorization: `Bearer ${world.key()}` };
    answer = (_asked, reply) => void reply.writeHead(500).end();
    expect((await ask('/v1/chat/completions', { model: CHAT, messages }, headers)).status).toBe(502);
    answer = json(chat());
    expect((await ask('/v1/chat/completions', { model: CHAT, messages }, headers)).status).toBe(200);
  });
});
