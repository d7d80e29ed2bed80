import { describe, expect, test } from 'vitest';
import { annualPercentageRate, type AprError, type AprMethod, type CashFlow } from './apr.ts';
import { addMonths, parseDate } from './dates.ts';
import { formatPercent } from './exact.ts';

const day = (text: string): number => parseDate(text) ?? Number.NaN;
const on = (text: string, amount: number): CashFlow => ({ on: day(text), amount: Math.round(amount * 100) });
const monthly = (first: string, count: number, amount: number, every = 1): CashFlow[] =>
  Array.from({ length: count }, (_, index) => ({ on: addMonths(day(first), index * every), amount: Math.round(amount * 100) }));
const daily = (first: string, count: number, amount: number, every: number): CashFlow[] =>
  Array.from({ length: count }, (_, index) => ({ on: day(first) + index * every, amount: Math.round(amount * 100) }));

const apr = (method: AprMethod, advances: CashFlow[], payments: CashFlow[]): string =>
  annualPercentageRate(method, advances, payments).times(100).toFixed(2);

/** The examples of appendix J, (c). */
describe('the United States method', () => {
  test.each<[string, string, CashFlow[], CashFlow[]]>([
    ['(c)(1)(i) monthly', '9.69', [on('1978-01-10', 5_000)], monthly('1978-02-10', 24, 230)],
    ['(c)(1)(ii) monthly, long first period', '11.82', [on('1978-02-10', 6_000)], monthly('1978-04-01', 36, 200)],
    [
      '(c)(1)(iii) semimonthly, short first period',
      '10.34',
      [on('1978-02-23', 5_000)],
      [...monthly('1978-03-01', 12, 219.17), ...monthly('1978-03-16', 12, 219.17)],
    ],
    ['(c)(1)(iv) quarterly, long first period', '8.97', [on('1978-05-23', 10_000)], monthly('1978-10-01', 40, 385, 3)],
    ['(c)(1)(v) weekly, long first period', '14.96', [on('1978-03-20', 500)], daily('1978-04-21', 30, 17.6, 7)],
    ['(c)(2)(i) odd first payment', '10.08', [on('1978-01-10', 5_000)], [on('1978-02-10', 250), ...monthly('1978-03-10', 23, 230)]],
    [
      '(c)(2)(ii) every four weeks, long first period',
      '28.50',
      [on('1978-03-18', 400)],
      [on('1978-04-20', 39.5), ...daily('1978-05-18', 11, 38.31, 28)],
    ],
    ['(c)(3)(i) odd last payment', '10.50', [on('1978-01-10', 5_000)], [...monthly('1978-02-10', 23, 230), on('1980-01-10', 280)]],
    [
      '(c)(3)(ii) every two weeks, short first period',
      '12.22',
      [on('1978-04-03', 200)],
      [...daily('1978-04-11', 19, 9.5, 14), { on: day('1978-04-11') + 14 * 19, amount: 3_000 }],
    ],
    [
      '(c)(4)(i) odd first and last payment',
      '10.90',
      [on('1978-01-10', 5_000)],
      [on('1978-02-10', 250), ...monthly('1978-03-10', 22, 230), on('1980-01-10', 280)],
    ],
    [
      '(c)(4)(ii) every two months, short first period',
      '7.30',
      [on('1978-01-10', 8_000)],
      [on('1978-03-01', 449.36), ...monthly('1978-05-01', 18, 465, 2), on('1981-05-01', 200)],
    ],
    ['(c)(5)(i) one payment, days', '11.45', [on('1978-01-03', 1_000)], [on('1978-09-15', 1_080)]],
    ['(c)(5)(ii) one payment, whole months', '8.80', [on('1978-07-15', 1_000)], [on('1979-01-15', 1_044)]],
    ['(c)(5)(iii) one payment, a year and six months', '8.76', [on('1978-01-17', 1_000)], [on('1979-07-17', 1_135.19)]],
    ['(c)(5)(iv) one payment, two years', '11.36', [on('1978-01-03', 1_000)], [on('1980-01-03', 1_240)]],
    ['daily', '94.15', [on('2023-10-26', 1_000)], daily('2023-11-30', 5, 220, 1)],
    ['yearly', '78.34', [on('2023-10-26', 1_000)], monthly('2023-11-30', 5, 500, 12)],
    ['weekly, first period shorter', '434.30', [on('2023-11-24', 1_000)], daily('2023-11-30', 5, 250, 7)],
  ])('%s: %s %%', (_name, expected, advances, payments) => {
    expect(apr('us', advances, payments)).toBe(expected);
  });

  test('month ends are whole months apart', () => {
    const ends = ['2024-02-29', '2024-03-31', '2024-04-30', '2024-05-31'].map((date) => on(date, 256.28));
    const tenths = ['2024-02-10', '2024-03-10', '2024-04-10', '2024-05-10'].map((date) => on(date, 256.28));
    expect(apr('us', [on('2024-01-31', 1_000)], ends)).toBe(apr('us', [on('2024-01-10', 1_000)], tenths));
  });

  test('several advances: a second half that comes a month later costs a month less', () => {
    const payments = monthly('2024-03-10', 11, 95);
    const late = annualPercentageRate('us', [on('2024-01-10', 500), on('2024-02-10', 500)], payments);
    const early = annualPercentageRate('us', [on('2024-01-10', 1_000)], payments);
    expect(late.greaterThan(early)).toBe(true);
    // Present values at the solution agree to a millionth of a cent.
    const rate = late.div(12).toNumber();
    const lent = 500 + 500 / (1 + rate);
    const repaid = payments.reduce((sum, { amount }, index) => sum + amount / 100 / (1 + rate) ** (index + 2), 0);
    expect(Math.abs(lent - repaid)).toBeLessThan(1e-8);
  });

  test('payments on the 30th are whole months apart, also over February', () => {
    const thirtieths = ['2024-01-30', '2024-02-29', '2024-03-30', '2024-04-30'].map((date) => on(date, 252));
    // Fifteen days, then three months.
    expect(apr('us', [on('2024-01-15', 1_000)], thirtieths)).toBe(apr('us', [on('2024-01-10', 1_000)], monthly('2024-01-25', 4, 252)));
  });

  test('payments without a common interval use the nearest standard one', () => {
    // Intervals of 31, 60 and 92 days average 61: two months.
    const payments = [on('2024-02-11', 350), on('2024-04-11', 350), on('2024-07-12', 350)];
    expect(apr('us', [on('2024-01-11', 1_000)], payments)).toBe('17.91');
  });
});

