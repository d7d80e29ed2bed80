/** What is known here of who applies, whatever an application says. */
import { describe, expect, it } from 'vitest';
import { addMonths } from '../numbers/calendar.ts';
import { MICRO, MILLIS_PER_DAY } from '../numbers/units.ts';
import { RULES_VERSION } from '../rules.ts';
import { Loan } from '../test/loan.ts';
import { APPLICATION, START, World, all, loan, one, usd } from '../test/world.ts';

describe('an application', () => {
  /** A company of the borrower's group applies and says that it was never late. */
  function applies(world: World, group: string): { grade: string; reasons: string[]; days: number | number[] | undefined } {
    const company = world.company('borrower', `of ${group}`, group);
    const { events } = world.run({ type: 'applyFacility', company, amount: usd(100_000), months: 12, method: 'annuity', application: APPLICATION });
    const { grade, reasons, application } = all(events, 'facilityOffered').at(0) ?? one(events, 'facilityDeclined');
    return { grade, reasons, days: application.pastDaysOverdue };
  }

  /** What it is told, given and graded 36 days after an instalment of its group's loan fell due, and when that is paid. */
  function late(version: number) {
    const world = new World();
    world.engine.rulesVersion = version;
    const { borrower, facility } = loan(world, 12, 'family');
    world.run({ type: 'tick', now: addMonths(START, 1) + 36 * MILLIS_PER_DAY });
    const during = { own: applies(world, 'family'), strange: applies(world, 'strangers') };
    const rows = world.engine.query('facility', { facility })?.schedule.filter(({ billed }) => billed) ?? [];
    world.run({ type: 'repay', company: borrower, facility, amount: rows.reduce((sum, row) => sum + row.fee + row.interest + row.principal, 0), mode: 'shorten', bankCovers: true });
    return { ...during, after: applies(world, 'family') };
  }

  it('is judged by what is known here of the company and its group: declined while a debt is past due, as late afterwards as it ever was', () => {
    const { own, strange, after } = late(RULES_VERSION);
    expect(own).toMatchObject({ grade: 'D', days: 36 });
    expect(own.reasons.slice(0, 2)).toEqual(['a debt here is past due', 'was 36 days overdue']);
    expect(strange).toMatchObject({ grade: 'A', days: 0 });
    expect(after.days).toBe(36);
    expect(after.reasons[0]).toBe('was 36 days overdue');
  });

  it('before rules version 5 was judged by its own word', () => {
    expect(late(4).own).toMatchObject({ grade: 'A', days: 0 });
  });

  it('of a company whose debt was given up is declined until it is recovered', () => {
    const world = new Loan();
    const { borrower } = world.loan;
    world.days(world.dueDay(1) + 180);
    expect(world.view.state).toBe('written_off');
    const apply = () => world.run({ type: 'applyFacility', company: borrower, amount: usd(100_000), months: 12, method: 'annuity', application: APPLICATION }).events;
    expect(one(apply(), 'facilityDeclined').reasons[0]).toBe('a debt here is past due');
    const { principal, interest, fees } = world.view.writtenOff;
    world.pay(principal + interest + fees);
    const again = all(apply(), 'facilityOffered').at(0) ?? one(apply(), 'facilityDeclined');
    expect(again.application.pastDaysOverdue).toBe(180);
    expect(again.reasons).not.toContain('a debt here is past due');
  });
});

describe('an offer', () => {
  it('that a lender declines loses its freeze, so that the borrower may draw from who takes its place', () => {
    const world = new World();
    const [first, second] = ['first', 'second'].map((name) => world.company('lender', name));
    for (const company of [first, second]) {
      world.run({ type: 'createMandate', bankCovers: true, company, amount: usd(1_000_000), grades: ['A'], maximumPerBorrower: usd(1_000_000), minimumAnnualRate: 50_000 + company });
    }
    const borrower = world.company('borrower');
    world.run({ type: 'applyFacility', company: borrower, amount: usd(100_000), months: 12, method: 'annuity', application: APPLICATION });
    world.run({ type: 'acceptFacility', company: borrower, facility: 0 });
    world.run({ type: 'freeze', company: first, facility: 0, fraction: MICRO, reason: 'doubts' });
    expect(world.run({ type: 'draw', company: borrower, facility: 0, amount: usd(10_000) }).rejected).toBe('facility_frozen');
    expect(one(world.run({ type: 'declineFacility', company: first, facility: 0, reason: 'doubts' }).events, 'facilityReassigned').lender).toBe(second);
    expect(world.run({ type: 'draw', company: borrower, facility: 0, amount: usd(10_000) }).rejected).toBeUndefined();
  });

  it('is not accepted by who is past due by then', () => {
    const world = new World();
    const { borrower } = loan(world, 12);
    world.run({ type: 'tick', now: addMonths(START, 1) - MILLIS_PER_DAY });
    world.run({ type: 'applyFacility', company: borrower, amount: usd(100_000), months: 12, method: 'annuity', application: APPLICATION });
    world.run({ type: 'tick', now: addMonths(START, 1) + 2 * MILLIS_PER_DAY });
    expect(world.run({ type: 'acceptFacility', company: borrower, facility: 1 }).rejected).toBe('past_due');
  });
});
