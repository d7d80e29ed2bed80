/** A queue that finds any place in few steps is where one that goes step by step is. */
import { expect, test } from 'vitest';
import { Random } from '../simulation/random.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { RowPool } from '../numbers/row_pool.ts';
import { Book } from './book.ts';
import { CallQueue } from './call_queue.ts';
import { Levels } from './levels.ts';
import { NO_EXTRA, Orders } from './orders.ts';

interface Entry {
  row: number;
  price: number;
  group: number;
  left: number;
}
const LARGEST = 2 ** 53;

/** Quantities of any size, also such whose sums no number holds. */
function entries(random: Random, orders: Orders, book: Book): Entry[] {
  const found: Entry[] = [];
  const most = random.pick([3, 40, LARGEST]);
  for (let count = random.between(0, 39); count > 0; count--) {
    const row = orders.create();
    const entry = { row, price: random.between(1, 6), group: random.between(0, 3), left: Math.max(1, most - random.between(0, Math.min(most, 1_000) - 1)) };
    orders.setPrice(row, entry.price);
    orders.setRemaining(row, entry.left);
    orders.setCompany(row, entry.group);
    orders.extras.set(row, NO_EXTRA);
    book.asks.append(orders, row);
    found.push(entry);
  }
  return found.sort((a, b) => a.price - b.price);
}

test('whatever is taken, given back and dropped', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = new Random(seed);
    const [orders, book] = [new Orders(64), new Book(new Levels(new RowPool(64)), 0)];
    const live = entries(random, orders, book);
    const queue = new CallQueue(book.asks, orders, () => true, (row) => orders.company(row));
    /** Taken of the live ones, one after the other. */
    const taken = live.map(() => 0);
    const turn = (): number => live.findIndex(({ left }, index) => taken[index] < left);
    for (let step = 0; step < 60; step++) {
      const at = turn();
      expect(queue.current).toBe(at === -1 ? NIL : live[at].row);
      expect(queue.limits).toBe(live.length);
      if (at === -1) break;
      expect([queue.used, queue.left]).toEqual([taken[at], live[at].left - taken[at]]);
      const [price, group] = [random.between(0, 7), random.between(0, 4)];
      const end = live.findIndex((entry, index) => index >= at && (entry.price > price || entry.group === group));
      const within = live.slice(at, end === -1 ? undefined : end).reduce((sum, { left }, index) => sum + BigInt(left - taken[at + index]), 0n);
      const reach = Number(within < BigInt(LARGEST) ? within : BigInt(LARGEST));
      expect(queue.within(price, group)).toBe(reach);
      const act = random.between(0, 3);
      if (act < 2 && reach > 0) {
        let rest = random.pick([1, reach, random.between(1, Math.min(reach, 100))]);
        queue.take(rest);
        for (let index = at; rest > 0; index++) {
          const part = Math.min(rest, live[index].left - taken[index]);
          taken[index] += part;
          rest -= part;
        }
      } else if (act === 2) {
        const before = taken.slice(0, at + 1).reduce((sum, part) => sum + BigInt(part), 0n);
        let rest = Math.min(Number(before < 100n ? before : 100n), random.between(1, 100));
        queue.giveBack(rest);
        for (let index = at; rest > 0; index--) {
          const part = Math.min(rest, taken[index]);
          taken[index] -= part;
          rest -= part;
        }
      } else if (act === 3) {
        expect(queue.drop(live[at].group)).toBe(live[at].row);
        live.splice(at, 1);
        taken.splice(at, 1);
      }
    }
  }
});
