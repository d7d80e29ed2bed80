import { describe, expect, test } from 'vitest';
import { ApiError } from '../../errors.ts';
import type { Services } from '../../services.ts';
import { calculatorRoutes } from './calculator_routes.ts';
import type { RouteContext } from '../route.ts';

const TICKS = 10_000;
const ask = (price: number, quantity: number) => ({ price: price * TICKS, quantity, orders: 1 });
/** Asks by hour, the best first. */
const ASKS = [[ask(2, 50_000)], [ask(1.6, 100_000), ask(2.4, 20_000)]];

/** One class with a list price of 2.50 CR; 1,000 GPU-hours offered at 1.60 and 500 at 2.00, and 200 behind the first at 2.40. */
const services = {
  directory: {
    classes: () => [
      { class: 0, name: 'H100-SXM-80', listPrice: 2.5 * TICKS, inputs: [{ provider: 'a', usd: 2_990_000 }, { provider: 'b', usd: 2_490_000 }] },
      { class: 1, name: 'L4-PCIE-24', listPrice: 0.7 * TICKS, inputs: [] },
    ],
    regions: () => [{ region: 0, name: 'us-east' }],
  },
  market: {
    now: Date.UTC(2026, 0, 15),
    curve: (market: number) => (market === 0 ? ASKS.map(([best], hour) => ({ instrument: { market, hour }, bid: null, ask: best, last: null })) : []),
    depth: ({ hour }: { hour: number }) => ({ bids: [], asks: ASKS[hour] }),
  },
} as unknown as Services;

/** Validates as the server does, then calls the handler. */
async function post(path: string, body: unknown): Promise<unknown> {
  const route = calculatorRoutes.find((candidate) => candidate.path === `/api/v1/calculator/${path}`);
  if (route?.body === undefined) throw new Error(`no route ${path}`);
  const context = { services, body: route.body.parse(body) } as RouteContext<unknown, unknown, unknown>;
  const reply = await route.handle(context);
  const [answer] = Object.values(route.responses);
  expect(answer.schema?.safeParse(reply?.body).success).toBe(true);
  return reply?.body;
}

const SCHEDULE = {
  principal: '1000', annual_rate_percent: '12', periods: 12, disbursed_on: '2024-01-01', day_count: '30/360', every: 1, unit: 'months', method: 'annuity',
};

describe('the schedule', () => {
  test('is in cents, with its total and yearly rate', async () => {
    const answer = (await post('schedule', SCHEDULE)) as { rows: unknown[]; total_interest: string; apr_percent: string };
    expect(answer.rows).toHaveLength(12);
    expect(answer.rows[0]).toEqual({ number: 1, due_date: '2024-02-01', days: 30, principal: '78.85', interest: '10.00', due: '88.85', balance: '921.15' });
    expect(answer.rows[11]).toEqual({ number: 12, due_date: '2025-01-01', days: 30, principal: '87.96', interest: '0.88', due: '88.84', balance: '0.00' });
    expect(answer.total_interest).toBe('66.19');
    expect(Number(answer.apr_percent)).toBeCloseTo(12, 2);
  });

  test('takes a multiple as text and as a number', async () => {
    const text = await post('schedule', { ...SCHEDULE, instalment_multiple_of: '5.00' });
    expect(await post('schedule', { ...SCHEDULE, instalment_multiple_of: 5 })).toEqual(text);
  });

  test('a multiple that is more than the instalment but nearest to it ends the loan earlier', async () => {
    const { rows } = (await post('schedule', { ...SCHEDULE, instalment_multiple_of: '150' })) as { rows: { due: string; balance: string }[] };
    expect([rows[0].due, rows[5].due, rows[11].due, rows[11].balance]).toEqual(['150.00', '150.00', '0.00', '0.00']);
  });

  test.each(['equal_principal', 'flat'])('of the method %s takes a multiple too, and the last instalment absorbs', async (method) => {
    const rowsOf = async (more: object) => ((await post('schedule', { ...SCHEDULE, method, ...more })) as { rows: { principal: string; interest: string; due: string; balance: string }[] }).rows;
    const plain = await rowsOf({});
    const rounded = await rowsOf({ instalment_multiple_of: 5 });
    for (const [index, row] of rounded.slice(0, -1).entries()) {
      expect(Number(row.due) % 5).toBe(0);
      expect(Math.abs(Number(row.due) - Number(plain[index].due))).toBeLessThan(4);
    }
    expect(rounded.reduce((sum, { principal }) => sum + Number(principal), 0)).toBeCloseTo(1_000, 6);
    expect(rounded.at(-1)?.balance).toBe('0.00');
    const grace = await rowsOf({ instalment_multiple_of: 5, interest_only_periods: 3 });
    expect(grace.slice(0, 4).map(({ due }) => Number(due) % 5)).toEqual([0, 0, 0, 0]);
    expect(grace.slice(0, 3).map(({ principal }) => principal)).toEqual(['0.00', '0.00', '0.00']);
  });

  test('instalments rounded up end a flat loan early, without interest on nothing', async () => {
    const { rows } = (await post('schedule', { ...SCHEDULE, method: 'flat', instalment_multiple_of: 100 })) as { rows: { due: string; interest: string; balance: string }[] };
    expect(rows.map(({ due }) => due)).toEqual([...Array.from({ length: 11 }, () => '100.00'), '20.00']);
    const early = ((await post('schedule', { ...SCHEDULE, method: 'flat', instalment_multiple_of: 130 })) as { rows: { due: string; interest: string }[] }).rows;
    expect(early.slice(8).map(({ due, interest }) => [due, interest])).toEqual([['50.00', '10.00'], ['0.00', '0.00'], ['0.00', '0.00'], ['0.00', '0.00']]);
  });

  test.each<[string, object]>([
    ['principal', { principal: '0' }],
    ['instalment_multiple_of', { method: 'bullet', instalment_multiple_of: 5 }],
    ['instalment_multiple_of', { method: 'equal_principal', instalment_multiple_of: '1000000' }],
    ['instalment_multiple_of', { method: 'flat', instalment_multiple_of: '0' }],
    ['instalment_multiple_of', { instalment_multiple_of: '0.001' }],
    ['instalment_multiple_of', { instalment_multiple_of: '99999999999999999999' }],
    ['principal', { principal: '1.001' }],
    ['principal', { principal: '1000000000.01' }],
    ['annual_rate_percent', { annual_rate_percent: '1000.1' }],
    ['first_due_on', { first_due_on: '2023-12-31' }],
    ['disbursed_on', { disbursed_on: '0000-01-01' }],
    ['instalment_multiple_of', { instalment_multiple_of: '100000' }],
    ['instalment_multiple_of', { instalment_multiple_of: 178, refine: true }],
    ['interest_only_periods', { interest_only_periods: 12 }],
    ['further_draws', { further_draws: [{ on: '2025-01-01', amount: '1' }] }],
    ['further_draws', { further_draws: [{ on: '2023-12-31', amount: '1' }] }],
    ['further_draws', { periods: 600, further_draws: Array.from({ length: 61 }, () => ({ on: '2024-02-01', amount: '1' })) }],
    ['further_draws.0.amount', { further_draws: [{ on: '2024-02-01', amount: '0' }] }],
  ])('names %s when it is wrong', async (field, change) => {
    const refusal = expect.objectContaining({ field }) as ApiError;
    await expect(post('schedule', { ...SCHEDULE, ...change })).rejects.toThrow(refusal);
  });

  test.each<object>([{ periods: 0 }, { periods: 601 }, { periods: 1.5 }, { day_count: 'ACT/ACT' }, { method: 'revenue_share' }, { disbursed_on: '2024-02-30' }, { principal: '1e3' }, { instalment_multiple_of: 0 }, { instalment_multiple_of: -5 }, { instalment_multiple_of: 0.5 }, { instalment_multiple_of: '-5' }, { instalment_multiple_of: null }, { extra: 1 }])(
    'does not accept %o',
    async (change) => {
      await expect(post('schedule', { ...SCHEDULE, ...change })).rejects.toThrow();
    },
  );
});

