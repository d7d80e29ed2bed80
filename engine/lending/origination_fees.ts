/** A draw's origination fee, earned over the life of what was drawn. */
import { ACCOUNT } from '../ledger/accounts.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { MILLIS_PER_DAY } from '../numbers/units.ts';
import type { Day, Micro } from '../numbers/units.ts';
import type { State } from '../state.ts';
import { livesBy } from './debt.ts';
import type { Facility } from './facility.ts';

const DEFERRED = ACCOUNT['orig_fee.deferred'];

export class OriginationFees {
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  /**
   * The origination fee is earned in a line from each draw to maturity: what of it is still to come on `day` is a
   * function of the draws alone, so that it does not matter how often it is asked for.
   */
  earn(facility: Facility, day: Day): void {
    if (!livesBy(facility, 2)) return;
    const { ledger, buffer } = this.state;
    const amount = this.deferred(facility) - this.toCome(facility, day);
    if (amount === 0) return;
    ledger.begin();
    this.postEarned(facility, amount);
    ledger.end();
    buffer.emit('feeEarned', { facility: facility.facility, amount, day });
  }

  private deferred({ facility }: Facility): Micro {
    return -this.state.ledger.balance(DEFERRED, facility);
  }

  private toCome(facility: Facility, day: Day): Micro {
    const maturity = Math.floor(facility.maturesAt / MILLIS_PER_DAY);
    return this.state.lots.of(facility.facility).reduce((sum, { fee, feeRefunded, mintedAt }) => {
      const life = maturity - Math.floor(mintedAt / MILLIS_PER_DAY);
      return life <= 0 ? sum : sum + mulDiv(fee - feeRefunded, Math.max(0, maturity - day), life);
    }, 0);
  }

  /** Inside an open transaction. */
  private postEarned(facility: Facility, amount: Micro): void {
    const { ledger } = this.state;
    ledger.post(DEFERRED, facility.facility, amount);
    ledger.post(ACCOUNT['income.origination'], facility.company, -amount);
  }

  /** A part of a lot's fee is about to come back: what of it was earned is earned no more, so that all of it is there. Inside an open transaction. */
  unearn(facility: Facility, refund: Micro): void {
    if (livesBy(facility, 2)) this.postEarned(facility, this.deferred(facility) - this.toCome(facility, this.state.day) - refund);
  }
}
