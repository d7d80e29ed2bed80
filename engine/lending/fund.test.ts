/** What lenders may take out of the fund: only what is there. Money in micro-USD. */
import { describe, expect, it } from 'vitest';
import { accountNameOf } from '../ledger/accounts.ts';
import type { CreateMandate } from '../commands.ts';
import type { FundView, MandateView } from '../queries.ts';
import { Loan } from '../test/loan.ts';
import { APPLICATION, World, all, one, postings, usd } from '../test/world.ts';

/** A mandate of 2,000,000 at 6 %, of which a facility of 1,000,000 at 11 % takes half and draws 400,000; with an origination fee of 6,000. */
class Lent extends World {
  readonly lender = this.company('lender');
  readonly borrower = this.company('borrower');
  readonly operator = this.company('operator');
  readonly facility: number;

  constructor(mandate: Partial<CreateMandate> = {}) {
    super();
    this.mandate({ amount: usd(2_000_000), ...mandate });
    const applied = this.run({ type: 'applyFacility', company: this.borrower, amount: usd(1_000_000), months: 12, method: 'annuity', application: APPLICATION, loanRules: 2 });
    ({ facility: this.facility } = one(applied.events, 'facilityOffered'));
    this.run({ type: 'acceptFacility', company: this.borrower, facility: this.facility });
    this.run({ type: 'draw', company: this.borrower, facility: this.facility, amount: usd(400_000) });
  }
  mandate(terms: Partial<CreateMandate>) {
    return this.run({ type: 'createMandate', bankCovers: true, company: this.lender, amount: usd(1_000_000), grades: ['A'], maximumPerBorrower: usd(5_000_000), minimumAnnualRate: 60_000, ...terms });
  }
  pay(amount: number) {
    return this.run({ type: 'repay', company: this.borrower, facility: this.facility, amount, mode: 'shorten', bankCovers: true });
  }
  withdraw(amount: number, company = this.lender) {
    return this.run({ type: 'withdraw', company, amount });
  }
  change(change: { amount?: number; reinvest?: boolean; close?: boolean }, mandate = 0, company = this.lender) {
    return this.run({ type: 'changeMandate', company, mandate, ...change });
  }
  days(count: number): void {
    this.run({ type: 'tick', now: this.engine.now + count * 86_400_000 });
  }
  get fund(): FundView {
    const { fund } = this.engine.query('balances', { company: this.lender });
    if (fund === null) throw new Error('no lender');
    return fund;
  }
  get mandates(): MandateView[] {
    return this.engine.query('mandates', { company: this.lender });
  }
  get broken(): unknown[] {
    return this.engine.checkInvariants().filter(({ ok }) => !ok);
  }
}

