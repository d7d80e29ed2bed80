import { describe, expect, test } from 'vitest';
import type { FacilityApplication } from '../commands.ts';
import { MICRO } from '../numbers/units.ts';
import { assess } from './scorecard.ts';
import { conversionRate } from './tiers.ts';

const usd = (amount: number) => amount * MICRO;
const percent = (value: number) => value * 10_000;

const STRONG: FacilityApplication = {
  cash: usd(8_000_000),
  monthlyBurn: usd(350_000),
  monthlyRevenue: usd(900_000),
  cashTrend3m: percent(-12),
  revenueGrowth: percent(110),
  grossMargin: percent(62),
  computeShare: percent(35),
  forecastError: percent(9),
  topCustomer: percent(18),
  pastDaysOverdue: 0,
};

describe('conversion tiers', () => {
  test.each([
    ['A', 12, 1_500_000],
    ['A', 24, 1_500_000],
    ['A', 11, 1_400_000],
    ['A', 6, 1_400_000],
    ['A', 5, 1_250_000],
    ['B', 12, 1_350_000],
    ['B', 6, 1_300_000],
    ['B', 3, 1_250_000],
    ['C', 12, 1_250_000],
    ['D', 12, 0],
  ] as const)('%s over %i months: %i', (grade, months, rate) => {
    expect(conversionRate(grade, months)).toBe(rate);
  });
});

describe('the scorecard', () => {
  test('is pinned for a strong company', () => {
    expect(assess(STRONG, usd(1_000_000), 12)).toEqual({
      version: 1,
      grade: 'A',
      approved: true,
      score: 735,
      defaultProbability: 4_784,
      annualRate: 110_000,
      conversionRate: 1_500_000,
      limit: usd(11_280_000),
      reasons: ['nothing weighs against the company'],
    });
  });

  test('score and probability satisfy the published formula', () => {
    const { score, defaultProbability } = assess({ ...STRONG, pastDaysOverdue: 60 }, usd(1_000_000), 12);
    const probability = defaultProbability / MICRO;
    const expected = 600 + (40 / Math.log(2)) * (Math.log((1 - probability) / probability) - Math.log(20));
    expect(Math.abs(score - expected)).toBeLessThan(1);
  });

  test('every measure moves the score in its direction', () => {
    const base = assess(STRONG, usd(1_000_000), 12).score;
    const worse: Partial<FacilityApplication>[] = [
      { cash: usd(5_000_000) },
      { monthlyBurn: usd(500_000) },
      { cashTrend3m: percent(-50) },
      { revenueGrowth: percent(10) },
      { grossMargin: percent(20) },
      { computeShare: percent(90) },
      { forecastError: percent(60) },
      { topCustomer: percent(80) },
      { pastDaysOverdue: 30 },
    ];
    for (const change of worse) expect(assess({ ...STRONG, ...change }, usd(1_000_000), 12).score).toBeLessThan(base);
  });

  test('cash that does not outlast the term allows C at most, and says so', () => {
    const burning = { ...STRONG, cash: usd(4_000_000), revenueGrowth: percent(200) };
    const { grade, conversionRate: rate, reasons } = assess(burning, usd(1_000_000), 24);
    expect([grade, rate]).toEqual(['C', 1_250_000]);
    expect(reasons[0]).toBe('cash does not last 24 months with the instalment');
    expect(assess(burning, usd(1_000_000), 6).grade).not.toBe('C');
  });

  test('a weak company is declined with its heaviest reasons', () => {
    const weak = { ...STRONG, cash: usd(900_000), revenueGrowth: percent(5), grossMargin: percent(10), topCustomer: percent(85), pastDaysOverdue: 45 };
    const { approved, grade, limit, conversionRate: rate, reasons } = assess(weak, usd(500_000), 12);
    expect({ approved, grade, limit, rate }).toEqual({ approved: false, grade: 'D', limit: 0, rate: 0 });
    expect(reasons).toHaveLength(4);
    expect(reasons).toContain('was 45 days overdue');
  });

  test('a company that burns nothing has no end of runway', () => {
    expect(assess({ ...STRONG, cash: usd(200_000), monthlyBurn: 0 }, usd(100_000), 1).grade).toBe('A');
    expect(assess({ ...STRONG, monthlyBurn: 0, monthlyRevenue: 0, revenueGrowth: 0 }, usd(100_000), 12).approved).toBe(true);
  });
});
