/** CREDIT.md section 4: what each event of a loan posts, in 1e-6, by its worked figures. */
import { describe, expect, it } from 'vitest';
import { accountNameOf } from './accounts.ts';
import { LOAN_RULES, NONE } from '../vocabulary.ts';
import type { EngineEvent, EventKind } from '../events.ts';
import { Loan } from '../test/loan.ts';
import { APPLICATION, HOUR, World, all, gpuHours, one, postings, usd } from '../test/world.ts';
import { MILLIS_PER_DAY } from '../numbers/units.ts';

/** What the transaction posts that stands before the event of this kind. */
function postedFor(events: EngineEvent[], kind: EventKind): Record<string, number> {
  const at = events.findIndex((event) => event.kind === kind);
  return postings(events.slice(at - 1, at), accountNameOf);
}

/** Commitment 1,000,000, draw 400,000, fee 1.5 %, m 1.40: a year's grade A at six months. */
function worked(loanRules = 1): { world: World; borrower: number; lender: number; facility: number } {
  const world = new World();
  const lender = world.company('lender');
  const borrower = world.company('borrower');
  world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5_000_000), grades: ['A'], maximumPerBorrower: usd(5_000_000), minimumAnnualRate: 60_000 });
  const { facility } = one(world.run({ type: 'applyFacility', company: borrower, amount: usd(1_000_000), months: 6, method: 'annuity', application: APPLICATION, ...(loanRules === 1 ? {} : { loanRules }) }).events, 'facilityOffered');
  return { world, borrower, lender, facility };
}

describe('the worked example', () => {
  it('deposit, withdrawal and mandate', () => {
    const world = new World();
    const borrower = world.company('borrower');
    const lender = world.company('lender');
    expect(postings(world.run({ type: 'deposit', company: borrower, amount: usd(50), reference: '' }).events, accountNameOf)).toEqual({ 'cash.fund': usd(50), unapplied: -usd(50) });
    expect(postings(world.run({ type: 'withdraw', company: borrower, amount: usd(20) }).events, accountNameOf)).toEqual({ unapplied: usd(20), 'cash.fund': -usd(20) });
    const mandate = { type: 'createMandate', bankCovers: true, company: lender, amount: usd(7), grades: ['A'], maximumPerBorrower: usd(7), minimumAnnualRate: 0 } as const;
    expect(postings(world.run({ ...mandate, grades: ['A'] }).events, accountNameOf)).toEqual({ 'cash.fund': usd(7), 'fund.capital': -usd(7) });
    world.run({ type: 'deposit', company: lender, amount: usd(4), reference: '' });
    const deposited = world.run({ ...mandate, grades: ['A'] }).events;
    expect(postings(deposited, accountNameOf)).toEqual({ unapplied: usd(4), 'cash.fund': usd(3), 'fund.capital': -usd(7) });
    expect(one(deposited, 'deposited')).toMatchObject({ company: lender, amount: usd(3), reference: 'mandate 1' });
  });

  it('approval, draw and mint, return', () => {
    const { world, borrower, facility } = worked();
    expect(postings(world.run({ type: 'acceptFacility', company: borrower, facility }).events, accountNameOf)).toEqual({ 'limit.control': usd(1_000_000), 'limit.undrawn': -usd(1_000_000) });
    const drawn = world.run({ type: 'draw', company: borrower, facility, amount: usd(400_000) });
    expect(postings(drawn.events, accountNameOf)).toEqual({
      'loan.principal': usd(406_000), 'cash.escrow': usd(400_000), 'lot.issued': usd(560_000), 'limit.undrawn': usd(400_000),
      // 400,000 lent, of which the operator funds the first-loss 5 %.
      'cash.fund': -usd(380_000), 'cash.ops': -usd(20_000), 'credit.backing': -usd(347_200), 'spread.deferred': -usd(52_800), 'orig_fee.deferred': -usd(6_000),
      'lot.available': -usd(560_000), 'limit.drawn': -usd(400_000),
    });
    // After the fee's two weeks, so that nothing but the burn is posted.
    world.run({ type: 'tick', now: world.engine.now + 15 * 86_400_000 });
    const { lot } = one(drawn.events, 'lotMinted');
    expect(postings(world.run({ type: 'returnCredits', company: borrower, facility, lot, credits: usd(100_000) }).events, accountNameOf)).toEqual({
      'lot.available': usd(100_000), 'credit.backing': usd(62_000), 'spread.deferred': 9_428_571_429, 'cash.fund': 71_428_571_429, 'lot.issued': -usd(100_000),
      'loan.principal': -71_428_571_429, 'cash.escrow': -71_428_571_429,
    });
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });

  it('interest and repayment', () => {
    const { world, borrower, facility } = worked();
    world.run({ type: 'acceptFacility', company: borrower, facility });
    world.run({ type: 'draw', company: borrower, facility, amount: usd(400_000) });
    const day = world.run({ type: 'tick', now: world.engine.now + 86_400_000 });
    const { amount } = one(day.events, 'interestAccrued');
    expect(amount).toBe(Math.round((usd(406_000) * 0.11) / 365));
    const cost = Math.round((amount * 6) / 11);
    expect(postings(day.events, accountNameOf)).toEqual({ 'interest.receivable': amount, 'income.interest': -amount, 'expense.fund_interest': cost, 'fund.payable': -cost });
    const paid = world.run({ type: 'repay', company: borrower, facility, amount: usd(40_000), mode: 'shorten', bankCovers: true });
    expect(postings(paid.events, accountNameOf)).toEqual({ 'cash.fund': usd(40_000), 'interest.receivable': -amount, 'loan.principal': amount - usd(40_000) });
  });
});

