/**
 * The real book against the naive one: the same random commands, the same events and the same state
 * after every one of them, by its hash. COMMANDS in the environment runs more.
 */
import { describe, expect, it } from 'vitest';
import { DECREMENT, FOK, GTC, GTD, IOC, LIMIT, MARKET, STOP, STOP_LIMIT } from '../commands.ts';
import { LoneBook } from './lone_book.ts';
import type { BookImage, BookMachine, BookOrder } from './lone_book.ts';
import { Random } from '../simulation/random.ts';
import { NaiveBook } from '../test/naive_book.ts';
import { recorder } from '../test/recorder.ts';

const COMMANDS = Number(process.env['COMMANDS'] ?? 1_000_000);
const LIVES = 500;
/** What is shown follows from the state: it is looked at now and then. */
const DEPTH_EVERY = 8;

type Act = (book: BookMachine) => unknown;

class Life {
  private readonly random: Random;
  private ids = 0;
  private now = 0;
  private auction = false;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  next(): Act {
    const { random } = this;
    const kind = random.weighted([[60, 'place'], [20, 'cancel'], [12, 'amend'], [3, 'time'], [2, 'auction']] as const);
    if (kind === 'place') return this.place();
    if (kind === 'cancel') {
      const id = this.someId();
      return (book) => book.cancel(id);
    }
    if (kind === 'amend') return this.amend();
    if (kind === 'time') {
      this.now += random.between(1, 20);
      return (book) => book.advance(this.now);
    }
    this.auction = !this.auction;
    if (this.auction) return (book) => book.startAuction();
    const reference = random.chance(0.5) ? 0 : random.between(90, 110);
    return (book) => {
      book.uncross(reference);
    };
  }

  private someId(): number {
    return this.random.between(Math.max(1, this.ids - 40), this.ids + 1);
  }

  private amend(): Act {
    const { random } = this;
    const id = this.someId();
    const price = random.chance(0.5) ? 0 : random.between(92, 108);
    const quantity = random.chance(0.3) ? 0 : random.between(1, 20);
    return (book) => book.amend(id, price, quantity);
  }

  private place(): Act {
    const { random } = this;
    const sell = random.chance(0.5);
    const orderType = random.weighted([[75, LIMIT], [10, MARKET], [8, STOP], [7, STOP_LIMIT]] as const);
    const timeInForce = random.weighted([[65, GTC], [10, GTD], [15, IOC], [10, FOK]] as const);
    const quantity = random.between(1, 20);
    const unpriced = orderType === MARKET || orderType === STOP;
    const order: BookOrder = {
      id: random.chance(0.01) ? this.someId() : ++this.ids, owner: random.between(1, 4), sell, orderType,
      price: unpriced && random.chance(0.7) ? 0 : random.between(92, 108), quantity, timeInForce,
      postOnly: !unpriced && timeInForce < IOC && random.chance(0.15),
      displayQuantity: random.chance(0.25) ? random.between(1, quantity) : 0,
      minimumQuantity: random.chance(0.2) ? random.between(1, quantity) : 0,
      stopPrice: orderType >= STOP ? random.between(92, 108) : 0,
      selfTradePrevention: random.between(0, DECREMENT), expiresAt: timeInForce === GTD ? this.now + random.between(0, 60) : 0,
    };
    return (book) => book.place(order);
  }
}

/** FNV-1a over 53 bits of every number: two books with one hash stand alike. */
function hashOf({ now, auction, lastPrice, bids, asks, stops }: BookImage): string {
  let [high, low] = [0x811c9dc5, 0x811c9dc5];
  const add = (value: number): void => {
    const bounded = Number.isFinite(value) ? value : -1;
    low = Math.imul(low ^ (bounded | 0), 0x01000193);
    high = Math.imul(high ^ low ^ Math.floor(bounded / 2 ** 32), 0x01000193);
  };
  add(now);
  add(auction ? 1 : 0);
  add(lastPrice);
  for (const orders of [bids, asks, stops]) {
    add(orders.length);
    for (const order of orders) for (const value of order) add(value);
  }
  return `${high >>> 0}.${low >>> 0}`;
}

function compare(seed: number, commands: number): void {
  const real = recorder();
  const naive = recorder();
  const book = new LoneBook(real.listener);
  const twin = new NaiveBook(naive.listener);
  const life = new Life(seed);
  for (let at = 0; at < commands; at++) {
    const act = life.next();
    const answer = [act(book), real.told.splice(0)];
    const expected = [act(twin), naive.told.splice(0)];
    // A plain comparison first: building assertion messages a million times is what would be slow.
    if (JSON.stringify(answer) !== JSON.stringify(expected)) expect({ seed, at, answer }).toEqual({ seed, at, answer: expected });
    const [image, expectedImage] = [book.image(), twin.image()];
    if (hashOf(image) !== hashOf(expectedImage)) expect({ seed, at, image }).toEqual({ seed, at, image: expectedImage });
    for (const sell of at % DEPTH_EVERY === 0 ? [false, true] : []) {
      const [seen, wanted] = [book.depth(sell, 1_000), twin.depth(sell, 1_000)];
      const same = seen.length === wanted.length && seen.every((level, row) => level.price === wanted[row].price && level.quantity === wanted[row].quantity && level.orders === wanted[row].orders);
      if (!same) expect({ seed, at, depth: seen }).toEqual({ seed, at, depth: wanted });
    }
    book.validate();
  }
}

describe('the book and its naive twin', () => {
  it(`agree after each of ${COMMANDS} random commands`, { timeout: 600_000 }, () => {
    const each = Math.ceil(COMMANDS / LIVES);
    for (let seed = 1; seed <= LIVES; seed++) compare(seed, each);
  });
});
