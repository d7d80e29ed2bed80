/**
 * Refusals that take a loan, or an account in a hurry, as a client meets them: each by its code, and before or behind the others as
 * the order of precedence has it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PARAMETERS } from '../../engine/parameters.ts';
import { MILLIS_PER_DAY } from '../../engine/numbers/units.ts';
import { parseId } from '../ids.ts';
import { TEST_EPOCH } from '../sequencer/in_process.ts';
import { CLASS, REGION, equip, openApiWorld } from './test/api_world.ts';
import type { Answer, ApiWorld, Member } from './test/api_world.ts';
import { expectRefused, pairsOf } from './test/refusals.ts';
import type { Cause } from './test/refusals.ts';

const BORROWERS = ['usual', 'late', 'exposed', 'frozen', 'brief', 'busy', 'hasty', 'concentrated'] as const;
type Who = (typeof BORROWERS)[number];
/** Operations of one call. */
const BATCH = 500;

let world: ApiWorld;
let lender: Member;
let seller: Member;
const others: Member[] = [];
const members = {} as Record<Who, Member>;

/** Who is late has a loan for as long as this when the others' begin; an exposed borrower's is a day older. */
const DAYS_LATE = 45;
/** An hour a day and so many days after the first loan began. */
const instrument = (days: number): string => `${CLASS}.${REGION}.${new Date(TEST_EPOCH + days * MILLIS_PER_DAY).toISOString().slice(0, 10).replaceAll('-', '')}T14Z`;
const [INSTRUMENT, WORTHLESS, SOLD, ONE_SELLER, FAR] = [3, 4, 5, 6, 80].map((days) => instrument(DAYS_LATE + days));

const APPLICATION = {
  cash: '12000000', monthly_burn: '400000', monthly_revenue: '900000', cash_trend_3m_percent: '5', revenue_growth_percent: '150', gross_margin_percent: '70',
  compute_share_percent: '30', forecast_error_percent: '5', top_customer_percent: '10', past_days_overdue: '0',
};

const post = async (member: Member, path: string, body: unknown): Promise<Answer> => {
  const answer = await world.call('POST', `/api/v1${path}`, { key: member.key, body });
  expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  return answer;
};
const setDay = (day: number): Promise<number> => world.services.sequencer.setClock(TEST_EPOCH + day * MILLIS_PER_DAY);
const bodyOf = (order: object): Record<string, unknown> => ({ instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '8', ...order });
const place = (member: Member, order: object): Promise<Answer> => post(member, '/orders', bodyOf(order));

/** A borrower that has drawn all it may of a loan at once; `cash`: how little it has makes its grade. */
async function borrow(who: Who, months = 12, cash = APPLICATION.cash): Promise<string> {
  members[who] = await world.member('borrower', who);
  const { id } = (await post(members[who], '/facilities', { amount: '1000000', months, method: 'annuity', application: { ...APPLICATION, cash } })).body;
  await post(members[who], `/facilities/${String(id)}/accept`, {});
  await post(members[who], `/facilities/${String(id)}/draws`, { amount: '400000' });
  return String(id);
}

/** Buys what a seller offers there: so much of a list price of 4. */
async function buy(who: Who, of: Member, hour: string, quantity: string): Promise<void> {
  await place(of, { instrument: hour, side: 'sell', price: '4.0000', quantity });
  expect((await place(members[who], { instrument: hour, price: '4.0000', quantity })).body.order).toMatchObject({ status: 'filled' });
}

/** Enters orders until it is too many for a second: to change a price is to enter an order. */
async function hurry({ user, key }: Member): Promise<void> {
  const { company } = user;
  const { id } = (await world.call('POST', '/api/v1/orders', { key, body: bodyOf({ quantity: '0.01', price: '0.1000' }) })).body.order as { id: string };
  const operations = Array.from({ length: BATCH }, (_, index) => ({ type: 'amend', company, order: parseId('order', id) ?? 0, price: 1_000 + ((index + 1) % 2), quantity: 0 }) as const);
  const batches = Array.from({ length: PARAMETERS.ordersPerSecond / BATCH }, () => world.services.sequencer.submit({ command: { type: 'batch', company, operations }, idempotencyKey: '', bodyHash: '' }));
  await Promise.all(batches);
}

