import { describe, expect, test } from 'vitest';
import { ApiError } from '../../errors.ts';
import { Patience } from './patience.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const later = <T>(millis: number, value: T): Promise<T> => new Promise((resolve) => setTimeout(() => resolve(value), millis));
const outcome = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => (error instanceof ApiError ? error.status : error));

describe('patience', () => {
  test('gives up what waits for a silent database, within a second', async () => {
    const patience = new Patience(never);
    const begun = performance.now();
    expect(await Promise.all([outcome(patience.with(never())), outcome(patience.with(never()))])).toEqual([503, 503]);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test('gives up when the database refuses', async () => {
    expect(await outcome(new Patience(() => Promise.reject(new Error('away'))).with(never()))).toBe(503);
  });

  test('leaves slow work alone while the database answers', async () => {
    expect(await new Patience(() => Promise.resolve()).with(later(900, 'done'))).toBe('done');
  });

  test('passes on what the work gives and what it throws', async () => {
    const patience = new Patience(never);
    expect(await patience.with(Promise.resolve(7))).toBe(7);
    const error = new Error('own');
    expect(await outcome(patience.with(Promise.reject(error)))).toBe(error);
  });
});
