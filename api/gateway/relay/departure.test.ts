import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AddressGuard } from '../endpoints/address_guard.ts';
import { Departure } from './departure.ts';
import { CHAT, openGatewayWorld } from '../test/gateway_world.ts';
import type { GatewayWorld } from '../test/gateway_world.ts';
import { countPauses } from '../test/pauses.ts';
import { Upstream } from './upstream.ts';

/** Milliseconds until an endpoint's side of an exchange is closed, when its client has gone away. */
const CLOSED_MILLIS_MAX = 250;
const ROUNDS = 10;

let world: GatewayWorld;
let answer: (reply: ServerResponse) => void = (reply) => void reply.end(JSON.stringify({ choices: [{ message: { content: 'x' } }] }));
/** Resolves when the endpoint has the request under way, then when its connection is closed. */
let reached: () => void = () => undefined;
let closed: (at: number) => void = () => undefined;

beforeAll(async () => {
  world = await openGatewayWorld({ providers: 2 });
  const server = createServer((request, reply) => {
    if (request.method === 'GET') return void reply.end(JSON.stringify({ object: 'list', data: [{ id: CHAT }] }));
    request.resume();
    request.on('end', () => {
      reply.once('close', () => closed(performance.now()));
      answer(reply);
      reached();
    });
  });
  await world.serveAt(world.providers[1], server, [CHAT]);
  await world.offer(world.providers[1], 20_000, 100);
  await world.buy(20_000, 100);
});
afterAll(async () => {
  await world.check();
  await world.close();
});

const chunk = (text: string): string => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text }, finish_reason: null }] })}\n\n`;
const streaming = (reply: ServerResponse): void => void reply.writeHead(200, { 'content-type': 'text/event-stream' }).write(chunk('one'));
const PHASES: [string, boolean, (reply: ServerResponse) => void][] = [
  ['before the head of the answer', false, () => undefined],
  ['within an answer that comes whole', false, (reply) => void reply.writeHead(200, { 'content-type': 'application/json' }).write('{"choices":[')],
  ['within a stream', true, streaming],
  ['within a stream that nobody reads', true, (reply) => {
    streaming(reply);
    for (let index = 0; index < 64; index++) reply.write(chunk('x'.repeat(100_000)));
  }],
];

const ask = (key: string, stream: boolean, { signal, ...headers }: { signal?: AbortSignal; 'idempotency-key'?: string } = {}): Promise<Response> =>
  fetch(`${world.url}/v1/chat/completions`, {
    method: 'POST', signal, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: CHAT, messages: [{ role: 'user', content: 'hello' }], stream, max_tokens: 100 }),
  });

test('a key that is revoked ends what it has under way, and says so', async () => {
  answer = streaming;
  const [key, other] = [world.key(), world.key()];
  const [ended, goesOn] = [await ask(key, true), await ask(other, true)];
  answer = () => undefined;
  const underWay = new Promise<void>((resolve) => (reached = resolve));
  const whole = ask(key, false);
  await underWay;
  world.revoke(key);
  const text = await ended.text();
  expect(text).toContain('"content":"one"');
  expect(text).not.toContain('[DONE]');
  expect(JSON.parse(text.trim().split('\n').at(-1)?.slice('data: '.length) ?? '')).toMatchObject({ error: { code: 'invalid_api_key' } });
  expect((await whole).status).toBe(401);
  expect(await Promise.race([goesOn.text(), new Promise((resolve) => setTimeout(() => resolve('still there'), 50))])).toBe('still there');
  world.revoke(other);
});

test('a repeat of a stream that its client has left ends as that did', async () => {
  answer = streaming;
  const key = world.key();
  const leaving = new AbortController();
  const reader = (await ask(key, true, { signal: leaving.signal, 'idempotency-key': 'left' })).body?.getReader();
  await reader?.read();
  leaving.abort();
  answer = () => undefined;
  const text = await (await ask(key, true, { 'idempotency-key': 'left' })).text();
  expect(text).toContain('"content":"one"');
  expect(text).toContain('The client ended this stream');
  expect(text).not.toContain('provider_error');
});

test.each(PHASES)('a client that goes away %s takes its endpoint along', async (_, stream, then) => {
  answer = then;
  const slowest: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const underWay = new Promise<void>((resolve) => (reached = resolve));
    const gone = new Promise<number>((resolve) => (closed = resolve));
    const { port } = new URL(world.url);
    const body = JSON.stringify({ model: CHAT, messages: [{ role: 'user', content: 'hello' }], stream, max_tokens: 100 });
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${world.key()}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await underWay;
    // Long enough that the first bytes have gone through.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const pauses = countPauses();
    const left = performance.now();
    socket.destroy();
    slowest.push((await gone) - left - pauses.millis);
    pauses.stop();
  }
  expect(Math.max(...slowest)).toBeLessThan(CLOSED_MILLIS_MAX);
}, 30_000);

test('a client that goes away while its endpoint is being connected to: nothing is asked there, and nothing stays held', async () => {
  // Accepts at once, as an operating system does, but says nothing of TLS: the connection is never made.
  const silent = createTcpServer();
  const calls: Socket[] = [];
  silent.on('connection', (socket) => void calls.push(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const guard = new AddressGuard(['127.0.0.0/8']);
  const upstream = new Upstream(guard);
  for (let round = 0; round < ROUNDS; round++) {
    const gone = new Departure();
    const asked = upstream.post({ url: `https://127.0.0.1:${(silent.address() as AddressInfo).port}/v1`, credential: undefined }, '/chat/completions', '{}', gone);
    while (calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    const pauses = countPauses();
    const left = performance.now();
    gone.abort();
    await expect(asked).rejects.toMatchObject({ fault: 'aborted' });
    expect(performance.now() - left - pauses.millis).toBeLessThan(CLOSED_MILLIS_MAX);
    pauses.stop();
  }
  upstream.close();
  silent.close();
  for (const socket of calls) socket.destroy();
});
