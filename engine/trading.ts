/**
 * Orders of the exchange: entry, matching's consequences, cancel and amend. The check, the hold, the
 * match and the postings of an order are one indivisible step.
 */
import { ACCOUNT } from './accounts.ts';
import { ALLOCATION } from './allocations.ts';
import type { RejectCode } from './catalogue.ts';
import { NONE, SELL, STOP, STOP_LIMIT } from './commands.ts';
import type { AmendOrder, CancelAll, CancelOrder, PlaceOrder } from './commands.ts';
import { CANCEL_REASONS, KIND, ORDER_STATUSES } from './events.ts';
import type { CancelReason } from './events.ts';
import { Holds, feeFloor, feeRemainder, requiredHold } from './holds.ts';
import { NIL } from './lot_amounts.ts';
import { Matcher } from './matching.ts';
import type { MatchHost, MatchReason } from './matching.ts';
import { OrderChecks, hasExpired, minutesLeft } from './order_checks.ts';
import { FLAG, Orders } from './orders.ts';
import { FEE_SCALE, PARAMETERS } from './parameters.ts';
import { isUnused } from './state.ts';
import type { HourBook, Market, State } from './state.ts';
import { TIMER } from './timers.ts';
import { MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_DAY, PRICE_TICKS_MAX, QUANTITY_STEPS_MAX, NOTIONAL_MICRO_MAX, NOT_A_MULTIPLE } from './units.ts';
import type { Steps, Ticks } from './units.ts';

const STATUS_FILLED = ORDER_STATUSES.indexOf('filled');
const STATUS_CANCELED = ORDER_STATUSES.indexOf('canceled');
const STATUS_EXPIRED = ORDER_STATUSES.indexOf('expired');
/** In `orderDone`, reason 0 is 'filled' and the cancel reasons follow. */
const reasonCode = (reason: CancelReason): number => CANCEL_REASONS.indexOf(reason) + 1;
const EXPIRED: ReadonlySet<CancelReason> = new Set(['expired', 'gate_closed', 'hour_ended']);

export class Trading implements MatchHost {
  readonly holds: Holds;
  private readonly state: State;
  private readonly checks: OrderChecks;
  private readonly matcher: Matcher;

  constructor(state: State) {
    this.state = state;
    this.holds = new Holds(state);
    this.checks = new OrderChecks(state, this.holds);
    this.matcher = new Matcher(state.orders, this);
  }

  /** Enters an order. Returns why it was refused, undefined when it was accepted. */
  place(command: PlaceOrder): RejectCode | undefined {
    const { state } = this;
    const market = state.markets.get(command.market);
    const bookRow = market?.books.get(command.hour);
    const existing = bookRow === undefined ? undefined : state.bookOf(bookRow);
    const price = this.checks.protection(command);
    const refusal = this.checks.refusal(command, market, existing, price);
    if (refusal !== undefined) return refusal;
    if (hasExpired(command, state.now)) return 'invalid_parameter';
    const book = existing ?? state.openBook(market as Market, command.hour);
    const row = this.createRow(command, book, price);
    const late = this.bookRefusal(book, row, command);
    if (late !== undefined) {
      state.orders.destroy(row);
      if (isUnused(book)) state.closeBook(book);
      return late;
    }
    this.accept(command, book, row);
    if (command.orderType === STOP || command.orderType === STOP_LIMIT) this.matcher.enterStop(book, row);
    else this.matcher.enter(book, row);
    this.matcher.runStops(book);
    return undefined;
  }

