/** A rule that keeps one's asks just under the best ask of others, and never below a floor. Ticks. */
import { fromTicks, isOpen, toTicks, type WireCurvePoint, type WireOrder } from '../../state/index.ts';

export interface RepriceRule {
  on: boolean;
  /** Never below. */
  floor: number;
  /** So far under the best ask of others. */
  undercut: number;
}
export interface Reprice {
  op: 'amend';
  id: string;
  price: string;
}

/**
 * The changes that the rule asks for now. An order that is the best ask stays: the curve cannot tell what stands behind it,
 * and to undercut oneself would be a race to the floor.
 */
export function repricesOf(rule: RepriceRule, orders: readonly WireOrder[], points: readonly WireCurvePoint[]): Reprice[] {
  const best = new Map(points.map((point) => [point.instrument, point.best_ask]));
  const cheapest = new Map<string, number>();
  const asks = orders.filter((order) => order.side === 'sell' && isOpen(order) && order.price !== null && order.block === null && order.block_id === null && order.resale_of === null);
  for (const order of asks) cheapest.set(order.instrument, Math.min(cheapest.get(order.instrument) ?? Infinity, toTicks(order.price ?? '0')));
  return asks.flatMap((order) => {
    const market = best.get(order.instrument);
    const own = toTicks(order.price ?? '0');
    if (market === undefined || market === null || toTicks(market) >= (cheapest.get(order.instrument) ?? 0)) return [];
    const wanted = Math.max(rule.floor, toTicks(market) - rule.undercut);
    return wanted < own ? [{ op: 'amend' as const, id: order.id, price: fromTicks(wanted) }] : [];
  });
}
