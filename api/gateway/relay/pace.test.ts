import { expect, test } from 'vitest';
import { Pace } from './pace.ts';

const NOW = 1_800_000_000_000;

test('counts requests in a window that slides', () => {
  const window = new Pace(1_000).windowOf('a', { requestsPerMinute: 3, tokensPerMinute: null });
  for (const second of [0, 10, 20]) window.request(NOW + second * 1_000);
  expect(() => window.request(NOW + 59_000)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded', retryAfterSeconds: 1 }));
  window.request(NOW + 60_000);
  expect(() => window.request(NOW + 61_000)).toThrow(expect.objectContaining({ retryAfterSeconds: 9 }));
  expect(window.headers()).toEqual(expect.arrayContaining(['x-ratelimit-limit-requests', '3', 'x-ratelimit-remaining-requests', '0']));
  window.request(NOW + 1_000_000);
});

test('counts tokens that were charged', () => {
  const window = new Pace(1_000).windowOf('a', { requestsPerMinute: null, tokensPerMinute: 100 });
  window.request(NOW);
  window.used(NOW + 5_000, 150);
  expect(() => window.request(NOW + 6_000)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded', retryAfterSeconds: 59 }));
  window.request(NOW + 66_000);
});
