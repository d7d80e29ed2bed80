/** What time brings: timers, the minutes of the running hour, days. Time moves only by the tick command. */
import { NONE } from '../vocabulary.ts';
import type { Tick } from '../commands.ts';
import type { RejectCode } from '../catalogue.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { Facilities } from '../lending/facilities.ts';
import type { Finance } from '../lending/finance.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { PARAMETERS } from '../parameters.ts';
import type { Registry } from '../registry.ts';
import type { State } from '../state.ts';
import type { HourBook } from '../trading/markets.ts';
import { TIMER } from './timers.ts';
import type { Timer } from './timers.ts';
import type { Sweeps } from './sweeps.ts';
import type { Trading } from '../trading/trading.ts';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../numbers/units.ts';
import type { Hour, Millis } from '../numbers/units.ts';

export class Timeline {
  private readonly state: State;
  private readonly trading: Trading;
  private readonly sweeps: Sweeps;
  private readonly registry: Registry;
  private readonly finance: Finance;
  private readonly delivery: Delivery;
  private readonly facilities: Facilities;

  constructor(state: State, trading: Trading, sweeps: Sweeps, registry: Registry, finance: Finance, delivery: Delivery, facilities: Facilities) {
    this.state = state;
    this.trading = trading;
    this.sweeps = sweeps;
    this.registry = registry;
    this.finance = finance;
    this.delivery = delivery;
    this.facilities = facilities;
  }

  /** Moves to `now`, running all that is due on the way in order of time. A time in the past changes nothing. */
  tick(command: Tick): RejectCode | undefined {
    const { state } = this;
    if (!Number.isSafeInteger(command.now) || command.now < 0) return 'invalid_parameter';
    if (command.now < state.now || (command.now === state.now && !this.isDayEnding())) return undefined;
    if (state.now === 0) this.begin(command.now);
    // The day's end goes on a part at a time, so that orders need not wait for all of it.
    if (this.isDayEnding()) this.facilities.endDays(PARAMETERS.dayEndFacilities);
    for (;;) {
      const due = Math.min(state.timers.next(), this.nextMinute(), this.nextDay());
      if (due > command.now) break;
      this.advance(due);
    }
    state.setNow(command.now);
    this.forget();
    state.buffer.emit('ticked', { now: state.now });
    return undefined;
  }

  /** The market's first moment: nothing before it is to be settled or accrued. */
  private begin(now: Millis): void {
    const { state } = this;
    state.setNow(now);
    state.settledThrough = Math.floor(now / MILLIS_PER_HOUR);
    state.minutesRun = Math.floor(now / MILLIS_PER_MINUTE);
    state.daysRun = Math.floor(now / MILLIS_PER_DAY);
    state.dayEnd.day = state.daysRun;
  }

  /** Whether facilities have still to hear of the day that has begun. */
  isDayEnding(): boolean {
    return this.state.dayEnd.next < this.state.facilities.length;
  }

  private beginDay(): void {
    const { state, facilities } = this;
    // Nothing of yesterday is left when a day begins.
    if (this.isDayEnding()) facilities.endDays(state.facilities.length);
    state.daysRun++;
    state.dayEnd.day = state.daysRun;
    state.dayEnd.next = 0;
    this.finance.guardSolvency();
    this.delivery.dayBegan(state.daysRun);
    facilities.endDays(PARAMETERS.dayEndFacilities);
  }

  private nextMinute(): Millis {
    return (this.state.minutesRun + 1) * MILLIS_PER_MINUTE;
  }
  private nextDay(): Millis {
    return (this.state.daysRun + 1) * MILLIS_PER_DAY;
  }

  private advance(due: Millis): void {
    const { state } = this;
    state.setNow(due);
    if (this.nextDay() === due) this.beginDay();
    while (state.timers.next() <= due) this.fire(state.timers.take());
    if (this.nextMinute() <= due) this.minute(due);
  }

  /** At each full minute from hh:01 the running hour's asks shrink; a minute before its end the spot book closes. */
  private minute(now: Millis): void {
    const { state } = this;
    const hour = Math.floor(now / MILLIS_PER_HOUR);
    const left = ((hour + 1) * MILLIS_PER_HOUR - now) / MILLIS_PER_MINUTE;
    state.minutesRun = this.minuteToRunNext(now, left) - 1;
    if (left * MILLIS_PER_MINUTE === PARAMETERS.gateClosure) this.booksOf(hour + 1).forEach((book) => this.sweeps.cancelStops(book));
    if (left === 60) return;
    for (const book of this.booksOf(hour)) {
      if (left * MILLIS_PER_MINUTE <= PARAMETERS.spotEndsBefore) this.sweeps.clearBook(book, state.rulesVersion < 4 ? 'gate_closed' : 'hour_ended');
      else this.sweeps.shrinkAsks(book, left);
    }
  }

  private booksOf(hour: Hour): HourBook[] {
    const { state } = this;
    const found: HourBook[] = [];
    for (const market of state.markets.values()) {
      const row = market.books.get(hour);
      if (row !== undefined) found.push(state.bookOf(row));
    }
    return found;
  }

  /** The next minute at which something can happen: what has no books is passed over at once. */
  private minuteToRunNext(now: Millis, left: number): number {
    const minute = now / MILLIS_PER_MINUTE;
    const hour = Math.floor(now / MILLIS_PER_HOUR);
    if (this.booksOf(hour).length > 0) return minute + 1;
    const gate = PARAMETERS.gateClosure / MILLIS_PER_MINUTE;
    return left > gate && this.booksOf(hour + 1).length > 0 ? minute + left - gate : minute + left;
  }

  private fire(timer: Timer): void {
    const { state } = this;
    if (timer.kind === TIMER.orderExpiry) {
      const row = state.orders.rowOf(timer.id);
      if (row !== NIL) this.trading.cancelRow(row, 'expired');
    } else if (timer.kind === TIMER.blockGate) {
      const row = state.orders.rowOf(timer.id);
      if (row !== NIL) this.trading.cancelRow(row, 'gate_closed');
    } else if (timer.kind === TIMER.lotExpiry) {
      this.finance.expireLot(timer.id);
    } else if (timer.kind === TIMER.callEnd) {
      this.registry.endCall(timer.id);
    } else if (timer.kind === TIMER.lotAlert) {
      this.finance.alert(timer.id);
    } else if (timer.kind === TIMER.offerExpiry) {
      this.facilities.offers.expireOffer(timer.id);
    } else if (timer.kind === TIMER.forcedPrice) {
      this.facilities.collateral.reprice();
    } else if (timer.kind === TIMER.perishing) {
      this.facilities.collateral.offerAll();
    } else if (timer.kind === TIMER.listPrice) {
      this.registry.applyListPrice(timer.id);
    } else if (state.companies[timer.id].deadMan === timer.at) {
      this.sweeps.cancelAll({ type: 'cancelAll', company: timer.id, market: NONE, hour: NONE, side: NONE, onDisconnect: false }, 'dead_man');
    }
  }

  /** Idempotency keys and client order ids older than a day of engine time. */
  private forget(): void {
    const { idempotency, clientOrderIds, now } = this.state;
    for (const [key, { at }] of idempotency) {
      if (at > now - PARAMETERS.idempotencyKept) break;
      idempotency.delete(key);
    }
    for (const [key, at] of clientOrderIds) {
      if (at > now - PARAMETERS.clientOrderIdKept) break;
      clientOrderIds.delete(key);
    }
  }
}
