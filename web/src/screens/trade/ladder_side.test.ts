import { describe, expect, test } from 'vitest';
import { ladderOf } from '../../state/index.ts';
import { ladderSide, nameOf } from './ladder_side.ts';

const BOOK = { bids: [{ price: 20_995, quantity: 150 }, { price: 20_990, quantity: 1_000 }], asks: [{ price: 21_000, quantity: 400 }] };

describe('one side of the ladder', () => {
  const { bids, asks } = ladderOf(BOOK, { grouping: 1, rows: 3, own: [{ side: 'buy', price: 20_990, quantity: 200 }] });

  test('bids go down from the best, asks stand upon it; missing rows are empty lines', () => {
    expect(ladderSide(bids, 3, 'bid')).toMatchObject({ prices: '2.0995\n2.0990\n', quantities: '1.50\n10.00\n', totals: '1.50\n11.50\n' });
    expect(ladderSide(asks, 3, 'ask')).toMatchObject({ prices: '\n\n2.1000', rows: [undefined, undefined, asks[0]] });
  });

  test('a row says all it shows, and what of it is one’s own', () => {
    expect(nameOf(bids[1], 'bid')).toBe('bid 2.0990, 10.00 GPU-hours, 2.00 of it yours, 11.50 in all');
    expect(nameOf(undefined, 'ask')).toBeUndefined();
  });
});
