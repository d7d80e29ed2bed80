/** What a provider has in each hour of one market: listed, sold, delivering, failed. Steps. */
import { hoursOfBlock, isOpen, parseInstrument, toMicro, toSteps, type WireDelivery, type WireOrder } from '../../state/index.ts';

export interface CalendarHour {
  hour: number;
  listed: number;
  sold: number;
  state: 'free' | 'listed' | 'sold' | 'delivering' | 'failed';
}

/** Hours that an open sell order offers, with the steps in each. A block that rests offers in all of its hours. */
function offeredBy(order: WireOrder): { hour: number; steps: number }[] {
  const first = parseInstrument(order.instrument)?.hour;
  if (first === undefined || order.side !== 'sell' || !isOpen(order)) return [];
  if (order.block === null) return [{ hour: first, steps: toSteps(order.remaining_quantity) }];
  const count = hoursOfBlock(order.block);
  const steps = toSteps(order.block.quantity);
  return Array.from({ length: count }, (_, index) => ({ hour: first + index, steps }));
}

/** @param market `CLASS.region` */
export function calendarOf(market: string, span: { from: number; hours: number }, orders: readonly WireOrder[], deliveries: readonly WireDelivery[]): CalendarHour[] {
  const listed = new Map<number, number>();
  // The asks of a resting block may be listed themselves; then the block is not counted again.
  const asked = new Set(orders.map((order) => order.block_id));
  for (const order of orders) {
    if (!order.instrument.startsWith(`${market}.`) || (order.block !== null && asked.has(order.id))) continue;
    for (const { hour, steps } of offeredBy(order)) listed.set(hour, (listed.get(hour) ?? 0) + steps);
  }
  const sold = new Map(deliveries.filter((row) => row.instrument.startsWith(`${market}.`)).map((row) => [parseInstrument(row.instrument)?.hour, row]));
  return Array.from({ length: span.hours }, (_, index) => {
    const hour = span.from + index;
    const delivery = sold.get(hour);
    const cell = { hour, listed: listed.get(hour) ?? 0, sold: delivery === undefined ? 0 : toSteps(delivery.quantity) };
    if (delivery !== undefined && toMicro(delivery.failed_credits) > 0n) return { ...cell, state: 'failed' };
    if (delivery?.status === 'delivering') return { ...cell, state: 'delivering' };
    return { ...cell, state: cell.sold > 0 ? 'sold' : cell.listed > 0 ? 'listed' : 'free' };
  });
}
