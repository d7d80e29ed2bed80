import { describe, expect, it } from 'vitest';
import { PendingCalls } from './pending_calls.ts';

describe('what waits for a reply', () => {
  it('is found once under its number, and under no other', () => {
    const calls = new PendingCalls<string>();
    const first = calls.add('first');
    const second = calls.add('second');
    expect(second).toBeGreaterThan(first);
    expect(calls.take(first)).toBe('first');
    expect(calls.take(first)).toBeUndefined();
    expect([second + 1024, 2 ** 40 + second, Number.NaN].map((id) => calls.take(id))).toEqual([undefined, undefined, undefined]);
    expect(calls.size).toBe(1);
    expect(calls.take(second)).toBe('second');
  });

  it('keeps its place while others come and go for longer than there are places', () => {
    const calls = new PendingCalls<string>();
    const slow = calls.add('slow');
    const numbers = new Set([slow]);
    for (let round = 0; round < 5000; round++) {
      const id = calls.add(`call ${round}`);
      numbers.add(id);
      expect(calls.take(id)).toBe(`call ${round}`);
    }
    expect(numbers.size).toBe(5001);
    expect(calls.take(slow)).toBe('slow');
  });

  it('may be many, and ends in the order in which it came', () => {
    const calls = new PendingCalls<number>();
    const ids = Array.from({ length: 20_000 }, (_, index) => calls.add(index));
    for (let index = 0; index < ids.length; index += 3) expect(calls.take(ids[index])).toBe(index);
    const left = ids.map((_, index) => index).filter((index) => index % 3 !== 0);
    expect(calls.size).toBe(left.length);
    expect(calls.takeAll()).toEqual(left);
    expect(calls.size).toBe(0);
    expect(calls.take(ids[1])).toBeUndefined();
  });

  it('gives numbers from any on, and ends the wait of those that are meant', () => {
    const calls = new PendingCalls<string>(2 ** 40);
    const ids = Array.from({ length: 3_000 }, (_, index) => calls.add(index % 3 === 0 ? 'gone' : 'there'));
    expect(ids[0]).toBeGreaterThanOrEqual(2 ** 40);
    calls.drop((call) => call === 'gone');
    expect(calls.size).toBe(2_000);
    expect(ids.map((id) => calls.take(id))).toEqual(ids.map((_, index) => (index % 3 === 0 ? undefined : 'there')));
  });
});
