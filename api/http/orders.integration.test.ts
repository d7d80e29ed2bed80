/** Orders over HTTP: bodies of the contract, precedence of refusals, idempotency, who sees what. */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { CLASS, INSTRUMENT, MODEL, REGION, equip, fund, openApiWorld } from './test/api_world.ts';
import type { Answer, ApiWorld, Member } from './test/api_world.ts';

let world: ApiWorld;
let borrower: Member;
let other: Member;
let provider: Member;
let operator: Member;

beforeAll(async () => {
  world = await openApiWorld();
  borrower = await world.member('borrower');
  other = await world.member('borrower');
  provider = await world.member('provider');
  operator = await world.member('operator');
  await fund(world, borrower, 100_000);
  await fund(world, other, 100_000);
  await equip(world, provider, 1_000);
});
afterAll(() => world.close());
beforeEach(async () => {
  for (const member of [borrower, other, provider]) await world.call('DELETE', '/api/v1/orders', { key: member.key });
});

const place = (member: Member, order: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Answer> =>
  world.call('POST', '/api/v1/orders', { key: member.key, body: { instrument: INSTRUMENT, side: 'buy', type: 'limit', quantity: '8', ...order }, headers });
const sell = (order: Record<string, unknown> = {}): Promise<Answer> => place(provider, { side: 'sell', price: '2.0000', ...order });
const orderOf = (answer: Answer): Record<string, unknown> => answer.body.order as Record<string, unknown>;
const codeOf = (answer: Answer): string | undefined => answer.body.error?.code;

test('a bid rests with its hold, and a sale meets it', async () => {
  const bid = await place(borrower, { price: '2.1500', client_order_id: 'a-1' });
  expect(bid.status).toBe(201);
  expect(orderOf(bid)).toMatchObject({
    id: expect.stringMatching(/^ord_/), instrument: INSTRUMENT, side: 'buy', type: 'limit', price: '2.1500', quantity: '8', status: 'open', filled_quantity: '0',
    remaining_quantity: '8', average_price: null, hold: '17.286', fees: '0.00', reject_code: null, client_order_id: 'a-1', net_usd_per_gpu_hour: null,
  });
  expect(bid.body.fills).toEqual([]);
  const ask = await sell({ price: '2.0000', quantity: '3' });
  expect(orderOf(ask)).toMatchObject({ status: 'filled', filled_quantity: '3', average_price: '2.1500', hold: '0.00', fees: '0.00', net_usd_per_gpu_hour: '1.330334' });
  expect(ask.body.fills).toEqual([
    expect.objectContaining({ id: expect.stringMatching(/^fil_/), price: '2.1500', quantity: '3', liquidity: 'taker', fee: '0.019995', fee_currency: 'USD', counterparty: null, allocation_id: null }),
  ]);
});

test('a bid that takes tells its fills, its fee and the allocation', async () => {
  await sell();
  const bid = await place(borrower, { price: '2.5000', quantity: '8', time_in_force: 'ioc' });
  expect(orderOf(bid)).toMatchObject({ status: 'filled', average_price: '2.0000', fees: '0.08', hold: '0.00' });
  expect(bid.body.fills).toEqual([
    expect.objectContaining({ price: '2.0000', quantity: '8', liquidity: 'taker', fee: '0.08', fee_currency: 'CR', allocation_id: expect.stringMatching(/^alc_/) }),
  ]);
});

test('what finds no match and may not rest is cancelled, not refused', async () => {
  for (const time_in_force of ['ioc', 'fok']) {
    const answer = await place(borrower, { price: '1.0000', time_in_force });
    expect(answer.status).toBe(201);
    expect(orderOf(answer)).toMatchObject({ status: 'canceled', cancel_reason: time_in_force, filled_quantity: '0' });
  }
});

test('amends and cancels, and the answer is the order as it stands', async () => {
  const id = String(orderOf(await place(borrower, { price: '1.5000' })).id);
  const amended = await world.call('PATCH', `/api/v1/orders/${id}`, { key: borrower.key, body: { quantity: '5' } });
  expect(amended.status).toBe(200);
  expect(orderOf(amended)).toMatchObject({ id, price: '1.5000', remaining_quantity: '5', quantity: '5', status: 'open' });
  const repriced = await world.call('PATCH', `/api/v1/orders/${id}`, { key: borrower.key, body: { price: '1.6000' } });
  expect(orderOf(repriced)).toMatchObject({ price: '1.6000', hold: '8.04' });
  const canceled = await world.call('DELETE', `/api/v1/orders/${id}`, { key: borrower.key });
  expect(canceled.status).toBe(200);
  expect(orderOf(canceled)).toMatchObject({ id, status: 'canceled', cancel_reason: 'requested', hold: '0.00', remaining_quantity: '5', filled_quantity: '0' });
});

test("one's own order that is over can be changed no more, and another company learns nothing of it", async () => {
  await sell({ price: '2.0000', quantity: '1' });
  const ids = [
    orderOf(await place(borrower, { price: '2.0000', quantity: '1' })).id, orderOf(await place(borrower, { price: '1.0000', time_in_force: 'ioc' })).id,
    orderOf(await place(borrower, { price: '1.0000' })).id,
  ].map(String);
  expect((await world.call('DELETE', `/api/v1/orders/${ids[2]}`, { key: borrower.key })).status).toBe(200);
  const seenBy = async (member: Member, id: string) => {
    const single = await Promise.all([
      world.call('DELETE', `/api/v1/orders/${id}`, { key: member.key }), world.call('PATCH', `/api/v1/orders/${id}`, { key: member.key, body: { quantity: '1' } }),
    ]);
    const batch = await world.call('POST', '/api/v1/orders/batch', { key: member.key, body: { operations: [{ op: 'cancel', id }, { op: 'amend', id, quantity: '1' }] } });
    const results = batch.body.results as { status: number; error?: { code: string } }[];
    return [...single.map((answer) => [answer.status, codeOf(answer)]), ...results.map(({ status, error }) => [status, error?.code])];
  };
  for (const id of ids) {
    expect(await seenBy(borrower, id)).toEqual(Array.from({ length: 4 }, () => [409, 'order_closed']));
    expect(await seenBy(other, id)).toEqual(Array.from({ length: 4 }, () => [404, 'unknown_order']));
  }
  expect(await seenBy(borrower, 'ord_999999')).toEqual(Array.from({ length: 4 }, () => [404, 'unknown_order']));
});

test('a batch that was executed is not answered as if it were not, although the tables of the past are behind', async () => {
  const id = String(orderOf(await place(borrower, { price: '1.0000', time_in_force: 'ioc' })).id);
  const send = (idempotencyKey?: string) => world.call('POST', '/api/v1/orders/batch', { key: borrower.key, headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }, body: { operations: [{ op: 'cancel', id }] } });
  const behind = vi.spyOn(world.services.projections, 'waitFor').mockResolvedValue(false);
  const codes = ({ body }: { body: Record<string, unknown> }) => (body.results as { error?: { code: string } }[]).map(({ error }) => error?.code);
  expect(codes(await send())).toEqual(['unknown_order']);
  expect((await send('behind')).status).toBe(503);
  behind.mockRestore();
  expect(codes(await send('behind'))).toEqual(['order_closed']);
});