  private createRow(command: PlaceOrder, book: HourBook, price: Ticks): number {
    const { orders } = this.state;
    const row = orders.create();
    const sell = command.side === SELL;
    orders.price[row] = price;
    orders.quantity[row] = command.quantity;
    orders.remaining[row] = command.quantity;
    orders.visible[row] = 0;
    orders.company[row] = command.company;
    orders.book[row] = book.row;
    orders.model[row] = sell ? NONE : command.model;
    orders.acceptedAt[row] = this.state.now;
    orders.sequence[row] = this.state.sequence;
    let flags = Orders.flagsOf(sell, command.orderType, command.timeInForce, command.selfTradePrevention);
    if (command.postOnly) flags |= FLAG.postOnly;
    if (command.cancelOnDisconnect) flags |= FLAG.cancelOnDisconnect;
    if (command.clientOrderId !== '' || command.displayQuantity !== 0 || command.minimumQuantity !== 0 || command.stopPrice !== 0 || command.expiresAt !== 0) {
      flags |= FLAG.extra;
      orders.extras.set(row, {
        clientOrderId: command.clientOrderId,
        displayQuantity: command.displayQuantity,
        minimumQuantity: command.minimumQuantity,
        stopPrice: command.stopPrice,
        expiresAt: command.expiresAt,
        resaleOf: command.resaleOf,
      });
    }
    orders.flags[row] = flags;
    orders.cell[row] = sell ? this.cellFor(book, command.company) : NIL;
    return row;
  }

  private cellFor(book: HourBook, company: number): number {
    const existing = book.cells.get(company);
    if (existing !== undefined) return existing;
    const { supply } = this.state;
    const cell = supply.createCell(supply.find(company, book.market), book.hour);
    book.cells.set(company, cell);
    return cell;
  }

  /** The checks that need the book: post-only and minimum quantity. */
  private bookRefusal(book: HourBook, row: number, command: PlaceOrder): RejectCode | undefined {
    if (command.orderType === STOP || command.orderType === STOP_LIMIT) return undefined;
    if (command.postOnly && this.matcher.wouldCross(book, row)) return 'post_only_would_cross';
    if (this.matcher.undercutsMinimum(book, row)) return 'minimum_quantity';
    return undefined;
  }

  private accept(command: PlaceOrder, book: HourBook, row: number): void {
    const { state } = this;
    const { orders, buffer } = state;
    if (command.side === SELL) {
      state.supply.offered[orders.cell[row]] += command.quantity;
    } else {
      state.ledger.begin();
      this.holds.reserve(row, requiredHold(orders.price[row] * command.quantity, 0, 0, 0));
      state.ledger.end();
    }
    this.link(row);
    if (command.clientOrderId !== '') state.clientOrderIds.set(`${command.company}:${command.clientOrderId}`, state.now);
    if (command.expiresAt !== 0) state.timers.add(command.expiresAt, TIMER.orderExpiry, orders.idOf(row));
    buffer.reserve(24);
    const { words } = buffer;
    const at = buffer.length;
    words[at] = KIND.orderAccepted;
    words[at + 1] = 20;
    words[at + 2] = orders.idOf(row);
    words[at + 3] = command.company;
    words[at + 4] = book.market;
    words[at + 5] = book.hour;
    words[at + 6] = command.side;
    words[at + 7] = command.orderType;
    words[at + 8] = orders.price[row];
    words[at + 9] = command.quantity;
    words[at + 10] = command.timeInForce;
    words[at + 11] = command.postOnly ? 1 : 0;
    words[at + 12] = command.displayQuantity;
    words[at + 13] = command.minimumQuantity;
    words[at + 14] = command.stopPrice;
    words[at + 15] = command.expiresAt;
    words[at + 16] = orders.model[row];
    words[at + 17] = command.resaleOf;
    words[at + 18] = command.selfTradePrevention;
    words[at + 19] = command.cancelOnDisconnect ? 1 : 0;
    words[at + 20] = orders.hold[row];
    words[at + 21] = buffer.text(command.clientOrderId);
    buffer.length = at + 22;
  }

  private link(row: number): void {
    const { orders, firstOrder, openOrders } = this.state;
    const company = orders.company[row];
    const head = firstOrder[company];
    orders.companyNext[row] = head;
    orders.companyPrev[row] = NIL;
    if (head !== NIL) orders.companyPrev[head] = row;
    firstOrder[company] = row;
    openOrders[company]++;
  }

  private unlink(row: number): void {
    const { orders, firstOrder, openOrders } = this.state;
    const company = orders.company[row];
    const after = orders.companyNext[row];
    const before = orders.companyPrev[row];
    if (before === NIL) firstOrder[company] = after;
    else orders.companyNext[before] = after;
    if (after !== NIL) orders.companyPrev[after] = before;
    openOrders[company]--;
  }

