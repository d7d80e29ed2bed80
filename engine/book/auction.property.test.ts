/** Calls by themselves: small ones against the naive book, which searches the uncross anew for every order it takes out, and large ones against the clock. */
import { describe, expect, it } from 'vitest';
import { DECREMENT, GTC, LIMIT, MARKET } from '../vocabulary.ts';
import { LoneBook } from './lone_book.ts';
import type { BookMachine, BookOrder } from './lone_book.ts';
import { Random } from '../simulation/random.ts';
import { NaiveBook } from '../test/naive_book.ts';
import { recorder } from '../test/recorder.ts';

const CALLS = Number(process.env['CALLS'] ?? 5_000);

const plain: BookOrder = {
  id: 0, owner: 0, sell: false, orderType: LIMIT, price: 100, quantity: 1, timeInForce: GTC, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0,
  selfTradePrevention: 0, expiresAt: 0,
};

/** Few owners, few prices and many minimums, so that nearly every call takes something out, and some take out most. */
function orders(random: Random): BookOrder[] {
  const [owners, bound] = [random.between(1, 5), random.chance(0.5) ? 0.5 : 0.1];
  return Array.from({ length: random.between(2, 16) }, (_, index) => {
    const quantity = random.between(1, 12);
    const unpriced = random.chance(0.1);
    return {
      ...plain, id: index + 1, owner: random.between(1, owners), sell: random.chance(0.5), orderType: unpriced ? MARKET : LIMIT, price: unpriced ? 0 : random.between(97, 103), quantity,
      postOnly: !unpriced && random.chance(0.1), displayQuantity: random.chance(0.2) ? random.between(1, quantity) : 0, minimumQuantity: random.chance(bound) ? random.between(1, quantity) : 0,
      selfTradePrevention: random.between(0, DECREMENT),
    };
  });
}

function call(book: BookMachine, placed: readonly BookOrder[], reference: number): void {
  book.startAuction();
  for (const order of placed) book.place(order);
  book.uncross(reference);
}

describe('a call', () => {
  it(`is what the naive book makes of it, ${CALLS} times`, { timeout: 600_000 }, () => {
    for (let seed = 1; seed <= CALLS; seed++) {
      const random = new Random(seed);
      const placed = orders(random);
      const reference = random.chance(0.5) ? 0 : random.between(95, 105);
      const [real, naive] = [recorder(), recorder()];
      const book = new LoneBook(real.listener);
      call(book, placed, reference);
      call(new NaiveBook(naive.listener), placed, reference);
      book.validate();
      if (JSON.stringify(real.told) !== JSON.stringify(naive.told)) expect({ seed, told: real.told }).toEqual({ seed, told: naive.told });
    }
  });

  const many = 20_000;
  const hostile: [string, (index: number) => Partial<BookOrder>][] = [
    ['of one owner', (index) => ({ owner: 1, sell: index % 2 === 0 })],
    ['whose first owner came last', (index) => ({ owner: index < many / 2 ? index : 1, sell: index < many / 2, quantity: 3 })],
    ['of one owner, large ones behind small ones of others', (index) => (
      index < many / 2 ? { owner: index === many / 2 - 1 ? 1 : 2, sell: true, price: 90 } : { owner: 1, sell: false, price: 110, quantity: many }
    )],
    ['at a price each', (index) => ({ owner: 1 + (index % 7), sell: index % 2 === 0, price: 1 + ((index * 7_919) % many) })],
  ];
  it.each(hostile)(`of ${many} orders %s takes no more than one walk along it`, { timeout: 15_000 }, (_, terms) => {
    const { told, listener } = recorder();
    const book = new LoneBook(listener);
    call(book, Array.from({ length: many }, (__, index) => ({ ...plain, id: index + 1, ...terms(index) })), 0);
    expect(told.length).toBeGreaterThan(many);
  });
});
