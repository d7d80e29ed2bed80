/** What buyers own and owned, and what providers delivered. Micro-CR, micro-USD, steps, 1e-6 GPU-seconds. Reads the projection `delivery`. */
import type { Knex } from 'knex';
import { number, numberOrNull } from './fields.ts';
import type { RowOf } from './fields.ts';
import { readOne, readPage } from './pages.ts';
import type { Page, PageAsk } from './pages.ts';

const SUMS = {
  usedGpu: number('used_gpu'), usedCredits: number('used_credits'), unusedCredits: number('unused_credits'), failedCredits: number('failed_credits'),
  /** To the provider, its commission taken off. */
  payable: number('payable'), commission: number('commission'), requests: number('requests'), promptTokens: number('prompt_tokens'),
  completionTokens: number('completion_tokens'),
  /** Steps that became another's; what is left is quantity - resold. */
  resold: number('resold'),
  /** Not delivered, and of that by the provider's fault; of the failed credits those that had been delivered before it was found. */
  failedGpu: number('failed_gpu'), faultGpu: number('fault_gpu'), undoneCredits: number('undone_credits'),
  /** Micro-USD out of the provider's bond: damages, and what hours bought elsewhere cost more. */
  damages: number('damages'), replacement: number('replacement'),
} as const;
const ALLOCATION = {
  allocation: number('allocation'), sequence: number('a.sequence'), fill: number('fill'), company: number('a.company'), provider: number('provider'),
  market: number('a.market'), hour: number('a.hour'), price: number('a.price'), quantity: number('quantity'), boughtAt: number('bought_at'), ...SUMS,
  /** Authorised when the hour ended, neither captured nor released yet. */
  pendingGpu: number('pending_gpu'), settledAt: numberOrNull('settled_at'),
  /** The model its bid named. */
  model: number('a.model'),
} as const;
const DELIVERY = {
  provider: number('provider'), market: number('market'), hour: number('hour'), sold: number('sold'), notional: number('notional'), ...SUMS,
} as const;

export type AllocationRecord = RowOf<typeof ALLOCATION>;
/** A provider's hour on a market. `sold` in steps, `notional` in micro-CR. */
export type DeliveryRecord = RowOf<typeof DELIVERY>;

const allocations = (db: Knex): Knex.QueryBuilder => db('projections.allocations as a');

/** All a company ever bought, newest first. @throws InvalidCursor */
export const listAllocations = (db: Knex, { company, ...page }: PageAsk & { company: number }): Promise<Page<AllocationRecord>> =>
  readPage(allocations(db).where({ 'a.company': company }), ALLOCATION, ['fill'], page);

/** Of any company: the caller checks whose it is. */
export const getAllocation = (db: Knex, allocation: number): Promise<AllocationRecord | undefined> =>
  readOne(allocations(db).where({ allocation }), ALLOCATION);

export interface DeliveriesAsk extends PageAsk {
  provider: number;
  /** Delivery hours, both included. */
  fromHour?: number;
  toHour?: number;
}

/** A provider's hours, latest first, those to come included. @throws InvalidCursor */
export async function listDeliveries(db: Knex, { provider, fromHour, toHour, ...page }: DeliveriesAsk): Promise<Page<DeliveryRecord>> {
  const query = db('projections.deliveries').where({ provider });
  if (fromHour !== undefined) void query.where('hour', '>=', fromHour);
  if (toHour !== undefined) void query.where('hour', '<=', toHour);
  return readPage(query, DELIVERY, ['hour', 'market'], page);
}

export interface LotUse {
  /** Micro-CR delivered with and without use. */
  used: bigint;
  unused: bigint;
}

/** What became of the credit of some lots that was delivered. Reads the projection `lot_use`. */
export async function useOfLots(db: Knex, lots: readonly number[]): Promise<LotUse> {
  const row = await db('projections.lot_use').whereIn('lot', [...lots]).sum({ used: 'used', unused: 'unused' }).first<Record<keyof LotUse, string | null>>();
  return { used: BigInt(row.used ?? 0), unused: BigInt(row.unused ?? 0) };
}
