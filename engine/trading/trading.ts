/**
 * Orders of the exchange: entry, matching's consequences, cancel and amend. The check, the hold, the
 * match and the postings of an order are one indivisible step.
 */
import { Reopening } from '../book/after_call.ts';
import { uncross } from '../book/auction.ts';
import type { AuctionHost } from '../book/auction.ts';
import { Amendments } from './amendments.ts';
import { Blocks } from './blocks.ts';
import type { RejectCode } from '../catalogue.ts';
import { BUY, FOK, IOC, MARKET, NONE, SELL, isStop } from '../vocabulary.ts';
import type { AmendOrder, CancelOrder, PlaceOrder } from '../commands.ts';
import type { CompanyId, OrderId } from '../vocabulary.ts';
import type { CancelReason } from '../events.ts';
import { providerOf } from '../lending/concentration.ts';
import { CreditLimits } from '../lending/credit_limits.ts';
import type { DrawOnDemand } from '../lending/payers.ts';
import { Fills } from './fills.ts';
import { Holds, requiredHold } from './holds.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { Matcher } from '../book/matching.ts';
import type { MatchReason } from '../book/matching.ts';
import { OrderChecks, hasExpired } from './order_checks.ts';
import { OrderEvents, REASON_FILLED, STATUS_FILLED, reasonCode } from '../book/order_events.ts';
import { Resales } from '../delivery/resale.ts';
import { FLAG, NO_EXTRA, flagsOf } from '../book/orders.ts';
import { RATE_SCALE } from '../state.ts';
import { HourBook, isUnused } from './markets.ts';
import type { State } from '../state.ts';
import type { Market } from './markets.ts';
import { TIMER } from '../time/timers.ts';
import type { TradingHost } from './trading_host.ts';
import type { Hour, Micro, Steps, Ticks } from '../numbers/units.ts';

/** No supply cell, and not the one that stands for none. */
const UNKNOWN = -2;

export class Trading implements AuctionHost, TradingHost {
  readonly holds: Holds;
  readonly events: OrderEvents;
  readonly resales: Resales;
  readonly checks: OrderChecks;
  readonly matcher: Matcher;
  readonly blocks: Blocks;
  private readonly amendments: Amendments;
  readonly limits: CreditLimits;
  /** Whether buy blocks wait for asks. */
  blocksWait = false;
  /** The bid that is matched at this moment, and the one provider it may buy from. */
  private picking: { row: number; provider: CompanyId } | undefined;
  private readonly state: State;
  private readonly fills: Fills;
  /** Of no book but while an order is placed. */
  private readonly inHand: HourBook;

  constructor(state: State) {
    this.state = state;
    this.holds = new Holds(state);
    this.matcher = new Matcher(state.orders, this);
    this.limits = new CreditLimits(state, this.matcher);
    this.events = new OrderEvents(state);
    this.resales = new Resales(state);
    this.fills = new Fills(state, this.holds, this.events, this.resales, this.limits);
    this.checks = new OrderChecks(state, this.holds, this.resales, this.limits);
    this.blocks = new Blocks(state, this);
    this.amendments = new Amendments(state, this);
    this.blocksWait = !this.blocks.waiting.isEmpty;
    this.inHand = new HourBook(state.levels, NIL, NIL, NIL);
  }

  /**
   * Enters an order. Returns why it was refused, undefined when it was accepted. What few orders need, a search for their supply cell, a new one
   * or a book, is done first and the order placed again: after calls and loops on its way the compiler would know of no table any more where it is.
   * @param isForeseen nothing was found against it @param known the supply cell that it would offer from
   */
  place(command: PlaceOrder, isForeseen = false, known: number = UNKNOWN): RejectCode | undefined {
    const { state } = this;
    const market = state.findMarket(command.market);
    const book = market === undefined ? undefined : this.bookFor(market, command);
    const cell = known === UNKNOWN ? this.nearCell(command, book) : known;
    if (cell === UNKNOWN) return this.place(command, isForeseen, this.cellIn(command, book));
    const price = this.checks.protection(command);
    const hold = command.side === BUY ? requiredHold(price * command.quantity, 0, 0, 0) : 0;
    const refusal = isForeseen ? undefined : this.entryRefusal(command, market, book, price, hold, cell);
    if (refusal !== undefined) return refusal;
    if (book === undefined || (cell === NIL && offersCapacity(command))) return this.place(command, true, this.openFor(command, market as Market));
    const row = this.createRow(command, book, price, cell);
    const late = this.bookRefusal(book, row, command);
    if (late !== undefined) {
      state.orders.destroy(row);
      if (isUnused(book, state.providerCells)) state.closeBook(book);
      return late;
    }
    if (command.provider !== undefined) {
      this.enterPicking(command, book, row, price, hold, command.provider);
    } else {
      this.accept(command, row, price, hold);
      if (isStop(command.orderType)) this.matcher.enterStop(book, row);
      else this.matcher.enter(book, row);
    }
    this.matcher.runStops(book);
    return undefined;
  }

