/** Every route against every kind of caller: no key, wrong keys, each role, a read-only key, another company. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ROLES } from '../../engine/vocabulary.ts';
import type { Role } from '../../engine/vocabulary.ts';
import { isOpenAiPath } from './registry.ts';
import type { Route } from './route.ts';
import { INSTRUMENT, equip, fund, openApiWorld } from './test/api_world.ts';
import type { Answer, ApiWorld, Member } from './test/api_world.ts';

const world: ApiWorld = await openApiWorld();
const { routes } = world;
const closed = routes.filter((route) => route.scope !== 'public');
const named = (some: Route[]) => some.map((route) => [`${route.method.toUpperCase()} ${route.path}`, route] as const);

const members: Partial<Record<Role, Member>> = {};
const readOnly: Partial<Record<Role, string>> = {};
let revoked: string;
let expired: string;
let elsewhere: string;
/** Ids of things that belong to the first borrower and provider. */
const owned = { order: '', facility: '', key: '', endpoint: '', project: '' };

beforeAll(async () => {
  for (const role of ROLES) {
    const member = await world.member(role);
    members[role] = member;
    readOnly[role] = await world.keyFor(member.user, { scopes: ['read'] });
  }
  const { borrower, provider, lender } = members as Record<Role, Member>;
  revoked = await world.keyFor(borrower.user);
  const keys = await world.call('GET', '/api/v1/keys', { key: revoked });
  const [newest] = keys.body.data as { id: string }[];
  await world.call('DELETE', `/api/v1/keys/${newest.id}`, { key: borrower.key });
  expired = await world.keyFor(borrower.user, { expiresAt: Date.now() - 1 });
  elsewhere = await world.keyFor(borrower.user, { allowedIps: ['192.0.2.0/24'] });
  await fund(world, borrower, 1_000);
  await equip(world, provider, 100);
  await own(borrower, provider, lender);
}, 120_000);
afterAll(() => world.close());

async function own(borrower: Member, provider: Member, lender: Member): Promise<void> {
  const post = async (key: string, path: string, body: unknown): Promise<Record<string, unknown>> => (await world.call('POST', path, { key, body })).body;
  const placed = await post(borrower.key, '/api/v1/orders', { instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '1' });
  owned.order = (placed.order as { id: string }).id;
  await post(lender.key, '/api/v1/mandates', { amount: '5000000', grades: ['A', 'B', 'C'], maximum_per_borrower: '5000000', minimum_annual_rate_percent: '1' });
  const offer = await post(borrower.key, '/api/v1/facilities', { amount: '100000', months: 12, application: APPLICATION });
  owned.facility = String(offer.id);
  owned.project = String((await post(borrower.key, '/api/v1/projects', { name: 'mine' })).id);
  owned.key = String((await post(borrower.key, '/api/v1/keys', { name: 'mine', scopes: ['read'] })).id);
  owned.endpoint = String((await post(provider.key, '/api/v1/endpoints', { url: 'https://gpu.example.com/v1', class: 'H100-SXM-80', region: 'us-east', models: ['llama-3.1-8b'] })).id);
}
const APPLICATION = {
  cash: '12000000', monthly_burn: '400000', monthly_revenue: '900000', cash_trend_3m_percent: '5', revenue_growth_percent: '8', gross_margin_percent: '70',
  compute_share_percent: '20', forecast_error_percent: '5', top_customer_percent: '10', past_days_overdue: '0',
};

/** A path with ids in it: of things that exist, and belong to one company. */
function pathOf(route: Route): string {
  const id = route.path.includes('/orders/') ? owned.order : route.path.includes('/facilities/') ? owned.facility : route.path.includes('/keys/') ? owned.key : route.path.includes('/projects/') ? owned.project
    : route.path.includes('/endpoints/') ? owned.endpoint : INSTRUMENT;
  return route.path.replace('{id}', id);
}
const call = (route: Route, options: { key?: string } = {}): Promise<Answer> =>
  world.call(route.method.toUpperCase(), pathOf(route), { ...options, ...(route.body === undefined ? {} : { body: {} }) });

test('what the tests need exists', () => {
  expect(owned).toEqual({
    order: expect.stringMatching(/^ord_/), facility: expect.stringMatching(/^fac_/), key: expect.stringMatching(/^key_/), endpoint: expect.stringMatching(/^end_/), project: expect.stringMatching(/^prj_/),
  });
});

