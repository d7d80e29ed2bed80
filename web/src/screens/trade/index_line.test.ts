import { expect, test } from 'vitest';
import { indexLine, widened } from './index_line.ts';

test('an index near the candles stands at its price; one far away at their edge, with an arrow', () => {
  const range = widened(widened(undefined, { low: '1.9000', high: '1.9500' }), { low: '1.9200', high: '2.0000' });
  expect(range).toEqual({ low: 19_000, high: 20_000 });
  expect(indexLine(21_500, range)).toEqual({ value: 21_500, title: 'index' });
  expect(indexLine(33_900, range)).toEqual({ value: 20_250, title: 'index \u2191' });
  expect(indexLine(5_000, range)).toEqual({ value: 18_750, title: 'index \u2193' });
});

test('candles of one price have a height', () => {
  expect(indexLine(20_000, { low: 20_000, high: 20_000 })).toEqual({ value: 20_000, title: 'index' });
  expect(indexLine(30_000, { low: 20_000, high: 20_000 })).toEqual({ value: 20_013, title: 'index \u2191' });
});
