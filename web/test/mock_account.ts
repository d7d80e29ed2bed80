/** The accounts of the mock market, in the shapes of the contract. */
import { instrumentId, hourAt } from '../src/state/instrument.ts';
import type { WireBands, WireBankFeed, WireCohort, WireConfirmation, WireDashboard, WireDisclosure, WireForecast, WireIncome, WireMonth, WirePayoutStatement, WirePortfolio, WirePositions, WirePriceRisk, WireProbe, WireProject, WireProvider, WireRepricingRule, WireRequest, WireResalePolicy, WireStress, WireSwitch, WireUser, WireWebhook, WireWebhookDelivery } from '../src/state/wire.ts';

export type MockRole = 'borrower' | 'provider' | 'lender' | 'operator';
export const MOCK_ROLES: MockRole[] = ['borrower', 'provider', 'lender', 'operator'];

const HOUR_MILLIS = 3_600_000;
const day = (now: number, days: number): string => new Date(now + days * 24 * HOUR_MILLIS).toISOString();

export const me = (role: MockRole) => ({
  id: `usr_${role}`,
  email: `${role}@demo.example`,
  company: { borrower: 'Meridian Labs', provider: 'Northwind Compute', lender: 'Harbour Capital', operator: 'Exchange operations' }[role],
  role,
  csrf_token: 'mock-csrf',
});

export const balances = {
  usd: '2500.00', payable: '201.370230', bond: '12000.00',
  fund: { capital: '20250000.00', committed: '1000000.00', uncommitted: '19000000.00', idle: '250000.00', lost: '0.00', interest_paid: '5312.40', interest_owed: '1177.46', withdrawable: '19257812.40' },
  credits: { available: '486312.442500', held: '20100.000000', contracted: '38902.400000', frozen: '0.000000', remaining: '545314.842500' },
};
export const NO_BALANCES = { usd: '0.00', payable: '0.00', bond: '0.00', fund: null, credits: { available: '0.00', held: '0.00', contracted: '0.00', frozen: '0.00', remaining: '0.00' } };

export function order(id: string, instrument: string, change: object = {}) {
  return {
    id, client_order_id: null, instrument, side: 'buy', type: 'limit', price: '2.1500', quantity: '8', filled_quantity: '0', remaining_quantity: '8', average_price: null,
    status: 'open', cancel_reason: null, reject_code: null, time_in_force: 'gtc', post_only: false, display_quantity: null, minimum_quantity: null, stop_price: null,
    expires_at: null, model: null, block: null, block_id: null, resale_of: null, self_trade_prevention: 'cancel_newest', cancel_on_disconnect: false, hold: '17.286000', fees: '0.00',
    net_usd_per_gpu_hour: null, sequence: 1, created_at: new Date().toISOString(), ...change,
  };
}

export function orders(role: MockRole, now: number) {
  const next = hourAt(now) + 1;
  const at = (hours: number): string => instrumentId('H100-SXM-80', 'us-east', next + hours);
  if (role === 'provider') {
    return [
      order('ord_901', at(0), { side: 'sell', price: '2.2900', quantity: '64', filled_quantity: '48', remaining_quantity: '16', average_price: '2.2900', status: 'partially_filled', hold: '0.00', net_usd_per_gpu_hour: '1.4169' }),
      order('ord_902', at(1), { side: 'sell', price: '2.2500', quantity: '64', remaining_quantity: '64', hold: '0.00' }),
      order('ord_903', at(2), { side: 'sell', price: '2.2100', quantity: '64', filled_quantity: '64', remaining_quantity: '0', average_price: '2.2100', status: 'filled', hold: '0.00' }),
    ];
  }
  return [
    order('ord_101', at(2), { price: '2.1500', quantity: '120', remaining_quantity: '120', hold: '259.290000' }),
    order('ord_102', at(2), { price: '2.1200', quantity: '40', filled_quantity: '12.5', remaining_quantity: '27.5', average_price: '2.1200', status: 'partially_filled', hold: '58.591500', post_only: true }),
    order('ord_103', at(5), { price: '2.2400', quantity: '16', filled_quantity: '16', remaining_quantity: '0', average_price: '2.2325', status: 'filled', hold: '0.00', fees: '0.178600' }),
    order('ord_104', at(7), { price: '1.9900', quantity: '64', status: 'canceled', cancel_reason: 'requested', hold: '0.00' }),
  ];
}