  // What matching asks and tells.

  serves(ask: number, model: number): boolean {
    return this.state.supply.serves(this.state.orders.cell[ask], model);
  }

  sameGroup(a: number, b: number): boolean {
    const { orders, groupIds } = this.state;
    return groupIds[orders.company[a]] === groupIds[orders.company[b]];
  }

  rested(row: number): void {
    const { orders, buffer } = this.state;
    buffer.reserve(5);
    const { words } = buffer;
    const at = buffer.length;
    words[at] = KIND.orderRested;
    words[at + 1] = 3;
    words[at + 2] = orders.idOf(row);
    words[at + 3] = orders.visible[row];
    words[at + 4] = orders.remaining[row];
    buffer.length = at + 5;
  }

  triggered(row: number): void {
    this.state.buffer.emit('orderTriggered', { order: this.state.orders.idOf(row) });
  }

  decremented(row: number, quantity: number): void {
    const { orders, supply } = this.state;
    if (orders.isSell(row)) supply.offered[orders.cell[row]] -= quantity;
    else this.adjustHold(row);
    orders.quantity[row] -= quantity;
    this.emitReduced(row);
  }

  private emitReduced(row: number): void {
    const { orders, buffer } = this.state;
    buffer.emit('orderReduced', { order: orders.idOf(row), visible: orders.visible[row], remaining: orders.remaining[row], hold: orders.hold[row] });
  }

  filled(row: number): void {
    this.leave(row, STATUS_FILLED, 0);
  }

  cancelled(row: number, reason: MatchReason): void {
    this.drop(row, reason);
  }

  /** Ends an order that is in no book any more, giving back what it reserved. */
  private drop(row: number, reason: CancelReason): void {
    const { orders, supply, ledger } = this.state;
    if (orders.isSell(row)) {
      supply.offered[orders.cell[row]] -= orders.remaining[row];
    } else if (orders.hold[row] > 0) {
      ledger.begin();
      this.holds.release(row, orders.hold[row]);
      ledger.end();
    }
    this.leave(row, EXPIRED.has(reason) ? STATUS_EXPIRED : STATUS_CANCELED, reasonCode(reason));
  }

  private leave(row: number, status: number, reason: number): void {
    const { orders, buffer } = this.state;
    buffer.reserve(6);
    const { words } = buffer;
    const at = buffer.length;
    words[at] = KIND.orderDone;
    words[at + 1] = 4;
    words[at + 2] = orders.idOf(row);
    words[at + 3] = status;
    words[at + 4] = reason;
    words[at + 5] = orders.remaining[row];
    buffer.length = at + 6;
    this.unlink(row);
    orders.destroy(row);
  }

  /** Brings a bid's hold to what its remainder needs, within what is already held or spendable. */
  private adjustHold(row: number): void {
    const { orders, ledger } = this.state;
    const remaining = orders.remaining[row];
    const needed = remaining === 0 ? 0 : this.holdOf(row, orders.price[row], remaining);
    const change = needed - orders.hold[row];
    if (change === 0) return;
    ledger.begin();
    if (change > 0) this.holds.reserve(row, change);
    else this.holds.release(row, -change);
    ledger.end();
  }

  private holdOf(row: number, price: Ticks, remaining: Steps): number {
    const { orders } = this.state;
    return requiredHold(price * remaining, orders.feesFloor[row], orders.feeFraction[row], orders.feesCharged(row));
  }

