/** A key that asks where, how exactly and how discreetly it is served. */
import { afterEach, expect, test } from 'vitest';
import type { EndpointNeeds } from '../auth/keys.ts';
import { createProvider } from '../demo/provider/provider.ts';
import { ANY_SPOT, CHAT, openGatewayWorld, receiptOf } from './test/gateway_world.ts';
import type { GatewayWorld } from './test/gateway_world.ts';

const messages = [{ role: 'user' as const, content: 'hello' }];
const NOTHING: EndpointNeeds = { countries: null, precisions: null, promptRetention: null };
let world: GatewayWorld;
afterEach(async () => {
  await world.check();
  await world.close();
});

/** The first provider promises nothing and is cheapest; the second is in Germany; the third as well, keeps nothing and computes in bf16. */
async function open(): Promise<void> {
  world = await openGatewayWorld({ providers: 3 });
  const server = () => createProvider({ firstTokenMillis: 0, tokenMillis: 0, apiKey: 'sk-endpoint' });
  await world.serveAt(world.providers[1], server(), [CHAT], { country: 'DE', precision: 'fp8', prompt_retention: '30 days' });
  await world.serveAt(world.providers[2], server(), [CHAT], { country: 'DE', precision: 'bf16', prompt_retention: 'none' });
  for (const [index, price] of [20_000, 22_000, 24_000].entries()) await world.offer(world.providers[index], price, 100);
}
const servedBy = async (needs: EndpointNeeds | null): Promise<string> =>
  receiptOf(await world.client(world.key({ needs, spot: ANY_SPOT })).chat.completions.create({ model: CHAT, messages, max_tokens: 10 })).provider;

test('is served from the spot book by the cheapest that promises it, past cheaper asks', async () => {
  await open();
  expect(await servedBy({ ...NOTHING, countries: ['FR', 'DE'] })).toBe('Provider 1');
  expect(await servedBy({ ...NOTHING, countries: ['DE'], promptRetention: ['None'] })).toBe('Provider 2');
  expect(await servedBy({ ...NOTHING, precisions: ['bf16', 'fp16'] })).toBe('Provider 2');
  await expect(servedBy({ ...NOTHING, countries: ['FR'] })).rejects.toMatchObject({ status: 429, code: 'capacity_exhausted' });
  // What was bought for others is the company's too: it costs least.
  await world.buy(20_000, 10);
  expect(await servedBy(null)).toBe('Provider 0');
});

test('never uses an allocation of another kind', async () => {
  await open();
  await world.buy(20_000, 100);
  expect(await servedBy({ ...NOTHING, countries: ['DE'] })).toBe('Provider 1');
  expect(await servedBy({ ...NOTHING })).toBe('Provider 0');
});