export function fills(now: number) {
  const instrument = instrumentId('H100-SXM-80', 'us-east', hourAt(now) + 6);
  return ['2.2300', '2.2350'].map((price, index) => ({
    id: `fil_${index}`, order_id: 'ord_103', instrument, side: 'buy', price, quantity: '8', liquidity: 'taker', fee: '0.089300', fee_currency: 'CR', counterparty: null,
    allocation_id: `alc_${index}`, created_at: new Date(now - index * 60_000).toISOString(),
  }));
}

export const allocations = (now: number) =>
  ['Northwind Compute', 'Aster Cloud'].map((provider, index) => ({
    id: `alc_${index}`, instrument: instrumentId('H100-SXM-80', 'us-east', hourAt(now) + index * 6), provider, model: index === 0 ? 'llama-3.1-8b-instruct' : null,
    quantity: '8', used: index === 0 ? '1.204118' : '0', price: '2.2300', credits: index === 0 ? '15.154817' : '17.840000', status: index === 0 ? 'delivering' : 'open', frozen: false,
  }));

export const lots = (now: number) => [
  {
    id: 'lot_12', source: 'facility', usd_in: '400000.00', credits_minted: '560000.00', conversion_rate: '1.40', available: '486312.442500', held: '20100.000000',
    contracted: '38902.400000', retired: '14685.157500', expires_at: day(now, 180), frozen: '0.00',
  },
];

export const facility = (now: number, change: object = {}) => ({
  id: 'fac_7', company: 'Meridian Labs', lender: 'Harbour Capital', state: 'active', amount: '1000000.00', months: 6, method: 'annuity', revenue_share: null, grade: 'A', score: 712,
  annual_rate_percent: '12.50', conversion_rate: '1.40', origination_fee_percent: '1.5', drawn: '400000.00', undrawn: '600000.00', principal: '406000.00', accrued_interest: '1112.33',
  fees: '0.00', exposure: '118000.00', exposure_limit: '600000.00', lenders: [{ lender: 'Harbour Capital', amount: '1000000.00' }], day_count: 'ACT/365', due_date_roll: 'following', draw_on_demand: false, interest_only_periods: 0, refine: false, offer_expires_at: null, frozen_fraction: '0', days_past_due: 0, reasons: ['Runway of 16 months', 'Revenue grows 90 % a year', 'Gross margin of 55 %'], accepted_at: day(now, -20), matures_at: day(now, 160),
  ...change,
});

export const offered = (now: number) => facility(now, {
  id: 'fac_9', company: 'Lumen Robotics', state: 'offered', amount: '250000.00', grade: 'B', score: 604, annual_rate_percent: '14.20', drawn: '0.00', undrawn: '0.00', principal: '0.00', accrued_interest: '0.00',
  exposure: '0.00', accepted_at: null, matures_at: null, offer_expires_at: day(now, 1),
});

export const schedule = (now: number) =>
  Array.from({ length: 6 }, (_, index) => ({
    number: index + 1, due_date: day(now, 30 * (index + 1)).slice(0, 10), principal: `${66_000 + index * 690}.12`, interest: `${4_229 - index * 690}.17`, due: '70229.29', balance: `${340_000 - index * 68_000}.00`,
  }));

export const mandates = [{ id: 'man_1', amount: '20000000.00', committed: '1000000.00', available: '19000000.00', reinvest: true, state: 'open', grades: ['A', 'B'], maximum_per_borrower: '2000000.00', minimum_annual_rate_percent: '11.00' }];

