/** Loans whose first instalments repay no principal, and annuities that are refined. */
import { describe, expect, it } from 'vitest';
import type { FacilityOptions } from '../commands.ts';
import type { ScheduleMethod } from '../vocabulary.ts';
import { Exact } from '../credit/exact.ts';
import { repaymentSchedule } from '../credit/schedule.ts';
import { addMonths } from '../numbers/calendar.ts';
import { MICRO_PER_CENT, MILLIS_PER_DAY } from '../numbers/units.ts';
import { APPLICATION, START, World, all, one, usd } from '../test/world.ts';
import type { Result } from '../test/world.ts';

const MONTHS = 12;

class Market extends World {
  readonly borrower: number;

  constructor() {
    super();
    const lender = this.company('lender');
    this.borrower = this.company('borrower');
    this.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5e7), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(1e7), minimumAnnualRate: 50_000 });
  }
  apply(method: ScheduleMethod | 'revenue_share', options: FacilityOptions): Result {
    return this.run({ type: 'applyFacility', company: this.borrower, amount: usd(1_000_000), months: MONTHS, method, application: APPLICATION, ...options });
  }
  /** 406,000 USD are owed. */
  drawn(method: ScheduleMethod, options: FacilityOptions): this {
    this.apply(method, options);
    this.run({ type: 'acceptFacility', company: this.borrower, facility: 0 });
    this.run({ type: 'draw', company: this.borrower, facility: 0, amount: usd(400_000) });
    return this;
  }
  get schedule() {
    return this.engine.query('facility', { facility: 0 })?.schedule ?? [];
  }
  get broken(): unknown[] {
    return this.engine.checkInvariants().filter(({ ok }) => !ok);
  }
  pay(amount: number, mode: 'lower' | 'shorten' | 'advance' = 'shorten'): void {
    this.run({ type: 'repay', company: this.borrower, facility: 0, amount, mode, bankCovers: true });
  }
  /** The next due date comes, and is paid. */
  month(number: number): { principal: number; interest: number } {
    const { principal, interest } = one(this.run({ type: 'tick', now: addMonths(START, number) }).events, 'instalmentDue');
    this.pay(principal + interest);
    return { principal, interest };
  }
}

const asked = (market: Market): [number, number, number][] => market.schedule.map(({ number, principal, interest }) => [number, principal / MICRO_PER_CENT, interest / MICRO_PER_CENT]);

describe.each(['annuity', 'equal_principal', 'flat'] as const)('%s after periods of interest alone', (method) => {
  it('is planned, and billed to the cent, as the public calculator has it', () => {
    const market = new Market().drawn(method, { interestOnly: 4 });
    const planned = repaymentSchedule({
      principal: 40_600_000, annualRate: new Exact('0.11'), periods: MONTHS, disbursedOn: Math.floor(START / MILLIS_PER_DAY), dayCount: 'ACT/365', every: 1, unit: 'months', method, interestOnly: 4,
    });
    expect(asked(market)).toEqual(planned.map(({ number, principal, interest }) => [number, principal, interest]));
    const paid = Array.from({ length: MONTHS }, (_, index) => market.month(index + 1));
    expect(paid.slice(0, 4).map(({ principal }) => principal)).toEqual([0, 0, 0, 0]);
    expect(paid.map(({ principal, interest }) => [principal / MICRO_PER_CENT, interest / MICRO_PER_CENT])).toEqual(planned.map(({ principal, interest }) => [principal, interest]));
    expect(market.schedule).toEqual([]);
    expect(market.broken).toEqual([]);
  });

  it('still repays nothing in those that are left of them after a draw or a payment in advance', () => {
    const market = new Market().drawn(method, { interestOnly: 4 });
    market.month(1);
    market.run({ type: 'draw', company: market.borrower, facility: 0, amount: usd(100_000) });
    market.month(2);
    for (const mode of ['lower', 'shorten', 'advance'] as const) {
      market.pay(usd(20_000), mode);
      expect(market.schedule.map(({ number, principal }) => [number, principal > 0]).slice(0, 3)).toEqual([[3, false], [4, false], [5, true]]);
    }
    expect(market.broken).toEqual([]);
  });
});

