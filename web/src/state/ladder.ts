/** What the ladder draws, derived from the book: grouped levels, running totals, bar lengths, own orders, spread. */
import type { Depth, Level } from './book.ts';

export interface LadderRow {
  /** Ticks: the worst price of the group, so clicking it reaches the whole group. */
  price: number;
  /** Steps. */
  quantity: number;
  total: number;
  /** Share of the deepest visible total, of `LADDER_DEPTH_MAX`; for bar lengths only. */
  depth: number;
  /** Steps of one's own open orders in this row. */
  own: number;
}
export interface Ladder {
  /** Best first. */
  bids: readonly LadderRow[];
  asks: readonly LadderRow[];
}
export interface OwnLevel {
  side: 'buy' | 'sell';
  price: number;
  quantity: number;
}

export const LADDER_DEPTH_MAX = 1_000;

/** Ticks per row that the ladder offers. */
export const GROUPINGS = [1, 10, 100, 1000] as const;

const groupPrice = (price: number, grouping: number, side: 'buy' | 'sell'): number =>
  side === 'buy' ? Math.floor(price / grouping) * grouping : Math.ceil(price / grouping) * grouping;

function rowsOf(levels: readonly Level[], side: 'buy' | 'sell', grouping: number, count: number, own: readonly OwnLevel[]): LadderRow[] {
  const rows: LadderRow[] = [];
  let total = 0;
  for (const level of levels) {
    const price = groupPrice(level.price, grouping, side);
    total += level.quantity;
    const last = rows.at(-1);
    if (last !== undefined && last.price === price) {
      last.quantity += level.quantity;
      last.total = total;
    } else if (rows.length === count) {
      break;
    } else {
      rows.push({ price, quantity: level.quantity, total, depth: 0, own: 0 });
    }
  }
  for (const order of own) {
    if (order.side !== side) continue;
    const row = rows.find((candidate) => candidate.price === groupPrice(order.price, grouping, side));
    if (row !== undefined) row.own += order.quantity;
  }
  return rows;
}

export function ladderOf(depth: Depth, options: { grouping: number; rows: number; own: readonly OwnLevel[] }): Ladder {
  const bids = rowsOf(depth.bids, 'buy', options.grouping, options.rows, options.own);
  const asks = rowsOf(depth.asks, 'sell', options.grouping, options.rows, options.own);
  const deepest = Math.max(bids.at(-1)?.total ?? 0, asks.at(-1)?.total ?? 0, 1);
  for (const row of [...bids, ...asks]) row.depth = Math.round((row.total * LADDER_DEPTH_MAX) / deepest);
  return { bids, asks };
}

export interface Spread {
  /** Ticks. */
  absolute: number;
  /** Of the middle price, in parts per million. */
  ppm: number;
  middle: number;
}

export function spreadOf(depth: Depth): Spread | undefined {
  const bid = depth.bids[0]?.price;
  const ask = depth.asks[0]?.price;
  if (bid === undefined || ask === undefined) return undefined;
  const middle = Math.round((bid + ask) / 2);
  return { absolute: ask - bid, middle, ppm: Math.round(((ask - bid) * 1_000_000) / Math.max(middle, 1)) };
}
