/**
 * What a lender can lay hands on: unspent credit that is blocked, hours that are offered for resale
 * before they perish, and credit that is burnt when a loan defaults. CREDIT.md section 2.
 */
import { ALLOCATION } from '../trading/allocations.ts';
import { CANCEL_NEWEST, GTC, LIMIT, NONE, SELL } from '../vocabulary.ts';
import type { CompanyId } from '../vocabulary.ts';
import { totalDebt } from './debt.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { ALL_BLOCKED } from '../ledger/lots.ts';
import type { Lot } from '../ledger/lots.ts';
import { markOf } from './marks.ts';
import { mulDiv, mulDivCeil } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import { isRunning, isTagged, lenderFreezesOf } from './facility.ts';
import type { Facility, Freezes, ForcedResale } from './facility.ts';
import type { State } from '../state.ts';
import type { HourBook } from '../trading/markets.ts';
import type { Sweeps } from '../time/sweeps.ts';
import { TIMER } from '../time/timers.ts';
import type { Trading } from '../trading/trading.ts';
import { MICRO, MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../numbers/units.ts';
import type { Micro, Millis, Ppm, Steps, Ticks } from '../numbers/units.ts';

export class Collateral {
  private readonly state: State;
  private readonly sweeps: Sweeps;
  private readonly trading: Trading;
  private readonly burn: (lot: Lot, credits: Micro) => void;

  constructor(state: State, sweeps: Sweeps, trading: Trading, burn: (lot: Lot, credits: Micro) => void) {
    this.burn = burn;
    this.state = state;
    this.sweeps = sweeps;
    this.trading = trading;
  }

  /** Sets how much somebody blocks; the largest of all holds. */
  setFreeze(facility: Facility, who: keyof Freezes, fraction: Ppm, reason: string, by: CompanyId): void {
    if (fraction === 0 && facility.freezes[who] === 0) return;
    const each = this.state.rulesVersion >= 5;
    facility.freezes[who] = each && who === 'lender' ? this.ofLenders(facility, fraction, by) : fraction;
    const { lender, operator, rules } = facility.freezes;
    const effective = Math.max(lender, operator, rules);
    // What one lifts leaves what another blocks as it was, its reason too.
    const stays = each && fraction === 0 && effective === facility.frozenFraction;
    if (effective === 0) facility.frozenReason = '';
    else if (!stays) facility.frozenReason = reason;
    if (!stays) this.block(facility, effective);
    this.state.buffer.emit('facilityFrozen', { facility: facility.facility, fraction: effective, reason: facility.frozenReason, by });
    if (effective === MICRO) this.offerPerishing(facility);
    else this.withdrawForced(facility);
  }

  /** Each lender sets its own freeze; who is none of them lifts what all have blocked. @returns the largest that is left */
  private ofLenders(facility: Facility, fraction: Ppm, by: CompanyId): Ppm {
    const isLender = facility.shares.some(({ lender }) => lender === by);
    const others = isLender ? lenderFreezesOf(facility).filter(({ lender }) => lender !== by) : [];
    facility.lenderFreezes = fraction === 0 ? others : [...others, { lender: by, fraction }];
    return Math.max(0, ...facility.lenderFreezes.map((freeze) => freeze.fraction));
  }

  /** Blocks the fraction of each lot; bids it funds are cancelled, newest first, until the rest fits. */
  private block(facility: Facility, fraction: Ppm): void {
    const { lots } = this.state;
    facility.frozenFraction = fraction;
    for (const lot of lots.of(facility.facility)) {
      const open = lots.available(lot.lot) + lots.held(lot.lot);
      // What is paid in full is nobody's collateral.
      const part = isTagged(facility, lot.lot) ? fraction : 0;
      lot.blocked = part === MICRO ? ALL_BLOCKED : mulDivCeil(open, part, MICRO);
      if (part > 0) this.sweeps.cancelUntilHeldFits(facility.company, lot.lot, open - Math.min(open, lot.blocked));
    }
  }

  /** A payment unblocks in proportion; what is paid in full is not blocked at all. */
  unblockBy(facility: Facility, before: Micro, after: Micro): void {
    const { lots } = this.state;
    if (facility.frozenFraction === 0 || after >= before) return;
    for (const lot of lots.of(facility.facility)) {
      const blocked = lot.blocked === ALL_BLOCKED ? lots.available(lot.lot) + lots.held(lot.lot) : lot.blocked;
      lot.blocked = mulDivCeil(blocked, after, before);
    }
  }

  // Hours that perish.

  /** Offers what a wholly frozen facility's credit has bought and begins within a day; of a defaulted one, all. */
  offerPerishing(facility: Facility): void {
    this.offerHours(facility, facility.state === 'defaulted' ? Infinity : this.state.now + PARAMETERS.perishingWithin);
    this.arm('perishing', TIMER.perishing, (this.state.hour + 1) * MILLIS_PER_HOUR);
  }

  private arm(name: 'pricing' | 'perishing', timer: number, at: Millis): void {
    const { armed, timers } = this.state;
    if (armed[name]) return;
    armed[name] = true;
    timers.add(at, timer, 0);
  }

  /** Offers the hours that the facility's credit has bought and that begin before `until`. */
  offerHours(facility: Facility, until: Millis): void {
    const { allocations, standing, now } = this.state;
    const rows: number[] = [];
    for (let row = standing.firstAllocation(facility.company); row !== NIL; row = allocations.companyNext(row)) rows.push(row);
    for (const row of rows) {
      const book = this.state.bookOf(allocations.book(row));
      const gate = book.hour * MILLIS_PER_HOUR - PARAMETERS.gateClosure;
      if (allocations.state(row) !== ALLOCATION.open || gate <= now || book.hour * MILLIS_PER_HOUR > until || !this.isFundedBy(row, facility)) continue;
      this.offer(facility, row, book, gate);
    }
  }

  private isFundedBy(row: number, facility: Facility): boolean {
    const { allocations, amounts, lots } = this.state;
    for (let node = allocations.funding(row); node !== NIL; node = amounts.next(node)) {
      const lot = amounts.lot(node);
      if (lots.rows[lot].facility === facility.facility && isTagged(facility, lot)) return true;
    }
    return false;
  }

  private offer(facility: Facility, row: number, book: HourBook, gate: Millis): void {
    const { state, trading } = this;
    const { allocations } = state;
    const used = Math.ceil(allocations.usedGpu(row) / MICRO_GPU_SECONDS_PER_STEP);
    const quantity: Steps = allocations.quantity(row) - allocations.offered(row) - used;
    if (quantity <= 0) return;
    const mark = Math.max(1, markOf(this.state, book.market, book.hour));
    const allocation = allocations.idOf(row);
    const order = trading.force({
      type: 'place', company: facility.company, market: book.market, hour: book.hour, side: SELL, orderType: LIMIT, price: mark, quantity, timeInForce: GTC,
      postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: allocation,
      selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false, clientOrderId: '',
    });
    if (order === undefined) return;
    state.buffer.emit('resaleForced', { facility: facility.facility, allocation, order, mark });
    if (state.orders.rowOf(order) === NIL) return;
    state.forced.set(order, { order, facility: facility.facility, mark, from: state.now, gate });
    this.arm('pricing', TIMER.forcedPrice, state.now + MILLIS_PER_MINUTE);
  }

  /** A cure takes the offers back. */
  withdrawForced(facility: Facility): void {
    for (const forced of [...this.state.forced.values()]) {
      if (forced.facility !== facility.facility) continue;
      this.state.forced.delete(forced.order);
      const row = this.state.orders.rowOf(forced.order);
      if (row !== NIL) this.trading.cancelRow(row, 'requested');
    }
  }

  /** A minute has passed: the price of each forced offer falls in a line from the mark to half of it at gate closure. */
  reprice(): void {
    const { state, trading } = this;
    state.armed.pricing = false;
    for (const forced of [...state.forced.values()]) {
      const row = state.orders.rowOf(forced.order);
      if (row === NIL || state.now >= forced.gate) {
        state.forced.delete(forced.order);
        if (row !== NIL) trading.cancelRow(row, 'gate_closed');
      } else {
        const price = priceAt(forced, state.now);
        if (price < state.orders.price(row)) trading.cheapen(row, price);
      }
    }
    if (state.forced.size > 0) this.arm('pricing', TIMER.forcedPrice, state.now + MILLIS_PER_MINUTE);
  }

  /** An hour has passed: others begin within a day. */
  offerAll(): void {
    this.state.armed.perishing = false;
    for (const facility of this.state.facilities) if (facility.frozenFraction === MICRO && isRunning(facility)) this.offerPerishing(facility);
  }

  /** How much of the lot the debt needs; credit beyond it is not paid out. Rules before version 5 burnt all. */
  private burnable(facility: Facility, { lot, credits, usd }: Lot): Micro {
    const { lots, rulesVersion } = this.state;
    if (rulesVersion < 5) return lots.available(lot);
    const owed = totalDebt(this.state, facility);
    // The cost of so many is rounded: two more millionths are sure to reach.
    return owed === 0 ? 0 : Math.min(lots.available(lot), mulDivCeil(owed, credits, usd) + 2);
  }

  /** Bids leave and unspent credit goes against the debt. */
  burnUnspent(facility: Facility): void {
    const { lots } = this.state;
    for (const { lot, company } of lots.of(facility.facility)) {
      if (!isTagged(facility, lot)) continue;
      this.sweeps.cancelFunded(company, lot, 'facility_frozen');
      const credits = this.burnable(facility, lots.rows[lot]);
      if (credits > 0) this.burn(lots.rows[lot], credits);
    }
  }
}

function priceAt({ mark, from, gate }: ForcedResale, now: Millis): Ticks {
  const fall = mulDiv(mark, MICRO - PARAMETERS.perishingShareLast, MICRO);
  return Math.max(1, mark - mulDiv(fall, now - from, Math.max(1, gate - from)));
}