test('every route has a name of its own and says what it answers', () => {
  const operations = routes.map((route) => route.operationId);
  expect(new Set(operations).size).toBe(operations.length);
  for (const route of routes) expect(Object.keys(route.responses).length, route.path).toBeGreaterThan(0);
});

describe.each(named(closed))('%s', (_, route) => {
  test.each<[string, () => string | undefined, number, string]>([
    ['without a key', () => undefined, 401, 'unauthenticated'],
    ['with something that is no key', () => 'hunter2', 401, 'invalid_api_key'],
    ['with a key that never was', () => `ccx_live_${'A'.repeat(43)}`, 401, 'invalid_api_key'],
    ['with a revoked key', () => revoked, 401, 'invalid_api_key'],
    ['with an expired key', () => expired, 401, 'expired_api_key'],
    ['from an address the key is not for', () => elsewhere, 403, 'ip_not_allowed'],
  ])('is closed %s', async (_name, key, status, code) => {
    const answer = await call(route, { key: key() });
    // OpenAI's clients know no code for a missing key of its own.
    const expected = isOpenAiPath(route.path) && code === 'unauthenticated' ? 'invalid_api_key' : code;
    expect([answer.status, answer.body.error?.code]).toEqual([status, expected]);
  });

  test('is open to its roles and scope alone', async () => {
    for (const role of ROLES) {
      const mayByRole = route.roles === undefined || route.roles.includes(role);
      if (!mayByRole) {
        const answer: Answer = await call(route, { key: members[role]?.key });
        expect([role, answer.status, answer.body.error?.code]).toEqual([role, 403, 'role_not_allowed']);
      }
      if (mayByRole && route.scope !== 'read') {
        const answer: Answer = await call(route, { key: readOnly[role] });
        expect([role, answer.status, answer.body.error?.code]).toEqual([role, 403, 'insufficient_scope']);
      }
    }
  });
});

test.each(named(routes.filter((route) => route.path.includes('{id}') && route.scope !== 'public' && !isOpenAiPath(route.path))))('%s shows and changes nothing of another company', async (_, route) => {
  for (const role of ROLES) {
    if (role === 'operator' || (route.roles !== undefined && !route.roles.includes(role))) continue;
    const stranger = await world.member(role);
    const answer = await world.call(route.method.toUpperCase(), pathOf(route), { key: stranger.key, ...(route.body === undefined ? {} : { body: bodyFor(route) }) });
    expect([role, answer.status], JSON.stringify(answer.body)).toEqual([role, stranger.user.role === role && isForbiddenByScope(route, role) ? 403 : 404]);
  }
});

const isForbiddenByScope = (route: Route, role: Role): boolean => {
  const scopes: Record<Role, string[]> = {
    borrower: ['read', 'trade', 'credit', 'account', 'keys', 'inference'], provider: ['read', 'trade', 'provide', 'account', 'keys'], lender: ['read', 'lend', 'account', 'keys'],
    operator: [],
  };
  return !scopes[role].includes(route.scope);
};

/** Bodies that are well formed, so that only ownership can be the reason of a refusal. */
function bodyFor(route: Route): unknown {
  const bodies: Record<string, unknown> = {
    amendOrder: { price: '1.1000' }, drawFacility: { amount: '10' }, repayFacility: { amount: '10' }, returnCredits: { lot_id: 'lot_0', credits: '1' }, freezeFacility: { reason: 'test' },
    counterOffer: { amount: '10', months: 6 }, setFacilityOptions: { draw_on_demand: true }, reportFinancials: { cash: '10', monthly_burn: '1' },
  };
  return bodies[route.operationId] ?? {};
}

test.each(named(routes.filter((route) => route.scope === 'public' && !route.path.includes('/auth/'))))('%s is open to all, with or without a usable key', async (_, route) => {
  for (const key of [undefined, revoked, expired]) {
    const answer = await call(route, { key });
    expect([200, 400, 404]).toContain(answer.status);
  }
});

/** OpenAI's paths pass on what vendors add. */
test('every body of the exchange is checked by a schema that takes no unknown fields', () => {
  for (const route of routes) {
    if (route.body === undefined || route.contentType !== undefined || isOpenAiPath(route.path)) continue;
    expect(route.body instanceof z.ZodObject && route.body.safeParse({ nobody_knows_this: 1 }).success, route.path).toBe(false);
  }
});