export const capacity = [
  { class: 'H100-SXM-80', region: 'us-east', gpus: 64, verified_gpus: 64, models: ['llama-3.1-8b-instruct'], status: 'verified' },
  { class: 'L40S-PCIE-48', region: 'us-east', gpus: 24, verified_gpus: 0, models: [], status: 'pending' },
];
export const repricingRules = (now: number): WireRepricingRule[] => [
  { class: 'H100-SXM-80', region: 'us-east', enabled: true, price_floor: '1.9000', price_ceiling: '2.4000', undercut: '0.0001', moves: 1_284, moved_at: day(now, 0), moved_sequence: 184_101, last_refusal: null },
];
export const endpoints = [
  { id: 'ep_1', url: 'https://gpu1.northwind.example/v1', class: 'H100-SXM-80', region: 'us-east', models: ['llama-3.1-8b-instruct', 'llama-3.3-70b-instruct'], status: 'verified', status_reason: '', created_at: '2026-11-20T10:00:00.000Z', verified_at: '2026-11-26T10:00:00.000Z' },
  { id: 'ep_2', url: 'https://gpu2.northwind.example/v1', class: 'L40S-PCIE-48', region: 'us-east', models: ['qwen2.5-7b-instruct'], status: 'pending', status_reason: '', created_at: '2026-11-26T10:00:00.000Z', verified_at: null },
];
export const deliveries = (now: number) =>
  [1, 2, 3].map((hours) => ({
    id: `dlv_${hours}`, instrument: instrumentId('H100-SXM-80', 'us-east', hourAt(now) - hours), quantity: '48', used: '31.204411', credits: '108.480000',
    delivered_credits: '108.480000', failed_credits: '0.00', usd: '67.123410', commission: '0.134516', requests: 4_182, status: 'delivered',
  }));

