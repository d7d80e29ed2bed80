/** Lives of loans: what falls due, what is paid, what is not, and what the rules make of it. */
import { describe, expect, it } from 'vitest';
import { accountNameOf } from '../ledger/accounts.ts';
import { SCHEDULE_METHODS } from '../vocabulary.ts';
import type { Repay } from '../commands.ts';
import { Exact } from '../credit/exact.ts';
import { repaymentSchedule } from '../credit/schedule.ts';
import { addMonths } from '../numbers/calendar.ts';
import type { FacilityView } from '../queries.ts';
import { RULES_VERSION } from '../rules.ts';
import { Loan, states } from '../test/loan.ts';
import { APPLICATION, HOUR, START, World, all, loan, one, postings, usd } from '../test/world.ts';
import { MICRO, MILLIS_PER_DAY } from '../numbers/units.ts';

describe('an instalment', () => {
  it('falls due with the interest that has accrued for it, and a payment of exactly that keeps the plan', () => {
    const world = new Loan();
    const plan = world.view.schedule;
    expect(plan).toHaveLength(12);
    const due = one(world.days(world.dueDay(1)).events, 'instalmentDue');
    expect(due).toMatchObject({ number: 1, principal: plan[0].principal });
    // 406,000 at 11 % over 31 days is 3,793.041096.
    expect(due.interest).toBe(usd(3_793.04));
    expect(due.interest).toBe(plan[0].interest);
    expect(world.view.accruedInterest).toBe(3_793_041_096);
    const paid = world.pay(due.principal + due.interest);
    expect(one(paid.events, 'repaid')).toMatchObject({ interest: due.interest, principal: due.principal, unapplied: 0 });
    expect(one(paid.events, 'instalmentPaid')).toMatchObject({ number: 1, left: 0 });
    expect(world.view.schedule.map(({ number, principal }) => [number, principal])).toEqual(plan.slice(1).map(({ number, principal }) => [number, principal]));
    expect(world.broken).toEqual([]);
  });

  it('is not late for less than a cent', () => {
    const world = new Loan();
    world.days(world.dueDay(1));
    world.pay(Math.floor((world.view.schedule[0].principal + world.view.schedule[0].interest) / 10_000) * 10_000);
    world.days(world.dueDay(1) + 3);
    expect(world.view.daysPastDue).toBe(0);
    expect(world.broken).toEqual([]);
  });

  it('is charged once when it is late, after the days of grace', () => {
    const world = new Loan();
    const first = world.dueDay(1);
    expect(all(world.days(first + 5).events, 'lateFeeCharged')).toEqual([]);
    const overdue = world.view.schedule[0].principal + world.view.schedule[0].interest;
    const charged = one(world.days(first + 6).events, 'lateFeeCharged');
    expect(charged.amount).toBe(Math.round((overdue * 0.02) / 10_000) * 10_000);
    expect(all(world.days(first + 9).events, 'lateFeeCharged')).toEqual([]);
    const paid = one(world.pay(usd(1_000)).events, 'repaid');
    expect(paid).toMatchObject({ fees: charged.amount, interest: usd(1_000) - charged.amount, principal: 0 });
    expect(world.broken).toEqual([]);
  });
});

