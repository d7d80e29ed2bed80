import { describe, expect, test } from 'vitest';
import { ApiError, explain } from './errors.ts';
import { OrderEntry } from './order_entry.ts';
import { Toasts } from './toasts.ts';
import type { WireOrder } from './wire.ts';

const order = (id: string, change: Partial<WireOrder> = {}): WireOrder => ({
  id, client_order_id: null, instrument: 'H100-SXM-80.us-east.20261201T14Z', side: 'buy', type: 'limit', price: '2.1000', quantity: '4', filled_quantity: '1', remaining_quantity: '3', average_price: null,
  status: 'open', cancel_reason: null, reject_code: null, time_in_force: 'gtc', post_only: false, display_quantity: null, minimum_quantity: null, stop_price: null, expires_at: null, model: null, block: null,
  block_id: null, resale_of: null, self_trade_prevention: 'cancel_newest', cancel_on_disconnect: false, hold: '0.00', fees: '0.00', net_usd_per_gpu_hour: null, sequence: 1, created_at: '2026-12-01T00:00:00.000Z', ...change,
});

function entryWith(open: WireOrder[]) {
  const sent: { path: string; body: unknown }[] = [];
  const toasts = new Toasts();
  const api = {
    delete: () => Promise.resolve({ order: { ...open[0], status: 'canceled' } }),
    post: (path: string, body: unknown) => {
      sent.push({ path, body });
      return Promise.resolve({ results: [{ order: open[0] }] });
    },
  };
  const account = { orders: { cell: { value: { status: 'success', data: open } }, refresh: () => Promise.resolve() }, noteOrder: () => undefined };
  const entry = new OrderEntry({ api, account: () => account, toasts, onError: () => undefined } as unknown as ConstructorParameters<typeof OrderEntry>[0]);
  return { entry, toasts, sent };
}

describe('a cancel can be taken back', () => {
  test('what was left of an order is placed again', async () => {
    const { entry, toasts, sent } = entryWith([order('ord_1', { display_quantity: '4', model: 'm' })]);
    await entry.cancel(order('ord_1', { display_quantity: '4', model: 'm' }));
    const [toast] = toasts.list.value;
    expect([toast.detail, toast.undo?.label]).toEqual(['Cancelled', 'Place it again']);
    toast.undo?.run();
    expect(sent).toEqual([{
      path: '/orders/batch',
      body: { operations: [{ op: 'place', instrument: 'H100-SXM-80.us-east.20261201T14Z', side: 'buy', type: 'limit', price: '2.1000', quantity: '3', time_in_force: 'gtc', post_only: false, model: 'm', self_trade_prevention: 'cancel_newest', cancel_on_disconnect: false }] },
    }]);
  });

  test('one message says it of all, and blocks are not among them', async () => {
    const { entry, toasts } = entryWith([order('ord_1'), order('ord_2'), order('ord_3', { block_id: 'ord_9' }), order('ord_4', { status: 'filled' })]);
    await entry.cancelAll();
    expect(toasts.list.value.map(({ detail, undo }) => [detail, undo?.label])).toEqual([['Every open order was cancelled', 'Place 2 again']]);
  });
});

test('a refusal is said without the names of the wire', () => {
  const error = (message: string): ApiError => new ApiError({ status: 400, code: 'invalid_request', message, field: 'application.monthly_burn' });
  expect(explain(error('application.monthly_burn: must be a decimal string such as "2.15"'))).toBe('Digits and a point only');
  expect(explain(error('application.monthly_burn: must be at most 100'))).toBe('Must be at most 100');
});
