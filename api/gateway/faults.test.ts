import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createProvider } from '../demo/provider/provider.ts';
import { NO_LOGBOOK } from './relay/logbook.ts';
import type { Logbook, RequestEntry } from './relay/logbook.ts';
import { CHAT, RATED, micro, openGatewayWorld, receiptOf } from './test/gateway_world.ts';
import type { GatewayWorld, WorldOptions } from './test/gateway_world.ts';
import { countPauses } from './test/pauses.ts';
import { countTokens } from './metering/token_count.ts';
import { Unavailable } from '../sequencer/port.ts';

const messages = [{ role: 'user' as const, content: 'hello' }];
/** Four tokens for the message, two for the request, one for the text and one for the role. */
const PROMPT = 8;
const TEXT = 'one two three four five';
/** From the client's leaving to its endpoint's hearing of it, without what this process was not let run meanwhile. */
const CLOSED_MILLIS_MAX = 250;
const FAST = { connect: 500, firstByte: 500, idle: 500, total: 3_000 };

let world: GatewayWorld;
afterEach(async () => {
  await world.check();
  await world.close();
});

type Handler = (request: IncomingMessage, reply: ServerResponse, body: { stream?: boolean; max_tokens?: number }) => void;

/** Passes verification, then does as the test says. */
function misbehaving(handler: Handler): Server {
  let verified = 0;
  return createServer((request, reply) => {
    if (request.method === 'GET') return void reply.end(JSON.stringify({ object: 'list', data: [{ id: CHAT }] }));
    let text = '';
    request.on('data', (piece: Buffer) => (text += piece.toString()));
    request.on('end', () => {
      if (verified++ === 0) return void reply.end(JSON.stringify(answerOf('ok', undefined)));
      handler(request, reply, JSON.parse(text) as { stream?: boolean });
    });
  });
}

const answerOf = (content: string, usage: unknown) => ({
  id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: CHAT, usage, choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
});
const chunkOf = (content: string, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: CHAT, choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`;

/** A world whose cheapest allocation is of an endpoint that misbehaves; with a second provider if asked. */
const noted: RequestEntry[] = [];
const logbook: Logbook = { ...NO_LOGBOOK, request: (entry) => void noted.push(entry) };
async function open(handler: Handler, withOther = false, options: WorldOptions = {}): Promise<void> {
  noted.length = 0;
  world = await openGatewayWorld({ providers: withOther ? 3 : 2, timeouts: FAST, logbook, ...options });
  const [, bad, good] = world.providers;
  await world.serveAt(bad, misbehaving(handler), [CHAT]);
  await world.offer(bad, 20_000, 100);
  await world.buy(20_000, 100);
  if (!withOther) return;
  await world.serveAt(good, createProvider({ firstTokenMillis: 0, tokenMillis: 0, apiKey: 'sk-endpoint' }), [CHAT]);
  await world.offer(good, 30_000, 100);
  await world.buy(30_000, 100);
}
const create = (more: object = {}) => world.client(world.key()).chat.completions.create({ model: CHAT, messages, ...more });
const usedGpu = async (): Promise<number> =>
  (await world.services.sequencer.query('allocations', { company: world.borrower })).reduce((sum, view) => sum + view.usedGpu, 0);
/** Nothing is held any more: the whole rest can be. */
async function nothingHeld(): Promise<void> {
  const { sequencer, directory } = world.services;
  const views = await sequencer.query('allocations', { company: world.borrower });
  const most = Math.max(...views.map((view) => view.budgetGpu - view.usedGpu));
  const probe = await sequencer.authorise({ company: world.borrower, request: 'probe', model: directory.modelId(CHAT), worstGpu: { 0: most }, provider: -1, excluded: [] });
  expect(probe.ok).toBe(true);
  await sequencer.release('probe');
}

/** The raw text of a stream. */
async function streamed(): Promise<string> {
  const answer = await fetch(`${world.url}/v1/chat/completions`, {
    method: 'POST', headers: { authorization: `Bearer ${world.key()}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: CHAT, messages, stream: true }),
  });
  return answer.text();
}

