/** What is asked for is whole cents; what accrues is exact. */
import { describe, expect, it } from 'vitest';
import { Exact } from '../credit/exact.ts';
import { repaymentSchedule } from '../credit/schedule.ts';
import { addMonths } from '../numbers/calendar.ts';
import { RULES_VERSION } from '../rules.ts';
import { Loan, states } from '../test/loan.ts';
import { START, World, loan, one, usd } from '../test/world.ts';
import { MILLIS_PER_DAY } from '../numbers/units.ts';

describe('whole cents', () => {
  const cent = 10_000;
  /** Everything is paid on its day, until the loan is closed. */
  const life = (rulesVersion: number, amount: number) => {
    const world = new World();
    world.engine.rulesVersion = rulesVersion;
    const { borrower, facility } = loan(world, 12);
    for (const part of [amount, 400_000, 200_000]) if (part > 0) world.run({ type: 'draw', company: borrower, facility, amount: usd(part) });
    const plan = world.engine.query('facility', { facility })?.schedule ?? [];
    const [billed, paid, repaid]: number[][] = [[], [], []];
    for (let number = 1; number <= 12; number++) {
      const { principal, interest } = one(world.run({ type: 'tick', now: addMonths(START, number) }).events, 'instalmentDue');
      billed.push(interest);
      repaid.push(principal);
      paid.push(principal + interest);
      world.run({ type: 'repay', company: borrower, facility, amount: principal + interest, mode: 'shorten', bankCovers: true });
    }
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
    return { world, facility, plan, billed, paid, repaid };
  };

  it('are what every instalment of a loan asks for, as the public calculator plans it to the last', () => {
    const { world, facility, plan, billed, paid, repaid } = life(RULES_VERSION, 0);
    expect([...billed, ...repaid].filter((amount) => amount % cent !== 0)).toEqual([]);
    const principal = Math.round(repaid.reduce((sum, amount) => sum + amount, 0) / cent);
    const calculated = repaymentSchedule({
      principal, annualRate: new Exact('0.11'), periods: 12, disbursedOn: Math.floor(START / MILLIS_PER_DAY), dayCount: 'ACT/365', every: 1, unit: 'months', method: 'annuity',
    });
    const rows = calculated.map((row) => [row.principal * cent, row.interest * cent]);
    expect(plan.map((row) => [row.principal, row.interest])).toEqual(rows);
    expect(repaid.map((amount, index) => [amount, billed[index]])).toEqual(rows);
    expect(new Set(paid.slice(0, -1)).size).toBe(1);
    const view = world.engine.query('facility', { facility });
    expect(view).toMatchObject({ state: 'closed', principal: 0, accruedInterest: 0, schedule: [], payments: { interest: billed.reduce((sum, amount) => sum + amount, 0) } });
    // What is accrued stays exact: the difference, of at most half a cent an instalment, was posted beside it.
    expect(Math.abs((view?.interestAccrued ?? 0) - (view?.payments.interest ?? 0))).toBeLessThan(12 * 5_000);
    expect(view?.interestAccrued).not.toBe(view?.payments.interest);
  });
  it('are what the last instalment asks for too, where its principal has a fraction of one', () => {
    const { world, facility, paid, repaid } = life(RULES_VERSION, 12.345678);
    expect(repaid.at(-1)).not.toBe(Math.round((repaid.at(-1) ?? 0) / cent) * cent);
    expect(paid.filter((amount) => amount % cent !== 0)).toEqual([]);
    expect(world.engine.query('facility', { facility })).toMatchObject({ state: 'closed', principal: 0, accruedInterest: 0 });
  });
  it('were not asked for before rules version 6', () => {
    expect(life(5, 0).billed.filter((amount) => amount % cent !== 0).length).toBeGreaterThan(6);
  });

  it.each(['shorten', 'lower', 'advance'] as const)('are what instalments ask for after interest to date was paid to 1e-6: %s; a quote closes the loan', (mode) => {
    const world = new Loan();
    world.days(10);
    const { accruedInterest } = world.view;
    expect(one(world.pay(usd(1_500), mode).events, 'repaid').interest).toBe(accruedInterest);
    expect(world.view.principal % cent).not.toBe(0);
    expect(world.view.schedule.filter(({ principal, interest }) => (principal + interest) % cent !== 0)).toEqual([]);
    // The last instalment alone carries what principal has of fractions.
    expect(world.view.schedule.slice(0, -1).flatMap(({ principal, interest }) => [principal, interest]).filter((amount) => amount % cent !== 0)).toEqual([]);
    for (const amount of [400_000, 200_000]) world.run({ type: 'draw', company: world.loan.borrower, facility: 0, amount: usd(amount) });
    world.days(23);
    const quote = (): number => world.engine.query('payoff', { facility: 0, day: 0 })?.total ?? 0;
    expect(quote()).toBe(Math.round((world.view.principal + world.view.accruedInterest) / cent) * cent);
    // A cent less does not close it: a fraction of a cent that is left of principal is asked for as a whole one.
    expect(one(world.pay(quote() - cent).events, 'repaid').unapplied).toBe(0);
    const left = quote();
    expect(world.view.state).toBe('active');
    expect([cent, 2 * cent]).toContain(left);
    const last = world.pay(usd(5));
    expect(one(last.events, 'repaid').unapplied).toBe(usd(5) - left);
    expect(states(last.events)).toEqual(['closed']);
    expect(world.view).toMatchObject({ principal: 0, accruedInterest: 0, schedule: [] });
    expect(world.broken).toEqual([]);
  });
});