describe('what a cash buyer and a provider post', () => {
  it('prepayment, bid, cancel, bond, payout', () => {
    const world = new World();
    const buyer = world.company('borrower');
    world.run({ type: 'deposit', company: buyer, amount: usd(100_000), reference: '' });
    expect(postings(world.run({ type: 'prepay', company: buyer, amount: usd(100_000) }).events, accountNameOf)).toEqual({
      unapplied: usd(100_000), 'cash.fund': -usd(100_000), 'cash.escrow': usd(100_000), 'lot.issued': usd(150_000), 'credit.backing': -usd(93_000), 'spread.deferred': -usd(7_000),
      'lot.available': -usd(150_000),
    });
    const bid = world.bid(buyer, 2.5, 10_000);
    expect(postings(bid.events, accountNameOf)).toEqual({ 'lot.available': usd(25_125), 'lot.held': -usd(25_125) });
    const provider = world.provider();
    // 6,000 of 10,000 hours at 2.40: the bid was there first, so that the ask takes at its price.
    const { order } = one(bid.events, 'orderAccepted');
    expect(postings(world.run({ type: 'cancel', company: buyer, order }).events, accountNameOf)).toEqual({ 'lot.held': usd(25_125), 'lot.available': -usd(25_125) });
    world.ask(provider, 2.4, 6_000);
    const bought = world.bid(buyer, 2.5, 10_000);
    const filled = postedFor(bought.events, 'fill');
    expect(filled).toMatchObject({
      'lot.held': usd(15_075), 'lot.contracted': -usd(14_400), 'lot.issued': -usd(72), 'lot.available': -usd(603), 'commission.buyer': -usd(48), 'cash.ops': usd(48), 'cash.escrow': -usd(48),
    });
    const rest = one(bought.events, 'orderAccepted').order;
    expect(postings(world.run({ type: 'cancel', company: buyer, order: rest }).events, accountNameOf)).toEqual({ 'lot.held': usd(10_050), 'lot.available': -usd(10_050) });
    world.run({ type: 'deposit', company: provider, amount: usd(10), reference: '' });
    expect(postings(world.run({ type: 'postBond', company: provider, amount: usd(10) }).events, accountNameOf)).toEqual({
      unapplied: usd(10), 'cash.fund': -usd(10), 'cash.escrow': usd(10), 'provider.bond': -usd(10),
    });
    const { allocation } = one(bought.events, 'fill');
    world.run({
      type: 'capture', company: buyer, allocation, gpu: gpuHours(1_000) * 36_000_000, request: 'one', model: NONE, promptTokens: 0, completionTokens: 0,
      detail: { key: '', endpoint: '', spotFees: 0, estimated: false },
    });
    world.run({ type: 'tick', now: (HOUR + 1) * 3_600_000 });
    world.run({ type: 'endHour', hour: HOUR, pending: [] });
    world.run({ type: 'tick', now: world.engine.now + 8 * MILLIS_PER_DAY });
    const paid = world.run({ type: 'payout', company: provider });
    const { amount } = one(paid.events, 'payoutMade');
    expect(postings(paid.events, accountNameOf)).toEqual({ 'provider.payable': amount, 'cash.escrow': -amount });
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });
});

