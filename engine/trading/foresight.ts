/**
 * Reads what the next commands are about to touch, so that it stands in the cache when they come. In a
 * market of a million orders nearly all that an order touches waits in memory, a third of a microsecond
 * away each, and what is read says where the next thing stands: the processor waits for one after the
 * other. Commands that stand beside each other in a batch know nothing of each other: read in stages, dozens of
 * waits pass at the same time. Nothing is changed, and nothing rests on it.
 *
 * A stage first says where to read, of what the stage before has brought, and then reads in a loop that does nothing else: the less stands
 * between two reads, the more of them the processor has under way at once. Nothing is asked that may be answered one way or the other: the processor
 * would guess wrong. A place that there is not is written down and then written over by the next.
 */
import type { CancelOrder, Envelope, PlaceOrder } from '../commands.ts';
import { IOC, SELL } from '../vocabulary.ts';
import { BOOK_INT_SHIFT } from '../book/book_rows.ts';
import { ORDER_INT_SHIFT } from '../book/orders.ts';
import { AMOUNT_INT_SHIFT, NIL } from '../ledger/lot_amounts.ts';
import { LOT_INT_SHIFT } from '../ledger/lot_rows.ts';
import { CELL_INT_SHIFT } from '../ledger/supply_cells.ts';
import type { State } from '../state.ts';
import { CELL } from './provider_cells.ts';

/** Commands that are read together: enough that waits pass together, few enough that what was read is still there. */
export const FORESEEN = 64;
/** Orders beyond which they are far more than the processor's own cache holds. Before, what is read ahead costs more than it saves. */
const WIDE = 1 << 16;
/** Lines of one table that a stage reads of one command, at most. */
const LINES = 6;
/** Reads of one turn of a loop, so that less stands between them. */
const AT_ONCE = 8;
/** Integers of a line, of which an order has two. */
const LINE = 16;
/** Of a book, as of what waits: bids, asks. */
const BIDS = 0;
const ASKS = 1;

/** A row, or the first, which is always there, where there is none. */
const orFirst = (row: number): number => row & ~(row >> 31);
/** 1 where there is such a row or place, 0 for NIL. */
const isThere = (row: number): number => (row >>> 31) ^ 1;

/** Places in one table, and their reading. Who adds them keeps `places` and `count` in hand, and gives the count back. */
class Places {
  readonly places = new Int32Array(LINES * FORESEEN + AT_ONCE);
  count = 0;

  /** What they have together, which must be used, or the compiler leaves out the reading. */
  read(ints: Int32Array): number {
    const { places, count } = this;
    this.count = 0;
    for (let at = count; (at & (AT_ONCE - 1)) !== 0; at++) places[at] = 0;
    let sum = 0;
    for (let at = 0; at < count; at += AT_ONCE) {
      sum ^= ints[places[at]] ^ ints[places[at | 1]] ^ ints[places[at | 2]] ^ ints[places[at | 3]];
      sum ^= ints[places[at | 4]] ^ ints[places[at | 5]] ^ ints[places[at | 6]] ^ ints[places[at | 7]];
    }
    return sum;
  }
}

/** Placed orders of one kind: whose they are, in which book, at which key, and what the next stage needs of them. */
class Placed {
  readonly companies = new Int32Array(FORESEEN);
  readonly books = new Int32Array(FORESEEN);
  readonly keys = new Int32Array(FORESEEN);
  /** Where in the pool the level stands behind whose orders they will rest, or the two that they would meet. */
  readonly levels = new Int32Array(FORESEEN);
  readonly second = new Int32Array(FORESEEN);
  count = 0;
}

