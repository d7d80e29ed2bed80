/** Hours that nobody uses are offered by themselves, where their owner wants that. */
import { afterEach, expect, test } from 'vitest';
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import { AutomaticResale } from './automatic_resale.ts';
import type { ResalePolicy } from './automatic_resale.ts';
import { CHAT, HOUR, START, openGatewayWorld } from '../gateway/test/gateway_world.ts';
import type { GatewayWorld } from '../gateway/test/gateway_world.ts';

let world: GatewayWorld;
let resale: AutomaticResale;
afterEach(async () => {
  await resale.close();
  await world.check();
  await world.close();
});

/** One GPU through the hour at 2.00, and a policy. */
async function open(policy: Partial<ResalePolicy> = {}): Promise<void> {
  world = await openGatewayWorld();
  await world.offer(world.providers[0], 20_000, 200);
  await world.buy(20_000, 100);
  resale = new AutomaticResale(world.services, { enabled: () => Promise.resolve([{ company: world.borrower, enabled: true, priceFloor: 15_000, idleMinutes: 10, ...policy }]) });
}
const after = async (minutes: number): Promise<void> => {
  await world.services.sequencer.setClock(START + minutes * MILLIS_PER_MINUTE);
  await resale.run();
};
const offered = async (): Promise<number> => (await world.services.sequencer.query('allocations', { company: world.borrower })).reduce((sum, { offeredGpu }) => sum + offeredGpu, 0);
const openOrders = async (): Promise<{ price: number; resaleOf: number; quantity: number }[]> =>
  (await world.services.sequencer.query('market', {})).orders.filter(({ company }) => company === world.borrower);

test('once it has been idle for so long, at the best ask of others; and not twice', async () => {
  await open();
  await after(9);
  expect(await offered()).toBe(0);
  await after(10);
  expect(await offered()).toBeGreaterThan(0);
  const orders = await openOrders();
  expect(orders).toMatchObject([{ price: 20_000 }]);
  await after(11);
  expect(await openOrders()).toHaveLength(1);
});

test('not while it is used', async () => {
  await open();
  await world.services.sequencer.setClock(START + 8 * MILLIS_PER_MINUTE);
  await world.client(world.key()).chat.completions.create({ model: CHAT, messages: [{ role: 'user', content: 'hello' }], max_tokens: 5 });
  await after(12);
  expect(await offered()).toBe(0);
  await after(18);
  expect(await offered()).toBeGreaterThan(0);
});

test('not before it has been owned for so long', async () => {
  await open();
  await world.services.sequencer.setClock(START + 8 * MILLIS_PER_MINUTE);
  await world.buy(20_000, 100);
  await after(12);
  // The first of the two has been idle since the beginning.
  expect(await openOrders()).toHaveLength(1);
  await after(17);
  expect(await openOrders()).toHaveLength(1);
  await after(18);
  expect(await openOrders()).toHaveLength(2);
});

test('not below the floor, and not above the list price', async () => {
  await open({ priceFloor: 30_000 });
  await after(10);
  expect(await openOrders()).toMatchObject([{ price: 30_000 }]);
  await resale.close();
  await world.check();
  await world.close();
  await open({ priceFloor: 50_000 });
  await after(10);
  expect(await openOrders()).toEqual([]);
});

test('not in the last minutes of the hour', async () => {
  await open();
  await world.services.sequencer.setClock((HOUR + 1) * MILLIS_PER_HOUR - MILLIS_PER_MINUTE);
  await resale.run();
  expect(await offered()).toBe(0);
});
