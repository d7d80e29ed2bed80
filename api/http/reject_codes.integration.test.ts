/**
 * Refusals of single orders as a client meets them: the code, its message and its status, nothing stored, and of two causes the
 * one that stands first. What a facility's state or the pace of an account refuse is tried in the engine's table.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { REJECT_CODES } from '../../engine/catalogue.ts';
import type { RejectCode } from '../../engine/catalogue.ts';
import { API_ERRORS } from '../errors.ts';
import { CLASS, INSTRUMENT, REGION, equip, fund, openApiWorld } from './test/api_world.ts';
import type { Answer, ApiWorld, Member } from './test/api_world.ts';

let world: ApiWorld;
let members: Record<'buyer' | 'relative' | 'seller' | 'owned' | 'bare', Member>;
type Who = keyof typeof members;

const [HALTED, CANCEL_ONLY, ASKED] = ['T15Z', 'T16Z', 'T17Z'].map((hour) => INSTRUMENT.replace('T14Z', hour));

beforeAll(async () => {
  world = await openApiWorld();
  members = {
    buyer: await world.member('borrower'), relative: await world.member('borrower', 'relative', 'family'), seller: await world.member('provider'),
    owned: await world.member('provider', 'owned', 'family'), bare: await world.member('provider', 'bare'),
  };
  for (const member of [members.buyer, members.relative]) await fund(world, member, 10_000);
  for (const member of [members.seller, members.owned]) await equip(world, member, 1_000);
  await world.execute({ type: 'declareCapacity', company: members.bare.user.company, market: 0, gpus: 1_000 });
  await world.execute({ type: 'verifyCapacity', company: members.bare.user.company, market: 0, gpus: 1_000 });
  const operator = await world.member('operator');
  for (const [verb, scope] of [['halt', HALTED], ['cancel-only', CANCEL_ONLY]]) {
    await world.call('POST', `/api/v1/markets/${verb}`, { key: operator.key, body: { scope, reason: 'test' } });
  }
  // In one hour an own ask stands before the only other; and each has used a client order id.
  await place('owned', { instrument: ASKED, side: 'sell', price: '1.9000', quantity: '10' });
  await place('seller', { instrument: ASKED, side: 'sell', price: '2.0000', quantity: '5' });
  for (const [who, side, price] of [['buyer', 'buy', '1.0000'], ['relative', 'buy', '1.0000'], ['seller', 'sell', '3.0000'], ['bare', 'sell', '3.0000']] as const) {
    await place(who, { side, price, quantity: '0.01', client_order_id: 'used' });
  }
  // It has sold without a bond for what it sold.
  await place('bare', { side: 'sell', price: '3.9000', quantity: '1', instrument: INSTRUMENT.replace('T14Z', 'T18Z') });
  await place('buyer', { side: 'buy', price: '3.9000', quantity: '1', instrument: INSTRUMENT.replace('T14Z', 'T18Z') });
});
afterAll(() => world.close());

const place = (who: Who, order: object): Promise<Answer> =>
  world.call('POST', '/api/v1/orders', { key: members[who].key, body: { instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '8', ...order } });
const openOrders = async (who: Who): Promise<unknown> => (await world.call('GET', '/api/v1/orders?status=open', { key: members[who].key })).body.data;

interface Cause {
  code: RejectCode;
  /** Whose order meets it; of the causes without, anybody's. */
  who?: readonly Who[];
  order: Record<string, unknown>;
}
const anyhow = { side: 'buy' };
const CAUSES: readonly Cause[] = [
  { code: 'halted', order: { instrument: HALTED } },
  { code: 'cancel_only', order: { instrument: CANCEL_ONLY } },
  { code: 'instrument_unknown', order: { instrument: `${CLASS}.mars.20261201T14Z` } },
  { code: 'gate_closed', order: { instrument: `${CLASS}.${REGION}.20261130T14Z` } },
  { code: 'invalid_tick', order: { price: '1.00001' } },
  { code: 'invalid_step', order: { quantity: '8.001' } },
  { code: 'amount_out_of_range', order: { display_quantity: '-1' } },
  { code: 'not_authorized', who: ['seller'], order: anyhow },
  { code: 'price_band', who: ['buyer', 'relative'], order: { price: '41.0000' } },
  { code: 'price_band', who: ['seller', 'owned', 'bare'], order: { side: 'sell', price: '0.0001' } },
  { code: 'above_list_price', who: ['seller', 'owned', 'bare'], order: { side: 'sell', price: '4.0001' } },
  { code: 'duplicate_client_order_id', who: ['buyer', 'relative'], order: { client_order_id: 'used' } },
  { code: 'duplicate_client_order_id', who: ['seller', 'bare'], order: { side: 'sell', client_order_id: 'used' } },
  { code: 'insufficient_credits', who: ['buyer', 'relative'], order: { quantity: '20000' } },
  { code: 'insufficient_capacity', who: ['seller', 'owned', 'bare'], order: { side: 'sell', quantity: '1000.01' } },
  { code: 'bond_insufficient', who: ['bare'], order: { side: 'sell' } },
  { code: 'post_only_would_cross', who: ['buyer'], order: { instrument: ASKED, price: '2.0000', post_only: true } },
  { code: 'self_trade', who: ['relative'], order: { instrument: ASKED, price: '2.0000', minimum_quantity: '8', time_in_force: 'ioc' } },
  { code: 'minimum_quantity', who: ['buyer'], order: { instrument: ASKED, price: '2.0000', quantity: '20', minimum_quantity: '20' } },
];

async function expectRefused(who: Who, order: object, code: RejectCode): Promise<void> {
  const before = await openOrders(who);
  const answer = await place(who, order);
  expect([answer.status, answer.body], JSON.stringify(order)).toEqual([422, {
    error: { code, message: API_ERRORS[code].message, request_id: answer.headers.get('x-request-id') },
  }]);
  expect(await openOrders(who)).toEqual(before);
}

test.each(CAUSES.map((cause) => [cause.code, cause] as const))('%s', async (code, { who, order }) => {
  for (const one of who ?? (['buyer', 'relative'] as const)) await expectRefused(one, order, code);
});

const rank = ({ code }: Cause): number => REJECT_CODES.indexOf(code);
/** Two causes that one order can have: they say different things of it, or nothing different of the same. */
const together = (a: Cause, b: Cause): Who | undefined => {
  const contradict = Object.keys(a.order).some((field) => field in b.order && a.order[field] !== b.order[field]);
  const who = (a.who ?? b.who ?? ['buyer']).find((one) => (b.who ?? [one]).includes(one) && (one !== 'bare' || a.code === 'bond_insufficient' || b.code === 'bond_insufficient'));
  return contradict || a.code === b.code ? undefined : who;
};
const PAIRS = CAUSES.flatMap((first) => CAUSES.flatMap((second) => {
  const who = rank(first) < rank(second) ? together(first, second) : undefined;
  return who === undefined ? [] : [{ names: `${first.code} before ${second.code}`, who, order: { ...second.order, ...first.order }, code: first.code }];
}));

test('of two causes the one that stands first in the order of precedence', async () => {
  expect(PAIRS.length).toBeGreaterThan(60);
  for (const { who, order, code } of PAIRS) await expectRefused(who, order, code);
});