describe('a payment', () => {
  it('pays past due before due, and in each the fee, the interest, the principal', () => {
    const world = new Loan();
    world.days(world.dueDay(2));
    const [first, second] = structuredClone(world.view.schedule);
    const owed = (row: typeof first): number => row.fee + row.interest + row.principal;
    const events = world.pay(owed(first) + second.interest + usd(100)).events;
    expect(all(events, 'instalmentPaid').map(({ number, fees, interest, principal }) => [number, fees, interest, principal])).toEqual([
      [1, first.fee, first.interest, first.principal], [2, 0, second.interest, usd(100)],
    ]);
    expect(world.broken).toEqual([]);
  });

  describe('that names no mode', () => {
    const early = (amount: (asked: number) => number): { world: Loan; before: FacilityView['schedule']; billed: unknown[] } => {
      const world = new Loan();
      const before = structuredClone(world.view.schedule);
      world.days(world.dueDay(1) - 1);
      world.pay(amount(before[0].principal + before[0].interest), 'next');
      return { world, before, billed: all(world.days(world.dueDay(1)).events, 'instalmentDue') };
    };

    it('a day before the due date pays the instalment, which is not asked for again', () => {
      const { world, before, billed } = early((asked) => asked);
      expect(billed).toEqual([]);
      expect(world.view.daysPastDue).toBe(0);
      expect(world.view.schedule.map(({ number }) => number)).toEqual(before.slice(1).map(({ number }) => number));
      // The instalments to come stay as they were, but the last: the interest of the day that was still to come was paid as principal.
      const dues = (rows: typeof before): number[] => rows.map(({ principal, interest }) => principal + interest);
      expect(dues(world.view.schedule).slice(0, -1)).toEqual(dues(before.slice(1)).slice(0, -1));
      expect(world.broken).toEqual([]);
    });

    it('and pays a part of the instalment leaves the rest to its day', () => {
      const { billed } = early((asked) => asked - usd(10_000));
      // The last day's interest is of what was still owed.
      expect(billed).toMatchObject([{ number: 1, principal: usd(9_877.65), interest: usd(115.66) }]);
    });

    it('and is more than the instalment shortens with what is more', () => {
      const { world, before, billed } = early((asked) => asked + usd(100_000));
      expect(billed).toEqual([]);
      expect(world.view.schedule[0].number).toBe(2);
      expect(world.view.schedule[0].principal + world.view.schedule[0].interest).toBe(before[1].principal + before[1].interest);
      expect(world.view.schedule.length).toBeLessThan(before.length - 2);
      expect(world.broken).toEqual([]);
    });

    it.each(SCHEDULE_METHODS)('pays the next instalment of %s by every day count', (method) => {
      for (const dayCount of ['ACT/365', '30E/360'] as const) {
        const world = new World(Date.UTC(2027, 10, 30, 9));
        const [lender, company] = [world.company('lender'), world.company('borrower')];
        world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5e7), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(1e7), minimumAnnualRate: 50_000 });
        world.run({ type: 'applyFacility', company, amount: usd(1_000_000), months: 12, application: APPLICATION, dueDateRoll: 'following', method, dayCount });
        world.run({ type: 'acceptFacility', company, facility: 0 });
        world.run({ type: 'draw', company, facility: 0, amount: usd(100_000) });
        const schedule = () => world.engine.query('facility', { facility: 0 })?.schedule ?? [];
        for (let number = 1; number <= 12; number++) {
          const [next] = schedule();
          world.run({ type: 'tick', now: (next.due - 1) * MILLIS_PER_DAY });
          expect(next.number).toBe(number);
          world.run({ type: 'repay', company, facility: 0, amount: next.principal + next.interest, mode: 'next', bankCovers: true });
          expect(all(world.run({ type: 'tick', now: next.due * MILLIS_PER_DAY }).events, 'instalmentDue')).toEqual([]);
          expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
          if (schedule().length === 0) break;
        }
        expect(world.engine.query('facility', { facility: 0 })?.principal).toBe(0);
      }
    });
  });

  const prepay = (mode: Repay['mode']) => {
    const world = new Loan();
    const before = world.view.schedule;
    world.days(10);
    world.pay(usd(100_000), mode);
    expect(world.broken).toEqual([]);
    return { before, after: world.view.schedule };
  };

  it('in advance keeps the instalment and ends earlier', () => {
    const { before, after } = prepay('shorten');
    expect(after.length).toBeLessThan(before.length);
    const dues = after.map(({ principal, interest }) => principal + interest);
    for (const due of dues.slice(1, -1)) expect(Math.abs(due - (before[1].principal + before[1].interest))).toBeLessThan(20_000);
  });
  it('in advance keeps the term and lowers the instalment', () => {
    const { before, after } = prepay('lower');
    expect(after).toHaveLength(before.length);
    expect(after[1].principal).toBeLessThan(before[1].principal);
  });
  it('in advance pays the next instalments', () => {
    const { before, after } = prepay('advance');
    // Two are paid and ask for nothing on their days; the third for what is left of it.
    expect(after.map(({ number }) => number)).toEqual(before.slice(2).map(({ number }) => number));
    expect(after[0].principal).toBeLessThan(before[2].principal);
    // Less than a cent, which interest to date has left of the payment, comes off the last.
    const off = (before.at(-1)?.principal ?? 0) - (after.at(-1)?.principal ?? 0);
    expect(off >= 0 && off < 10_000).toBe(true);
  });

  it('of a quote made for its day closes the loan once nothing more can be drawn', () => {
    const world = new Loan();
    for (const amount of [400_000, 200_000]) world.run({ type: 'draw', company: world.loan.borrower, facility: 0, amount: usd(amount) });
    const day = Math.floor(START / MILLIS_PER_DAY) + 47;
    const quote = world.engine.query('payoff', { facility: 0, day });
    world.days(47);
    // Late by then: the fee was not in the quote.
    const { fees } = world.view;
    const paid = world.pay((quote?.total ?? 0) + fees);
    expect(one(paid.events, 'repaid').unapplied).toBe(0);
    expect(states(paid.events)).toEqual(['closed']);
    expect(world.view).toMatchObject({ principal: 0, accruedInterest: 0, fees: 0, schedule: [] });
    expect(world.broken).toEqual([]);
  });
});