describe('what a lender may take out', () => {
  it('is what is in no commitment, never what is lent or promised', () => {
    const world = new Lent();
    expect(world.fund).toEqual({
      capital: usd(2_000_000), committed: usd(1_000_000), uncommitted: usd(1_000_000), idle: 0, lost: 0, interestPaid: 0, interestOwed: 0, withdrawable: usd(1_000_000),
    });
    expect(world.withdraw(usd(1_000_000) + 1).rejected).toBe('insufficient_funds');
    const out = world.withdraw(usd(400_000));
    expect(postings(out.events, accountNameOf)).toEqual({ 'fund.capital': usd(400_000), 'cash.fund': -usd(400_000) });
    expect(one(out.events, 'fundWithdrawn')).toMatchObject({ interest: 0, principal: usd(400_000) });
    expect(world.mandates).toMatchObject([{ amount: usd(1_600_000), committed: usd(1_000_000) }]);
    expect(world.withdraw(usd(600_000)).rejected).toBeUndefined();
    expect(world.withdraw(1).rejected).toBe('insufficient_funds');
    expect(world.broken).toEqual([]);
  });

  it('is cash first, then interest that borrowers have paid, then capital, in one transaction', () => {
    const world = new Lent();
    world.run({ type: 'deposit', company: world.lender, amount: usd(10), reference: '' });
    world.days(10);
    const owed = world.fund.interestOwed;
    // 6 % of 406,000 for ten days.
    expect(owed).toBe(Math.round((usd(406_000) * 0.06 * 10) / 365));
    expect(world.fund).toMatchObject({ interestPaid: 0, withdrawable: usd(1_000_010) });
    // All interest to date and some principal.
    const { interest, principal } = one(world.pay(usd(40_000)).events, 'repaid');
    expect(interest + principal).toBe(usd(40_000));
    expect(world.fund).toMatchObject({ interestPaid: owed, interestOwed: 0, committed: usd(1_000_000) - principal, uncommitted: usd(1_000_000) + principal });
    const out = world.withdraw(usd(10) + owed + 7);
    expect(postings(out.events, accountNameOf)).toEqual({ unapplied: usd(10), 'fund.payable': owed, 'fund.capital': 7, 'cash.fund': -(usd(10) + owed + 7) });
    expect(all(out.events, 'withdrawn')).toMatchObject([{ company: world.lender, amount: usd(10) + owed + 7 }]);
    expect(one(out.events, 'fundWithdrawn')).toMatchObject({ amount: owed + 7, interest: owed, principal: 7 });
    expect(world.fund.interestPaid).toBe(0);
    expect(world.broken).toEqual([]);
  });

  it('counts a part of the interest when a part of it is paid', () => {
    const world = new Lent();
    world.days(10);
    const owed = world.fund.interestOwed;
    world.pay(usd(100));
    // 6 of the 11 % that the borrower pays.
    expect(world.fund.interestPaid).toBe(Math.round((usd(100) * 6) / 11));
    expect(world.fund.interestOwed).toBe(owed - world.fund.interestPaid);
  });

  it('is all there is once the loan is repaid and closed, and the operator has its first loss back', () => {
    const world = new Lent();
    const before = world.fund.uncommitted;
    world.days(20);
    // All but the origination fee: lenders' money comes first, the operator's 20,000 of the draw after it.
    const most = world.pay(usd(380_000) + (world.engine.query('facility', { facility: world.facility })?.accruedInterest ?? 0));
    expect(all(most.events, 'firstLossReturned')).toEqual([]);
    expect(world.fund.uncommitted - before).toBe(usd(380_000));
    const rest = world.pay(usd(26_000));
    expect(one(rest.events, 'firstLossReturned').amount).toBe(usd(20_000));
    expect(postings(rest.events, accountNameOf)).toMatchObject({ 'cash.ops': usd(20_000) });
    expect(world.fund).toMatchObject({ committed: usd(600_000), interestOwed: 0 });
    expect(world.withdraw(world.fund.withdrawable).rejected).toBeUndefined();
    expect(world.broken).toEqual([]);
  });

  it('comes back with credit that is returned, whose fee is refunded without money', () => {
    const world = new Lent();
    const [{ lot }] = world.engine.query('lots', { company: world.borrower });
    world.run({ type: 'returnCredits', company: world.borrower, facility: world.facility, lot, credits: usd(600_000) });
    expect(world.engine.query('facility', { facility: world.facility })).toMatchObject({ principal: 0 });
    expect(world.fund).toMatchObject({ committed: usd(600_000), uncommitted: usd(1_400_000) });
    expect(world.withdraw(usd(1_400_000)).rejected).toBeUndefined();
    expect(world.broken).toEqual([]);
  });

  it('leaves what was lost: the operator\'s first loss covers some of it, a recovery some more', () => {
    const world = new Loan();
    const fund = (): FundView => world.engine.query('balances', { company: world.loan.lender }).fund!;
    // Half of the credit is spent, so that a burn does not pay all.
    world.ask(world.provider(), 2.4, 90_000);
    const bought = world.bid(world.loan.borrower, 2.4, 90_000);
    expect([bought.rejected, all(bought.events, 'fill').length]).toEqual([undefined, 1]);
    for (let month = 1; month <= 8; month++) world.days(world.dueDay(1) + month * 30);
    const { writtenOff: { principal } } = world.view;
    expect(world.view.state).toBe('written_off');
    expect(principal).toBeGreaterThan(usd(20_000));
    const { repaidPrincipal } = world.view;
    // Of 400,000 drawn so much did not come back; the operator gave 20,000 of it.
    expect(fund().lost).toBe(usd(400_000) - repaidPrincipal - usd(20_000));
    expect(fund().committed).toBe(fund().lost);
    const free = fund().withdrawable;
    world.pay(usd(1_000));
    expect(fund().withdrawable - free).toBe(usd(1_000));
    expect(world.run({ type: 'withdraw', company: world.loan.lender, amount: fund().withdrawable }).rejected).toBeUndefined();
    expect(world.run({ type: 'withdraw', company: world.loan.lender, amount: 1 }).rejected).toBe('insufficient_funds');
    expect(world.broken).toEqual([]);
  });

  it('waits while payouts are stopped', () => {
    const world = new Lent();
    world.run({ type: 'setSwitch', company: world.operator, name: 'payout', on: true, reason: 'drill' });
    expect(world.withdraw(1).rejected).toBe('payouts_stopped');
    world.run({ type: 'setSwitch', company: world.operator, name: 'payout', on: false, reason: 'over' });
    expect(world.withdraw(1).rejected).toBeUndefined();
  });

  it('was cash alone before rules version 7', () => {
    const world = new Lent();
    world.engine.rulesVersion = 6;
    expect(world.withdraw(1).rejected).toBe('insufficient_funds');
  });
});

