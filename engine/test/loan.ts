/** A market with a borrower that has drawn 400,000 USD at 11 % for a year. */
import { addMonths } from '../numbers/calendar.ts';
import type { Repay } from '../commands.ts';
import type { EngineEvent } from '../events.ts';
import type { FacilityView } from '../queries.ts';
import { MILLIS_PER_DAY } from '../numbers/units.ts';
import { START, World, all, financed } from './world.ts';
import type { Result } from './world.ts';

export class Loan extends World {
  readonly loan = financed(this);
  operator = this.company('operator');

  get view(): FacilityView {
    const view = this.engine.query('facility', { facility: this.loan.facility });
    if (view === null) throw new Error('no facility');
    return view;
  }
  days(count: number): Result {
    return this.run({ type: 'tick', now: Math.max(this.engine.now, START + count * MILLIS_PER_DAY) });
  }
  /** Days after acceptance on which instalment `number` falls due. */
  dueDay(number: number): number {
    return Math.floor(addMonths(START, number) / MILLIS_PER_DAY) - Math.floor(START / MILLIS_PER_DAY);
  }
  pay(amount: number, mode: Repay['mode'] = 'shorten'): Result {
    return this.run({ type: 'repay', company: this.loan.borrower, facility: this.loan.facility, amount, mode, bankCovers: true });
  }
  /** Invariants that do not hold. */
  get broken(): unknown[] {
    return this.engine.checkInvariants().filter(({ ok }) => !ok);
  }
  notices(events: EngineEvent[]): string[] {
    return all(events, 'facilityNotice').map(({ notice }) => notice);
  }
}

export const states = (events: EngineEvent[]): string[] => all(events, 'facilityStateChanged').map(({ state }) => state);
