/**
 * Reads what the next commands are about to touch, so that it stands in the cache when they come. In a
 * market of a million orders nearly all that an order touches waits in memory, a third of a microsecond
 * away each, and what is read says where the next thing stands: the processor waits for one after the
 * other. Commands that stand beside each other in a batch know nothing of each other: read in stages, dozens of
 * waits pass at the same time. Nothing is changed, and nothing rests on it.
 *
 * A stage first says where to read, of what the stage before has brought, and then reads in a loop that does nothing else: the less stands
 * between two reads, the more of them the processor has under way at once. Where there is nothing to read, the first row is
 * read, which is always there.
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

/** A row, or the first where there is none. */
const orFirst = (row: number): number => row & ~(row >> 31);

/** Places in one table, and their reading. Loops that add many keep `places` and `count` in hand, and give the count back. */
class Places {
  readonly places = new Int32Array(LINES * FORESEEN + AT_ONCE);
  count = 0;

  add(place: number): void {
    this.places[this.count++] = place;
  }

  /** What they have together, which must be used, or the compiler leaves out the reading. */
  read(ints: Int32Array): number {
    const { places, count } = this;
    this.count = 0;
    for (let at = count; (at & (AT_ONCE - 1)) !== 0; at++) places[at] = 0;
    let sum = 0;
    for (let at = 0; at < count; at += AT_ONCE) {
      sum ^= ints[places[at]] ^ ints[places[at + 1]] ^ ints[places[at + 2]] ^ ints[places[at + 3]];
      sum ^= ints[places[at + 4]] ^ ints[places[at + 5]] ^ ints[places[at + 6]] ^ ints[places[at + 7]];
    }
    return sum;
  }
}

export class Foresight {
  private readonly state: State;
  /** Cancels: the rows of their orders. */
  private cancels = 0;
  private readonly rows = new Int32Array(FORESEEN);
  /** Placed orders: whose they are, in which book, where. */
  private placed = 0;
  private readonly companies = new Int32Array(FORESEEN);
  private readonly books = new Int32Array(FORESEEN);
  private readonly sells = new Uint8Array(FORESEEN);
  private readonly keys = new Float64Array(FORESEEN);
  private readonly takes = new Uint8Array(FORESEEN);
  /** Where in the pool the level stands that they will rest in, or the two that they would meet, and the entry of an ask's provider. */
  private readonly levels = new Int32Array(FORESEEN);
  private readonly second = new Int32Array(FORESEEN);
  private readonly entries = new Int32Array(FORESEEN);
  /** Whom they would meet. */
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
    this.sortCommands(envelopes, from, to - from < FORESEEN ? to : from + FORESEEN);
    this.read();
    this.besideCancelled();
    this.inBooks();
    this.read();
    this.atLevels();
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

  private addOrder(row: number): void {
    this.orderPlaces.add(orFirst(row) << ORDER_INT_SHIFT);
  }

  /** The orders that are cancelled; the books of those that are placed. */
  private sortCommands(envelopes: readonly Envelope[], from: number, to: number): void {
    const { companies, rows, sells, takes, keys, books, state } = this;
    const { orders, standing } = state;
    let seen = 0;
    this.cancels = 0;
    this.placed = 0;
    for (let at = from; at < to; at++) {
      const { command } = envelopes[at];
      // They have many shapes: what kind it is is looked up once.
      const { type } = command;
      if (type === 'cancel') {
        const row = orders.placeOf((command as CancelOrder).order);
        if (row === NIL) continue;
        rows[this.cancels++] = row;
        this.addOrder(row);
      } else if (type === 'place') {
        const { company, side, price, timeInForce, market, hour, model, clientOrderId } = command as PlaceOrder;
        const book = state.nearBook(market, hour);
        if (book === NIL || !standing.has(company)) continue;
        const place = this.placed++;
        companies[place] = company;
        books[place] = book;
        sells[place] = side;
        keys[place] = side === SELL ? -price : price;
        takes[place] = timeInForce >= IOC ? 1 : 0;
        seen += model + clientOrderId.length;
        this.bookPlaces.add(book << BOOK_INT_SHIFT);
      }
    }
    this.seen = seen;
  }