  traded(maker: number, taker: number, price: number, quantity: number): void {
    const { state } = this;
    const { orders } = state;
    const takerSells = orders.isSell(taker);
    const bid = takerSells ? maker : taker;
    const ask = takerSells ? taker : maker;
    const fee = this.chargeFee(bid, price * quantity, takerSells ? PARAMETERS.makerFee : PARAMETERS.takerFee);
    const allocation = this.allocate(bid, ask, price, quantity, takerSells ? PARAMETERS.takerFee : PARAMETERS.makerFee);
    this.postFill(bid, ask, allocation, price * quantity, fee, quantity);
    const notional = price * quantity;
    orders.notional[bid] += notional;
    orders.notional[ask] += notional;
    this.countPurchase(orders.company[bid], notional);
    state.companies[orders.company[ask]].undelivered += notional;
    state.supply.sell(orders.cell[ask], quantity, minutesLeft(state.bookOf(orders.book[ask]).hour, state.now));
    this.emitFill(maker, taker, bid, ask, allocation, price, quantity, fee);
  }

  /** Adds a fill's fee to the order's exact sum. Returns what it is charged now. */
  private chargeFee(bid: number, notional: number, rate: number): number {
    const { orders } = this.state;
    const before = orders.feesCharged(bid);
    const fraction = orders.feeFraction[bid] + feeRemainder(notional, rate);
    orders.feesFloor[bid] += feeFloor(notional, rate) + (fraction >= FEE_SCALE ? 1 : 0);
    orders.feeFraction[bid] = fraction >= FEE_SCALE ? fraction - FEE_SCALE : fraction;
    return orders.feesCharged(bid) - before;
  }

  private allocate(bid: number, ask: number, price: Ticks, quantity: Steps, sellerFee: number): number {
    const { state } = this;
    const { orders, allocations } = state;
    const row = allocations.create();
    const company = orders.company[bid];
    const book = state.bookOf(orders.book[bid]);
    allocations.price[row] = price;
    allocations.quantity[row] = quantity;
    allocations.company[row] = company;
    allocations.provider[row] = orders.company[ask];
    allocations.cell[row] = orders.cell[ask];
    allocations.book[row] = book.row;
    allocations.model[row] = orders.model[bid];
    allocations.sellerFee[row] = sellerFee;
    allocations.redemptionRate[row] = PARAMETERS.redemptionRate;
    allocations.state[row] = ALLOCATION.open;
    const head = state.firstAllocation[company];
    allocations.companyNext[row] = head;
    allocations.companyPrev[row] = NIL;
    if (head !== NIL) allocations.companyPrev[head] = row;
    state.firstAllocation[company] = row;
    allocations.bookNext[row] = book.firstAllocation;
    book.firstAllocation = row;
    book.openAllocations++;
    return row;
  }

  /** CREDIT.md section 4, row "fill". */
  private postFill(bid: number, ask: number, allocation: number, notional: number, fee: number, quantity: Steps): void {
    const { orders, allocations, ledger, supply } = this.state;
    const company = orders.company[bid];
    const holdAfter = orders.remaining[bid] === 0 ? 0 : this.holdOf(bid, orders.price[bid], orders.remaining[bid]);
    ledger.begin();
    allocations.funding[allocation] = this.holds.contract(bid, notional, NIL);
    allocations.contract[allocation] = notional;
    const cost = fee === 0 ? 0 : this.holds.retire(bid, fee);
    if (orders.hold[bid] > holdAfter) this.holds.release(bid, orders.hold[bid] - holdAfter);
    const cell = orders.cell[ask];
    const gpu = quantity * MICRO_GPU_SECONDS_PER_STEP;
    ledger.postCell(ACCOUNT['capacity.source'], cell, supply.cellId(cell), gpu);
    ledger.postCell(ACCOUNT['capacity.entitled'], cell, supply.cellId(cell), -gpu);
    ledger.post(ACCOUNT['commission.buyer'], company, -cost);
    ledger.post(ACCOUNT['cash.ops'], company, cost);
    ledger.post(ACCOUNT['cash.escrow'], company, -cost);
    ledger.end();
    this.state.companies[company].retired += fee;
    this.state.companies[company].retiredCost += cost;
  }

  private countPurchase(companyId: number, notional: number): void {
    const company = this.state.companies[companyId];
    const today = Math.floor(this.state.now / MILLIS_PER_DAY);
    if (company.boughtOn !== today) {
      company.boughtOn = today;
      company.boughtToday = 0;
    }
    company.boughtToday += notional;
  }

