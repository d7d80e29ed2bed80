/** What stands behind a facility and around it: collateral, exposure, options, lots, lenders, decisions, covenants, switches. */
import { describe, expect, it } from 'vitest';
import { accountNameOf } from '../ledger/accounts.ts';
import { addMonths } from '../numbers/calendar.ts';
import { FOK, BUY, LOAN_RULES, NONE } from '../vocabulary.ts';
import type { ApplyFacility, Command } from '../commands.ts';
import { Engine } from '../engine.ts';
import type { EventOf } from '../events.ts';
import { RULES_VERSION } from '../rules.ts';
import { Loan, states } from '../test/loan.ts';
import { APPLICATION, HOUR, START, World, all, financed, gpuHours, one, postings, price, usd } from '../test/world.ts';
import { MICRO, MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../numbers/units.ts';
import { openOrders } from '../test/open.ts';

describe('a frozen facility', () => {
  it('offers hours that begin within a day at the mark, falling to half of it at gate closure; a cure takes them back', () => {
    const world = new Loan();
    const provider = world.provider();
    const { borrower, lender, facility } = world.loan;
    world.ask(provider, 2.4, 100, { hour: HOUR });
    world.ask(provider, 2.4, 100, { hour: HOUR + 48 });
    world.bid(borrower, 2.4, 100, { hour: HOUR });
    world.bid(borrower, 2.4, 100, { hour: HOUR + 48 });
    const frozen = world.run({ type: 'freeze', company: lender, facility, fraction: MICRO, reason: 'covenant' });
    const forced = one(frozen.events, 'resaleForced');
    expect(one(frozen.events, 'orderAccepted')).toMatchObject({ order: forced.order, hour: HOUR, price: price(1.5), quantity: gpuHours(100) });
    expect(world.run({ type: 'cancel', company: borrower, order: forced.order }).rejected).toBe('facility_frozen');
    expect(world.run({ type: 'cancelAll', company: borrower, market: NONE, hour: NONE, side: NONE, onDisconnect: false }).events.some(({ kind }) => kind === 'orderDone')).toBe(false);
    const gate = HOUR * MILLIS_PER_HOUR - 300_000;
    world.run({ type: 'tick', now: START + Math.floor((gate - START) / 120_000) * 60_000 });
    expect(world.engine.query('order', { order: forced.order })?.price).toBeCloseTo(price(1.125), -2);
    world.run({ type: 'tick', now: gate - 60_000 });
    expect(world.engine.query('order', { order: forced.order })?.price).toBeLessThan(price(0.76));
    // Another buyer takes half: the credit returns to the lot and stays blocked.
    const other = world.buyer(10_000, 'other');
    expect(one(world.bid(other, 1, 50, { hour: HOUR }).events, 'allocationResold')).toMatchObject({ quantity: gpuHours(50) });
    const lifted = world.run({ type: 'unfreeze', company: lender, facility });
    expect(all(lifted.events, 'orderDone').map(({ order }) => order)).toEqual([forced.order]);
    expect(states(lifted.events)).toEqual(['active']);
    expect(world.broken).toEqual([]);
  });

  it('is unblocked by repayment in proportion, and wholly when nothing is owed', () => {
    const world = new Loan();
    const { borrower, lender, facility } = world.loan;
    world.run({ type: 'freeze', company: lender, facility, fraction: MICRO, reason: 'covenant' });
    expect(world.engine.query('balances', { company: borrower }).frozen).toBe(usd(600_000));
    world.pay(usd(203_000));
    expect(world.engine.query('balances', { company: borrower }).frozen).toBe(usd(300_000));
    world.pay(usd(203_000));
    expect(world.engine.query('balances', { company: borrower }).frozen).toBe(0);
    expect(world.view.state).toBe('active');
    expect(world.broken).toEqual([]);
  });

  it('is lifted by whom it was frozen by', () => {
    const world = new Loan();
    const { lender, facility } = world.loan;
    world.run({ type: 'freeze', company: world.operator, facility, fraction: MICRO, reason: 'fraud' });
    expect(world.run({ type: 'unfreeze', company: lender, facility }).rejected).toBe('invalid_state');
    world.run({ type: 'unfreeze', company: world.operator, facility });
    expect(world.view.state).toBe('active');
  });
});

describe('several lenders', () => {
  /** A facility that two lenders fund. */
  function shared(version = RULES_VERSION): { world: World; first: number; second: number; frozen: () => number; unfreeze: (company: number) => string | undefined } {
    const world = new World();
    world.engine.rulesVersion = version;
    const [first, second, borrower] = [world.company('lender', 'first'), world.company('lender', 'second'), world.company('borrower')];
    for (const company of [first, second]) {
      world.run({ type: 'createMandate', bankCovers: true, company, amount: usd(600_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(600_000), minimumAnnualRate: 50_000 });
    }
    world.run({ type: 'applyFacility', company: borrower, amount: usd(1_000_000), months: 12, method: 'annuity', application: APPLICATION });
    world.run({ type: 'acceptFacility', company: borrower, facility: 0 });
    world.run({ type: 'draw', company: borrower, facility: 0, amount: usd(100_000) });
    const frozen = (): number => world.engine.query('facility', { facility: 0 })?.frozenFraction ?? NaN;
    return { world, first, second, frozen, unfreeze: (company) => world.run({ type: 'unfreeze', company, facility: 0 }).rejected };
  }

  it('freeze each for itself: the largest holds, and nobody but an operator lifts what another has frozen', () => {
    const { world, first, second, frozen, unfreeze } = shared();
    const operator = world.company('operator');
    const freeze = (company: number, fraction: number): void => void world.run({ type: 'freeze', company, facility: 0, fraction, reason: 'covenant' });
    freeze(second, 800_000);
    expect([unfreeze(first), frozen()]).toEqual(['invalid_state', 800_000]);
    freeze(first, 300_000);
    expect(frozen()).toBe(800_000);
    world.engine = Engine.restore(world.engine.snapshot());
    expect([unfreeze(first), frozen(), unfreeze(first)]).toEqual([undefined, 800_000, 'invalid_state']);
    freeze(first, MICRO);
    expect([unfreeze(first), frozen(), unfreeze(second), frozen()]).toEqual([undefined, 800_000, undefined, 0]);
    freeze(first, MICRO);
    freeze(second, 100_000);
    expect([unfreeze(operator), frozen()]).toEqual([undefined, 0]);
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });

  it('before rules version 5 lifted each other\'s', () => {
    const { world, first, second, frozen, unfreeze } = shared(4);
    world.run({ type: 'freeze', company: second, facility: 0, fraction: MICRO, reason: '' });
    expect([unfreeze(first), frozen()]).toEqual([undefined, 0]);
  });
});

describe('what is paid in full', () => {
  it('is nobody\'s collateral: it cannot be frozen, buys on when what is drawn later is frozen, and is not paid out', () => {
    const world = new Loan();
    const { borrower, lender, facility, lot } = world.loan;
    world.pay(usd(203_000));
    expect(world.run({ type: 'returnCredits', company: borrower, facility, lot, credits: usd(400_000) }).rejected).toBe('amount_out_of_range');
    world.pay(usd(203_000));
    expect(world.view).toMatchObject({ state: 'active', principal: 0, frozenFraction: 0 });
    const freeze = () => world.run({ type: 'freeze', company: lender, facility, fraction: MICRO, reason: 'covenant' });
    expect(freeze().rejected).toBe('invalid_state');
    expect(world.run({ type: 'returnCredits', company: borrower, facility, lot, credits: usd(1_500) }).rejected).toBe('invalid_state');
    expect(Math.abs(world.engine.query('balances', { company: borrower }).usd)).toBe(0);
    world.run({ type: 'draw', company: borrower, facility, amount: usd(100_000) });
    expect(freeze().rejected).toBeUndefined();
    expect(world.engine.query('balances', { company: borrower }).frozen).toBe(usd(150_000));
    // It stands behind no debt either: what does is the second draw's.
    expect(world.view).toMatchObject({ unspentCost: usd(100_000), hoursValue: 0, exposure: usd(1_500) });
    expect(world.bid(borrower, 2, 100).rejected).toBeUndefined();
    world.engine = Engine.restore(world.engine.snapshot());
    world.days(world.dueDay(1) + 90);
    // A default burns what is collateral, and leaves the rest to its owner.
    expect(world.view.state).toBe('defaulted');
    expect(world.engine.query('lots', { company: borrower }).map(({ available, minted, retired }) => [available > 0, minted - retired])).toEqual([[true, usd(600_000)], [false, 0]]);
    expect(world.bid(borrower, 2, 100, { hour: HOUR + 24 * 150 }).rejected).toBeUndefined();
    expect(world.broken).toEqual([]);
  });
});

describe('unsecured exposure', () => {
  it('warns, then calls for margin; repayment cures', () => {
    const world = new Loan();
    const { borrower } = world.loan;
    for (const amount of [400_000, 200_000]) world.run({ type: 'draw', company: borrower, facility: 0, amount: usd(amount) });
    expect(world.view.exposureLimit).toBe(usd(600_000));
    const consume = (hours: number, index: number): void => {
      // A group may have 40 % of a month's spend or 5 % of the commitment: every purchase takes two others.
      const hour = HOUR + 24 * 80 + index;
      for (const seller of ['a', 'b']) world.ask(world.provider(100_000, `p${index}${seller}`), 2.4, hours / 2, { hour });
      const fills = all(world.bid(borrower, 2.4, hours, { hour, timeInForce: FOK }).events, 'fill');
      expect(fills).toHaveLength(2);
      for (const { allocation, quantity } of fills) {
        world.run({
          type: 'capture', company: borrower, allocation, gpu: quantity * 36_000_000, request: `r${allocation}`, model: NONE, promptTokens: 0, completionTokens: 0,
          detail: { key: '', endpoint: '', spotFees: 0, estimated: false },
        });
      }
    };
    for (let index = 0; index < 8; index++) {
      world.days(Math.floor(index / 3));
      consume(40_000, index);
    }
    const { events } = world.days(3);
    expect(world.notices(events)).toContain('exposure_warning');
    expect(world.view.exposure).toBeGreaterThan(usd(480_000));
    expect(world.view.state).toBe('watch');
    consume(44_000, 8);
    const called = world.days(4).events;
    expect(world.notices(called)).toEqual(['margin_call']);
    expect(world.view.state).toBe('cancel_only');
    expect(world.bid(borrower, 2.4, 1, { hour: HOUR + 24 * 80 + 20 }).rejected).toBe('facility_not_active');
    // What is repaid cures it.
    expect(states(world.pay(usd(300_000)).events)).toEqual(['active']);
    expect(world.broken).toEqual([]);
  });
});

describe('hours that lose their value', () => {
  it('beyond 120 % of the limit are offered for resale, and the next day the facility is frozen; marks that rise again cure it', () => {
    const world = new Loan();
    const { borrower } = world.loan;
    for (const amount of [400_000, 200_000]) world.run({ type: 'draw', company: borrower, facility: 0, amount: usd(amount) });
    for (let index = 0; index < 8; index++) {
      world.days(Math.floor(index / 2));
      const hour = HOUR + 24 * 80 + index;
      for (const [seller, quantity] of [20_000, 25_000, 25_000].entries()) world.ask(world.provider(100_000, `m${index}.${seller}`), 2.4, quantity, { hour });
      expect(all(world.bid(borrower, 2.4, 70_000, { hour, timeInForce: FOK }).events, 'fill')).toHaveLength(3);
    }
    world.run({ type: 'setMarks', classes: [{ class: 0, price: price(2.4) }], hours: [] });
    world.days(4);
    expect(world.view.state).toBe('active');
    // An hour's own mark counts before its class's; of the lower of mark and price a quarter is taken off.
    const before = world.view.exposure;
    world.run({ type: 'setMarks', classes: [{ class: 0, price: price(2.4) }], hours: [{ market: 0, hour: HOUR + 24 * 80, price: price(1.2) }] });
    expect(world.view.exposure - before).toBe(Math.round((usd(70_000 * 2.4) / 1.5) * 0.75 * 0.5));
    world.run({ type: 'setMarks', classes: [{ class: 0, price: price(0.4) }], hours: [] });
    expect(world.view.exposure).toBeGreaterThan(usd(720_000));
    const fallen = world.days(5);
    expect(world.notices(fallen.events)).toEqual(['exposure_warning', 'margin_call', 'forced_resale']);
    expect(world.view).toMatchObject({ state: 'cancel_only', frozenFraction: 0 });
    const offers = all(fallen.events, 'resaleForced');
    expect(offers).toHaveLength(24);
    expect(offers.every(({ mark }) => mark === price(0.4))).toBe(true);
    expect(states(world.days(6).events)).toEqual(['frozen']);
    expect(world.view.frozenFraction).toBe(MICRO);
    world.run({ type: 'setMarks', classes: [{ class: 0, price: price(2.4) }], hours: [] });
    expect(states(world.days(7).events)).toEqual(['active']);
    expect(openOrders(world.engine, borrower)).toEqual([]);
    expect(world.broken).toEqual([]);
  });
});

describe('the parts of a day that ends', () => {
  /** A facility that is looked at in a later part than the first, on the day on which it defaults. */
  function waiting(): { world: World; borrower: number; facility: number; lot: number } {
    const world = new World();
    const others = world.company('borrower', 'others');
    const lender = world.company('lender');
    world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(500_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(500_000_000), minimumAnnualRate: 50_000 });
    for (let other = 0; other < 260; other++) world.run({ type: 'applyFacility', company: others, amount: usd(10_000), months: 12, method: 'annuity', application: APPLICATION });
    const { borrower, facility, lot } = financed(world);
    return { world, borrower, facility, lot };
  }

  it('burn what is left of a lot once, though a return comes in between', () => {
    const { world, borrower, facility, lot } = waiting();
    const due = Math.floor(addMonths(START, 1) / MILLIS_PER_DAY);
    const tick = (now: number): void => {
      world.run({ type: 'tick', now });
      while (world.engine.hasWork) world.run({ type: 'tick', now: world.engine.now });
    };
    for (let day = Math.floor(START / MILLIS_PER_DAY) + 1; day < due + 90; day++) tick(day * MILLIS_PER_DAY);
    world.run({ type: 'tick', now: (due + 90) * MILLIS_PER_DAY });
    expect(world.engine.hasWork).toBe(true);
    expect(world.engine.query('facility', { facility })?.state).toBe('frozen');
    // The return ends the facility's day first: it defaults, and all of the lot is burnt.
    const returned = world.run({ type: 'returnCredits', company: borrower, facility, lot, credits: usd(600_000) });
    expect(returned.rejected).toBe('insufficient_credits');
    expect(all(returned.events, 'creditsReturned')).toMatchObject([{ credits: usd(600_000) }]);
    while (world.engine.hasWork) expect(all(world.run({ type: 'tick', now: world.engine.now }).events, 'creditsReturned')).toEqual([]);
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });
});

describe('an hour', () => {
  it('is not bought with a loan that matures before it begins', () => {
    const world = new World();
    const lender = world.company('lender');
    const borrower = world.company('borrower');
    world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(5_000_000), minimumAnnualRate: 50_000 });
    world.run({ type: 'applyFacility', company: borrower, amount: usd(1_000_000), months: 1, method: 'bullet', application: APPLICATION, loanRules: LOAN_RULES });
    world.run({ type: 'acceptFacility', company: borrower, facility: 0 });
    world.run({ type: 'draw', company: borrower, facility: 0, amount: usd(100_000) });
    const last = addMonths(START, 1) / MILLIS_PER_HOUR;
    expect(world.bid(borrower, 2, 1, { hour: last }).rejected).toBeUndefined();
    expect(world.bid(borrower, 2, 1, { hour: last + 1 }).rejected).toBe('facility_not_active');
  });
});

