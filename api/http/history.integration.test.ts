/** What has happened, as its owner reads it: always including what the client has just done. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { StoredLogbook, Trail } from '../gateway/relay/logbook.ts';
import { CLASS, INSTRUMENT, MARKET, MODEL, REGION, equip, fund, openApiWorld } from './test/api_world.ts';
import type { Answer, ApiWorld, Member } from './test/api_world.ts';

let world: ApiWorld;
let borrower: Member;
let provider: Member;
let lender: Member;

beforeAll(async () => {
  world = await openApiWorld();
  borrower = await world.member('borrower');
  provider = await world.member('provider', 'north');
  lender = await world.member('lender');
  await fund(world, borrower, 100_000);
  await equip(world, provider, 1_000);
});
afterAll(() => world.close());

const place = (member: Member, order: Record<string, unknown>): Promise<Answer> =>
  world.call('POST', '/api/v1/orders', { key: member.key, body: { instrument: INSTRUMENT, type: 'limit', quantity: '1', price: '2.0000', ...order } });
const get = (member: Member, path: string): Promise<Answer> => world.call('GET', `/api/v1${path}`, { key: member.key });
const rows = (answer: Answer): Record<string, unknown>[] => answer.body.data as Record<string, unknown>[];

test('an order is read at once, as the answer to it said', async () => {
  const placed = await place(borrower, { side: 'buy', price: '1.5000', client_order_id: 'mine' });
  const { id } = placed.body.order as { id: string };
  expect((await get(borrower, `/orders/${id}`)).body).toEqual({ order: placed.body.order, fills: [] });
  expect(rows(await get(borrower, '/orders?status=open'))).toEqual([placed.body.order]);
  expect(rows(await get(borrower, '/orders'))).toEqual([placed.body.order]);
  await world.call('DELETE', `/api/v1/orders/${id}`, { key: borrower.key });
  expect((await get(borrower, `/orders/${id}`)).body.order).toMatchObject({ status: 'canceled', cancel_reason: 'requested', hold: '0.00' });
  expect(rows(await get(borrower, '/orders?status=canceled'))).toMatchObject([{ id }]);
  expect(rows(await get(borrower, '/orders?status=open'))).toEqual([]);
});

test('both sides see a fill as theirs, and the buyer what it bought', async () => {
  await place(provider, { side: 'sell', quantity: '4' });
  const bid = await place(borrower, { side: 'buy', quantity: '4', time_in_force: 'ioc', model: MODEL });
  const [fill] = bid.body.fills as Record<string, unknown>[];
  expect(rows(await get(borrower, '/fills'))[0]).toEqual(fill);
  expect(rows(await get(provider, '/fills'))[0]).toMatchObject({ id: fill.id, side: 'sell', liquidity: 'maker', fee: '0.00992', fee_currency: 'USD', allocation_id: null, counterparty: null });
  const [allocation] = rows(await get(borrower, '/allocations'));
  expect(allocation).toEqual({
    id: fill.allocation_id, instrument: INSTRUMENT, provider: 'north', model: MODEL, quantity: '4', used: '0', price: '2.0000', credits: '8.00', status: 'open', frozen: false,
  });
  expect((await get(borrower, `/allocations/${String(fill.allocation_id)}`)).body).toEqual(allocation);
  expect((await get(provider, `/allocations/${String(fill.allocation_id)}`)).status).toBe(404);
  expect(rows(await get(provider, '/deliveries'))).toMatchObject([{ instrument: INSTRUMENT, quantity: '4', credits: '8.00', usd: '0.00', status: 'scheduled' }]);
  expect(rows(await get(provider, '/allocations'))).toEqual([]);
});

test('balances, lots and the ledger say the same', async () => {
  const { body } = await get(borrower, '/balances');
  expect(body).toMatchObject({ usd: '0.00', credits: { held: '0.00', contracted: '8.00', frozen: '0.00' } });
  const [lot] = rows(await get(borrower, '/lots'));
  expect(lot).toMatchObject({ source: 'prepayment', usd_in: '100000.00', credits_minted: '150000.00', conversion_rate: '1.50', contracted: '8.00', retired: '0.04' });
  const entries = rows(await get(borrower, '/ledger?ledger=CR&limit=1000'));
  const sumOf = (account: string): number => entries.filter((entry) => entry.account === account).reduce((sum, entry) => sum + Math.round(Number(entry.amount) * 1e6), 0) / 1e6;
  expect(-sumOf('lot.contracted')).toBe(8);
  expect(-sumOf('lot.available')).toBe(Number(lot.available));
  expect(entries.reduce((sum, entry) => sum + Math.round(Number(entry.amount) * 1e6), 0)).toBe(0);
  expect(entries[0]).toMatchObject({ ledger: 'CR', owner: lot.id, event: expect.any(String), sequence: expect.any(Number) });
});

test('lists go on where they stopped', async () => {
  for (let index = 0; index < 5; index++) await place(borrower, { side: 'buy', price: '1.0000' });
  for (const path of ['/orders?status=open', '/orders?side=buy', '/ledger?ledger=CR']) {
    const whole = rows(await get(borrower, `${path}&limit=1000`));
    const paged: Record<string, unknown>[] = [];
    let cursor = '';
    do {
      const page = await get(borrower, `${path}&limit=2${cursor}`);
      expect(rows(page).length).toBeLessThanOrEqual(2);
      paged.push(...rows(page));
      cursor = page.body.next_cursor === null ? '' : `&cursor=${String(page.body.next_cursor)}`;
    } while (cursor !== '');
    expect(paged).toEqual(whole);
  }
  for (const path of ['/orders', '/orders?status=open', '/fills', '/ledger', '/lots', '/keys']) {
    const answer = await get(borrower, `${path}${path.includes('?') ? '&' : '?'}cursor=nonsense`);
    expect([path, answer.status, answer.body.error?.code]).toEqual([path, 400, 'invalid_cursor']);
  }
  await world.call('DELETE', '/api/v1/orders', { key: borrower.key });
});

test('a list refuses the cursor of another', async () => {
  for (const side of ['buy', 'buy', 'buy']) await place(borrower, { side, price: '1.0000' });
  const cursorOf = async (path: string): Promise<string> => {
    const { status, body: { next_cursor: cursor } } = await get(borrower, `${path}${path.includes('?') ? '&' : '?'}limit=1`);
    return typeof cursor === 'string' ? cursor : expect.fail(`${path} has one page: ${status}`);
  };
  const lists = ['/orders', '/orders?status=open', '/ledger', '/instruments', '/models'];
  for (const from of lists) {
    const cursor = await cursorOf(from);
    for (const to of [...lists, '/fills', '/allocations', '/lots', '/keys', '/facilities']) {
      const answer = await get(borrower, `${to}${to.includes('?') ? '&' : '?'}cursor=${cursor}`);
      const expected = from === to ? [200, undefined] : [400, 'invalid_cursor'];
      expect([from, to, answer.status, answer.body.error?.code]).toEqual([from, to, ...expected]);
    }
  }
  await world.call('DELETE', '/api/v1/orders', { key: borrower.key });
});

test('a facility from application to freeze', async () => {
  const post = (member: Member, path: string, body: unknown) => world.call('POST', `/api/v1${path}`, { key: member.key, body });
  const application = {
    cash: '12000000', monthly_burn: '400000', monthly_revenue: '900000', cash_trend_3m_percent: '-5.5', revenue_growth_percent: '8', gross_margin_percent: '70',
    compute_share_percent: '20', forecast_error_percent: '5', top_customer_percent: '10', past_days_overdue: '0',
  };
  const unfunded = await post(borrower, '/facilities', { amount: '100000', months: 12, method: 'annuity', application });
  expect([unfunded.status, unfunded.body.state]).toEqual([201, 'declined']);
  const mandate = await post(lender, '/mandates', { amount: '5000000', grades: ['A', 'B', 'C'], maximum_per_borrower: '1000000', minimum_annual_rate_percent: '1.5' });
  expect(mandate.body).toMatchObject({ id: 'man_0', amount: '5000000.00', committed: '0.00', minimum_annual_rate_percent: '1.50' });
  const offer = await post(borrower, '/facilities', { amount: '100000', months: 12, method: 'annuity', application });
  expect(offer.body).toMatchObject({ state: 'offered', amount: '100000.00', months: 12, grade: expect.stringMatching(/^[ABC]$/), reasons: expect.any(Array) });
  const id = String(offer.body.id);
  expect((await post(borrower, `/facilities/${id}/accept`, {})).body).toEqual({ id, state: 'active' });
  const drawn = await post(borrower, `/facilities/${id}/draws`, { amount: '40000' });
  const rate = Number(offer.body.conversion_rate);
  expect(drawn.body).toMatchObject({ amount: '40000.00', lot: { source: 'facility', facility_id: id, usd_in: '40000.00', credits_minted: `${40_000 * rate}.00` } });
  const schedule = (await get(borrower, `/facilities/${id}/schedule`)).body.rows as Record<string, string>[];
  expect(schedule).toHaveLength(12);
  expect(schedule.at(-1)).toMatchObject({ number: 12, balance: '0.00' });
  expect((await get(lender, '/portfolio')).body).toMatchObject({ outstanding: '40600.00', committed: '100000.00', undrawn: '60000.00' });
  const frozen = await post(lender, `/facilities/${id}/freeze`, { fraction: '1', reason: 'test' });
  expect(frozen.body).toEqual({ id, frozen_fraction: '1.00', reason: 'test' });
  expect((await get(borrower, `/facilities/${id}`)).body).toMatchObject({ state: 'frozen', frozen_fraction: '1.00', principal: '40600.00' });
  expect((await post(lender, `/facilities/${id}/unfreeze`, {})).status).toBe(200);
  const lines = rows(await get(borrower, `/facilities/${id}/statement`));
  expect(lines.map(({ event }) => event)).toEqual(expect.arrayContaining(['facilityFrozen', 'facilityDrawn', 'facilityStateChanged']));
  const forecast = (await get(borrower, `/facilities/${id}/forecast?weeks=2`)).body;
  expect(forecast).toMatchObject({ facility_id: id, method: 'none', history_days: 0, error_percent: null, runs_out_on: null });
  expect(forecast.weeks).toHaveLength(2);
  for (const path of [`/facilities/${id}`, `/facilities/${id}/schedule`, `/facilities/${id}/statement`, `/facilities/${id}/forecast`]) expect((await get(provider, path)).status).toBe(404);
});

test('the books by day, by month and by date', async () => {
  const operator = await world.member('operator');
  const month = '2026-12';
  expect(rows(await get(borrower, '/statements'))).toEqual([{ month, from: '2026-12-01', to: '2026-12-31', complete: false }]);
  const statement = (await get(borrower, `/statements/${month}`)).body;
  const accounts = statement.accounts as { account: string; opening: string; increase: string; decrease: string; closing: string }[];
  expect(accounts.find(({ account }) => account === 'loan.principal')).toMatchObject({ opening: '0.00', increase: '40600.00', decrease: '0.00', closing: '40600.00' });
  const { available } = (await get(borrower, '/balances')).body.credits as Record<string, string>;
  expect(accounts.find(({ account }) => account === 'lot.available')?.closing).toBe(available);
  const file = await get(borrower, `/statements/${month}?format=csv`);
  expect(file.headers.get('content-type')).toContain('text/csv');
  // Read alone it says what each account began and ended with.
  const cells = String(file.body.text).trim().split('\r\n').map((line) => line.split(','));
  expect(cells.slice(0, 2)).toEqual([['date', 'event', 'account', 'count', 'amount', 'balance', 'unit'], ['2026-12-01', 'opening', accounts[0].account, '0', '0.00', accounts[0].opening, expect.any(String)]]);
  for (const { account, closing } of accounts) expect([account, cells.findLast(([, , name]) => name === account)?.[5]]).toEqual([account, closing]);
  expect((await get(borrower, `/statements/${month}?format=pdf`)).headers.get('content-type')).toBe('application/pdf');
  expect((await get(borrower, '/statements/2026-13')).status).toBe(404);
  const trial = (await get(operator, '/trial-balance')).body;
  expect(trial).toMatchObject({ balanced: true, totals: { USD: '0.00', CR: '0.00', LIMIT: '0.00', CAP: '0' } });
  expect((await get(operator, '/trial-balance?on=2026-11-30')).body.data).toEqual([]);
  const balance = (account: string) => Number((trial.data as Record<string, string>[]).find((row) => row.account === account)?.balance ?? 0);
  const income = (await get(operator, '/income')).body.totals as Record<string, string>;
  expect(Number(income.commissions)).toBeCloseTo(-balance('commission.buyer') - balance('commission.seller'), 6);
  // Page by page the general ledger is every posting once.
  let [cursor, sum, entries] = ['', 0, 0];
  do {
    const page = (await get(operator, `/general-ledger?limit=50${cursor === '' ? '' : `&cursor=${cursor}`}`)).body;
    for (const row of page.data as { account: string; amount: string }[]) if (row.account === 'cash.fund') sum += Number(row.amount);
    entries += (page.data as unknown[]).length;
    cursor = page.next_cursor as string;
  } while (cursor !== null);
  expect(sum).toBeCloseTo(balance('cash.fund'), 6);
  expect(entries).toBeGreaterThan(50);
  expect((await get(borrower, '/ledger/balances?at=2026-11-30T00:00:00Z')).body.data).toEqual([]);
  const dashboard = (await get(borrower, '/facilities/fac_0/dashboard')).body;
  expect(dashboard).toMatchObject({ limit: '100000.00', drawn: '40000.00', undrawn: '60000.00', next_payment: { past_due: '0.00' } });
  expect((await get(lender, '/portfolio/stress')).body.grid).toHaveLength(30);
  expect((await get(lender, '/portfolio/stress?price_falls=10,101')).body.error?.code).toBe('invalid_request');
  expect((await get(lender, '/portfolio/cohorts')).body.data).toMatchObject([{ month, facilities: 1, lent: '40600.00', curve: [{ month: 0, outstanding_percent: '100.00' }] }]);
});

test('an operator needs a second one to lift a freeze', async () => {
  const operator = await world.member('operator');
  const second = await world.colleague(operator);
  const call = (member: Member, verb: string) => world.call('POST', `/api/v1/facilities/fac_0/${verb}`, { key: member.key, body: { reason: 'drill' } });
  expect((await call(operator, 'freeze')).status).toBe(200);
  expect((await call(operator, 'unfreeze')).status).toBe(202);
  expect((await call(operator, 'unfreeze')).status).toBe(202);
  expect((await call(second, 'unfreeze')).body).toEqual({ id: 'fac_0', frozen_fraction: '0.00', reason: '' });
});

test('the bank reports, once, what a company announced', async () => {
  const operator = await world.member('operator');
  const company = `cmp_${lender.user.company}`;
  await world.services.database('deposits').insert({ id: 'dep_1', company: lender.user.company, amount: 500_000_000, reference: 'INV, 7', status: 'pending' });
  const csv = `Date,Reference,Amount\r\n2026-12-01,"INV, 7",500.00\n2026-12-02,${company},25\n2026-12-02,who knows,1\n`;
  const upload = (text: string, headers = {}) => world.call('POST', '/api/v1/bank-transactions', { key: operator.key, raw: text, headers: { 'content-type': 'text/csv', ...headers } });
  const lines = [{ line: 2, status: 'matched' }, { line: 3, status: 'matched' }, { line: 4, status: 'unmatched' }];
  expect((await upload(csv)).body).toEqual({ transactions: 3, matched: 2, unmatched: 1, duplicate: 0, credited: '525.00', lines });
  expect((await get(lender, '/balances')).body.usd).toBe('525.00');
  expect((await upload(csv)).body).toMatchObject({ matched: 0, duplicate: 3 });
  expect((await get(lender, '/balances')).body.usd).toBe('525.00');
  // Two payments alike are two, however often the file is sent; the first of them was known.
  const alike = `date,amount,reference\n2026-12-02,25.00,${company}\n2026-12-02,25,${company}\n`;
  expect((await upload(alike)).body).toMatchObject({ matched: 1, duplicate: 1, credited: '25.00', lines: [{ line: 2, status: 'duplicate' }, { line: 3, status: 'matched' }] });
  expect((await upload(alike)).body).toMatchObject({ matched: 0, duplicate: 2 });
  expect((await get(lender, '/balances')).body.usd).toBe('550.00');
  // The rows are lost, as by an end between the credit and them, and idempotency keys are forgotten after a day: a line is booked once for ever.
  await world.services.database('bank_transactions').delete();
  await world.services.sequencer.setClock(world.services.committed.now + 25 * 3_600_000);
  await upload('date,amount,reference\n2026-12-09,1,nobody\n');
  expect((await upload(alike)).body).toMatchObject({ matched: 0, duplicate: 2, credited: '0.00' });
  expect((await get(lender, '/balances')).body.usd).toBe('550.00');
  for (const [broken, line] of [['', 0], ['amount,reference\n1,x', 1], ['date,amount,reference\n2026-13-01,1,x', 2], ['date,amount,reference\n2026-12-01,-1,x', 2], ['date,amount,reference\n2026-12-01,1,"x', 2]] as const) {
    const answer = await upload(broken);
    expect([broken, answer.status]).toEqual([broken, line === 0 ? 400 : 422]);
    if (line > 0) expect(answer.body.error).toMatchObject({ code: 'csv_invalid', message: expect.stringMatching(new RegExp(`^Line ${line}: `)) });
  }
  const listed = async (query: string): Promise<Record<string, unknown>[]> => (await get(operator, `/bank-transactions?${query}`)).body.data as Record<string, unknown>[];
  expect(await listed('status=unmatched')).toContainEqual(expect.objectContaining({ date: '2026-12-09', amount: '1.00', reference: 'nobody', status: 'unmatched', company_id: null }));
  const matched = await listed('status=matched&limit=1');
  expect(matched).toEqual([expect.objectContaining({ status: 'matched', company_id: expect.stringMatching(/^cmp_/) })]);
  // A file that cannot be read uses up no key; one that was used for another file is refused for that.
  const once = { 'idempotency-key': 'bank-1' };
  expect((await upload('amount\n1', once)).body.error?.code).toBe('csv_invalid');
  expect((await upload(alike, once)).body).toMatchObject({ duplicate: 2 });
  expect((await upload('amount\n1', once)).body.error?.code).toBe('idempotency_mismatch');
});

test('two operators set the prices of money and a facility\'s own covenants; a company takes all of its own with it', async () => {
  const operator = await world.member('operator');
  const second = await world.colleague(operator);
  const post = (member: Member, path: string, body: unknown) => world.call('POST', `/api/v1${path}`, { key: member.key, body });
  const rules = { redemption_rate: '0.61', spread_minimum: '0.02', reason: 'test' };
  expect((await post(operator, '/money-rules', rules)).status).toBe(202);
  expect((await post(second, '/money-rules', rules)).body).toEqual({ redemption_rate: '0.61', spread_minimum: '0.02', conversion_rate: null });
  const back = { ...rules, redemption_rate: '0.66' };
  expect((await post(operator, '/money-rules', back)).status).toBe(202);
  expect((await post(second, '/money-rules', back)).body.error?.code).toBe('guard_violated');
  expect((await get(borrower, '/money-rules')).body.redemption_rate).toBe('0.61');
  const covenants = (await get(borrower, '/facilities/fac_0/covenants')).body.data as object[];
  expect(covenants).toMatchObject([{ covenant: 'runway', threshold: '3.00', kept: true }, { covenant: 'minimum_cash', threshold: '5000.00' }, { covenant: 'use', threshold: '140.00', consequence: 'watch' }]);
  const overrule = {
    company_id: `cmp_${borrower.user.company}`, grade: 'B', annual_rate_percent: '12', reason: 'known', amount: '10000', months: 6,
    covenants: [{ covenant: 'minimum_cash', threshold: '250000', cure_days: 5, consequence: 'frozen' }],
    application: {
      cash: '1', monthly_burn: '1', monthly_revenue: '1', cash_trend_3m_percent: '0', revenue_growth_percent: '0', gross_margin_percent: '0', compute_share_percent: '0', forecast_error_percent: '0',
      top_customer_percent: '0', past_days_overdue: '0',
    },
  };
  // What nobody could offer waits for nobody.
  for (const [wrong, status, code, field] of [
    [{ interest_only_periods: 6 }, 400, 'invalid_request', 'interest_only_periods'], [{ method: 'bullet', interest_only_periods: 1 }, 400, 'invalid_request', 'interest_only_periods'],
    [{ method: 'revenue_share', refine: true }, 400, 'invalid_request', 'refine'], [{ company_id: 'cmp_99999' }, 404, 'unknown_company', 'company_id'], [{ grade: 'D' }, 422, 'invalid_parameter', undefined],
  ] as const) {
    const refused = await post(operator, '/overrules', { ...overrule, ...wrong });
    expect([wrong, refused.status, refused.body.error?.code, refused.body.error?.field]).toEqual([wrong, status, code, field]);
  }
  expect((await post(operator, '/overrules', overrule)).status).toBe(202);
  const waiting = ((await get(second, '/confirmations')).body.data as { action: string; call: { path: string; body: object } }[]).find(({ action }) => action === 'overrule');
  expect(waiting?.call).toMatchObject({ path: '/api/v1/overrules', body: { company_id: overrule.company_id, covenants: overrule.covenants, application: overrule.application } });
  const offered = await world.call('POST', String(waiting?.call.path), { key: second.key, body: { ...waiting?.call.body, reason: overrule.reason } });
  expect(offered.status).toBe(201);
  expect((await get(borrower, `/facilities/${String(offered.body.id)}/covenants`)).body.data).toEqual([
    { covenant: 'minimum_cash', threshold: '250000.00', cure_days: 5, consequence: 'frozen', kept: true, tested_on: null, breached_on: null },
  ]);
  const lines = String((await get(borrower, '/export')).body.text).trim().split('\n').map((line) => JSON.parse(line) as { type: string; data: Record<string, unknown> });
  expect(new Set(lines.map(({ type }) => type))).toEqual(new Set(['company', 'balances', 'lot', 'facility', 'decision', 'facility_history', 'statement', 'declined_application', 'payment', 'order', 'fill', 'allocation', 'event', 'posting', 'key', 'end']));
  expect(lines.at(-1)?.data.lines).toBe(lines.length - 1);
  const audit = (await get(operator, '/audit?limit=200')).body.data as { action: string; actor: string; reason: string; details: object }[];
  expect(audit.filter(({ action }) => action.startsWith('overrule')).map(({ action, actor, reason }) => [action, actor, reason])).toEqual([['overrule', second.user.id, 'known'], ['overrule.requested', operator.user.id, 'known']]);
  const { company_id: _, reason: __, ...terms } = overrule;
  expect(audit.filter(({ action }) => action.startsWith('overrule')).map(({ details }) => details)).toEqual([
    expect.objectContaining({ ...terms, method: 'annuity', requested_by: operator.user.id }), expect.objectContaining({ ...terms, method: 'annuity' }),
  ]);
  expect(audit.filter(({ action }) => action.startsWith('money_rules')).map(({ action, details }) => [action, details])).toEqual([
    ['money_rules.requested', expect.objectContaining({ redemption_rate: '0.66' }) as object], ['money_rules', expect.objectContaining({ redemption_rate: '0.61' }) as object],
    ['money_rules.requested', expect.objectContaining({ redemption_rate: '0.61' }) as object],
  ]);
  // Each line is what the route that lists its kind says.
  const told = (type: string): Record<string, unknown>[] => lines.filter((line) => line.type === type).map(({ data }) => data);
  for (const [type, path] of [['order', '/orders'], ['fill', '/fills'], ['allocation', '/allocations'], ['posting', '/ledger'], ['event', '/events'], ['declined_application', '/declined-applications'], ['lot', '/lots']]) {
    const listed = (await get(borrower, `${path}?limit=200`)).body.data as object[];
    expect([type, told(type).slice(0, listed.length)]).toEqual([type, listed.map((row) => expect.objectContaining(row) as object)]);
  }
  const { body: decision } = await get(borrower, `/facilities/${String(offered.body.id)}/decision`);
  expect(told('decision')).toContainEqual({ facility_id: offered.body.id, ...decision });
  // What the scorecard says of it is made again although operators overruled it.
  expect(decision).toMatchObject({ grade: 'B', overruling: 'known', scorecard: { grade: 'D', annual_rate_percent: '0.00', limit: '0.00' }, reproduced: true });
  expect(told('payment')[0]).toMatchObject({ amount: expect.stringMatching(/^[0-9]+\.[0-9]{2,6}$/) as string, at: expect.stringMatching(/Z$/) as string });
  expect(told('facility_history')[0]).toMatchObject({ facility_id: expect.stringMatching(/^fac_/) as string, at: expect.stringMatching(/Z$/) as string });
  expect(told('company')).toEqual([{ id: `cmp_${borrower.user.company}`, name: expect.any(String) as string, role: 'borrower', group: expect.any(String) as string }]);
});

test('a day that no calendar has is refused, and so is a payoff that has passed', async () => {
  const operator = await world.member('operator');
  for (const path of ['/trial-balance?on=0000-01-01', '/general-ledger?from=0000-01-01', '/general-ledger?to=0000-12-31', '/income?from=0000-01-01', '/ledger/balances?at=0000-01-01T00:00:00Z']) {
    expect([path, (await get(operator, path)).body.error?.code]).toEqual([path, 'invalid_request']);
  }
  expect((await get(borrower, '/statements/0000-01')).status).toBe(404);
  expect((await get(borrower, '/statements/0099-02')).body).toMatchObject({ from: '0099-02-01', to: '0099-02-28' });
  const payoff = (on: string) => get(borrower, `/facilities/fac_0/payoff?on=${on}`);
  expect([(await payoff('0000-01-01')).body.error?.code, (await payoff('2026-11-30')).body.error]).toEqual(['invalid_request', expect.objectContaining({ code: 'invalid_request', field: 'on' })]);
  const webhook = await world.call('POST', '/api/v1/webhooks', { key: borrower.key, body: { url: 'https://example.com/', events: ['lot.expired'] } });
  const replay = await world.call('POST', `/api/v1/webhooks/${String(webhook.body.id)}/replay`, { key: borrower.key, body: { since: '0000-01-01T00:00:00Z' } });
  expect([replay.status, replay.body.error?.field]).toEqual([400, 'since']);
});

test('a block does what its preview says, and may be dearer in one hour', async () => {
  const buyer = await world.member('borrower');
  const seller = await world.member('provider', 'west');
  await fund(world, buyer, 1_000);
  await equip(world, seller, 10);
  const [early, late] = ['20261203T02Z', '20261203T03Z'].map((hour) => `${CLASS}.${REGION}.${hour}`);
  const spendable = async (): Promise<string> => ((await get(buyer, '/balances')).body.credits as { available: string }).available;
  const before = await spendable();
  for (const [instrument, price] of [[early, '1.8000'], [late, '2.2000']]) await place(seller, { side: 'sell', instrument, price, quantity: '3' });
  const block = { class: CLASS, region: REGION, side: 'buy', start_at: '2026-12-03T02:00:00Z', end_at: '2026-12-03T04:00:00Z', quantity: '2', price: '2.0000', time_in_force: 'fok' };
  const { body, status } = await world.call('POST', '/api/v1/blocks/preview', { key: buyer.key, body: block });
  expect(body).toMatchObject({
    filled_quantity: '4', resting_quantity: '0', average_price: '2.0000', worst_price: '2.2000', notional: '8.00', fee: '0.04', hold: '0.00', credits_before: before, reject_code: null, net_usd_per_gpu_hour: null,
    usd_per_gpu_hour: '1.3400', interest_usd_per_gpu_hour: '0.0000',
  });
  expect(status).toBe(200);
  expect((await world.call('POST', '/api/v1/blocks/preview', { key: buyer.key, body: { ...block, price: '1.9999' } })).body).toMatchObject({ filled_quantity: '0', average_price: null });
  expect((await world.call('POST', '/api/v1/blocks/preview', { key: buyer.key, body: { ...block, end_at: '2026-12-03T03:00:00Z' } })).body.reject_code).not.toBeNull();
  expect((await world.call('POST', '/api/v1/blocks', { key: buyer.key, body: block })).body.order).toMatchObject({ status: 'filled', average_price: '2.0000', fees: '0.04' });
  expect(await spendable()).toBe(body.credits_after);
});

test('two operators set the price bands of the market', async () => {
  const operator = await world.member('operator');
  const second = await world.colleague(operator);
  const post = (member: Member, body: object) => world.call('POST', '/api/v1/bands', { key: member.key, body: { reason: 'test', ...body } });
  const usual = { above: '10', below: '0.001' };
  const narrow = { above: '2', below: '0.5' };
  expect((await get(operator, '/bands')).body).toEqual({ ...usual, pending: null });
  for (const [body, status, code, field] of [
    [{ ...usual, above: '0.999999' }, 422, 'invalid_parameter', 'above'], [{ ...usual, below: '0' }, 422, 'invalid_parameter', 'below'], [{ ...usual, below: '1.000001' }, 422, 'invalid_parameter', 'below'],
    [{ ...usual, below: '0.0000001' }, 400, 'invalid_request', 'below'], [{ above: '10' }, 400, 'invalid_request', 'below'],
  ] as const) {
    const answer = await post(operator, body);
    expect([body, answer.status, answer.body.error]).toEqual([body, status, expect.objectContaining({ code, field })]);
  }
  expect((await post(borrower, narrow)).body.error?.code).toBe('role_not_allowed');
  const asked = await post(operator, narrow);
  expect([asked.status, asked.body.status, (await post(operator, narrow)).status]).toEqual([202, 'pending_confirmation', 202]);
  const pending = { ...narrow, confirmation_id: asked.body.confirmation_id, requested_by: operator.user.id, reason: 'test' };
  expect((await get(second, '/bands')).body).toEqual({ ...usual, pending });
  expect((await get(borrower, '/bands')).body).toEqual({ ...usual, pending: null });
  expect((await get(borrower, '/confirmations')).body.error?.code).toBe('role_not_allowed');
  expect((await get(second, '/confirmations')).body.data).toContainEqual(expect.objectContaining({
    id: asked.body.confirmation_id, action: 'bands', requested_by: operator.user.id, reason: 'test', call: { path: '/api/v1/bands', body: narrow },
  }));
  expect((await post(second, narrow)).body).toEqual(narrow);
  expect((await get(borrower, '/bands')).body).toEqual({ ...narrow, pending: null });
  await expect.poll(async () => (await get(borrower, '/status')).body.price_band).toEqual(narrow);
  const audit = (await get(operator, '/audit')).body.data as { action: string; reason: string }[];
  expect(audit.filter(({ action }) => action.startsWith('bands')).map(({ action }) => action)).toEqual(['bands', 'bands.requested', 'bands.requested']);
  for (const member of [operator, second]) await post(member, usual);
  expect((await get(borrower, '/bands')).body).toEqual({ ...usual, pending: null });
});

test('a client order id is refused, however long ago it was used', async () => {
  const operator = await world.member('operator');
  const order = { side: 'buy', price: '1.0000', client_order_id: 'for-ever', instrument: INSTRUMENT.replace('20261201', '20261220') };
  expect((await place(borrower, order)).status).toBe(201);
  expect((await place(borrower, order)).body.error?.code).toBe('duplicate_client_order_id');
  const later = new Date(world.services.committed.now + 2 * MILLIS_PER_DAY + MILLIS_PER_HOUR).toISOString();
  expect((await world.call('POST', '/api/v1/clock', { key: operator.key, body: { now: later } })).status).toBe(200);
  // At once after the leap: the projection that remembers is waited for.
  expect((await place(borrower, order)).body.error?.code).toBe('duplicate_client_order_id');
  // What stands before it in the order of precedence is told instead, of orders and blocks alike.
  const block = { class: CLASS, region: REGION, side: 'buy', start_at: '2026-12-20T14:00:00Z', end_at: '2026-12-20T16:00:00Z', quantity: '1', client_order_id: 'for-ever' };
  const codes = async (price: string): Promise<unknown[]> => [
    (await place(borrower, { ...order, price })).body.error?.code,
    (await world.call('POST', '/api/v1/blocks', { key: borrower.key, body: { ...block, price } })).body.error?.code,
  ];
  expect(await codes('1.00001')).toEqual(['invalid_tick', 'invalid_tick']);
  expect(await codes('1.0000')).toEqual(['duplicate_client_order_id', 'duplicate_client_order_id']);
  expect((await place(borrower, { ...order, client_order_id: 'new' })).status).toBe(201);
  expect((await place(provider, { ...order, side: 'sell', price: '3.0000' })).status).toBe(201);
});

test('while the projection of orders is built again, an order with a client order id is not taken', async () => {
  const order = { side: 'buy', price: '1.0000', instrument: INSTRUMENT.replace('20261201', '20261220') };
  // When it has come to rest, it is put back to where one that is made anew begins.
  const { sequence } = await world.services.sequencer.status();
  expect(await world.services.projections.waitFor(sequence, 10_000, ['orders'])).toBe(true);
  await world.services.database('projections.positions').where({ name: 'orders' }).update({ engine_time: 0 });
  // So long an api goes by what it has read of the projection's position.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const refused = await place(borrower, { ...order, client_order_id: 'rebuilt' });
  expect([refused.status, refused.body.error?.code, refused.headers.get('retry-after')]).toEqual([503, 'unavailable', '5']);
  // Without one it is taken, and the projection goes on with it.
  expect((await place(borrower, order)).status).toBe(201);
  await expect.poll(async () => (await place(borrower, { ...order, client_order_id: 'rebuilt' })).status).toBe(201);
});

test('requests and probes are kept for whom they concern, newest first, for a day', async () => {
  const { database, log } = world.services;
  await database('endpoints').insert({ id: 'end_log', company: provider.user.company, market: MARKET, url: 'http://127.0.0.1:1', models: JSON.stringify([MODEL]) });
  const old = new Date(Date.now() - 25 * MILLIS_PER_HOUR);
  await database('request_log').insert({ id: 'req_old', at: old, company: borrower.user.company, key: 'k', model: MODEL, path: '/chat/completions', streamed: false, status: 200, millis: 1, tries: '[]' });
  const logbook = new StoredLogbook(database, log);
  const entry = { key: 'key_1', model: MODEL, path: '/chat/completions', streamed: true };
  const trail = new Trail();
  trail.tried({ id: 'end_log', company: provider.user.company }, performance.now(), 'failed', 'connection');
  trail.tried({ id: 'end_log', company: provider.user.company }, performance.now(), 'answered', null);
  trail.billed = { promptTokens: 18, completionTokens: 7, credits: '0.000259' };
  logbook.request({ ...entry, id: 'req_1', company: borrower.user.company, status: 200, error: null, trail });
  logbook.request({ ...entry, id: 'req_2', company: borrower.user.company, status: 503, error: 'provider_unavailable', trail: new Trail() });
  logbook.request({ ...entry, id: 'req_3', company: lender.user.company, status: 200, error: null, trail: new Trail() });
  logbook.probe({ endpoint: 'end_log', model: MODEL, result: 'failed', millis: 12 });
  logbook.probe({ endpoint: 'end_log', model: MODEL, result: 'passed', millis: 9 });
  // Both are written once a second, the probes last.
  await expect.poll(async () => rows(await get(provider, '/endpoints/end_log/probes')).length).toBe(2);
  await logbook.prune();
  logbook.close();
  const requests = rows(await get(borrower, '/requests'));
  expect(requests.map(({ id }) => id).sort()).toEqual(['req_1', 'req_2']);
  expect(requests.find(({ id }) => id === 'req_1')).toMatchObject({
    status: 200, error: null, prompt_tokens: 18, completion_tokens: 7, credits_used: '0.000259',
    attempts: [{ endpoint: 'end_log', provider: 'north', outcome: 'failed', error: 'connection' }, { endpoint: 'end_log', provider: 'north', outcome: 'answered', error: null }],
  });
  const first = await get(borrower, '/requests?limit=1');
  expect([...rows(first), ...rows(await get(borrower, `/requests?limit=1&cursor=${String(first.body.next_cursor)}`))]).toEqual(requests);
  expect(rows(await get(provider, '/endpoints/end_log/probes'))).toMatchObject([{ result: 'passed', millis: 9 }, { result: 'failed', millis: 12 }]);
  expect((await get(await world.member('provider', 'south'), '/endpoints/end_log/probes')).status).toBe(404);
});

test('what was bought is delivered when its hour has passed', async () => {
  const [allocation] = rows(await get(borrower, '/allocations'));
  expect(allocation).toMatchObject({ status: 'delivered', credits: '0.00' });
  const delivered = rows(await get(provider, '/deliveries')).find((row) => row.instrument === INSTRUMENT);
  expect(delivered).toMatchObject({ status: 'delivered', delivered_credits: '8.00', usd: '4.95008', commission: '0.00992' });
  expect((await get(borrower, '/resale-policy')).body.waste).toEqual({ used: '0.00', unused: '8.00', unused_percent: '100.00' });
  // The hour's book is gone; what it last traded at is not.
  const { phase, last_price: last } = (await world.call('GET', `/api/v1/instruments/${INSTRUMENT}`)).body;
  const [trade] = rows(await world.call('GET', `/api/v1/instruments/${INSTRUMENT}/trades?limit=1`));
  expect({ phase, last }).toEqual({ phase: 'closed', last: trade.price });
});