describe('the schedule shows what will be billed', () => {
  /** The next instalment as it is shown, as it was shown for later, and what was billed for it. */
  const shownAndBilled = (change: (world: Loan) => void): void => {
    const world = new Loan();
    world.days(10);
    change(world);
    for (const { number } of world.view.schedule.slice(0, 3)) {
      const shown = world.view.schedule.find((row) => row.number === number);
      const later = world.view.schedule.find((row) => row.number === number + 1);
      const due = one(world.days(world.dueDay(number)).events, 'instalmentDue');
      expect([number, due.principal, due.interest]).toEqual([number, shown?.principal, shown?.interest]);
      const owed = world.view.schedule.filter(({ billed }) => billed).reduce((sum, row) => sum + row.principal + row.interest + row.fee, 0);
      if (owed > 0) world.pay(owed);
      // What was shown for later differs from what is billed by what cents leave out.
      expect(Math.abs((world.view.schedule[0]?.interest ?? 0) - (later?.interest ?? 0))).toBeLessThan(10_000);
    }
    expect(world.broken).toEqual([]);
  };

  it.each(['advance', 'lower', 'shorten', 'next'] as const)('after a payment in advance: %s', (mode) => shownAndBilled((world) => world.pay(usd(100_000), mode)));
  it('after interest alone was paid before its day', () => shownAndBilled((world) => world.pay(usd(500))));
  it('after a further draw', () => shownAndBilled((world) => world.run({ type: 'draw', company: world.loan.borrower, facility: 0, amount: usd(100_000) })));
  it('after credit was returned', () => shownAndBilled((world) => world.run({ type: 'returnCredits', company: world.loan.borrower, facility: 0, lot: world.loan.lot, credits: usd(60_000) })));

  it.each(SCHEDULE_METHODS.flatMap((method) => (['ACT/365', '30E/360'] as const).map((dayCount) => ({ method, dayCount }))))('through a life of $method by $dayCount, with draws, payments and returns between', (terms) => {
    const world = new World(Date.UTC(2027, 10, 30, 9));
    const [lender, company] = [world.company('lender'), world.company('borrower')];
    world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5e7), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(1e7), minimumAnnualRate: 50_000 });
    world.run({ type: 'applyFacility', company, amount: usd(1_000_000), months: 12, application: APPLICATION, dueDateRoll: 'following', ...terms });
    world.run({ type: 'acceptFacility', company, facility: 0 });
    const schedule = () => world.engine.query('facility', { facility: 0 })?.schedule ?? [];
    const pay = (amount: number, mode: Repay['mode']): void => void world.run({ type: 'repay', company, facility: 0, amount, mode, bankCovers: true });
    const draw = (): void => void world.run({ type: 'draw', company, facility: 0, amount: usd(100_000) });
    const changes: Record<number, () => void> = {
      3: draw, 9: draw, 50: draw, 70: () => pay(usd(30_000), 'advance'), 130: () => pay(usd(20_000), 'lower'), 150: () => pay(usd(20_000), 'shorten'),
      160: () => void world.run({ type: 'returnCredits', company, facility: 0, lot: 0, credits: usd(20_000) }),
    };
    const start = world.engine.now;
    let billed = 0;
    for (let day = 3; day < 200; day++) {
      const before = schedule();
      for (const { number, principal, interest } of all(world.run({ type: 'tick', now: start + day * MILLIS_PER_DAY }).events, 'instalmentDue')) {
        billed++;
        expect({ principal, interest }).toEqual(before.filter((row) => row.number === number).map((row) => ({ principal: row.principal, interest: row.interest }))[0]);
        // The fourth is left unpaid for a while.
        if (number !== 4) pay(schedule().reduce((sum, row) => (row.billed ? sum + row.principal + row.interest + row.fee : sum), 0), 'shorten');
      }
      changes[day]?.();
    }
    // One was paid whole in advance, which those that ask for interest alone are not.
    expect(billed).toBe(terms.method === 'bullet' ? 6 : 5);
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });

  it('also while an instalment is overdue, which bears interest on its principal', () => {
    const world = new Loan();
    world.days(world.dueDay(1) + 20);
    const [overdue, next] = world.view.schedule;
    const principal = usd(406_000);
    const days = world.dueDay(2) - world.dueDay(1);
    expect(next.interest).toBe(Math.round((principal * 0.11 * days) / 365 / 10_000) * 10_000);
    expect(one(world.days(world.dueDay(2)).events, 'instalmentDue')).toMatchObject({ number: 2, interest: next.interest });
    expect(overdue.billed).toBe(true);
  });
});

