/** Offers as text: one line for each run of hours, `2026-12-01T14 24 8 1.95`: first hour UTC, hours, GPUs, price. */
import { makeInstrument, MILLIS_PER_HOUR, parseScaled, type WireBatchResult } from '../../state/index.ts';

export interface BulkPlan {
  operations: { op: 'place'; instrument: string; side: 'sell'; type: 'limit'; price: string; quantity: string; time_in_force: 'gtc' }[];
  problems: string[];
}
const OPERATIONS_MAX = 500;

const LINE = /^(\d{4}-\d{2}-\d{2})[T ](\d{1,2})(?::00)?Z?[\s,;]+(\d{1,3})[\s,;]+(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)$/;

/** @param market `CLASS.region` @param next the first hour that can be offered */
export function bulkPlan(market: string, text: string, next: number): BulkPlan {
  const plan: BulkPlan = { operations: [], problems: [] };
  const [className = '', region = ''] = market.split('.');
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '') return;
    const problem = (what: string): void => void plan.problems.push(`Line ${index + 1}: ${what}`);
    const match = LINE.exec(line);
    if (match === null) return problem('write the first hour, hours, GPUs and price');
    const [, day, hourOfDay = '', hours, quantity = '', price = ''] = match;
    const first = Date.parse(`${day}T${hourOfDay.padStart(2, '0')}:00:00Z`) / MILLIS_PER_HOUR;
    if (Number.isNaN(first) || first < next) return problem('the first hour must be to come');
    if (parseScaled(quantity, 2) === undefined || parseScaled(price, 4) === undefined) return problem('GPUs go in steps of 0.01, prices in steps of 0.0001');
    for (let hour = 0; hour < Number(hours); hour++) {
      plan.operations.push({ op: 'place', instrument: makeInstrument(className, region, first + hour).id, side: 'sell', type: 'limit', price, quantity, time_in_force: 'gtc' });
    }
  });
  if (plan.operations.length > OPERATIONS_MAX) plan.problems.push(`${plan.operations.length} hours; at most ${OPERATIONS_MAX} go at once`);
  return plan;
}

/** How often each reason occurs. */
export function refusalsOf(results: readonly WireBatchResult[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { error } of results) if (error !== undefined) counts.set(error.code, (counts.get(error.code) ?? 0) + 1);
  return counts;
}