describe('a mandate', () => {
  it('is made of money that has come in, and of no other', () => {
    const world = new World();
    const lender = world.company('lender');
    const lend = (amount: number, more: Partial<CreateMandate> = {}) =>
      world.run({ type: 'createMandate', company: lender, amount, grades: ['A'], maximumPerBorrower: usd(100), minimumAnnualRate: 60_000, ...more }).rejected;
    const change = (amount: number) => world.run({ type: 'changeMandate', company: lender, mandate: 0, amount }).rejected;
    const withdraw = (amount: number) => world.run({ type: 'withdraw', company: lender, amount }).rejected;
    const tried = [lend(1)];
    world.run({ type: 'deposit', company: lender, amount: usd(100), reference: '' });
    tried.push(lend(usd(100) + 1), lend(usd(60)), lend(usd(41)), withdraw(usd(100) + 1), change(usd(100) + 1), change(usd(70)), change(usd(90)), withdraw(usd(70)), lend(usd(30), { fromIdle: true }), withdraw(usd(30)));
    const short = 'insufficient_funds';
    expect(tried).toEqual([short, short, undefined, short, short, short, undefined, undefined, undefined, short, undefined]);
    expect(world.engine.query('balances', { company: lender })).toMatchObject({ fund: { capital: 0, withdrawable: 0 } });
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });

  it('brought its money with it before rules version 9', () => {
    const world = new World();
    world.engine.rulesVersion = 8;
    const lender = world.company('lender');
    world.run({ type: 'createMandate', company: lender, amount: usd(5), grades: ['A'], maximumPerBorrower: usd(5), minimumAnnualRate: 0 });
    expect(world.run({ type: 'withdraw', company: lender, amount: usd(5) }).rejected).toBeUndefined();
  });

  it('is made smaller, but not below what it has promised; what it leaves is idle, and may be lent elsewhere', () => {
    const world = new Lent();
    expect(world.change({ amount: usd(999_999) }).rejected).toBe('limit_exceeded');
    expect(world.change({ amount: usd(2_000_001) }).rejected).toBe('insufficient_funds');
    expect(world.change({ amount: usd(1_200_000) }, 0, world.operator).rejected).toBe('unknown_mandate');
    const smaller = world.change({ amount: usd(1_200_000) });
    expect(one(smaller.events, 'mandateChanged')).toMatchObject({ amount: usd(1_200_000), committed: usd(1_000_000), reinvest: true, closed: false });
    expect(postings(smaller.events, accountNameOf)).toEqual({});
    expect(world.fund).toMatchObject({ idle: usd(800_000), uncommitted: usd(200_000), withdrawable: usd(1_000_000) });
    expect(world.mandate({ amount: usd(800_001), fromIdle: true }).rejected).toBe('insufficient_funds');
    const other = world.mandate({ amount: usd(500_000), fromIdle: true, minimumAnnualRate: 70_000 });
    expect(postings(other.events, accountNameOf)).toEqual({});
    expect(world.change({ amount: usd(1_500_000) }).rejected).toBeUndefined();
    expect(world.fund).toMatchObject({ capital: usd(2_000_000), idle: 0, uncommitted: usd(1_000_000) });
    // The dearer one's money would be lent last: it leaves first.
    world.withdraw(usd(600_000));
    expect(world.mandates.map(({ amount }) => amount)).toEqual([usd(1_400_000), 0]);
    expect(world.broken).toEqual([]);
  });

  it('lends again what comes back, unless its lender wants it out', () => {
    const again = new Lent();
    again.pay(usd(100_000));
    expect(again.mandates).toMatchObject([{ amount: usd(2_000_000), committed: usd(900_000) }]);
    const out = new Lent({ reinvest: false });
    out.pay(usd(100_000));
    expect(out.mandates).toMatchObject([{ amount: usd(1_900_000), committed: usd(900_000), reinvest: false }]);
    expect(out.fund).toMatchObject({ idle: usd(100_000), uncommitted: usd(1_000_000) });
    out.change({ reinvest: true });
    out.pay(usd(100_000));
    expect(out.fund).toMatchObject({ idle: usd(100_000), uncommitted: usd(1_100_000) });
    expect([...again.broken, ...out.broken]).toEqual([]);
  });

  it('is closed: nothing more is lent of it, and it shrinks to nothing', () => {
    const world = new Lent();
    world.change({ close: true });
    expect(world.mandates).toMatchObject([{ amount: usd(1_000_000), committed: usd(1_000_000), closed: true }]);
    expect(world.change({ amount: usd(2_000_000) }).rejected).toBe('invalid_state');
    // What was promised may still be drawn.
    expect(world.run({ type: 'draw', company: world.borrower, facility: world.facility, amount: usd(400_000) }).rejected).toBeUndefined();
    expect(world.run({ type: 'draw', company: world.borrower, facility: world.facility, amount: usd(200_000) }).rejected).toBeUndefined();
    world.pay(usd(1_015_000));
    expect(world.engine.query('facility', { facility: world.facility })).toMatchObject({ state: 'closed' });
    expect(world.mandates).toMatchObject([{ amount: 0, committed: 0 }]);
    expect(world.fund).toMatchObject({ idle: usd(2_000_000) });
    expect(world.run({ type: 'applyFacility', company: world.borrower, amount: usd(1_000), months: 12, method: 'annuity', application: APPLICATION }).events.map(({ kind }) => kind)).toContain('facilityDeclined');
    expect(world.broken).toEqual([]);
  });

  it('shares what comes back pro rata with other lenders', () => {
    const world = new World();
    const lenders = [world.company('lender', 'one'), world.company('lender', 'two')];
    lenders.forEach((company, index) => world.run({ type: 'createMandate', bankCovers: true, company, amount: usd(index === 0 ? 700_000 : 300_000), grades: ['A'], maximumPerBorrower: usd(900_000), minimumAnnualRate: 60_000 + index }));
    const borrower = world.company('borrower');
    const { facility } = one(world.run({ type: 'applyFacility', company: borrower, amount: usd(1_000_000), months: 12, method: 'annuity', application: APPLICATION }).events, 'facilityOffered');
    world.run({ type: 'acceptFacility', company: borrower, facility });
    world.run({ type: 'draw', company: borrower, facility, amount: usd(400_000) });
    world.run({ type: 'repay', company: borrower, facility, amount: usd(100_000) + 1, mode: 'shorten', bankCovers: true });
    const free = lenders.map((company) => world.engine.query('balances', { company }).fund?.withdrawable ?? 0);
    expect(free).toEqual([usd(70_000) + 1, usd(30_000)]);
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });
});