describe('a further draw between due dates', () => {
  const drawn = (rulesVersion: number): Loan => {
    const world = new Loan();
    world.engine.rulesVersion = rulesVersion;
    for (const day of [4, 10]) {
      world.days(day);
      world.run({ type: 'draw', company: world.loan.borrower, facility: 0, amount: usd(50_000) });
    }
    return world;
  };

  it('leaves all instalments alike, as the public calculator plans them', () => {
    const world = drawn(RULES_VERSION);
    const { schedule } = world.view;
    const start = Math.floor(START / MILLIS_PER_DAY);
    const planned = repaymentSchedule({
      principal: 40_600_000, annualRate: new Exact('0.11'), periods: 12, disbursedOn: start, dayCount: 'ACT/365', every: 1, unit: 'months', method: 'annuity',
      furtherDraws: [4, 10].map((day) => ({ on: start + day, amount: 5_075_000 })),
    });
    const cents = (amount: number): number => Math.round(amount / 10_000);
    expect(schedule.map(({ due, principal, interest }) => [due, cents(principal), cents(interest)])).toEqual(planned.map(({ dueOn, principal, interest }) => [dueOn, principal, interest]));
    expect(new Set(schedule.slice(0, -1).map(({ principal, interest }) => cents(principal + interest))).size).toBe(1);
    world.days(world.dueDay(1));
    world.pay(schedule[0].principal + schedule[0].interest);
    expect(world.view.schedule.map(({ principal }) => principal)).toEqual(schedule.slice(1).map(({ principal }) => principal));
    expect(world.broken).toEqual([]);
  });

  it('before rules version 5 made the first instalment larger by what had accrued', () => {
    const [first, second] = drawn(4).view.schedule;
    expect(first.principal + first.interest - second.principal - second.interest).toBeGreaterThan(usd(900));
  });
});

