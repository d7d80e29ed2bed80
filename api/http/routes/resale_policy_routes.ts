/** What a company wants done with hours that it does not use, and which of them are about to end. */
import { z } from 'zod';
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE, formatTicks, parseTicks } from '../../../engine/numbers/units.ts';
import type { Millis } from '../../../engine/numbers/units.ts';
import type { AllocationView } from '../../../engine/queries.ts';
import { policyOfRow } from '../../upkeep/automatic_resale.ts';
import type { ResalePolicyRow } from '../../upkeep/automatic_resale.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import { idOf } from '../../ids.ts';
import type { Services } from '../../services.ts';
import { formatGpuHours } from './account_routes.ts';
import { formatTime } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { decimal } from '../wire/schemas.ts';

const tag = 'trading';
const borrower = ['borrower'] as const;
/** Who has so little time left hears of it. */
const WARNED_MINUTES = 15;
/** 1e-6 GPU-seconds; of less there is nothing to show. */
const UNUSED_LEAST = 3_600;

const expiringSchema = z.object({ allocation_id: z.string(), instrument: z.string(), unused_gpu_hours: z.string(), ends_at: z.string() });
const policySchema = z.object({
  enabled: z.boolean(), price_floor: z.string().nullable(), idle_minutes: z.number().int().nullable(),
  expiring: z.array(expiringSchema)
    .describe(`Allocations of the running hour with time unused, in its last ${WARNED_MINUTES} minutes`),
});

/** Picks the allocations of the running hour with time unused; undefined while it is not yet late in it. */
export function expiringAllocations(now: Millis): ((views: readonly AllocationView[]) => AllocationView[]) | undefined {
  const hour = Math.floor(now / MILLIS_PER_HOUR);
  if ((hour + 1) * MILLIS_PER_HOUR - now > WARNED_MINUTES * MILLIS_PER_MINUTE) return undefined;
  return (views) => views.filter((view) => view.hour === hour && view.status === 'delivering' && view.budgetGpu - view.usedGpu >= UNUSED_LEAST);
}

export const expiringWire = (directory: Directory, { allocation, market, hour, budgetGpu, usedGpu }: AllocationView): z.infer<typeof expiringSchema> => ({
  allocation_id: idOf('allocation', allocation), instrument: directory.instrumentName(market, hour), unused_gpu_hours: formatGpuHours(budgetGpu - usedGpu),
  ends_at: formatTime((hour + 1) * MILLIS_PER_HOUR),
});

async function policyWire(services: Services, company: number, row: ResalePolicyRow | undefined): Promise<z.infer<typeof policySchema>> {
  const { committed, directory, sequencer } = services;
  const policy = row === undefined ? undefined : policyOfRow(row);
  const expiring = expiringAllocations(committed.now)?.(await sequencer.query('allocations', { company })) ?? [];
  return {
    enabled: policy?.enabled ?? false, price_floor: policy === undefined ? null : formatTicks(policy.priceFloor), idle_minutes: policy?.idleMinutes ?? null,
    expiring: expiring.map((view) => expiringWire(directory, view)),
  };
}

const show = route({
  method: 'get', path: '/api/v1/resale-policy', operationId: 'getResalePolicy', summary: 'Whether unused hours are offered by themselves, and which are about to end', tag, scope: 'read', roles: borrower,
  responses: { 200: { description: 'As of now.', schema: policySchema } },
  async handle(context) {
    const { services } = context;
    const { company } = principalIn(context);
    const row = await services.database('resale_policies').where({ company }).first<ResalePolicyRow | undefined>();
    return { status: 200, body: await policyWire(services, company, row) };
  },
});

const set = route({
  method: 'post', path: '/api/v1/resale-policy', operationId: 'setResalePolicy', summary: 'Have hours of the running hour offered when nobody has used them for so many minutes', tag, scope: 'trade',
  roles: borrower, body: z.strictObject({ enabled: z.boolean(), price_floor: decimal.describe('CR per GPU-hour'), idle_minutes: z.int().min(1).max(58) }),
  responses: { 200: { description: 'Holds from the next minute on. What is offered cannot be used until its order is cancelled.', schema: policySchema } },
  async handle(context) {
    const { services, body } = context;
    const { company } = principalIn(context);
    const floor = parseTicks(body.price_floor);
    if (floor <= 0) throw new ApiError('invalid_tick', { field: 'price_floor' });
    return once(context, async (transaction) => {
      const [row] = await transaction('resale_policies').insert({ company, enabled: body.enabled, price_floor: floor, idle_minutes: body.idle_minutes })
        .onConflict('company').merge().returning<ResalePolicyRow[]>('*');
      return { reply: { status: 200, body: await policyWire(services, company, row) } };
    });
  },
});

export const resalePolicyRoutes: Route[] = [show, set];