describe('options of a facility', () => {
  it('draw on demand takes what a bid is short of, at least 1,000 USD, in the same command', () => {
    const world = new Loan();
    const { borrower, facility, lot } = world.loan;
    world.run({ type: 'returnCredits', company: borrower, facility, lot, credits: usd(600_000) });
    expect(world.bid(borrower, 2, 100).rejected).toBe('insufficient_credits');
    world.run({ type: 'setFacilityOption', company: borrower, facility, drawOnDemand: true });
    const small = world.bid(borrower, 2, 100);
    expect(one(small.events, 'facilityDrawn').amount).toBe(usd(1_000));
    const large = world.bid(borrower, 2, 10_000);
    // 20,100 with the fee, less the 1,299 left of the first draw, at 1.50.
    expect(one(large.events, 'facilityDrawn').amount).toBe(usd(12_534));
    expect(one(large.events, 'orderAccepted').hold).toBe(usd(20_100));
    expect(world.broken).toEqual([]);
  });
});

describe('leaving early', () => {
  it('returns the fee with credit that is returned within two weeks', () => {
    const world = new Loan();
    const { borrower, facility, lot } = world.loan;
    const returned = world.run({ type: 'returnCredits', company: borrower, facility, lot, credits: usd(300_000) });
    expect(one(returned.events, 'creditsReturned').principal).toBe(usd(200_000));
    expect(one(returned.events, 'returnSettled')).toMatchObject({ deduction: 0, feeRefund: usd(3_000) });
    expect(world.view.principal).toBe(usd(203_000));
    world.days(15);
    expect(all(world.run({ type: 'returnCredits', company: borrower, facility, lot, credits: usd(10) }).events, 'returnSettled')).toEqual([]);
    expect(world.broken).toEqual([]);
  });

  it('costs the difference of the conversions on what was consumed', () => {
    const world = new Loan();
    const provider = world.provider();
    const { borrower, facility, lot } = world.loan;
    world.ask(provider, 2.4, 10_000, {});
    const { allocation } = one(world.bid(borrower, 2.4, 10_000).events, 'fill');
    world.run({
      type: 'capture', company: borrower, allocation, gpu: gpuHours(10_000) * 36_000_000, request: 'all', model: NONE, promptTokens: 0, completionTokens: 0,
      detail: { key: '', endpoint: '', spotFees: 0, estimated: false },
    });
    world.days(20);
    const returned = world.run({ type: 'returnCredits', company: borrower, facility, lot, credits: usd(300_000) });
    // 24,120 CR consumed at 1.50 instead of 1.25, the tier of less than six months.
    const deduction = Math.round(usd(24_120) / 1.25) - Math.round(usd(24_120) / 1.5);
    expect(one(returned.events, 'returnSettled')).toMatchObject({ deduction, feeRefund: 0 });
    expect(one(returned.events, 'creditsReturned').principal).toBe(usd(200_000) - deduction);
    expect(postings(returned.events, accountNameOf)).toMatchObject({ 'income.spread': -deduction, 'cash.ops': deduction, 'loan.principal': deduction - usd(200_000) });
    // It is paid once.
    expect(all(world.run({ type: 'returnCredits', company: borrower, facility, lot, credits: usd(1_000) }).events, 'returnSettled')).toEqual([]);
    expect(world.broken).toEqual([]);
  });
});

