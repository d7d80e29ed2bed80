/**
 * Reads what the next commands are about to touch, so that it stands in the cache when they come. In a
 * market of a million orders nearly all that an order touches waits in memory, a third of a microsecond
 * away each, and what is read says where the next thing stands: the processor waits for one after the
 * other. Commands that stand beside each other in a batch know nothing of each other: read in stages, a dozen
 * waits of theirs pass at the same time. Nothing is changed, and nothing rests on it.
 *
 * A stage is a plain loop that decides nothing by what it waits for: where the processor has guessed a decision wrongly, all that it
 * has begun behind it is begun anew. What one stage has read, the next decides by; where there is nothing to read, the first
 * row is, which is always there.
 */
import type { CancelOrder, Command, Envelope, PlaceOrder } from '../commands.ts';
import { IOC, SELL } from '../vocabulary.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { State } from '../state.ts';
import type { HourBook } from './markets.ts';

/** Commands that are read together: enough that waits pass together, few enough that what was read is still there. */
export const FORESEEN = 16;
/** Orders beyond which they take much of the processor's own cache; beyond which they are far more than it holds. */
const MIDDLING = 1 << 12;
const WIDE = 1 << 16;

/** What a command is, as far as nearly all are one of two. */
export const OTHER_COMMAND = 0;
export const PLACE = 1;
export const CANCEL = 2;

/** A row, or the first where there is none. */
const orFirst = (row: number): number => row & ~(row >> 31);

export class Foresight {
  private readonly state: State;
  /** What the commands are: they have many shapes, so that each reading of their type is a look-up, and this is the one. */
  readonly kinds = new Uint8Array(FORESEEN);
  /** Rows of the orders that are to be cancelled; NIL of those that are placed. */
  private readonly rows = new Int32Array(FORESEEN);
  /** The other commands, one entry each: whose they are, the book, and where in it the order stands or will. */
  private count = 0;
  private readonly companies = new Int32Array(FORESEEN);
  private readonly books: (HourBook | undefined)[] = Array.from({ length: FORESEEN }, () => undefined);
  private readonly sells = new Uint8Array(FORESEEN);
  private readonly prices = new Float64Array(FORESEEN);
  private readonly takes = new Uint8Array(FORESEEN);
  /** Where the next stage reads: orders that others will be chained or matched to, and lots. */
  private readonly chained = new Int32Array(FORESEEN);
  private readonly lots = new Int32Array(FORESEEN);
  private readonly makers = new Int32Array(FORESEEN);
  /** What was read must be used, or the compiler leaves out the reading. */
  private seen = 0;

  private readonly middling: number;
  private readonly wide: number;

  constructor(state: State, middling = MIDDLING, wide = WIDE) {
    this.state = state;
    this.middling = middling;
    this.wide = wide;
  }

  /** Whether there is more to read than commands, the orders that they cancel and where companies stand. */
  get isWorthwhile(): boolean {
    return this.state.orders.count > this.middling;
  }

  /** Looks ahead to the commands from `from` on, at most FORESEEN of them. */
  look(envelopes: readonly Envelope[], from: number, to: number): void {
    const orders = this.state.orders.count;
    const count = to - from < FORESEEN ? to - from : FORESEEN;
    this.readKinds(envelopes, from, count);
    if (orders > this.wide) this.lookFar(envelopes, from, count);
    else if (orders > this.middling) this.lookForCancelled(envelopes, from, count);
    else this.lookForCommands(envelopes, from, count);
  }

  private readKinds(envelopes: readonly Envelope[], from: number, count: number): void {
    const { kinds } = this;
    for (let at = 0; at < count; at++) {
      const { type } = envelopes[from + at].command;
      kinds[at] = type === 'place' ? PLACE : type === 'cancel' ? CANCEL : OTHER_COMMAND;
    }
  }

  private lookFar(envelopes: readonly Envelope[], from: number, count: number): void {
    this.sortCommands(envelopes, from, count);
    this.readOrders();
    this.readBesideOrders();
    this.readBooks();
    this.readSides();
    this.readLevels();
    this.readMakers();
    this.readBehindMakers();
  }

