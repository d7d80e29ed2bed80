/**
 * Reads what the next commands are about to touch, so that it stands in the cache when they come. In a
 * market of a million orders nearly all that an order touches waits in memory, a third of a microsecond
 * away each, and what is read says where the next thing stands: the processor waits for one after the
 * other. Commands that stand beside each other in a batch know nothing of each other: read in stages, a dozen
 * waits of theirs pass at the same time. Nothing is changed, and nothing rests on it.
 */
import type { CancelOrder, Command, Envelope, PlaceOrder } from '../commands.ts';
import { IOC, SELL } from '../commands.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { State } from '../state.ts';
import type { HourBook } from './markets.ts';

/** Commands that are read together: enough that waits pass together, few enough that what was read is still there. */
export const FORESEEN = 16;
/** Orders beyond which they take much of the processor's own cache; beyond which they are far more than it holds. */
const MIDDLING = 1 << 12;
const WIDE = 1 << 16;

export class Foresight {
  private readonly state: State;
  private readonly books: (HourBook | undefined)[] = [];
  /** Rows of the orders that are to be cancelled, and of those that others would meet. */
  private readonly rows = new Int32Array(FORESEEN);
  private readonly makers = new Int32Array(FORESEEN);
  private readonly cells = new Int32Array(FORESEEN);
  /** What was read must be used, or the compiler leaves out the reading. */
  private seen = 0;

  private readonly middling: number;
  private readonly wide: number;

  constructor(state: State, middling = MIDDLING, wide = WIDE) {
    this.state = state;
    this.middling = middling;
    this.wide = wide;
  }

  /** Whether there is more to read than the commands themselves. */
  get isWorthwhile(): boolean {
    return this.state.orders.count > this.middling;
  }

  /** Looks ahead to the commands from `from` on, at most FORESEEN of them. */
  look(envelopes: readonly Envelope[], from: number, to: number): void {
    const orders = this.state.orders.count;
    const count = to - from < FORESEEN ? to - from : FORESEEN;
    if (orders > this.wide) this.lookFar(envelopes, from, count);
    else if (orders > this.middling) this.lookForCancelled(envelopes, from, count);
    else this.lookForCommands(envelopes, from, count);
  }

  private lookFar(envelopes: readonly Envelope[], from: number, count: number): void {
    this.lookForOrders(envelopes, from, count);
    this.lookForBooks(count);
    this.lookForSides(count);
    this.lookForLevels(envelopes, from, count);
    this.lookForMakers(envelopes, from, count);
    this.lookBehindMakers(count);
  }