describe('lots', () => {
  it('tell of their end 30, 7 and 1 days before, and what is left of a grant comes back to its sponsor', () => {
    const world = new World();
    const sponsor = world.company('lender');
    const lab = world.company('borrower');
    world.run({ type: 'deposit', company: sponsor, amount: usd(1_000), reference: '' });
    const granted = world.run({ type: 'grantCredits', company: sponsor, recipient: lab, amount: usd(1_000) });
    expect(one(granted.events, 'lotMinted')).toMatchObject({ source: 'grant', company: lab, credits: usd(1_500) });
    const end = addMonths(START, 12);
    const alerts = world.run({ type: 'tick', now: end - 1 }).events;
    expect(all(alerts, 'lotExpiring').map(({ days, credits }) => [days, credits])).toEqual([[30, usd(1_500)], [7, usd(1_500)], [1, usd(1_500)]]);
    world.run({ type: 'tick', now: end });
    expect(world.engine.query('balances', { company: sponsor }).usd).toBe(usd(1_000));
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });
});

describe('lenders', () => {
  const apply = (borrower: number, amount: number): ApplyFacility => ({ type: 'applyFacility', company: borrower, amount: usd(amount), months: 12, method: 'annuity', application: APPLICATION });
  const mandate = (company: number, amount: number, minimumAnnualRate: number): Command => ({
    type: 'createMandate', bankCovers: true, company, amount: usd(amount), grades: ['A'], maximumPerBorrower: usd(amount), minimumAnnualRate,
  });

  it('the cheapest mandate that fits funds, then the oldest; where none does, several in parts', () => {
    const world = new World();
    const [dear, cheap, cheapToo] = ['dear', 'cheap', 'cheap too'].map((name) => world.company('lender', name));
    world.run(mandate(dear, 5_000_000, 90_000));
    world.run(mandate(cheap, 1_000_000, 60_000));
    world.run(mandate(cheapToo, 1_000_000, 60_000));
    const borrower = world.company('borrower');
    expect(one(world.run(apply(borrower, 900_000)).events, 'facilityOffered').lender).toBe(cheap);
    expect(one(world.run(apply(borrower, 1_500_000)).events, 'facilityOffered').lender).toBe(dear);
    world.run({ type: 'acceptFacility', company: borrower, facility: 1 });
    const shared = one(world.run(apply(borrower, 4_500_000)).events, 'facilityTerms');
    expect(shared.shares.map(({ lender, amount }) => [lender, amount])).toEqual([[cheap, usd(1_000_000 - 900_000)], [cheapToo, usd(1_000_000)], [dear, usd(3_400_000)]]);
  });

  it('earn their own rates on their parts, to the last unit', () => {
    const world = new World();
    const [a, b] = ['a', 'b'].map((name) => world.company('lender', name));
    world.run(mandate(a, 700_000, 60_000));
    world.run(mandate(b, 700_000, 80_000));
    const borrower = world.company('borrower');
    world.run(apply(borrower, 1_000_000));
    world.run({ type: 'acceptFacility', company: borrower, facility: 0 });
    world.run({ type: 'draw', company: borrower, facility: 0, amount: usd(400_000) });
    const sums: Record<string, number> = {};
    for (let day = 1; day <= 30; day++) {
      for (const { entries } of all(world.run({ type: 'tick', now: START + day * MILLIS_PER_DAY }).events, 'posted')) {
        for (let at = 0; at < entries.length; at += 2) if (accountNameOf(entries[at]) === 'fund.payable') sums[entries[at] % 2 ** 40] = (sums[entries[at] % 2 ** 40] ?? 0) - entries[at + 1];
      }
    }
    const interest = world.engine.query('facility', { facility: 0 })?.accruedInterest ?? 0;
    expect(sums[a]).toBe(Math.round((interest * 0.7 * 6) / 11));
    expect(sums[b]).toBe(Math.round((interest * 0.3 * 8) / 11));
    for (const lender of [a, b]) expect(world.engine.query('facilities', { company: lender, lender: true })).toHaveLength(1);
  });

  it('may decline within a day; another takes the place, or the offer ends', () => {
    const world = new World();
    const [a, b] = ['a', 'b'].map((name) => world.company('lender', name));
    world.run(mandate(a, 1_000_000, 60_000));
    world.run(mandate(b, 1_000_000, 70_000));
    const borrower = world.company('borrower');
    world.run(apply(borrower, 1_000_000));
    world.run({ type: 'acceptFacility', company: borrower, facility: 0 });
    expect(one(world.run({ type: 'declineFacility', company: a, facility: 0, reason: 'sector' }).events, 'facilityReassigned').lender).toBe(b);
    expect(world.engine.query('mandates', { company: a })[0].committed).toBe(0);
    expect(states(world.run({ type: 'declineFacility', company: b, facility: 0, reason: 'sector' }).events)).toEqual(['closed']);
    world.run(apply(borrower, 1_000_000));
    world.run({ type: 'tick', now: START + MILLIS_PER_DAY + 1 });
    expect(world.run({ type: 'declineFacility', company: a, facility: 1, reason: 'late' }).rejected).toBe('invalid_state');
    expect(states(world.run({ type: 'tick', now: START + 14 * MILLIS_PER_DAY }).events)).toEqual(['declined']);
    expect(world.run({ type: 'acceptFacility', company: borrower, facility: 1 }).rejected).toBe('invalid_state');
  });
});

