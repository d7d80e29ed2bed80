import { afterEach, expect, test, vi } from 'vitest';
import { createMetrics } from '../http/middleware/metrics.ts';
import { Unavailable } from '../sequencer/port.ts';
import { Following } from './engine_role.ts';

afterEach(() => vi.useRealTimers());

test('a standby tells in its counters that it is warm, for as long as it follows, and how far it has come', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const following = new Following();
  const metrics = createMetrics({ sequencer: { status: () => Promise.reject(new Unavailable('this process does not lead')) } }, () => following);
  const figures = async (): Promise<string[]> => (await metrics.text()).split('\n').filter((line) => /^(standby|sequencer_up)/.test(line));
  expect(await figures()).toEqual(['sequencer_up 0', 'standby_warm 0', 'standby_followed_sequence 0']);
  following.followed(7);
  expect(await figures()).toEqual(['sequencer_up 0', 'standby_warm 1', 'standby_followed_sequence 7']);
  vi.advanceTimersByTime(2_001);
  expect(following.isWarm).toBe(false);
  expect(await figures()).toContain('standby_warm 0');
});
