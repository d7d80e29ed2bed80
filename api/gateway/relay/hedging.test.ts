/** A client that does not want to wait for a slow endpoint. */
import { createServer } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { createProvider } from '../../demo/provider/provider.ts';
import { CHAT, openGatewayWorld, receiptOf } from '../test/gateway_world.ts';
import type { GatewayWorld } from '../test/gateway_world.ts';

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
