/** A client that does not want to wait for a slow endpoint. */
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { createProvider } from '../../demo/provider/provider.ts';
import { CHAT, openGatewayWorld, receiptOf } from '../test/gateway_world.ts';
import type { GatewayWorld } from '../test/gateway_world.ts';
import type { RequestEntry } from './logbook.ts';

const NOTHING = (): void => undefined;

let world: GatewayWorld;
afterEach(async () => {
  await world.check();
  await world.close();
});

test('is answered by a second endpoint of the place, pays once, and the first is given up', async () => {
  world = await openGatewayWorld({ providers: 2 });
  const honest = createProvider({ firstTokenMillis: 0, tokenMillis: 0 });
  let asked = 0;
  let closed = 0;
  let slow = false;
  // Both endpoints are one server: whichever is asked first says nothing.
  const server = () => createServer((request, reply) => {
    if (request.method === 'GET' || !slow || asked++ > 0) return void honest.emit('request', request, reply);
    request.resume();
    reply.once('close', () => closed++);
  });
  for (let index = 0; index < 2; index++) await world.serveAt(world.providers[1], server(), [CHAT]);
  await world.offer(world.providers[1], 20_000, 100);
  await world.buy(20_000, 100);
  slow = true;
  const ask = (headers: Record<string, string>) => world.client(world.key(), headers).chat.completions.create({ model: CHAT, messages: [{ role: 'user', content: 'hello' }], max_tokens: 5 });
  const answer = await ask({ 'x-ccx-hedge': '20' });
  expect(answer.choices[0].message.content).toMatch(/\w/);
  expect(receiptOf(answer).provider).toBe('Provider 1');
  while (closed === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(asked).toBe(2);
  const usedGpu = async (): Promise<number> => (await world.services.sequencer.query('allocations', { company: world.borrower })).reduce((sum, view) => sum + view.usedGpu, 0);
  expect(await usedGpu()).toBe(Math.round(Number(receiptOf(answer).gpu_seconds) * 1e6));
  // A fast answer asks nobody else; a header that says nothing is refused.
  await ask({ 'x-ccx-hedge': '60000' });
  expect(asked).toBe(3);
  await expect(ask({ 'x-ccx-hedge': 'soon' })).rejects.toMatchObject({ status: 400, param: 'x-ccx-hedge' });
});

test('is answered by another provider where the place has no second endpoint, pays there, and leaves nothing held', async () => {
  world = await openGatewayWorld({ providers: 3 });
  let slow = false;
  let closed = 0;
  const silent = () => {
    const honest = createProvider({ firstTokenMillis: 0, tokenMillis: 0 });
    return createServer((request, reply) => {
      if (request.method === 'GET' || !slow) return void honest.emit('request', request, reply);
      request.resume();
      reply.once('close', () => closed++);
    });
  };
  await world.serveAt(world.providers[1], silent(), [CHAT]);
  await world.serveAt(world.providers[2], createProvider({ firstTokenMillis: 0, tokenMillis: 0 }), [CHAT]);
  for (const [index, price] of [[1, 20_000], [2, 30_000]] as const) {
    await world.offer(world.providers[index], price, 100);
    await world.buy(price, 100);
  }
  slow = true;
  const body = { model: CHAT, messages: [{ role: 'user' as const, content: 'hello' }], max_tokens: 5 };
  const client = world.client(world.key(), { 'x-ccx-hedge': '20' });
  const whole = await client.chat.completions.create(body);
  expect(receiptOf(whole).provider).toBe('Provider 2');
  let text = '';
  for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) text += chunk.choices[0].delta.content ?? '';
  expect(text).toBe(whole.choices[0].message.content);
  while (closed < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  const views = await world.services.sequencer.query('allocations', { company: world.borrower });
  expect(views.map(({ usedGpu }) => usedGpu).sort((a, b) => a - b)).toEqual([0, 2 * Math.round(Number(receiptOf(whole).gpu_seconds) * 1e6)]);
  // All of the first is there for one who asks for it: no hold was left.
  const ask = { company: world.borrower, request: 'all', model: world.services.directory.modelId(CHAT), worstGpu: { 0: 100 * 36_000_000 }, provider: world.providers[1], excluded: [] };
  expect(await world.services.sequencer.authorise(ask)).toMatchObject({ ok: true });
});

test('asks the next where one fails at once, and none that is known to be away', async () => {
  const entries: RequestEntry[] = [];
  world = await openGatewayWorld({ providers: 4, logbook: { request: (entry) => void entries.push(entry), probe: () => undefined, close: () => undefined } });
  let bad = false;
  let away = false;
  let failed = 0;
  const served = (wrong: (reply: ServerResponse) => void) => {
    const honest = createProvider({ firstTokenMillis: 0, tokenMillis: 0 });
    return createServer((request, reply) => {
      if (request.method === 'GET' ? !away || wrong === NOTHING : !bad) return void honest.emit('request', request, reply);
      request.resume();
      wrong(reply);
    });
  };
  await world.serveAt(world.providers[1], served(NOTHING), [CHAT]);
  await world.serveAt(world.providers[2], served((reply) => {
    failed++;
    reply.destroy();
  }), [CHAT]);
  await world.serveAt(world.providers[3], createProvider({ firstTokenMillis: 0, tokenMillis: 0 }), [CHAT]);
  for (const [index, price] of [[1, 20_000], [2, 30_000], [3, 35_000]] as const) {
    await world.offer(world.providers[index], price, 100);
    await world.buy(price, 100);
  }
  bad = true;
  const ask = () => world.client(world.key(), { 'x-ccx-hedge': '300' }).chat.completions.create({ model: CHAT, messages: [{ role: 'user', content: 'hello' }], max_tokens: 5 });
  expect(receiptOf(await ask()).provider).toBe('Provider 3');
  expect(failed).toBeGreaterThan(0);
  const [silent, broken, heard] = ['given_up', 'failed', 'answered'].map((outcome) => entries[0].trail.tries.find((one) => one.outcome === outcome));
  expect([silent?.provider, broken?.provider, heard?.provider]).toEqual(world.providers.slice(1));
  // Each has its own time: the one that failed at once took none of the others'.
  expect(broken?.began_ms).toBeGreaterThanOrEqual(290);
  expect(heard?.began_ms).toBeGreaterThanOrEqual(290);
  expect(silent?.began_ms).toBeLessThan(290);
  expect(broken?.error).not.toBeNull();
  away = true;
  await world.gateway.watch.heartbeat();
  const before = failed;
  expect(receiptOf(await ask()).provider).toBe('Provider 3');
  expect(failed).toBe(before);
});
