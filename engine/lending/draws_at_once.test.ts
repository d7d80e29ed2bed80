/** In random books what is drawn on demand for a bid that cannot wait is what it lacks of what it executes. */
import { describe, expect, it } from 'vitest';
import { BUY, CANCEL_BOTH, CANCEL_NEWEST, CANCEL_OLDEST, DECREMENT, FOK, GTC, IOC, LIMIT, LOAN_RULES, MARKET, NONE } from '../vocabulary.ts';
import { PARAMETERS } from '../parameters.ts';
import { MICRO } from '../numbers/units.ts';
import { Random } from '../simulation/random.ts';
import { APPLICATION, HOUR, World, all, gpuHours, price, usd } from '../test/world.ts';
import type { Result } from '../test/world.ts';

const LAST = HOUR + 24;

/** A borrower with a little credit of its own, a facility that draws on demand, and two hours of asks, some hidden, some with a minimum, some of its own group. */
function marketOf(random: Random): { world: World; borrower: number } {
  const world = new World();
  const lender = world.company('lender');
  const borrower = world.buyer(random.between(1, 800), 'borrower', 'own');
  world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(50_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(50_000_000), minimumAnnualRate: 50_000 });
  world.run({ type: 'applyFacility', company: borrower, amount: usd(1_000_000), months: 6, method: 'bullet', application: APPLICATION, loanRules: LOAN_RULES, drawOnDemand: true });
  world.run({ type: 'acceptFacility', company: borrower, facility: 0 });
  const sellers = [world.provider(100_000, 'a'), world.provider(100_000, 'b'), world.provider(100_000, 'mine', 'own')];
  for (let order = random.between(0, 14); order > 0; order--) {
    const hours = random.between(1, 1_500);
    const hides = random.chance(0.3);
    const minimum = !hides && random.chance(0.3);
    world.ask(random.chance(0.15) ? sellers[2] : random.pick(sellers.slice(0, 2)), random.between(18, 22) / 10, hours, {
      hour: random.between(LAST - 1, LAST), displayQuantity: hides ? gpuHours(random.between(1, hours)) : 0, minimumQuantity: minimum ? gpuHours(random.between(1, hours)) : 0,
    });
  }
  return { world, borrower };
}

function buy(world: World, company: number, random: Random): Result {
  const credits = random.between(18, 22) / 10;
  const hours = random.between(1, 6_000);
  if (random.chance(0.3)) {
    return world.run({
      type: 'placeBlock', company, market: 0, fromHour: LAST - 1, toHour: LAST + 1, side: BUY, price: price(credits), quantity: gpuHours(hours), timeInForce: random.pick([IOC, FOK]),
      minimumAcceptanceRatio: random.chance(0.5) ? 1 : MICRO / 4, model: NONE, clientOrderId: '',
    });
  }
  const isMarket = random.chance(0.3);
  return world.bid(company, credits, hours, {
    hour: LAST, orderType: isMarket ? MARKET : LIMIT, ...(isMarket ? { price: NONE } : {}), timeInForce: isMarket && random.chance(0.3) ? GTC : random.pick([IOC, IOC, FOK]),
    selfTradePrevention: random.pick([CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH, DECREMENT]),
  });
}

describe('a draw for a bid that cannot wait', () => {
  it('is of what it lacks, in 150 random books', () => {
    const seen = { drawn: 0, least: 0, none: 0 };
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Random(seed);
      const { world, borrower } = marketOf(random);
      for (let bid = 0; bid < 3; bid++) {
        const before = world.engine.query('balances', { company: borrower }).available;
        const { events, rejected } = buy(world, borrower, random);
        if (rejected !== undefined) continue;
        expect([seed, world.engine.checkInvariants().filter(({ ok }) => !ok)]).toEqual([seed, []]);
        const { available, held } = world.engine.query('balances', { company: borrower });
        expect([seed, held]).toEqual([seed, 0]);
        const spent = all(events, 'fill').reduce((sum, fill) => sum + fill.price * fill.quantity, 0);
        const draws = all(events, 'facilityDrawn');
        if (draws.length === 0) {
          seen.none++;
        } else if (draws[0].amount === PARAMETERS.drawOnDemandMinimum) {
          seen.least++;
          expect(spent * 1.005 + 1).toBeGreaterThan(before);
        } else {
          // A cent buys less than two hundredths of a credit.
          seen.drawn++;
          expect([seed, available < MICRO / 50]).toEqual([seed, true]);
        }
      }
    }
    expect(Object.values(seen).every((count) => count > 10)).toBe(true);
  });
});

describe('a draw for a bid whose credit may not go to every provider', () => {
  /** So much has gone to provider `a`, 50,000 USD but for a fraction, that the facility's credit goes there no more; next to nothing of it is unspent. */
  function barred(): { world: World; borrower: number; providers: number[] } {
    const world = new World();
    const lender = world.company('lender');
    const borrower = world.company('borrower');
    world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(50_000_000), grades: ['A'], maximumPerBorrower: usd(50_000_000), minimumAnnualRate: 50_000 });
    world.run({ type: 'applyFacility', company: borrower, amount: usd(1_000_000), months: 6, method: 'bullet', application: APPLICATION, loanRules: LOAN_RULES, drawOnDemand: true });
    world.run({ type: 'acceptFacility', company: borrower, facility: 0 });
    const providers = [world.provider(100_000, 'a'), world.provider(100_000, 'b')];
    world.ask(providers[0], 2, 34_999.5, { hour: LAST });
    world.bid(borrower, 2, 34_999.5, { hour: LAST, timeInForce: IOC });
    world.ask(providers[0], 1.9, 10_000, { hour: LAST });
    return { world, borrower, providers };
  }
  const drawnIn = (events: Result['events']): number => all(events, 'facilityDrawn').reduce((sum, { amount }) => sum + amount, 0);

  it('is none when the bid is refused', () => {
    const { world, borrower } = barred();
    const { rejected, events } = world.bid(borrower, 2, 20_000, { hour: LAST, timeInForce: IOC });
    expect([rejected, drawnIn(events)]).toEqual(['concentration', 0]);
  });

  it.each([IOC, FOK])('is of what others sell, time in force %i', (timeInForce) => {
    const { world, borrower, providers } = barred();
    world.ask(providers[1], 2, 3_000, { hour: LAST });
    const { events } = world.bid(borrower, 2, timeInForce === FOK ? 3_000 : 20_000, { hour: LAST, timeInForce });
    expect(all(events, 'fill').map(({ quantity }) => quantity)).toEqual([gpuHours(3_000)]);
    // 6,030 CR at 1.40, in whole cents; what the first draw's last cent left pays for a fraction.
    expect(drawnIn(events)).toBe(usd(4_307.14));
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });

  it('is none for what cannot execute as a whole', () => {
    const { world, borrower, providers } = barred();
    world.ask(providers[1], 2, 3_000, { hour: LAST });
    const { events } = world.bid(borrower, 2, 4_000, { hour: LAST, timeInForce: FOK });
    expect([drawnIn(events), all(events, 'fill')]).toEqual([0, []]);
    const block = world.run({
      type: 'placeBlock', company: borrower, market: 0, fromHour: LAST - 1, toHour: LAST + 1, side: BUY, price: price(2), quantity: gpuHours(10), timeInForce: FOK, minimumAcceptanceRatio: 1, model: NONE, clientOrderId: '',
    });
    expect(drawnIn(block.events)).toBe(0);
  });
});
