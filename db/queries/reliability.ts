/** How reliable providers are: GPU time they promised and what of it they did not deliver by their own fault. Reads the projection `delivery`. */
import type { Knex } from 'knex';
import { bigint, number } from './fields.ts';
import type { RowOf } from './fields.ts';
import { readAll } from './pages.ts';

const RELIABILITY = {
  provider: number('provider'),
  /** Steps sold. */
  sold: bigint('sold_sum'),
  /** 1e-6 GPU-seconds: not delivered at all, and of that by the provider's fault. */
  failedGpu: bigint('failed_sum'), faultGpu: bigint('fault_sum'),
} as const;
export type ReliabilityRecord = RowOf<typeof RELIABILITY>;

/** By provider, over settled delivery hours from `fromHour` on, `toHour` excluded. */
export function reliability(db: Knex, { fromHour, toHour }: { fromHour: number; toHour: number }): Promise<ReliabilityRecord[]> {
  const sums = db('projections.deliveries').where('hour', '>=', fromHour).andWhere('hour', '<', toHour).groupBy('provider')
    .select('provider').sum({ sold_sum: 'sold', failed_sum: 'failed_gpu', fault_sum: 'fault_gpu' });
  return readAll(db.from(sums.as('sums')), RELIABILITY);
}