  private emitFill(maker: number, taker: number, bid: number, ask: number, allocation: number, price: Ticks, quantity: Steps, fee: number): void {
    const { state } = this;
    const { orders, buffer } = state;
    const book = state.bookOf(orders.book[bid]);
    buffer.reserve(19);
    const { words } = buffer;
    const at = buffer.length;
    words[at] = KIND.fill;
    words[at + 1] = 17;
    words[at + 2] = ++state.fills;
    words[at + 3] = state.allocations.idOf(allocation);
    words[at + 4] = orders.idOf(maker);
    words[at + 5] = orders.idOf(taker);
    words[at + 6] = bid === taker ? 0 : 1;
    words[at + 7] = orders.company[bid];
    words[at + 8] = orders.company[ask];
    words[at + 9] = state.allocations.provider[allocation];
    words[at + 10] = book.market;
    words[at + 11] = book.hour;
    words[at + 12] = price;
    words[at + 13] = quantity;
    words[at + 14] = fee;
    words[at + 15] = orders.remaining[maker];
    words[at + 16] = orders.remaining[taker];
    words[at + 17] = orders.hold[bid];
    words[at + 18] = state.now;
    buffer.length = at + 19;
  }

  // Leaving and changing.

  cancel(command: CancelOrder): RejectCode | undefined {
    const row = this.ownRow(command.company, command.order);
    if (row === NIL) return 'unknown_order';
    this.cancelRow(row, 'requested');
    return undefined;
  }

  private ownRow(company: number, order: number): number {
    const { orders } = this.state;
    const row = orders.rowOf(order);
    return row !== NIL && orders.company[row] === company ? row : NIL;
  }

  /** Takes a live order out of the market, wherever it waits. */
  cancelRow(row: number, reason: CancelReason): void {
    const { orders } = this.state;
    const book = this.state.bookOf(orders.book[row]);
    if ((orders.flags[row] & FLAG.untriggered) !== 0) this.matcher.withdrawStop(book, row);
    else this.matcher.withdraw(book, row);
    this.drop(row, reason);
  }

  /** Cancels the orders of a company that the filter names. */
  cancelAll(command: CancelAll, reason: CancelReason): void {
    const { orders, firstOrder } = this.state;
    for (let row = firstOrder[command.company] ?? NIL; row !== NIL; ) {
      const next = orders.companyNext[row];
      if (this.matches(command, row)) this.cancelRow(row, reason);
      row = next;
    }
  }

  private matches(command: CancelAll, row: number): boolean {
    const { orders } = this.state;
    const book = this.state.bookOf(orders.book[row]);
    return (
      (command.market === NONE || command.market === book.market) &&
      (command.hour === NONE || command.hour === book.hour) &&
      (command.side === NONE || (command.side === SELL) === orders.isSell(row)) &&
      (!command.onDisconnect || (orders.flags[row] & FLAG.cancelOnDisconnect) !== 0)
    );
  }

  /** Changes price or remaining quantity. A pure decrease keeps its place, anything else requeues and may trade. */
  amend(command: AmendOrder): RejectCode | undefined {
    const { orders } = this.state;
    const row = this.ownRow(command.company, command.order);
    if (row === NIL) return 'unknown_order';
    if (command.price === NOT_A_MULTIPLE) return 'invalid_tick';
    if (command.quantity === NOT_A_MULTIPLE) return 'invalid_step';
    if (command.price < 0 || command.quantity < 0 || command.price > PRICE_TICKS_MAX || command.quantity > QUANTITY_STEPS_MAX) return 'amount_out_of_range';
    const price = command.price === 0 ? orders.price[row] : command.price;
    const remaining = command.quantity === 0 ? orders.remaining[row] : command.quantity;
    if (price * remaining > NOTIONAL_MICRO_MAX) return 'amount_out_of_range';
    if (price === orders.price[row] && remaining <= orders.remaining[row]) {
      this.decrease(row, remaining);
      return undefined;
    }
    return this.requeue(row, price, remaining);
  }

