import { afterEach, describe, expect, test } from 'vitest';
import { Spending } from './spending.ts';
import { ANY_SPOT, CHAT, micro, openGatewayWorld, receiptOf } from '../test/gateway_world.ts';
import type { Ack } from '../../sequencer/port.ts';
import type { GatewayWorld } from '../test/gateway_world.ts';

/** After all that was committed. */
const acknowledged = (events: object[]): Ack => ({ events, sequence: world.services.committed.sequence + 1, first: (kind: string) => events.find((event) => (event as { kind: string }).kind === kind) }) as unknown as Ack;

const messages = [{ role: 'user' as const, content: 'hello' }];
let world: GatewayWorld;
afterEach(async () => {
  await world.check();
  await world.close();
});

describe("a key's monthly limit", () => {
  test('counts what was used before and since, and ends exactly there', async () => {
    world = await openGatewayWorld({ spent: { used: 1_000, bought: 0 } });
    await world.offer(world.providers[0], 24_000, 1_000);
    await world.buy(24_000, 100);
    const ask = (key: string) => world.client(key).chat.completions.create({ model: CHAT, messages, max_tokens: 100 });
    // Worst case: (8 + 1 + 36) x 33 + 100 x 250 micro GPU-seconds at 2.4 CR an hour, rounded up.
    const worst = Math.ceil(((45 * 33 + 100 * 250) * 2.4) / 3_600);
    const key = world.key({ monthlyLimit: 1_000 + 2 * worst });
    const first = micro(receiptOf(await ask(key)).credits_used);
    const second = micro(receiptOf(await ask(key)).credits_used);
    expect(first + second).toBeGreaterThan(worst);
    await expect(ask(key)).rejects.toMatchObject({ status: 402, code: 'budget_exceeded' });
    const both = world.key({ monthlyLimit: 1_000 + worst });
    const results = await Promise.allSettled([ask(both), ask(both), ask(both)]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

test('a key and its successors have one limit together, of use and of purchases', async () => {
  world = await openGatewayWorld({ spent: { used: 1_000, bought: 0 } });
  await world.offer(world.providers[0], 24_000, 1_000);
  const worst = Math.ceil(((45 * 33 + 100 * 250) * 2.4) / 3_600);
  // The fee of what is bought counts as well.
  const rights = { line: 'key_first', monthlyLimit: 1_000 + 2 * worst + 120, spot: { ...ANY_SPOT, monthlyLimit: 24_120 } };
  const [first, second, other] = [world.key(rights), world.key(rights), world.key({ ...rights, line: 'key_other' })];
  const ask = (key: string, more = {}) => world.client(key).chat.completions.create({ model: CHAT, messages, max_tokens: 100, ...more });
  await ask(first);
  const hold = { company: world.borrower, request: 'all', model: 0, worstGpu: { 0: 35_000_000 }, provider: -1, excluded: [] };
  expect((await world.services.sequencer.authorise(hold)).ok).toBe(true);
  // All that may be bought was bought for the first.
  await expect(ask(second, { max_tokens: 5_000 })).rejects.toMatchObject({ status: 402, code: 'budget_exceeded' });
  await world.services.sequencer.release('all');
  await ask(second);
  for (const key of [first, second]) await expect(ask(key)).rejects.toMatchObject({ status: 402, code: 'budget_exceeded' });
  await ask(other);
});

describe("a key's monthly limit of spot purchases", () => {
  test('counts price and fee of what was bought', async () => {
    world = await openGatewayWorld({ spent: { used: 0, bought: 100_000 } });
    await world.offer(world.providers[0], 24_000, 1_000);
    // One step costs 24,000 micro-CR and a fee of 120.
    const ask = (key: string) => world.client(key).chat.completions.create({ model: CHAT, messages, max_tokens: 100_000 });
    const key = world.key({ spot: { ...ANY_SPOT, monthlyLimit: 100_000 + 24_000 + 24_119 } });
    await ask(key);
    const held = await world.services.sequencer.authorise({ company: world.borrower, request: 'all', model: 0, worstGpu: { 0: 35_000_000 }, provider: -1, excluded: [] });
    expect(held.ok).toBe(true);
    await expect(ask(key)).rejects.toMatchObject({ status: 402, code: 'budget_exceeded' });
    // The price alone would fit: the fee is spent too.
    await expect(ask(world.key({ spot: { ...ANY_SPOT, monthlyLimit: 124_119 } }))).rejects.toMatchObject({ status: 402, code: 'budget_exceeded' });
    await ask(world.key({ spot: { ...ANY_SPOT, monthlyLimit: 124_120 } }));
    await world.services.sequencer.release('all');
  });
});

describe("a key's monthly limit of spot purchases, asked by many at once", () => {
  test('is not passed by purchases under way', async () => {
    world = await openGatewayWorld({ spent: { used: 0, bought: 0 } });
    const spending = new Spending(world.services, () => Promise.resolve({ used: 0, bought: 0 }), () => Promise.resolve(undefined));
    const call = { id: 'a', company: world.borrower, line: 'key_1', spot: { ...ANY_SPOT, monthlyLimit: 50_000 } };
    const [first] = await Promise.all([spending.reserveSpot(call, 24_000), spending.reserveSpot(call, 24_000)]);
    await expect(spending.reserveSpot(call, 24_000)).rejects.toMatchObject({ code: 'budget_exceeded' });
    // A purchase that bought nothing gives back at once; what one did buy stays counted for who has not seen it yet.
    first(acknowledged([]));
    const again = await spending.reserveSpot(call, 24_000);
    again(acknowledged([{ kind: 'orderAccepted', order: 7 }, { kind: 'fill', taker: 7, price: 20_000, quantity: 1, fee: 100 }, { kind: 'fill', taker: 8, price: 9, quantity: 9, fee: 9 }]));
    await expect(spending.reserveSpot(call, 24_000)).rejects.toMatchObject({ code: 'budget_exceeded' });
    const rest = await spending.reserveSpot(call, 50_000 - 24_000 - 20_100);
    // Nobody knows what became of it: it is counted as if it had bought.
    rest(undefined);
    await expect(spending.reserveSpot(call, 1)).rejects.toMatchObject({ code: 'budget_exceeded' });
    spending.stop();
  });

  test('is one limit over all processes', async () => {
    world = await openGatewayWorld({ spent: { used: 0, bought: 0 } });
    const [one, other] = [0, 1].map(() => new Spending(world.services, () => Promise.resolve({ used: 0, bought: 0 }), () => Promise.resolve(undefined)));
    const call = { id: 'a', company: world.borrower, line: 'key_1', spot: { ...ANY_SPOT, monthlyLimit: 50_000 } };
    const answers = await Promise.allSettled([one, other, one, other, other].map((spending, place) => spending.reserveSpot({ ...call, id: String(place) }, 24_000)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    for (const spending of [one, other]) spending.stop();
  });
});

describe("a project's budget", () => {
  test('is shared by its keys, exactly, and a key may have a limit of its own', async () => {
    world = await openGatewayWorld({ spent: { used: 1_000, bought: 0 } });
    await world.offer(world.providers[0], 24_000, 1_000);
    await world.buy(24_000, 100);
    const ask = (key: string) => world.client(key).chat.completions.create({ model: CHAT, messages, max_tokens: 100 });
    const worst = Math.ceil(((45 * 33 + 100 * 250) * 2.4) / 3_600);
    const project = { id: 'prj_1', monthlyBudget: 1_000 + 2 * worst };
    const [one, other] = [world.key({ project }), world.key({ project })];
    const spent = micro(receiptOf(await ask(one)).credits_used) + micro(receiptOf(await ask(other)).credits_used);
    expect(spent).toBeGreaterThan(worst);
    for (const key of [one, other]) await expect(ask(key)).rejects.toMatchObject({ status: 402, code: 'budget_exceeded', message: expect.stringMatching(/budget of this key's project/) as string });
    // Another project knows nothing of it; of many at once, as many are served as its budget holds.
    const tight = { id: 'prj_2', monthlyBudget: 1_000 + worst };
    // A key with less left of its own, which would hold it, is told what does not.
    const own = { project: tight, monthlyLimit: 1_000 + worst };
    const results = await Promise.allSettled([world.key(own), world.key(own), world.key(own)].map(ask));
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    for (const { reason } of results.filter((result) => result.status === 'rejected')) expect(reason).toMatchObject({ code: 'budget_exceeded', message: expect.stringMatching(/budget of this key's project/) as string });
    await expect(ask(world.key({ project: { id: 'prj_3', monthlyBudget: null }, monthlyLimit: 1_000 }))).rejects.toMatchObject({ status: 402 });
    await ask(world.key({ project: { id: 'prj_3', monthlyBudget: null } }));
  });
});
