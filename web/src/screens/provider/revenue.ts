/** What a provider earned, by day of delivery (UTC). */
import { format, MILLIS_PER_HOUR, parseInstrument, toMicro, type WireDelivery } from '../../state/index.ts';
import type { Bar } from '../../ui/Bars.svelte';

const DAYS_MAX = 30;

export function revenueBars(deliveries: readonly WireDelivery[]): Bar[] {
  const byDay = new Map<string, bigint>();
  for (const row of deliveries) {
    const day = new Date((parseInstrument(row.instrument)?.hour ?? 0) * MILLIS_PER_HOUR).toISOString().slice(0, 10);
    byDay.set(day, (byDay.get(day) ?? 0n) + toMicro(row.usd));
  }
  const days = [...byDay].filter(([, usd]) => usd > 0n).sort(([a], [b]) => (a < b ? -1 : 1)).slice(-DAYS_MAX);
  return days.map(([day, usd]) => ({ label: format.calendarDay(day), title: `${day}: ${format.amount(usd)} USD`, parts: [{ size: Number(usd), tone: 'good' }] }));
}
