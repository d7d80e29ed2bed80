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
 *
 * What is written down stands in constants of this module, whichever market it is of: of an array that is one the compiler knows where it stands and
 * how long it is, of others it asks at every turn of a loop. It holds for one look.
 */
import type { CancelOrder, Envelope, PlaceOrder } from '../commands.ts';
import { BUY, IOC, SELL } from '../vocabulary.ts';
import { BOOK_INT_SHIFT } from '../book/book_rows.ts';
import { ORDER_INT_SHIFT } from '../book/orders.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { LOT_INT_SHIFT } from '../ledger/lot_rows.ts';
import { CELL_INT_SHIFT } from '../ledger/supply_cells.ts';
import type { State } from '../state.ts';
import { CELL } from './provider_cells.ts';

/** Commands that are read together: enough that waits pass together, few enough that what was read is still there. */
export const FORESEEN = 128;
/** Orders beyond which they are far more than the processor's own cache holds. Before, what is read ahead costs more than it saves. */
const WIDE = 1 << 16;
/** Room for the lines of one table that a stage reads, which are at most six of a command; a power of two. */
const ROOM = 8 * FORESEEN;
/** Reads of one turn of a loop, so that less stands between them. */
const AT_ONCE = 8;
/** Integers of a line, of which an order has two. */
const LINE = 16;
/** Sides of a book. */
const BIDS = 0;
const ASKS = 1;
/** Kinds of placed orders: bids that wait, asks that do, bids that take, asks that do. A side and what may not wait are one bit each. */
const WAITING_BIDS = BUY;
const WAITING_ASKS = SELL;
const TAKING_BIDS = BUY | IOC;
const TAKING_ASKS = SELL | IOC;
const KINDS = 4;
const FIRST_ASK = WAITING_ASKS * FORESEEN;

/** A row, or the first, which is always there, where there is none. */
const orFirst = (row: number): number => row & ~(row >> 31);
/** 1 where there is such a row or place, 0 for NIL. */
const isThere = (row: number): number => (row >>> 31) ^ 1;
/** A number, or the one that cancels it out. */
const negatedIf = (is: number, value: number): number => (value ^ -is) + is;

/** Places in one table, and their reading. Who adds them keeps `places` and `count` in hand, and gives the count back. */
class Places {
  readonly places = new Int32Array(ROOM + AT_ONCE);
  count = 0;

  /** What they have together, which must be used, or the compiler leaves out the reading. */
  read(ints: Int32Array): number {
    const { places, count } = this;
    this.count = 0;
    for (let at = count; (at & (AT_ONCE - 1)) !== 0; at++) places[at] = 0;
    let sum = 0;
    for (let turn = 0; turn < count; turn += AT_ONCE) {
      // So that the compiler knows without asking that the next places are integers too.
      const at = turn & (ROOM - 1);
      sum ^= ints[places[at]] ^ ints[places[at + 1]] ^ ints[places[at + 2]] ^ ints[places[at + 3]];
      sum ^= ints[places[at + 4]] ^ ints[places[at + 5]] ^ ints[places[at + 6]] ^ ints[places[at + 7]];
    }
    return sum;
  }
}

/** Orders that leave, or places of what the next stage needs. */
class Rows {
  readonly rows = new Int32Array(2 * FORESEEN);
  count = 0;
}

const ORDERS = new Places();
const BOOKS = new Places();
/** In the second lines of books. */
const SELDOM = new Places();
const POOL = new Places();
const CELLS = new Places();
const LOTS = new Places();
/** Placed orders, those of each kind one after the other: how many, whose they are, in which book, at which key. */
const COUNTS = new Int32Array(KINDS);
const COMPANIES = new Int32Array(KINDS * FORESEEN);
const BOOKS_OF = new Int32Array(KINDS * FORESEEN);
const KEYS = new Int32Array(KINDS * FORESEEN);
/** Orders that are cancelled, those of them at one end of a queue of several, and those that orders which take would meet. */
const CANCELLED = new Rows();
const AT_ENDS = new Rows();
const MET = new Rows();
/** Where in the pool the levels stand behind whose orders new ones will rest, and those that orders which take would meet. */
const BEHIND = new Rows();
const OPPOSITE = new Rows();
/** Where the entry of each waiting ask's provider stands there. */
const ENTRIES = new Rows();

