import { describe, expect, it } from 'vitest';
import { MILLIS_PER_DAY } from '../../engine/numbers/units.ts';
import { creditsAhead, daysAhead } from './credits_ahead.ts';

const TODAY = 20_000;
const lot = (available: number, days: number, rest: { held?: number; contracted?: number } = {}) => ({ available, held: 0, contracted: 0, ...rest, expiresAt: (TODAY + days) * MILLIS_PER_DAY + 1 });
const weeks = (count: number, expected: number) => Array.from({ length: count }, () => ({ expected }));

describe('credits ahead', () => {
  it('fall by what is expected, and are missing when they are spent', () => {
    expect(creditsAhead([lot(1_000, 365, { held: 400, contracted: 100 })], weeks(3, 700), TODAY)).toEqual([
      { surplus: 800, shortage: 0, expiring: 0 }, { surplus: 100, shortage: 0, expiring: 0 }, { surplus: 0, shortage: 600, expiring: 0 },
    ]);
  });

  it('lapse with their lots, of which the first to expire is spent first', () => {
    // 10 days at 100 a day, then 1,000 of the first lot are gone and 500 of it lapse.
    expect(creditsAhead([lot(2_000, 300), lot(1_500, 10)], weeks(3, 700), TODAY)).toEqual([
      { surplus: 2_800, shortage: 0, expiring: 0 }, { surplus: 1_600, shortage: 0, expiring: 500 }, { surplus: 900, shortage: 0, expiring: 0 },
    ]);
    expect(creditsAhead([lot(1_000_000, 3)], weeks(2, 0), TODAY)).toEqual([{ surplus: 0, shortage: 0, expiring: 1_000_000 }, { surplus: 0, shortage: 0, expiring: 0 }]);
  });

  it('that are contracted lapse with nothing', () => {
    expect(creditsAhead([lot(0, 1, { contracted: 900 })], weeks(2, 700), TODAY)).toEqual([{ surplus: 200, shortage: 0, expiring: 0 }, { surplus: 0, shortage: 500, expiring: 0 }]);
  });

  it('last so many days', () => {
    expect(daysAhead([lot(1_000, 300)], 100, TODAY)).toBe(10);
    expect(daysAhead([lot(1_000, 4)], 100, TODAY)).toBe(4);
    expect(daysAhead([lot(1_000, 4), lot(1_000, 9)], 100, TODAY)).toBe(9);
    expect(daysAhead([lot(200, 9), lot(50, 1, { contracted: 149 })], 100, TODAY)).toBe(3);
    expect(daysAhead([], 100, TODAY)).toBe(0);
  });
});