describe('a loan that is not paid', () => {
  it('is charged, provisioned stage by stage, given up against the allowance, and recovered', () => {
    const world = new Loan();
    const due = world.dueDay(1);
    const late = world.days(due + 6);
    const { amount: fee } = one(late.events, 'lateFeeCharged');
    expect(postedFor(late.events, 'lateFeeCharged')).toEqual({ 'fee.receivable': fee, 'income.late_fee': -fee });
    const second = world.days(due + 30);
    const stage2 = all(second.events, 'provisioned');
    expect(stage2).toMatchObject([{ stage: 2 }]);
    expect(postedFor(second.events, 'provisioned')).toEqual({ 'expense.provision': stage2[0].amount, 'loan.allowance': -stage2[0].amount });
    const gone = world.days(due + 180);
    const { principal, interest, fees } = one(gone.events, 'facilityWrittenOff');
    expect(principal + interest + fees).toBeGreaterThan(0);
    const written = Object.fromEntries(Object.entries({ 'loan.allowance': principal + interest + fees, 'loan.principal': -principal, 'interest.receivable': -interest, 'fee.receivable': -fees }).filter(([, sum]) => sum !== 0));
    const writeOff = gone.events.filter((event) => event.kind === 'posted').map((event) => postings([event], accountNameOf)).find((posted) => (posted['loan.allowance'] ?? 0) > 0 && !('expense.provision' in posted));
    expect(writeOff).toEqual(written);
    expect(Math.abs(world.view.allowance)).toBe(0);
    const back = world.pay(usd(1));
    expect(postings(back.events, accountNameOf)).toEqual({ 'cash.fund': usd(1), 'income.recovery': -usd(1) });
    expect(world.broken).toEqual([]);
  });

  it('is provisioned from its draw on: a year\'s probability of the part that nothing secures, at least 5 %', () => {
    const { world, borrower, facility } = worked(LOAN_RULES);
    world.run({ type: 'acceptFacility', company: borrower, facility });
    const drawn = world.run({ type: 'draw', company: borrower, facility, amount: usd(400_000) });
    const view = world.engine.query('facility', { facility });
    // 406,000 are owed, 400,000 of unspent credit stand against it: 5 % of 406,000.
    const expected = Math.round(((view?.decision.defaultProbability ?? 0) * 20_300));
    expect(one(drawn.events, 'provisioned')).toMatchObject({ stage: 1, amount: expected, allowance: expected });
    expect(postedFor(drawn.events, 'provisioned')).toEqual({ 'expense.provision': expected, 'loan.allowance': -expected });
    expect(postedFor(drawn.events, 'lotMinted')).not.toHaveProperty('expense.provision');
  });
});

describe('the origination fee', () => {
  const opened = () => {
    const setting = worked(LOAN_RULES);
    const { world, borrower, facility } = setting;
    world.run({ type: 'acceptFacility', company: borrower, facility });
    const { lot } = one(world.run({ type: 'draw', company: borrower, facility, amount: usd(400_000) }).events, 'lotMinted');
    const earned = (events: EngineEvent[]): number => all(events, 'feeEarned').reduce((sum, { amount }) => sum + amount, 0);
    return { ...setting, lot, earned };
  };

  it('is earned in a line over the loan\'s life, however often time is told', () => {
    const once = opened();
    const { events } = once.world.run({ type: 'tick', now: once.world.engine.now + 10 * MILLIS_PER_DAY });
    // 6,000 over the 182 days from 1 December to 1 June.
    const ten = usd(6_000) - Math.round((usd(6_000) * 172) / 182);
    expect(once.earned(events)).toBe(ten);
    const daily = opened();
    let sum = 0;
    for (let day = 1; day <= 10; day++) {
      const told = daily.world.run({ type: 'tick', now: daily.world.engine.now + MILLIS_PER_DAY }).events;
      const { amount } = one(told, 'feeEarned');
      expect(postedFor(told, 'feeEarned')).toEqual({ 'orig_fee.deferred': amount, 'income.origination': -amount });
      sum += amount;
    }
    expect(sum).toBe(ten);
  });

  it('comes back whole with credit that is returned soon, what was earned of it too', () => {
    const { world, borrower, facility, lot } = opened();
    world.run({ type: 'tick', now: world.engine.now + 10 * MILLIS_PER_DAY });
    const ledger = (): number => world.engine.query('facility', { facility })?.principal ?? 0;
    const before = ledger();
    const { events } = world.run({ type: 'returnCredits', company: borrower, facility, lot, credits: usd(560_000) });
    expect(all(events, 'returnSettled').at(-1)).toMatchObject({ feeRefund: usd(6_000) });
    expect(before - ledger()).toBe(usd(406_000));
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
    const income = postings(events, accountNameOf)['income.origination'];
    expect(income).toBe(usd(6_000) - Math.round((usd(6_000) * 172) / 182));
  });
});