describe('the other calculators', () => {
  test('the yearly rate by both definitions', async () => {
    const flows = { advances: [{ on: '1978-01-10', amount: '5000' }], payments: Array.from({ length: 24 }, (_, index) => ({ on: `${1978 + Math.floor((index + 1) / 12)}-${String(((index + 1) % 12) + 1).padStart(2, '0')}-10`, amount: '230' })) };
    expect(await post('apr', { method: 'us', ...flows })).toEqual({ apr_percent: expect.stringMatching(/^9\.6[89]\d*$/) as string });
    expect(await post('apr', { method: 'eu', ...flows })).toEqual({ apr_percent: expect.stringMatching(/^10\.1\d*$/) as string });
  });

  test('flows without a rate are refused', async () => {
    const flows = { advances: [{ on: '2024-01-02', amount: '100' }], payments: [{ on: '2024-01-01', amount: '110' }] };
    await expect(post('apr', { method: 'us', ...flows })).rejects.toBeInstanceOf(ApiError);
  });

  test('days between two dates', async () => {
    expect(await post('day-count', { convention: '30/360', from: '2024-01-31', to: '2024-03-31' })).toEqual({ days: 60, fraction: '0.166666666667' });
    expect(await post('day-count', { convention: 'ACT/360', from: '2024-01-01', to: '2024-12-26' })).toEqual({ days: 360, fraction: '1' });
  });

  test('what a loan buys at list price and at the live book', async () => {
    const answer = (await post('conversion', { principal: '2000', grade: 'A', months: 12 })) as { classes: object[] };
    expect(answer).toMatchObject({ conversion_rate: '1.50', effective_conversion_rate: '1.393735', credits: '3000.00', annual_rate_percent: '11.00', origination_fee: '30.00', total_interest: '122.49', total_cost: '2152.49' });
    expect(answer.classes).toEqual([
      {
        class: 'H100-SXM-80', list_price: '2.5000', gpu_hours_at_list: '1200', usd_per_gpu_hour_at_list: '1.7937', lowest_on_demand_usd: '2.49',
        // 1,000 GPU-hours at 1.608 with the fee, 500 at 2.01, for the other 387 CR 160.44 at 2.412: 4,151.10 CR at list price for 2,152.48 USD.
        live: { gpu_hours: '1660.44', average_price: '1.8067', credits_spent: '2999.98128', usd_per_gpu_hour: '1.2963', effective_conversion_rate: '1.928523' },
      },
      { class: 'L4-PCIE-24', list_price: '0.7000', gpu_hours_at_list: '4285.71', usd_per_gpu_hour_at_list: '0.5022', live: null, lowest_on_demand_usd: null },
    ]);
  });

  test('grade D converts nothing', async () => {
    await expect(post('conversion', { principal: '2000', grade: 'D', months: 12 })).rejects.toThrow(expect.objectContaining({ code: 'declined' }) as ApiError);
  });
});