  private decrease(row: number, remaining: Steps): void {
    const { orders, supply } = this.state;
    const cut = orders.remaining[row] - remaining;
    orders.remaining[row] = remaining;
    orders.quantity[row] -= cut;
    orders.visible[row] = Math.min(orders.visible[row], remaining);
    if (orders.isSell(row)) supply.offered[orders.cell[row]] -= cut;
    else this.adjustHold(row);
    this.emitAmended(row, true);
    if ((orders.flags[row] & FLAG.resting) !== 0) this.emitReduced(row);
  }

  private requeue(row: number, price: Ticks, remaining: Steps): RejectCode | undefined {
    const { orders, supply } = this.state;
    const book = this.state.bookOf(orders.book[row]);
    const refusal = this.amendRefusal(book, row, price, remaining);
    if (refusal !== undefined) return refusal;
    const resting = (orders.flags[row] & FLAG.resting) !== 0;
    if (resting) this.matcher.withdraw(book, row);
    if (orders.isSell(row)) supply.offered[orders.cell[row]] += remaining - orders.remaining[row];
    orders.price[row] = price;
    orders.quantity[row] += remaining - orders.remaining[row];
    orders.remaining[row] = remaining;
    if (!orders.isSell(row)) this.adjustHold(row);
    this.emitAmended(row, false);
    if (!resting) return undefined;
    this.matcher.enter(book, row);
    this.matcher.runStops(book);
    return undefined;
  }

  private amendRefusal(book: HourBook, row: number, price: Ticks, remaining: Steps): RejectCode | undefined {
    const { orders } = this.state;
    const trading = this.checks.tradingRefusal(this.state.markets.get(book.market), book, book.market, book.hour);
    if (trading !== undefined) return trading;
    const company = orders.company[row];
    if (orders.isSell(row)) {
      if (price > this.checks.listPrice(book.market)) return 'above_list_price';
      const more = remaining - orders.remaining[row];
      if (more > 0 && !this.checks.covers(company, book.market, book.hour, book, more)) return 'insufficient_capacity';
    } else {
      const more = this.holdOf(row, price, remaining) - orders.hold[row];
      if (more > 0 && this.holds.spendable(company, more) < more) return this.holds.isBlocked(company) ? 'facility_frozen' : 'insufficient_credits';
    }
    return this.wouldCrossAt(book, row, price) ? 'post_only_would_cross' : undefined;
  }

  /** Whether a post-only order would trade at another price. */
  private wouldCrossAt(book: HourBook, row: number, price: Ticks): boolean {
    const { orders } = this.state;
    if ((orders.flags[row] & FLAG.postOnly) === 0) return false;
    const current = orders.price[row];
    orders.price[row] = price;
    const crosses = this.matcher.wouldCross(book, row);
    orders.price[row] = current;
    return crosses;
  }

  private emitAmended(row: number, keptPriority: boolean): void {
    const { orders, buffer } = this.state;
    buffer.emit('orderAmended', { order: orders.idOf(row), price: orders.price[row], remaining: orders.remaining[row], hold: orders.hold[row], keptPriority });
  }

  /** The running minute begins: asks of the hour shrink to what k of the k + 1 minutes leave of them. */
  shrinkAsks(book: HourBook, minutes: number): void {
    const { orders } = this.state;
    const rows: number[] = [];
    book.asks.forEach(orders, (row) => rows.push(row) > 0);
    for (const row of rows) {
      const remaining = Math.floor((orders.remaining[row] * minutes) / (minutes + 1));
      if (remaining < 1) this.cancelRow(row, 'expired');
      else this.shrink(row, remaining);
    }
  }

  private shrink(row: number, remaining: Steps): void {
    const { orders, supply } = this.state;
    const cut = orders.remaining[row] - remaining;
    if (cut === 0) return;
    orders.remaining[row] = remaining;
    orders.visible[row] = Math.min(orders.visible[row], remaining);
    supply.offered[orders.cell[row]] -= cut;
    this.emitReduced(row);
  }

