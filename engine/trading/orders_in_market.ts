/**
 * Orders that are in the market: whose they are and what they reserve, what matching asks about them and what becomes of it, and how they
 * leave. How they come in is another's business.
 */
import type { CompanyId } from '../vocabulary.ts';
import type { CancelReason } from '../events.ts';
import { CreditLimits } from '../lending/credit_limits.ts';
import { providerOf } from '../lending/concentration.ts';
import type { Blocks } from './blocks.ts';
import { Fills } from './fills.ts';
import { Holds } from './holds.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { MatchHost, MatchReason } from '../book/match_host.ts';
import { Matcher } from '../book/matching.ts';
import { OrderEvents, REASON_FILLED, STATUS_FILLED, reasonCode } from '../book/order_events.ts';
import { Resales } from '../delivery/resale.ts';
import { FLAG, NO_EXTRA } from '../book/orders.ts';
import type { State } from '../state.ts';
import type { HourBook } from './markets.ts';
import type { Micro, Steps } from '../numbers/units.ts';

export abstract class OrdersInMarket implements MatchHost {
  readonly holds: Holds;
  readonly events: OrderEvents;
  readonly resales: Resales;
  readonly matcher: Matcher;
  readonly limits: CreditLimits;
  abstract readonly blocks: Blocks;
  /** Whether buy blocks wait for asks. */
  blocksWait = false;
  /** The bid that is matched at this moment, and the one provider it may buy from. */
  protected picking: { row: number; provider: CompanyId } | undefined;
  protected readonly state: State;
  private readonly fills: Fills;

  constructor(state: State) {
    this.state = state;
    this.holds = new Holds(state);
    this.matcher = new Matcher(state.orders, this);
    this.limits = new CreditLimits(state, this.matcher);
    this.events = new OrderEvents(state);
    this.resales = new Resales(state);
    this.fills = new Fills(state, this.holds, this.events, this.resales, this.limits);
  }

  // What they reserve.

  /** Holds what is there of `hold`, which may be less for a bid that leaves with the command. */
  reserve(row: number, company: CompanyId, needed: Micro, hold: Micro): void {
    if (needed < hold) this.holds.leaving = row;
    this.holds.open(row, company, needed < hold ? Math.min(hold, this.holds.spendable(company, hold)) : hold);
  }

  /** Counts what an ask offers: a provider's capacity, or an allocation. */
  offer(row: number, change: Steps): void {
    const { orders, supply } = this.state;
    if ((orders.flags(row) & FLAG.resale) === 0) supply.offer(orders.cell(row), change);
    else this.resales.offer(row, change);
  }

  link(row: number): void {
    const { orders, standing } = this.state;
    orders.link(row, standing.addOrder(orders.company(row), row));
  }

  private unlink(row: number): void {
    const { orders, standing } = this.state;
    const company = orders.company(row);
    const after = orders.companyNext(row);
    const before = orders.companyPrev(row);
    if (before === NIL) standing.setFirstOrder(company, after);
    else orders.setCompanyNext(before, after);
    if (after !== NIL) orders.setCompanyPrev(after, before);
    standing.setOpenOrders(company, standing.openOrders(company) - 1);
  }

  // What matching asks and tells.

  serves(ask: number, model: number): boolean {
    return this.state.supply.serves(this.state.orders.cell(ask), model);
  }

  isServed(book: HourBook, model: number): boolean {
    return this.state.providerCells.some(book.row, (cell) => this.state.supply.serves(cell, model));
  }

  /** By the command that entered it, then by its place there: of one command the bid is the newer. */
  isOlder(a: number, b: number): boolean {
    return this.arrivalOf(a) < this.arrivalOf(b);
  }

  /** The command by which an order took its place. */
  private arrivalOf(row: number): number {
    const { orders } = this.state;
    return orders.extra(row)?.requeued ?? orders.sequence(row);
  }

  /** Only a call asks which of two orders of two sides is the older. */
  noteArrival(row: number): void {
    const { orders, sequence } = this.state;
    orders.extras.set(row, { ...(orders.extra(row) ?? NO_EXTRA), requeued: sequence });
    orders.setFlags(row, orders.flags(row) | FLAG.extra);
  }

  sameGroup(a: number, b: number): boolean {
    const { orders, standing } = this.state;
    return standing.group(orders.company(a)) === standing.group(orders.company(b));
  }

  groupOf(row: number): number {
    const { orders, standing } = this.state;
    return standing.group(orders.company(row));
  }

  mayBuyFrom(bid: number, ask: number): boolean {
    const { picking } = this;
    if (picking?.row === bid && providerOf(this.state, ask) !== picking.provider) return false;
    return this.limits.concentration.mayBuyFrom(bid, ask);
  }

  beginMeeting(): void {
    this.limits.concentration.beginMeeting();
  }
  mostFrom(bid: number, ask: number, price: number): number {
    return this.limits.concentration.mostFrom(bid, ask, price);
  }
  took(bid: number, ask: number, notional: number): void {
    this.limits.concentration.took(bid, ask, notional);
  }
  endMeeting(): void {
    this.limits.concentration.endMeeting();
  }

  rested(row: number): void {
    const { orders } = this.state;
    this.events.rested(row);
    if (this.blocksWait && orders.isSell(row)) this.blocks.waiting.touch(this.state.bookOf(orders.book(row)));
  }

  triggered(row: number): void {
    this.events.triggered(row);
  }

  traded(maker: number, taker: number, price: number, quantity: number): void {
    this.fills.execute(maker, taker, price, quantity);
  }

  decremented(row: number, quantity: number): void {
    const { orders } = this.state;
    if (orders.isSell(row)) this.offer(row, -quantity);
    else this.adjustHold(row);
    orders.setQuantity(row, orders.quantity(row) - quantity);
    this.events.reduced(row);
  }

  filled(row: number): void {
    if (row === this.holds.leaving) this.giveBack(row);
    this.leave(row, STATUS_FILLED, REASON_FILLED);
  }

  cancelled(row: number, reason: MatchReason): void {
    this.drop(row, reason);
  }

  // How they leave.

  /** Ends an order that is in no book any more, giving back what it reserved. */
  drop(row: number, reason: CancelReason): void {
    const { orders } = this.state;
    if (orders.isSell(row)) {
      this.offer(row, -orders.remaining(row));
    } else {
      this.giveBack(row);
    }
    this.leave(row, this.events.statusAfter(reason), reasonCode(reason));
  }

  private giveBack(row: number): void {
    if (this.state.orders.hold(row) !== 0) this.holds.close(row);
  }

  private leave(row: number, status: number, reason: number): void {
    this.events.done(row, status, reason);
    this.unlink(row);
    if (row === this.holds.leaving) this.holds.leaving = NIL;
    if (this.state.forced.size > 0) this.state.forced.delete(this.state.orders.idOf(row));
    if ((this.state.orders.flags(row) & FLAG.blockAsk) !== 0) this.blocks.askLeft(row, status, reason);
    this.state.orders.destroy(row);
  }

  /** Brings a bid's hold to what its remainder needs, within what is already held or spendable. */
  adjustHold(row: number): void {
    if (row === this.holds.leaving) return;
    const { orders, ledger } = this.state;
    const remaining = orders.remaining(row);
    const needed = remaining === 0 ? 0 : this.holds.required(row, orders.price(row), remaining);
    const change = needed - orders.hold(row);
    if (change === 0) return;
    ledger.begin();
    if (change > 0) this.holds.reserve(row, change);
    else this.holds.release(row, -change);
    ledger.end();
    if (change < 0) this.limits.concentration.eased(row);
  }
}
