/**
 * The real book against the naive one: the same random commands, the same events and the same state
 * after every one of them, by its hash. COMMANDS in the environment runs more.
 */
import { describe, expect, it } from 'vitest';
import { DECREMENT, FOK, GTC, GTD, IOC, LIMIT, MARKET, STOP, STOP_LIMIT } from '../vocabulary.ts';
import { LoneBook } from './lone_book.ts';
import type { BookImage, BookMachine, BookOrder } from './lone_book.ts';
import { Random } from '../simulation/random.ts';
import { NaiveBook } from '../test/naive_book.ts';
import { recorder } from '../test/recorder.ts';

const COMMANDS = Number(process.env['COMMANDS'] ?? 1_000_000);
/** Most lives are short, for there is most to find where little stands in the way; every tenth is so many times as long, for a deep book. */
const SHORT = 500;
const LONG = 4;
/** What is shown follows from the state: it is looked at now and then. */
const DEPTH_EVERY = 8;
const BITS_32 = 2 ** 32;

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

const PRIME = 0x01000193;
/** FNV-1a over 53 bits of every number: two books with one hash stand alike. A bid without a limit counts as zero, which no bid's limit is. */
function hashOf({ now, auction, lastPrice, bids, asks, stops }: BookImage): number {
  let [high, low] = [0, 0];
  for (const numbers of [[now, auction ? 1 : 0, lastPrice, bids.length, asks.length], bids, asks, stops]) {
    // Counted through, with no condition: anything else takes eight times as long.
    for (let at = 0; at < numbers.length; at++) {
      const value = numbers[at];
      low = Math.imul(low ^ value, PRIME);
      high = Math.imul(high ^ low ^ (value / BITS_32), PRIME);
    }
  }
  return high * BITS_32 + low;
}

const alike = <Value>(seen: readonly Value[], wanted: readonly Value[], same: (a: Value, b: Value) => boolean): boolean =>
  seen.length === wanted.length && seen.every((value, at) => same(value, wanted[at]));

function compare(seed: number, commands: number): void {
  const real = recorder();
  const naive = recorder();
  const book = new LoneBook(real.listener);
  const twin = new NaiveBook(naive.listener);
  const life = new Life(seed);
  for (let at = 0; at < commands; at++) {
    const act = life.next();
    const [answer, expected] = [act(book), act(twin)];
    const [told, expectedTold] = [real.told.splice(0), naive.told.splice(0)];
    // A plain comparison first: building assertion messages a million times is what would be slow.
    if (answer !== expected || !alike(told, expectedTold, Object.is)) expect({ seed, at, answer, told }).toEqual({ seed, at, answer: expected, told: expectedTold });
    const [image, expectedImage] = [book.image(), twin.image()];
    if (hashOf(image) !== hashOf(expectedImage)) expect({ seed, at, image }).toEqual({ seed, at, image: expectedImage });
    for (const sell of at % DEPTH_EVERY === 0 ? [false, true] : []) {
      const [seen, wanted] = [book.depth(sell, 1_000), twin.depth(sell, 1_000)];
      if (!alike(seen, wanted, (level, other) => level.price === other.price && level.quantity === other.quantity && level.orders === other.orders)) expect({ seed, at, depth: seen }).toEqual({ seed, at, depth: wanted });
    }
    book.validate();
  }
}

describe('the book and its naive twin', () => {
  it(`agree after each of ${COMMANDS} random commands`, { timeout: 600_000 }, () => {
    for (let [seed, left] = [1, COMMANDS]; left > 0; seed++) {
      const length = Math.min(left, seed % 10 === 0 ? LONG * SHORT : SHORT);
      compare(seed, length);
      left -= length;
    }
  });
});
