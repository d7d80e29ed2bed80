import { bookSteps, bookTicks, fromSteps, fromTicks } from './decimal.ts';
import { crc32 } from './checksum.ts';

/** [price, quantity], decimal strings; quantities are absolute and "0" removes the level. */
export type WireLevel = readonly [price: string, quantity: string];
export interface WireBook {
  bids: readonly WireLevel[];
  asks: readonly WireLevel[];
  checksum: number | string;
}
/** Ticks and steps. */
export interface Level {
  price: number;
  quantity: number;
}
/** Best first. */
export interface Depth {
  bids: readonly Level[];
  asks: readonly Level[];
}
export const EMPTY_DEPTH: Depth = { bids: [], asks: [] };

const CHECKSUM_LEVELS = 10;

/** One hour's book as the feed tells it: plain maps from ticks to steps, sorted only when drawn. */
export class Book {
  private readonly bids = new Map<number, number>();
  private readonly asks = new Map<number, number>();
  private checksum: number | undefined;

  clear(): void {
    this.bids.clear();
    this.asks.clear();
    this.checksum = undefined;
  }

  replace(data: WireBook): void {
    this.clear();
    this.apply(data);
  }

  apply(data: WireBook): void {
    write(this.bids, data.bids);
    write(this.asks, data.asks);
    this.checksum = Number(data.checksum);
  }

  depth(): Depth {
    return { bids: sorted(this.bids, -1), asks: sorted(this.asks, 1) };
  }

  /** False when the best levels are not those the server sees: the book must be fetched anew. */
  agrees(depth: Depth): boolean {
    return this.checksum === undefined || checksumOf(depth) === this.checksum;
  }
}

function write(side: Map<number, number>, levels: readonly WireLevel[]): void {
  for (const [price, quantity] of levels) {
    const steps = bookSteps(quantity);
    if (steps === 0) side.delete(bookTicks(price));
    else side.set(bookTicks(price), steps);
  }
}

function sorted(side: Map<number, number>, direction: 1 | -1): Level[] {
  const levels: Level[] = [];
  for (const [price, quantity] of side) levels.push({ price, quantity });
  return levels.sort((a, b) => (a.price - b.price) * direction);
}

/** CRC-32 over the best ten bids, then the best ten asks, `price:quantity` joined by `|`. */
export function checksumOf(depth: Depth): number {
  const parts = [...depth.bids.slice(0, CHECKSUM_LEVELS), ...depth.asks.slice(0, CHECKSUM_LEVELS)];
  return crc32(parts.map((level) => `${fromTicks(level.price)}:${fromSteps(level.quantity)}`).join('|'));
}
