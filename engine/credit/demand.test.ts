import { describe, expect, test } from 'vitest';
import { Random } from '../simulation/random.ts';
import { forecastDemand } from './demand.ts';

/** Five busy days and two quiet ones, so many weeks of them. */
const weeksOf = (count: number, busy = 100, quiet = 10): number[] => Array.from({ length: count * 7 }, (_, day) => (day % 7 < 5 ? busy : quiet));

describe('the forecast of demand', () => {
  test('expects nothing of who has used nothing', () => {
    expect(forecastDemand([], 2)).toEqual({ method: 'none', error: null, weeks: [{ expected: 0, low: null, high: null }, { expected: 0, low: null, high: null }] });
  });

  test('is the mean of all days while two weeks are not known', () => {
    expect(forecastDemand([10, 20, 30], 1)).toEqual({ method: 'mean', error: null, weeks: [{ expected: 140, low: null, high: null }] });
  });

  test('repeats a week that repeats itself, and has been right', () => {
    expect(forecastDemand(weeksOf(8), 1)).toEqual({ method: 'seasonal_mean', error: 0, weeks: [{ expected: 520, low: 520, high: 520 }] });
  });

  test('measures its error on the past', () => {
    // Weeks of 520, the last of 1,040: expected 520 in each trial, so one of five is wrong by 520.
    const history = [...weeksOf(6), ...weeksOf(1, 200, 20)];
    const forecast = forecastDemand(history, 1);
    expect(forecast.error).toBe(Math.round((520 * 1e6) / (4 * 520 + 1_040)));
    expect(forecast.weeks[0].expected).toBe((3 * 520 + 1_040) / 4);
    expect(forecast.weeks[0]).toMatchObject({ low: 650, high: 650 });
  });

  // Eight errors, the seventh in size: of nine that are alike seven are within it.
  test('has between its bounds some four of five weeks of a use with seasons and chance', () => {
    const random = new Random(7);
    const companies = 400;
    let within = 0;
    for (let company = 0; company < companies; company++) {
      const weekday = Array.from({ length: 7 }, () => random.between(100, 2_000));
      const chance = random.between(5, 60);
      const days = Array.from({ length: 21 * 7 }, (_, day) => Math.round((weekday[day % 7] * (100 + random.between(-chance, chance))) / 100));
      const [week] = forecastDemand(days.slice(0, -7), 1).weeks;
      const became = days.slice(-7).reduce((sum, used) => sum + used, 0);
      if (week.low !== null && week.high !== null && became >= week.low && became <= week.high) within++;
    }
    expect(within / companies).toBeGreaterThan(0.72);
    expect(within / companies).toBeLessThan(0.88);
  });

  // As many weeks ahead as are forecast: what is tried is tried so far ahead.
  test.each([['grows by half', (day: number): number => 1 + day / 180, 0.7], ['falls by half', (day: number): number => 1 - day / 180, 0.7], ['grows by a hundredth a day', (day: number): number => 1.01 ** day, 0.65]] as const)(
    'goes on where use %s in ninety days', (_name, course, least) => {
      const random = new Random(11);
      const companies = 150;
      const within = Array.from({ length: 8 }, () => 0);
      for (let company = 0; company < companies; company++) {
        const weekday = Array.from({ length: 7 }, () => random.between(300, 1_700));
        const chance = random.between(5, 30);
        const days = Array.from({ length: 90 + 56 }, (_, day) => Math.round(weekday[day % 7] * course(day) * (100 + random.between(-chance, chance))));
        forecastDemand(days.slice(0, 90), 8).weeks.forEach(({ low, high }, week) => {
          const became = days.slice(90 + week * 7, 97 + week * 7).reduce((sum, used) => sum + used, 0);
          if (low !== null && high !== null && became >= low && became <= high) within[week]++;
        });
      }
      expect(Math.min(...within) / companies).toBeGreaterThan(least);
    },
  );

  test('carries a growth on of which six weeks and some days are known', () => {
    const days = Array.from({ length: 45 + 56 }, (_, day) => Math.round((day % 7 < 5 ? 1_000 : 100) * (1 + day / 60)));
    const forecast = forecastDemand(days.slice(0, 45), 8);
    expect(forecast.method).toBe('seasonal_trend');
    forecast.weeks.forEach(({ expected }, week) => {
      const became = days.slice(45 + week * 7, 52 + week * 7).reduce((sum, used) => sum + used, 0);
      expect(Math.abs(expected - became) / became).toBeLessThan(0.05);
    });
  });

  test('widens with what is farther away than was tried', () => {
    const random = new Random(3);
    const days = Array.from({ length: 40 }, () => random.between(100, 200));
    const width = forecastDemand(days, 12).weeks.map(({ low, high }) => (high ?? 0) - (low ?? 0));
    expect(width).toEqual([...width].sort((a, b) => a - b));
    expect(width[11]).toBeGreaterThan(width[0]);
  });

  test('never expects less than nothing', () => {
    const history = [...weeksOf(3), ...weeksOf(4, 0, 0)];
    const [week] = forecastDemand(history, 1).weeks;
    expect(week.expected).toBe(0);
    expect(week.low).toBe(0);
    expect(week.high).toBeGreaterThan(0);
  });
});
