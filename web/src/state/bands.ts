/** Prices that an hour takes: beyond the band around its last trade, or its list price before one, an order is refused. Ticks. */
import { parseScaled } from './decimal.ts';

export interface PriceLimits {
  bidMaximum: number;
  askMinimum: number;
  /** The list price: the conversion rate is a promise about it. */
  askMaximum: number;
}

const PLACES = 6;
const UNIT = 10n ** BigInt(PLACES);

/** @param last of the hour; undefined before its first trade */
export function limitsOf(band: { above: string; below: string }, last: number | undefined, listPrice: number): PriceLimits {
  const above = parseScaled(band.above, PLACES) ?? UNIT;
  const below = parseScaled(band.below, PLACES) ?? UNIT;
  const reference = BigInt(last ?? listPrice);
  return {
    bidMaximum: Math.max(Number((reference * above) / UNIT), last === undefined ? 0 : listPrice),
    askMinimum: Number((reference * below + UNIT - 1n) / UNIT),
    askMaximum: listPrice,
  };
}