export const portfolio: WirePortfolio = {
  outstanding: '406000.00', accrued_interest: '1112.33', committed: '1000000.00', undrawn: '600000.00', exposure: '407112.33', collateral: '289112.33', expected_loss: '2361.25', allowance: '2400.00',
  stages: [1, 2, 3].map((stage) => ({ stage, facilities: stage === 1 ? 1 : 0, exposure: stage === 1 ? '407112.33' : '0.00', expected_loss: stage === 1 ? '2361.25' : '0.00' })),
  concentration: {
    herfindahl: '1.00', borrowers: [{ company: 'Meridian Labs', company_id: 'cmp_3', outstanding: '406000.00', share_percent: '100.00' }], grades: [{ grade: 'A', outstanding: '406000.00', share_percent: '100.00' }],
  },
  yield: { annual_rate_percent: '12.50', lenders_annual_rate_percent: '10.00', interest_accrued: '8112.33', earned: '6489.86' }, facilities: [], fund: balances.fund,
  expected: ['2026-12', '2027-01', '2027-02'].map((month, index) => ({ month, capital: `${31_800 + 320 * index}.15`, interest: `${2_030 - 160 * index}.20` })),
  buckets: (['current', '1-30', '31-60', '61-90', '90+'] as const).map((name, index) => ({ days_past_due: name, outstanding: index === 0 ? '406000.00' : '0.00', facilities: index === 0 ? 1 : 0 })),
};
export const risk = {
  exposures: [{ company: 'Meridian Labs', facility_id: 'fac_7', state: 'active', principal: '406000.00', accrued_interest: '1112.33', days_past_due: 0, frozen_fraction: '0.00', utilisation_percent: '40.00' }],
  outstanding: '406000.00', modes: [],
};
const FALLS = ['0.00', '25.00', '50.00', '75.00', '100.00'];
const RATES = ['1.00', '5.00', '10.00', '25.00', '50.00', '100.00'];
export const stress: WireStress = {
  exposure: '407112.33', method: 'loss = default rate x what collateral does not cover', price_falls_percent: FALLS, default_rates_percent: RATES,
  grid: FALLS.flatMap((fall) => RATES.map((rate) => {
    const loss = ((118_000 + Number(fall) * 2_500) * Number(rate)) / 100;
    return { price_fall_percent: fall, default_rate_percent: rate, loss: loss.toFixed(2), loss_percent: ((loss * 100) / 407_112).toFixed(2) };
  })),
};
export const disclosure = (now: number): WireDisclosure => ({
  amount: '1000000.00', annual_rate_percent: '12.50', origination_fee: '15000.00', total_interest: '37284.11', total_cost: '1052284.11', apr_us_percent: '17.94', apr_eu_percent: '19.48', conversion_rate: '1.40',
  effective_conversion_rate: '1.330439', payments: Array.from({ length: 6 }, (_, index) => ({ on: day(now, 30 * (index + 1)).slice(0, 10), amount: '175380.69' })), classes: [],
});
export const dashboard = (now: number): WireDashboard => ({
  facility_id: 'fac_7', state: 'active', limit: '1000000.00', drawn: '400000.00', undrawn: '600000.00', principal: '406000.00', accrued_interest: '1112.33', fees: '0.00', headroom: '482000.00',
  exposure: '118000.00', exposure_limit: '600000.00', credits: { available: '486312.44', held: '20100.00', contracted: '38902.40' },
  next_payment: { due_date: day(now, 10).slice(0, 10), amount: '70229.29', past_due: '0.00' }, conversion: { contractual: '1.40', realised: '1.36' },
  burn: { spent_30_days: '9842.10', plan_30_days: '164383.56', percent_of_plan: '5.99' }, runway: { credits_per_day: '4120.55', days: 132, runs_out_on: day(now, 132).slice(0, 10) },
  covenants: [{ covenant: 'minimum_runway', kept: true }, { covenant: 'use_of_proceeds', kept: true }], waste: { used: '14120.40', unused: '564.75', unused_percent: '3.85' },
});
export const forecast = (now: number): WireForecast => ({
  facility_id: 'fac_7', method: 'seasonal_mean', history_days: 41, error_percent: '11.20', interval_percent: '80', credits_remaining: '545314.84', runs_out_on: day(now, 42).slice(0, 10),
  weeks: Array.from({ length: 8 }, (_, week) => {
    const expected = 78_000 + week * 4_500;
    const left = 545_314 - (week + 1) * 78_000 - (week * (week + 1) * 4_500) / 2;
    const amounts = { expected, low: expected * 0.86, high: expected * 1.13, surplus: Math.max(0, left), shortage: Math.max(0, -left), contracted: Math.max(0, 38_000 - week * 9_000), uncovered: Math.max(0, expected - 38_000), excess: 0, expiring: 0 };
    const texts = Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, amount.toFixed(2)])) as Record<keyof typeof amounts, string>;
    return { from: day(now, week * 7).slice(0, 10), to: day(now, week * 7 + 6).slice(0, 10), ...texts };
  }),
  ladder: {
    method: 'uncovered use: half at the mark, the rest below it',
    rungs: ['2.2300', '2.1185', '2.0070'].map((price, index) => ({
      side: 'buy' as const, class: 'H100-SXM-80', region: 'us-east', from: day(now, 7).slice(0, 10), to: day(now, 13).slice(0, 10), price, gpu_hours: ['9000.00', '5700.00', '4000.00'][index] ?? '0', credits: ['20070.00', '12075.45', '8028.00'][index] ?? '0',
    })),
  },
});
export const statements: WireMonth[] = [
  { month: '2026-11', from: '2026-11-01', to: '2026-11-30', complete: false },
  { month: '2026-10', from: '2026-10-01', to: '2026-10-31', complete: true },
];
export const payoutStatement = (now: number): WirePayoutStatement => ({
  earned: '2044.590230', paid: '1843.220000', payable: '201.370230', receivable: '0.00', bond: '12000.00', next_payout_at: day(now, 4),
  upcoming: [{ due_at: day(now, 4), amount: '161.220000', kind: 'used', held: false }, { due_at: day(now, 32), amount: '40.150230', kind: 'unused_financed', held: false }],
});
const income = (factor: number): WireIncome['totals'] => {
  const lines = {
    interest_earned: 1_112.33, cost_of_funds: -889.86, commissions_buyers: 212.4, commissions_sellers: 96.12, redemption_spread: 388.75, origination_fees: 6_000, late_fees: 0, recoveries: 0, provisions: -2_400, grants: 0,
  };
  const texts = Object.fromEntries(Object.entries(lines).map(([name, amount]) => [name, (amount * factor).toFixed(2)])) as Record<keyof typeof lines, string>;
  return { fund_spread: (222.47 * factor).toFixed(2), commissions: (308.52 * factor).toFixed(2), ...texts, total: (4_519.74 * factor).toFixed(2) };
};
export const incomeReport = (now: number): WireIncome => ({
  from: day(now, -29).slice(0, 10), to: day(now, 0).slice(0, 10), totals: income(1), data: [6, 5, 4, 3, 2, 1, 0].map((ago) => ({ date: day(now, -ago).slice(0, 10), ...income((7 - ago) / 28) })),
});
export const positions = (now: number): WirePositions => ({
  engine: 184_220, journal: 184_220, snapshot: 180_000, feed: 184_220, now: day(now, 0), projections: ['credit', 'delivery', 'ledger', 'orders', 'trades'].map((name) => ({ name, sequence: 184_217, behind: 3 })),
});
export const users = (now: number): WireUser[] => MOCK_ROLES.map((role, index) => ({ id: `usr_${role}`, email: `${role}@demo.example`, role, company: me(role).company, company_id: `cmp_${index}`, created_at: day(now, -30 + index) }));
const tried = (endpoint: string, provider: string, began: number, millis: number, error: string | null = null): WireRequest['attempts'][number] => ({ endpoint, provider, began_ms: began, millis, outcome: error === null ? 'answered' : 'failed', error });
export const requests = (now: number): WireRequest[] => [0, 1, 2].map((index) => ({
  id: `req_${index}`, at: new Date(now - index * 41_000).toISOString(), key: 'key_1', model: 'llama-3.1-8b-instruct', path: '/chat/completions', streamed: index !== 2, status: index === 2 ? 503 : 200,
  error: index === 2 ? 'provider_unavailable' : null, millis: 842 + index * 310, prompt_tokens: index === 2 ? null : 18, completion_tokens: index === 2 ? null : 143, credits_used: index === 2 ? null : '0.000259',
  attempts: index === 0 ? [tried('ep_1', 'Northwind Compute', 2, 838)] : [tried('ep_9', 'Aster Cloud', 2, 301, 'connection'), ...(index === 1 ? [tried('ep_1', 'Northwind Compute', 305, 845)] : [])],
}));
export const probes = (now: number): WireProbe[] => [0, 1, 2, 3].map((index) => ({
  id: String(90 - index), at: new Date(now - index * 60_000).toISOString(), model: index === 2 ? 'llama-3.3-70b-instruct' : 'llama-3.1-8b-instruct', result: index === 2 ? 'failed' : 'passed', millis: index === 2 ? 30_000 : 212 + index * 9,
}));
export const switches: WireSwitch[] = [
  { name: 'mint', on: false, reason: '', sequence: 0 },
  { name: 'draw', on: false, reason: '', sequence: 0 },
  { name: 'payout', on: true, reason: 'Bank file under review', sequence: 183_900 },
];
export const resalePolicy: WireResalePolicy = { enabled: false, price_floor: null, idle_minutes: null, expiring: [], waste: { used: '14120.40', unused: '564.75', unused_percent: '3.85' } };
export const bands: WireBands = { above: '10', below: '0.001', pending: { above: '5', below: '0.01', confirmation_id: 'cnf_1', requested_by: 'usr_second', reason: 'Thin books' } };
/** Two hours of one GPU, the second behind its best quote. */
export const blockPreview = {
  filled_quantity: '2', resting_quantity: '0', average_price: '2.04999951', worst_price: '2.1000', notional: '4.10', fee: '0.0205', hold: '0.00', draw: null, credits_before: '500000.00', credits_after: '499995.8795',
  usd_per_gpu_hour: '1.3735', interest_usd_per_gpu_hour: '0.0021', outside_usd_per_gpu_hour: '2.1900', net_usd_per_gpu_hour: null, reject_code: null,
};
export const confirmations = (now: number): WireConfirmation[] => [
  { id: 'cnf_1', action: 'bands', target: '0.01 to 5', reason: 'Thin books', requested_by: 'usr_second', email: 'ben@exchange.example', requested_at: new Date(now - 90_000).toISOString(), expires_at: new Date(now + 3_510_000).toISOString(), call: { path: '/api/v1/bands', body: { above: '5', below: '0.01' } } },
  { id: 'cnf_2', action: 'resume', target: 'A100-SXM-80.us-west', reason: 'Feed is back', requested_by: 'usr_second', email: 'ben@exchange.example', requested_at: new Date(now - 60_000).toISOString(), expires_at: new Date(now + 3_540_000).toISOString(), call: { path: '/api/v1/markets/resume', body: { scope: 'A100-SXM-80.us-west' } } },
];
export const providers: WireProvider[] = ['Northwind Compute', 'Aster Cloud'].map((name, index) => ({
  id: `cmp_${index + 8}`, name, reliability_percent: index === 0 ? '99.9312' : '97.4100', promised_gpu_minutes: '172800.00', delivered_gpu_minutes: '172681.12', suspended: index === 1,
  markets: [{ class: 'H100-SXM-80', region: 'us-east', verified_gpus: 64, models: ['llama-3.1-8b-instruct'] }],
}));
export const payouts = (now: number) => [{ amount: '1843.220000', sequence: 182_000, at: day(now, -3) }];
export const statement = (now: number) => [{ sequence: 180_000, at: day(now, -20), event: 'drawn', amount: '400000.00', interest: '0.00', principal: '406000.00', fees: '6000.00', reason: '' }];
export const usage = (group: string, now: number) => [0, 1, 2].map((index) => ({
  group: group === 'day' ? day(now, -index).slice(0, 10) : `${group} ${index}`, requests: 120 - index, prompt_tokens: 41_200, completion_tokens: 18_400, gpu_seconds: '88.120000', credits_used: `${3 - index}.120000`,
}));

