import { describe, expect, test } from 'vitest';
import { hourAt, instrumentId, type WireDelivery, type WireOrder } from '../../state/index.ts';
import { bulkPlan } from './bulk.ts';
import { calendarOf } from './calendar.ts';
import { dueBy, paidOn } from './payouts.ts';

const FIRST = hourAt(Date.UTC(2026, 11, 1, 14));
const MARKET = 'H100-SXM-80.us-east';
const at = (hours: number): string => instrumentId('H100-SXM-80', 'us-east', FIRST + hours);
const ask = (id: string, hours: number, price: string, change: Partial<WireOrder> = {}): WireOrder =>
  ({ id, instrument: at(hours), side: 'sell', status: 'open', price, remaining_quantity: '8', block: null, block_id: null, resale_of: null, ...change }) as WireOrder;

describe('offers in bulk', () => {
  test('a line is its hours, one order each', () => {
    const plan = bulkPlan(MARKET, '2026-12-01T14 3 8 1.95\n\n2026-12-02 09:00, 1, 2.5, 2', FIRST);
    expect(plan.problems).toEqual([]);
    expect(plan.operations.map(({ instrument, quantity, price }) => [instrument, quantity, price])).toEqual([
      [at(0), '8', '1.95'], [at(1), '8', '1.95'], [at(2), '8', '1.95'], [at(19), '2.5', '2'],
    ]);
  });
  test.each([
    ['2026-12-01T13 1 8 1.95', 'Line 1: the first hour must be to come'],
    ['tomorrow 1 8 1.95', 'Line 1: write the first hour, hours, GPUs and price'],
    ['2026-12-01T14 1 8.001 1.95', 'Line 1: GPUs go in steps of 0.01, prices in steps of 0.0001'],
    ['2026-12-01T14 744 8 1.95', '744 hours; at most 500 go at once'],
  ])('%s', (text, problem) => expect(bulkPlan(MARKET, text, FIRST).problems).toEqual([problem]));
});

describe('the calendar', () => {
  test('tells listed, sold, delivering and failed hours; the asks of a block are counted once', () => {
    const block = { start_at: '2026-12-01T14:00:00Z', end_at: '2026-12-01T16:00:00Z', quantity: '4', minimum_acceptance_ratio: '1' };
    const orders = [ask('a', 2, '2'), ask('b', 0, '2', { block }), ask('c', 0, '2', { block_id: 'b', remaining_quantity: '4' })];
    const delivery = (hours: number, change: Partial<WireDelivery>): WireDelivery => ({ instrument: at(hours), quantity: '3', failed_credits: '0', status: 'scheduled', ...change }) as WireDelivery;
    const cells = calendarOf(MARKET, { from: FIRST, hours: 6 }, orders, [delivery(3, {}), delivery(4, { status: 'delivering' }), delivery(5, { failed_credits: '1.5', status: 'delivered' })]);
    expect(cells.map(({ state, listed, sold }) => [state, listed, sold])).toEqual([['listed', 400, 0], ['free', 0, 0], ['listed', 800, 0], ['sold', 0, 300], ['delivering', 0, 300], ['failed', 0, 300]]);
  });
});

describe('payouts', () => {
  test.each([
    ['2026-12-04T13:00:00.000Z', '2026-12-07'],
    ['2026-12-07T00:00:00.000Z', '2026-12-07'],
    ['2026-12-07T00:00:00.001Z', '2026-12-14'],
  ])('what is due at %s is paid on %s', (due, day) => expect(paidOn(due)).toBe(day));

  test('the next one brings what is due by then and not held back', () => {
    const line = (due_at: string, held = false) => ({ due_at, amount: '1.50', kind: 'used' as const, held });
    expect(dueBy({ next_payout_at: '2026-12-07T00:00:00.000Z', upcoming: [line('2026-12-04T13:00:00.000Z'), line('2026-12-04T13:00:00.000Z', true), line('2026-12-07T01:00:00.000Z')] })).toBe(1_500_000n);
  });
});