  /** The book of an order. Plain ones stand in the one hand that there is for as long as the order is placed. */
  private bookFor(market: Market, { hour, orderType }: PlaceOrder): HourBook | undefined {
    const { state, inHand } = this;
    const row = state.findRow(market, hour);
    if (row === NIL) return undefined;
    if (isStop(orderType) || !state.levels.rows.isPlain(row)) return state.books[row];
    return inHand.standFor(row, market.market, hour);
  }

  /** A bid for one provider's capacity is limited as one is whose credit may not go everywhere; others pay nothing for the question. */
  private enterPicking(command: PlaceOrder, book: HourBook, row: number, price: Ticks, hold: Micro, provider: CompanyId): void {
    const { orders } = this.state;
    const { anyLimited } = this.matcher;
    orders.setFlags(row, orders.flags(row) | FLAG.limited);
    this.picking = { row, provider };
    this.matcher.anyLimited = true;
    this.accept(command, row, price, hold);
    this.matcher.enter(book, row);
    this.matcher.anyLimited = anyLimited;
    this.picking = undefined;
  }

  private entryRefusal(command: PlaceOrder, market: Market | undefined, book: HourBook | undefined, price: Ticks, hold: Micro, cell: number): RejectCode | undefined {
    if (command.provider !== undefined && !picksAtOnce(command)) return 'invalid_parameter';
    return this.checks.refusal(command, market, book, price, hold, cell) ?? (hasExpired(command, this.state.now) ? 'invalid_parameter' : undefined);
  }

  /** Why an order would be refused now, as far as that does not depend on whom it would meet. Changes nothing. */
  foresee(command: PlaceOrder): RejectCode | undefined {
    const market = this.state.markets.get(command.market);
    const row = market?.books.get(command.hour);
    const book = row === undefined ? undefined : this.state.bookOf(row);
    const price = this.checks.protection(command);
    return this.entryRefusal(command, market, book, price, requiredHold(price * command.quantity, 0, 0, 0), this.cellIn(command, book));
  }

  set onDemand(demand: DrawOnDemand) {
    this.limits.demand = demand;
  }

  /** Draws what a bid that was let in is short of. */
  drawFor(company: number, hold: Micro, lastHour: Hour): void {
    const spendable = this.holds.spendable(company, hold);
    if (spendable < hold) this.limits.demand.demand(company, hold - spendable, lastHour);
  }

  /** Enters an ask of the rules, which asks nobody. Returns its id; undefined when its hour does not trade. */
  force(command: PlaceOrder): OrderId | undefined {
    const { state } = this;
    const market = state.markets.get(command.market);
    const bookRow = market?.books.get(command.hour);
    const book = bookRow === undefined ? undefined : state.bookOf(bookRow);
    if (book === undefined || this.checks.tradingRefusal(market, book, command.market, command.hour) !== undefined) return undefined;
    const row = this.createRow(command, book, command.price, offersCapacity(command) ? this.cellFor(book, command.company) : NIL);
    const order = state.orders.idOf(row);
    this.accept(command, row, command.price, 0);
    this.matcher.enter(book, row);
    this.matcher.runStops(book);
    return order;
  }

  /** Lowers the price of a resting ask of the rules. */
  cheapen(row: number, price: Ticks): void {
    const { orders } = this.state;
    const book = this.state.bookOf(orders.book(row));
    if (this.checks.tradingRefusal(this.state.markets.get(book.market), book, book.market, book.hour) !== undefined) return;
    this.matcher.withdraw(book, row);
    orders.setPrice(row, price);
    this.events.amended(row, false);
    this.matcher.enter(book, row);
    this.matcher.runStops(book);
  }

  /** Enters an ask of a sell block, which was checked as a whole. */
  admit(command: PlaceOrder, book: HourBook, price: Ticks, block: OrderId): void {
    const { orders } = this.state;
    const row = this.createRow(command, book, price, this.cellFor(book, command.company));
    orders.setFlags(row, orders.flags(row) | FLAG.extra | FLAG.blockAsk);
    orders.extras.set(row, { ...NO_EXTRA, block });
    this.accept(command, row, price, 0);
    this.blocks.askAccepted(row, block);
    this.matcher.enter(book, row);
    this.matcher.runStops(book);
  }

