/** What to buy of the running hour for a request: a market, a quantity and a limit, from the book as it stands. */
import { MICRO_GPU_SECONDS_PER_STEP } from '../../../engine/numbers/units.ts';
import type { Micro, MicroGpuSeconds, Steps, Ticks } from '../../../engine/numbers/units.ts';

/** An ask, in the book's order. */
export interface Ask {
  company: number;
  price: Ticks;
  remaining: Steps;
}
export interface SpotPlan {
  quantity: Steps;
  /** The worst price in it. */
  limit: Ticks;
  /** Price of all of it, without fees. */
  cost: Micro;
}

export const stepsFor = (gpu: MicroGpuSeconds): Steps => Math.ceil(gpu / MICRO_GPU_SECONDS_PER_STEP);

/**
 * The least that holds `worst` on one allocation and `total` over all, taken from the asks in their
 * order; at least one step. undefined when the asks up to the first that will not do cannot hold it.
 */
export function planPurchase(asks: readonly Ask[], worst: MicroGpuSeconds, total: MicroGpuSeconds, acceptable: (ask: Ask) => boolean): SpotPlan | undefined {
  const one = Math.max(1, stepsFor(worst));
  const all = Math.max(one, stepsFor(total));
  const plan = { quantity: 0, limit: 0, cost: 0 };
  let largest = 0;
  for (const ask of asks) {
    if (!acceptable(ask)) break;
    const wanted = Math.max(all - plan.quantity, largest >= one ? 0 : one);
    const taken = Math.min(ask.remaining, wanted);
    plan.quantity += taken;
    plan.cost += taken * ask.price;
    plan.limit = ask.price;
    largest = Math.max(largest, taken);
    if (plan.quantity >= all && largest >= one) break;
  }
  return largest >= one ? plan : undefined;
}