export class Foresight {
  private readonly state: State;
  /** Cancels: the rows of their orders. */
  private cancels = 0;
  private readonly rows = new Int32Array(FORESEEN);
  /** Bids that wait, asks that do, bids that take, asks that do. */
  private readonly placed = [new Placed(), new Placed(), new Placed(), new Placed()] as const;
  /** Where the entry of an ask's provider stands in the pool. */
  private readonly entries = new Int32Array(FORESEEN);
  /** Whom those that take would meet. */
  private makers = 0;
  private readonly met = new Int32Array(2 * FORESEEN);
  /** Where the stage reads. */
  private readonly orderPlaces = new Places();
  private readonly bookPlaces = new Places();
  private readonly poolPlaces = new Places();
  private readonly amountPlaces = new Places();
  private readonly cellPlaces = new Places();
  private readonly lotPlaces = new Places();
  /** In the second lines of books. */
  private readonly seldomPlaces = new Places();
  /** What was read must be used, or the compiler leaves out the reading. */
  private seen = 0;

  constructor(state: State) {
    this.state = state;
  }

  /** Whether the market is so large that it helps. */
  get isWorthwhile(): boolean {
    return this.state.orders.count > WIDE;
  }

  /** Looks ahead to the commands from `from` on, at most FORESEEN of them. */
  look(envelopes: readonly Envelope[], from: number, to: number): void {
    const [bids, asks, bought, sold] = this.placed;
    this.sortCommands(envelopes, from, to - from < FORESEEN ? to : from + FORESEEN);
    this.read();
    this.besideCancelled();
    this.besideNew(bids);
    this.besideNew(asks);
    this.besideNew(bought);
    this.besideNew(sold);
    this.firstLots(bids);
    this.firstLots(bought);
    this.ownEntries();
    this.levelsNear(bids, BIDS);
    this.levelsNear(asks, ASKS);
    this.bestLevels(bought, ASKS);
    this.bestLevels(sold, BIDS);
    this.read();
    this.levelsOfCancelled();
    this.tails(bids);
    this.tails(asks);
    this.ownCells();
    this.makers = 0;
    this.heads(bought);
    this.heads(sold);
    this.read();
    this.besideMakers();
    this.read();
  }

  /** The loops that wait. */
  private read(): void {
    const { state } = this;
    // Not added: where a sum of small integers is one no more, what was compiled for them is dropped.
    this.seen ^= this.orderPlaces.read(state.orders.ints) ^ this.bookPlaces.read(state.levels.rows.ints) ^ this.poolPlaces.read(state.pool.ints)
      ^ this.amountPlaces.read(state.amounts.ints) ^ this.cellPlaces.read(state.cells.ints) ^ this.lotPlaces.read(state.lotRows.ints) ^ this.seldomPlaces.read(state.levels.rows.seldom);
  }

  /** The orders that are cancelled; the books of those that are placed. */
  private sortCommands(envelopes: readonly Envelope[], from: number, to: number): void {
    const { rows, placed, state } = this;
    const { orders, standing } = state;
    const { places } = this.orderPlaces;
    const books = this.bookPlaces;
    let cancels = 0;
    let seen = 0;
    for (const list of placed) list.count = 0;
    for (let at = from; at < to; at++) {
      const { command } = envelopes[at];
      // They have many shapes: what kind it is is looked up once.
      const { type } = command;
      if (type === 'cancel') {
        const row = orders.placeOf((command as CancelOrder).order);
        rows[cancels] = row;
        places[cancels] = row << ORDER_INT_SHIFT;
        cancels += isThere(row);
      } else if (type === 'place') {
        const { company, side, price, timeInForce, market, hour, model, clientOrderId } = command as PlaceOrder;
        const book = state.nearBook(market, hour);
        if (book === NIL || !standing.has(company)) continue;
        const list = placed[(side === SELL ? 1 : 0) + (timeInForce >= IOC ? 2 : 0)];
        const place = list.count++;
        list.companies[place] = company;
        list.books[place] = book;
        list.keys[place] = side === SELL ? -price : price;
        books.places[books.count++] = book << BOOK_INT_SHIFT;
        seen += model + clientOrderId.length;
      }
    }
    this.cancels = this.orderPlaces.count = cancels;
    this.seen = seen;
  }