  /** What stands beside orders that are cancelled. */
  private besideCancelled(): void {
    const { rows, cancels, orderPlaces, amountPlaces, cellPlaces, bookPlaces } = this;
    const { orders } = this.state;
    const { places } = orderPlaces;
    for (let at = 0, count = 0; at < cancels; at++, count += 5) {
      const row = rows[at];
      places[count] = orFirst(orders.next(row)) << ORDER_INT_SHIFT;
      places[count + 1] = orFirst(orders.prev(row)) << ORDER_INT_SHIFT;
      places[count + 2] = orFirst(orders.companyNext(row)) << ORDER_INT_SHIFT;
      places[count + 3] = orFirst(orders.companyPrev(row)) << ORDER_INT_SHIFT;
      places[count + 4] = (row << ORDER_INT_SHIFT) + LINE;
      amountPlaces.places[at] = orFirst(orders.holdList(row)) << AMOUNT_INT_SHIFT;
      cellPlaces.places[at] = orFirst(orders.cell(row)) << CELL_INT_SHIFT;
      bookPlaces.places[at] = orFirst(orders.book(row)) << BOOK_INT_SHIFT;
    }
    orderPlaces.count = 5 * cancels;
    amountPlaces.count = cellPlaces.count = bookPlaces.count = cancels;
  }

  /** The order before one in its company's chain, the level that it will stand or trade in, and where the provider of an ask does. */
  private inBooks(): void {
    const { companies, books, sells, keys, takes, levels, second, entries, placed, orderPlaces, poolPlaces, lotPlaces, seldomPlaces, state } = this;
    const { standing, providerCells } = state;
    const { places } = poolPlaces;
    let { count } = poolPlaces;
    for (let at = 0, first = orderPlaces.count; at < placed; at++, first++) {
      const company = companies[at];
      orderPlaces.places[first] = orFirst(standing.firstOrder(company)) << ORDER_INT_SHIFT;
      const book = books[at];
      const isAsk = sells[at] === SELL;
      if (takes[at] === 1) {
        const opposite = isAsk ? 0 : 1;
        levels[at] = state.levels.bestPlace(book, opposite);
        places[count++] = orFirst((second[at] = state.levels.secondPlace(book, opposite)));
        seldomPlaces.add(book << BOOK_INT_SHIFT);
      } else {
        levels[at] = state.levels.placeNear(book, isAsk ? 1 : 0, keys[at]);
      }
      places[count++] = orFirst(levels[at]);
      // A bid asks its first lot for what it has, and a fill posts to it.
      if (isAsk) places[count++] = orFirst((entries[at] = providerCells.placeNear(book, company)));
      else lotPlaces.add(orFirst(standing.firstLot(company)) << LOT_INT_SHIFT);
    }
    orderPlaces.count += placed;
    poolPlaces.count = count;
  }

  /** Whom orders would meet or stand behind, the cell of an ask, the level of an order that is cancelled, and the books. */
  private atLevels(): void {
    const { rows, cancels, companies, books, sells, takes, levels, second, entries, placed, orderPlaces, poolPlaces, cellPlaces, seldomPlaces, state } = this;
    const { orders } = state;
    const { ints } = state.pool;
    for (let at = 0; at < cancels; at++) {
      const row = rows[at];
      const isAsk = orders.isSell(row);
      const key = isAsk ? -orders.price(row) : orders.price(row);
      poolPlaces.places[at] = orFirst(state.levels.placeNear(orFirst(orders.book(row)), isAsk ? 1 : 0, key));
    }
    poolPlaces.count = cancels;
    this.makers = 0;
    for (let at = 0; at < placed; at++) {
      const level = levels[at];
      if (takes[at] === 0) {
        // Where no level is, anything may stand.
        const tail = level === NIL ? NIL : ints[level + 1];
        orderPlaces.add(orFirst(tail < orders.used ? tail : NIL) << ORDER_INT_SHIFT);
      } else if (level !== NIL) {
        this.addMaker(ints[level]);
        if (second[at] !== NIL) this.addMaker(ints[second[at]]);
      }
      if (sells[at] !== SELL) continue;
      const entry = entries[at];
      if (entry !== NIL && ints[entry] === companies[at] + 1) cellPlaces.add(ints[entry | CELL] << CELL_INT_SHIFT);
      // Who is not where it would stand is most likely new in the book, which counts its providers in its second line.
      else seldomPlaces.add(books[at] << BOOK_INT_SHIFT);
    }
  }

  private addMaker(maker: number): void {
    this.met[this.makers++] = maker;
    this.addOrder(maker);
    this.orderPlaces.add((maker << ORDER_INT_SHIFT) + LINE);
  }

  /** What stands beside those that would be met. */
  private besideMakers(): void {
    const { met, makers, amountPlaces, cellPlaces } = this;
    const { orders } = this.state;
    for (let at = 0; at < makers; at++) {
      const maker = met[at];
      this.addOrder(orders.next(maker));
      this.addOrder(orders.companyNext(maker));
      this.addOrder(orders.companyPrev(maker));
      amountPlaces.add(orFirst(orders.holdList(maker)) << AMOUNT_INT_SHIFT);
      cellPlaces.add(orFirst(orders.cell(maker)) << CELL_INT_SHIFT);
    }
  }
}
