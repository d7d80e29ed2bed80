/** From when on a company is warned: how much of a budget is used, and how near its end an hour is. */
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import type { Micro, Millis } from '../../engine/numbers/units.ts';
import type { AllocationView } from '../../engine/queries.ts';

export const ALERTS_PERCENT: readonly number[] = [80, 95, 100];
export const alertsReached = (used: Micro, limit: Micro): number[] => ALERTS_PERCENT.filter((percent) => used * 100 >= limit * percent);

const NEARLY_USED_PERCENT = 80;
/** A budget that refuses a request and is not even so much used is not full: the request is too large. */
export const isNearlyUsed = (used: Micro, limit: Micro): boolean => used * 100 >= limit * NEARLY_USED_PERCENT;

/** Who has so little time left hears of it. */
export const WARNED_MINUTES = 15;
/** 1e-6 GPU-seconds; of less there is nothing to show. */
const UNUSED_LEAST = 3_600;

/** Picks the allocations of the running hour with time unused; undefined while it is not yet late in it. */
export function expiringAllocations(now: Millis): ((views: readonly AllocationView[]) => AllocationView[]) | undefined {
  const hour = Math.floor(now / MILLIS_PER_HOUR);
  if ((hour + 1) * MILLIS_PER_HOUR - now > WARNED_MINUTES * MILLIS_PER_MINUTE) return undefined;
  return (views) => views.filter((view) => view.hour === hour && view.status === 'delivering' && view.budgetGpu - view.usedGpu >= UNUSED_LEAST);
}
