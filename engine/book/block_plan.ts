/**
 * How much of a block its hours' books can execute: the same quantity in every hour, at prices whose
 * average keeps the block's limit.
 *
 * A block takes resting orders by price, then time. What q more in an hour costs never falls as q
 * grows, so the sum over the hours less limit x q is convex and zero at nothing: what is affordable
 * is a range from zero on, and its end is found by halving. Orders that may not trade with the block
 * are left out: those of its own group, those that a model bars, and those that still have a minimum
 * for their first execution, which a part of a block might undercut.
 */
import type { Book } from './book.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { Orders } from './orders.ts';
import { MICRO } from '../numbers/units.ts';
import type { Micro, Ppm, Steps, Ticks } from '../numbers/units.ts';

export interface BlockTerms {
  readonly sells: boolean;
  /** Bounds the average over all hours. */
  readonly price: Ticks;
  /** The books of its hours, in order. */
  readonly books: readonly Book[];
  /** Whether a resting order may trade with the block. */
  mayTrade(maker: number): boolean;
  /** Absent: of those with whom it may trade it may take all. */
  readonly room?: BlockRoom;
}

/** How much a block may take of whom, which what it takes on its way makes less. It is asked hour by hour, in the order of execution. */
export interface BlockRoom {
  begin(): void;
  most(maker: number, price: Ticks): Steps;
  took(maker: number, notional: Micro): void;
}

/** Found when an hour has not enough: its place among the hours. */
export interface Lacking {
  hour: number;
}

/** Least quantity that an acceptance ratio allows of what is wanted. */
export const leastAccepted = (wanted: Steps, ratio: Ppm): Steps => Math.max(1, Math.ceil((wanted * ratio) / MICRO));

export class BlockPlan {
  private readonly orders: Orders;

  constructor(orders: Orders) {
    this.orders = orders;
  }

  /** The largest quantity of `least` to `most` that every hour executes within the limit; 0 when there is none. */
  largestFrom(terms: BlockTerms, least: Steps, most: Steps, lacking: Lacking): Steps {
    // Of blocks that wait nearly all fail here, most of them at one of the first hours.
    if (!this.fits(terms, least, lacking)) return 0;
    return least === most || this.fits(terms, most) ? most : this.between(terms, least, this.depth(terms, most, lacking));
  }

  /** What a quantity that every hour has costs or brings. */
  costOf(terms: BlockTerms, quantity: Steps): Micro {
    terms.room?.begin();
    return terms.books.reduce((sum, book) => sum + this.notionalOf(terms, book, quantity), 0);
  }

  /** How much of a quantity that every hour has is executed at each price in each hour, the best first. */
  pricesOf(terms: BlockTerms, quantity: Steps): ReadonlyMap<Ticks, Steps>[] {
    terms.room?.begin();
    return terms.books.map((book) => {
      const prices = new Map<Ticks, Steps>();
      this.notionalOf(terms, book, quantity, (part, price) => prices.set(price, (prices.get(price) ?? 0) + part));
      return prices;
    });
  }

  /** As rules before version 6 looked for it: the same, but it may name another hour that has too little. */
  largest(terms: BlockTerms, least: Steps, most: Steps, lacking: Lacking): Steps {
    if (this.fits(terms, most)) return most;
    const deepest = this.depth(terms, most, lacking);
    if (deepest < least || least === most || !this.fits(terms, least)) return 0;
    return this.between(terms, least, deepest);
  }

  /** Whether an hour has a quantity at any price. */
  has(book: Book, sells: boolean, quantity: Steps, mayTrade: (maker: number) => boolean): boolean {
    return this.depthOf({ sells, mayTrade }, book, quantity) === quantity;
  }

  /** The largest quantity from `least`, which fits, to `most`. */
  private between(terms: BlockTerms, least: Steps, most: Steps): Steps {
    let low = least;
    let high = most;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.fits(terms, middle)) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Whether every hour has `quantity`, on average within the limit. */
  private fits(terms: BlockTerms, quantity: Steps, lacking?: Lacking): boolean {
    const bound = terms.price * quantity * terms.books.length;
    let sum = 0;
    terms.room?.begin();
    for (let hour = 0; hour < terms.books.length; hour++) {
      const notional = this.notionalOf(terms, terms.books[hour], quantity);
      if (notional < 0) {
        if (lacking !== undefined) lacking.hour = hour;
        return false;
      }
      sum += notional;
      if (!terms.sells && sum > bound) return false;
    }
    return terms.sells ? sum >= bound : true;
  }

  /** What `quantity` costs or brings in one hour; negative when less is there. */
  private notionalOf({ sells, mayTrade, room }: BlockTerms, book: Book, quantity: Steps, tell?: (part: Steps, price: Ticks) => void): Micro {
    const { orders } = this;
    const side = book.side(!sells);
    let left = quantity;
    let sum = 0;
    for (let key = side.bestKey(); !Number.isNaN(key); key = side.nextKey(key)) {
      const price = Math.abs(key);
      const makers: number[] = [];
      for (let maker = side.head(key); maker !== NIL; maker = orders.next(maker)) {
        if (!mayTrade(maker)) continue;
        if (room !== undefined) {
          makers.push(maker);
          continue;
        }
        const part = Math.min(left, orders.remaining(maker));
        tell?.(part, price);
        sum += part * price;
        left -= part;
        if (left === 0) return sum;
      }
      if (room === undefined) continue;
      const part = this.withinRoom(room, makers, price, left);
      if (part === 0) continue;
      tell?.(part, price);
      sum += part * price;
      left -= part;
      if (left === 0) return sum;
    }
    return -1;
  }

  /** How much of `wanted` orders of one price execute within the room: in the order in which they do, for who is met before others takes what room those may share. */
  private withinRoom(room: BlockRoom, makers: readonly number[], price: Ticks, wanted: Steps): Steps {
    const { orders } = this;
    let left = wanted;
    // What an iceberg hides comes slice by slice, each behind all that stands there then.
    const queue = makers.map((maker) => ({ maker, visible: orders.visible(maker), remaining: orders.remaining(maker) }));
    for (let at = 0; at < queue.length && left > 0; at++) {
      const { maker, visible, remaining } = queue[at];
      const part = Math.min(left, visible, room.most(maker, price));
      if (part === 0) continue;
      room.took(maker, part * price);
      left -= part;
      const rest = remaining - part;
      if (part === visible && rest > 0) queue.push({ maker, visible: Math.min(orders.extra(maker)?.displayQuantity || rest, rest), remaining: rest });
    }
    return wanted - left;
  }

  /** The quantity that all hours have, at any price, at most `most`. */
  private depth(terms: BlockTerms, most: Steps, lacking: Lacking): Steps {
    let least = most;
    terms.books.forEach((book, hour) => {
      const found = this.depthOf(terms, book, least);
      if (found < least) {
        least = found;
        lacking.hour = hour;
      }
    });
    return least;
  }

  private depthOf({ sells, mayTrade }: Pick<BlockTerms, 'sells' | 'mayTrade'>, book: Book, enough: Steps): Steps {
    let found = 0;
    book.side(!sells).forEach(this.orders, (maker) => {
      if (mayTrade(maker)) found += this.orders.remaining(maker);
      return found < enough;
    });
    return Math.min(found, enough);
  }
}
