/**
 * List prices and the demo's ask prices, as pure functions of published offers.
 *
 * Rounding: one tick is 0.0001 CR and 1 CR stands for 1 USD, so a published price of up to four
 * decimals is a list price without rounding; further digits are cut, in the buyer's favour. An ask is rounded up to the next tick, so that its
 * provider nets at least the offer.
 */
import { MICRO, TICKS_PER_CREDIT } from '../../engine/numbers/units.ts';
import type { Micro, Ppm, Ticks } from '../../engine/numbers/units.ts';
import type { Offer } from './offers.ts';

const MICRO_PER_TICK = MICRO / TICKS_PER_CREDIT;
/** Below this many providers a percentile means nothing and the lowest offer counts. */
const PROVIDERS_MINIMUM = 3;

export interface ListInput {
  provider: string;
  usd: Micro;
}

/** The inputs of a class's list price: the lowest on-demand offer of each provider, by price, then provider. */
export function listInputs(offers: readonly Offer[], className: string): ListInput[] {
  const lowest = new Map<string, Micro>();
  for (const offer of offers) {
    if (offer.class !== className || offer.isSpot) continue;
    lowest.set(offer.provider, Math.min(offer.usd, lowest.get(offer.provider) ?? Infinity));
  }
  return [...lowest]
    .map(([provider, usd]) => ({ provider, usd }))
    .sort((a, b) => a.usd - b.usd || (a.provider < b.provider ? -1 : 1));
}

/**
 * The 75th percentile by nearest rank: the value at rank ceil(3n/4) of n in ascending order; the
 * lowest when there are fewer than three.
 * @throws Error when there is no input: such a class has no list price
 */
export function listPrice(inputs: readonly ListInput[]): Ticks {
  if (inputs.length === 0) throw new Error('a list price needs at least one on-demand offer');
  const ascending = inputs.map((input) => input.usd).sort((a, b) => a - b);
  const rank = ascending.length < PROVIDERS_MINIMUM ? 1 : Math.ceil((3 * ascending.length) / 4);
  return Math.floor(ascending[rank - 1] / MICRO_PER_TICK);
}

/** What a provider asks to net its offer: min(list price, offer / redemption rate), rounded up to a tick. */
export function demoAsk(offer: Micro, list: Ticks, redemptionRate: Ppm): Ticks {
  const perTick = BigInt(MICRO_PER_TICK) * BigInt(redemptionRate);
  const asked = (BigInt(offer) * BigInt(MICRO) + perTick - 1n) / perTick;
  return Math.min(list, Number(asked));
}
