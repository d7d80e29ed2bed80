import { describe, expect, it } from 'vitest';
import { Queue } from './queue.ts';

describe('the queue', () => {
  it('gives back what came, in order, however much waits and however often it has turned', () => {
    const queue = new Queue<number>();
    let next = 0;
    let expected = 0;
    for (const [pushed, taken] of [[1000, 900], [3000, 100], [10, 2500], [5000, 5510]]) {
      for (let left = pushed; left > 0; left--) queue.push(next++);
      expect(queue.at(queue.length - 1)).toBe(next - 1);
      for (let left = taken; left > 0; left--) {
        expect(queue.first()).toBe(expected++);
        queue.shift();
      }
      expect(queue.length).toBe(next - expected);
    }
    expect(queue.length).toBe(0);
    expect(() => queue.first()).toThrow('empty');
  });

  it('takes out what does not fit and keeps the order of the rest', () => {
    const queue = new Queue<number>();
    for (let item = 0; item < 1500; item++) queue.push(item);
    for (let left = 1000; left > 0; left--) queue.shift();
    for (let item = 1500; item < 2200; item++) queue.push(item);
    queue.keep((item) => item % 2 === 0);
    const left: number[] = [];
    for (; queue.length > 0; queue.shift()) left.push(queue.first());
    expect(left).toEqual(Array.from({ length: 600 }, (_, index) => 1000 + index * 2));
  });
});