describe('usage that lies', () => {
  test.each([
    ['tenfold', { prompt_tokens: PROMPT * 10, completion_tokens: 50 }],
    ['zero', { prompt_tokens: 0, completion_tokens: 0 }],
    ['negative', { prompt_tokens: -5, completion_tokens: -1 }],
    ['text', { prompt_tokens: 'many', completion_tokens: '5' }],
    ['fractions', { prompt_tokens: 8.5, completion_tokens: 5.5 }],
    ['absent', undefined],
    ['no object', 7],
  ])('(%s) is bounded by our own count', async (_, usage) => {
    await open((_request, reply) => void reply.end(JSON.stringify(answerOf(TEXT, usage))));
    const answer = await create();
    expect(answer.usage).toMatchObject({ prompt_tokens: PROMPT, completion_tokens: 5, total_tokens: PROMPT + 5 });
    expect(micro(receiptOf(answer).gpu_seconds)).toBe(PROMPT * RATED.prompt + 5 * RATED.completion);
    await nothingHeld();
  });

  test('within one in a hundred is taken as it is', async () => {
    await open((_request, reply) => void reply.end(JSON.stringify(answerOf(TEXT, { prompt_tokens: PROMPT + 1, completion_tokens: 4, total_tokens: PROMPT + 5 }))));
    const answer = await create();
    expect(micro(receiptOf(answer).gpu_seconds)).toBe((PROMPT + 1) * RATED.prompt + 4 * RATED.completion);
  });

  test('never charges more than the request allowed', async () => {
    await open((_request, reply) => void reply.end(JSON.stringify(answerOf('word '.repeat(500), { prompt_tokens: PROMPT, completion_tokens: 500 }))));
    expect(micro(receiptOf(await create({ max_tokens: 10 })).gpu_seconds)).toBe(PROMPT * RATED.prompt + 10 * RATED.completion);
  });
});

describe('before the first byte, a failure leads to another endpoint', () => {
  test.each<[string, Handler]>([
    ['an error', (_request, reply) => void reply.writeHead(500).end('<html>oops</html>')],
    ['a refusal of our key', (_request, reply) => void reply.writeHead(401).end('{}')],
    ['a cut connection', (request) => void request.socket.destroy()],
    ['silence', () => undefined],
    ['nonsense', (_request, reply) => void reply.end('not json')],
    ['what nests too deeply', (_request, reply) => void reply.end(`{"choices": [{"message": {"content": "hi"}}], "z": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`)],
    ['another shape', (_request, reply) => void reply.end('{"ok": true}')],
    ['a redirect', (_request, reply) => void reply.writeHead(302, { location: 'http://169.254.169.254/' }).end()],
    ['too many requests', (_request, reply) => void reply.writeHead(429).end('{}')],
  ])('%s', async (_, handler) => {
    await open(handler, true);
    const answer = await create({ max_tokens: 5 });
    expect(receiptOf(answer).provider).toBe('Provider 2');
    await expect.poll(() => noted.length).toBe(1);
    expect(noted[0]).toMatchObject({ status: 200, error: null, trail: { tries: [{ provider: world.providers[1] }, { provider: world.providers[2], outcome: 'answered' }], billed: { credits: receiptOf(answer).credits_used } } });
    expect(noted[0].trail.tries[0].outcome).not.toBe('answered');
    expect(await streamed()).toContain('[DONE]');
    await nothingHeld();
  });

  test('and after three in a row the endpoint is left alone while others can serve; then one request finds out', async () => {
    let asked = 0;
    let mended = false;
    const waiting: (() => void)[] = [];
    await open((_request, reply) => {
      asked += 1;
      if (!mended) return void reply.writeHead(500).end();
      waiting.push(() => reply.end(JSON.stringify(answerOf(TEXT, undefined))));
    }, true);
    const from = async (headers: Record<string, string> = {}): Promise<string> => receiptOf(await world.client(world.key(), headers).chat.completions.create({ model: CHAT, messages, max_tokens: 5 })).provider;
    for (let time = 0; time < 5; time++) expect(await from()).toBe('Provider 2');
    expect(asked).toBe(3);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10_000 });
    try {
      mended = true;
      const first = from();
      await expect.poll(() => waiting.length).toBe(1);
      expect(await Promise.all([from(), from()])).toEqual(['Provider 2', 'Provider 2']);
      // Who has nobody else need not wait for what that finds.
      const only = from({ 'x-ccx-provider': 'Provider 1' });
      await expect.poll(() => waiting.length).toBe(2);
      waiting.pop()?.();
      expect(await only).toBe('Provider 1');
      waiting.pop()?.();
      expect(await first).toBe('Provider 1');
      const second = from();
      await expect.poll(() => waiting.length).toBe(1);
      waiting.pop()?.();
      expect(await second).toBe('Provider 1');
      expect(asked).toBe(6);
    } finally {
      vi.useRealTimers();
    }
    await nothingHeld();
  });

  test('and without another one is told', async () => {
    await open((_request, reply) => void reply.writeHead(500, { 'set-cookie': 'secret=1' }).end('<html>secret</html>'));
    const refused = await create().asResponse().catch((error: unknown) => error as { status: number; code: string; message: string; headers: Headers });
    expect(refused).toMatchObject({ status: 502, code: 'provider_error' });
    await expect.poll(() => noted).toMatchObject([{ status: 502, error: 'provider_error' }]);
    expect(noted[0].trail.billed).toBeUndefined();
    expect(JSON.stringify(refused)).not.toContain('secret');
    expect(await usedGpu()).toBe(0);
    await nothingHeld();
  });

  test('of a request at fault is not repeated elsewhere', async () => {
    await open((_request, reply) => void reply.writeHead(400).end(JSON.stringify({ error: { message: 'no such tool', code: 400 } })), true);
    await expect(create()).rejects.toMatchObject({ status: 400, code: 'invalid_request_error', message: expect.stringContaining('no such tool') as string });
    await nothingHeld();
  });

  test('silence of the only endpoint is a timeout', async () => {
    await open(() => undefined);
    await expect(create()).rejects.toMatchObject({ status: 504, code: 'provider_timeout' });
    await nothingHeld();
  });
});

