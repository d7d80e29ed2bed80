import { describe, expect, it } from 'vitest';
import { State } from '../state.ts';
import { CacheRows, leapingCapacity } from './columns.ts';

describe('a table that grows', () => {
  it('doubles while it is small, and then has room for all there may be at once', () => {
    expect(leapingCapacity(16, 17, 1_024, 65_536)).toBe(32);
    expect(leapingCapacity(512, 513, 1_024, 65_536)).toBe(1_024);
    expect(leapingCapacity(1_024, 1_025, 1_024, 65_536)).toBe(65_536);
    expect(leapingCapacity(65_536, 65_537, 1_024, 65_536)).toBe(131_072);
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
    rows.grow(64);
    rows.ints[126] = 7;
    expect(() => rows.grow(65)).toThrow('65 rows are more than the 64');
    expect(rows.ints[126]).toBe(7);
  });
});
