import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiError } from '../../errors.ts';
import { Patience } from './patience.ts';

/** What a timer of so many milliseconds takes in a process that has time. */
const ON_TIME = 100;

let now = 0;

beforeEach(() => {
  now = 0;
  vi.useFakeTimers();
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const never = (): Promise<never> => new Promise(() => undefined);
const outcome = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => (error instanceof ApiError ? error.status : error));

/** Lets timers run for so long; each of a hundred milliseconds takes `tick`. */
async function pass(millis: number, { tick = ON_TIME, each = (): unknown => undefined } = {}): Promise<void> {
  for (const end = now + millis; now < end; ) {
    now += tick;
    await vi.advanceTimersByTimeAsync(ON_TIME);
    each();
  }
}

/** @returns what becomes of work that is done after so long */
async function outcomeOf(patience: Patience, millis: number, passing: Parameters<typeof pass>[1] = {}): Promise<unknown> {
  let done: (value: string) => void = () => undefined;
  const answer = outcome(patience.with(new Promise<string>((resolve) => (done = resolve))));
  await pass(millis, passing);
  done('done');
  return answer;
}

describe('patience', () => {
  test('gives up what waits for a silent database, within a second', async () => {
    const patience = new Patience(never);
    const answers = Promise.all([outcome(patience.with(never())), outcome(patience.with(never()))]);
    await pass(900);
    expect(await answers).toEqual([503, 503]);
  });

  test('gives up when the database refuses', async () => {
    expect(await outcomeOf(new Patience(() => Promise.reject(new Error('away'))), 500)).toBe(503);
  });

  test('leaves slow work alone while the database answers', async () => {
    expect(await outcomeOf(new Patience(() => Promise.resolve()), 5_000)).toBe('done');
  });

  test('leaves slow work alone while the database answers anybody', async () => {
    const patience = new Patience(never);
    expect(await outcomeOf(patience, 5_000, { each: () => now % 500 === 0 && patience.heard() })).toBe('done');
  });

  test('does not blame the database for a process that has no time itself', async () => {
    expect(await outcomeOf(new Patience(never), 5_000, { tick: 180 })).toBe('done');
  });

  test('passes on what the work gives and what it throws', async () => {
    const patience = new Patience(never);
    expect(await patience.with(Promise.resolve(7))).toBe(7);
    const error = new Error('own');
    expect(await outcome(patience.with(Promise.reject(error)))).toBe(error);
  });
});
