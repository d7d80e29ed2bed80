/**
 * Orders of the exchange: entry, cancel and amend. The check, the hold, the
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
import type { DrawOnDemand } from '../lending/payers.ts';
import { requiredHold } from './holds.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { OrderChecks, hasExpired } from './order_checks.ts';
import { OrdersInMarket } from './orders_in_market.ts';
import { FLAG, NO_EXTRA, flagsOf } from '../book/orders.ts';
import { UNKNOWN } from './provider_cells.ts';
import { RATE_SCALE } from '../state.ts';
import { HourBook, isUnused } from './markets.ts';
import type { State } from '../state.ts';
import type { Market } from './markets.ts';
import { TIMER } from '../time/timers.ts';
import type { TradingHost } from './trading_host.ts';
import type { Hour, Micro, Ticks } from '../numbers/units.ts';

export class Trading extends OrdersInMarket implements AuctionHost, TradingHost {
  readonly checks: OrderChecks;
  readonly blocks: Blocks;
  private readonly amendments: Amendments;
  /** Of no book but while an order is placed. */
  private readonly inHand: HourBook;

  constructor(state: State) {
    super(state);
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
    if (book === undefined || (cell === NIL && offersCapacity(command))) return this.place(command, true, this.openFor(command, market as Market, book));
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

  /** The supply cell that an order would offer from, as far as one look says it: NIL when there is none or it offers none, else UNKNOWN. */
  private nearCell(command: PlaceOrder, book: HourBook | undefined): number {
    if (!offersCapacity(command)) return NIL;
    return book === undefined ? NIL : this.state.providerCells.near(book.row, command.company);
  }

  /** The same; NIL when there is none. */
  private cellIn(command: PlaceOrder, book: HourBook | undefined): number {
    return book === undefined || !offersCapacity(command) ? NIL : this.state.providerCells.get(book.row, command.company);
  }

  /** Makes the book, unless there is one, and the supply cell of an order that may enter and has none. Returns the cell. */
  private openFor(command: PlaceOrder, market: Market, book: HourBook | undefined): number {
    const opened = book ?? this.state.openBook(market, command.hour);
    return offersCapacity(command) ? this.openCell(opened, command.company) : NIL;
  }

  cellFor(book: HourBook, company: number): number {
    const existing = this.state.providerCells.get(book.row, company);
    return existing === NIL ? this.openCell(book, company) : existing;
  }

  private openCell(book: HourBook, company: number): number {
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