  /** Ends the open bids of a company that a lot funds. */
  cancelFunded(company: number, lot: number, reason: CancelReason): void {
    const { orders, amounts, firstOrder } = this.state;
    for (let row = firstOrder[company]; row !== NIL; ) {
      const next = orders.companyNext[row];
      if (amounts.contains(orders.holdList[row], lot)) this.cancelRow(row, reason);
      row = next;
    }
  }

  /** Ends a company's bids that a lot funds, newest first, until no more than `allowed` of it is held. */
  cancelUntilHeldFits(company: number, lot: number, allowed: number): void {
    const { orders, amounts, firstOrder, lots } = this.state;
    // The company's chain runs from the newest order to the oldest.
    for (let row = firstOrder[company]; row !== NIL && lots.held(lot) > allowed; ) {
      const next = orders.companyNext[row];
      if (amounts.contains(orders.holdList[row], lot)) this.cancelRow(row, 'facility_frozen');
      row = next;
    }
  }

  /** A provider serves more models: bids that waited for them trade now, best price and oldest first. */
  matchNewlyEligible(provider: number, marketId: number, models: ReadonlySet<number>): void {
    const { state } = this;
    const { orders } = state;
    const books = [...(state.markets.get(marketId)?.books.values() ?? [])].map((row) => state.bookOf(row)).filter((book) => book.cells.has(provider));
    for (const book of books.sort((a, b) => a.hour - b.hour)) {
      const bids: number[] = [];
      book.bids.forEach(orders, (row) => !models.has(orders.model[row]) || bids.push(orders.idOf(row)) > 0);
      for (const id of bids) this.reenter(book, orders.rowOf(id));
      this.matcher.runStops(book);
    }
  }

  /** Lets a resting order match again, if it would trade now. */
  private reenter(book: HourBook, row: number): void {
    if (row === NIL || !this.matcher.wouldCross(book, row)) return;
    this.matcher.withdraw(book, row);
    this.matcher.enter(book, row);
  }

  /**
   * Cancels a provider's offers, newest first, until what is sold and offered fits `gpus` in every
   * hour. False, and nothing cancelled, when more is already sold.
   */
  fitOffers(provider: number, marketId: number, gpus: number): boolean {
    const { state } = this;
    const cells = [...(state.markets.get(marketId)?.books.values() ?? [])].flatMap((row) => {
      const book = state.bookOf(row);
      const cell = book.cells.get(provider);
      return cell === undefined ? [] : [{ cell, left: minutesLeft(book.hour, state.now) }];
    });
    if (cells.some(({ cell, left }) => left > 0 && !state.supply.fits(cell, -state.supply.offered[cell], left, gpus))) return false;
    const short = new Set(cells.filter(({ cell, left }) => left > 0 && !state.supply.fits(cell, 0, left, gpus)).map(({ cell }) => cell));
    for (let row = state.firstOrder[provider]; row !== NIL; ) {
      const next = state.orders.companyNext[row];
      const cell = state.orders.cell[row];
      const left = minutesLeft(state.supply.hour[cell], state.now);
      if (short.has(cell) && !state.supply.fits(cell, 0, left, gpus)) this.cancelRow(row, 'capacity_reduced');
      row = next;
    }
    return true;
  }

  /** A new list price is a promise about every ask that stands. */
  cancelAsksAbove(book: HourBook, listPrice: Ticks): void {
    const { orders } = this.state;
    const rows: number[] = book.stops.filter((row) => orders.isSell(row) && orders.price[row] > listPrice);
    book.asks.forEach(orders, (row) => orders.price[row] <= listPrice || rows.push(row) > 0);
    for (const row of rows) this.cancelRow(row, 'above_list_price');
  }

  /** Gate closure: what waits for a trigger leaves. */
  cancelStops(book: HourBook): void {
    for (const row of [...book.stops]) this.cancelRow(row, 'gate_closed');
  }

  /** Ends every order of a book. */
  clearBook(book: HourBook, reason: CancelReason): void {
    const { orders } = this.state;
    const rows: number[] = [...book.stops];
    book.bids.forEach(orders, (row) => rows.push(row) > 0);
    book.asks.forEach(orders, (row) => rows.push(row) > 0);
    for (const row of rows) this.cancelRow(row, reason);
  }
}
