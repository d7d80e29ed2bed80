import { expect, test } from 'vitest';
import type { SharedLimit, SharedLimits } from './limit_part.ts';
import { Pace } from './pace.ts';
import type { Aside, PaceWindow } from './pace.ts';

const NOW = 1_800_000_000_000;

/** In a process that is alone. */
function asideOf(reserved: ReturnType<PaceWindow['reserve']>): Aside {
  if (reserved === undefined || reserved instanceof Promise) throw new Error('nothing was set aside at once');
  return reserved;
}

test('counts requests in a window that slides', () => {
  const window = new Pace(1_000).windowOf('a', { requestsPerMinute: 3, tokensPerMinute: null });
  for (const second of [0, 10, 20]) void window.request(NOW + second * 1_000);
  expect(() => window.request(NOW + 59_000)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded', retryAfterSeconds: 1 }));
  void window.request(NOW + 60_000);
  expect(() => window.request(NOW + 61_000)).toThrow(expect.objectContaining({ retryAfterSeconds: 9 }));
  expect(window.headers()).toEqual(expect.arrayContaining(['x-ratelimit-limit-requests', '3', 'x-ratelimit-remaining-requests', '0']));
  void window.request(NOW + 1_000_000);
});

test('counts tokens that were charged', () => {
  const window = new Pace(1_000).windowOf('a', { requestsPerMinute: null, tokensPerMinute: 100 });
  void window.request(NOW);
  window.used(NOW + 5_000, 150);
  expect(() => window.request(NOW + 6_000)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded', retryAfterSeconds: 59 }));
  void window.request(NOW + 66_000);
});

test('sets aside what requests under way may use', () => {
  const window = new Pace(1_000).windowOf('a', { requestsPerMinute: null, tokensPerMinute: 100 });
  const first = asideOf(window.reserve(NOW, 60, 60));
  expect(first.amount).toBe(60);
  expect(() => window.reserve(NOW, 50, 50)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded', retryAfterSeconds: 1 }));
  // Without a bound of its own, a request has what is left.
  const second = asideOf(window.reserve(NOW, 10, 5_000));
  expect(second.amount).toBe(40);
  expect(() => window.reserve(NOW, 1, 1)).toThrow();
  window.used(NOW + 1_000, 20, first);
  window.used(NOW + 1_000, 0, second);
  const third = asideOf(window.reserve(NOW + 2_000, 80, 80));
  expect(third.amount).toBe(80);
  window.used(NOW + 2_000, 80, third);
  expect(() => window.reserve(NOW + 3_000, 30, 30)).toThrow(expect.objectContaining({ retryAfterSeconds: 59 }));
});

test('refuses a request that alone is more than its limit, and no wait helps', () => {
  const window = new Pace(1_000).windowOf('a', { requestsPerMinute: null, tokensPerMinute: 100 });
  expect(() => window.reserve(NOW, 101, 101)).toThrow(expect.objectContaining({ code: 'rate_limit_exceeded', message: expect.stringMatching(/^Request too large/) as string, retryAfterSeconds: Infinity }));
  expect(new Pace(1_000).windowOf('b').reserve(NOW, 1e9, 1e9)).toBeUndefined();
});

/** All processes' parts of one limit, which answers a moment later unless it is away. */
function sharedLimit(): SharedLimits & { state: { isAway: boolean; asked: number } } {
  const state = { isAway: false, asked: 0 };
  let used = 0;
  const held = new Map<object, number>();
  return Object.assign((): SharedLimit => {
    const process = {};
    return {
      exchange: async (ask) => {
        state.asked++;
        await Promise.resolve();
        if (state.isAway) return undefined;
        used += ask.used;
        held.set(process, ask.held);
        const left = ask.limit - used - [...held.values()].reduce((sum, amount) => sum + amount, 0);
        if (left < ask.least) return { amount: 0, wait: 7 };
        const needed = Math.min(ask.most, left);
        const amount = needed + Math.min(ask.ahead, Math.floor((left - needed) / 16));
        held.set(process, ask.held + amount);
        return { amount, wait: 0 };
      },
    };
  }, { state });
}
const OF_REQUESTS = { requestsPerMinute: 1_000, tokensPerMinute: null };
const burst = async (windows: readonly PaceWindow[], count: number): Promise<number> => {
  const asked = Array.from({ length: count }, async (_, at) => windows[at % windows.length].request(NOW));
  return (await Promise.allSettled(asked)).filter(({ status }) => status === 'fulfilled').length;
};

test('keeps one limit of requests over processes, and asks for few of them', async () => {
  const limits = sharedLimit();
  const windows = [1, 2].map(() => new Pace(1_000, { limits }).windowOf('a', OF_REQUESTS));
  let served = 0;
  for (let round = 0; round < 60; round++) served += await burst(windows, 20);
  expect(served).toBeLessThanOrEqual(1_000);
  expect(served).toBeGreaterThan(1_000 - 1_000 / 16);
  expect(limits.state.asked).toBeLessThan(400);
});

test('keeps one limit of tokens over processes, and gives back what was not used', async () => {
  const limits = sharedLimit();
  const [one, other] = [1, 2].map(() => new Pace(1_000, { limits }).windowOf('a', { requestsPerMinute: null, tokensPerMinute: 100 }));
  const first = await one.reserve(NOW, 70, 70);
  expect(first?.amount).toBe(70);
  await expect(other.reserve(NOW, 40, 40)).rejects.toMatchObject({ code: 'rate_limit_exceeded', retryAfterSeconds: 7 });
  one.used(NOW, 20, first);
  await expect.poll(async () => other.reserve(NOW, 60, 60), { interval: 50 }).toMatchObject({ amount: 60 });
});

test('keeps a limit by itself while it cannot be shared, and tells later what was used', async () => {
  const limits = sharedLimit();
  const [one, other] = [1, 2].map(() => new Pace(1_000, { limits }).windowOf('a', { requestsPerMinute: 10, tokensPerMinute: null }));
  limits.state.isAway = true;
  expect(await burst([one], 20)).toBe(10);
  limits.state.isAway = false;
  const asked = limits.state.asked;
  await expect.poll(() => limits.state.asked).toBeGreaterThan(asked);
  expect(await burst([other], 20)).toBe(0);
});

test('lets in an equal part of what is left at each gateway while it cannot be shared, and all of it at the only one', async () => {
  const limits = sharedLimit();
  const rooms = { gateways: 2 };
  const of = { requestsPerMinute: 11, tokensPerMinute: null };
  const windows = [1, 2].map(() => new Pace(1_000, { limits, rooms }).windowOf('a', of));
  limits.state.isAway = true;
  expect(await Promise.all(windows.map((window) => burst([window], 20)))).toEqual([5, 5]);
  for (const window of windows) await expect(window.request(NOW)).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
  rooms.gateways = 1;
  expect(await burst([windows[0]], 20)).toBe(6);
});

test('keeps to an equal part of a limit of tokens while it cannot be shared, also of those that are only set aside', async () => {
  const limits = sharedLimit();
  const of = { requestsPerMinute: null, tokensPerMinute: 100 };
  const [one, other] = [1, 2].map(() => new Pace(1_000, { limits, rooms: { gateways: 2 } }).windowOf('a', of));
  limits.state.isAway = true;
  const first = await one.reserve(NOW, 10, 80);
  expect(first).toEqual({ amount: 50, isTaken: false });
  await expect(one.reserve(NOW, 1, 1)).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
  one.used(NOW, 20, first);
  expect(await one.reserve(NOW, 10, 80)).toEqual({ amount: 30, isTaken: false });
  await expect(other.reserve(NOW, 51, 60)).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
  expect(await other.reserve(NOW, 50, 60)).toEqual({ amount: 50, isTaken: false });
});
