/**
 * Orders in the market, one row each in typed columns. A row is freed when its order leaves the
 * market; its generation then changes, so an order id never names two orders.
 */
import { CacheRows } from '../numbers/columns.ts';
import { columnView } from '../numbers/column_views.ts';
import type { ColumnView } from '../numbers/column_views.ts';
import { NIL } from '../ledger/lot_amounts.ts';

const SLOTS = 2 ** 24;
/** All rows there can be. Of a row within it the compiler knows that its places are no negative numbers and no beyond integers: a place is one step then instead of three. */
const ROWS = SLOTS - 1;

/** Bits of `flags`. */
export const FLAG = {
  sell: 1,
  postOnly: 2,
  cancelOnDisconnect: 4,
  /** Stands in its book. */
  resting: 8,
  /** Waits for its trigger. */
  untriggered: 16,
  /** Its first execution has been. */
  executed: 32,
  /** Has an entry in `extras`. */
  extra: 64,
  /** Row is in use. */
  live: 128,
  /** Offers an allocation, not a provider's own capacity. */
  resale: 1 << 14,
  /** One of a sell block's asks. */
  blockAsk: 1 << 15,
  /** Stands for a block; is in no book. */
  block: 1 << 16,
  /** Some provider group may not have its credit: whose, is looked up. */
  limited: 1 << 17,
} as const;
const TYPE_SHIFT = 8;
const TIF_SHIFT = 10;
const STP_SHIFT = 12;

/** What few orders have. */
export interface OrderExtra {
  clientOrderId: string;
  /** 0: shows everything. */
  displayQuantity: number;
  minimumQuantity: number;
  stopPrice: number;
  expiresAt: number;
  resaleOf: number;
  /** The block an ask belongs to; 0: none. */
  block: number;
  /** The command by which it lost its place in a call; absent: it never did. */
  requeued?: number;
}
export const NO_EXTRA: OrderExtra = { clientOrderId: '', displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, resaleOf: 0, block: 0 };

/** A row is two cache lines: what an order's arrival, its neighbours and its cancel touch, then what executions do and what is seldom asked. */
const ROW_BYTES = 128;
const FLOATS = ROW_BYTES / 8;
/** A shift keeps a place a machine integer, whatever is known of the row; a product is reckoned as a float wherever one has ever been one. */
const FLOAT_SHIFT = 4;
export const ORDER_INT_SHIFT = 5;
const INT_SHIFT = ORDER_INT_SHIFT;
const PRICE = 0;
const REMAINING = 1;
const HOLD = 2;
const FLAGS = 6;
const GENERATION = 7;
const COMPANY = 8;
const BOOK = 9;
const CELL = 10;
const NEXT = 11;
const PREV = 12;
const HOLD_LIST = 13;
const COMPANY_NEXT = 14;
const COMPANY_PREV = 15;
const QUANTITY = 8;
const VISIBLE = 9;
const NOTIONAL = 10;
const FEES_FLOOR = 11;
const SEQUENCE = 12;
const MODEL = 26;
const FEE_FRACTION = 27;
const ACCEPTED_HIGH = 28;
const ACCEPTED_LOW = 29;
/** The order in which snapshots keep them; the last two are not used. */
const FLOAT_PLACES = [PRICE, QUANTITY, REMAINING, VISIBLE, NOTIONAL, FEES_FLOOR, HOLD, SEQUENCE];
const INT_PLACES = [FLAGS, GENERATION, COMPANY, BOOK, CELL, MODEL, NEXT, PREV, HOLD_LIST, FEE_FRACTION, COMPANY_NEXT, COMPANY_PREV, ACCEPTED_HIGH, ACCEPTED_LOW, 30, 31];
/** Times have more bits than an integer: they stand in two. */
const TIME_PART = 2 ** 30;

/** The flags of an order by what it is; and what it is by them. */
export const flagsOf = (sell: boolean, orderType: number, timeInForce: number, selfTradePrevention: number): number =>
  FLAG.live | (sell ? FLAG.sell : 0) | (orderType << TYPE_SHIFT) | (timeInForce << TIF_SHIFT) | (selfTradePrevention << STP_SHIFT);
export const orderTypeOf = (flags: number): number => (flags >> TYPE_SHIFT) & 3;
export const timeInForceOf = (flags: number): number => (flags >> TIF_SHIFT) & 3;

/** floor + fraction / 1e6, half-even. */
export const roundedFees = (floor: number, fraction: number): number => {
  if (fraction < 500_000) return floor;
  return fraction > 500_000 ? floor + 1 : floor + (floor % 2);
};