describe('decisions', () => {
  it('are overruled by operators alone, and keep what the scorecard said', () => {
    const world = new World();
    const lender = world.company('lender');
    world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5e6), grades: ['C'], maximumPerBorrower: usd(5e6), minimumAnnualRate: 50_000 });
    const borrower = world.company('borrower');
    const operator = world.company('operator');
    const weak = { ...APPLICATION, cash: usd(100_000), pastDaysOverdue: 90 };
    world.run({ type: 'applyFacility', company: borrower, amount: usd(100_000), months: 6, method: 'annuity', application: weak });
    const command = {
      type: 'overruleFacility', company: operator, borrower, amount: usd(100_000), months: 6, method: 'annuity', grade: 'C', annualRate: 180_000, application: weak, reason: 'guarantee',
    } as const;
    expect(world.run({ ...command, company: lender }).rejected).toBe('not_authorized');
    const { events } = world.run(command);
    expect(one(events, 'facilityOffered')).toMatchObject({ grade: 'C', annualRate: 180_000, conversionRate: 1_250_000 });
    const { decision } = one(events, 'facilityTerms');
    expect(decision).toMatchObject({ version: 1, overruledBy: operator, overruling: 'guarantee' });
    expect(decision.defaultProbability).toBeGreaterThan(150_000);
  });

  it('are made again when the borrower counters', () => {
    const world = new Loan();
    const { borrower } = world.loan;
    const { facility } = one(world.run({ type: 'applyFacility', company: borrower, amount: usd(500_000), months: 12, method: 'annuity', application: APPLICATION }).events, 'facilityOffered');
    const { events } = world.run({ type: 'counterOffer', company: borrower, facility, amount: usd(400_000), months: 6, method: 'bullet' });
    expect(one(events, 'facilityStateChanged')).toMatchObject({ facility, state: 'declined', reason: 'countered' });
    expect(one(events, 'facilityOffered')).toMatchObject({ amount: usd(400_000), months: 6, conversionRate: 1_400_000 });
  });
});