describe('a stream that breaks', () => {
  const begin = (reply: ServerResponse): void => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    reply.write(chunkOf('one two'));
  };
  test.each<[string, Handler]>([
    ['is cut', (request, reply) => (begin(reply), setTimeout(() => request.socket.destroy(), 50), undefined)],
    ['stops', (_request, reply) => begin(reply)],
    ['ends before the answer does', (_request, reply) => (begin(reply), reply.end(), undefined)],
    ['reports an error', (_request, reply) => (begin(reply), reply.end('data: {"error": {"message": "secret"}}\n\n'), undefined)],
    ['reports an error as older servers do', (_request, reply) => (begin(reply), reply.end('data: {"object": "error", "message": "secret", "code": 400}\n\ndata: [DONE]\n\n'), undefined)],
    ['reports an error by name', (_request, reply) => (begin(reply), reply.end('event: error\ndata: {"message": "secret"}\n\ndata: [DONE]\n\n'), undefined)],
    ['speaks nonsense', (_request, reply) => (begin(reply), reply.end('data: nonsense\n\n'), undefined)],
    ['never ends a line', (_request, reply) => {
      begin(reply);
      const more = setInterval(() => reply.write('x'.repeat(1 << 20)), 5);
      reply.once('close', () => clearInterval(more));
    }],
  ])('because it %s: one error, no [DONE], and what was delivered is charged', async (_, handler) => {
    await open(handler);
    const text = await streamed();
    expect(text).toContain('one two');
    expect(text).not.toContain('[DONE]');
    expect(text).not.toContain('secret');
    expect(text.match(/data: \{"error"/g)).toHaveLength(1);
    expect(await usedGpu()).toBe(PROMPT * RATED.prompt + countTokens('one two') * RATED.completion);
    await nothingHeld();
  });

  test('is kept alive while nothing has come; what fails by then is told in it', async () => {
    await open((_request, reply) => void setTimeout(() => reply.writeHead(200, { 'content-type': 'text/event-stream' }).end(`${chunkOf('one two')}${chunkOf('', 'stop')}data: [DONE]\n\n`), 250), false, { keepAliveMillis: 50 });
    const text = await streamed();
    expect(text).toMatch(/^(: keep-alive\n\n)+data: \{/);
    expect(text).toContain('one two');
    expect(text.match(/\[DONE\]/g)).toHaveLength(1);
    await world.close();
    await open(() => undefined, false, { keepAliveMillis: 50 });
    const silent = await streamed();
    expect(silent).toMatch(/^(: keep-alive\n\n)+data: \{"error":\{.*"code":"provider_timeout"\}\}\n\n$/);
    expect(noted.at(-1)).toMatchObject({ status: 504, error: 'provider_timeout' });
    await nothingHeld();
  });

  test('bytes cut anywhere and missing usage do no harm', async () => {
    await open((_request, reply) => {
      reply.writeHead(200, { 'content-type': 'text/event-stream' });
      const bytes = Buffer.from(`: hello\r\n\r\n${chunkOf('grüße ')}${chunkOf('日本語')}${chunkOf('', 'stop').replaceAll('\n', '\r\n')}data: [DONE]`);
      let at = 0;
      const next = (): void => {
        if (at >= bytes.length) return void reply.end();
        reply.write(bytes.subarray(at, at + 3));
        at += 3;
        setImmediate(next);
      };
      next();
    });
    const text = await streamed();
    expect(text).toContain('grüße ');
    expect(text).toContain('日本語');
    expect(text.match(/\[DONE\]/g)).toHaveLength(1);
    expect(text).toContain('"x_ccx"');
    expect(await usedGpu()).toBe(PROMPT * RATED.prompt + countTokens('grüße 日本語') * RATED.completion);
  });
});

describe('the end of a stream, whatever the endpoint sends last', () => {
  const head = { id: 'c', object: 'chat.completion.chunk', created: 1, model: CHAT };
  const eventOf = (more: object): string => `data: ${JSON.stringify({ ...head, ...more })}\n\n`;
  const empty = eventOf({ choices: [] });
  const usage = eventOf({ choices: [], usage: { prompt_tokens: PROMPT, completion_tokens: 2, total_tokens: PROMPT + 2 } });
  test.each<[string, string[]]>([
    ['an empty chunk', [chunkOf('one two'), chunkOf('', 'stop'), empty]],
    ['empty chunks everywhere', [empty, chunkOf('one'), empty, chunkOf(' two'), empty, chunkOf('', 'stop'), empty, empty]],
    ['figures, then an empty chunk', [chunkOf('one two'), chunkOf('', 'stop'), usage, empty]],
    ['figures that are null', [chunkOf('one two'), chunkOf('', 'stop'), eventOf({ choices: [], usage: null })]],
    ['a chunk after the end', [chunkOf('one two'), chunkOf('', 'stop'), chunkOf('')]],
    ['content in the end itself', [chunkOf('one'), chunkOf(' two', 'stop'), empty]],
    ['no end but [DONE]', [chunkOf('one two')]],
  ])('(%s) has the receipt in its last chunk, and no chunk without a choice', async (_, events) => {
    await open((_request, reply) => void reply.writeHead(200, { 'content-type': 'text/event-stream' }).end(`${events.join('')}data: [DONE]\n\n`));
    const chunks = [];
    for await (const chunk of await world.client(world.key()).chat.completions.create({ model: CHAT, messages, stream: true })) chunks.push(chunk);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('one two');
    expect(chunks.filter(({ choices }) => choices.length === 0)).toEqual([]);
    expect(chunks.some(({ choices }) => choices[0].finish_reason === 'stop')).toBe(true);
    expect(chunks.filter((chunk) => 'x_ccx' in chunk)).toEqual([chunks.at(-1)]);
    expect(micro(receiptOf(chunks.at(-1)).gpu_seconds)).toBe(PROMPT * RATED.prompt + 2 * RATED.completion);
    await nothingHeld();
  });
});

describe('a client that goes away', () => {
  test('stops the endpoint at once and pays for what was delivered', async () => {
    let closedAt = 0;
    let written = 0;
    await open((_request, reply) => {
      reply.writeHead(200, { 'content-type': 'text/event-stream' });
      const more = setInterval(() => {
        written += 1;
        reply.write(chunkOf(' word'));
      }, 10);
      reply.once('close', () => {
        clearInterval(more);
        closedAt = performance.now();
      });
    });
    const stream = await world.client(world.key()).chat.completions.create({ model: CHAT, messages, stream: true });
    let chunks = 0;
    let abortedAt = 0;
    const pauses = countPauses();
    for await (const chunk of stream) {
      chunks += chunk.choices.length;
      if (chunks < 5) continue;
      abortedAt = performance.now();
      stream.controller.abort();
      break;
    }
    await expect.poll(() => closedAt).toBeGreaterThan(0);
    pauses.stop();
    expect(closedAt - abortedAt - pauses.millis).toBeLessThan(CLOSED_MILLIS_MAX);
    await expect.poll(usedGpu).toBeGreaterThanOrEqual(PROMPT * RATED.prompt + 4 * RATED.completion);
    expect(await usedGpu()).toBeLessThanOrEqual(PROMPT * RATED.prompt + written * RATED.completion);
    await nothingHeld();
  });

  test('before anything was delivered pays nothing', async () => {
    let reached = false;
    let closedAt = 0;
    await open((_request, reply) => {
      reached = true;
      reply.once('close', () => (closedAt = performance.now()));
    });
    const controller = new AbortController();
    const asked = world.client(world.key()).chat.completions.create({ model: CHAT, messages }, { signal: controller.signal });
    asked.catch(() => undefined);
    await expect.poll(() => reached, { interval: 10 }).toBe(true);
    const pauses = countPauses();
    const abortedAt = performance.now();
    controller.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(() => closedAt, { interval: 10 }).toBeGreaterThan(0);
    pauses.stop();
    expect(closedAt - abortedAt - pauses.millis).toBeLessThan(CLOSED_MILLIS_MAX);
    expect(await usedGpu()).toBe(0);
    await expect.poll(async () => nothingHeld().then(() => true, () => false)).toBe(true);
  });
});

test("the client's key stays here, and the endpoint's headers there", async () => {
  let seen: IncomingMessage['headers'] = {};
  await open((request, reply) => {
    seen = request.headers;
    reply.setHeader('set-cookie', 'secret=1').setHeader('x-secret', '1').end(JSON.stringify(answerOf(TEXT, undefined)));
  });
  const answer = await fetch(`${world.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.key()}`, 'content-type': 'application/json', cookie: 'ccx_session=secret', 'x-client': 'secret', 'x-forwarded-for': '1.2.3.4' },
    body: JSON.stringify({ model: CHAT, messages, vendor_field: { kept: true } }),
  });
  expect(answer.status).toBe(200);
  expect(seen.authorization).toBe('Bearer sk-endpoint');
  expect(JSON.stringify(seen)).not.toContain('ccx_');
  expect(Object.keys(seen).sort()).toEqual(['accept', 'accept-encoding', 'authorization', 'connection', 'content-length', 'content-type', 'host', 'user-agent']);
  expect(answer.headers.get('set-cookie')).toBeNull();
  expect(answer.headers.get('x-secret')).toBeNull();
});