export class Orders {
  private floats: Float64Array<ArrayBuffer>;
  /** Read ahead as they stand. */
  ints: Int32Array<ArrayBuffer>;
  private readonly rows: CacheRows;
  readonly extras = new Map<number, OrderExtra>();
  used = 0;
  free = NIL;
  count = 0;

  constructor(rows: number) {
    this.rows = new CacheRows(rows, ROW_BYTES);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  /** The id that the next order will have. */
  nextId(): number {
    return this.free === NIL ? SLOTS + this.used : (this.generation(this.free) + 1) * SLOTS + this.free;
  }

  /** A free row, its generation advanced; what an order does not begin with is zero. */
  create(): number {
    let row = this.free;
    if (row === NIL) {
      row = this.used++;
      if (this.used * FLOATS > this.floats.length) this.grow();
    } else {
      this.free = this.next(row);
    }
    const { floats, ints } = this;
    const float = (row & ROWS) << FLOAT_SHIFT;
    const int = (row & ROWS) << INT_SHIFT;
    ints[int + GENERATION]++;
    floats[float + NOTIONAL] = 0;
    floats[float + FEES_FLOOR] = 0;
    ints[int + FEE_FRACTION] = 0;
    floats[float + HOLD] = 0;
    ints[int + HOLD_LIST] = NIL;
    ints[int + NEXT] = NIL;
    ints[int + PREV] = NIL;
    this.count++;
    return row;
  }

  /** A free row with all that another market's order has, its places in chains and its holds being that market's. */
  adopt(from: Orders, row: number): number {
    const to = this.create();
    const generation = this.generation(to);
    this.floats.set(from.floats.subarray(row << FLOAT_SHIFT, (row + 1) << FLOAT_SHIFT), to << FLOAT_SHIFT);
    this.ints[((to & ROWS) << INT_SHIFT) + GENERATION] = generation;
    return to;
  }

  /** Whose a new order is, where, and what it wants; nothing of it is shown yet. */
  open(row: number, company: number, book: number, price: number, quantity: number): void {
    const { floats, ints } = this;
    const float = (row & ROWS) << FLOAT_SHIFT;
    const int = (row & ROWS) << INT_SHIFT;
    floats[float + PRICE] = price;
    floats[float + QUANTITY] = quantity;
    floats[float + REMAINING] = quantity;
    floats[float + VISIBLE] = 0;
    ints[int + COMPANY] = company;
    ints[int + BOOK] = book;
  }

  /** Puts a row before the head of its company's chain. */
  link(row: number, head: number): void {
    const { ints } = this;
    const int = (row & ROWS) << INT_SHIFT;
    ints[int + COMPANY_NEXT] = head;
    ints[int + COMPANY_PREV] = NIL;
    if (head !== NIL) ints[((head & ROWS) << INT_SHIFT) + COMPANY_PREV] = row;
  }

  private grow(): void {
    this.rows.grow(this.used);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  destroy(row: number): void {
    if ((this.flags(row) & FLAG.extra) !== 0) this.extras.delete(row);
    this.setFlags(row, 0);
    this.setNext(row, this.free);
    this.free = row;
    this.count--;
  }

  idOf(row: number): number {
    return this.generation(row) * SLOTS + row;
  }

  /** The row of a live order, NIL when there is none of that id. */
  rowOf(id: number): number {
    if (!(id > 0)) return NIL;
    const row = (id - Math.floor(id / SLOTS) * SLOTS) | 0;
    if (row >= this.used || (this.flags(row) & FLAG.live) === 0) return NIL;
    return this.generation(row) * SLOTS + row === id ? row : NIL;
  }

  /** Where an order of that id would stand, whether it does or not; NIL when there is no such row. */
  placeOf(id: number): number {
    if (!(id > 0)) return NIL;
    const row = (id - Math.floor(id / SLOTS) * SLOTS) | 0;
    return row < this.used ? row : NIL;
  }

  isSell(row: number): boolean {
    return (this.flags(row) & FLAG.sell) !== 0;
  }
  orderType(row: number): number {
    return orderTypeOf(this.flags(row));
  }
  timeInForce(row: number): number {
    return timeInForceOf(this.flags(row));
  }
  selfTradePrevention(row: number): number {
    return (this.flags(row) >> STP_SHIFT) & 3;
  }
  /** Micro-CR charged so far. */
  feesCharged(row: number): number {
    return roundedFees(this.feesFloor(row), this.feeFraction(row));
  }
  /** Least quantity of the order's first execution; 0 once that has been, or when it has none. */
  pendingMinimum(row: number): number {
    if ((this.flags(row) & (FLAG.extra | FLAG.executed)) !== FLAG.extra) return 0;
    return Math.min(this.extras.get(row)?.minimumQuantity ?? 0, this.remaining(row));
  }
  extra(row: number): OrderExtra | undefined {
    return (this.flags(row) & FLAG.extra) === 0 ? undefined : this.extras.get(row);
  }

  price(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + PRICE];
  }
  setPrice(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + PRICE] = value;
  }
  quantity(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + QUANTITY];
  }
  setQuantity(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + QUANTITY] = value;
  }
  remaining(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + REMAINING];
  }
  setRemaining(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + REMAINING] = value;
  }
  /** Shown in the book; less than `remaining` for an iceberg. */
  visible(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + VISIBLE];
  }
  setVisible(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + VISIBLE] = value;
  }
  /** Sum of price x quantity of its fills, micro-CR. */
  notional(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + NOTIONAL];
  }
  setNotional(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + NOTIONAL] = value;
  }
  /** Exact fees so far are feesFloor + feeFraction / 1e6 micro-CR; what is charged is that, rounded half-even. */
  feesFloor(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + FEES_FLOOR];
  }
  setFeesFloor(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + FEES_FLOOR] = value;
  }
  /** Micro-CR reserved. */
  hold(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + HOLD];
  }
  setHold(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + HOLD] = value;
  }
  /** Of the command that placed it. */
  sequence(row: number): number {
    return this.floats[((row & ROWS) << FLOAT_SHIFT) + SEQUENCE];
  }
  setSequence(row: number, value: number): void {
    this.floats[((row & ROWS) << FLOAT_SHIFT) + SEQUENCE] = value;
  }
  flags(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + FLAGS];
  }
  setFlags(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + FLAGS] = value;
  }
  generation(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + GENERATION];
  }
  setGeneration(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + GENERATION] = value;
  }
  company(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + COMPANY];
  }
  setCompany(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + COMPANY] = value;
  }
  /** Row of the book it belongs to. */
  book(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + BOOK];
  }
  setBook(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + BOOK] = value;
  }
  /** Asks: the supply cell it offers from. */
  cell(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + CELL];
  }
  setCell(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + CELL] = value;
  }
  model(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + MODEL];
  }
  setModel(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + MODEL] = value;
  }
  /** Neighbours in the queue of its price. */
  next(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + NEXT];
  }
  setNext(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + NEXT] = value;
  }
  prev(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + PREV];
  }
  setPrev(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + PREV] = value;
  }
  holdList(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + HOLD_LIST];
  }
  setHoldList(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + HOLD_LIST] = value;
  }
  feeFraction(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + FEE_FRACTION];
  }
  setFeeFraction(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + FEE_FRACTION] = value;
  }
  /** Neighbours among the live orders of its company. */
  companyNext(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + COMPANY_NEXT];
  }
  setCompanyNext(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + COMPANY_NEXT] = value;
  }
  companyPrev(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + COMPANY_PREV];
  }
  setCompanyPrev(row: number, value: number): void {
    this.ints[((row & ROWS) << INT_SHIFT) + COMPANY_PREV] = value;
  }
  acceptedAt(row: number): number {
    return this.ints[((row & ROWS) << INT_SHIFT) + ACCEPTED_HIGH] * TIME_PART + this.ints[((row & ROWS) << INT_SHIFT) + ACCEPTED_LOW];
  }
  setAcceptedAt(row: number, value: number): void {
    const high = Math.floor(value / TIME_PART);
    this.ints[((row & ROWS) << INT_SHIFT) + ACCEPTED_HIGH] = high;
    this.ints[((row & ROWS) << INT_SHIFT) + ACCEPTED_LOW] = value - high * TIME_PART;
  }

  /** The rows in use, for snapshots. */
  columns(): ColumnView[] {
    const { floats, ints, used } = this;
    return [
      columnView({ name: 'floats', kind: 'f64', table: floats, stride: 1 << FLOAT_SHIFT, places: FLOAT_PLACES }, used),
      columnView({ name: 'ints', kind: 'i32', table: ints, stride: 1 << INT_SHIFT, places: INT_PLACES }, used),
    ];
  }

  /** Makes room for the rows of a snapshot. */
  reserve(rows: number): void {
    this.used = rows;
    if (rows * FLOATS > this.floats.length) this.grow();
  }
}
