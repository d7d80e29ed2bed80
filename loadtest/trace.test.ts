import { describe, expect, test } from 'vitest';
import { findings, microOf, requestsOf } from './trace.mjs';

test('amounts are read to the unit', () => {
  expect(['1', '0.000001', '12.5'].map(microOf)).toEqual([1_000_000n, 1n, 12_500_000n]);
});

test('a part of the record begins at once', () => {
  const trace = { gap_ms: [0, 10, 20, 30], prompt_tokens: [1, 2, 3, 4], completion_tokens: [5, 6, 7, 8] };
  expect(requestsOf(trace, 1, 2)).toEqual([{ index: 1, offset: 0, prompt: 2, completion: 6 }, { index: 2, offset: 20, prompt: 3, completion: 7 }]);
});

describe('what was billed is held against', () => {
  const ratings = new Map([['m C', { prompt: 2n, completion: 10n }]]);
  const classes = new Map([['alc_1', 'C']]);
  const receipt = { allocation_id: 'alc_1', gpu_seconds: '0.00004', credits_used: '0.000003' };
  const told = [{ model: 'm', prompt: 5, completion: 3, receipt }];
  const before = { requests: 7, prompt: 0, completion: 0, gpu: 0n, credits: 0n, remaining: 100n, others: 2 };
  const after = { requests: 8, prompt: 5, completion: 3, gpu: 40n, credits: 3n, remaining: 97n, others: 2 };
  const agree = (more: object = {}): string[] => findings({ told, ratings, classes, before, after, sameHour: true, ...more });

  test('the public rating and the account', () => expect(agree()).toEqual([]));
  test('the credit of an account that asks for nothing else meanwhile', () => {
    expect(agree({ after: { ...after, remaining: 96n } })).toHaveLength(1);
    expect(agree({ after: { ...after, remaining: 96n, others: 3 } })).toEqual([]);
  });
  test('another rating', () => expect(agree({ ratings: new Map([['m C', { prompt: 2n, completion: 11n }]]) })).toHaveLength(1));
  test('a request that was charged twice', () => expect(agree({ after: { ...after, requests: 9, credits: 6n } })).toHaveLength(2));
});