describe('what is expected to be lost', () => {
  interface Point {
    loss: number;
    owed: number;
  }
  /** By days after the first instalment that is not paid, of a loan part of whose credit is spent on hours that are over. */
  const course = (rulesVersion: number, months: number, paid: number): Point[] => {
    const world = new World();
    world.engine.rulesVersion = rulesVersion;
    const { borrower, facility } = loan(world, months);
    const view = () => world.engine.query('facility', { facility });
    const provider = world.provider();
    world.ask(provider, 2.4, 20_000, { hour: HOUR + 24 });
    world.bid(borrower, 2.4, 20_000, { hour: HOUR + 24 });
    const start = Math.floor(START / MILLIS_PER_DAY);
    const dueDay = (number: number): number => Math.floor(addMonths(START, number) / MILLIS_PER_DAY) - start;
    const at = (day: number): void => void world.run({ type: 'tick', now: START + day * MILLIS_PER_DAY });
    for (let number = 1; number <= paid; number++) {
      at(dueDay(number));
      const owed = view()?.schedule.filter(({ billed }) => billed).reduce((sum, row) => sum + row.principal + row.interest + row.fee, 0) ?? 0;
      world.run({ type: 'repay', company: borrower, facility, amount: owed, mode: 'shorten', bankCovers: true });
    }
    const points = [0, 1, 29, 30, 31, 45, 60, 75, 89].map((days) => {
      at(dueDay(paid + 1) + days);
      const { expectedLoss = 0, principal = 0, accruedInterest = 0, fees = 0 } = view() ?? {};
      return { loss: expectedLoss, owed: principal + accruedInterest + fees };
    });
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
    return points;
  };
  /** Although no less is owed: credit that expires at maturity prepays its cost. */
  const falls = (points: readonly Point[]): boolean => points.some(({ loss, owed }, index) => index > 0 && loss < points[index - 1].loss && owed >= points[index - 1].owed);

  it.each([[6, 0], [6, 4], [6, 5], [12, 0], [12, 8], [12, 11], [36, 0], [36, 20]])('never falls while a loan of %i months, %i paid, gets worse', (months, paid) => {
    expect(falls(course(RULES_VERSION, months, paid))).toBe(false);
  });
  it('before rules version 5 fell to nothing at maturity', () => {
    expect([falls(course(4, 12, 11)), course(4, 12, 11).at(-1)?.loss]).toEqual([true, 0]);
  });
});

describe('interest', () => {
  it.each(['ACT/365', 'ACT/360', '30/360', '30E/360'] as const)('by %s is the same however often time is told', (dayCount) => {
    const life = (step: number): [number, number] => {
      const world = new World(Date.UTC(2027, 10, 30, 9));
      const lender = world.company('lender');
      const borrower = world.company('borrower');
      world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5e7), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(1e7), minimumAnnualRate: 50_000 });
      world.run({ type: 'applyFacility', company: borrower, amount: usd(1_000_000), months: 12, method: 'bullet', application: APPLICATION, dayCount });
      world.run({ type: 'acceptFacility', company: borrower, facility: 0 });
      world.run({ type: 'draw', company: borrower, facility: 0, amount: usd(399_999.99) });
      const start = world.engine.now;
      // Over a leap day and month ends, never late for long enough to be charged.
      for (let day = step; day <= 35; day += step) world.run({ type: 'tick', now: start + day * MILLIS_PER_DAY });
      expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
      const view = world.engine.query('facility', { facility: 0 });
      return [view?.accruedInterest ?? 0, view?.principal ?? 0];
    };
    const days = { 'ACT/365': 35 / 365, 'ACT/360': 35 / 360, '30/360': 34 / 360, '30E/360': 34 / 360 }[dayCount];
    const [interest, principal] = life(1);
    expect(life(5)).toEqual([interest, principal]);
    expect(life(35)).toEqual([interest, principal]);
    expect(Math.abs(interest - principal * 0.11 * days)).toBeLessThan(1);
  });
});