test('who changes an order hears within a second that the tables of the past stand still, while the database answers questions', async () => {
  const still = await world.services.database.transaction();
  await still.raw('lock table projections.positions in exclusive mode');
  try {
    const id = String(orderOf(await place(borrower, { price: '1.0000', time_in_force: 'ioc' })).id);
    const asked = performance.now();
    const answers = await Promise.all([
      world.call('DELETE', `/api/v1/orders/${id}`, { key: borrower.key }),
      world.call('POST', '/api/v1/orders/batch', { key: borrower.key, headers: { 'idempotency-key': 'still' }, body: { operations: [{ op: 'cancel', id }] } }),
    ]);
    expect(performance.now() - asked).toBeLessThan(4_000);
    expect(answers.map((answer) => [answer.status, answer.headers.get('retry-after')])).toEqual([[503, '1'], [503, '1']]);
  } finally {
    await still.rollback();
  }
});

test('an amend that crosses tells its fills', async () => {
  await sell({ price: '2.0000', quantity: '2' });
  const id = String(orderOf(await place(borrower, { price: '1.5000', quantity: '2' })).id);
  const amended = await world.call('PATCH', `/api/v1/orders/${id}`, { key: borrower.key, body: { price: '2.2000' } });
  expect(orderOf(amended)).toMatchObject({ status: 'filled', average_price: '2.0000' });
  expect(amended.body.fills).toHaveLength(1);
});

test('nobody touches the orders of another company', async () => {
  const id = String(orderOf(await place(borrower, { price: '1.5000' })).id);
  for (const stranger of [other, provider]) {
    for (const [method, body] of [['PATCH', { price: '1.4000' }], ['DELETE', undefined], ['GET', undefined]] as const) {
      const answer = await world.call(method, `/api/v1/orders/${id}`, { key: stranger.key, body });
      expect([method, answer.status, codeOf(answer)]).toEqual([method, 404, 'unknown_order']);
    }
  }
  expect((await world.call('DELETE', `/api/v1/orders/${id}`, { key: borrower.key })).status).toBe(200);
});

