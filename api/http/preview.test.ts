/** A preview against the book itself: what it foresees is what the order does. */
import { describe, expect, it } from 'vitest';
import { BUY, CANCEL_NEWEST, DECREMENT, GTC, IOC, LIMIT, MARKET, NONE, SELL, STOP, STOP_LIMIT, FOK } from '../../engine/vocabulary.ts';
import type { PlaceOrder } from '../../engine/commands.ts';
import { LoneBook } from '../../engine/book/lone_book.ts';
import type { BookOrder } from '../../engine/book/lone_book.ts';
import { Random } from '../../engine/simulation/random.ts';
import { walk } from './preview.ts';
import type { Maker } from './preview.ts';

const SEEDS = 2_000;
const SUBJECT = 1_000;

interface Outcome {
  filled: number;
  notional: bigint;
  resting: number;
  refusal: string | undefined;
}

const plain = (id: number, owner: number, sell: boolean, price: number, quantity: number): BookOrder => ({
  id, owner, sell, orderType: LIMIT, price, quantity, timeInForce: GTC, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0,
  selfTradePrevention: CANCEL_NEWEST, expiresAt: 0,
});

class Case {
  private readonly random: Random;
  private readonly resting: BookOrder[] = [];
  readonly order: BookOrder;
  private readonly calls: boolean;

  constructor(seed: number) {
    const random = (this.random = new Random(seed));
    this.calls = random.chance(0.1);
    const sell = random.chance(0.5);
    for (let id = 1; id <= random.between(0, 8); id++) this.resting.push(this.maker(id, !sell));
    const orderType = random.weighted([[70, LIMIT], [12, MARKET], [9, STOP], [9, STOP_LIMIT]] as const);
    const quantity = random.between(1, 12);
    const timeInForce = random.pick([GTC, GTC, IOC, FOK]);
    this.order = {
      ...plain(SUBJECT, 1, sell, orderType === MARKET || orderType === STOP ? 0 : random.between(96, 104), quantity), orderType, timeInForce,
      postOnly: orderType === LIMIT && timeInForce === GTC && random.chance(0.2), minimumQuantity: random.chance(0.4) ? random.between(1, quantity) : 0,
      stopPrice: orderType >= STOP ? random.between(98, 102) : 0, selfTradePrevention: random.between(CANCEL_NEWEST, DECREMENT),
    };
  }

  private maker(id: number, sell: boolean): BookOrder {
    const { random } = this;
    const quantity = random.between(1, 6);
    return {
      ...plain(id, random.chance(0.15) ? 1 : 1 + id, sell, sell ? random.between(99, 104) : random.between(96, 101), quantity),
      displayQuantity: random.chance(0.3) ? random.between(1, quantity) : 0, minimumQuantity: random.chance(0.3) ? random.between(1, quantity) : 0,
    };
  }

  /** What becomes of the order in a book whose last trade was at 100. */
  placed(): Outcome {
    const outcome = { filled: 0, notional: 0n, resting: this.order.quantity, refusal: undefined as string | undefined };
    const book = new LoneBook({
      accepted: () => undefined, triggered: () => undefined, amended: () => undefined,
      traded: (_maker, taker, price, quantity) => {
        if (taker !== SUBJECT) return;
        outcome.filled += quantity;
        outcome.notional += BigInt(price) * BigInt(quantity);
      },
      cancelled: (id) => void (id === SUBJECT && (outcome.resting = 0)),
      filled: (id) => void (id === SUBJECT && (outcome.resting = 0)),
    });
    book.place(plain(-1, -1, true, 100, 1));
    book.place(plain(-2, -2, false, 100, 1));
    for (const maker of this.resting) book.place(maker);
    if (this.calls) book.startAuction();
    outcome.refusal = book.place(this.order);
    const image = book.image();
    const sides = [image.bids, image.asks, image.stops];
    const left = sides.flatMap((numbers) => numbers.flatMap((value, at) => (at % 11 === 0 && value === SUBJECT ? [numbers[at + 4]] : [])));
    return { ...outcome, resting: left[0] ?? 0 };
  }

  foreseen(): Outcome {
    const { order } = this;
    const better = (a: BookOrder, b: BookOrder): number => (a.sell ? a.price - b.price : b.price - a.price);
    const makers = [...this.resting].sort(better).map(({ price, quantity, displayQuantity, minimumQuantity, owner }): Maker => (
      { price, quantity, slice: Math.max(displayQuantity === 0 ? quantity : displayQuantity, minimumQuantity), minimum: minimumQuantity, own: owner === order.owner }
    ));
    const { filled, notional, resting, refusal } = walk(commandOf(order), { makers, calls: this.calls, lastPrice: 100 });
    return { filled, notional, resting, refusal };
  }
}

const commandOf = (order: BookOrder): PlaceOrder => ({
  type: 'place', company: order.owner, market: 0, hour: 0, side: order.sell ? SELL : BUY, orderType: order.orderType, price: order.price === 0 ? NONE : order.price, quantity: order.quantity,
  timeInForce: order.timeInForce, postOnly: order.postOnly, displayQuantity: order.displayQuantity, minimumQuantity: order.minimumQuantity, stopPrice: order.stopPrice,
  expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: order.selfTradePrevention, cancelOnDisconnect: false, clientOrderId: '',
});

describe('a preview', () => {
  it(`is what the order does, in ${SEEDS} random books`, () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const one = new Case(seed);
      const [placed, foreseen] = [one.placed(), one.foreseen()];
      // What a freed order takes of it afterwards, as if it had just arrived, is another order's doing.
      const resting = Math.min(placed.resting, foreseen.resting);
      expect({ seed, ...foreseen, resting }).toEqual({ seed, ...placed, resting });
      seen.add(placed.refusal ?? (placed.filled === 0 ? 'nothing' : placed.resting > 0 ? 'rests' : 'trades'));
    }
    expect([...seen].sort()).toEqual(['minimum_quantity', 'nothing', 'post_only_would_cross', 'rests', 'self_trade', 'trades']);
  });
});