describe('who does not pay', () => {
  it('goes down the ladder step by step, and a cure leads back', () => {
    const world = new Loan();
    const due = world.dueDay(1);
    const at = (days: number): { notices: string[]; state: string; frozen: number } => {
      const notices = world.notices(world.days(due + days).events);
      return { notices, state: world.view.state, frozen: world.view.frozenFraction };
    };
    // Nothing was bought in the first month: that is no breach, and is said.
    expect(at(0)).toEqual({ notices: ['use_low'], state: 'active', frozen: 0 });
    expect(at(1)).toEqual({ notices: ['past_due'], state: 'watch', frozen: 0 });
    expect(world.run({ type: 'draw', company: world.loan.borrower, facility: 0, amount: usd(1_000) }).rejected).toBe('past_due');
    expect(at(5).notices).toEqual(['draws_stopped']);
    expect(at(10)).toEqual({ notices: ['cancel_only'], state: 'cancel_only', frozen: 0 });
    expect(world.bid(world.loan.borrower, 2, 1, { hour: HOUR + 24 * 60 }).rejected).toBe('past_due');
    expect(at(15)).toEqual({ notices: ['half_frozen'], state: 'cancel_only', frozen: MICRO / 2 });
    expect(at(30)).toMatchObject({ state: 'frozen', frozen: MICRO });
    expect(world.view.stage).toBe(2);
    expect(at(60).notices).toContain('acceleration');
    expect(world.broken).toEqual([]);
    const arrears = world.view.schedule.filter(({ billed }) => billed).reduce((sum, row) => sum + row.fee + row.interest + row.principal, 0);
    expect(states(world.pay(arrears).events)).toEqual(['active']);
    expect(world.view).toMatchObject({ daysPastDue: 0, frozenFraction: 0, stage: 1 });
    expect(world.bid(world.loan.borrower, 2, 1, { hour: HOUR + 24 * 100 }).rejected).toBeUndefined();
    expect(world.broken).toEqual([]);
  });

  it('defaults after 90 days: unspent credit is burnt, the rest stays debt, after 180 it is given up, later money is a recovery', () => {
    const world = new Loan();
    const provider = world.provider();
    const due = world.dueDay(1);
    const far = HOUR + 24 * 80;
    world.run({ type: 'tick', now: START + 2 * MILLIS_PER_DAY });
    world.ask(provider, 2.4, 20_000, { hour: far });
    world.bid(world.loan.borrower, 2.4, 20_000, { hour: far });
    world.bid(world.loan.borrower, 1, 100, { hour: HOUR + 24 * 92 });
    const { events } = world.days(due + 90);
    expect(states(events).at(-1)).toBe('defaulted');
    // 600,000 less what is in contract and its fee.
    const unspent = usd(600_000 - 48_000 - 240);
    expect(all(events, 'creditsReturned').reduce((sum, { credits }) => sum + credits, 0)).toBe(unspent);
    expect(world.view.principal).toBe(usd(406_000) - Math.round(unspent / 1.5));
    expect(world.view.schedule.every(({ billed }) => billed)).toBe(true);
    expect(world.broken).toEqual([]);
    const before = world.view;
    const owed = before.principal + before.accruedInterest + before.fees;
    const end = world.days(due + 180);
    const lost = one(end.events, 'facilityWrittenOff');
    expect(lost.principal).toBe(before.principal);
    expect(lost.principal + lost.interest + lost.fees).toBeGreaterThan(owed);
    expect(world.view).toMatchObject({ state: 'written_off', principal: 0, accruedInterest: 0, fees: 0 });
    expect(world.broken).toEqual([]);
    const back = world.pay(usd(5_000));
    expect(one(back.events, 'recovered').amount).toBe(usd(5_000));
    expect(postings(back.events, accountNameOf)).toEqual({ 'cash.fund': usd(5_000), 'income.recovery': -usd(5_000) });
    expect(world.broken).toEqual([]);
  });

  it('burns no more than the debt needs, takes the cash of the borrower too, and closes what is paid so', () => {
    const world = new Loan();
    const { borrower } = world.loan;
    world.pay(usd(200_000));
    world.run({ type: 'deposit', company: borrower, amount: usd(50_000), reference: '' });
    const { events } = world.days(world.dueDay(1) + 90);
    // Of 600,000 CR, worth 400,000 USD, the debt needs half and what it has accrued.
    expect(states(events).slice(-2)).toEqual(['defaulted', 'closed']);
    expect(world.view).toMatchObject({ principal: 0, accruedInterest: 0, fees: 0, frozenFraction: 0 });
    const balances = world.engine.query('balances', { company: borrower });
    // The cash was not needed, but for what rounding leaves.
    expect(Math.abs(balances.usd - usd(50_000))).toBeLessThan(10);
    expect(balances.available).toBeGreaterThan(usd(275_000));
    expect(balances.frozen).toBe(0);
    expect(world.run({ type: 'withdraw', company: borrower, amount: usd(50_000) }).rejected).toBeUndefined();
    expect(world.broken).toEqual([]);
  });

  /** Spends all credit at once, part of the first instalment is paid, and the rest is in default. */
  function lost(version: number): Loan {
    const world = new Loan();
    world.engine.rulesVersion = version;
    world.days(world.dueDay(1));
    const [{ interest }] = world.view.schedule;
    world.pay(interest);
    const { borrower } = world.loan;
    const hour = HOUR + 24 * 85;
    for (let index = 0; index < 3; index++) {
      world.ask(world.provider(100_000, `p${index}`), 2.4, 50_000, { hour: hour + index });
      world.bid(borrower, 2.4, 50_000, { hour: hour + index });
    }
    world.run({ type: 'deposit', company: borrower, amount: usd(30_000), reference: '' });
    world.days(world.dueDay(1) + 90);
    return world;
  }

  it.each([1, 2, 5, 6])('has its cash taken with the next day, all that is owed to the cent, %i days after the default', (later) => {
    const world = lost(RULES_VERSION);
    world.days(world.dueDay(1) + 90 + later);
    world.run({ type: 'deposit', company: world.loan.borrower, amount: usd(900_000), reference: '' });
    world.days(world.dueDay(1) + 91 + later);
    expect(world.view).toMatchObject({ state: 'closed', principal: 0, accruedInterest: 0, fees: 0 });
    expect(world.broken).toEqual([]);
  });
  it('takes the borrower\'s cash, lets none of it out while the debt stands, and counts on from the oldest unpaid due date', () => {
    const world = lost(RULES_VERSION);
    const { borrower } = world.loan;
    expect(world.view).toMatchObject({ state: 'defaulted', daysPastDue: 90 });
    expect(Math.abs(world.engine.query('balances', { company: borrower }).usd)).toBe(0);
    world.run({ type: 'deposit', company: borrower, amount: usd(1_000), reference: '' });
    expect(world.run({ type: 'withdraw', company: borrower, amount: usd(1_000) }).rejected).toBe('past_due');
    expect(world.run({ type: 'grantCredits', company: borrower, recipient: world.buyer(1, 'friend'), amount: usd(1_000) }).rejected).toBe('past_due');
    const owed = world.view.principal;
    world.days(world.dueDay(1) + 91);
    expect(world.view).toMatchObject({ daysPastDue: 91, principal: owed - usd(1_000) });
    // Interest of the days since comes before fees.
    const { principal, accruedInterest, fees } = world.view;
    expect(fees).toBeGreaterThan(0);
    expect(one(world.pay(principal + accruedInterest).events, 'repaid')).toMatchObject({ principal, interest: accruedInterest, fees: 0 });
    expect(world.broken).toEqual([]);
  });

  it('is given up 180 days after the oldest unpaid due date, after which nothing goes out until it is recovered', () => {
    const world = lost(RULES_VERSION);
    const { borrower } = world.loan;
    world.days(world.dueDay(1) + 180);
    expect(world.view.state).toBe('written_off');
    world.run({ type: 'deposit', company: borrower, amount: usd(500_000), reference: '' });
    expect(world.run({ type: 'withdraw', company: borrower, amount: 1 }).rejected).toBe('past_due');
    const { principal, interest, fees } = world.view.writtenOff;
    world.pay(principal + interest + fees);
    expect(world.run({ type: 'withdraw', company: borrower, amount: 1 }).rejected).toBeUndefined();
    expect(world.broken).toEqual([]);
  });

  it('burns with the next day what the resale of its hours has brought back', () => {
    const world = new Loan();
    world.days(world.dueDay(1) + 2);
    const hour = HOUR + 24 * (world.dueDay(1) + 91);
    world.ask(world.provider(), 2.4, 10_000, { hour });
    world.bid(world.loan.borrower, 2.4, 10_000, { hour });
    const defaulted = world.days(world.dueDay(1) + 90);
    expect(all(defaulted.events, 'resaleForced')).toHaveLength(1);
    const { principal, accruedInterest } = world.view;
    expect(all(world.bid(world.buyer(), 2.4, 10_000, { hour }).events, 'allocationResold')).toHaveLength(1);
    const { events } = world.days(world.dueDay(1) + 91);
    const { credits } = one(events, 'creditsReturned');
    expect(credits).toBeGreaterThan(0);
    const { principal: left, accruedInterest: interest } = world.view;
    expect(principal + accruedInterest - left - interest).toBeGreaterThan(usd(5_000));
    expect(world.broken).toEqual([]);
  });

  it('before rules version 5 grew younger by what was burnt, and left the borrower its cash', () => {
    const world = lost(4);
    expect(world.view.state).toBe('defaulted');
    expect(world.view.daysPastDue).toBeLessThan(90);
    expect(world.run({ type: 'withdraw', company: world.loan.borrower, amount: usd(30_000) }).rejected).toBeUndefined();
  });
});
