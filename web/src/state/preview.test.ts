import { describe, expect, test } from 'vitest';
import { affordable, previewOrder, type PreviewOrder } from './preview.ts';

const DEPTH = {
  bids: [{ price: 20_000, quantity: 500 }, { price: 19_000, quantity: 500 }],
  asks: [{ price: 24_000, quantity: 600_000 }, { price: 24_500, quantity: 100_000 }, { price: 26_000, quantity: 100_000 }],
};
const bid = (change: Partial<PreviewOrder> = {}): PreviewOrder => ({ side: 'buy', type: 'limit', price: 25_000, quantity: 1_000_000, timeInForce: 'gtc', postOnly: false, ...change });

describe('a bid', () => {
  test('that rests holds its notional and the taker fee on it: 10,000 GPU-h at 2.50 hold 25,125 CR', () => {
    expect(previewOrder({ bids: [], asks: [] }, bid())).toMatchObject({ filled: 0, resting: 1_000_000, cost: 0n, fee: 0n, reserved: 25_125_000_000n });
  });

  test('that trades pays the resting prices, 6,000 at 2.40 first, and holds the rest at its limit', () => {
    const preview = previewOrder(DEPTH, bid());
    expect(preview).toMatchObject({ filled: 700_000, resting: 300_000, worstPrice: 24_500, averagePrice: 24_071, slippage: 71 });
    expect(preview.cost).toBe(14_400_000_000n + 2_450_000_000n);
    expect(preview.fee).toBe(84_250_000n);
    expect(preview.reserved).toBe(16_850_000_000n + 84_250_000n + 7_537_500_000n);
  });

  test('IOC keeps nothing, FOK all or nothing', () => {
    expect(previewOrder(DEPTH, bid({ timeInForce: 'ioc' }))).toMatchObject({ filled: 700_000, resting: 0 });
    expect(previewOrder(DEPTH, bid({ timeInForce: 'fok' }))).toMatchObject({ filled: 0, resting: 0, reserved: 0n });
    expect(previewOrder(DEPTH, bid({ timeInForce: 'fok', quantity: 700_000 }))).toMatchObject({ filled: 700_000, resting: 0 });
  });

  test('post-only that would cross does nothing', () => {
    expect(previewOrder(DEPTH, bid({ postOnly: true }))).toMatchObject({ filled: 0, resting: 0, wouldCross: true });
    expect(previewOrder(DEPTH, bid({ postOnly: true, price: 23_999 }))).toMatchObject({ filled: 0, resting: 1_000_000, wouldCross: false });
  });

  test('rounds a hold up to the micro-credit', () => {
    expect(previewOrder({ bids: [], asks: [] }, bid({ price: 1, quantity: 1 })).reserved).toBe(2n);
  });
});

test('an ask takes the bids and reserves no credit', () => {
  expect(previewOrder(DEPTH, { ...bid(), side: 'sell', price: 19_000, quantity: 800 })).toMatchObject({ filled: 800, worstPrice: 19_000, averagePrice: 19_625, reserved: 0n });
});

test('what is affordable fits, and one step more does not', () => {
  const credits = 1_000_000_000n;
  const steps = affordable(credits, 24_000);
  const reserved = (quantity: number): bigint => previewOrder({ bids: [], asks: [] }, bid({ price: 24_000, quantity })).reserved;
  expect(reserved(steps) <= credits).toBe(true);
  expect(reserved(steps + 1) > credits).toBe(true);
  expect(affordable(0n, 24_000)).toBe(0);
});