  /** @param cell an ask's of its provider's capacity */
  private createRow(command: PlaceOrder, book: HourBook, price: Ticks, cell: number): number {
    const { orders } = this.state;
    const row = orders.create();
    const sell = command.side === SELL;
    orders.open(row, command.company, book.row, price, command.quantity);
    orders.setModel(row, sell ? NONE : command.model);
    orders.setAcceptedAt(row, this.state.now);
    orders.setSequence(row, this.state.sequence);
    let flags = flagsOf(sell, command.orderType, command.timeInForce, command.selfTradePrevention);
    if (command.postOnly) flags |= FLAG.postOnly;
    if (command.cancelOnDisconnect) flags |= FLAG.cancelOnDisconnect;
    if (command.resaleOf !== 0) flags |= FLAG.resale;
    if (command.resaleOf !== 0 || command.clientOrderId !== '' || command.displayQuantity !== 0 || command.minimumQuantity !== 0 || command.stopPrice !== 0 || command.expiresAt !== 0) {
      flags |= FLAG.extra;
      this.keepExtra(row, command);
    }
    orders.setFlags(row, flags);
    orders.setCell(row, command.resaleOf === 0 ? cell : this.state.allocations.cell(this.resales.sourceOf(row)));
    return row;
  }

  /** What few orders have stands apart, and so does its code: the compiler joins no more than so much of an order's path into one. */
  private keepExtra(row: number, { clientOrderId, displayQuantity, minimumQuantity, stopPrice, expiresAt, resaleOf }: PlaceOrder): void {
    this.state.orders.extras.set(row, { clientOrderId, displayQuantity, minimumQuantity, stopPrice, expiresAt, resaleOf, block: 0 });
  }

  /** The supply cell that an order would offer from, as far as one look finds it: NIL for orders that offer none, else UNKNOWN. */
  private nearCell(command: PlaceOrder, book: HourBook | undefined): number {
    if (!offersCapacity(command)) return NIL;
    if (book === undefined) return NIL;
    const cell = this.state.providerCells.near(book.row, command.company);
    return cell === NIL ? UNKNOWN : cell;
  }

  /** The same; NIL when there is none. */
  private cellIn(command: PlaceOrder, book: HourBook | undefined): number {
    return book === undefined || !offersCapacity(command) ? NIL : this.state.providerCells.get(book.row, command.company);
  }

  /** Makes the book and the supply cell of an order that may enter. Returns the cell. */
  private openFor(command: PlaceOrder, market: Market): number {
    const book = this.state.openBook(market, command.hour);
    return offersCapacity(command) ? this.cellFor(book, command.company) : NIL;
  }

  cellFor(book: HourBook, company: number): number {
    const existing = this.state.providerCells.get(book.row, company);
    if (existing !== NIL) return existing;
    const { supply } = this.state;
    const cell = supply.createCell(supply.find(company, book.market), book.hour);
    this.state.providerCells.add(book.row, company, cell);
    return cell;
  }

  /** The checks that need the book: post-only and minimum quantity, which an own order may stand in the way of. */
  private bookRefusal(book: HourBook, row: number, command: PlaceOrder): RejectCode | undefined {
    if (isStop(command.orderType) || book.auction) return undefined;
    if (!command.postOnly && command.minimumQuantity === 0) return undefined;
    const { matcher, state: { orders } } = this;
    return this.limits.lookAsPaidBy(row, requiredHold(orders.price(row) * orders.remaining(row), 0, 0, 0), book.hour, () => {
      if (command.postOnly && matcher.wouldCross(book, row)) return 'post_only_would_cross';
      return matcher.undercutsMinimum(book, row) ? matcher.minimumRefusal(book, row) : undefined;
    });
  }

  countOrder(company: number): void {
    const { standing, second } = this.state;
    standing.setRate(company, Math.max(standing.rate(company), second * RATE_SCALE) + 1);
  }

  /** @param hold a bid's */
  private accept(command: PlaceOrder, row: number, price: Ticks, hold: Micro): void {
    const { state } = this;
    this.countOrder(command.company);
    const { orders } = state;
    if (command.side === SELL) {
      this.offer(row, command.quantity);
    } else {
      if (this.matcher.anyLimited && this.limits.concentration.isLimited(command.company, hold)) this.limits.concentration.limit(row);
      // Nobody else has a facility to draw from.
      const mayDraw = this.limits.isFinanced(command.company);
      const needed = mayDraw ? this.neededOf(command, row, hold) : hold;
      if (mayDraw) this.drawFor(command.company, needed, command.hour);
      this.reserve(row, command.company, needed, hold);
    }
    this.link(row);
    if (command.clientOrderId !== '') state.clientOrderIds.set(`${command.company}:${command.clientOrderId}`, state.now);
    if (command.expiresAt !== 0) state.timers.add(command.expiresAt, TIMER.orderExpiry, orders.idOf(row));
    this.events.accepted(command, row, price);
  }

