/** What touches many orders at once: mass cancels, the minutes of the running hour, frozen credit, lost capacity. */
import { NONE, SELL, classOf } from '../vocabulary.ts';
import type { CancelAll, SetTradingMode } from '../commands.ts';
import type { CancelReason } from '../events.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { minutesLeft } from '../numbers/calendar.ts';
import type { OrderEvents } from '../book/order_events.ts';
import { FLAG } from '../book/orders.ts';
import type { State } from '../state.ts';
import type { HourBook } from '../trading/markets.ts';
import type { Trading } from '../trading/trading.ts';
import type { Steps, Ticks } from '../numbers/units.ts';

export class Sweeps {
  private readonly state: State;
  private readonly trading: Trading;
  private readonly events: OrderEvents;

  constructor(state: State, trading: Trading, events: OrderEvents) {
    this.state = state;
    this.trading = trading;
    this.events = events;
  }

  /** Cancels the orders of a company that the filter names. */
  cancelAll(command: CancelAll, reason: CancelReason): void {
    const { orders, standing } = this.state;
    for (let row = standing.firstOrder(command.company); row !== NIL; ) {
      const next = orders.companyNext(row);
      if (this.matches(command, row)) this.trading.cancelRow(row, reason);
      row = next;
    }
  }

  private matches(command: CancelAll, row: number): boolean {
    const { orders, blocks, forced } = this.state;
    // What the rules offer of a frozen facility its borrower does not take back.
    if (forced.size > 0 && forced.has(orders.idOf(row))) return false;
    const isBlock = (orders.flags(row) & FLAG.block) !== 0;
    // A block is of a market, and of no instrument.
    const book = isBlock ? { market: blocks.get(orders.idOf(row))?.market, hour: NIL } : this.state.bookOf(orders.book(row));
    return (
      (command.market === NONE || command.market === book.market) &&
      (command.hour === NONE || command.hour === book.hour) &&
      (command.side === NONE || (command.side === SELL) === orders.isSell(row)) &&
      (!command.onDisconnect || (orders.flags(row) & FLAG.cancelOnDisconnect) !== 0)
    );
  }

  /** The running minute begins: asks of the hour shrink to what k of the k + 1 minutes leave of them. */
  shrinkAsks(book: HourBook, minutes: number): void {
    const { orders } = this.state;
    const rows: number[] = [];
    book.asks.forEach(orders, (row) => rows.push(row) > 0);
    const bound: number[] = [];
    for (const row of rows) {
      const remaining = Math.floor((orders.remaining(row) * minutes) / (minutes + 1));
      if (orders.pendingMinimum(row) > 0) bound.push(orders.idOf(row));
      if (remaining < 1) this.trading.cancelRow(row, 'expired');
      else this.shrink(row, remaining);
    }
    for (const id of bound) {
      const row = orders.rowOf(id);
      if (row !== NIL) this.trading.ease(row);
    }
  }

  private shrink(row: number, remaining: Steps): void {
    const { orders } = this.state;
    const cut = orders.remaining(row) - remaining;
    if (cut === 0) return;
    orders.setRemaining(row, remaining);
    orders.setQuantity(row, orders.quantity(row) - cut);
    orders.setVisible(row, Math.min(orders.visible(row), remaining));
    this.trading.offer(row, -cut);
    this.events.reduced(row);
  }

  /** Ends the open bids of a company that a lot funds. */
  cancelFunded(company: number, lot: number, reason: CancelReason): void {
    const { orders, amounts, standing } = this.state;
    for (let row = standing.firstOrder(company); row !== NIL; ) {
      const next = orders.companyNext(row);
      if (amounts.contains(orders.holdList(row), lot)) this.trading.cancelRow(row, reason);
      row = next;
    }
  }

  /** Ends a company's bids that a lot funds, newest first, until no more than `allowed` of it is held. */
  cancelUntilHeldFits(company: number, lot: number, allowed: number): void {
    const { orders, amounts, standing, lots } = this.state;
    // The company's chain runs from the newest order to the oldest.
    for (let row = standing.firstOrder(company); row !== NIL && lots.held(lot) > allowed; ) {
      const next = orders.companyNext(row);
      if (amounts.contains(orders.holdList(row), lot)) this.trading.cancelRow(row, 'facility_frozen');
      row = next;
    }
  }

  /** A provider serves more models: bids that waited for them trade now, best price and oldest first. */
  matchNewlyEligible(provider: number, marketId: number, models: ReadonlySet<number>): void {
    const { state } = this;
    const { orders } = state;
    const books = [...(state.markets.get(marketId)?.books.values() ?? [])].filter((row) => state.providerCells.has(row, provider)).map((row) => state.bookOf(row));
    for (const book of books.filter((open) => state.isTrading(open)).sort((a, b) => a.hour - b.hour)) {
      const bids: number[] = [];
      book.bids.forEach(orders, (row) => !models.has(orders.model(row)) || bids.push(orders.idOf(row)) > 0);
      for (const id of bids) this.trading.reenter(book, orders.rowOf(id));
      this.trading.runStops(book);
    }
    this.trading.blocks.waiting.touchMarket(marketId);
  }

