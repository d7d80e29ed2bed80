import { describe, expect, test } from 'vitest';
import { addMonths, civilOf, dayOf, formatDate, lastOfMonth, parseDate } from './dates.ts';
import { countDays, yearFraction, type DayCount } from './day_count.ts';

const day = (text: string): number => {
  const parsed = parseDate(text);
  if (parsed === undefined) throw new Error(`no such day: ${text}`);
  return parsed;
};

describe('dates', () => {
  test('agree with the calendar of the platform over four centuries', () => {
    for (let date = -50_000; date < 100_000; date += 97) {
      const expected = new Date(date * 86_400_000).toISOString().slice(0, 10);
      expect(formatDate(date)).toBe(expected);
      expect(dayOf(civilOf(date))).toBe(date);
    }
  });

  test.each([
    ['2024-01-31', 1, '2024-02-29'],
    ['2023-01-31', 1, '2023-02-28'],
    ['2024-02-29', 12, '2025-02-28'],
    ['2024-12-15', 1, '2025-01-15'],
    ['2024-03-31', -1, '2024-02-29'],
    ['2024-01-15', -1, '2023-12-15'],
  ])('%s and %i months is %s', (from, months, to) => {
    expect(formatDate(addMonths(day(from), months))).toBe(to);
  });

  test('a month ends on its last day', () => {
    expect(formatDate(lastOfMonth(day('2024-01-31'), 1))).toBe('2024-02-29');
    expect(formatDate(lastOfMonth(day('2024-02-10')))).toBe('2024-02-29');
  });

  test.each(['2023-02-29', '2023-13-01', '2023-00-10', '2023-1-1', '23-01-01', '2023-01-32', '0000-01-01', 'tomorrow'])('%s is no date', (text) => {
    expect(parseDate(text)).toBeUndefined();
  });
});

describe('day counts', () => {
  test.each<[DayCount, string, string, number]>([
    ['ACT/365', '2024-01-31', '2024-03-01', 30],
    ['ACT/360', '2023-02-28', '2023-03-31', 31],
    // Bond basis: the end falls on the 31st only when the beginning is not on the 30th or 31st.
    ['30/360', '2024-01-31', '2024-03-31', 60],
    ['30/360', '2024-01-30', '2024-03-31', 60],
    ['30/360', '2024-01-29', '2024-03-31', 62],
    ['30/360', '2024-01-15', '2024-03-31', 76],
    ['30/360', '2024-01-31', '2024-02-29', 29],
    ['30/360', '2024-02-29', '2024-03-31', 32],
    ['30/360', '2007-01-15', '2007-01-30', 15],
    ['30/360', '2007-11-01', '2008-01-01', 60],
    ['30E/360', '2024-01-31', '2024-03-31', 60],
    ['30E/360', '2024-01-29', '2024-03-31', 61],
    ['30E/360', '2024-01-15', '2024-03-31', 75],
    ['30E/360', '2024-02-29', '2024-03-31', 31],
    ['30E/360', '2007-01-31', '2007-02-28', 28],
  ])('%s from %s to %s: %i days', (convention, from, to, days) => {
    expect(countDays(convention, day(from), day(to))).toBe(days);
  });

  // ISDA's table of examples for section 4.16 (f) and (g) of the 2006 definitions, as QuantLib tests it: bond basis, Eurobond basis.
  test.each([
    ['2006-08-31', '2007-02-28', 178, 178], ['2007-02-28', '2007-08-31', 183, 182], ['2007-08-31', '2008-02-29', 179, 179], ['2008-02-29', '2008-08-31', 182, 181],
    ['2006-01-31', '2006-02-28', 28, 28], ['2006-01-30', '2006-02-28', 28, 28], ['2006-02-28', '2006-03-03', 5, 5], ['2006-02-14', '2006-02-28', 14, 14],
    ['2006-09-30', '2006-10-31', 30, 30], ['2006-10-31', '2006-11-28', 28, 28], ['2007-08-31', '2008-02-28', 178, 178], ['2008-02-28', '2008-08-28', 180, 180],
    ['2008-02-28', '2008-08-30', 182, 182], ['2008-02-28', '2008-08-31', 183, 182], ['2007-02-26', '2008-02-28', 362, 362], ['2007-02-26', '2008-02-29', 363, 363],
    ['2008-02-29', '2009-02-28', 359, 359], ['2008-02-28', '2008-03-30', 32, 32], ['2008-02-28', '2008-03-31', 33, 32],
  ])('30/360 of ISDA: %s to %s are %i and %i days', (from, to, bond, euro) => {
    expect([countDays('30/360', day(from), day(to)), countDays('30E/360', day(from), day(to))]).toEqual([bond, euro]);
  });

  test('fractions divide by the year of the convention', () => {
    expect(yearFraction('ACT/365', day('2024-01-01'), day('2025-01-01')).toFixed(10)).toBe('1.0027397260');
    expect(yearFraction('ACT/360', day('2024-01-01'), day('2024-07-01')).toFixed(10)).toBe('0.5055555556');
    expect(yearFraction('30/360', day('2024-01-01'), day('2025-01-01')).toFixed()).toBe('1');
  });
});
