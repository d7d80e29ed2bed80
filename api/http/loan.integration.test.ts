/** A loan from its application to its end, as its three sides see it: uploads, decision, bank, waterfall, default, write-off, recovery. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { formatHour } from '../directory.ts';
import { CLASS, REGION, openApiWorld } from './test/api_world.ts';
import type { Answer, ApiWorld, Member } from './test/api_world.ts';

let world: ApiWorld;
let borrower: Member;
let lender: Member;
let operator: Member;
let facility = '';

const get = (member: Member, path: string): Promise<Answer> => world.call('GET', `/api/v1${path}`, { key: member.key });
const post = (member: Member, path: string, body: unknown): Promise<Answer> => world.call('POST', `/api/v1${path}`, { key: member.key, body });
const csv = (member: Member, path: string, raw: string): Promise<Answer> => world.call('POST', `/api/v1${path}`, { key: member.key, raw, headers: { 'content-type': 'text/csv' } });
const rows = (answer: Answer): Record<string, unknown>[] => answer.body.data as Record<string, unknown>[];
const START = Date.UTC(2026, 11, 1);
const day = (count: number): Promise<number> => world.services.sequencer.setClock(START + count * MILLIS_PER_DAY);

const APPLICATION = {
  cash: '12000000', monthly_burn: '400000', monthly_revenue: '900000', cash_trend_3m_percent: '-5', revenue_growth_percent: '150', gross_margin_percent: '70', compute_share_percent: '30',
  forecast_error_percent: '5', top_customer_percent: '10', past_days_overdue: '0',
};
const BANK = 'date,amount,balance\n2026-10-01,1000,5000\n2026-10-02,x,1\n2026-11-01,-400,4600\n';

beforeAll(async () => {
  world = await openApiWorld();
  await day(0);
  borrower = await world.member('borrower', 'founder');
  lender = await world.member('lender', 'fund');
  operator = await world.member('operator', 'desk');
  await post(lender, '/mandates', { amount: '5000000', grades: ['A', 'B', 'C'], maximum_per_borrower: '5000000', minimum_annual_rate_percent: '5' });
});
afterAll(() => world.close());

test('uploads are kept as they came, once, and read again from what was kept', async () => {
  const first = await csv(borrower, '/feeds/bank', BANK);
  const again = await csv(borrower, '/feeds/bank', BANK);
  expect(first.body).toMatchObject({ lines: 3, errors: [{ line: 3 }], application: { cash: '4600.00' }, feed: { kind: 'bank', lines: 3, unreadable_lines: 1, bytes: BANK.length, uploaded_by: borrower.user.id } });
  expect(again.body).toEqual(first.body);
  await csv(borrower, '/feeds/usage', 'date,cost,planned\n2026-10-01,10,12\n');
  const feeds = rows(await get(borrower, '/feeds'));
  expect(feeds.map(({ kind }) => kind)).toEqual(['usage', 'bank']);
  const { id } = first.body.feed as { id: string };
  expect((await get(borrower, `/feeds/${id}`)).body).toEqual(first.body);
  expect((await get(borrower, `/feeds/${id}/content`)).body.text).toBe(BANK);
  expect((await get(operator, `/feeds/${id}/content`)).body.text).toBe(BANK);
  const stranger = await world.member('borrower', 'stranger');
  expect((await get(stranger, `/feeds/${id}`)).status).toBe(404);
  expect((await post(stranger, '/facilities', { amount: '1000', months: 6, application: APPLICATION, feeds: [id] })).status).toBe(404);
});

test('an application that is declined says why to its applicant and to operators, and would be declined so again', async () => {
  const feeds = rows(await get(borrower, '/feeds')).map(({ id }) => String(id));
  const poor = { ...APPLICATION, cash: '10000', monthly_burn: '900000', gross_margin_percent: '-40', past_days_overdue: '90' };
  const { body } = await post(borrower, '/facilities', { amount: '500000', months: 6, method: 'bullet', application: poor, feeds });
  expect(body).toMatchObject({ id: null, state: 'declined', application_id: expect.stringMatching(/^app_/) as string });
  const decision = await get(borrower, `/declined-applications/${String(body.application_id)}`);
  expect(decision.body).toMatchObject({
    id: body.application_id, company: 'founder', asked: '500000.00', months: 6, method: 'bullet', grade: body.grade, score: body.score, reasons: body.reasons, version: 1, reproduced: true,
    application: { cash: '10000.00', gross_margin_percent: '-40.00', past_days_overdue: '90' },
  });
  expect((decision.body.feeds as { id: string }[]).map(({ id }) => id)).toEqual(feeds);
  expect((await get(operator, `/declined-applications/${String(body.application_id)}`)).body).toEqual(decision.body);
  expect(rows(await get(operator, '/declined-applications')).map(({ id }) => id)).toEqual([body.application_id]);
  const stranger = await world.member('borrower', 'other applicant');
  expect((await get(stranger, `/declined-applications/${String(body.application_id)}`)).status).toBe(404);
  expect(rows(await get(stranger, '/declined-applications'))).toEqual([]);
  expect((await get(lender, '/declined-applications')).status).toBe(403);
});

test('an offer says what it was decided on, and would be decided so again', async () => {
  const feeds = rows(await get(borrower, '/feeds')).map(({ id }) => String(id));
  const offer = await post(borrower, '/facilities', { amount: '1000000', months: 6, method: 'equal_principal', application: APPLICATION, feeds });
  expect(offer.body).toMatchObject({ state: 'offered', grade: 'A', amount: '1000000.00' });
  facility = String(offer.body.id);
  const decision = (await get(borrower, `/facilities/${facility}/decision`)).body;
  expect(decision).toMatchObject({
    version: 1, grade: 'A', score: offer.body.score, asked: '1000000.00', overruled_by: null, scorecard: { grade: 'A', annual_rate_percent: '11.00' }, reproduced: true, application: { cash: '12000000.00', cash_trend_3m_percent: '-5.00', past_days_overdue: '0' },
  });
  expect((decision.feeds as { id: string }[]).map(({ id }) => id)).toEqual(feeds);
  expect((await get(lender, `/facilities/${facility}/decision`)).body).toEqual(decision);
  // By hand: the published weights times the published measures come to the probability and the score.
  const card = (await world.call('GET', '/api/v1/scorecard')).body as unknown as { intercept: string; score: { offset: string; points_to_double_the_odds: number } };
  const logit = (decision.measures as { points: string }[]).reduce((sum, { points }) => sum + Number(points), Number(card.intercept));
  expect(Number(decision.default_probability_percent) / 100).toBeCloseTo(1 / (1 + Math.exp(-logit)), 6);
  expect(decision.score).toBe(Math.round(Number(card.score.offset) + (card.score.points_to_double_the_odds / Math.LN2) * -logit));
});

test('a bank transaction that names a facility pays what is due of it, and the rest stays', async () => {
  await post(borrower, `/facilities/${facility}/accept`, {});
  expect((await post(borrower, `/facilities/${facility}/draws`, { amount: '100000' })).status).toBe(201);
  // Before anything is due all of it stays.
  expect((await csv(operator, '/bank-transactions', `date,amount,reference\n2026-12-02,100,${facility}\n`)).body).toMatchObject({ matched: 1, credited: '100.00' });
  expect((await get(borrower, '/balances')).body.usd).toBe('100.00');
  await day(31);
  // 101,500 / 6 = 16,916.67 and 31 days of 11 % on 101,500: 948.260274, of which whole cents are asked for.
  const [row] = (await get(borrower, `/facilities/${facility}/schedule`)).body.rows as Record<string, unknown>[];
  expect(row).toMatchObject({ due_date: '2027-01-01', principal: '16916.67', interest: '948.26', is_due: true });
  const file = `date,amount,reference\n2027-01-01,17000,${facility}\n2027-01-01,1000,${facility}\n`;
  expect((await csv(operator, '/bank-transactions', file)).body).toMatchObject({ matched: 2, credited: '18000.00' });
  expect((await get(borrower, '/balances')).body.usd).toBe('235.07');
  expect((await csv(operator, '/bank-transactions', file)).body).toMatchObject({ duplicate: 2, credited: '0.00' });
  expect((await get(borrower, `/facilities/${facility}`)).body).toMatchObject({ principal: '84583.33', accrued_interest: '0.00', days_past_due: 0 });
  const ledger = rows(await get(borrower, '/ledger?limit=1000')).filter(({ event, account }) => event === 'repaid' && account === 'loan.principal');
  expect(ledger.map(({ amount }) => amount)).toEqual(['-864.93', '-16051.74']);
});

test('a loan may begin with instalments of interest alone, as its offer, disclosure and counter-offers say', async () => {
  const company = await world.member('borrower', 'who builds first');
  const wanted = { amount: '100000', months: 6, method: 'annuity', interest_only_periods: 2, refine: true, due_date_roll: 'following' };
  const never = await post(company, '/facilities', { ...wanted, interest_only_periods: 6, application: APPLICATION });
  expect([never.status, never.body.error]).toMatchObject([400, { code: 'invalid_request', field: 'interest_only_periods' }]);
  const { body } = await post(company, '/facilities', { ...wanted, application: APPLICATION });
  expect(body).toMatchObject({ interest_only_periods: 2, refine: true });
  const payments = async (id: unknown): Promise<number[]> => ((await get(company, `/facilities/${String(id)}/disclosure`)).body.payments as { amount: string }[]).map(({ amount }) => Number(amount));
  const [first, second, third] = await payments(body.id);
  expect(Math.max(first, second)).toBeLessThan(1_100);
  expect(third).toBeGreaterThan(25_000);
  const counter = await post(company, `/facilities/${String(body.id)}/counter`, { amount: '50000', months: 4, interest_only_periods: 0 });
  expect(counter.body).toMatchObject({ interest_only_periods: 0, refine: true });
  expect((await payments(counter.body.id))[0]).toBeGreaterThan(12_000);
});

test('parts of a whole are at most 100 percent', async () => {
  const wrong = [
    ...['gross_margin_percent', 'compute_share_percent', 'top_customer_percent', 'forecast_error_percent'].map((field) => [field, '100.01']), ...['cash_trend_3m_percent', 'revenue_growth_percent'].map((field) => [field, '-100.01']),
  ];
  for (const [field, value] of wrong) {
    const { status, body } = await post(borrower, '/facilities', { amount: '1000', months: 6, application: { ...APPLICATION, [field]: value } });
    expect([field, status, body.error?.code]).toEqual([field, 400, 'invalid_request']);
  }
  const mandate = await post(lender, '/mandates', { amount: '1', grades: ['A'], maximum_per_borrower: '1', minimum_annual_rate_percent: '100.01' });
  expect([mandate.status, mandate.body.error?.code]).toEqual([400, 'invalid_request']);
});

test('a plan of compute is held against the amount and the months', async () => {
  const founder = await world.member('borrower', 'planner');
  const ask = (months: number, compute_plan: string[]) => post(founder, '/facilities', { amount: '120000', months, application: { ...APPLICATION, compute_plan } });
  for (const [months, plan] of [[6, Array<string>(7).fill('10000')], [12, ['0', '0']]] as const) {
    const { status, body } = await ask(months, [...plan]);
    expect([status, body.error?.code, body.error?.field]).toEqual([400, 'invalid_request', 'application.compute_plan']);
  }
  // The last month goes on in those after it.
  expect((await ask(12, ['0', '10000'])).body.notes).toEqual([]);
  expect((await ask(12, ['5000'])).body.notes).toMatchObject([{ code: 'plan_below_amount', field: 'application.compute_plan', message: expect.stringContaining('200.00 % of plan') as string }]);
  expect((await ask(12, ['50000'])).body.notes).toMatchObject([{ code: 'plan_above_amount' }]);
});

test('a preview tells what would be drawn on demand, and the order draws it', async () => {
  const founder = await world.member('borrower', 'demanding');
  const offer = await post(founder, '/facilities', { amount: '100000', months: 6, application: APPLICATION, draw_on_demand: true });
  const id = String(offer.body.id);
  await post(founder, `/facilities/${id}/accept`, {});
  const instrument = `${CLASS}.${REGION}.${formatHour(Math.floor(world.services.committed.now / MILLIS_PER_HOUR) + 48)}`;
  const bid = (quantity: string, more: object = {}) => ({ instrument, side: 'buy', type: 'limit', price: '1.0000', quantity, ...more });
  const preview = async (body: object) => (await post(founder, '/orders/preview', body)).body;
  // 1,000 USD at least; 100 GPU-hours at 1 CR hold 100.50.
  expect(await preview(bid('100'))).toMatchObject({
    draw: { facility_id: id, amount: '1000.00', credits: '1400.00' }, credits_before: '0.00', credits_after: '1299.50', usd_per_gpu_hour: expect.stringMatching(/^0\.7/) as string, reject_code: null,
  });
  // 5,025 CR cost 3,589.29 USD, in whole cents.
  expect((await preview(bid('5000'))).draw).toEqual({ facility_id: id, amount: '3589.29', credits: '5025.006' });
  // What leaves without a trade draws nothing; what no facility gives is refused.
  expect(await preview(bid('100', { time_in_force: 'ioc' }))).toMatchObject({ draw: null, credits_after: '0.00' });
  expect(await preview(bid('60000'))).toMatchObject({ draw: null, reject_code: 'day_notional' });
  expect((await post(founder, '/orders', bid('100', { time_in_force: 'ioc' }))).body).toMatchObject({ order: { status: 'canceled', hold: '0.00' } });
  expect((await get(founder, `/facilities/${id}`)).body.drawn).toBe('0.00');
  expect((await post(founder, '/orders', bid('100'))).status).toBe(201);
  expect((await get(founder, `/facilities/${id}`)).body.drawn).toBe('1000.00');
  expect((await preview(bid('100'))).draw).toBe(null);
});

test('a loan that was given up takes what comes later as a recovery, until which nothing is lent or paid out', async () => {
  borrower = await world.member('borrower', 'who does not pay');
  facility = String((await post(borrower, '/facilities', { amount: '1000000', months: 6, method: 'equal_principal', application: APPLICATION })).body.id);
  await post(borrower, `/facilities/${facility}/accept`, {});
  expect((await post(borrower, `/facilities/${facility}/draws`, { amount: '100000' })).status).toBe(201);
  await day(62);
  expect(rows(await get(borrower, '/lots'))[0]).toMatchObject({ available: '140000.00' });
  await day(62 + 181);
  // Unspent credit was worth what was drawn; the origination fee, interest and late fees are left.
  const view = (await get(borrower, `/facilities/${facility}`)).body;
  expect(view).toMatchObject({ state: 'written_off', principal: '0.00' });
  const again = (await post(borrower, '/facilities', { amount: '1000', months: 6, application: APPLICATION })).body;
  expect(again).toMatchObject({ state: 'declined', grade: 'D' });
  expect(again.reasons).toContain('a debt here is past due');
  expect((await get(borrower, `/declined-applications/${String(again.application_id)}`)).body).toMatchObject({ reproduced: true, application: { past_days_overdue: '180' } });
  expect((await post(borrower, '/withdrawals', { amount: '1' })).body.error?.code).toBe('past_due');
  const recovery = await post(borrower, `/facilities/${facility}/repayments`, { amount: '1000' });
  expect(recovery.status).toBe(201);
  expect(recovery.body).toMatchObject({ amount: '1000.00', principal: '0.00', interest: '0.00', fees: '0.00', recovered: '1000.00', unapplied: '0.00' });
  const before = Number((await get(borrower, '/balances')).body.usd);
  await csv(operator, '/bank-transactions', `date,amount,reference\n2027-09-01,50000,${facility}\n`);
  const recovered = rows(await get(borrower, '/ledger?limit=1000')).filter(({ account }) => account === 'income.recovery').reduce((sum, { amount }) => sum - Number(amount), 0);
  const given = rows(await get(borrower, '/ledger?limit=1000')).filter(({ event, account }) => event === 'facilityWrittenOff' && account === 'loan.allowance').reduce((sum, { amount }) => sum + Number(amount), 0);
  expect(recovered).toBeCloseTo(given, 6);
  expect(Number((await get(borrower, '/balances')).body.usd)).toBeCloseTo(before + 50_000 - (given - 1_000), 5);
  expect((await post(borrower, '/withdrawals', { amount: '1' })).status).toBe(201);
});

test('of two lenders each freezes for itself and lifts no freeze of the other', async () => {
  const other = await world.member('lender', 'another fund');
  // What was given up has come back: one alone would fund it, had it not taken money out.
  expect((await post(lender, '/withdrawals', { amount: '1000000' })).status).toBe(201);
  await post(other, '/mandates', { amount: '3000000', grades: ['A', 'B', 'C'], maximum_per_borrower: '3000000', minimum_annual_rate_percent: '6' });
  borrower = await world.member('borrower', 'who has two lenders');
  const offer = (await post(borrower, '/facilities', { amount: '5000000', months: 12, application: APPLICATION })).body;
  facility = String(offer.id);
  await post(borrower, `/facilities/${facility}/accept`, {});
  expect((await post(borrower, `/facilities/${facility}/draws`, { amount: '100000' })).status).toBe(201);
  const freeze = (member: Member, fraction: string) => post(member, `/facilities/${facility}/freeze`, { fraction, reason: 'concern' });
  const unfreeze = (member: Member) => post(member, `/facilities/${facility}/unfreeze`, {});
  expect((await freeze(other, '0.8')).body).toEqual({ id: facility, frozen_fraction: '0.80', reason: 'concern' });
  expect((await unfreeze(lender)).body.error?.code).toBe('invalid_state');
  expect((await freeze(lender, '1')).body).toMatchObject({ frozen_fraction: '1.00' });
  expect((await unfreeze(lender)).body).toMatchObject({ frozen_fraction: '0.80' });
  expect((await unfreeze(lender)).body.error?.code).toBe('invalid_state');
  expect((await get(borrower, `/facilities/${facility}`)).body).toMatchObject({ frozen_fraction: '0.80' });
  expect((await unfreeze(other)).body).toEqual({ id: facility, frozen_fraction: '0.00', reason: '' });
});

test('credit that is paid for is not frozen and not paid out', async () => {
  const { principal } = (await get(borrower, `/facilities/${facility}`)).body;
  await post(borrower, `/facilities/${facility}/repayments`, { amount: principal });
  const lot = String(rows(await get(borrower, '/lots'))[0].id);
  expect((await post(lender, `/facilities/${facility}/freeze`, { fraction: '1', reason: 'concern' })).body.error?.code).toBe('invalid_state');
  expect((await post(borrower, `/facilities/${facility}/returns`, { lot_id: lot, credits: '1500' })).body.error?.code).toBe('invalid_state');
});

test('a lender takes out what is there of its money, once, and thinks of its mandate anew', async () => {
  const fund = await world.member('lender', 'careful fund');
  const made = await post(fund, '/mandates', { amount: '2000000', grades: ['A'], maximum_per_borrower: '1000000', minimum_annual_rate_percent: '0.5' });
  expect(made.body).toMatchObject({ amount: '2000000.00', committed: '0.00', available: '2000000.00', reinvest: true, state: 'open' });
  const id = String(made.body.id);
  borrower = await world.member('borrower', 'who pays');
  facility = String((await post(borrower, '/facilities', { amount: '1000000', months: 6, application: APPLICATION })).body.id);
  await post(borrower, `/facilities/${facility}/accept`, {});
  await post(borrower, `/facilities/${facility}/draws`, { amount: '400000' });
  await day(62 + 182);
  const funds = async (): Promise<Record<string, string>> => (await get(fund, '/balances')).body.fund as Record<string, string>;
  expect(await funds()).toMatchObject({ capital: '2000000.00', committed: '1000000.00', uncommitted: '1000000.00', idle: '0.00', lost: '0.00', interest_paid: '0.00', withdrawable: '1000000.00' });
  expect((await post(fund, '/withdrawals', { amount: '1000000.01' })).body.error?.code).toBe('insufficient_funds');
  const paid = (await post(borrower, `/facilities/${facility}/repayments`, { amount: '100000' })).body;
  const { interest_paid: interest } = await funds();
  expect(Number(interest)).toBeGreaterThan(0);
  expect(await funds()).toMatchObject({ interest_owed: '0.00', withdrawable: (1_000_000 + Number(paid.principal) + Number(interest)).toFixed(6).replace(/0{1,4}$/, '') });
  const take = () => world.call('POST', '/api/v1/withdrawals', { key: fund.key, body: { amount: '500000' }, headers: { 'idempotency-key': 'once' } });
  const [first, again] = [await take(), await take()];
  expect(first.body).toMatchObject({ amount: '500000.00', cash: '0.00', interest });
  expect(again.body).toEqual(first.body);
  const capital = (await funds()).capital;
  expect(Number(capital)).toBeCloseTo(2_000_000 - 500_000 + Number(interest), 6);
  const lines = rows(await get(fund, '/ledger?limit=1000')).filter(({ event }) => event === 'withdrawn');
  expect(lines.map(({ account }) => account).sort()).toEqual(['cash.fund', 'fund.capital', 'fund.payable']);
  const change = (body: object) => world.call('PATCH', `/api/v1/mandates/${id}`, { key: fund.key, body });
  expect((await change({ amount: '1000' })).body.error?.code).toBe('limit_exceeded');
  expect((await change({ amount: '1000000', reinvest: false })).body).toMatchObject({ amount: '1000000.00', reinvest: false, grades: ['A'] });
  expect((await world.call('DELETE', `/api/v1/mandates/${id}`, { key: lender.key })).body.error?.code).toBe('unknown_mandate');
  expect((await world.call('DELETE', `/api/v1/mandates/${id}`, { key: fund.key })).body).toMatchObject({ state: 'closed', available: '0.00' });
  const { expected, fund: shown } = (await get(fund, '/portfolio')).body as { expected: { capital: string }[]; fund: object };
  expect(shown).toEqual(await funds());
  // Of 400,000 that were drawn what is not back: the origination fee is paid last.
  expect(expected.reduce((sum, row) => sum + Number(row.capital), 0)).toBeCloseTo(400_000 - Number(paid.principal), 5);
  const told = rows(await get(fund, '/events?limit=1000')).map(({ type }) => type);
  expect(told).toEqual(expect.arrayContaining(['withdrawal.sent', 'withdrawal.of_fund', 'mandate.changed']));
  const audited = rows(await get(operator, '/audit?limit=1000')).map(({ action }) => action);
  expect(audited).toEqual(expect.arrayContaining(['facility.accept', 'facility.draw', 'mandate.create', 'mandate.change', 'mandate.close', 'withdraw']));
  expect((await get(operator, '/invariants')).body.ok).toBe(true);
});