  /** Holds what is there of `hold`, which may be less for a bid that leaves with the command. */
  reserve(row: number, company: CompanyId, needed: Micro, hold: Micro): void {
    if (needed < hold) this.holds.leaving = row;
    this.holds.open(row, company, needed < hold ? Math.min(hold, this.holds.spendable(company, hold)) : hold);
  }

  /** What must be there for a bid: all that it may cost, or, where it is short of that and cannot wait, what it executes. */
  private neededOf({ company, orderType, timeInForce, hour }: PlaceOrder, row: number, hold: Micro): Micro {
    if (this.state.rulesVersion < 6 || isStop(orderType) || (timeInForce < IOC && orderType !== MARKET)) return hold;
    if (this.holds.spendable(company, hold) >= hold) return hold;
    const { orders } = this.state;
    const book = this.state.bookOf(orders.book(row));
    // A market order of a call that may wait collects.
    if (book.auction) return timeInForce >= IOC ? 0 : hold;
    return this.neededFor(company, hold, hour, () => {
      const executed = this.matcher.executable(book, row, orders.remaining(row));
      return executed === 0 || (timeInForce === FOK && executed < orders.remaining(row)) ? 0 : this.matcher.notional;
    });
  }

  /** `look`: the notional of what it would execute, 0 when nothing. */
  neededFor(company: CompanyId, hold: Micro, lastHour: Hour, look: () => Micro): Micro {
    const ahead = (): Micro => requiredHold(look(), 0, 0, 0);
    if (!this.limits.concentration.isLimited(company, hold)) return ahead();
    // Whom limited credit may buy from was known when it was held only: all was drawn.
    if (this.state.rulesVersion < 7) return ahead() === 0 ? 0 : hold;
    return this.limits.neededOf(company, hold, this.holds.spendable(company, hold), lastHour, ahead);
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

  // Leaving and changing.

  cancel(command: CancelOrder): RejectCode | undefined {
    const row = this.ownRow(command.company, command.order);
    if (row === NIL) return 'unknown_order';
    if (this.state.forced.size > 0 && this.state.forced.has(command.order)) return 'facility_frozen';
    this.cancelRow(row, 'requested');
    return undefined;
  }

  private ownRow(company: number, order: number): number {
    const { orders } = this.state;
    const row = orders.rowOf(order);
    return row !== NIL && orders.company(row) === company ? row : NIL;
  }

  /** Takes a live order out of the market, wherever it waits. */
  cancelRow(row: number, reason: CancelReason): void {
    const { orders } = this.state;
    const flags = orders.flags(row);
    if ((flags & FLAG.block) !== 0) {
      this.blocks.cancel(row, reason);
      return;
    }
    if ((flags & FLAG.untriggered) !== 0) this.matcher.withdrawStop(this.state.bookOf(orders.book(row)), row);
    else this.matcher.withdrawFrom(this.state.levels, orders.book(row), row);
    this.drop(row, reason);
  }

  /** Lets a resting order match again, if it would trade now. */
  reenter(book: HourBook, row: number): void {
    if (row !== NIL) this.matcher.reenter(book, row);
  }

  /**
   * Continuous trading begins. After a call orders execute at one price first, nearest the last trade
   * or list price; orders that became eligible for each other while it was stopped meet now.
   */
  reopen(book: HourBook): void {
    if (!book.auction) {
      new Reopening(book, this.state.orders, this.matcher).settle();
      this.matcher.runStops(book);
      return;
    }
    const found = uncross(book, this.state.orders, this, this.matcher, book.lastPrice === 0 ? this.checks.listPrice(book.market) : book.lastPrice);
    this.state.buffer.emit('auctionEnded', { market: book.market, hour: book.hour, price: found?.price ?? 0, volume: Number(found?.volume ?? 0n) });
  }

  runStops(book: HourBook): void {
    this.matcher.runStops(book);
  }

  amend(command: AmendOrder): RejectCode | undefined {
    return this.amendments.amend(command, this.ownRow(command.company, command.order));
  }

  /** An order that wants less may trade with what fell short of its minimum. */
  ease(row: number): void {
    const book = this.state.bookOf(this.state.orders.book(row));
    if (this.state.orders.pendingMinimum(row) > 0 && this.state.isTrading(book)) this.matcher.eased(book, row);
  }
}

/** Whether an order offers its provider's capacity; a resale offers an allocation. */
const offersCapacity = ({ side, resaleOf }: PlaceOrder): boolean => side === SELL && resaleOf === 0;

/** What a bid that rests would buy later is nobody's to promise. */
const picksAtOnce = ({ side, timeInForce, orderType }: PlaceOrder): boolean => side === BUY && timeInForce >= IOC && !isStop(orderType);
