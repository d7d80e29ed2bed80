/**
 * The orders of one side of a call in the order in which an uncross executes them, and how far the other side has taken
 * them. A tree of sums finds any place in few steps: however many orders one has passed, to go there or back costs the same.
 */
import type { BookSide } from './levels.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { isLimit } from './matching.ts';
import type { Orders } from './orders.ts';

/** Sums stop here: no order is larger, so that beyond it only "enough" is asked. */
const ENOUGH = 2 ** 53;
const capped = (a: number, b: number): number => Math.min(ENOUGH, a + b);

export class CallQueue {
  private readonly orders: Orders;
  private readonly side: BookSide;
  private readonly rows: number[] = [];
  /** Prices grow towards the better, as the side's keys do; a row that has left has none. */
  private readonly keys: number[] = [];
  /** Node 1 is the sum of all, node n that of nodes 2n and 2n + 1; the last half are the orders, 0 when dropped. */
  private readonly sums: Float64Array;
  private readonly leaves: number;
  /** Places of the orders of each group, ascending. */
  private readonly places = new Map<number, number[]>();
  private place = 0;
  /** What is taken of the order whose turn it is. */
  used = 0;
  /** Orders with a limit. */
  limits = 0;

  constructor(side: BookSide, orders: Orders, takesPart: (row: number) => boolean, groupOf: (row: number) => number) {
    this.orders = orders;
    this.side = side;
    side.forEach(orders, (row) => {
      if (takesPart(row)) this.append(row, groupOf(row));
      return true;
    });
    this.leaves = 2 ** Math.ceil(Math.log2(Math.max(1, this.rows.length)));
    this.sums = new Float64Array(2 * this.leaves);
    this.rows.forEach((row, place) => (this.sums[this.leaves + place] = orders.remaining(row)));
    for (let node = this.leaves - 1; node > 0; node--) this.sums[node] = capped(this.sums[2 * node], this.sums[2 * node + 1]);
  }

  private append(row: number, group: number): void {
    const price = this.orders.price(row);
    if (isLimit(price)) this.limits++;
    const places = this.places.get(group);
    if (places === undefined) this.places.set(group, [this.rows.length]);
    else places.push(this.rows.length);
    this.rows.push(row);
    this.keys.push(this.side.keyOf(price));
  }

  /** Whose turn it is, NIL when all have had theirs. */
  get current(): number {
    return this.place < this.rows.length ? this.rows[this.place] : NIL;
  }
  /** What is left of it. */
  get left(): number {
    return this.sums[this.leaves + this.place] - this.used;
  }
  /** Whether what would execute of the order whose turn it is, is less than its minimum. */
  get fallsShort(): boolean {
    return this.used > 0 && this.used < this.orders.pendingMinimum(this.current);
  }

  /** What is left of those whose limit reaches a price, as far as the first of a group; correct up to what an order may be. */
  within(price: number, group: number): number {
    const end = Math.min(this.endOf(this.side.keyOf(price)), this.nextOf(group));
    return end <= this.place ? 0 : capped(this.left, this.sumOf(this.place + 1, end));
  }

  /** The first place whose limit does not reach a price. */
  private endOf(key: number): number {
    return firstOf(this.keys.length, (place) => this.keys[place] < key);
  }

  /** The next place of a group from the present one on. */
  private nextOf(group: number): number {
    const places = this.places.get(group) ?? [];
    const next = firstOf(places.length, (index) => places[index] >= this.place);
    return next === places.length ? this.rows.length : places[next];
  }

  private sumOf(from: number, to: number): number {
    let sum = 0;
    for (let low = this.leaves + from, high = this.leaves + to; low < high; low >>= 1, high >>= 1) {
      if ((low & 1) === 1) sum = capped(sum, this.sums[low++]);
      if ((high & 1) === 1) sum = capped(sum, this.sums[--high]);
    }
    return sum;
  }

  take(quantity: number): void {
    if (quantity < this.left) this.used += quantity;
    else this.pass(this.place + 1, quantity - this.left);
  }

  /** Goes to the first order from a place on that ends beyond `quantity` from there. */
  private pass(from: number, quantity: number): void {
    const { sums, leaves } = this;
    let left = quantity;
    let node = from < leaves ? leaves + from : 0;
    while (node > 0 && sums[node] <= left) {
      left -= sums[node];
      node = nodeAfter(node);
    }
    while (node > 0 && node < leaves) {
      node *= 2;
      if (sums[node] <= left) left -= sums[node++];
    }
    this.place = node === 0 ? this.rows.length : node - leaves;
    this.used = node === 0 ? 0 : left;
  }

  /** Steps back by what was taken last. */
  giveBack(quantity: number): void {
    if (quantity <= this.used) {
      this.used -= quantity;
      return;
    }
    const { sums, leaves } = this;
    let left = quantity - this.used;
    let node = this.place < leaves ? nodeBefore(leaves + this.place) : 1;
    while (sums[node] < left) {
      left -= sums[node];
      node = nodeBefore(node);
    }
    while (node < leaves) {
      node = 2 * node + 1;
      if (sums[node] < left) left -= sums[node--];
    }
    this.place = node - leaves;
    this.used = sums[node] - left;
  }

  /** Takes out the order whose turn it is, as if it had never been there; what it has taken is for the next. */
  drop(group: number): number {
    const { place, sums } = this;
    const row = this.rows[place];
    if (isLimit(Math.abs(this.keys[place]))) this.limits--;
    const places = this.places.get(group) ?? [];
    places.splice(firstOf(places.length, (index) => places[index] >= place), 1);
    let node = this.leaves + place;
    sums[node] = 0;
    for (node >>= 1; node > 0; node >>= 1) sums[node] = capped(sums[2 * node], sums[2 * node + 1]);
    this.pass(place, 0);
    return row;
  }
}

/** The node whose orders come right after a node's; 0: none. */
function nodeAfter(node: number): number {
  let above = node;
  while ((above & 1) === 1) above >>= 1;
  return above === 0 ? 0 : above + 1;
}

/** The node whose orders come right before a node's. */
function nodeBefore(node: number): number {
  let above = node;
  while ((above & 1) === 0) above >>= 1;
  return above - 1;
}

/** The first of `count` numbers from 0 on that is so, and all after it; `count` when none is. */
function firstOf(count: number, isSo: (value: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isSo(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
