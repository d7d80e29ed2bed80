import { describe, expect, test } from 'vitest';
import * as format from './format.ts';

describe('numbers', () => {
  test('carry thousands apart and their places', () => {
    expect(format.price(21_500)).toBe('2.1500');
    expect(format.quantity(1_843_250)).toBe('18,432.50');
    expect(format.amount(486_312_442_500n)).toBe('486,312.44');
    expect(format.amount(-1_000_000n)).toBe('−1.00');
    expect(format.decimal('1234567.891')).toBe('1,234,567.891');
    expect(format.decimal('2.1', 4)).toBe('2.1000');
    expect(format.money('1112.335')).toBe('1,112.34');
    expect(format.count(184_220)).toBe('184,220');
  });

  test('that are absent show as no value, never as zero', () => {
    for (const shown of [format.price(undefined), format.quantity(undefined), format.amount(undefined), format.decimal(null), format.money(undefined), format.percent(null)]) {
      expect(shown).toBe(format.NO_VALUE);
    }
  });

  test('become short where space is', () => {
    expect(format.compact('999.5')).toBe('999.50');
    expect(format.compact('9999')).toBe('9,999.00');
    expect(format.compact('486312.4425')).toBe('486.31k');
    expect(format.compact('1000000')).toBe('1.00M');
    expect(format.compact('-2500000000')).toBe('−2.50B');
  });

  test('as shares', () => {
    expect(format.percentOfPpm(1_800)).toBe('0.18 %');
    expect(format.fraction('0.5')).toBe('50');
    expect(format.fraction('1')).toBe('100');
    expect(format.percent('12.50')).toBe('12.50 %');
  });
});

describe('times', () => {
  test('of delivery are UTC', () => {
    const hour = Date.UTC(2026, 11, 1, 14) / 3_600_000;
    expect(format.hourName(hour)).toBe('Tue 01 Dec 14:00 UTC');
  });

  test('of the reader name the day in the same order', () => {
    const local = new Date(2026, 8, 3, 4, 5, 6).getTime();
    expect([format.date(local), format.dateTime(local), format.timeOfDay(local), format.dayOnly(local), format.minute(local)]).toEqual(['03 Sep 2026', '03 Sep, 04:05', '04:05:06', '03 Sep', '04:05']);
  });

  test('of the calendar are no instants', () => {
    expect([format.date('2026-12-01'), format.calendarDay('2026-12-01')]).toEqual(['01 Dec 2026', '01 Dec']);
  });

  test('that are absent or broken show as no value', () => {
    expect(format.timeOfDay(null)).toBe(format.NO_VALUE);
    expect(format.dateTime('yesterday')).toBe(format.NO_VALUE);
    expect(format.utc('2026-12-01T14:00:05Z')).toBe('2026-12-01 14:00:05 UTC');
  });

  test('span', () => {
    expect(format.duration(12_400)).toBe('12 s');
    expect(format.duration(245_000)).toBe('4 m 05 s');
    expect(format.duration(11_520_000)).toBe('3 h 12 m');
    expect(format.duration(187_200_000)).toBe('2 d 4 h');
    expect(format.duration(31_453_200_000)).toBe('364 d');
    expect(format.duration(-5)).toBe('0 s');
  });

  test('words of the wire', () => expect(format.words('partially_filled')).toBe('Partially filled'));
});

test('context lengths are said as people say them', () => {
  expect([512, 4096, 16_384, 128_000, 131_072, 1_048_576, 10_485_760].map(format.tokens)).toEqual(['512', '4k', '16k', '128k', '128k', '1M', '10M']);
});
