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

test('sets aside what requests under way may use', () => {
  const window = new Pace(1_000).windowOf('a', { requestsPerMinute: null, tokensPerMinute: 100 });
  expect(window.reserve(NOW, 60, 60)).toBe(60);
  expect(() => window.reserve(NOW, 50, 50)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded', retryAfterSeconds: 1 }));
  // Without a bound of its own, a request has what is left.
  expect(window.reserve(NOW, 10, 5_000)).toBe(40);
  expect(() => window.reserve(NOW, 1, 1)).toThrow();
  window.used(NOW + 1_000, 20, 60);
  window.used(NOW + 1_000, 0, 40);
  expect(window.reserve(NOW + 2_000, 80, 80)).toBe(80);
  window.used(NOW + 2_000, 80, 80);
  expect(() => window.reserve(NOW + 3_000, 30, 30)).toThrow(expect.objectContaining({ retryAfterSeconds: 59 }));
});

test('refuses a request that alone is more than its limit, and no wait helps', () => {
  const window = new Pace(1_000).windowOf('a', { requestsPerMinute: null, tokensPerMinute: 100 });
  expect(() => window.reserve(NOW, 101, 101)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded', message: expect.stringMatching(/^Request too large/) as string, retryAfterSeconds: Infinity }));
  expect(new Pace(1_000).windowOf('b').reserve(NOW, 1e9, 1e9)).toBeUndefined();
});

test('knows what other processes have set aside, and forgets one that has ended', () => {
  const tellers = new Map<string, ((name: string, amount: number) => void)[]>();
  const process = () => new Pace(1_000, {
    of: (kind) => {
      const own: ((name: string, amount: number) => void)[] = [];
      return {
        counted: (name, amount) => (tellers.get(kind) ?? []).filter((tell) => !own.includes(tell)).forEach((tell) => tell(name, amount)),
        onOthers: (listener) => {
          own.push(listener);
          tellers.set(kind, [...(tellers.get(kind) ?? []), listener]);
        },
      };
    },
  });
  const limits = { requestsPerMinute: null, tokensPerMinute: 100 };
  const [one, other] = [process().windowOf('a', limits), process().windowOf('a', limits)];
  const now = Date.now();
  expect(one.reserve(now, 70, 70)).toBe(70);
  expect(() => other.reserve(now, 40, 40)).toThrow();
  expect(other.reserve(now + 200_000, 40, 40)).toBe(40);
});
