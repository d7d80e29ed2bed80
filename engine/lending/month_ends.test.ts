/** What loans that begin at a month's end, or roll their due dates, are planned, shown and billed, held against the public schedule. */
import { describe, expect, it } from 'vitest';
import type { ApplyFacility } from '../commands.ts';
import { DAY_COUNTS, dayNumber } from '../credit/day_count.ts';
import { dayOf } from '../credit/dates.ts';
import { DUE_DATE_ROLLS } from '../credit/due_dates.ts';
import { Exact } from '../credit/exact.ts';
import { repaymentSchedule } from '../credit/schedule.ts';
import type { ScheduleRow } from '../events.ts';
import { MICRO_PER_CENT, MILLIS_PER_DAY } from '../numbers/units.ts';
import type { FacilityView } from '../queries.ts';
import { LOAN_RULES, SCHEDULE_METHODS } from '../vocabulary.ts';
import { APPLICATION, World, one, usd } from '../test/world.ts';

const at = (year: number, month: number, day: number): number => Date.UTC(year, month - 1, day, 8);
const cents = (amount: number): number => Math.round(amount / MICRO_PER_CENT);

class Drawn extends World {
  readonly borrower: number;

  constructor(start: number, terms: Partial<ApplyFacility>, share = 0.4) {
    super(start);
    const lender = this.company('lender');
    this.borrower = this.company('borrower');
    this.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(5_000_000), minimumAnnualRate: 50_000 });
    const asked = { type: 'applyFacility', company: this.borrower, amount: usd(200_000), months: 6, method: 'annuity', application: APPLICATION, loanRules: LOAN_RULES, ...terms } as const;
    one(this.run(asked).events, 'facilityOffered');
    this.run({ type: 'acceptFacility', company: this.borrower, facility: 0 });
    this.run({ type: 'draw', company: this.borrower, facility: 0, amount: usd(200_000 * share) });
  }
  get view(): FacilityView {
    const view = this.engine.query('facility', { facility: 0 });
    if (view === null) throw new Error('no facility');
    return view;
  }
  /** What is billed of each instalment, all paid on their days. */
  lived(): { due: number; principal: number; interest: number }[] {
    const rows: { due: number; principal: number; interest: number }[] = [];
    for (let left = 60; left > 0 && this.view.principal > 0; left--) {
      const [next] = this.view.schedule;
      const bill = one(this.run({ type: 'tick', now: next.due * MILLIS_PER_DAY + 1 }).events, 'instalmentDue');
      rows.push({ due: bill.due, principal: bill.principal, interest: bill.interest });
      this.run({ type: 'repay', company: this.borrower, facility: 0, amount: bill.principal + bill.interest, mode: 'shorten', bankCovers: true });
    }
    return rows;
  }
}
const dues = (rows: readonly Pick<ScheduleRow, 'principal' | 'interest'>[]): number[] => rows.map(({ principal, interest }) => cents(principal + interest));

describe('a loan of months of 30 days that begins on the 31st', () => {
  it('owes the same each month, as the public schedule says, also in February', () => {
    for (const dayCount of ['30/360', '30E/360'] as const) {
      const world = new Drawn(at(2026, 12, 31), { dayCount, months: 12 });
      const published = repaymentSchedule({
        principal: 8_120_000, annualRate: new Exact(world.view.annualRate).div(1_000_000), periods: 12, disbursedOn: dayOf({ year: 2026, month: 12, day: 31 }), dayCount, every: 1, unit: 'months', method: 'annuity',
      });
      expect(world.view.schedule.map(({ due, principal, interest }) => [due, cents(principal), cents(interest)])).toEqual(published.map(({ dueOn, principal, interest }) => [dueOn, principal, interest]));
      expect(published.slice(0, -1).every(({ due }) => due === published[0].due)).toBe(true);
      const billed = world.lived();
      // The engine carries what is less than a cent from one to the next.
      billed.forEach(({ interest }, index) => expect(Math.abs(cents(interest) - published[index].interest)).toBeLessThanOrEqual(1));
      expect(billed.map(({ due }) => due)).toEqual(published.map(({ dueOn }) => dueOn));
    }
  });

  it('lived otherwise under the rules before, by which it goes on where it was offered under them', () => {
    const [, february, march] = dues(new Drawn(at(2026, 12, 31), { dayCount: '30/360', months: 12, loanRules: 2 }).view.schedule);
    expect(march - february).toBeGreaterThan(5_000);
  });
});

describe('the running number of days', () => {
  it('lets the end of February stand for the day that instalments fall due on, and nothing else', () => {
    const number = (year: number, month: number, day: number, anchor: number): number => dayNumber('30/360', dayOf({ year, month, day }), anchor) - dayNumber('30/360', dayOf({ year: 2027, month: 1, day: 1 }), anchor);
    expect([number(2027, 1, 30, 31), number(2027, 1, 31, 31), number(2027, 2, 27, 31), number(2027, 2, 28, 31), number(2027, 3, 1, 31)]).toEqual([29, 29, 56, 59, 60]);
    expect([number(2027, 2, 28, 29), number(2027, 2, 28, 28), number(2028, 2, 28, 31), number(2028, 2, 29, 31)]).toEqual([58, 57, 417, 419]);
  });
});

describe('what is billed', () => {
  it.each(SCHEDULE_METHODS.flatMap((method) => DUE_DATE_ROLLS.map((dueDateRoll) => ({ method, dueDateRoll }))))('is what the schedule of the first day showed: $method, $dueDateRoll', ({ method, dueDateRoll }) => {
    for (const dayCount of DAY_COUNTS) {
      for (const start of [at(2026, 12, 31), at(2027, 1, 15)]) {
        const world = new Drawn(start, { dayCount, dueDateRoll, method });
        const shown = world.view.schedule;
        const billed = world.lived();
        expect(billed.map(({ due }) => due)).toEqual(shown.map(({ due }) => due));
        billed.forEach(({ principal, interest }, index) => {
          expect(cents(principal)).toBe(cents(shown[index].principal));
          expect(Math.abs(interest - shown[index].interest)).toBeLessThanOrEqual(MICRO_PER_CENT);
        });
        if (method === 'annuity') expect(Math.max(...dues(shown).slice(0, -1)) - Math.min(...dues(shown).slice(0, -1))).toBeLessThanOrEqual(1);
        // Half a year of it, each month's in whole cents.
        if (method === 'flat' && dayCount.startsWith('30') && dueDateRoll === 'none') expect(Math.abs(cents(billed.reduce((sum, row) => sum + row.interest, 0)) - cents(mulRate(world.view.lent, world.view.annualRate)))).toBeLessThanOrEqual(3);
        expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
      }
    }
  });
});
const mulRate = (amount: number, rate: number): number => new Exact(amount).times(rate).div(2_000_000).toNumber();
