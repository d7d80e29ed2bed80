/** Under which event a posting is listed. */
import { expect, test } from 'vitest';
import { EVENT_KINDS } from '../../engine/events.ts';
import type { EngineEvent } from '../../engine/events.ts';
import { Loan } from '../../engine/test/loan.ts';
import { usd } from '../../engine/test/world.ts';
import { causeOf } from './ledger.ts';

const causes = (events: readonly EngineEvent[]): string[] => events.flatMap((event, index) => (event.kind === 'posted' ? [EVENT_KINDS[causeOf(events, index)]] : []));

test('a repayment is one, whichever instalments it pays and whatever plan follows', () => {
  const world = new Loan();
  world.days(world.dueDay(1));
  // The first payment of interest takes its fraction of a cent along, which is accrued, not repaid.
  expect(causes(world.pay(usd(10_000)).events)).toEqual(['deposited', 'interestAccrued', 'repaid']);
  expect(causes(world.pay(usd(200_000)).events)).toEqual(['deposited', 'repaid']);
});

test('a write-off is one', () => {
  const world = new Loan();
  world.run({ type: 'returnCredits', company: world.loan.borrower, facility: world.loan.facility, lot: world.loan.lot, credits: usd(1) });
  const { events } = world.days(world.dueDay(1) + 180);
  const last = events.slice(events.findLastIndex(({ kind }) => kind === 'provisioned') + 1);
  expect(causes(last).slice(0, 2)).toEqual(['facilityWrittenOff', 'facilityWrittenOff']);
});