  /** Reads the commands, the orders that they cancel, and where an order's company stands. */
  private lookForCommands(envelopes: readonly Envelope[], from: number, count: number): void {
    const { kinds } = this;
    const { orders, standing } = this.state;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const command: Command = envelopes[from + at].command;
      if (kinds[at] === PLACE) {
        const { company, price, model, expiresAt } = command as PlaceOrder;
        seen += price + model + expiresAt + standing.firstOrder(company);
      } else if (kinds[at] === CANCEL) {
        seen += orders.flags(orFirst(orders.placeOf((command as CancelOrder).order)));
      }
    }
    this.seen = seen;
  }

  /** Reads the commands, the orders that they cancel, and what stands beside those. */
  private lookForCancelled(envelopes: readonly Envelope[], from: number, count: number): void {
    const { kinds, rows } = this;
    const { orders, standing, amounts } = this.state;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const command: Command = envelopes[from + at].command;
      rows[at] = NIL;
      if (kinds[at] === PLACE) {
        const { company, price, model, expiresAt } = command as PlaceOrder;
        seen += price + model + expiresAt + standing.firstOrder(company);
      } else if (kinds[at] === CANCEL) {
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

  private flagsOf(row: number): number {
    return row > NIL ? this.state.orders.flags(row) : 0;
  }

  /** The rest of the commands. */
  private sortCommands(envelopes: readonly Envelope[], from: number, count: number): void {
    const { kinds, companies, rows, sells, takes, prices, books, state } = this;
    const { orders, standing } = state;
    let entries = 0;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const command: Command = envelopes[from + at].command;
      if (kinds[at] === CANCEL) {
        const { company, order } = command as CancelOrder;
        const row = orders.placeOf(order);
        if (row === NIL || !standing.has(company)) continue;
        companies[entries] = company;
        rows[entries] = row;
        books[entries++] = undefined;
      } else if (kinds[at] === PLACE) {
        const { company, side, price, timeInForce, market, hour, model, clientOrderId } = command as PlaceOrder;
        const found = state.findMarket(market);
        if (found === undefined || !standing.has(company)) continue;
        companies[entries] = company;
        rows[entries] = NIL;
        sells[entries] = side;
        prices[entries] = price;
        takes[entries] = timeInForce >= IOC ? 1 : 0;
        seen += model + clientOrderId.length;
        books[entries++] = state.nearBook(found, hour);
      }
    }
    this.count = entries;
    this.seen = seen;
  }

  /** The orders that are cancelled, and what every order asks of its company. */
  private readOrders(): void {
    const { companies, rows, chained, lots, count } = this;
    const { orders, standing } = this.state;
    let flags = 0;
    let sum = 0;
    for (let at = 0; at < count; at++) {
      const row = orFirst(rows[at]);
      flags |= orders.flags(row);
      sum += orders.remaining(row);
      chained[at] = standing.firstOrder(companies[at]);
      lots[at] = standing.firstLot(companies[at]);
    }
    this.seen += flags + sum;
  }

  /** What stands beside an order, and the book that it is in. */
  private readBesideOrders(): void {
    const { rows, books, chained, lots, sells, prices, takes, count, state } = this;
    const { orders, amounts, supply, lots: credit } = state;
    let flags = 0;
    let sum = 0;
    for (let at = 0; at < count; at++) {
      flags |= orders.flags(orFirst(chained[at]));
      sum += credit.available(orFirst(lots[at]));
      const row = rows[at];
      if (row === NIL) continue;
      flags |= orders.flags(orFirst(orders.next(row))) | orders.flags(orFirst(orders.prev(row)));
      flags |= orders.flags(orFirst(orders.companyNext(row))) | orders.flags(orFirst(orders.companyPrev(row)));
      flags |= amounts.lot(orFirst(orders.holdList(row)));
      sum += supply.offered(orFirst(orders.cell(row)));
      books[at] = state.books[orders.book(row)];
      sells[at] = orders.isSell(row) ? 1 : 0;
      prices[at] = orders.price(row);
      takes[at] = 0;
    }
    this.seen += flags + sum;
  }

  private readBooks(): void {
    const { books, count } = this;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const book = books[at];
      if (book !== undefined) seen += book.row + book.openAllocations;
    }
    this.seen += seen;
  }

  /** How many levels each side has, and how many providers the book. */
  private readSides(): void {
    const { books, count } = this;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const book = books[at];
      if (book !== undefined) seen += book.bids.count + book.asks.count + book.cells.size;
    }
    this.seen += seen;
  }

  /** The levels from the order's own to the best, and where the provider of an ask stands. */
  private readLevels(): void {
    const { books, rows, sells, prices, companies, count } = this;
    let seen = 0;
    for (let at = 0; at < count; at++) {
      const book = books[at];
      if (book === undefined) continue;
      const isAsk = sells[at] === SELL;
      seen += book.side(isAsk).glanceFrom(prices[at]);
      if (isAsk && rows[at] === NIL) seen += book.cells.glance(companies[at]);
    }
    this.seen += seen;
  }

  /** Whom an order would meet, or stand behind. */
  private readMakers(): void {
    const { books, rows, sells, prices, takes, companies, makers, count } = this;
    const { orders, supply } = this.state;
    let flags = 0;
    let sum = 0;
    for (let at = 0; at < count; at++) {
      const book = books[at];
      makers[at] = NIL;
      if (book === undefined || rows[at] !== NIL) continue;
      const isAsk = sells[at] === SELL;
      const opposite = book.side(!isAsk);
      if (takes[at] === 1 && opposite.count > 0) {
        const maker = opposite.head(opposite.count - 1);
        makers[at] = maker;
        flags |= orders.flags(maker);
        sum += orders.remaining(maker);
      } else {
        flags |= orders.flags(orFirst(book.side(isAsk).tailAt(prices[at])));
      }
      if (isAsk) sum += supply.offered(orFirst(book.cells.get(companies[at])));
    }
    this.seen += flags + sum;
  }

  /** What stands beside those that would be met. */
  private readBehindMakers(): void {
    const { makers, count } = this;
    const { orders, supply, amounts } = this.state;
    let flags = 0;
    let sum = 0;
    for (let at = 0; at < count; at++) {
      const maker = makers[at];
      if (maker === NIL) continue;
      flags |= amounts.lot(orFirst(orders.holdList(maker)));
      flags |= orders.flags(orFirst(orders.next(maker))) | orders.flags(orFirst(orders.companyNext(maker))) | orders.flags(orFirst(orders.companyPrev(maker)));
      sum += supply.offered(orFirst(orders.cell(maker)));
    }
    this.seen += flags + sum;
  }
}
