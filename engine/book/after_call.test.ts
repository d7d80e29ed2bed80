/** Nobody stops the market with a call: what its end may look at has a bound. */
import { expect, test } from 'vitest';
import { CANCEL_NEWEST, GTC, LIMIT } from '../vocabulary.ts';
import { LOOKS } from './after_call.ts';
import { LoneBook } from './lone_book.ts';
import type { BookOrder } from './lone_book.ts';

class CountingBook extends LoneBook {
  /** How often it was asked whether two orders may meet. */
  asked = 0;
  override sameGroup(a: number, b: number): boolean {
    this.asked++;
    return super.sameGroup(a, b);
  }
}

function bookWith(orders: (number: number) => Partial<BookOrder>[], count: number): { book: CountingBook; told: string[] } {
  const told: string[] = [];
  const book = new CountingBook({
    accepted: () => undefined, traded: (maker, taker, price, quantity) => told.push(`${maker} ${taker} ${price} ${quantity}`),
    cancelled: (id, _remaining, reason) => told.push(`${id} ${reason}`), triggered: () => undefined, amended: () => undefined, filled: () => undefined,
  });
  book.startAuction();
  let id = 0;
  for (let number = 0; number < count; number++) {
    for (const terms of orders(number)) {
      id++;
      book.place({
        id, owner: id, sell: false, orderType: LIMIT, price: 100, quantity: 1, timeInForce: GTC, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0,
        selfTradePrevention: CANCEL_NEWEST, expiresAt: 0, ...terms,
      });
    }
  }
  return { book, told };
}

const COUNT = 10_000;
const HUGE = 1_000_000_000;

test.each([
  ['all-or-none bids that nobody can fill', () => [{ quantity: HUGE, minimumQuantity: HUGE }, { sell: true }]],
  ['all-or-none orders on both sides', (number: number) => [{ quantity: HUGE + number, minimumQuantity: HUGE + number }, { sell: true, quantity: 1 + number, minimumQuantity: 1 + number }]],
  ['bids that pass over asks that are too large', () => [{ quantity: 10, minimumQuantity: 10 }, { sell: true, quantity: HUGE, minimumQuantity: HUGE }]],
  ['large orders that pass small ones and meet their own group', (number: number) => [
    { price: 110, quantity: 3 * COUNT, owner: -1 - (number % 2) }, { sell: true, price: 90 }, { sell: true, price: 91, quantity: HUGE, owner: -1 - (number % 2) },
  ]],
])('%s', (_name, orders) => {
  const { book } = bookWith(orders, COUNT);
  book.uncross(0);
  expect(book.asked).toBeLessThan(5 * LOOKS);
});

test('what it has not looked at waits for whoever arrives', () => {
  const { book, told } = bookWith(() => [{ quantity: HUGE, minimumQuantity: HUGE }, { sell: true }], COUNT);
  book.uncross(0);
  expect(told).toEqual([]);
  book.place({ ...ASK, id: 3 * COUNT, sell: true, quantity: HUGE });
  expect(told).toEqual([`1 ${3 * COUNT} 100 ${HUGE}`]);
});

const ASK: BookOrder = {
  id: 0, owner: 0, sell: true, orderType: LIMIT, price: 100, quantity: 1, timeInForce: GTC, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0,
  selfTradePrevention: CANCEL_NEWEST, expiresAt: 0,
};