export const projects = (now: number): WireProject[] => [
  { id: 'prj_1', name: 'Search', monthly_budget: '400.000000', keys: 2, month: { used: '331.204100', alerts: [80], remaining: '68.795900' }, created_at: day(now, -12) },
  { id: 'prj_2', name: 'Assistant', monthly_budget: null, keys: 1, month: { used: '12.880000', alerts: [], remaining: null }, created_at: day(now, -9) },
];
export const webhooks = (now: number): WireWebhook[] => [{ id: 'whk_1', url: 'https://hooks.meridian.example/ccx', description: 'Books our loans', events: [], status: 'active', reason: '', created_at: day(now, -9) }];
export const webhookDeliveries = (now: number): WireWebhookDelivery[] => [
  { id: 'whk_1.evt_3', event_id: 'evt_3', type: 'facility.drawn', status: 'pending', attempts: 1, last_status: 503, last_error: '', next_attempt_at: day(now, 0), delivered_at: null, created_at: day(now, 0) },
  { id: 'whk_1.evt_2', event_id: 'evt_2', type: 'payment.allocated', status: 'delivered', attempts: 1, last_status: 200, last_error: '', next_attempt_at: null, delivered_at: day(now, -1), created_at: day(now, -1) },
  { id: 'whk_1.evt_1', event_id: 'evt_1', type: 'facility.frozen', status: 'failed', attempts: 8, last_status: null, last_error: 'connection refused', next_attempt_at: null, delivered_at: null, created_at: day(now, -2) },
];
const curve = (shares: number[]): WireCohort['curve'] => shares.map((outstanding, month) => ({ month, repaid_percent: (100 - outstanding).toFixed(2), written_off_percent: '0.00', outstanding_percent: outstanding.toFixed(2) }));
export const cohorts: WireCohort[] = [
  { month: '2026-11', facilities: 1, lent: '406000.000000', repaid: '0.00', written_off: '0.00', outstanding: '406000.000000', curve: curve([100]) },
  { month: '2026-09', facilities: 2, lent: '900000.000000', repaid: '351000.000000', written_off: '0.00', outstanding: '549000.000000', curve: curve([100, 82, 61]) },
  { month: '2026-08', facilities: 3, lent: '1250000.000000', repaid: '640000.000000', written_off: '35000.000000', outstanding: '575000.000000', curve: curve([100, 79, 60, 46]) },
];
export const priceRisk = (now: number, empty: boolean): WirePriceRisk => empty
  ? { locked_cost: '0.00', market_cost: '0.00', gain: '0.00', open_credits: '0.00', ten_percent: '0.00', data: [] }
  : {
      locked_cost: '38902.400000', market_cost: '40110.750000', gain: '1208.350000', open_credits: '506412.442500', ten_percent: '46037.494772',
      data: [{ class: 'H100-SXM-80', region: 'us-east', date: day(now, 1).slice(0, 10), gpu_hours: '16.00', locked_price: '2.2325', market_price: '2.3080', locked_cost: '35.720000', market_cost: '36.928000', gain: '1.208000' }],
    };
