/** A lender's book, from facilities made up for it. */
import { describe, expect, it } from 'vitest';
import type { FacilityView } from '../../engine/queries.ts';
import { byFacility, cohortWire } from './routes/portfolio_routes.ts';
import { nextPayment } from './routes/dashboard_routes.ts';
import { BUCKETS, herfindahl, holdingsOf, inBucket, lendersRateOf, partOf, returnsOf, slices, stress, sumOf, yieldOf } from './portfolio.ts';

const USD = 1_000_000;
const facility = (more: Partial<FacilityView>): FacilityView =>
  ({
    facility: 0, company: 1, acceptedAt: 1, amount: 1_000 * USD, shares: [{ mandate: 0, lender: 7, amount: 1_000 * USD }], principal: 0, accruedInterest: 0, fees: 0, daysPastDue: 0, unspentCost: 0,
    hoursValue: 0, annualRate: 100_000, ...more,
  }) as FacilityView;

describe('a portfolio', () => {
  const shared = facility({ company: 2, principal: 400 * USD, annualRate: 140_000, daysPastDue: 31, shares: [{ mandate: 0, lender: 7, amount: 250 * USD }, { mandate: 1, lender: 8, amount: 750 * USD }] });
  const alone = facility({ principal: 100 * USD });
  const offered = facility({ acceptedAt: 0, principal: 0 });

  it("counts one's part of what several fund, and nothing of what is only offered", () => {
    const holdings = holdingsOf([shared, alone, offered], 7);
    expect(holdings).toHaveLength(2);
    expect(partOf(holdings[0], 400 * USD)).toBe(100 * USD);
    expect(sumOf(holdings, ({ principal }) => principal)).toBe(BigInt(200 * USD));
    expect(sumOf(holdingsOf([shared, alone]), ({ principal }) => principal)).toBe(BigInt(500 * USD));
    expect(yieldOf(holdings, ({ annualRate }) => annualRate)).toBe(120_000);
    const rateOf = (mandate: number): number => [50_000, 90_000][mandate];
    expect([lendersRateOf(shared, rateOf, 7), lendersRateOf(shared, rateOf, 8), lendersRateOf(shared, rateOf), lendersRateOf(shared, rateOf, 9)]).toEqual([50_000, 90_000, 80_000, 0]);
  });

  it("counts one's part in a cohort, also of what was repaid", () => {
    const third = facility({ facility: 3, amount: 3 * USD, shares: [{ mandate: 0, lender: 7, amount: USD }, { mandate: 1, lender: 8, amount: 2 * USD }] });
    const movements = byFacility([
      { facility: 3, month: 0, lent: 10n, repaid: 0n, writtenOff: 0n }, { facility: 3, month: 1, lent: 10n, repaid: 5n, writtenOff: 0n }, { facility: 9, month: 0, lent: 1_000n, repaid: 0n, writtenOff: 0n },
    ]);
    const cohort = (lender?: number) => cohortWire('2026-11', holdingsOf([third], lender), movements, 1);
    expect(cohort(7)).toMatchObject({ facilities: 1, lent: '0.000007', repaid: '0.000002', written_off: '0.00', outstanding: '0.000005' });
    expect(cohort(8)).toMatchObject({ lent: '0.000013', repaid: '0.000003', outstanding: '0.00001' });
    expect(cohort()).toMatchObject({ lent: '0.00002', outstanding: '0.000015', curve: [{ month: 0, outstanding_percent: '50.00' }, { month: 1, repaid_percent: '25.00', outstanding_percent: '75.00' }] });
  });

  it('puts a facility into one bucket by its days past due', () => {
    const days = [0, 1, 30, 31, 60, 61, 90, 91, 500];
    const holdings = holdingsOf(days.map((daysPastDue) => facility({ daysPastDue })), 7);
    expect(BUCKETS.map((_, index) => inBucket(holdings, index).map(({ view }) => view.daysPastDue))).toEqual([[0], [1, 30], [31, 60], [61, 90], [91, 500]]);
  });

  it('measures how much of it is whose', () => {
    const parts = slices(holdingsOf([shared, alone], 7), ({ company }) => company);
    expect(parts.map(({ key, share }) => [key, share])).toEqual([[2, 500_000], [1, 500_000]]);
    expect(herfindahl(parts)).toBe(500_000);
    expect(slices([], ({ company }) => company)).toEqual([]);
  });

  it('loses under stress what hours lose, never what lies in escrow, and at least 5 %', () => {
    const covered = facility({ principal: 100 * USD, unspentCost: 100 * USD });
    const bought = facility({ principal: 100 * USD, unspentCost: 20 * USD, hoursValue: 60 * USD });
    const grid = stress(holdingsOf([covered, bought], 7), [0, 500_000, 1_000_000], [100_000, 1_000_000]);
    expect(grid.exposure).toBe(BigInt(200 * USD));
    // 5 for the covered one; 20, 50, 80 for the other.
    expect(grid.cells.map(({ loss }) => Number(loss) / USD)).toEqual([2.5, 25, 5.5, 55, 8.5, 85]);
    expect(grid.cells.at(-1)?.lossShare).toBe(425_000);
  });
});

describe('what will come back', () => {
  it('is one\'s part of each instalment, the origination fee last, interest at one\'s own rate', () => {
    const row = (due: number, principal: number, interest: number) => ({ number: due, due, principal, interest, fee: 0, balance: 0, billed: false, late: false });
    const view = facility({ annualRate: 120_000, drawn: 300, repaidPrincipal: 0, schedule: [row(10, 200, 80), row(20, 50, 40), row(40, 60, 20)], shares: [{ mandate: 0, lender: 7, amount: 500 * USD }, { mandate: 1, lender: 8, amount: 500 * USD }] });
    const returns = (lender?: number) => returnsOf(holdingsOf([view], lender), (mandate) => (lender === undefined || mandate === lender - 7 ? 60_000 : 0));
    expect(returns(7)).toEqual([{ month: '1970-01', capital: 125n, interest: 30n }, { month: '1970-02', capital: 25n, interest: 5n }]);
    expect(returns()).toEqual([{ month: '1970-01', capital: 250n, interest: 60n }, { month: '1970-02', capital: 50n, interest: 10n }]);
  });
});

describe('the next payment', () => {
  const row = (due: number, billed: boolean) => ({ number: due, due, principal: USD, interest: 0, fee: 0, balance: 0, billed, late: false });
  const schedule = [row(10, true), row(40, false)];

  it.each([
    [10, '1970-01-11', '0.00'],
    [11, '1970-02-10', '1.00'],
  ])('on day %i is that of %s, and %s is past due', (today, due, pastDue) => {
    expect(nextPayment(facility({ schedule }), today)).toEqual({ due_date: due, amount: '1.00', past_due: pastDue });
  });
});
