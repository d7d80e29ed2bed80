import { describe, expect, test } from 'vitest';
import { median, percentile, rounded } from './benchmark.ts';
import { openMarket, rehearse, restingOrders, verifyInvariants } from './engine_market.ts';
import { manyBooksRate } from './engine_wide.ts';
import { blockLatency } from './blocks.ts';
import { ADD, CANCEL, DEEP_MIX, MIX, TAKE, generateOrderFlow, type OrderFlow } from './order_flow.ts';

const OPERATIONS = 20_000;
const share = (flow: OrderFlow, kind: number) => flow.kind.filter((value) => value === kind).length / flow.length;

describe('numbers', () => {
  test('percentiles are by nearest rank, the median of an even count is between', () => {
    const sorted = Float64Array.from({ length: 100 }, (_, index) => index + 1);
    expect([0.5, 0.99, 1].map((fraction) => percentile(sorted, fraction))).toEqual([50, 99, 100]);
    expect(percentile(new Float64Array(), 0.5)).toBeNaN();
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect([rounded(1234.56), rounded(12.34567), rounded(0)]).toEqual([1235, 12.35, 0]);
  });
});

describe('the flow of the engine benchmark', () => {
  test.each([
    ['mix', MIX, [0.55, 0.35, 0.1]],
    ['deep mix', DEEP_MIX, [0.65, 0.3, 0.05]],
  ])('%s: the shares are as published, the same seed gives the same flow', (_name, mix, shares) => {
    const flow = generateOrderFlow(mix, OPERATIONS, 1);
    [ADD, CANCEL, TAKE].forEach((kind, index) => expect(share(flow, kind)).toBeCloseTo(shares[index], 1));
    expect(generateOrderFlow(mix, OPERATIONS, 1)).toEqual(flow);
    expect(generateOrderFlow(mix, OPERATIONS, 2).fills).not.toBe(flow.fills);
  });

  test.each([
    ['mix', MIX],
    ['deep mix', DEEP_MIX],
  ])('%s: the engine refuses nothing, trades as the reference book does, and keeps its invariants', (_name, mix) => {
    const bench = openMarket();
    rehearse(generateOrderFlow(mix, OPERATIONS, 1), bench);
    verifyInvariants(bench.engine);
  });

  test('resting orders all rest', () => {
    const bench = openMarket();
    for (const envelope of restingOrders(bench, 2_000)) bench.engine.apply(envelope);
    expect(bench.engine.query('market', {}).orders).toHaveLength(2_000);
  });

  test('many books and blocks over a week keep the invariants', async () => {
    expect(await manyBooksRate(500, 2_000)).toBeGreaterThan(0);
    expect(blockLatency(5).p99).toBeGreaterThan(0);
  });
});