  /** What stands beside orders that are cancelled. */
  private besideCancelled(): void {
    const { rows, cancels, orderPlaces, amountPlaces, cellPlaces, bookPlaces } = this;
    const { orders } = this.state;
    const { places } = orderPlaces;
    let count = 0;
    let amounts = 0;
    let cells = 0;
    for (let at = 0; at < cancels; at++) {
      const row = rows[at];
      const next = orders.next(row);
      places[count] = next << ORDER_INT_SHIFT;
      count += isThere(next);
      const prev = orders.prev(row);
      places[count] = prev << ORDER_INT_SHIFT;
      count += isThere(prev);
      const companyNext = orders.companyNext(row);
      places[count] = companyNext << ORDER_INT_SHIFT;
      count += isThere(companyNext);
      const companyPrev = orders.companyPrev(row);
      places[count] = companyPrev << ORDER_INT_SHIFT;
      count += isThere(companyPrev);
      const holdList = orders.holdList(row);
      amountPlaces.places[amounts] = holdList << AMOUNT_INT_SHIFT;
      amounts += isThere(holdList);
      const cell = orders.cell(row);
      cellPlaces.places[cells] = cell << CELL_INT_SHIFT;
      cells += isThere(cell);
      bookPlaces.places[at] = orFirst(orders.book(row)) << BOOK_INT_SHIFT;
    }
    orderPlaces.count = count;
    amountPlaces.count = amounts;
    cellPlaces.count = cells;
    bookPlaces.count = cancels;
  }

  /** The order before a new one in its company's chain. */
  private besideNew({ companies, count }: Placed): void {
    const { orderPlaces, state: { standing } } = this;
    const { places } = orderPlaces;
    let to = orderPlaces.count;
    for (let at = 0; at < count; at++) {
      const first = standing.firstOrder(companies[at]);
      places[to] = first << ORDER_INT_SHIFT;
      to += isThere(first);
    }
    orderPlaces.count = to;
  }

  /** A bid asks its first lot for what it has, and a fill posts to it. */
  private firstLots({ companies, count }: Placed): void {
    const { lotPlaces, state: { standing } } = this;
    const { places } = lotPlaces;
    let to = lotPlaces.count;
    for (let at = 0; at < count; at++) {
      const lot = standing.firstLot(companies[at]);
      places[to] = lot << LOT_INT_SHIFT;
      to += isThere(lot);
    }
    lotPlaces.count = to;
  }

  /** Where the provider of an ask stands in the table of its book. */
  private ownEntries(): void {
    const { entries, poolPlaces, state: { providerCells } } = this;
    const { companies, books, count } = this.placed[ASKS];
    const { places } = poolPlaces;
    let to = poolPlaces.count;
    for (let at = 0; at < count; at++) {
      const entry = providerCells.placeNear(books[at], companies[at]);
      entries[at] = entry;
      places[to] = entry;
      to += isThere(entry);
    }
    poolPlaces.count = to;
  }

  /** The levels that orders will rest in; those that are there bring the next stage to their last order. */
  private levelsNear({ books, keys, levels, count }: Placed, side: number): void {
    const { poolPlaces, state } = this;
    const { places } = poolPlaces;
    let to = poolPlaces.count;
    for (let at = 0; at < count; at++) {
      const level = state.levels.placeNear(books[at], side, keys[at]);
      levels[at] = level !== NIL && state.levels.isNear(books[at], side, keys[at]) ? level : NIL;
      places[to] = level;
      to += isThere(level);
    }
    poolPlaces.count = to;
  }

  /** The two levels that those that take would meet, and the second lines of their books. */
  private bestLevels({ books, levels, second, count }: Placed, opposite: number): void {
    const { poolPlaces, seldomPlaces, state } = this;
    const { places } = poolPlaces;
    let to = poolPlaces.count;
    for (let at = 0; at < count; at++) {
      const best = state.levels.bestPlace(books[at], opposite);
      levels[at] = places[to] = best;
      to += isThere(best);
      const after = state.levels.secondPlace(books[at], opposite);
      second[at] = places[to] = after;
      to += isThere(after);
      seldomPlaces.places[seldomPlaces.count++] = books[at] << BOOK_INT_SHIFT;
    }
    poolPlaces.count = to;
  }

