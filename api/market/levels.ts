/**
 * One side of a book as the public sees it: price levels with their visible quantity, and the queue
 * of each level. Prices are kept sorted, best last, so that what happens near the best moves little.
 */
import type { Level, LiveOrder } from './live_orders.ts';

export class BookLevels {
  /** Sorting keys: they grow towards the better price (bids: price, asks: -price). */
  private readonly keys: number[] = [];
  private readonly levels = new Map<number, Level>();
  private readonly sell: boolean;
  /** Prices whose quantity changed since they were last taken; null while nobody follows. */
  changes: Set<number> | null = null;

  constructor(sell: boolean) {
    this.sell = sell;
  }

  get count(): number {
    return this.keys.length;
  }

  at(price: number): Level | undefined {
    return this.levels.get(price);
  }

  best(): Level | undefined {
    return this.keys.length === 0 ? undefined : this.level(this.keys.length - 1);
  }

  private level(index: number): Level {
    return this.levels.get(Math.abs(this.keys[index])) as Level;
  }

  /** Levels from the best, at most `depth`. */
  *fromBest(depth = Infinity): Generator<Level> {
    const end = Math.max(0, this.keys.length - depth);
    for (let index = this.keys.length - 1; index >= end; index--) yield this.level(index);
  }

  /** Orders from the best price, oldest first. */
  *orders(): Generator<LiveOrder> {
    for (const level of this.fromBest()) for (let order = level.head; order !== null; order = order.next) yield order;
  }

  /** Puts an order at the end of the queue of its price. */
  append(order: LiveOrder): void {
    const level = this.levels.get(order.price) ?? this.open(order.price);
    order.level = level;
    order.previous = level.tail;
    order.next = null;
    if (level.tail === null) level.head = order;
    else level.tail.next = order;
    level.tail = order;
    level.orders++;
    level.quantity += order.visible;
    this.changes?.add(order.price);
  }

  /** Shows another quantity of an order that keeps its place. */
  show(order: LiveOrder, visible: number): void {
    const level = order.level as Level;
    level.quantity += visible - order.visible;
    order.visible = visible;
    this.changes?.add(level.price);
  }

  remove(order: LiveOrder): void {
    const level = order.level as Level;
    if (order.previous === null) level.head = order.next;
    else order.previous.next = order.next;
    if (order.next === null) level.tail = order.previous;
    else order.next.previous = order.previous;
    order.level = null;
    order.next = null;
    order.previous = null;
    level.orders--;
    level.quantity -= order.visible;
    this.changes?.add(level.price);
    if (level.orders === 0) this.close(level.price);
  }

  private open(price: number): Level {
    const level: Level = { price, quantity: 0, orders: 0, head: null, tail: null };
    this.levels.set(price, level);
    const key = this.sell ? -price : price;
    this.keys.splice(this.search(key), 0, key);
    return level;
  }

  private close(price: number): void {
    this.levels.delete(price);
    this.keys.splice(this.search(this.sell ? -price : price), 1);
  }

  /** First position whose key is not below `key`. */
  private search(key: number): number {
    const { keys } = this;
    let low = 0;
    let high = keys.length;
    if (high === 0 || keys[high - 1] < key) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
