import { describe, expect, test } from 'vitest';
import { limitsOf } from './bands.ts';

const band = { above: '10', below: '0.001' };

describe('the prices an hour takes', () => {
  test.each([
    ['around its last trade', 20_000, 33_900, { bidMaximum: 200_000, askMinimum: 20, askMaximum: 33_900 }],
    ['bids up to list price in any case', 1_000, 33_900, { bidMaximum: 33_900, askMinimum: 1, askMaximum: 33_900 }],
    ['around list price before a trade', undefined, 33_900, { bidMaximum: 339_000, askMinimum: 34, askMaximum: 33_900 }],
  ])('%s', (_name, last, list, limits) => expect(limitsOf(band, last, list)).toEqual(limits));
});
