/** Schedules and yearly rates that other loan systems and regulators publish, to the cent. */
import { describe, expect, test } from 'vitest';
import { annualPercentageRate, type AprMethod, type CashFlow } from './apr.ts';
import { addMonths, parseDate } from './dates.ts';
import type { DayCount } from './day_count.ts';
import { Exact, formatPercent } from './exact.ts';
import { repaymentSchedule, totalInterest, type ScheduleTerms } from './schedule.ts';

const day = (text: string): number => parseDate(text) ?? Number.NaN;
const cents = (amount: number): number => Math.round(amount * 100);

interface Published {
  name: string;
  principal: number;
  rate: string;
  periods: number;
  from: string;
  dayCount: DayCount;
  more?: Partial<ScheduleTerms>;
  /** [due, interest, principal, balance] */
  rows: readonly (readonly [number, number, number, number])[];
}

/** Apache Fineract, ProgressiveEMICalculatorTest and EMICalculation.feature (C3154, C3155). */
const FINERACT: readonly Published[] = [
  {
    name: 'a new instalment is no better than the first', principal: 100, rate: '15.678', periods: 6, from: '2024-01-01', dayCount: 'ACT/365', more: { refine: true },
    rows: [[17.43, 1.33, 16.1, 83.9], [17.43, 1.05, 16.38, 67.52], [17.43, 0.9, 16.53, 50.99], [17.43, 0.66, 16.77, 34.22], [17.43, 0.46, 16.97, 17.25], [17.47, 0.22, 17.25, 0]],
  },
  {
    name: '360/30, decimal', principal: 100, rate: '9.4822', periods: 6, from: '2024-01-01', dayCount: '30/360', more: { refine: true },
    rows: [[17.13, 0.79, 16.34, 83.66], [17.13, 0.66, 16.47, 67.19], [17.13, 0.53, 16.6, 50.59], [17.13, 0.4, 16.73, 33.86], [17.13, 0.27, 16.86, 17], [17.13, 0.13, 17, 0]],
  },
  {
    name: '360/30, integer', principal: 100, rate: '12', periods: 6, from: '2024-01-01', dayCount: '30/360', more: { refine: true },
    rows: [[17.25, 1, 16.25, 83.75], [17.25, 0.84, 16.41, 67.34], [17.25, 0.67, 16.58, 50.76], [17.25, 0.51, 16.74, 34.02], [17.25, 0.34, 16.91, 17.11], [17.28, 0.17, 17.11, 0]],
  },
  {
    name: 'a second draw on a due date', principal: 100, rate: '9.4822', periods: 6, from: '2024-01-01', dayCount: '30/360',
    more: { refine: true, furtherDraws: [{ on: day('2024-03-01'), amount: cents(100) }] },
    // The published balance of the second row counts the draw of its day.
    rows: [[17.13, 0.79, 16.34, 83.66], [17.13, 0.66, 16.47, 67.19], [42.63, 1.32, 41.31, 125.88], [42.63, 0.99, 41.64, 84.24], [42.63, 0.67, 41.96, 42.28], [42.61, 0.33, 42.28, 0]],
  },
  {
    name: 'a second draw in the first period', principal: 100, rate: '9.4822', periods: 6, from: '2024-01-01', dayCount: '30/360',
    more: { refine: true, furtherDraws: [{ on: day('2024-01-08'), amount: cents(200) }] },
    rows: [[51.33, 2.01, 49.32, 250.68], [51.33, 1.98, 49.35, 201.33], [51.33, 1.59, 49.74, 151.59], [51.33, 1.2, 50.13, 101.46], [51.33, 0.8, 50.53, 50.93], [51.33, 0.4, 50.93, 0]],
  },
  {
    name: 'a second draw in a later period', principal: 100, rate: '9.4822', periods: 6, from: '2024-01-01', dayCount: '30/360',
    more: { refine: true, furtherDraws: [{ on: day('2024-02-15'), amount: cents(100) }] },
    rows: [[17.13, 0.79, 16.34, 83.66], [37.53, 1.07, 36.46, 147.2], [37.53, 1.16, 36.37, 110.83], [37.53, 0.88, 36.65, 74.18], [37.53, 0.59, 36.94, 37.24], [37.53, 0.29, 37.24, 0]],
  },
  {
    name: 'two draws on one day, of a loan that begins within a period', principal: 100, rate: '9.4822', periods: 6, from: '2024-01-05', dayCount: '30/360',
    more: { refine: true, firstDueOn: day('2024-02-01'), furtherDraws: [{ on: day('2024-01-08'), amount: cents(50) }, { on: day('2024-01-08'), amount: cents(25) }] },
    rows: [[29.94, 1.15, 28.79, 146.21], [29.94, 1.16, 28.78, 117.43], [29.94, 0.93, 29.01, 88.42], [29.94, 0.7, 29.24, 59.18], [29.94, 0.47, 29.47, 29.71], [29.94, 0.23, 29.71, 0]],
  },
  {
    name: 'two draws of a loan of one month', principal: 1000, rate: '7', periods: 1, from: '2024-01-01', dayCount: '30/360',
    more: { furtherDraws: [{ on: day('2024-01-15'), amount: cents(1000) }] }, rows: [[2009.03, 9.03, 2000, 0]],
  },
  {
    name: 'every 15 days', principal: 100, rate: '9.4822', periods: 6, from: '2024-01-01', dayCount: 'ACT/360', more: { refine: true, unit: 'days', every: 15 },
    rows: [[16.9, 0.4, 16.5, 83.5], [16.9, 0.33, 16.57, 66.93], [16.9, 0.26, 16.64, 50.29], [16.9, 0.2, 16.7, 33.59], [16.9, 0.13, 16.77, 16.82], [16.89, 0.07, 16.82, 0]],
  },
  {
    name: 'one month', principal: 1000, rate: '7', periods: 1, from: '2024-01-01', dayCount: '30/360', rows: [[1005.83, 5.83, 1000, 0]],
  },
  {
    name: 'without interest', principal: 1000, rate: '0', periods: 4, from: '2024-01-01', dayCount: 'ACT/365',
    rows: [[250, 0, 250, 750], [250, 0, 250, 500], [250, 0, 250, 250], [250, 0, 250, 0]],
  },
];

