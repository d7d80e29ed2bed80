import { expect, test } from 'vitest';
import { meetLargeIds } from './warm_up.ts';

test('the ids that a process meets before the market are beyond what V8 takes for a small number', () => {
  expect(meetLargeIds()).toBeGreaterThan(2 ** 31);
});
