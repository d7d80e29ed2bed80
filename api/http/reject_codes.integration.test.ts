/**
 * Refusals of single orders as a client meets them: the code, its message and its status, nothing stored, and of two causes the
 * one that stands first. What a loan or the pace of an account refuses: credit_codes.integration.test.ts.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLASS, INSTRUMENT, REGION, equip, fund, openApiWorld } from './test/api_world.ts';
import type { Answer, ApiWorld, Member } from './test/api_world.ts';
import { expectRefused, pairsOf } from './test/refusals.ts';
import type { Cause } from './test/refusals.ts';

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

const bodyOf = (order: object): Record<string, unknown> => ({ instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '8', ...order });
const place = (who: Who, order: object): Promise<Answer> => world.call('POST', '/api/v1/orders', { key: members[who].key, body: bodyOf(order) });


const anybody = ['buyer', 'relative', 'seller', 'owned', 'bare'] as const;
const CAUSES: readonly Cause<Who>[] = [
  { code: 'halted', who: anybody, order: { instrument: HALTED } },
  { code: 'cancel_only', who: anybody, order: { instrument: CANCEL_ONLY } },
  { code: 'instrument_unknown', who: anybody, order: { instrument: `${CLASS}.mars.20261201T14Z` } },
  { code: 'gate_closed', who: anybody, order: { instrument: `${CLASS}.${REGION}.20261130T14Z` } },
  { code: 'invalid_tick', who: anybody, order: { price: '1.00001' } },
  { code: 'invalid_step', who: anybody, order: { quantity: '8.001' } },
  { code: 'amount_out_of_range', who: anybody, order: { display_quantity: '-1' } },
  { code: 'not_authorized', who: ['seller'], order: { side: 'buy' } },
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

test.each(CAUSES.map((cause) => [cause.code, cause] as const))('%s', async (code, { who, order }) => {
  for (const one of who) await expectRefused(world, members[one].key, bodyOf(order), code);
});

const PAIRS = pairsOf(CAUSES, { bare: 'bond_insufficient' });

test('of two causes the one that stands first in the order of precedence', async () => {
  expect(PAIRS.length).toBeGreaterThan(60);
  for (const { who, order, code } of PAIRS) await expectRefused(world, members[who].key, bodyOf(order), code);
});