describe('schedules of Apache Fineract', () => {
  test.each(FINERACT)('$name', ({ principal, rate, periods, from, dayCount, more, rows }) => {
    const found = repaymentSchedule({
      principal: cents(principal), annualRate: new Exact(rate).div(100), periods, disbursedOn: day(from), dayCount, every: 1, unit: 'months', method: 'annuity', ...more,
    });
    expect(found.slice(0, rows.length).map((row) => [row.due, row.interest, row.principal, row.balance])).toEqual(rows.map((row) => row.map(cents)));
    expect(found.at(-1)?.balance).toBe(0);
  });

  test('12 months of 7 % pay 8.65 each', () => {
    const rows = repaymentSchedule({
      principal: 10_000, annualRate: new Exact('0.07'), periods: 12, disbursedOn: day('2024-01-01'), dayCount: '30/360', every: 1, unit: 'months', method: 'annuity',
    });
    expect(rows.slice(0, 11).every(({ due }) => due === 865)).toBe(true);
  });

  // A period of 1 January to 1 February that is entered on the 5th and 8th: 27/31 and 24/31 of a month.
  test.each([['2024-01-05', 100, 0.69], ['2024-01-08', 175, 1.07]] as const)('entered on %s, %i cost %d in the first month', (from, principal, interest) => {
    const [first] = repaymentSchedule({
      principal: cents(principal), annualRate: new Exact('0.094822'), periods: 6, disbursedOn: day(from), firstDueOn: day('2024-02-01'), dayCount: '30/360', every: 1,
      unit: 'months', method: 'annuity',
    });
    expect(first.interest).toBe(cents(interest));
  });
});

