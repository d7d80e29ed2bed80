/** What financed credit may not do by a buy block, or by a draw on demand, any more than by a single bid. */
import { describe, expect, it } from 'vitest';
import { BUY, FOK, IOC, LOAN_RULES, MARKET, NONE, SELL } from '../vocabulary.ts';
import type { PlaceBlock } from '../commands.ts';
import { addMonths } from '../numbers/calendar.ts';
import { MICRO, MILLIS_PER_HOUR } from '../numbers/units.ts';
import { RULES_VERSION } from '../rules.ts';
import { Loan } from '../test/loan.ts';
import { APPLICATION, HOUR, START, World, all, gpuHours, one, price, usd } from '../test/world.ts';
import type { Result } from '../test/world.ts';

const block = (world: World, company: number, credits: number, hours: number, fromHour: number, toHour: number, changes: Partial<PlaceBlock> = {}): Result =>
  world.run({
    type: 'placeBlock', company, market: 0, fromHour, toHour, side: BUY, price: price(credits), quantity: gpuHours(hours), timeInForce: FOK, minimumAcceptanceRatio: MICRO,
    model: NONE, clientOrderId: '', ...changes,
  });

/** A facility of a month, of which 100,000 USD are drawn. */
function month(rulesVersion: number): { world: World; borrower: number; facility: number; last: number } {
  const world = new World();
  world.engine.rulesVersion = rulesVersion;
  const lender = world.company('lender');
  const borrower = world.company('borrower');
  world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(5_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(5_000_000), minimumAnnualRate: 50_000 });
  world.run({ type: 'applyFacility', company: borrower, amount: usd(1_000_000), months: 1, method: 'bullet', application: APPLICATION, loanRules: LOAN_RULES });
  world.run({ type: 'acceptFacility', company: borrower, facility: 0 });
  world.run({ type: 'draw', company: borrower, facility: 0, amount: usd(100_000) });
  return { world, borrower, facility: 0, last: addMonths(START, 1) / MILLIS_PER_HOUR };
}

describe('a buy block', () => {
  it('may not reach beyond the maturity of the loan that pays for it', () => {
    const { world, borrower, last } = month(RULES_VERSION);
    expect(block(world, borrower, 2, 1, last - 1, last + 1).rejected).toBeUndefined();
    expect(block(world, borrower, 2, 1, last - 1, last + 2).rejected).toBe('facility_not_active');
    // Which stands before its price in the order of precedence.
    expect(block(world, borrower, 200, 1, last - 1, last + 2).rejected).toBe('facility_not_active');
    expect(world.bid(borrower, 200, 1, { hour: last + 1 }).rejected).toBe('facility_not_active');
    const before = month(3);
    expect(block(before.world, before.borrower, 2, 1, last - 1, last + 2).rejected).toBeUndefined();
  });

  it('is refused when one of its hours has asks of barred providers alone', () => {
    const world = new Loan();
    const { borrower } = world.loan;
    const [much, little] = [world.provider(100_000, 'much'), world.provider(100_000, 'little')];
    // 50,000 USD of the million are 75,000 CR.
    world.ask(much, 2.4, 32_000);
    one(world.bid(borrower, 2.4, 32_000).events, 'fill');
    const [from, to] = [HOUR + 10, HOUR + 12];
    world.ask(little, 2, 10, { hour: from });
    world.ask(much, 2, 10, { hour: to - 1 });
    expect(block(world, borrower, 2, 10, from, to).rejected).toBe('concentration');
    world.ask(little, 2, 10, { hour: to - 1 });
    expect(one(block(world, borrower, 2, 10, from, to).events, 'blockExecuted').quantity).toBe(gpuHours(10));
  });

  describe('that would pay a provider group more than it may have, 75,000 CR', () => {
    const market = (): { world: Loan; borrower: number; much: number } => {
      const world = new Loan();
      const much = world.provider(100_000, 'much');
      for (let hour = HOUR + 10; hour < HOUR + 16; hour++) for (let ask = 0; ask < 3; ask++) world.ask(much, 2.4, 4_000, { hour });
      return { world, borrower: world.loan.borrower, much };
    };

    it('executes nothing where it is all or nothing, and otherwise what it may', () => {
      const { world, borrower } = market();
      expect(all(block(world, borrower, 2.4, 10_000, HOUR + 10, HOUR + 16).events, 'blockExecuted')).toEqual([]);
      const part = block(world, borrower, 2.4, 10_000, HOUR + 10, HOUR + 16, { timeInForce: IOC, minimumAcceptanceRatio: MICRO / 10 });
      expect(one(part.events, 'blockExecuted').quantity).toBe(gpuHours(5_208.33));
      expect(block(world, borrower, 2.4, 100, HOUR + 10, HOUR + 16).rejected).toBe('concentration');
      expect(world.broken).toEqual([]);
    });

    it('buys of others', () => {
      const { world, borrower } = market();
      const others = ['another', 'a third'].map((name) => world.provider(100_000, name));
      for (let hour = HOUR + 10; hour < HOUR + 16; hour++) world.ask(others[hour % 2], 2.4, 5_000, { hour });
      // 5,000 in each hour cost 72,000.
      expect(one(block(world, borrower, 2.4, 5_000, HOUR + 10, HOUR + 16).events, 'blockExecuted').quantity).toBe(gpuHours(5_000));
      expect(one(block(world, borrower, 2.4, 5_000, HOUR + 10, HOUR + 16).events, 'blockExecuted').quantity).toBe(gpuHours(5_000));
      expect(world.broken).toEqual([]);
    });

    it('is not met by a seller\'s block more than it may', () => {
      const world = new Loan();
      const { borrower } = world.loan;
      const much = world.provider(100_000, 'much');
      const [from, to] = [HOUR + 10, HOUR + 14];
      for (let hour = from; hour < to; hour++) for (let bid = 0; bid < 2; bid++) world.bid(borrower, 2.4, 5_000, { hour });
      const sell = (quantity: number): unknown[] => all(block(world, much, 2.4, quantity, from, to, { side: SELL }).events, 'blockExecuted').map((executed) => executed.quantity);
      expect([sell(10_000), sell(7_000), sell(1_000)]).toEqual([[], [gpuHours(7_000)], []]);
      expect(world.broken).toEqual([]);
    });
  });

  it('counts each hour by its own mark and distance', () => {
    // 448,000 USD have bought what is worth next to nothing; of 190,000 more a quarter of what the hours are worth is taken off. The limit is 600,000.
    const outcome = (rulesVersion: number, laterMark: number): string | undefined => {
      const world = spent(rulesVersion, 250_000);
      const from = HOUR + 24 * 60;
      const marks = [2.45, laterMark, laterMark, laterMark].map((mark, index) => ({ market: 0, hour: from + index, price: price(mark) }));
      world.run({ type: 'setMarks', classes: [{ class: 0, price: price(0.0001) }], hours: marks });
      return block(world, world.loan.borrower, 2.45, 29_000, from, from + 4).rejected;
    };
    expect(outcome(RULES_VERSION, 2.45)).toBeUndefined();
    expect(outcome(RULES_VERSION, 0.1)).toBe('exposure');
    expect(outcome(3, 0.1)).toBeUndefined();
  });
});

