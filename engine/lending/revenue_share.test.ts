/** Instalments that are a share of revenue: application, offer, draw, billing, a poor month, the cap, maturity. */
import { describe, expect, it } from 'vitest';
import { LOAN_RULES } from '../vocabulary.ts';
import type { FacilityApplication } from '../commands.ts';
import { whole } from '../credit/exact.ts';
import { revenueInstalments, revenueShareFor, withheldOf } from '../credit/revenue_share.ts';
import { Random } from '../simulation/random.ts';
import { addMonths } from '../numbers/calendar.ts';
import { MILLIS_PER_DAY } from '../numbers/units.ts';
import type { FacilityView } from '../queries.ts';
import { APPLICATION, START, World, all, one, usd } from '../test/world.ts';
import type { Result } from '../test/world.ts';

const DAY0 = Math.floor(START / MILLIS_PER_DAY);

class Shared extends World {
  readonly lender = this.company('lender');
  readonly borrower = this.company('borrower');

  constructor() {
    super();
    this.run({ type: 'createMandate', bankCovers: true, company: this.lender, amount: usd(5_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(5_000_000), minimumAnnualRate: 50_000 });
  }
  apply(amount: number, months: number, application: Partial<FacilityApplication> = {}): Result {
    return this.run({
      type: 'applyFacility', company: this.borrower, amount: usd(amount), months, method: 'revenue_share', dayCount: '30/360', loanRules: LOAN_RULES, application: { ...APPLICATION, ...application },
    });
  }
  /** Draws 400,000 of a million, in twelve months. */
  open(revenue: number): this {
    this.apply(1_000_000, 12, { monthlyRevenue: usd(revenue) });
    this.run({ type: 'acceptFacility', company: this.borrower, facility: 0 });
    this.run({ type: 'draw', company: this.borrower, facility: 0, amount: usd(400_000) });
    return this;
  }
  until(number: number): Result {
    return this.run({ type: 'tick', now: addMonths(START, number) - (addMonths(START, number) % MILLIS_PER_DAY) });
  }
  pay(amount: number): Result {
    return this.run({ type: 'repay', company: this.borrower, facility: 0, amount, mode: 'shorten', bankCovers: true });
  }
  report(monthlyRevenue: number): Result {
    return this.run({ type: 'reportFinancials', company: this.borrower, facility: 0, cash: usd(10_000_000), monthlyBurn: usd(100_000), monthlyRevenue: usd(monthlyRevenue) });
  }
  get view(): FacilityView {
    const view = this.engine.query('facility', { facility: 0 });
    if (view === null) throw new Error('no facility');
    return view;
  }
  get broken(): unknown[] {
    return this.engine.checkInvariants().filter(({ ok }) => !ok);
  }
}

describe('the share', () => {
  it('is what pays the annuity of the whole debt from the revenue of the application, in tenths of a percent', () => {
    // 1,015,000 at 11 % over 12 months is 89,707.39 a month: 14.951 % of 600,000.
    expect(revenueShareFor(usd(1_015_000), 110_000, 12, usd(600_000))).toEqual({ withheld: 150_000, cap: 1_110_000, revenue: usd(600_000) });
    expect(revenueShareFor(usd(1_015_000), 110_000, 12, usd(299_024))).toBeUndefined();
    expect(revenueShareFor(usd(1_015_000), 110_000, 12, 0)).toBeUndefined();
    expect(withheldOf({ withheld: 123_000, cap: 1_100_000, revenue: 333_333_333_333 })).toBe(41_000_000_000);
  });

  it('of more than 30 % of revenue is declined with its reason', () => {
    const world = new Shared();
    expect(one(world.apply(1_000_000, 12, { monthlyRevenue: usd(280_000) }).events, 'facilityDeclined').reasons.at(-1)).toBe('more than 30 % of revenue would be withheld');
    expect(one(world.apply(1_000_000, 12, { monthlyRevenue: usd(600_000) }).events, 'revenueShareSet')).toMatchObject({ share: 150_000, cap: 1_110_000, revenue: usd(600_000) });
  });

  it('pays interest, then principal; what a poor month leaves of interest is due later, and the last month pays the rest', () => {
    // 1 % a month of 1,000: a share of 8 leaves 2 of the first month's interest.
    const tenth = { numerator: 1n, denominator: 100n };
    expect(revenueInstalments({ carriesFractions: true, principal: 100_000, accrued: whole(0), share: 800, interestMost: 1e9, rates: [tenth, tenth, tenth] })).toEqual([
      { principal: 0, interest: 800, balance: 100_000 }, { principal: 0, interest: 800, balance: 100_000 }, { principal: 100_000, interest: 1_400, balance: 0 },
    ]);
    expect(revenueInstalments({ carriesFractions: true, principal: 100_000, accrued: whole(0), share: 60_000, interestMost: 1_200, rates: [tenth, tenth, tenth] })).toEqual([
      { principal: 59_000, interest: 1_000, balance: 41_000 }, { principal: 41_000, interest: 200, balance: 0 },
    ]);
  });
});

describe('a facility repaid by a share of revenue', () => {
  it('bills the share of the revenue last reported', () => {
    const world = new Shared().open(600_000);
    // 90,000 a month against 406,000 with its fee: five months.
    expect(world.view.schedule.map(({ principal, interest }) => [principal, interest])).toEqual([
      [usd(86_278.33), usd(3_721.67)], [usd(87_069.22), usd(2_930.78)], [usd(87_867.35), usd(2_132.65)], [usd(88_672.8), usd(1_327.2)], [usd(56_112.3), usd(514.36)],
    ]);
    const due = one(world.until(1).events, 'instalmentDue');
    expect(due).toMatchObject({ number: 1, interest: usd(3_721.67), principal: usd(86_278.33) });
    world.pay(usd(90_000));
    world.report(200_000);
    expect(world.view.revenueShare).toEqual({ withheld: 150_000, cap: 1_110_000, revenue: usd(200_000) });
    // Interest of 319,721.67 for a month is 2,930.781975; the share 30,000.
    expect(one(world.until(2).events, 'instalmentDue')).toMatchObject({ number: 2, interest: usd(2_930.78), principal: usd(30_000 - 2_930.78) });
    world.pay(usd(30_000));
    world.report(0);
    // Nothing is earned, nothing is due, and nobody is late.
    expect(all(world.until(3).events, 'instalmentDue')).toEqual([]);
    expect(world.view).toMatchObject({ daysPastDue: 0, state: 'active' });
    world.report(10_000);
    const poor = one(world.until(4).events, 'instalmentDue');
    // Two months of interest on 292,652.45 have accrued; the share of 1,500 pays some of it.
    expect(poor).toMatchObject({ number: 4, interest: usd(1_500), principal: 0 });
    expect(world.view.accruedInterest).toBe(usd(5_365.294916));
    world.pay(usd(1_500));
    expect(world.broken).toEqual([]);
  });

  it('is planned to the cent as it is billed, also over months that earn nothing', () => {
    const world = new Shared().open(600_000);
    world.until(1);
    world.pay(usd(90_000));
    world.report(0);
    // Eleven times 2,930.781975, of which each by itself would be 2,930.78.
    expect(world.view.schedule.at(-1)).toMatchObject({ number: 12, interest: usd(32_238.6) });
    let last: Result | undefined;
    for (let number = 2; number <= 12; number++) {
      last = world.until(number);
      expect(world.view.schedule.at(-1)?.interest).toBe(usd(32_238.6));
    }
    expect(one(last?.events ?? [], 'instalmentDue')).toMatchObject({ number: 12, interest: usd(32_238.6) });
    expect(world.broken).toEqual([]);
  });

  it('is all due at maturity, and costs at most its cap', () => {
    const world = new Shared().open(600_000);
    world.report(1);
    let last: Result | undefined;
    for (let number = 1; number <= 12; number++) {
      last = world.until(number);
      const [{ interest, principal }] = all(last.events, 'instalmentDue');
      if (interest + principal > 0) world.pay(interest + principal);
      expect(world.broken).toEqual([]);
    }
    // A year of 11 % on 406,000, less what the cents of revenue have paid.
    const { principal, interest } = one(last?.events ?? [], 'instalmentDue');
    expect(principal).toBe(usd(406_000));
    expect(interest).toBe(usd(44_660) - 11 * usd(0.15));
    world.run({ type: 'tick', now: world.engine.now + MILLIS_PER_DAY });
    expect(world.view).toMatchObject({ state: 'closed', interestAccrued: usd(44_660) });
  });

  it('never costs more than its cap, cents included, whatever months pay', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Random(seed);
      const world = new Shared();
      world.apply(1_000_000, 12, { monthlyRevenue: usd(600_000) });
      world.run({ type: 'acceptFacility', company: world.borrower, facility: 0 });
      world.run({ type: 'draw', company: world.borrower, facility: 0, amount: random.between(1, usd(400_000)) });
      const most = Math.round((world.view.lent * 11) / 100);
      for (let number = 1; number <= 12; number++) {
        world.report(random.between(1, random.chance(0.5) ? 200_000 : 30_000));
        world.until(number);
        const owed = world.view.schedule.reduce((sum, { principal, interest, fee, billed }) => (billed ? sum + principal + interest + fee : sum), 0);
        if (owed > 0) world.pay(owed);
      }
      world.run({ type: 'tick', now: world.engine.now + MILLIS_PER_DAY });
      expect([seed, world.view.state, world.view.payments.interest <= most]).toEqual([seed, 'closed', true]);
      expect(world.broken).toEqual([]);
    }
  });

  it('accrues nothing beyond the cap when it is not paid', () => {
    const world = new Shared().open(600_000);
    world.report(0);
    world.until(12);
    for (let day = 1; day < 40; day++) world.run({ type: 'tick', now: (DAY0 + 365 + day) * MILLIS_PER_DAY });
    expect(world.view.interestAccrued).toBe(usd(44_660));
    expect(world.view.daysPastDue).toBeGreaterThan(30);
    expect(world.broken).toEqual([]);
  });

  it('counts what is paid in advance, and a second draw, into the months to come', () => {
    const world = new Shared().open(600_000);
    world.pay(usd(300_000));
    expect(world.view.schedule).toHaveLength(2);
    world.run({ type: 'draw', company: world.borrower, facility: 0, amount: usd(200_000) });
    expect(world.view.schedule.reduce((sum, { principal }) => sum + principal, 0)).toBe(world.view.principal);
    expect(world.view.schedule.slice(0, -1).every(({ principal, interest }) => principal + interest === usd(90_000))).toBe(true);
    expect(world.broken).toEqual([]);
  });
});