  /** Reads the commands alone. */
  private lookForCommands(envelopes: readonly Envelope[], from: number, count: number): void {
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const command: Command = envelopes[from + at].command;
      if (command.type === 'place') seen += command.price + command.model + command.expiresAt;
    }
    this.seen = seen;
  }

  /** Reads the commands, the orders that they cancel, and what stands beside those. */
  private lookForCancelled(envelopes: readonly Envelope[], from: number, count: number): void {
    const { rows } = this;
    const { orders, standing, amounts } = this.state;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const command: Command = envelopes[from + at].command;
      const { type } = command;
      rows[at] = NIL;
      if (type === 'place') {
        const { company, price, model, expiresAt } = command as PlaceOrder;
        seen += price + model + expiresAt + standing.firstOrder(company);
      } else if (type === 'cancel') {
        const row = orders.placeOf((command as CancelOrder).order);
        rows[at] = row;
        if (row !== NIL) seen += orders.flags(row) + orders.remaining(row);
      }
    }
    for (let at = 0; at < count; at++) {
      const row = rows[at];
      if (row === NIL) continue;
      seen += this.flagsOf(orders.next(row)) + this.flagsOf(orders.prev(row)) + this.flagsOf(orders.companyNext(row)) + this.flagsOf(orders.companyPrev(row));
      const node = orders.holdList(row);
      if (node > NIL) seen += amounts.lot(node);
    }
    this.seen = seen;
  }

  private lookForOrders(envelopes: readonly Envelope[], from: number, count: number): void {
    const { state, rows, books } = this;
    const { orders, standing } = state;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const command: Command = envelopes[from + at].command;
      const { type } = command;
      let row: number = NIL;
      let book: HourBook | undefined;
      if (type === 'cancel') {
        row = orders.placeOf((command as CancelOrder).order);
        if (row !== NIL) seen += orders.flags(row) + orders.remaining(row);
      } else if (type === 'place') {
        const { market, hour, company } = command as PlaceOrder;
        const found = state.findMarket(market);
        book = found === undefined ? undefined : state.findBook(found, hour);
        seen += this.flagsOf(standing.firstOrder(company));
      }
      rows[at] = row;
      books[at] = book;
    }
    this.seen = seen;
  }

  /** What stands beside an order, and the two sides of its book. */
  private lookForBooks(count: number): void {
    const { state, rows, books } = this;
    const { orders, amounts, supply } = state;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const row = rows[at];
      let book = books[at];
      if (row !== NIL) {
        book = state.books[orders.book(row)];
        books[at] = book;
        seen += this.flagsOf(orders.next(row)) + this.flagsOf(orders.prev(row)) + this.flagsOf(orders.companyNext(row)) + this.flagsOf(orders.companyPrev(row));
        const node = orders.holdList(row);
        if (node > NIL) seen += amounts.lot(node);
        const cell = orders.cell(row);
        if (cell > NIL) seen += supply.offered(cell);
      }
      if (book !== undefined) seen += book.lastPrice;
    }
    this.seen += seen;
  }

  private flagsOf(row: number): number {
    return row > NIL ? this.state.orders.flags(row) : 0;
  }

  /** How many levels each side has, and how many providers the book. */
  private lookForSides(count: number): void {
    const { books } = this;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const book = books[at];
      if (book !== undefined) seen += book.bids.count + book.asks.count + book.cells.size;
    }
    this.seen += seen;
  }

  /** The best levels, and where the provider of an ask stands. */
  private lookForLevels(envelopes: readonly Envelope[], from: number, count: number): void {
    const { books, rows, cells } = this;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const book = books[at];
      cells[at] = NIL;
      if (book === undefined) continue;
      seen += book.bids.glance() + book.asks.glance();
      if (rows[at] !== NIL) continue;
      const { side, company } = envelopes[from + at].command as PlaceOrder;
      if (side === SELL) cells[at] = book.cells.get(company);
    }
    this.seen += seen;
  }

  /** Whom an order would meet, or stand behind. */
  private lookForMakers(envelopes: readonly Envelope[], from: number, count: number): void {
    const { books, rows, cells, makers } = this;
    const { orders, supply } = this.state;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const book = books[at];
      makers[at] = NIL;
      if (book === undefined) continue;
      if (rows[at] !== NIL) {
        seen += book.side(orders.isSell(rows[at])).tailAt(orders.price(rows[at]));
        continue;
      }
      const { side, timeInForce, price } = envelopes[from + at].command as PlaceOrder;
      const opposite = book.side(side !== SELL);
      if (timeInForce >= IOC && opposite.count > 0) {
        const maker = opposite.head(opposite.count - 1);
        seen += orders.flags(maker) + orders.remaining(maker);
        makers[at] = maker;
      } else {
        seen += this.flagsOf(book.side(side === SELL).tailAt(price));
      }
      if (cells[at] !== NIL) seen += supply.offered(cells[at]);
    }
    this.seen += seen;
  }

  /** What stands beside those that would be met. */
  private lookBehindMakers(count: number): void {
    const { makers } = this;
    const { orders, supply, amounts } = this.state;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const maker = makers[at];
      if (maker === NIL) continue;
      const node = orders.holdList(maker);
      if (node > NIL) seen += amounts.lot(node);
      const cell = orders.cell(maker);
      if (cell > NIL) seen += supply.offered(cell);
      seen += this.flagsOf(orders.next(maker)) + this.flagsOf(orders.companyNext(maker)) + this.flagsOf(orders.companyPrev(maker));
    }
    this.seen += seen;
  }
}
