/** What a forecast suggests to do: bids for use that no hours are bought for, resales of hours beyond any use. */
import { classOf, regionOf } from '../../engine/vocabulary.ts';
import type { DemandForecast } from '../../engine/credit/demand.ts';
import { mulDivFloor } from '../../engine/numbers/muldiv.ts';
import type { AllocationView } from '../../engine/queries.ts';
import { MICRO, formatMicro, formatSteps, formatTicks } from '../../engine/numbers/units.ts';
import type { Services } from '../services.ts';
import { formatDay } from './wire/amounts.ts';

const DAYS_OF_WEEK = 7;
const HOURS_OF_WEEK = 24 * DAYS_OF_WEEK;
const HOURS_PER_DAY = 24;
const PERCENT = 100;
/** Part of what is to be bought or sold, at a part of the week's mean mark: dearest bids first, cheapest resales first. */
const BIDS = [{ part: 50, price: 100 }, { part: 30, price: 95 }, { part: 20, price: 90 }] as const;
const RESALES = [{ part: 50, price: 100 }, { part: 30, price: 105 }, { part: 20, price: 110 }] as const;
export const LADDER_METHOD = 'uncovered use: half at the mean mark of the week, 30 % at 95 % and 20 % at 90 % of it, as far as available credits reach; excess hours: half at the mark, 30 % at 105 %, 20 % at 110 %, at most list price';

export interface CoveredWeek {
  /** Its first day. */
  from: number;
  /** Micro-CR in contract for its hours; expected beyond that; in contract beyond what may be needed. */
  contracted: number;
  uncovered: number;
  excess: number;
}

export function coverByWeek({ weeks }: DemandForecast, allocations: readonly AllocationView[], today: number): CoveredWeek[] {
  return weeks.map(({ expected, high }, index) => {
    const from = today + index * DAYS_OF_WEEK;
    const contracted = allocations.reduce((sum, { hour, credits }) => (Math.floor(hour / HOURS_PER_DAY - from) >= 0 && hour / HOURS_PER_DAY < from + DAYS_OF_WEEK ? sum + credits : sum), 0);
    return { from, contracted, uncovered: Math.max(0, expected - contracted), excess: Math.max(0, contracted - (high ?? expected)) };
  });
}

interface Rung {
  side: 'buy' | 'resell';
  class: string;
  region: string;
  from: string;
  to: string;
  price: string;
  gpu_hours: string;
  credits: string;
}

export function ladderWire(services: Services, weeks: readonly CoveredWeek[], allocations: readonly AllocationView[], available: number): { method: string; rungs: Rung[] } {
  const market = usualMarket(services, allocations);
  const rungs: Rung[] = [];
  if (market === undefined) return { method: LADDER_METHOD, rungs };
  const { directory } = services;
  const list = directory.class(classOf(market))?.listPrice ?? 0;
  let left = available;
  const add = (side: Rung['side'], week: CoveredWeek, credits: number, steps: readonly { part: number; price: number }[]): void => {
    const mark = meanMark(services, market, week.from);
    for (const { part, price } of steps) {
      const ticks = Math.min(list, Math.max(1, mulDivFloor(mark, price, PERCENT)));
      const quantity = Math.floor(mulDivFloor(credits, part, PERCENT) / ticks);
      if (quantity <= 0) continue;
      rungs.push({
        side, class: directory.className(classOf(market)), region: directory.regionName(regionOf(market)), from: formatDay(week.from), to: formatDay(week.from + DAYS_OF_WEEK - 1),
        price: formatTicks(ticks), gpu_hours: formatSteps(quantity), credits: formatMicro(quantity * ticks),
      });
    }
  };
  for (const week of weeks) {
    const affordable = Math.min(week.uncovered, left);
    left -= affordable;
    if (affordable > 0) add('buy', week, affordable, BIDS);
    // A week's excess is worth what it cost; a micro-credit of rounding is none.
    if (week.excess >= MICRO) add('resell', week, week.excess, RESALES);
  }
  return { method: LADDER_METHOD, rungs };
}

/** Where the company has bought most, else where most is quoted. */
function usualMarket({ directory, market }: Services, allocations: readonly AllocationView[]): number | undefined {
  const bought = new Map<number, number>();
  for (const row of allocations) bought.set(row.market, (bought.get(row.market) ?? 0) + row.quantity);
  const quoted = bought.size > 0 ? bought : new Map(directory.markets().map((id) => [id, market.curve(id).length]));
  return [...quoted].sort(([a, most], [b, more]) => more - most || a - b).at(0)?.[0];
}

function meanMark({ market }: Services, id: number, fromDay: number): number {
  let sum = 0;
  for (let hour = fromDay * HOURS_PER_DAY; hour < fromDay * HOURS_PER_DAY + HOURS_OF_WEEK; hour++) sum += market.mark(id, hour).price;
  return Math.floor(sum / HOURS_OF_WEEK);
}