const refusals: [string, Record<string, unknown>, string][] = [
  ['an unknown class', { instrument: `H100.${REGION}.20261201T14Z`, price: '1.0000' }, 'instrument_unknown'],
  ['an hour that is not listed', { instrument: `${CLASS}.${REGION}.20270601T14Z`, price: '1.0000' }, 'instrument_unknown'],
  ['an hour that is no hour', { instrument: `${CLASS}.${REGION}.20261301T14Z`, price: '1.0000' }, 'instrument_unknown'],
  ['an hour that has passed', { instrument: `${CLASS}.${REGION}.20261130T14Z`, price: '1.0000' }, 'gate_closed'],
  ['a price between two ticks', { price: '1.00001' }, 'invalid_tick'],
  ['a protection between two ticks', { type: 'market', price: '1.00001' }, 'invalid_tick'],
  ['a quantity between two steps', { price: '1.0000', quantity: '1.005' }, 'invalid_step'],
  ['both at once', { price: '1.00001', quantity: '1.005' }, 'invalid_tick'],
  ['a price beyond the range', { price: '1000.0001' }, 'amount_out_of_range'],
  ['a price of zero', { price: '0' }, 'amount_out_of_range'],
  ['a quantity of zero', { price: '1.0000', quantity: '0' }, 'amount_out_of_range'],
  ['thirty digits', { price: '1.0000', quantity: '123456789012345678901234567890' }, 'amount_out_of_range'],
  ['sixty digits', { price: '9'.repeat(60) }, 'amount_out_of_range'],
  ['sixty digits, the last of them between two ticks', { price: `1.${'0'.repeat(59)}1` }, 'invalid_tick'],
  ['a display quantity of zero', { price: '1.0000', display_quantity: '0' }, 'amount_out_of_range'],
  ['a model nobody has heard of', { price: '1.0000', model: 'gpt-9' }, 'invalid_parameter'],
  ['more than the credits', { price: '3.0000', quantity: '900000' }, 'insufficient_credits'],
];
test.each(refusals)('refuses %s and stores nothing', async (_, order, code) => {
  const answer = await place(borrower, order);
  expect([answer.status, codeOf(answer)]).toEqual([422, code]);
  expect(answer.body.order).toBeUndefined();
  const open = await world.call('GET', '/api/v1/orders?status=open', { key: borrower.key });
  expect(open.body.data).toEqual([]);
});

test.each([
  ['price', '1.00001', 'invalid_tick', 'The price is not a multiple of 0.0001.'],
  ['price', '0', 'amount_out_of_range', 'The amount is zero, or beyond the accepted range.'],
  ['quantity', '1.005', 'invalid_step', 'The quantity is not a multiple of 0.01.'],
  ['quantity', '0', 'amount_out_of_range', 'The amount is zero, or beyond the accepted range.'],
])('says of a %s of %s what is wrong with it', async (field, value, code, message) => {
  const answer = await place(borrower, { price: '1.0000', quantity: '1', [field]: value });
  expect([answer.status, codeOf(answer), answer.body.error?.message]).toEqual([422, code, message]);
});

test('a bid may name a model that is served', async () => {
  await sell();
  const bid = await place(borrower, { price: '2.0000', quantity: '1', model: MODEL, time_in_force: 'ioc' });
  expect(orderOf(bid)).toMatchObject({ status: 'filled', model: MODEL });
});

test.each([
  ['a limit order without a price', {}, 'price'],
  ['a stop without its price', { type: 'stop' }, 'stop_price'],
  ['an expiry without gtd', { price: '1.0000', expires_at: '2026-12-02T00:00:00Z' }, 'expires_at'],
  ['gtd without an expiry', { price: '1.0000', time_in_force: 'gtd' }, 'expires_at'],
  ['post-only that may not rest', { price: '1.0000', time_in_force: 'ioc', post_only: true }, 'post_only'],
  ['a resale that buys', { price: '1.0000', resale_of: 'alc_1' }, 'resale_of'],
])('refuses %s as malformed', async (_, order, field) => {
  const answer = await place(borrower, order);
  expect([answer.status, codeOf(answer), answer.body.error?.field]).toEqual([400, 'invalid_request', field]);
});

