/** Where the candle chart draws the index of its class. Ticks. */
import { toTicks, type WireCandle } from '../../state/index.ts';

/** What the candles span. */
export interface Range {
  low: number;
  high: number;
}
export const widened = (range: Range | undefined, { low, high }: Pick<WireCandle, 'low' | 'high'>): Range =>
  ({ low: Math.min(range?.low ?? Infinity, toTicks(low)), high: Math.max(range?.high ?? 0, toTicks(high)) });

/** Beyond so many times the candles' own height the index would flatten them. */
const NEAR_HEIGHTS = 2;
const HEIGHT_TICKS_MIN = 50;
/** Where the index is drawn: at its price, or, where that is far away, beyond the candles with an arrow that says so. */
export function indexLine(index: number, { low, high }: Range): { value: number; title: string } {
  const height = Math.max(high - low, HEIGHT_TICKS_MIN);
  if (index > high + NEAR_HEIGHTS * height) return { value: high + Math.ceil(height / 4), title: 'index \u2191' };
  if (index < low - NEAR_HEIGHTS * height) return { value: low - Math.ceil(height / 4), title: 'index \u2193' };
  return { value: index, title: 'index' };
}
