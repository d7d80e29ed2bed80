/** A market without the demo: who runs it, what is listed, and the list prices it recomputes by itself. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OFFERS, REGIONS } from '../db/seed/offers.ts';
import { execute, foundOperator, foundingCommands } from './founding.ts';
import { openApiWorld } from './http/test/api_world.ts';
import type { ApiWorld } from './http/test/api_world.ts';
import { ListPrices } from './upkeep/list_prices.ts';

const DAY = 86_400_000;
let world: ApiWorld;
let prices: ListPrices;

beforeAll(async () => {
  world = await openApiWorld();
  prices = new ListPrices(world.services);
}, 120_000);
afterAll(async () => {
  await prices.close();
  await world.close();
});

const directory = () => world.services.sequencer.query('directory', {});

test('founding lists what is missing once, and makes an operator whose people can act', async () => {
  const commands = foundingCommands(await directory(), OFFERS, ['a-model']);
  expect(commands.filter(({ type }) => type === 'addRegion').length).toBeGreaterThanOrEqual(REGIONS.length - 1);
  await execute(world.services.sequencer, commands);
  expect(foundingCommands(await directory(), OFFERS, ['a-model'])).toEqual([]);

  const first = await foundOperator(world.services, 'Founders', ['One@op.example', 'two@op.example']);
  expect(first.inAll).toBe(2);
  const again = await foundOperator(world.services, 'Founders', ['one@op.example']);
  expect(again).toEqual({ people: [{ email: 'one@op.example', secrets: undefined }], inAll: 2 });
  const [one] = first.people;
  const login = await world.call('POST', '/api/v1/auth/login', { body: { email: 'one@op.example', password: one.secrets?.password } });
  expect(login.status).toBe(200);
  expect((await world.call('GET', '/api/v1/invariants', { key: one.secrets?.key })).body).toMatchObject({ ok: true });
  const { user } = await world.member('borrower');
  await expect(foundOperator(world.services, 'Founders', [user.email])).rejects.toThrow('another company');
});

test('list prices are recomputed from the published offers each week and take effect after seven days', async () => {
  const { people } = await foundOperator(world.services, 'Founders', ['three@op.example']);
  const key = people[0].secrets?.key;
  const offer = (provider: string, usd: string, more = {}) => ({ provider, class: 'H100-SXM-80', usd_per_gpu_hour: usd, collected_at: '2026-11-30T00:00:00Z', ...more });
  const offers = [offer('a', '1.5'), offer('a', '9'), offer('b', '2'), offer('c', '2.5'), offer('d', '3'), offer('e', '0.4', { is_spot: true })];
  expect((await world.call('POST', '/api/v1/published-offers', { key, body: { offers } })).body).toEqual({ offers: 6, classes: 1 });
  expect((await world.call('GET', '/api/v1/published-offers?limit=4')).body.data).toHaveLength(4);
  expect((await world.call('POST', '/api/v1/published-offers', { key, body: { offers: [offer('a', '0')] } })).status).toBe(400);

  const classNow = async () => ((await world.call('GET', '/api/v1/classes')).body.data as Record<string, unknown>[]).find(({ id }) => id === 'H100-SXM-80') as Record<string, unknown>;
  const began = world.services.committed.now;
  prices.start();
  await prices.run();
  const announced = (await classNow()).next_list_price as { price: string; effective_at: string };
  // The third of four providers' lowest on-demand prices.
  expect(announced).toMatchObject({ price: '2.5000' });
  expect(Date.parse(announced.effective_at) - began).toBeGreaterThanOrEqual(7 * DAY);
  expect(Date.parse(announced.effective_at) - began).toBeLessThan(7 * DAY + 180_000);

  const now = announced.effective_at;
  expect((await world.call('POST', '/api/v1/clock', { key, body: { now } })).status).toBe(200);
  const effective = await classNow();
  expect(effective.list_price).toBe('2.5000');
  // The next week's is announced already.
  expect(effective.next_list_price).toMatchObject({ price: '2.5000' });

  // Other offers come in, and the clock leaps over two weeks: each has its price in its time.
  await world.call('POST', '/api/v1/published-offers', { key, body: { offers: ['1', '1.1', '1.2', '1.3'].map((usd, index) => offer('abcd'[index], usd)) } });
  const leap = new Date(Date.parse(now) + 15 * DAY).toISOString();
  expect((await world.call('POST', '/api/v1/clock', { key, body: { now: leap } })).body).toMatchObject({ now: leap });
  const later = await classNow();
  expect(later.list_price).toBe('1.2000');
  const next = later.next_list_price as { effective_at: string };
  expect(Date.parse(next.effective_at) - Date.parse(leap)).toBeLessThan(7 * DAY);
});
