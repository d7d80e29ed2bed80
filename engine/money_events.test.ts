/** CREDIT.md section 4: what each event of a loan posts, in 1e-6, by its worked figures. */
import { describe, expect, it } from 'vitest';
import { accountNameOf } from './accounts.ts';
import { APPLICATION, World, one, postings, usd } from './test/world.ts';

/** Commitment 1,000,000, draw 400,000, fee 1.5 %, m 1.40: a year's grade A at six months. */
function worked(): { world: World; borrower: number; lender: number; facility: number } {
  const world = new World();
  const lender = world.company('lender');
  const borrower = world.company('borrower');
  world.run({ type: 'createMandate', company: lender, amount: usd(5_000_000), grades: ['A'], maximumPerBorrower: usd(5_000_000), minimumAnnualRate: 60_000 });
  const { facility } = one(world.run({ type: 'applyFacility', company: borrower, amount: usd(1_000_000), months: 6, method: 'annuity', application: APPLICATION }).events, 'facilityOffered');
  return { world, borrower, lender, facility };
}

describe('the worked example', () => {
  it('deposit, withdrawal and mandate', () => {
    const world = new World();
    const borrower = world.company('borrower');
    const lender = world.company('lender');
    expect(postings(world.run({ type: 'deposit', company: borrower, amount: usd(50), reference: '' }).events, accountNameOf)).toEqual({ 'cash.fund': usd(50), unapplied: -usd(50) });
    expect(postings(world.run({ type: 'withdraw', company: borrower, amount: usd(20) }).events, accountNameOf)).toEqual({ unapplied: usd(20), 'cash.fund': -usd(20) });
    const mandate = { type: 'createMandate', company: lender, amount: usd(7), grades: ['A'], maximumPerBorrower: usd(7), minimumAnnualRate: 0 } as const;
    expect(postings(world.run({ ...mandate, grades: ['A'] }).events, accountNameOf)).toEqual({ 'cash.fund': usd(7), 'fund.capital': -usd(7) });
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