/** The examples of the annex as first published (98/7/EC), where a month is a twelfth of a year. */
describe('the European method', () => {
  test.each<[string, string, CashFlow[], CashFlow[]]>([
    ['one payment after 18 months', '12.92', [on('2001-01-01', 1_000)], [on('2002-07-01', 1_200)]],
    ['950 lent, one payment after 18 months', '16.85', [on('2001-01-01', 950)], [on('2002-07-01', 1_200)]],
    ['two payments after 1 and 2 years', '13.07', [on('2001-01-01', 1_000)], [on('2002-01-01', 600), on('2003-01-01', 600)]],
    ['three payments in a year', '13.19', [on('2001-01-01', 1_000)], [on('2001-04-01', 272), on('2001-07-01', 272), on('2002-01-01', 544)]],
    ['two payments a month apart', '85.59', [on('2012-10-10', 500)], monthly('2012-11-10', 2, 270)],
    ['five days', '324.44', [on('2012-10-10', 500)], [on('2012-10-15', 510)]],
    ['365 days are a year', '10.00', [on('2023-01-01', 1_000)], [on('2024-01-01', 1_100)]],
    // Remark (c): a year has 52 weeks. 1.01 to the 52nd, and to the 13th.
    ['1 % a week', '67.77', [on('2024-01-01', 1_000)], [...daily('2024-01-08', 3, 10, 7), on('2024-01-29', 1_010)]],
    ['1 % in four weeks', '13.81', [on('2024-01-03', 1_000)], [on('2024-01-31', 10), on('2024-02-28', 1_010)]],
    ['a single payment counts in days', '16.71', [on('2024-01-01', 1_000)], [on('2024-01-22', 1_008.93)]],
    ['a tenth for a day', '128330558031335169.69', [on('2024-01-01', 1_000)], [on('2024-01-02', 1_100)]],
    ['on the same day', '0.00', [on('2012-10-10', 500)], [on('2012-10-10', 500)]],
  ])('%s: %s %%', (_name, expected, advances, payments) => {
    expect(apr('eu', advances, payments)).toBe(expected);
  });

  test('monthly payments of a 12 % loan come to 1.01 to the twelfth', () => {
    const rate = annualPercentageRate('eu', [on('2024-01-01', 1_000)], monthly('2024-02-01', 12, 88.8488));
    expect(Number(formatPercent(rate))).toBeCloseTo(12.6825, 2);
  });
});

describe('rates that do not exist', () => {
  test('paying back exactly what was lent costs nothing, and less costs less', () => {
    expect(apr('us', [on('2024-01-01', 100)], [on('2024-02-01', 100)])).toBe('0.00');
    expect(apr('eu', [on('2024-01-01', 100)], [on('2025-01-01', 90)])).toBe('-10.00');
  });

  test.each<[string, CashFlow[], CashFlow[]]>([
    ['no payment', [on('2024-01-01', 100)], []],
    ['no advance', [], [on('2024-01-01', 100)]],
    ['paid before lent', [on('2024-01-02', 100)], [on('2024-01-01', 110)]],
    ['paid at once', [on('2024-01-01', 100)], [on('2024-01-01', 110)]],
    ['nothing worth naming paid back', [on('2024-01-01', 1_000_000)], [on('2024-02-01', 0.01)]],
  ])('%s is refused', (_name, advances, payments) => {
    const refused = expect.objectContaining({ name: 'AprError' }) as AprError;
    expect(() => annualPercentageRate('us', advances, payments)).toThrow(refused);
  });

  test('dates thousands of years apart are no more work than others', () => {
    const started = performance.now();
    const far = ['9999-12-29', '9999-12-30', '9999-12-31'].map((date) => on(date, 100));
    expect([apr('us', [on('0001-01-01', 100)], far), apr('eu', [on('0001-01-01', 100)], far)]).toEqual(['0.01', '0.01']);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('an extreme rate is still found', () => {
    expect(apr('us', [on('2024-01-01', 100)], [on('2024-01-02', 200)])).toBe('36500.00');
  });
});