test('an idempotency key makes one order, whatever is sent again', async () => {
  const headers = { 'idempotency-key': 'bid-1' };
  const first = await place(borrower, { price: '1.2500' }, headers);
  const again = await place(borrower, { price: '1.2500' }, headers);
  expect(again.status).toBe(201);
  expect(again.body).toEqual(first.body);
  const changed = await place(borrower, { price: '1.2600' }, headers);
  expect([changed.status, codeOf(changed)]).toEqual([409, 'idempotency_mismatch']);
  expect((await place(other, { price: '1.2600' }, headers)).status).toBe(201);
  // The same on another path is another request.
  for (const path of ['/api/v1/withdrawals', '/api/v1/prepayments']) {
    const elsewhere = await world.call('POST', path, { key: borrower.key, headers, body: { amount: '1' } });
    expect([elsewhere.status, codeOf(elsewhere)]).toEqual([409, 'idempotency_mismatch']);
  }
  // Also one that cannot be used: the key comes first.
  for (const [path, body] of [['/api/v1/orders', { side: 'neither' }], ['/api/v1/withdrawals', { amount: '0.0000001' }]] as const) {
    const unusable = await world.call('POST', path, { key: borrower.key, headers, body });
    expect([path, unusable.status, codeOf(unusable)]).toEqual([path, 409, 'idempotency_mismatch']);
  }
  // Also where nothing of it becomes an order: a company's keys are one space.
  const project = (key: string) => world.call('POST', '/api/v1/projects', { key: borrower.key, headers: { 'idempotency-key': key }, body: { name: `of ${key}` } });
  const taken = await project('bid-1');
  expect([taken.status, codeOf(taken)]).toEqual([409, 'idempotency_mismatch']);
  const made = await project('project-1');
  expect([made.status, JSON.stringify((await project('project-1')).body)]).toEqual([201, JSON.stringify(made.body)]);
  const bid = await place(borrower, { price: '1.2500' }, { 'idempotency-key': 'project-1' });
  expect([bid.status, codeOf(bid)]).toEqual([409, 'idempotency_mismatch']);
  const open = await world.call('GET', '/api/v1/orders?status=open', { key: borrower.key });
  expect(open.body.data).toHaveLength(1);
});

test('a refusal is remembered under its key too', async () => {
  const headers = { 'idempotency-key': 'refused-1' };
  const first = await place(provider, { side: 'sell', price: '3.9000', quantity: '900000' }, headers);
  expect([first.status, codeOf(first)]).toEqual([422, 'insufficient_capacity']);
  await world.execute({ type: 'declareCapacity', company: provider.user.company, market: 0, gpus: 900_000 });
  await world.execute({ type: 'verifyCapacity', company: provider.user.company, market: 0, gpus: 900_000 });
  const again = await place(provider, { side: 'sell', price: '3.9000', quantity: '900000' }, headers);
  expect([again.status, again.body.error?.message]).toEqual([422, first.body.error?.message]);
});

test.each([['x'.repeat(256)], ['two words'], ['ümlaut']])('refuses the idempotency key %s', async (key) => {
  const answer = await place(borrower, { price: '1.0000' }, { 'idempotency-key': encodeURI(key) === key || key.includes(' ') ? key : '' });
  expect([answer.status, codeOf(answer)]).toEqual([400, 'invalid_idempotency_key']);
});

test('a batch answers for each operation, in order', async () => {
  const id = String(orderOf(await place(borrower, { price: '1.1000' })).id);
  const operation = { op: 'place', instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '1' };
  const sent = { operations: [operation, { ...operation, price: '1.00001' }, { op: 'amend', id, quantity: '4' }, { op: 'cancel', id }, { op: 'cancel', id: 'ord_999999' }, { op: 'cancel', id: 'no-order' }] };
  const headers = { 'idempotency-key': 'batch-1' };
  const answer = await world.call('POST', '/api/v1/orders/batch', { key: borrower.key, body: sent, headers });
  expect(answer.status).toBe(200);
  const results = answer.body.results as { status: number; order?: Record<string, unknown>; error?: { code: string } }[];
  expect(results.map(({ status }) => status)).toEqual([201, 422, 200, 200, 404, 404]);
  expect(results[0].order).toMatchObject({ status: 'open', price: '1.0000' });
  expect(results[1].error?.code).toBe('invalid_tick');
  expect(results[2].order).toMatchObject({ id, remaining_quantity: '4' });
  expect(results[3].order).toMatchObject({ id, status: 'canceled' });
  expect(results.slice(4).map(({ error }) => error?.code)).toEqual(['unknown_order', 'unknown_order']);
  const again = await world.call('POST', '/api/v1/orders/batch', { key: borrower.key, body: sent, headers });
  expect(again.body).toEqual(answer.body);
  const other = await world.call('POST', '/api/v1/orders/batch', { key: borrower.key, body: { operations: [operation] }, headers });
  expect([other.status, codeOf(other)]).toEqual([409, 'idempotency_mismatch']);
});

