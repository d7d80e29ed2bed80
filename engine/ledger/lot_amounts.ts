/**
 * Lists of (lot, amount): what an order's hold and an allocation's funding consist of. Nodes live in
 * one pool; a list is the number of its first node, NIL when empty. One that nobody has divided yet may be of one lot without a node:
 * the number says which lot, and the amount is what its order or allocation has of it in all, which therefore must be said where it is asked for.
 */
import { CacheRows } from '../numbers/columns.ts';
import { columnView } from '../numbers/column_views.ts';
import type { ColumnView } from '../numbers/column_views.ts';

export const NIL = -1;
const WHOLE = -2;
/** The list of all that an order or an allocation has, where it is of one lot; and the lot of such a list. */
export const wholeOf = (lot: number): number => WHOLE - lot;
export const isWhole = (list: number): boolean => list < NIL;

/** A node is a double and two integers side by side. */
const NODE_BYTES = 16;
const FLOATS = NODE_BYTES / 8;
/** Shifts keep places machine integers. */
const FLOAT_SHIFT = 1;
const INT_SHIFT = 2;
/** More nodes than there can be, as `ROWS` of orders. */
const NODES = 2 ** 28 - 1;
const LOT = 2;
const NEXT = 3;

export class LotAmounts {
  private readonly rows: CacheRows;
  private floats: Float64Array<ArrayBuffer>;
  /** Read as they stand. */
  ints: Int32Array<ArrayBuffer>;
  /** Rows ever used; free ones are chained through `next` from `free`. */
  used = 0;
  free = NIL;

  constructor(rows: number) {
    this.rows = new CacheRows(rows, NODE_BYTES, NODES + 1);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  lot(node: number): number {
    return isWhole(node) ? wholeOf(node) : this.ints[((node & NODES) << INT_SHIFT) + LOT];
  }
  /** @param whole what the list is of in all */
  part(node: number, whole: number): number {
    return isWhole(node) ? whole : this.amount(node);
  }
  amount(node: number): number {
    return this.floats[(node & NODES) << FLOAT_SHIFT];
  }
  setAmount(node: number, value: number): void {
    this.floats[(node & NODES) << FLOAT_SHIFT] = value;
  }
  next(node: number): number {
    return isWhole(node) ? NIL : this.ints[((node & NODES) << INT_SHIFT) + NEXT];
  }
  private setNext(node: number, value: number): void {
    this.ints[((node & NODES) << INT_SHIFT) + NEXT] = value;
  }

  /** A new node, not yet in a list. */
  create(lot: number, amount: number, next: number): number {
    let node = this.free;
    if (node === NIL) {
      node = this.used++;
      if (this.used * FLOATS > this.floats.length) this.grow();
    } else {
      this.free = this.ints[((node & NODES) << INT_SHIFT) + NEXT];
    }
    this.ints[((node & NODES) << INT_SHIFT) + LOT] = lot;
    this.setAmount(node, amount);
    this.setNext(node, next);
    return node;
  }

  /** The same list as nodes, so that it can be divided. */
  divisible(list: number, whole: number): number {
    return isWhole(list) ? this.create(wholeOf(list), whole, NIL) : list;
  }

  private grow(): void {
    this.rows.grow(this.used);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  /** The nodes in use, for snapshots. */
  columns(): ColumnView[] {
    const { ints, floats, used } = this;
    return [
      columnView({ name: 'lot', kind: 'i32', table: ints, stride: 1 << INT_SHIFT, places: [LOT] }, used),
      columnView({ name: 'amount', kind: 'f64', table: floats, stride: FLOATS }, used),
      columnView({ name: 'next', kind: 'i32', table: ints, stride: 1 << INT_SHIFT, places: [NEXT] }, used),
    ];
  }

  /** Makes room for the nodes of a snapshot. */
  reserve(rows: number): void {
    this.used = rows;
    if (rows * FLOATS > this.floats.length) this.grow();
  }

  private drop(node: number): void {
    this.setNext(node, this.free);
    this.free = node;
  }

  /** Adds an amount at the end, joining it to the last node when that is of the same lot. Returns the list. */
  append(list: number, lot: number, amount: number): number {
    if (list === NIL) return this.create(lot, amount, NIL);
    let last = list;
    while (this.next(last) !== NIL) last = this.next(last);
    if (this.lot(last) === lot) this.setAmount(last, this.amount(last) + amount);
    else this.setNext(last, this.create(lot, amount, NIL));
    return list;
  }

  /** Takes `amount` off the first node, which holds at least that. Returns the list. */
  takeFirst(list: number, amount: number): number {
    const left = this.amount(list) - amount;
    if (left > 0) {
      this.setAmount(list, left);
      return list;
    }
    const next = this.next(list);
    this.drop(list);
    return next;
  }

  /** Removes the last node. Returns the list. */
  dropLast(list: number): number {
    if (this.next(list) === NIL) {
      this.drop(list);
      return NIL;
    }
    let before = list;
    while (this.next(this.next(before)) !== NIL) before = this.next(before);
    this.drop(this.next(before));
    this.setNext(before, NIL);
    return list;
  }

  last(list: number): number {
    let node = list;
    while (this.next(node) !== NIL) node = this.next(node);
    return node;
  }

  /** Cuts a list after its first `keep`, which is at most its sum. Returns both parts. */
  split(list: number, keep: number): [number, number] {
    if (keep === 0) return [NIL, list];
    let last = list;
    let left = keep - this.amount(last);
    while (left > 0) {
      last = this.next(last);
      left -= this.amount(last);
    }
    const after = this.next(last);
    this.setNext(last, NIL);
    if (left === 0) return [list, after];
    this.setAmount(last, this.amount(last) + left);
    return [list, this.create(this.lot(last), -left, after)];
  }

  contains(list: number, lot: number): boolean {
    for (let node = list; node !== NIL; node = this.next(node)) if (this.lot(node) === lot) return true;
    return false;
  }

  /** @param whole of a list that nobody may have divided */
  sum(list: number, whole = 0): number {
    let total = 0;
    for (let node = list; node !== NIL; node = this.next(node)) total += this.part(node, whole);
    return total;
  }

  dropAll(list: number): void {
    for (let node = list; node > NIL; ) {
      const next = this.next(node);
      this.drop(node);
      node = next;
    }
  }
}
