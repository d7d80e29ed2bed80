import { describe, expect, it } from 'vitest';
import { ROW_INT_SHIFT, RUN_FIRST, RowPool } from './row_pool.ts';

describe('a pool of rows', () => {
  it('gives runs that do not overlap, keeps rows when a run doubles, and uses again what was given back', () => {
    const pool = new RowPool(4);
    const [first, second] = [pool.take(RUN_FIRST), pool.take(RUN_FIRST)];
    expect(second - first).toBe(RUN_FIRST);
    for (let row = 0; row < RUN_FIRST; row++) pool.ints[(first + row) << ROW_INT_SHIFT] = 100 + row;
    const longer = pool.double(first, RUN_FIRST);
    expect(longer).toBe(2 * RUN_FIRST);
    expect(Array.from({ length: RUN_FIRST }, (_, row) => pool.ints[(longer + row) << ROW_INT_SHIFT])).toEqual([100, 101, 102, 103]);
    expect(pool.take(RUN_FIRST)).toBe(first);
    expect(pool.take(2 * RUN_FIRST)).toBe(4 * RUN_FIRST);
    pool.give(second, RUN_FIRST);
    pool.give(longer, 2 * RUN_FIRST);
    expect([pool.take(2 * RUN_FIRST), pool.take(RUN_FIRST)]).toEqual([longer, second]);
  });
});
