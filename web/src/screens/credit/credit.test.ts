import { describe, expect, test } from 'vitest';
import { healthOf, marginOf, planOf, repaymentBody, repaymentLabel, USUAL_REPAYMENT } from './facility.ts';
import { splitOf } from './repayment.ts';

const owed = { fees: '100.00', accrued_interest: '1112.33', principal: '406000.00' };

describe('a repayment', () => {
  test.each([
    ['50', [50n, 0n, 0n, 0n]],
    ['1000', [100n, 900n, 0n, 0n]],
    ['10000', [100n, 1_112n, 8_787n, 0n]],
    ['500000', [100n, 1_112n, 406_000n, 92_787n]],
  ])('of %s pays fees, then interest, then principal', (amount, whole) => {
    const { fees, interest, principal, left } = splitOf(BigInt(amount) * 1_000_000n, owed);
    expect([fees, interest, principal, left].map((part) => part / 1_000_000n)).toEqual(whole);
    expect(fees + interest + principal + left).toBe(BigInt(amount) * 1_000_000n);
  });
});

describe('a facility', () => {
  test.each([
    [0, 'good', 'Paid on time'],
    [1, 'warn', '1 day past due: notice'],
    [15, 'bad', '15 days past due: half frozen'],
    [200, 'bad', '200 days past due: write-off'],
  ])('%s days past due is %s', (days, tone, label) => expect(healthOf({ days_past_due: days })).toMatchObject({ tone, label }));
  test.each([
    ['-5', 0, 'good'],
    ['79', 79, 'good'],
    ['80', 80, 'warn'],
    ['120', 120, 'bad'],
  ])('an exposure of %s of 100 is %s percent', (exposure, percent, tone) => expect(marginOf({ exposure, exposure_limit: '100' })).toEqual({ percent, tone }));
  test('without a limit there is no margin', () => expect(marginOf({ exposure: '1', exposure_limit: '0' })).toBeUndefined());
});

describe('what is asked for', () => {
  test.each([
    ['annuity', '3', { interest_only_periods: 3, refine: true }],
    ['annuity', '30', { interest_only_periods: 11, refine: true }],
    ['flat', '3', { interest_only_periods: 3, refine: false }],
    ['bullet', '3', { interest_only_periods: 0, refine: false }],
  ])('%s with %s months of interest alone keeps what its term and method allow', (method, interestOnly, asked) => expect(repaymentBody({ ...USUAL_REPAYMENT, method, interestOnly, refine: true })).toEqual({ months: 12, method, ...asked }));
  test('is told with the months of interest alone', () => {
    expect(repaymentLabel({ method: 'annuity', interest_only_periods: 0 })).toBe('Equal instalments');
    expect(repaymentLabel({ method: 'flat', interest_only_periods: 1 })).toBe('Flat, after 1 month of interest alone');
  });
  test.each([
    ['', []],
    ['40000 45,000.50;50000, 0', ['40000', '45000.50', '50000', '0']],
  ])('plans "%s" month by month', (text, months) => expect(planOf(text)).toEqual({ months }));
  test.each(['40000,45000', '-5', '1e3', '0.0000001', '1 '.repeat(61)])('takes no "%s" for a plan', (text) => expect(planOf(text)).toMatchObject({ months: [], problem: expect.any(String) }));
});