test('an amendment in a batch tells what it has executed, as the single call does', async () => {
  const hour = INSTRUMENT.replace('T14Z', 'T20Z');
  await sell({ price: '2.0000', quantity: '4', instrument: hour });
  const id = String(orderOf(await place(borrower, { price: '1.0000', quantity: '10', instrument: hour })).id);
  const amend = async (change: object) => {
    const answer = await world.call('POST', '/api/v1/orders/batch', { key: borrower.key, body: { operations: [{ op: 'amend', id, ...change }] } });
    return (answer.body.results as { status: number; order: object; fills: object[] }[])[0];
  };
  expect(await amend({ price: '2.0000' })).toMatchObject({
    status: 200, order: { id, status: 'partially_filled', price: '2.0000', remaining_quantity: '6', hold: '12.06' }, fills: [{ order_id: id, price: '2.0000', quantity: '4', liquidity: 'taker' }],
  });
  await sell({ price: '2.1000', quantity: '9', instrument: hour });
  expect(await amend({ price: '2.1000' })).toMatchObject({ status: 200, order: { id, status: 'filled', remaining_quantity: '0', hold: '0.00' }, fills: [{ quantity: '6' }] });
  await world.call('DELETE', '/api/v1/orders', { key: provider.key });
});

test('a refusal is repeated word for word under its key', async () => {
  const refused = { instrument: INSTRUMENT, side: 'buy', price: '1.00001', quantity: '1' };
  const call = (headers: Record<string, string>) => world.call('POST', '/api/v1/orders', { key: borrower.key, body: refused, headers });
  const [first, again, unnamed] = [await call({ 'idempotency-key': 'refused-1' }), await call({ 'idempotency-key': 'refused-1' }), await call({})];
  expect([first.status, codeOf(first)]).toEqual([422, 'invalid_tick']);
  expect(again.body).toEqual(first.body);
  expect(unnamed.body).not.toEqual(first.body);
  expect((await call({ 'idempotency-key': 'refused-1', 'x-request-id': 'my-own-request-1' })).headers.get('x-request-id')).toBe('my-own-request-1');
});

test('an operation of a batch that is malformed, or uses a client order id again, does not stop the others', async () => {
  const operation = { op: 'place', instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '0.01' };
  const { price: _, ...unpriced } = operation;
  const operations = [{ ...operation, client_order_id: 'once' }, unpriced, { ...operation, quantity: '1e3' }, { op: 'dance' }, 7, { ...operation, client_order_id: 'once' }, { ...operation, foo: 1 }, operation];
  const answer = await world.call('POST', '/api/v1/orders/batch', { key: borrower.key, body: { operations } });
  const results = answer.body.results as { status: number; error?: { code: string; field?: string } }[];
  expect(results.map(({ status, error }) => [status, error?.code, error?.field])).toEqual([
    [201, undefined, undefined], [400, 'invalid_request', 'price'], [400, 'invalid_request', 'quantity'], [400, 'invalid_request', 'op'], [400, 'invalid_request', 'op'],
    [422, 'duplicate_client_order_id', undefined], [400, 'invalid_request', 'foo'], [201, undefined, undefined],
  ]);
  const none = await world.call('POST', '/api/v1/orders/batch', { key: borrower.key, body: { operations: [{}] } });
  expect([none.status, (none.body.results as unknown[]).length]).toEqual([200, 1]);
});

test('a preview names the refusal that the order would meet', async () => {
  const preview = async (key: string, order: object) =>
    (await world.call('POST', '/api/v1/orders/preview', { key, body: { instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '1', ...order } })).body.reject_code;
  expect(await preview(borrower.key, {})).toBeNull();
  for (const order of [{ price: '1.00001' }, { quantity: '0.001' }, { price: '999' }, { quantity: '900000' }, { side: 'sell' }, { instrument: 'H100.mars.20261201T14Z' }, { client_order_id: 'once' }, { minimum_quantity: '1', time_in_force: 'ioc' }]) {
    const foreseen = await preview(borrower.key, order);
    const placed = await world.call('POST', '/api/v1/orders', { key: borrower.key, body: { instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '1', ...order } });
    expect([placed.status, foreseen]).toEqual([422, codeOf(placed)]);
  }
  expect(await preview(provider.key, { side: 'sell', price: '3.9', quantity: '999999' })).toBe('insufficient_capacity');
});

test('a batch holds 1 to 500 operations', async () => {
  const operation = { op: 'place', instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '0.01' };
  const whole = await world.call('POST', '/api/v1/orders/batch', { key: borrower.key, body: { operations: Array.from({ length: 500 }, () => operation) } });
  expect(whole.body.results).toHaveLength(500);
  for (const length of [0, 501]) {
    const answer = await world.call('POST', '/api/v1/orders/batch', { key: borrower.key, body: { operations: Array.from({ length }, () => operation) } });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'invalid_request']);
  }
});

