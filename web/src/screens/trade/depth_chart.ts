/** Geometry of the depth chart: what stands within a price, in steps, on both sides of the middle. */
import type { LadderDepth } from '../../state/index.ts';

export interface DepthPoint {
  /** Ticks. */
  price: number;
  /** Steps up to this price. */
  total: number;
}
export interface DepthShape {
  bids: DepthPoint[];
  asks: DepthPoint[];
  low: number;
  high: number;
  deepest: number;
}

/** Prices farther from the best of their side than this share of the middle are left out: one far order must not flatten the rest. */
export const REACH_PERCENT = 25;

export function depthShape(depth: LadderDepth): DepthShape | undefined {
  const best = [depth.bids[0]?.price, depth.asks[0]?.price].filter((price) => price !== undefined);
  if (best.length === 0) return undefined;
  const middle = best.reduce((sum, price) => sum + price, 0) / best.length;
  const reach = Math.max((middle * REACH_PERCENT) / 100, 1);
  const side = (levels: readonly { price: number; quantity: number }[]): DepthPoint[] => {
    let total = 0;
    const first = levels[0]?.price ?? middle;
    return levels.filter((level) => Math.abs(level.price - first) <= reach).map((level) => ({ price: level.price, total: (total += level.quantity) }));
  };
  const [bids, asks] = [side(depth.bids), side(depth.asks)];
  const width = Math.max(middle - (bids.at(-1)?.price ?? middle), (asks.at(-1)?.price ?? middle) - middle, 1) * 1.05;
  return { bids, asks, low: middle - width, high: middle + width, deepest: Math.max(bids.at(-1)?.total ?? 0, asks.at(-1)?.total ?? 0, 1) };
}
