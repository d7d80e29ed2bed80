import { crc32 as crc32OfNode } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Book, checksumOf, type WireLevel } from './book.ts';
import { crc32 } from './checksum.ts';
import { fromSteps, fromTicks } from './decimal.ts';
import { ladderOf, spreadOf } from './ladder.ts';

const wire = (bids: WireLevel[], asks: WireLevel[]) => ({ bids, asks, checksum: 0 });

describe('the checksum', () => {
  test('is CRC-32', () => {
    fc.assert(fc.property(fc.stringMatching(/^[0-9.:|]{0,200}$/), (text) => {
      expect(crc32(text)).toBe(crc32OfNode(text));
    }));
  });

  test('covers ten levels of each side, bids first, in the wire form', () => {
    const book = new Book();
    book.replace(wire([['2.1500', '8'], ['2.1400', '1.5']], [['2.1600', '0.25']]));
    expect(checksumOf(book.depth())).toBe(crc32OfNode('2.1500:8|2.1400:1.5|2.1600:0.25'));
  });
});

describe('a book', () => {
  test('takes absolute quantities and forgets a level at zero', () => {
    const book = new Book();
    book.replace(wire([['2.1500', '8']], [['2.1600', '4'], ['2.1700', '2']]));
    book.apply(wire([['2.1500', '3'], ['2.1450', '1']], [['2.1600', '0']]));
    expect(book.depth()).toEqual({ bids: [{ price: 21_500, quantity: 300 }, { price: 21_450, quantity: 100 }], asks: [{ price: 21_700, quantity: 200 }] });
  });

  test('tells when it is not what the server sees', () => {
    const book = new Book();
    const levels: WireLevel[] = [['2.1500', '8']];
    book.replace({ bids: levels, asks: [], checksum: crc32OfNode('2.1500:8') });
    expect(book.agrees(book.depth())).toBe(true);
    book.apply({ bids: [['2.1400', '1']], asks: [], checksum: 7 });
    expect(book.agrees(book.depth())).toBe(false);
  });

  test('after any updates equals a snapshot of the end', () => {
    const level = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 5 }));
    fc.assert(
      fc.property(fc.array(level, { maxLength: 200 }), (changes) => {
        const book = new Book();
        const naive = new Map<number, number>();
        for (const [price, quantity] of changes) {
          book.apply(wire([[fromTicks(price), fromSteps(quantity)]], []));
          if (quantity === 0) naive.delete(price);
          else naive.set(price, quantity);
        }
        const sorted = [...naive].sort(([a], [b]) => b - a).map(([price, quantity]) => ({ price, quantity }));
        expect(book.depth().bids).toEqual(sorted);
      }),
    );
  });
});

describe('the ladder', () => {
  const depth = {
    bids: [{ price: 21_500, quantity: 300 }, { price: 21_495, quantity: 100 }, { price: 21_480, quantity: 50 }],
    asks: [{ price: 21_501, quantity: 200 }, { price: 21_509, quantity: 100 }, { price: 21_511, quantity: 500 }],
  };

  test('sums from the best price outwards', () => {
    const { bids, asks } = ladderOf(depth, { grouping: 1, rows: 2, own: [] });
    expect(bids.map((row) => [row.price, row.quantity, row.total])).toEqual([[21_500, 300, 300], [21_495, 100, 400]]);
    expect(asks.map((row) => row.total)).toEqual([200, 300]);
    expect(bids[1].depth).toBe(1000);
    expect(asks[1].depth).toBe(750);
  });

  test('groups away from the middle, so that a click reaches the whole group', () => {
    const { bids, asks } = ladderOf(depth, { grouping: 10, rows: 5, own: [] });
    expect(bids.map((row) => [row.price, row.quantity])).toEqual([[21_500, 300], [21_490, 100], [21_480, 50]]);
    expect(asks.map((row) => [row.price, row.quantity])).toEqual([[21_510, 300], [21_520, 500]]);
  });

  test('marks what is one\'s own', () => {
    const { bids } = ladderOf(depth, { grouping: 10, rows: 5, own: [{ side: 'buy', price: 21_495, quantity: 40 }, { side: 'sell', price: 21_480, quantity: 9 }] });
    expect(bids.map((row) => row.own)).toEqual([0, 40, 0]);
  });

  test('knows the spread, when there are two sides', () => {
    expect(spreadOf(depth)).toEqual({ absolute: 1, middle: 21_501, ppm: 47 });
    expect(spreadOf({ bids: [], asks: depth.asks })).toBeUndefined();
  });
});
