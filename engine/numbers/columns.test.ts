import { afterEach, describe, expect, it, vi } from 'vitest';
import { BookRows } from '../book/book_rows.ts';
import { State } from '../state.ts';
import { Allocations } from '../trading/allocations.ts';
import { CacheRows } from './columns.ts';

describe('a table that grows', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('is content with less where the system has not so much, and says so where that is next to nothing', () => {
    let given = (4 << 20) + 64;
    vi.stubGlobal('ArrayBuffer', class extends ArrayBuffer {
      constructor(bytes: number) {
        if (bytes > given) throw new RangeError('Array buffer allocation failed');
        super(bytes);
      }
    });
    const rows = new CacheRows(2 ** 24, 64);
    expect([rows.room, rows.ints.length]).toEqual([2 ** 16, 2 ** 20]);
    rows.ints[2 ** 20 - 1] = 7;
    expect(() => rows.grow(2 ** 16 + 1)).toThrow('allocation failed');
    expect(rows.ints[2 ** 20 - 1]).toBe(7);
    given = 1 << 20;
    expect(() => new CacheRows(2 ** 24, 64)).toThrow('allocation failed');
  });

  it('loses nothing where the system has not so much for one of two tables that have the same rows', () => {
    // What is asked for first is had, and of the second table a sixteenth.
    let asked = 0;
    vi.stubGlobal('ArrayBuffer', class extends ArrayBuffer {
      constructor(bytes: number) {
        if (bytes > 8 << 20 && ++asked === 2) throw new RangeError('Array buffer allocation failed');
        super(bytes);
      }
    });
    const rows = 2 ** 18;
    const allocations = new Allocations(rows);
    asked = 0;
    const books = new BookRows(rows);
    for (let row = 0; row < rows; row++) allocations.create();
    allocations.setGross(rows - 1, 7);
    books.open(rows - 1);
    books.setTraded(rows - 1, 5, 6);
    expect([allocations.gross(rows - 1), books.tradedHigh(rows - 1)]).toEqual([7, 6]);
  });

  it('keeps what stood in it, and no sum runs over the rows that were never used', () => {
    const { supply, ledger } = new State();
    const many = 70_000;
    for (let hour = 0; hour < many; hour++) supply.offer(supply.createCell(hour % 7, hour), hour);
    for (const cell of [0, 1, 65_535, 65_536, many - 1]) expect([supply.hourOf(cell), supply.offered(cell), supply.capacityOf(cell)]).toEqual([cell, cell, cell % 7]);
    expect(ledger.trialBalance()).toEqual({ USD: 0n, CR: 0n, LIMIT: 0n, CAP: 0n });
  });

  it('grows to as many rows as its places can tell apart, and no further', () => {
    const rows = new CacheRows(16, 8, 64);
    rows.grow(17);
    expect(rows.room).toBe(32);
    rows.grow(64);
    rows.ints[126] = 7;
    expect(() => rows.grow(65)).toThrow('65 rows are more than the 64');
    expect(rows.ints[126]).toBe(7);
  });
});