describe('covenants', () => {
  it('see use on each of the thirty days before a test, that of the test before included', () => {
    const world = new Loan();
    const { borrower, facility } = world.loan;
    world.run({ type: 'draw', company: borrower, facility, amount: usd(400_000) });
    world.ask(world.provider(), 2.5, 40_000);
    const used = (day: number): boolean[] => all(world.days(day).events, 'covenantTested').filter(({ covenant }) => covenant === 'use').map(({ value }) => value > 0);
    world.bid(borrower, 2.5, 1_000);
    expect([used(29), used(30), used(60)]).toEqual([[], [true], [false]]);
    world.pay(usd(150_000));
    world.ask(world.provider(), 2.5, 1_000, { hour: HOUR + 60 * 24 });
    expect(one(world.bid(borrower, 2.5, 1_000, { hour: HOUR + 60 * 24 }).events, 'fill').quantity).toBe(gpuHours(1_000));
    expect([used(90), used(120)]).toEqual([[true], [false]]);
  });

  it('are tested by what is reported, cured by it, and lead to their consequence when they are not', () => {
    const world = new Loan();
    const { borrower, facility } = world.loan;
    const report = (cash: number, monthlyBurn: number) => world.run({ type: 'reportFinancials', company: borrower, facility, cash: usd(cash), monthlyBurn: usd(monthlyBurn) });
    const broken = report(1_000_000, 500_000);
    expect(all(broken.events, 'covenantTested').map((event: EventOf<'covenantTested'>) => [event.covenant, event.kept])).toEqual([['runway', false], ['minimum_cash', true]]);
    expect(world.view.state).toBe('watch');
    expect(states(report(5_000_000, 500_000).events)).toEqual(['active']);
    report(1_000_000, 500_000);
    world.days(30);
    expect(world.view.state).toBe('watch');
    world.days(31);
    expect(world.view.state).toBe('cancel_only');
    expect(world.bid(borrower, 2, 1, { hour: HOUR + 24 * 40, side: BUY }).rejected).toBe('facility_not_active');
    expect(states(report(5_000_000, 500_000).events)).toEqual(['active']);
    expect(world.broken).toEqual([]);
  });
});