/** PMT, IPMT and CUMIPMT of spreadsheets: loan, yearly rate, months, payment, first interest, interest in all within a rounding per row. */
describe('spreadsheets', () => {
  test.each([
    [200_000, '6', 360, 1199.1, 1000, 231676.38],
    [250_000, '4.5', 360, 1266.71, 937.5, 206016.78],
    [10_000, '8', 10, 1037.03, 66.67, 370.32],
    [125_000, '9', 360, 1005.78, 937.5, 237080.28],
    [1_000_000, '11', 12, 88381.66, 9166.67, 60579.9],
  ])('%i at %s %% over %i months pays %d', (principal, rate, periods, payment, firstInterest, interest) => {
    const rows = repaymentSchedule({
      principal: cents(principal), annualRate: new Exact(rate).div(100), periods, disbursedOn: day('2024-01-01'), dayCount: '30/360', every: 1, unit: 'months', method: 'annuity',
    });
    expect([rows[0].due, rows[0].interest]).toEqual([cents(payment), cents(firstInterest)]);
    expect(Math.abs(totalInterest(rows) - cents(interest))).toBeLessThanOrEqual(periods);
  });
});

const ties = (principal: number, rate: string, dayCount: DayCount = '30/360'): number =>
  repaymentSchedule({
    principal, annualRate: new Exact(rate), periods: 2, disbursedOn: day('2024-01-01'), dayCount, every: 1, unit: 'months', method: 'bullet',
  })[0].interest;

describe('halves go to the even cent, also where the rate has no end', () => {
  test.each([
    // 10 % a month of 30 days is 1/120: 60 cents earn half a cent.
    [60, '0.1', 0], [180, '0.1', 2], [300, '0.1', 2], [420, '0.1', 4],
    // 2 % is 1/600.
    [300, '0.02', 0], [900, '0.02', 2], [5_100, '0.02', 8], [5_700, '0.02', 10],
    [50, '0.12', 0], [150, '0.12', 2],
  ])('%i cents at %s earn %i', (principal, rate, expected) => {
    expect(ties(principal, rate)).toBe(expected);
  });
});

const on = (text: string, amount: number): CashFlow => ({ on: day(text), amount: cents(amount) });
const monthly = (first: string, count: number, amount: number, every = 1): CashFlow[] =>
  Array.from({ length: count }, (_, index) => ({ on: addMonths(day(first), index * every), amount: cents(amount) }));
const weekly = (first: string, count: number, amount: number): CashFlow[] =>
  Array.from({ length: count }, (_, index) => ({ on: day(first) + 7 * index, amount: cents(amount) }));
const apr = (method: AprMethod, advances: CashFlow[], payments: CashFlow[]): string => annualPercentageRate(method, advances, payments).times(100).toFixed(2);

/** Variations on appendix J that FSharp.Finance.Personal has confirmed with a spreadsheet. */
describe('United States: other first periods', () => {
  test.each<[string, string, CashFlow[], CashFlow[]]>([
    ['quarterly, 3 months and 8 days', '9.15', [on('1978-06-23', 10_000)], monthly('1978-10-01', 40, 385, 3)],
    ['quarterly, less than a quarter', '9.32', [on('1978-07-23', 10_000)], monthly('1978-10-01', 40, 385, 3)],
    ['weekly, long', '176.52', [on('2023-10-28', 1_000)], weekly('2023-11-30', 5, 250)],
    ['weekly, regular', '412.40', [on('2023-11-23', 1_000)], weekly('2023-11-30', 5, 250)],
  ])('%s: %s %%', (_name, expected, advances, payments) => {
    expect(apr('us', advances, payments)).toBe(expected);
  });
});

describe('Europe: equal months', () => {
  test.each<[string, string, CashFlow[], CashFlow[]]>([
    ['1 % a month', '12.682503', [on('2024-01-15', 1_000)], [on('2024-02-15', 1_010)]],
    ['1 % a month, interest only, from a month end over a leap day', '12.682503', [on('2023-12-31', 1_000)], [
      ...['2024-01-31', '2024-02-29', '2024-03-31'].map((date) => on(date, 10)), on('2024-04-30', 1_010)]],
    ['3 % a quarter', '12.550881', [on('2024-01-10', 1_000)], [...monthly('2024-04-10', 3, 30, 3), on('2025-01-10', 1_030)]],
    ['12 % a year', '12.00', [on('2023-05-05', 1_000)], [on('2024-05-05', 1_120)]],
    ['two draws', '12.682503', [on('2024-01-15', 1_000), on('2024-02-15', 1_000)], [on('2024-03-15', 2_030.1)]],
  ])('%s: %s %%', (_name, expected, advances, payments) => {
    expect(formatPercent(annualPercentageRate('eu', advances, payments))).toBe(expected);
  });
});