  /**
   * Cancels a provider's offers, newest first, until what is sold and offered fits `gpus` in every
   * hour. False, and nothing cancelled, when more is already sold.
   */
  fitOffers(provider: number, marketId: number, gpus: number): boolean {
    const { state } = this;
    const cells = [...(state.markets.get(marketId)?.books.values() ?? [])].flatMap((row) => {
      const book = state.bookOf(row);
      const cell = state.providerCells.get(row, provider);
      return cell === NIL ? [] : [{ cell, left: minutesLeft(book.hour, state.now) }];
    });
    if (cells.some(({ cell, left }) => left > 0 && !state.supply.fits(cell, -state.supply.offered(cell), left, gpus))) return false;
    const short = new Set(cells.filter(({ cell, left }) => left > 0 && !state.supply.fits(cell, 0, left, gpus)).map(({ cell }) => cell));
    for (let row = state.standing.firstOrder(provider); row !== NIL; ) {
      const next = state.orders.companyNext(row);
      const cell = state.orders.cell(row);
      const left = minutesLeft(state.supply.hourOf(cell), state.now);
      if (short.has(cell) && !state.supply.fits(cell, 0, left, gpus)) this.trading.cancelRow(row, 'capacity_reduced');
      row = next;
    }
    return true;
  }

  /** A new list price is a promise about every ask that stands. */
  cancelAsksAbove(book: HourBook, listPrice: Ticks): void {
    const { orders } = this.state;
    const rows: number[] = book.stops.rows().filter((row) => orders.isSell(row) && orders.price(row) > listPrice);
    book.asks.forEach(orders, (row) => orders.price(row) <= listPrice || rows.push(row) > 0);
    for (const row of rows) this.trading.cancelRow(row, 'above_list_price');
  }

  /** Gate closure: what waits for a trigger leaves. */
  cancelStops(book: HourBook): void {
    for (const row of book.stops.rows()) this.trading.cancelRow(row, 'gate_closed');
  }

  /** What a command has brought about and may trade now: bids whose credit is free again, then blocks. */
  settle(): void {
    const { state } = this;
    // What blocks bought elsewhere may let bids trade again; before rules version 9 with the next command.
    do {
      state.unsettled = false;
      this.runLoosened();
      this.trading.blocks.run();
    } while (state.unsettled && state.rulesVersion >= 9);
  }

  /** Provider groups are open again to some companies' credit: bids that waited for them trade now, the oldest first. */
  private runLoosened(): void {
    const { state, trading } = this;
    const { orders, standing } = state;
    const { loosened } = trading.limits.concentration;
    while (loosened.length > 0) {
      const bids: number[] = [];
      for (let row = standing.firstOrder(loosened.shift() ?? 0); row !== NIL; row = orders.companyNext(row)) {
        if ((orders.flags(row) & (FLAG.limited | FLAG.resting)) === (FLAG.limited | FLAG.resting)) bids.push(orders.idOf(row));
      }
      for (const id of bids.reverse()) {
        const row = orders.rowOf(id);
        if (row === NIL) continue;
        const book = state.bookOf(orders.book(row));
        // Where trading is stopped they meet when it begins again.
        if (!state.isTrading(book)) continue;
        trading.reenter(book, row);
        trading.runStops(book);
      }
      trading.blocks.waiting.touchMarket(NONE);
    }
  }

  /** Books whose mode has changed begin or end their call. A book that was halted in its call goes on with it: crossed orders never meet in continuous trading. */
  followMode({ class: classId, market, hour }: SetTradingMode): void {
    const { state } = this;
    const books = state.books.filter((book) => book !== undefined).sort((a, b) => a.hour - b.hour || a.market - b.market);
    for (const book of books) {
      const affected = market !== NONE ? book.market === market && (hour === NONE || book.hour === hour) : classId === NONE || classOf(book.market) === classId;
      if (!affected) continue;
      const mode = state.modeOf(book.market, book);
      if (mode === 'auction') book.auction = true;
      else if (mode === 'open') this.trading.reopen(book);
    }
    this.trading.blocks.waiting.touchMarket(market);
  }

  /** Ends all asks of a book that sell a provider's capacity, its buyers' resales among them. */
  cancelAsksOf(book: HourBook, cell: number, reason: CancelReason): void {
    const { orders } = this.state;
    const rows: number[] = book.stops.rows().filter((row) => orders.isSell(row) && orders.cell(row) === cell);
    book.asks.forEach(orders, (row) => orders.cell(row) !== cell || rows.push(row) > 0);
    for (const row of rows) this.trading.cancelRow(row, reason);
  }

  /** Ends every order of a book. */
  clearBook(book: HourBook, reason: CancelReason): void {
    const { orders } = this.state;
    const rows = book.stops.rows();
    book.bids.forEach(orders, (row) => rows.push(row) > 0);
    book.asks.forEach(orders, (row) => rows.push(row) > 0);
    for (const row of rows) this.trading.cancelRow(row, reason);
  }
}
