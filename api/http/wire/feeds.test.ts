import { describe, expect, it } from 'vitest';
import { ApiError } from '../../errors.ts';
import { bankFigures, bankMonths, forecastError, readBankFeed, readUsageFeed, usageMonths } from './feeds.ts';

describe('an account\'s transactions', () => {
  it('are read line by line; what cannot be read is named and the rest counts', () => {
    const feed = readBankFeed('Date,Amount,Balance\n2026-09-30,1000,1000\n2026-13-01,5,5\n2026-10-05,"-250.50",749.5\n2026-10-06,ten,0\n2026-10-07,"1\n2026-10-08,1,250.00,2000\n2026-10-09,0,749.5,\n\n');
    expect(feed.lines).toBe(7);
    expect(feed.errors).toEqual([
      { line: 3, detail: 'the date is not of the form 2026-12-01' }, { line: 5, detail: 'the amount is not a decimal with at most 6 places' },
      { line: 6, detail: 'a quote is not closed or stands inside a cell' }, { line: 7, detail: 'there are 4 cells under 3 columns' },
    ]);
    expect(bankMonths(feed.rows)).toEqual([
      { month: '2026-09', inflow: 1_000_000_000, outflow: 0, balance: 1_000_000_000 }, { month: '2026-10', inflow: 0, outflow: 250_500_000, balance: 749_500_000 },
    ]);
  });

  it('need a header', () => {
    expect(() => readBankFeed('2026-09-30,1000\n')).toThrow(ApiError);
  });

  it('say burn, revenue, trend and growth by the last three months', () => {
    const month = (name: string, inflow: number, outflow: number, balance: number) => ({ month: name, inflow, outflow, balance });
    const months = [month('1', 50, 90, 1_000), month('2', 50, 90, 960), month('3', 50, 90, 920), month('4', 100, 130, 890), month('5', 100, 130, 860), month('6', 100, 160, 690)];
    expect(bankFigures(months)).toEqual({ cash: 690, monthlyBurn: 40, monthlyRevenue: 100, cashTrend: -250_000, revenueGrowth: 1_000_000 });
    expect(bankFigures(months.slice(0, 1))).toMatchObject({ cash: 1_000, cashTrend: null, revenueGrowth: null });
    expect(bankFigures([])).toEqual({ cash: null, monthlyBurn: 0, monthlyRevenue: 0, cashTrend: null, revenueGrowth: null });
  });
});

describe('what compute has cost', () => {
  it('is held against its plan', () => {
    const { rows, errors } = readUsageFeed('date,cost,planned\n2026-10-01,100,80\n2026-10-20,100,\n2026-11-01,50,70\n2026-11-02,-1,\n');
    expect(errors).toEqual([{ line: 5, detail: 'what was used or planned cannot be below zero' }]);
    const months = usageMonths(rows);
    expect(months).toEqual([{ month: '2026-10', cost: 200_000_000, planned: 80_000_000 }, { month: '2026-11', cost: 50_000_000, planned: 70_000_000 }]);
    expect(forecastError(months)).toBe(560_000);
    expect(forecastError([])).toBeNull();
  });
});
