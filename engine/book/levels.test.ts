/** Levels near the best, beyond its window and without a price: whatever comes and goes, they are walked as a list sorted anew would be. */
import { describe, expect, it } from 'vitest';
import { Random } from '../simulation/random.ts';
import { RowPool } from '../numbers/row_pool.ts';
import { Book } from './book.ts';
import { Levels } from './levels.ts';
import { FLAG, Orders } from './orders.ts';

const STEPS = 1_500;

describe.each([
  ['side by side', (random: Random) => random.between(1_000, 1_040)],
  ['about as far apart as a window is long', (random: Random) => random.between(1_000, 1_140)],
  ['thinly spread', (random: Random) => random.between(1, 100_000)],
  ['of a market that moves', (random: Random, step: number) => 1_000 + 3 * step + random.between(-40, 40)],
  ['beyond 32 bits', (random: Random) => 2 ** 40 + random.between(0, 90)],
  ['without a price among them', (random: Random) => (random.chance(0.1) ? Infinity : random.between(1_000, 1_100))],
])('levels %s', (_, priceAt) => {
  it.each([false, true])('are walked best first, then oldest (asks: %s)', (sell) => {
    const random = new Random(7);
    const orders = new Orders(16);
    const levels = new Levels(new RowPool(4));
    // Beside another book, which has the same rows of the pool in between.
    const [book, other] = [new Book(levels, 0), new Book(levels, 40)];
    const live: { row: number; price: number; book: Book }[] = [];
    for (let step = 0; step < STEPS; step++) {
      if (live.length > 0 && random.chance(step < STEPS / 2 ? 0.4 : 0.6)) {
        const [{ row, book: from }] = live.splice(random.between(0, live.length - 1), 1);
        from.side(sell).remove(orders, row);
        orders.destroy(row);
      } else {
        const row = orders.create();
        const price = priceAt(random, step);
        orders.open(row, 0, 0, price, 1);
        orders.setFlags(row, FLAG.live | FLAG.resting);
        const entry = { row, price, book: random.chance(0.8) ? book : other };
        entry.book.side(sell).append(orders, row);
        live.push(entry);
      }
      if (step % 7 !== 0) continue;
      for (const one of [book, other]) {
        const walked: number[] = [];
        one.side(sell).forEach(orders, (row) => walked.push(row) > 0);
        const sorted = live.filter((entry) => entry.book === one).sort((a, b) => (a.price === b.price ? 0 : sell === a.price < b.price ? -1 : 1));
        expect(walked).toEqual(sorted.map(({ row }) => row));
        expect(one.side(sell).best()).toBe(sorted[0]?.price ?? -1);
        one.side(sell).validate(orders);
      }
    }
    for (const { row, book: from } of live) from.side(sell).remove(orders, row);
    expect([book.isEmpty(), other.isEmpty()]).toEqual([true, true]);
    // What a book gave back, another may have.
    book.close();
    other.close();
    const next = new Book(levels, 0);
    next.side(sell).validate(orders);
  });
});
