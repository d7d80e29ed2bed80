import { describe, expect, test } from 'vitest';
import { affordable, foreseenBlock, previewOrder, previewResale, type PreviewOrder } from './preview.ts';

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

describe('a resale gives credit back', () => {
  const market = { filled: 400, resting: 0, cost: 8_400_000n };

  test('below cost: what it brings, less the fee', () => {
    expect(previewResale(market, 24_000, 21_000)).toEqual({ fee: 42_000n, back: 8_358_000n, above: 0n });
  });

  test('above cost: what the hours cost, less the fee on that; the rest is paid out', () => {
    expect(previewResale({ ...market, cost: 10_000_000n }, 24_000, 25_000)).toEqual({ fee: 48_000n, back: 9_552_000n, above: 400_000n });
  });

  test('as a maker where it rests, as in the table of the money rules: 4,000 GPU-h at 2.10', () => {
    expect(previewResale({ filled: 0, resting: 400_000, cost: 0n }, 24_000, 21_000)).toEqual({ fee: 16_800_000n, back: 8_383_200_000n, above: 0n });
  });
});

test('a block is shown as the exchange foresees it, beside its best quotes', () => {
  const answer = { average_price: '2.04999951', worst_price: '2.1000', filled_quantity: '2', resting_quantity: '0', notional: '4.10', fee: '0.0205', credits_before: '100.00', credits_after: '95.8795' };
  expect(foreseenBlock(answer, [{ price: 20_000, quantity: 50 }, { price: 20_400, quantity: 100 }])).toEqual({
    filled: 200, resting: 0, averagePrice: 20_500, worstPrice: 21_000, slippage: 300, cost: 4_100_000n, fee: 20_500n, reserved: 4_120_500n,
  });
  expect(foreseenBlock({ ...answer, average_price: null, worst_price: null }, [])).toMatchObject({ averagePrice: undefined, worstPrice: undefined, slippage: undefined });
});