describe('an annuity after periods of interest alone', () => {
  it('keeps its instalment when something is prepaid in them, and ends sooner', () => {
    const market = new Market().drawn('annuity', { interestOnly: 2, dayCount: '30/360' });
    const level = asked(market)[2];
    market.pay(usd(100_000));
    const after = asked(market);
    expect(after.slice(0, 2).map(([, principal]) => principal)).toEqual([0, 0]);
    expect(Math.abs(after[2][1] + after[2][2] - level[1] - level[2])).toBeLessThanOrEqual(1);
    expect(after.length).toBeLessThan(MONTHS);
  });
});

describe('an annuity that is refined', () => {
  it('leaves less to its last instalment', () => {
    const spread = (options: FacilityOptions): number => {
      const due = asked(new Market().drawn('annuity', { dayCount: '30/360', ...options })).map(([, principal, interest]) => principal + interest);
      return Math.abs(due[MONTHS - 1] - due[0]);
    };
    expect(spread({ refine: true })).toBeLessThanOrEqual(spread({}));
    const market = new Market().drawn('annuity', { refine: true });
    const planned = repaymentSchedule({
      principal: 40_600_000, annualRate: new Exact('0.11'), periods: MONTHS, disbursedOn: Math.floor(START / MILLIS_PER_DAY), dayCount: 'ACT/365', every: 1, unit: 'months', method: 'annuity', refine: true,
    });
    expect(asked(market)).toEqual(planned.map(({ number, principal, interest }) => [number, principal, interest]));
  });
});

describe('terms of repayment', () => {
  it('are told with the offer, and only where they are not the usual ones', () => {
    expect(one(new Market().apply('annuity', { interestOnly: 3, refine: true }).events, 'repaymentTermsSet')).toMatchObject({ facility: 0, interestOnly: 3, refine: true });
    expect(all(new Market().apply('annuity', {}).events, 'repaymentTermsSet')).toEqual([]);
  });

  it('stay in a counter-offer that does not ask for others', () => {
    const market = new Market();
    market.apply('annuity', { interestOnly: 3 });
    const counter = { type: 'counterOffer', company: market.borrower, amount: usd(500_000), months: 6, method: 'annuity' } as const;
    expect(one(market.run({ ...counter, facility: 0 }).events, 'repaymentTermsSet')).toMatchObject({ facility: 1, interestOnly: 3 });
    expect(all(market.run({ ...counter, facility: 1, interestOnly: 0 }).events, 'repaymentTermsSet')).toEqual([]);
    expect(market.run({ ...counter, facility: 2, interestOnly: 6 }).rejected).toBe('invalid_parameter');
    market.run({ ...counter, facility: 2, interestOnly: 2, refine: true });
    expect(all(market.run({ ...counter, facility: 3, method: 'bullet' }).events, 'repaymentTermsSet')).toEqual([]);
  });

  it.each([
    ['annuity', { interestOnly: MONTHS }], ['annuity', { interestOnly: -1 }], ['annuity', { interestOnly: 0.5 }], ['bullet', { interestOnly: 1 }],
    ['revenue_share', { interestOnly: 1 }], ['flat', { refine: true }],
  ] as const)('of %s are refused: %o', (method, options) => {
    expect(new Market().apply(method, options).rejected).toBe('invalid_parameter');
  });

  it('may let only the last instalment repay', () => {
    expect(new Market().apply('equal_principal', { interestOnly: MONTHS - 1 }).rejected).toBeUndefined();
  });
});

describe('other terms', () => {
  it('do not go to the lender that declined the application', () => {
    const world = new World();
    const [cheap, dear] = ['cheap', 'dear'].map((name) => world.company('lender', name));
    for (const company of [cheap, dear]) world.run({ type: 'createMandate', bankCovers: true, company, amount: usd(1_000_000), grades: ['A'], maximumPerBorrower: usd(1_000_000), minimumAnnualRate: 50_000 + company });
    const company = world.company('borrower');
    world.run({ type: 'applyFacility', company, amount: usd(100_000), months: 12, method: 'annuity', application: APPLICATION });
    world.run({ type: 'declineFacility', company: cheap, facility: 0, reason: 'not our trade' });
    const countered = world.run({ type: 'counterOffer', company, facility: 0, amount: usd(90_000), months: 6, method: 'annuity' }).events;
    expect(all(countered, 'facilityOffered').map(({ lender }) => lender)).toEqual([dear]);
  });
});