  /** A level is touched where an order at one end of its queue is cancelled; one that goes is a bit in its book's line. */
  private levelsOfCancelled(): void {
    const { rows, cancels, poolPlaces, state: { orders, levels } } = this;
    const { places } = poolPlaces;
    let to = 0;
    for (let at = 0; at < cancels; at++) {
      const row = rows[at];
      const side = orders.isSell(row) ? ASKS : BIDS;
      const level = levels.placeNear(orFirst(orders.book(row)), side, side === ASKS ? -orders.price(row) : orders.price(row));
      places[to] = level;
      to += isThere(level) & ((orders.next(row) ^ orders.prev(row)) >>> 31);
    }
    poolPlaces.count = to;
  }

  /** Behind whom orders will stand. */
  private tails({ levels, count }: Placed): void {
    const { orderPlaces, state: { pool: { ints } } } = this;
    const { places } = orderPlaces;
    let to = orderPlaces.count;
    for (let at = 0; at < count; at++) {
      const level = levels[at];
      places[to] = ints[orFirst(level) + 1] << ORDER_INT_SHIFT;
      to += isThere(level);
    }
    orderPlaces.count = to;
  }

  /** The cells of asks whose providers stand where they should. The others are most likely new in the book. */
  private ownCells(): void {
    const { entries, cellPlaces, state: { pool: { ints } } } = this;
    const { companies, count } = this.placed[ASKS];
    const { places } = cellPlaces;
    let to = 0;
    for (let at = 0; at < count; at++) {
      const entry = orFirst(entries[at]);
      places[to] = ints[entry | CELL] << CELL_INT_SHIFT;
      to += ints[entry] === companies[at] + 1 ? isThere(entries[at]) : 0;
    }
    cellPlaces.count = to;
  }

  /** Whom orders that take would meet: the first of the two levels. */
  private heads({ levels, second, count }: Placed): void {
    const { ints } = this.state.pool;
    for (let at = 0; at < count; at++) {
      if (levels[at] !== NIL) this.addMaker(ints[levels[at]]);
      if (second[at] !== NIL) this.addMaker(ints[second[at]]);
    }
  }

  private addMaker(maker: number): void {
    const { orderPlaces } = this;
    this.met[this.makers++] = maker;
    orderPlaces.places[orderPlaces.count++] = maker << ORDER_INT_SHIFT;
    orderPlaces.places[orderPlaces.count++] = (maker << ORDER_INT_SHIFT) + LINE;
  }

  /** What stands beside those that would be met. */
  private besideMakers(): void {
    const { met, makers, orderPlaces, amountPlaces, cellPlaces } = this;
    const { orders } = this.state;
    const { places } = orderPlaces;
    let count = 0;
    let amounts = 0;
    let cells = 0;
    for (let at = 0; at < makers; at++) {
      const maker = met[at];
      const next = orders.next(maker);
      places[count] = next << ORDER_INT_SHIFT;
      count += isThere(next);
      const companyNext = orders.companyNext(maker);
      places[count] = companyNext << ORDER_INT_SHIFT;
      count += isThere(companyNext);
      const companyPrev = orders.companyPrev(maker);
      places[count] = companyPrev << ORDER_INT_SHIFT;
      count += isThere(companyPrev);
      const holdList = orders.holdList(maker);
      amountPlaces.places[amounts] = holdList << AMOUNT_INT_SHIFT;
      amounts += isThere(holdList);
      const cell = orders.cell(maker);
      cellPlaces.places[cells] = cell << CELL_INT_SHIFT;
      cells += isThere(cell);
    }
    orderPlaces.count = count;
    amountPlaces.count = amounts;
    cellPlaces.count = cells;
  }
}