describe('kill switches', () => {
  it('stop mints, draws and payouts', () => {
    const world = new Loan();
    const { borrower, lender, facility } = world.loan;
    const turn = (name: 'mint' | 'draw' | 'payout', on: boolean, company = world.operator) => world.run({ type: 'setSwitch', company, name, on, reason: 'drill' });
    expect(turn('mint', true, lender).rejected).toBe('not_authorized');
    turn('mint', true);
    expect(world.run({ type: 'draw', company: borrower, facility, amount: usd(1_000) }).rejected).toBe('mints_stopped');
    expect(world.run({ type: 'prepay', company: world.buyer(10, 'x'), amount: usd(1) }).rejected).toBeDefined();
    turn('mint', false);
    turn('draw', true);
    expect(world.run({ type: 'draw', company: borrower, facility, amount: usd(1_000) }).rejected).toBe('draws_stopped');
    turn('draw', false);
    turn('payout', true);
    expect(world.run({ type: 'payout', company: borrower }).rejected).toBe('payouts_stopped');
    expect(world.run({ type: 'withdraw', company: borrower, amount: 1 }).rejected).toBe('payouts_stopped');
    expect(world.engine.query('switches', {}).switches.payout).toMatchObject({ on: true, reason: 'drill', by: world.operator });
  });

  it('refuse prices of money that outstanding credit cannot bear', () => {
    const world = new Loan();
    const set = (redemptionRate: number, spreadMinimum: number, conversionRate: number) => world.run({ type: 'setMoneyRules', company: world.operator, redemptionRate, spreadMinimum, conversionRate }).rejected;
    expect(set(646_600, 20_000, 0)).toBeUndefined();
    expect(set(646_700, 20_000, 0)).toBe('guard_violated');
    expect(set(900_000, 20_000, 1_000_000)).toBe('guard_violated');
  });
});