beforeAll(async () => {
  world = await openApiWorld();
  lender = await world.member('lender');
  seller = await world.member('provider');
  await equip(world, seller, 1_000_000);
  for (const name of ['one', 'two', 'three']) {
    const other = await world.member('provider', name);
    await equip(world, other, 1_000_000);
    others.push(other);
  }
  await post(lender, '/mandates', { amount: '50000000', grades: ['A', 'B', 'C'], maximum_per_borrower: '10000000', minimum_annual_rate_percent: '5' });
  await borrow('late');
  await setDay(DAYS_LATE);
  // Hours that it paid much for, and for which nobody would pay anything now, secure little.
  await borrow('exposed', 12, '2000000');
  for (const other of others) await buy('exposed', other, WORTHLESS, '11600');
  // 40 % of all that was spent then.
  await buy('exposed', seller, WORTHLESS, '23200');
  await setDay(DAYS_LATE + 1);
  for (const who of ['brief', 'busy', 'hasty', 'usual', 'concentrated'] as const) await borrow(who, who === 'brief' ? 1 : 12);
  const frozen = await borrow('frozen');
  for (const who of BORROWERS) if (who !== 'late') await place(members[who], { instrument: SOLD, price: '0.1000', quantity: '0.01', client_order_id: 'used' });
  for (const hour of [INSTRUMENT, WORTHLESS, ONE_SELLER]) await place(members.usual, { instrument: hour, price: '0.0001', quantity: '0.01' });
  // 5 % of the commitment, 75,000 CR.
  await buy('concentrated', seller, SOLD, '18750');
  await place(seller, { instrument: ONE_SELLER, side: 'sell', price: '3.9000', quantity: '5' });
  await place(members.usual, { instrument: SOLD, quantity: '350000' });
  await place(members.concentrated, { instrument: SOLD, quantity: '280000' });
  await post(lender, `/facilities/${frozen}/freeze`, { fraction: '1', reason: 'test' });
  const operations = Array.from({ length: PARAMETERS.openOrders.A - 1 }, () => ({ op: 'place', ...bodyOf({ instrument: SOLD, price: '0.1000', quantity: '0.01' }) }));
  await post(members.busy, '/orders/batch', { operations });
  await hurry(members.hasty);
}, 60_000);
afterAll(() => world.close());

/** What refuses every order of somebody. */
const ALWAYS = { late: 'past_due', frozen: 'facility_frozen', busy: 'too_many_orders', hasty: 'rate_limited' } as const;
const CAUSES: readonly Cause<Who>[] = [
  { code: 'invalid_step', who: BORROWERS, order: { display_quantity: '0.001' } },
  { code: 'facility_frozen', who: ['frozen'], order: {} },
  { code: 'facility_not_active', who: ['brief'], order: { instrument: FAR } },
  { code: 'past_due', who: ['late'], order: {} },
  { code: 'price_band', who: BORROWERS, order: { price: '41.0000' } },
  { code: 'too_many_orders', who: ['busy'], order: {} },
  { code: 'rate_limited', who: ['hasty'], order: {} },
  { code: 'duplicate_client_order_id', who: BORROWERS, order: { client_order_id: 'used' } },
  { code: 'day_notional', who: BORROWERS, order: { quantity: '400000' } },
  { code: 'insufficient_credits', who: ['usual', 'concentrated'], order: { price: '1.0000', quantity: '260000' } },
  { code: 'concentration', who: ['concentrated', 'exposed'], order: { instrument: ONE_SELLER } },
  { code: 'exposure', who: ['exposed'], order: { price: '1.0000', quantity: '200000' } },
  { code: 'post_only_would_cross', who: BORROWERS, order: { instrument: ONE_SELLER, price: '3.9000', post_only: true } },
  { code: 'minimum_quantity', who: BORROWERS, order: { instrument: ONE_SELLER, price: '3.9000', minimum_quantity: '8' } },
];
/** Whom nothing else refuses first. */
const alone = ({ code, who }: Cause<Who>): Who[] => who.filter((one) => !(one in ALWAYS) || ALWAYS[one as keyof typeof ALWAYS] === code);

test.each(CAUSES.map((cause) => [cause.code, cause] as const))('%s', async (code, cause) => {
  const [first] = alone(cause);
  await expectRefused(world, members[first].key, bodyOf(cause.order), code);
});

test('of two causes the one that stands first in the order of precedence', async () => {
  const pairs = pairsOf(CAUSES, ALWAYS);
  expect(pairs.length).toBeGreaterThan(50);
  for (const { who, order, code } of pairs) await expectRefused(world, members[who].key, bodyOf(order), code);
});