test('mass cancel takes one side of one instrument, and an unknown instrument cancels nothing', async () => {
  await place(borrower, { price: '1.1000' });
  await place(borrower, { price: '1.1000', instrument: INSTRUMENT.replace('T14Z', 'T15Z') });
  const none = await world.call('DELETE', '/api/v1/orders?instrument=H100.mars.20261201T14Z', { key: borrower.key });
  expect([none.status, codeOf(none)]).toEqual([422, 'instrument_unknown']);
  expect((await world.call('DELETE', `/api/v1/orders?instrument=${INSTRUMENT}&side=sell`, { key: borrower.key })).body).toEqual({ canceled: 0, orders: [] });
  expect((await world.call('DELETE', `/api/v1/orders?instrument=${INSTRUMENT}&side=buy`, { key: borrower.key })).body.canceled).toBe(1);
  expect((await world.call('DELETE', '/api/v1/orders/', { key: borrower.key })).status).toBe(404);
  expect((await world.call('DELETE', '/api/v1/orders', { key: borrower.key })).body.canceled).toBe(1);
});

test('the dead-man timer tells when it would fire', async () => {
  const armed = await world.call('POST', '/api/v1/orders/cancel-after', { key: borrower.key, body: { seconds: 60 } });
  expect(armed.body).toEqual({ cancel_at: new Date(world.services.committed.now + 60_000).toISOString() });
  expect((await world.call('POST', '/api/v1/orders/cancel-after', { key: borrower.key, body: { seconds: 0 } })).body).toEqual({ cancel_at: null });
});

test('a preview tells price, fee, hold and what a GPU-hour costs in dollars', async () => {
  await sell({ price: '2.0000', quantity: '4' });
  await sell({ price: '2.2000', quantity: '2' });
  const body = { instrument: INSTRUMENT, side: 'buy', price: '2.3000', quantity: '10' };
  const { status, body: preview } = await world.call('POST', '/api/v1/orders/preview', { key: borrower.key, body });
  expect(status).toBe(200);
  expect(preview).toMatchObject({
    filled_quantity: '6', resting_quantity: '4', average_price: '2.06666667', worst_price: '2.2000', notional: '12.40', fee: '0.062', hold: '9.246',
    // 21.708 CR at the price of a prepaid credit, for ten hours.
    usd_per_gpu_hour: '1.4472', interest_usd_per_gpu_hour: '0.0000', outside_usd_per_gpu_hour: '4.00', net_usd_per_gpu_hour: null, reject_code: null,
  });
  // A stop that waits holds credit for list price, its protection.
  const stop = await world.call('POST', '/api/v1/orders/preview', { key: borrower.key, body: { ...body, price: null, type: 'stop', stop_price: '3.0000' } });
  expect(stop.body).toMatchObject({ filled_quantity: '0', resting_quantity: '10', fee: '0.00', hold: '40.20' });
  const asked = await world.call('POST', '/api/v1/orders/preview', { key: provider.key, body: { ...body, side: 'sell', price: '5.0000' } });
  expect(asked.body).toMatchObject({ reject_code: 'above_list_price', filled_quantity: '0', net_usd_per_gpu_hour: '3.0938' });
  expect((await world.call('GET', '/api/v1/orders?status=open', { key: borrower.key })).body.data).toEqual([]);
});

test('a preview is what placing does, with the block that its ask lets in', async () => {
  const next = INSTRUMENT.replace('T14Z', 'T15Z');
  await sell({ price: '2.0000', quantity: '2', instrument: next });
  const body = { class: CLASS, region: 'us-east', start_at: '2026-12-01T14:00:00Z', end_at: '2026-12-01T16:00:00Z', quantity: '2', price: '2.0000', side: 'buy', time_in_force: 'gtc' };
  expect(orderOf(await world.call('POST', '/api/v1/blocks', { key: borrower.key, body }))).toMatchObject({ status: 'open' });
  const ask = { instrument: INSTRUMENT, side: 'sell', price: '1.9000', quantity: '3' };
  const { body: preview } = await world.call('POST', '/api/v1/orders/preview', { key: provider.key, body: ask });
  expect(preview).toMatchObject({ filled_quantity: '2', resting_quantity: '1', average_price: '1.9000', reject_code: null });
  expect(orderOf(await world.call('POST', '/api/v1/orders', { key: provider.key, body: ask }))).toMatchObject({ filled_quantity: '2', remaining_quantity: '1' });
});

