import { describe, expect, test } from 'vitest';
import { ladderOf } from '../../state/index.ts';
import { columnsOf } from './ladder_picture.ts';
import { linesOf, nameOf } from './ladder_side.ts';

const BOOK = { bids: [{ price: 20_995, quantity: 150 }, { price: 20_990, quantity: 1_000 }], asks: [{ price: 21_000, quantity: 400 }] };

describe('one side of the ladder', () => {
  const { bids, asks } = ladderOf(BOOK, { grouping: 1, rows: 3, own: [{ side: 'buy', price: 20_990, quantity: 200 }] });

  test('bids go down from the best, asks stand upon it; missing rows are empty lines', () => {
    expect(linesOf(bids, 3, 'bid')).toEqual([bids[0], bids[1], undefined]);
    expect(linesOf(asks, 3, 'ask')).toEqual([undefined, undefined, asks[0]]);
  });

  test('columns end where their heads end', () => {
    expect(columnsOf(300)).toEqual({ quantity: 12 + (260 / 3.2) * 2.1 + 8, total: 288 });
  });

  test('a row says all it shows, and what of it is one’s own', () => {
    expect(nameOf(bids[1], 'bid')).toBe('bid 2.0990, 10.00 GPU-hours, 2.00 of it yours, 11.50 in all');
    expect(nameOf(undefined, 'ask')).toBeUndefined();
  });
});
