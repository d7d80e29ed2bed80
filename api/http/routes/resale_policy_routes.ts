/** What a company wants done with hours that it does not use, and which of them are about to end. */
import { z } from 'zod';
import { useOfLots } from '../../../db/queries/allocations.ts';
import { formatTicks, parseTicks } from '../../../engine/numbers/units.ts';
import { policyOfRow } from '../../upkeep/automatic_resale.ts';
import type { ResalePolicyRow } from '../../upkeep/automatic_resale.ts';
import { ApiError } from '../../errors.ts';
import type { Services } from '../../services.ts';
import { WARNED_MINUTES, expiringAllocations } from '../../warnings/thresholds.ts';
import { projectionsCaughtUp } from '../history.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { expiringSchema, expiringWire } from '../wire/expiring_wire.ts';
import { decimal } from '../wire/schemas.ts';
import { wasteSchema, wasteWire } from '../wire/waste_wire.ts';

const tag = 'trading';
const borrower = ['borrower'] as const;

const policySchema = z.object({
  enabled: z.boolean(), price_floor: z.string().nullable(), idle_minutes: z.number().int().nullable(),
  expiring: z.array(expiringSchema)
    .describe(`Allocations of the running hour with time unused, in its last ${WARNED_MINUTES} minutes`),
});

export const shownSchema = policySchema.extend({ waste: wasteSchema.describe("Of all that was delivered to the company, whatever paid for it") });

async function policyWire(services: Services, company: number, row: ResalePolicyRow | undefined): Promise<z.infer<typeof policySchema>> {
  const { committed, directory, sequencer } = services;
  const policy = row === undefined ? undefined : policyOfRow(row);
  const expiring = expiringAllocations(committed.now)?.(await sequencer.query('allocations', { company })) ?? [];
  return {
    enabled: policy?.enabled ?? false, price_floor: policy === undefined ? null : formatTicks(policy.priceFloor), idle_minutes: policy?.idleMinutes ?? null,
    expiring: expiring.map((view) => expiringWire(directory, view)),
  };
}

/** Who wants none need not say how. */
const policyBody = z.strictObject({ enabled: z.boolean(), price_floor: decimal.optional().describe('CR per GPU-hour'), idle_minutes: z.int().min(1).max(58).optional() })
  .refine((given) => !given.enabled || given.price_floor !== undefined, { path: ['price_floor'], message: 'must be there' })
  .refine((given) => !given.enabled || given.idle_minutes !== undefined, { path: ['idle_minutes'], message: 'must be there' });

const show = route({
  method: 'get', path: '/api/v1/resale-policy', operationId: 'getResalePolicy', summary: 'Whether unused hours are offered by themselves, which are about to end, and how much was wasted', tag, scope: 'read', roles: borrower,
  responses: { 200: { description: 'As of now.', schema: shownSchema } },
  async handle(context) {
    const { services } = context;
    const { company } = principalIn(context);
    const row = await services.database('resale_policies').where({ company }).first<ResalePolicyRow | undefined>();
    await projectionsCaughtUp(services, 'lot_use');
    const lots = await services.sequencer.query('lots', { company });
    const used = await useOfLots(services.database, lots.map(({ lot }) => lot));
    return { status: 200, body: { ...(await policyWire(services, company, row)), waste: wasteWire(used) } };
  },
});

const set = route({
  method: 'post', path: '/api/v1/resale-policy', operationId: 'setResalePolicy', summary: 'Have hours of the running hour offered when nobody has used them for so many minutes', tag, scope: 'trade',
  roles: borrower, body: policyBody,
  responses: { 200: { description: 'Holds from the next minute on. What is offered cannot be used until its order is cancelled.', schema: policySchema } },
  async handle(context) {
    const { services, body } = context;
    const { company } = principalIn(context);
    const floor = body.price_floor === undefined ? undefined : parseTicks(body.price_floor);
    if (floor !== undefined && floor <= 0) throw new ApiError('invalid_tick', { field: 'price_floor' });
    return once(context, async (transaction) => {
      const kept = transaction('resale_policies');
      const told = { enabled: body.enabled, ...(floor === undefined ? {} : { price_floor: floor }), ...(body.idle_minutes === undefined ? {} : { idle_minutes: body.idle_minutes }) };
      const [row] = floor === undefined || body.idle_minutes === undefined
        ? await kept.where({ company }).update(told).returning<ResalePolicyRow[]>('*')
        : await kept.insert({ company, ...told }).onConflict('company').merge().returning<ResalePolicyRow[]>('*');
      return { reply: { status: 200, body: await policyWire(services, company, row) } };
    });
  },
});

export const resalePolicyRoutes: Route[] = [show, set];
