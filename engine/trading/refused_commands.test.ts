/** Every code that is not of orders alone, each by a command that anybody may send; refusals.test.ts has those of orders. */
import { describe, expect, it } from 'vitest';
import { REJECT_CODES } from '../catalogue.ts';
import type { RejectCode } from '../catalogue.ts';
import type { Command } from '../commands.ts';
import { APPLICATION, START, World, all, financed, one, usd } from '../test/world.ts';
import { MICRO } from '../numbers/units.ts';

class Market extends World {
  readonly operator = this.company('operator');
  readonly loan = financed(this);
  readonly seller = this.provider();
  readonly member = this.buyer();

  turn(name: 'mint' | 'draw' | 'payout'): void {
    this.run({ type: 'setSwitch', company: this.operator, name, on: true, reason: 'drill' });
  }
  draw(amount: number): Command {
    return { type: 'draw', company: this.loan.borrower, facility: this.loan.facility, amount: usd(amount) };
  }
  /** An allocation of ten hours of the member. */
  bought(): number {
    this.ask(this.seller, 2, 10);
    return all(this.bid(this.member, 2, 10).events, 'fill')[0].allocation;
  }
  capture(allocation: number, gpu: number): Command {
    return {
      type: 'capture', company: this.member, allocation, gpu, request: 'r', model: 0, promptTokens: 1, completionTokens: 1,
      detail: { key: 'key', endpoint: 'endpoint', spotFees: 0, estimated: false },
    };
  }
}

const REFUSED: Partial<Record<RejectCode, (market: Market) => Command>> = {
  unknown_order: ({ member }) => ({ type: 'cancel', company: member, order: 12_345 }),
  unknown_company: () => ({ type: 'deposit', company: 999, amount: 1, reference: '' }),
  unknown_facility: ({ loan }) => ({ type: 'acceptFacility', company: loan.borrower, facility: 999 }),
  unknown_lot: ({ loan }) => ({ type: 'returnCredits', company: loan.borrower, facility: loan.facility, lot: 999, credits: 1 }),
  unknown_mandate: ({ loan }) => ({ type: 'changeMandate', company: loan.lender, mandate: 999, close: true }),
  unknown_allocation: (market) => market.capture(999, 1),
  invalid_state: ({ loan }) => ({ type: 'unfreeze', company: loan.lender, facility: loan.facility }),
  invalid_parameter: ({ member }) => ({ type: 'cancelAfter', company: member, after: -1 }),
  insufficient_funds: ({ member }) => ({ type: 'withdraw', company: member, amount: 1 }),
  limit_exceeded: (market) => market.draw(600_001),
  draws_stopped: (market) => {
    market.turn('draw');
    return market.draw(1_000);
  },
  mints_stopped: (market) => {
    market.turn('mint');
    return market.draw(1_000);
  },
  payouts_stopped: (market) => {
    market.turn('payout');
    return { type: 'payout', company: market.seller };
  },
  guard_violated: ({ operator }) => ({ type: 'setMoneyRules', company: operator, redemptionRate: MICRO, spreadMinimum: 0, conversionRate: 0 }),
  no_mandate: ({ operator, member }) => ({
    type: 'overruleFacility', company: operator, borrower: member, amount: usd(1_000_000), months: 12, method: 'annuity', grade: 'A', annualRate: 0, application: APPLICATION,
    reason: 'cheaper than any lender lends',
  }),
  budget_exhausted: (market) => {
    const allocation = market.bought();
    return market.capture(allocation, 10 * 3_600 * MICRO + 1);
  },
  idempotency_mismatch: (market) => {
    market.run({ type: 'tick', now: START }, 'key', 'one body');
    return { type: 'tick', now: START };
  },
};

/** Codes of the catalogue that no command is refused with, and why. */
const NOT_OF_COMMANDS: Partial<Record<RejectCode, string>> = {
  declined: 'an application that is declined was answered, not refused; the calculator of conversions tells it',
  credits_blocked: 'the authoriser of requests for inference tells it, which stands beside the journal',
};
const OF_ORDERS = REJECT_CODES.indexOf('minimum_quantity') + 1;

describe('a command is refused with', () => {
  it.each(Object.entries(REFUSED))('%s', (code, prepare) => {
    const market = new Market();
    const command = prepare(market);
    const { events, rejected } = market.run(command, code === 'idempotency_mismatch' ? 'key' : '', 'another body');
    expect(rejected).toBe(code);
    expect(events.map(({ kind }) => kind)).toEqual(['command', 'rejected']);
    expect(market.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });

  it('every code of the catalogue that commands are refused with at all', () => {
    const told = [...Object.keys(REFUSED), ...Object.keys(NOT_OF_COMMANDS)];
    expect(new Set(told)).toEqual(new Set(REJECT_CODES.slice(OF_ORDERS)));
    for (const [code, why] of Object.entries(NOT_OF_COMMANDS)) process.stdout.write(`no command is refused with ${code}: ${why}\n`);
  });

  it('nothing when an application is declined: it was answered', () => {
    const market = new Market();
    const poor = { ...APPLICATION, cash: 1, monthlyRevenue: 0, grossMargin: 0, cashTrend3m: -900_000, topCustomer: 900_000, forecastError: 900_000, pastDaysOverdue: 90 };
    const { events, rejected } = market.run({ type: 'applyFacility', company: market.member, amount: usd(1_000_000), months: 12, method: 'annuity', application: poor });
    expect(rejected).toBeUndefined();
    expect(one(events, 'facilityDeclined').company).toBe(market.member);
  });
});