test('a market that is away when a request is charged leaves nothing held once it is back', async () => {
  await open((_request, reply) => void reply.end(JSON.stringify(answerOf(TEXT, undefined))));
  const { sequencer } = world.services;
  const { submit, release } = sequencer;
  const away = (): Promise<never> => Promise.reject(new Unavailable('away'));
  let releases = 0;
  sequencer.submit = (envelope) => (envelope.command.type === 'capture' ? away() : submit.call(sequencer, envelope));
  sequencer.release = (request) => (releases++ === 0 ? away() : release.call(sequencer, request));
  await expect(create()).rejects.toMatchObject({ status: 503, code: 'provider_unavailable' });
  await expect.poll(() => releases).toBe(2);
  Object.assign(sequencer, { submit, release });
  await nothingHeld();
  expect(await usedGpu()).toBe(0);
});

describe('an endpoint that says when to come again', () => {
  const busy = (status: number, after: string, asked: { count: number }): Handler => (_request, reply) => {
    asked.count += 1;
    reply.writeHead(status, { 'retry-after': after }).end('{"error": {"message": "busy"}}');
  };
  const create = () => world.client(world.key()).chat.completions.create({ model: CHAT, messages, max_tokens: 20 });
  const waitOf = async (): Promise<{ status: number; seconds: number }> => {
    const error = await create().then(() => undefined, (failed: unknown) => failed as { status: number; headers: Headers });
    return { status: error?.status ?? 200, seconds: Number(error?.headers.get('retry-after')) };
  };

  test.each([[429, '7', 7], [429, '86400', 60], [429, '0', 1], [503, new Date(Date.now() + 3_600_000).toUTCString(), 60]])('%d %s is left alone for so long, and the client hears of it', async (status, after, seconds) => {
    const asked = { count: 0 };
    await open(busy(status, after, asked));
    const first = await waitOf();
    expect(first.status).toBe(status);
    expect(Math.abs(first.seconds - seconds)).toBeLessThanOrEqual(5);
    if (seconds === 1) return;
    const second = await waitOf();
    expect([second.status, asked.count]).toEqual([429, 1]);
    expect(second.seconds).toBeLessThanOrEqual(first.seconds);
  });

  test('costs no wait where another serves', async () => {
    const asked = { count: 0 };
    await open(busy(429, '30', asked), true);
    for (let count = 0; count < 3; count++) expect((await create()).choices).toHaveLength(1);
    expect(asked.count).toBe(1);
  });
});