test('a block is one order over its hours', async () => {
  const start = Date.parse('2026-12-01T14:00:00Z');
  const at = (hours: number) => new Date(start + hours * MILLIS_PER_HOUR).toISOString();
  const block = (member: Member, more: Record<string, unknown>) => world.call('POST', '/api/v1/blocks', {
    key: member.key, body: { class: CLASS, region: REGION, start_at: at(0), end_at: at(3), quantity: '4', price: '2.0000', time_in_force: 'gtc', ...more },
  });
  const offered = await block(provider, { side: 'sell' });
  expect(offered.status).toBe(201);
  const { id } = orderOf(offered);
  expect(orderOf(offered)).toMatchObject({
    status: 'open', quantity: '12', remaining_quantity: '12', block: { start_at: at(0), end_at: at(3), quantity: '4', minimum_acceptance_ratio: '1' },
  });
  const bid = await place(borrower, { price: '2.0000', quantity: '1' });
  expect(orderOf(bid)).toMatchObject({ status: 'filled' });
  const open = (await world.call('GET', '/api/v1/orders?status=open', { key: provider.key })).body.data as { id: string; block_id: string | null; block: unknown }[];
  expect(open.filter((order) => order.block_id === id)).toHaveLength(3);
  expect(open.find((order) => order.id === id)).toMatchObject({ status: 'partially_filled', filled_quantity: '1', remaining_quantity: '11' });
  const bought = await block(borrower, { side: 'buy', quantity: '2', time_in_force: 'fok' });
  expect(orderOf(bought)).toMatchObject({ status: 'filled', filled_quantity: '6', average_price: '2.0000', hold: '0.00' });
  expect((bought.body.fills as { instrument: string }[]).map((fill) => fill.instrument.slice(-3))).toEqual(['14Z', '15Z', '16Z']);
  const cancelled = await world.call('DELETE', `/api/v1/orders/${String(id)}`, { key: provider.key });
  expect(orderOf(cancelled)).toMatchObject({ id, status: 'canceled', filled_quantity: '7', remaining_quantity: '5' });
  const past = (await world.call('GET', `/api/v1/orders/${String(id)}`, { key: provider.key })).body;
  expect(past.order).toMatchObject({ id, status: 'canceled', filled_quantity: '7', remaining_quantity: '5', average_price: '2.0000', block: { quantity: '4', end_at: at(3) } });
  expect((past.fills as { quantity: string }[]).map(({ quantity }) => quantity)).toEqual(['1', '2', '2', '2']);
  expect((await world.call('GET', '/api/v1/orders?status=open', { key: provider.key })).body.data).toEqual([]);
  const gone = String(orderOf(await block(provider, { side: 'sell', quantity: '2' })).id);
  const left = await world.call('POST', '/api/v1/orders/batch', { key: provider.key, body: { operations: [{ op: 'cancel', id: gone }] } });
  expect(left.body.results).toEqual([{ status: 200, order: { id: gone, status: 'canceled', remaining_quantity: '6', hold: '0.00' }, fills: [] }]);
  const waiting = await block(borrower, { side: 'buy', quantity: '2', minimum_acceptance_ratio: '0.5' });
  expect(orderOf(waiting)).toMatchObject({ status: 'open', hold: '12.06' });
  await world.call('DELETE', '/api/v1/orders', { key: borrower.key });
  expect((await world.call('GET', '/api/v1/balances', { key: borrower.key })).body).toMatchObject({ credits: { held: '0.00' } });
  expect(codeOf(await block(borrower, { side: 'buy', end_at: at(1) }))).toBe('amount_out_of_range');
});

test('what was bought may be sold again: its seller pays in credits', async () => {
  await sell({ quantity: '4' });
  const bought = await place(borrower, { price: '2.0000', quantity: '4' });
  const [{ allocation_id: allocation }] = bought.body.fills as { allocation_id: string }[];
  const offer = await place(borrower, { side: 'sell', price: '1.5000', quantity: '4', resale_of: allocation });
  expect(orderOf(offer)).toMatchObject({ status: 'open', resale_of: allocation });
  expect(codeOf(await place(borrower, { side: 'sell', price: '1.5000', quantity: '1', resale_of: allocation }))).toBe('insufficient_capacity');
  await world.call('DELETE', '/api/v1/orders', { key: borrower.key });
  // The bid's model is served by who delivers, not by who sells again.
  await place(other, { price: '1.5000', quantity: '4', model: MODEL });
  const resale = { instrument: INSTRUMENT, side: 'sell', price: '1.5000', quantity: '4', resale_of: allocation };
  expect((await world.call('POST', '/api/v1/orders/preview', { key: borrower.key, body: resale })).body).toMatchObject({ filled_quantity: '4', average_price: '1.5000', reject_code: null });
  const sold = await place(borrower, resale);
  expect(orderOf(sold)).toMatchObject({ status: 'filled', fees: '0.03' });
  expect(sold.body.fills).toEqual([expect.objectContaining({ side: 'sell', fee: '0.03', fee_currency: 'CR', allocation_id: null })]);
});