/** 400,000 USD and as much more have been drawn, and 448,000 of them spent on four hours within two days. */
function spent(rulesVersion: number, more: number): Loan {
  const world = new Loan();
  world.engine.rulesVersion = rulesVersion;
  const { borrower, facility } = world.loan;
  world.run({ type: 'draw', company: borrower, facility, amount: usd(more) });
  for (let index = 0; index < 4; index++) {
    world.days(Math.floor(index / 2));
    const hour = HOUR + 24 * 50 + index;
    // A group may have 50,000 USD: every purchase takes three others.
    for (let seller = 0; seller < 3; seller++) world.ask(world.provider(100_000, `p${index}.${seller}`), 2.4, 25_000, { hour });
    expect(all(world.bid(borrower, 2.4, 70_000, { hour, timeInForce: FOK }).events, 'fill')).toHaveLength(3);
  }
  world.days(2);
  return world;
}

describe('a draw on demand', () => {
  it('is judged by what it is spent on', () => {
    const outcome = (rulesVersion: number, mark: number): string | undefined => {
      const world = spent(rulesVersion, 150_000);
      const { borrower, facility } = world.loan;
      world.run({ type: 'setFacilityOption', company: borrower, facility, drawOnDemand: true });
      world.run({ type: 'setMarks', classes: [{ class: 0, price: price(mark) }], hours: [] });
      // 149,640 CR are left; as much again is drawn.
      return world.bid(borrower, 2.5, 119_000, { hour: HOUR + 24 * 60 }).rejected;
    };
    expect(outcome(RULES_VERSION, 2.5)).toBeUndefined();
    expect(outcome(RULES_VERSION, 0.0001)).toBe('exposure');
    expect(outcome(3, 0.0001)).toBeUndefined();
  });

  it('does not draw from a loan that matures before the hour', () => {
    const { world, borrower, facility, last } = month(RULES_VERSION);
    world.run({ type: 'setFacilityOption', company: borrower, facility, drawOnDemand: true });
    expect(world.bid(borrower, 2.5, 60_000, { hour: last + 1 }).rejected).toBe('facility_not_active');
    expect(world.bid(borrower, 2.5, 60_000, { hour: last }).rejected).toBeUndefined();
  });

  it('is not made for what leaves without a trade', () => {
    const left = (rulesVersion: number, place: (world: Loan, hour: number) => Result): [drawn: number, available: number, status: string[]] => {
      const world = spent(rulesVersion, 250_000);
      world.run({ type: 'setMarks', classes: [{ class: 0, price: price(2.5) }], hours: [] });
      const { borrower, facility } = world.loan;
      world.run({ type: 'setFacilityOption', company: borrower, facility, drawOnDemand: true });
      const hour = HOUR + 24 * 60;
      world.ask(world.provider(100_000, 'seller'), 2, 100, { hour });
      const before = world.view.drawn;
      const { events } = place(world, hour);
      expect(world.broken).toEqual([]);
      return [world.view.drawn - before, world.engine.query('balances', { company: borrower }).held, all(events, 'orderDone').map(({ reason }) => reason)];
    };
    // Of 100 hours at 2 too many are asked for, too little is paid, or a block has no second hour.
    const tooMany = (world: Loan, hour: number) => world.bid(world.loan.borrower, 2, 170_000, { hour, timeInForce: FOK });
    const tooLow = (world: Loan, hour: number) => world.bid(world.loan.borrower, 1.9, 175_000, { hour, timeInForce: IOC });
    const noHour = (world: Loan, hour: number) => block(world, world.loan.borrower, 2, 85_000, hour, hour + 2);
    expect(left(RULES_VERSION, tooMany)).toEqual([0, 0, ['fok']]);
    expect(left(RULES_VERSION, tooLow)).toEqual([0, 0, ['ioc']]);
    expect(left(RULES_VERSION, noHour)).toEqual([0, 0, ['fok']]);
    for (const place of [tooMany, tooLow, noHour]) expect(left(5, place)[0]).toBeGreaterThan(0);
    // Of some it executes as much as its own credit pays.
    const some = (world: Loan, hour: number) => world.bid(world.loan.borrower, 2, 170_000, { hour, timeInForce: IOC });
    expect(left(RULES_VERSION, some)).toEqual([0, 0, ['filled', 'ioc']]);
    expect(left(5, some)[0]).toBeGreaterThan(0);
  });

  it('is made for what a bid that cannot wait executes, not for what it asks for', () => {
    const bought = (own: number, offered: number, place: (world: World, borrower: number, hour: number) => Result, rulesVersion = RULES_VERSION): { drawn: number; held: number; hours: number } => {
      const { world, borrower, facility } = month(rulesVersion);
      // What was drawn is spent but for `own`.
      const hour = HOUR + 24 * 20;
      const available = (): number => world.engine.query('balances', { company: borrower }).available / MICRO;
      for (const name of ['first', 'second', 'third']) world.ask(world.provider(100_000, name), 1, 42_000, { hour: HOUR + 24 });
      world.bid(borrower, 1, Math.floor((available() - own) / 1.005), { hour: HOUR + 24 });
      world.run({ type: 'setFacilityOption', company: borrower, facility, drawOnDemand: true });
      const seller = world.provider(100_000, 'seller');
      for (const later of [0, 1]) world.ask(seller, 1.8, offered, { hour: hour + later });
      const before = world.engine.query('facility', { facility })?.drawn ?? 0;
      const { events } = place(world, borrower, hour);
      expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
      const { held } = world.engine.query('balances', { company: borrower });
      return { drawn: ((world.engine.query('facility', { facility })?.drawn ?? 0) - before) / MICRO, held, hours: all(events, 'fill').reduce((sum, { quantity }) => sum + quantity, 0) / gpuHours(1) };
    };
    const ioc = (world: World, borrower: number, hour: number) => world.bid(borrower, 1.9033, 40_000, { hour, timeInForce: IOC });
    const fok = (world: World, borrower: number, hour: number) => world.bid(borrower, 1.9033, 4_000, { hour, timeInForce: FOK });
    const market = (world: World, borrower: number, hour: number) => world.bid(borrower, 0, 40_000, { hour, orderType: MARKET, price: NONE, timeInForce: IOC });
    const blocks = (world: World, company: number, hour: number) =>
      world.run({ type: 'placeBlock', company, market: 0, fromHour: hour, toHour: hour + 2, side: BUY, price: price(1.9), quantity: gpuHours(20_000), timeInForce: IOC, minimumAcceptanceRatio: 1, model: NONE, clientOrderId: '' });
    for (const place of [ioc, market]) {
      expect(bought(300, 40, place)).toEqual({ drawn: 0, held: 0, hours: 40 });
      // 4,000 hours at 1.8 are 7,236 CR with the fee; some 5,000 to 6,000 USD buy what is missing of them.
      const some = bought(300, 4_000, place);
      expect(some).toMatchObject({ held: 0, hours: 4_000 });
      expect(some.drawn).toBeGreaterThan(4_000);
      expect(some.drawn).toBeLessThan(6_000);
    }
    expect(bought(7_300, 4_000, fok)).toEqual({ drawn: 0, held: 0, hours: 4_000 });
    expect(bought(300, 40, blocks)).toEqual({ drawn: 0, held: 0, hours: 80 });
    expect(bought(300, 40, ioc, 5).drawn).toBeGreaterThan(40_000);
  });
});