export class Foresight {
  private readonly state: State;
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
    const { state } = this;
    const { orders, levels, pool, cells, lotRows } = state;
    this.sortCommands(envelopes, from, to - from < FORESEEN ? to : from + FORESEEN);
    // Not added: where a sum of small integers is one no more, what was compiled for them is dropped.
    this.seen ^= ORDERS.read(orders.ints) ^ BOOKS.read(levels.rows.ints);
    this.besideLeaving(CANCELLED);
    this.besideWaiting(WAITING_BIDS, BIDS);
    this.besideWaiting(WAITING_ASKS, ASKS);
    this.besideTaking(TAKING_BIDS, ASKS);
    this.besideTaking(TAKING_ASKS, BIDS);
    this.firstLots(WAITING_BIDS);
    this.firstLots(TAKING_BIDS);
    this.ownEntries();
    this.seen ^= ORDERS.read(orders.ints) ^ BOOKS.read(levels.rows.ints) ^ SELDOM.read(levels.rows.seldom) ^ POOL.read(pool.ints)
      ^ CELLS.read(cells.ints) ^ LOTS.read(lotRows.ints);
    this.levelsOfCancelled();
    this.tails();
    this.heads();
    this.ownCells();
    this.seen ^= ORDERS.read(orders.ints) ^ POOL.read(pool.ints) ^ CELLS.read(cells.ints);
    this.besideLeaving(MET);
    this.seen ^= ORDERS.read(orders.ints) ^ BOOKS.read(levels.rows.ints) ^ CELLS.read(cells.ints);
  }

  /** The orders that are cancelled; the books of those that are placed. */
  private sortCommands(envelopes: readonly Envelope[], from: number, to: number): void {
    const { state } = this;
    const { orders, standing } = state;
    const { rows } = CANCELLED;
    const { places } = ORDERS;
    const books = BOOKS.places;
    let cancels = 0;
    let lines = 0;
    let placed = 0;
    let seen = 0;
    COUNTS.fill(0);
    for (let at = from; at < to; at++) {
      const { command } = envelopes[at];
      // They have many shapes: what kind it is is looked up once.
      const { type } = command;
      if (type === 'cancel') {
        const row = orders.placeOf((command as CancelOrder).order);
        rows[cancels] = row;
        places[lines] = row << ORDER_INT_SHIFT;
        // Which the next new order writes: it has the row of whoever left last.
        places[lines + 1] = (row << ORDER_INT_SHIFT) + LINE;
        cancels += isThere(row);
        lines += isThere(row) << 1;
      } else if (type === 'place') {
        const { company, side, price, timeInForce, market, hour, model } = command as PlaceOrder;
        const book = state.nearBook(market, hour);
        if (book === NIL || !standing.has(company)) continue;
        const kind = (side & SELL) | (timeInForce & IOC);
        const place = kind * FORESEEN + COUNTS[kind]++;
        COMPANIES[place] = company;
        BOOKS_OF[place] = book;
        KEYS[place] = negatedIf(side & SELL, price);
        books[placed++] = book << BOOK_INT_SHIFT;
        // Where the command ends.
        seen ^= model;
      }
    }
    CANCELLED.count = cancels;
    ORDERS.count = lines;
    BOOKS.count = placed;
    this.seen ^= seen;
  }

  /** What stands beside orders that leave. A level is touched where one of them is at one end of its queue; one that goes is a bit in its book's line. */
  private besideLeaving({ rows, count }: Rows): void {
    const { orders } = this.state;
    const { places } = ORDERS;
    let neighbours = 0;
    let cells = 0;
    let ends = 0;
    for (let at = 0; at < count; at++) {
      const row = rows[at];
      const next = orders.next(row);
      places[neighbours] = next << ORDER_INT_SHIFT;
      neighbours += isThere(next);
      const prev = orders.prev(row);
      places[neighbours] = prev << ORDER_INT_SHIFT;
      neighbours += isThere(prev);
      const companyNext = orders.companyNext(row);
      places[neighbours] = companyNext << ORDER_INT_SHIFT;
      neighbours += isThere(companyNext);
      const companyPrev = orders.companyPrev(row);
      places[neighbours] = companyPrev << ORDER_INT_SHIFT;
      neighbours += isThere(companyPrev);
      const cell = orders.cell(row);
      CELLS.places[cells] = cell << CELL_INT_SHIFT;
      cells += isThere(cell);
      BOOKS.places[at] = orFirst(orders.book(row)) << BOOK_INT_SHIFT;
      AT_ENDS.rows[ends] = row;
      ends += (next ^ prev) >>> 31;
    }
    ORDERS.count = neighbours;
    CELLS.count = cells;
    BOOKS.count = count;
    AT_ENDS.count = ends;
  }

  /** The order before a new one in its company's chain, and the level that it will rest in; one that is there brings the next stage to its last order. */
  private besideWaiting(kind: number, side: number): void {
    const { levels, standing } = this.state;
    const { places } = ORDERS;
    let firsts = ORDERS.count;
    let near = POOL.count;
    let behind = side === BIDS ? 0 : BEHIND.count;
    const from = kind * FORESEEN;
    const to = from + COUNTS[kind];
    for (let at = from; at < to; at++) {
      const first = standing.head(COMPANIES[at]);
      places[firsts] = first << ORDER_INT_SHIFT;
      firsts += isThere(first);
      const level = levels.placeNear(BOOKS_OF[at], side, KEYS[at]);
      POOL.places[near] = BEHIND.rows[behind] = level;
      near += isThere(level);
      behind += level === NIL ? 0 : levels.takenNear(BOOKS_OF[at], side, KEYS[at]);
    }
    ORDERS.count = firsts;
    POOL.count = near;
    BEHIND.count = behind;
  }

  /** The same of one that takes, but for the two levels that it would meet, and the second line of its book. */
  private besideTaking(kind: number, opposite: number): void {
    const { levels, standing } = this.state;
    const { places } = ORDERS;
    let firsts = ORDERS.count;
    let best = POOL.count;
    let met = opposite === ASKS ? 0 : OPPOSITE.count;
    let seldom = SELDOM.count;
    const from = kind * FORESEEN;
    const to = from + COUNTS[kind];
    for (let at = from; at < to; at++) {
      const first = standing.head(COMPANIES[at]);
      places[firsts] = first << ORDER_INT_SHIFT;
      firsts += isThere(first);
      const level = levels.bestPlace(BOOKS_OF[at], opposite);
      POOL.places[best] = OPPOSITE.rows[met] = level;
      best += isThere(level);
      met += isThere(level);
      const after = levels.secondPlace(BOOKS_OF[at], opposite);
      POOL.places[best] = OPPOSITE.rows[met] = after;
      best += isThere(after);
      met += isThere(after);
      SELDOM.places[seldom++] = BOOKS_OF[at] << BOOK_INT_SHIFT;
    }
    ORDERS.count = firsts;
    POOL.count = best;
    OPPOSITE.count = met;
    SELDOM.count = seldom;
  }

  /** A bid asks its first lot for what it has, and a fill posts to it. */
  private firstLots(kind: number): void {
    const { standing } = this.state;
    const { places } = LOTS;
    let lots = LOTS.count;
    const from = kind * FORESEEN;
    const to = from + COUNTS[kind];
    for (let at = from; at < to; at++) {
      const lot = standing.firstLot(COMPANIES[at]);
      places[lots] = lot << LOT_INT_SHIFT;
      lots += isThere(lot);
    }
    LOTS.count = lots;
  }

  /** Where the provider of an ask stands in the table of its book. */
  private ownEntries(): void {
    const { providerCells } = this.state;
    const { places } = POOL;
    let entries = POOL.count;
    const count = COUNTS[WAITING_ASKS];
    for (let at = 0; at < count; at++) {
      const entry = providerCells.placeNear(BOOKS_OF[FIRST_ASK + at], COMPANIES[FIRST_ASK + at]);
      places[entries] = ENTRIES.rows[at] = entry;
      entries += isThere(entry);
    }
    POOL.count = entries;
  }

  private levelsOfCancelled(): void {
    const { orders, levels } = this.state;
    const { rows, count } = AT_ENDS;
    const { places } = POOL;
    let near = 0;
    for (let at = 0; at < count; at++) {
      const row = rows[at];
      const side = orders.isSell(row) ? ASKS : BIDS;
      const level = levels.placeNear(orFirst(orders.book(row)), side, side === ASKS ? -orders.price(row) : orders.price(row));
      places[near] = level;
      near += isThere(level);
    }
    POOL.count = near;
  }

  /** Behind whom orders will stand. */
  private tails(): void {
    const { ints } = this.state.pool;
    const { rows, count } = BEHIND;
    const { places } = ORDERS;
    for (let at = 0; at < count; at++) places[at] = ints[rows[at] + 1] << ORDER_INT_SHIFT;
    ORDERS.count = count;
  }

  /** Whom orders that take would meet: the first of the two levels. */
  private heads(): void {
    const { ints } = this.state.pool;
    const { rows, count } = OPPOSITE;
    const { places } = ORDERS;
    let lines = ORDERS.count;
    for (let at = 0; at < count; at++) {
      const maker = ints[rows[at]];
      MET.rows[at] = maker;
      places[lines++] = maker << ORDER_INT_SHIFT;
      places[lines++] = (maker << ORDER_INT_SHIFT) + LINE;
    }
    MET.count = count;
    ORDERS.count = lines;
  }

  /** The cells of asks whose providers stand where they should. The others are most likely new in the book. */
  private ownCells(): void {
    const { ints } = this.state.pool;
    const { places } = CELLS;
    let cells = 0;
    const count = COUNTS[WAITING_ASKS];
    for (let at = 0; at < count; at++) {
      const entry = orFirst(ENTRIES.rows[at]);
      places[cells] = ints[entry | CELL] << CELL_INT_SHIFT;
      cells += ints[entry] === COMPANIES[FIRST_ASK + at] + 1 ? isThere(ENTRIES.rows[at]) : 0;
    }
    CELLS.count = cells;
  }
}