export const bankFeed: WireBankFeed = {
  feed: { id: 'feed_1' },
  lines: 240, errors: [{ line: 17, detail: 'amount: not a decimal' }], months: [{ month: '2026-10', inflow: '181000.00', outflow: '246000.00', balance: '3950000.00' }],
  application: { cash: '3950000.00', monthly_burn: '246000.00', monthly_revenue: '181000.00', cash_trend_3m_percent: '-6.20', revenue_growth_percent: null },
};

export const keys = (now: number) => [
  { id: 'key_1', name: 'Production', prefix: 'ccx_test_', last_four: '9fA2', scopes: ['inference'], allowed_models: null, allowed_ips: [], monthly_limit: '500.00', spot: { enabled: true, maximum_price: '2.5000', classes: null, regions: null, monthly_limit: null }, expires_at: null, created_at: day(now, -14) },
  { id: 'key_2', name: 'Trading bot', prefix: 'ccx_test_', last_four: '77bc', scopes: ['read', 'trade'], allowed_models: null, allowed_ips: ['203.0.113.7'], monthly_limit: null, spot: { enabled: false, maximum_price: null, classes: null, regions: null, monthly_limit: null }, expires_at: day(now, 90), created_at: day(now, -3) },
];

export const audit = (now: number) => [
  { id: 2, at: day(now, -1), actor: 'usr_operator', email: 'ada@exchange.example', company: 'Exchange operations', action: 'resume', target: 'H100-SXM-80.us-west', reason: 'Feed is back', details: {}, sequence: 183_004 },
  { id: 1, at: day(now, -1), actor: 'usr_operator', email: 'ada@exchange.example', company: 'Exchange operations', action: 'halt', target: 'H100-SXM-80.us-west', reason: 'Reference feed away', details: {}, sequence: 182_771 },
];

const NAMES = [
  'Every transaction sums to zero per ledger', 'No account below its bound', 'Lots are whole', 'Holds equal worst cases', 'Facilities are whole', 'Solvency of the escrow', 'Backing of each lot',
  'Capacity', 'Payments are allocated', 'Accrual is cumulative', 'Deliveries share out', 'Idempotency', 'No order on blocked credit', 'Payouts', 'Limits of orders', 'Integers', 'No crossed books',
];
export const invariants = {
  ok: true,
  checks: NAMES.map((name, index) => ({ number: index + 1, name, ok: true })),
  state_hash: '8f1d5c0a94b2e7763a1f0c55d2e94b8817ac03f19be2760d4c5ea1f2b7d96a30',
  sequence: 184_220,
};