test('a halt is told before anything else, and two operators lift it', async () => {
  const second = await world.colleague(operator);
  const call = (verb: string, member: Member) => world.call('POST', `/api/v1/markets/${verb}`, { key: member.key, body: { scope: CLASS, reason: 'drill' } });
  expect((await call('halt', operator)).body).toEqual({ scope: CLASS, mode: 'halted', reason: 'drill' });
  expect(codeOf(await place(borrower, { instrument: 'nonsense', price: '1.00001' }))).toBe('instrument_unknown');
  expect(codeOf(await place(borrower, { price: '1.00001' }))).toBe('halted');
  const loosened = await call('cancel-only', operator);
  expect([loosened.status, loosened.body.status]).toEqual([202, 'pending_confirmation']);
  const first = await call('resume', operator);
  expect(first.status).toBe(202);
  expect((await call('resume', operator)).body).toEqual(first.body);
  expect(codeOf(await place(borrower, { price: '1.0000' }))).toBe('halted');
  expect((await call('resume', second)).body).toEqual({ scope: CLASS, mode: 'open', reason: 'drill' });
  expect((await place(borrower, { price: '1.0000' })).status).toBe(201);
  const audit = (await world.call('GET', '/api/v1/audit', { key: operator.key })).body.data as { action: string; actor: string }[];
  expect(audit.map(({ action, actor }) => [action, actor])).toEqual([
    ['resume', second.user.id], ['resume.requested', operator.user.id], ['resume.requested', operator.user.id], ['cancel-only.requested', operator.user.id], ['halt', operator.user.id],
  ]);
});

test('a whole market may be halted, an unknown instrument included', async () => {
  const second = await world.colleague(operator);
  const halt = await world.call('POST', '/api/v1/markets/halt', { key: operator.key, body: { scope: 'all', reason: 'drill' } });
  expect(halt.body).toEqual({ scope: '*', mode: 'halted', reason: 'drill' });
  expect(codeOf(await place(borrower, { instrument: 'nonsense', price: '1.00001' }))).toBe('halted');
  expect((await world.call('GET', '/api/v1/status')).body).toMatchObject({ status: 'halted', modes: [{ scope: '*', mode: 'halted', reason: 'drill' }] });
  for (const member of [operator, second]) await world.call('POST', '/api/v1/markets/resume', { key: member.key, body: { scope: '*', reason: 'over' } });
  expect((await world.call('GET', '/api/v1/status')).body).toMatchObject({ status: 'open', modes: [] });
});

test('the clock moves by hand, and never back', async () => {
  const now = world.services.committed.now;
  const set = (member: Member, millis: number) => world.call('POST', '/api/v1/clock', { key: member.key, body: { now: new Date(millis).toISOString() } });
  expect((await set(borrower, now + 1000)).status).toBe(403);
  expect((await set(operator, now + MILLIS_PER_HOUR)).body).toEqual({ now: new Date(now + MILLIS_PER_HOUR).toISOString() });
  expect(codeOf(await set(operator, now))).toBe('clock_backwards');
  const slip = await world.call('POST', '/api/v1/clock', { key: operator.key, body: { now: '9999-01-01T00:00:00Z' } });
  expect(slip).toMatchObject({ status: 400, body: { error: { code: 'invalid_request', field: 'now' } } });
});

test('the invariants hold', async () => {
  const { body } = await world.call('GET', '/api/v1/invariants', { key: operator.key });
  expect(body).toMatchObject({ ok: true, state_hash: expect.any(String), sequence: expect.any(Number) });
  expect((body.checks as unknown[]).length).toBeGreaterThan(10);
});

test('an operator reopens by a call: orders collect, and at its end execute at one price', async () => {
  const [operator, second] = [await world.member('operator'), await world.member('operator')];
  const hour = INSTRUMENT.replace('T14Z', 'T19Z');
  const post = (member: Member, path: string, body: object) => world.call('POST', `/api/v1/markets/${path}`, { key: member.key, body: { scope: hour, reason: 'drill', ...body } });
  expect((await post(operator, 'halt', {})).body.mode).toBe('halted');
  expect((await post(operator, 'halt', { call_seconds: 60 })).status).toBe(400);
  expect((await post(operator, 'resume', { call_seconds: 60 })).status).toBe(202);
  // What the second agrees to is the same call.
  expect((await post(second, 'resume', {})).status).toBe(202);
  expect((await post(second, 'resume', { call_seconds: 60 })).body).toMatchObject({ mode: 'auction' });
  expect(orderOf(await place(provider, { side: 'sell', price: '2.0000', instrument: hour })).status).toBe('open');
  const bid = orderOf(await place(borrower, { price: '2.4000', instrument: hour }));
  expect(bid).toMatchObject({ status: 'open', filled_quantity: '0' });
  const now = new Date(world.services.committed.now + 60_000).toISOString();
  expect((await world.call('POST', '/api/v1/clock', { key: operator.key, body: { now } })).status).toBe(200);
  const after = await world.call('GET', `/api/v1/orders/${String(bid.id)}`, { key: borrower.key });
  expect(orderOf(after)).toMatchObject({ status: 'filled' });
  expect((await world.call('GET', `/api/v1/instruments/${hour}`)).body.mode).toBe('open');
});
