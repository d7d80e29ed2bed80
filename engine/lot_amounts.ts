/**
 * Lists of (lot, amount): what an order's hold and an allocation's funding consist of. Nodes live in
 * one pool; a list is the number of its first node, NIL when empty.
 */
import { grownCapacity, grownFloats, grownInts } from './columns.ts';

export const NIL = -1;

export class LotAmounts {
  lot: Int32Array;
  amount: Float64Array;
  next: Int32Array;
  /** Rows ever used; free ones are chained through `next` from `free`. */
  used = 0;
  free = NIL;

  constructor(rows: number) {
    this.lot = new Int32Array(rows);
    this.amount = new Float64Array(rows);
    this.next = new Int32Array(rows);
  }

  /** A new node, not yet in a list. */
  create(lot: number, amount: number, next: number): number {
    let node = this.free;
    if (node === NIL) {
      node = this.used++;
      if (node >= this.lot.length) this.grow();
    } else {
      this.free = this.next[node];
    }
    this.lot[node] = lot;
    this.amount[node] = amount;
    this.next[node] = next;
    return node;
  }

  private grow(): void {
    const capacity = grownCapacity(this.lot.length, this.used);
    this.lot = grownInts(this.lot, capacity);
    this.amount = grownFloats(this.amount, capacity);
    this.next = grownInts(this.next, capacity);
  }

  private drop(node: number): void {
    this.next[node] = this.free;
    this.free = node;
  }

  /** Adds an amount at the end, joining it to the last node when that is of the same lot. Returns the list. */
  append(list: number, lot: number, amount: number): number {
    if (list === NIL) return this.create(lot, amount, NIL);
    let last = list;
    while (this.next[last] !== NIL) last = this.next[last];
    if (this.lot[last] === lot) this.amount[last] += amount;
    else this.next[last] = this.create(lot, amount, NIL);
    return list;
  }

  /** Takes `amount` off the first node, which holds at least that. Returns the list. */
  takeFirst(list: number, amount: number): number {
    const left = this.amount[list] - amount;
    if (left > 0) {
      this.amount[list] = left;
      return list;
    }
    const next = this.next[list];
    this.drop(list);
    return next;
  }

  /** Removes the last node. Returns the list. */
  dropLast(list: number): number {
    if (this.next[list] === NIL) {
      this.drop(list);
      return NIL;
    }
    let before = list;
    while (this.next[this.next[before]] !== NIL) before = this.next[before];
    this.drop(this.next[before]);
    this.next[before] = NIL;
    return list;
  }

  last(list: number): number {
    let node = list;
    while (this.next[node] !== NIL) node = this.next[node];
    return node;
  }

  /** Cuts a list after its first `keep`, which is at most its sum. Returns both parts. */
  split(list: number, keep: number): [number, number] {
    if (keep === 0) return [NIL, list];
    let last = list;
    let left = keep - this.amount[last];
    while (left > 0) {
      last = this.next[last];
      left -= this.amount[last];
    }
    const after = this.next[last];
    this.next[last] = NIL;
    if (left === 0) return [list, after];
    this.amount[last] += left;
    return [list, this.create(this.lot[last], -left, after)];
  }

  contains(list: number, lot: number): boolean {
    for (let node = list; node !== NIL; node = this.next[node]) if (this.lot[node] === lot) return true;
    return false;
  }

  sum(list: number): number {
    let total = 0;
    for (let node = list; node !== NIL; node = this.next[node]) total += this.amount[node];
    return total;
  }

  dropAll(list: number): void {
    for (let node = list; node !== NIL; ) {
      const next = this.next[node];
      this.drop(node);
      node = next;
    }
  }
}
