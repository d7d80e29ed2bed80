/** Rules by which a provider's offers follow the market. */
import { z } from 'zod';
import { NONE, classOf, regionOf } from '../../../engine/vocabulary.ts';
import { formatTicks, parseTicks } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import { ruleOfRow } from '../../upkeep/repricing.ts';
import type { RepricingRuleRow } from '../../upkeep/repricing.ts';
import { recordAudit } from '../middleware/audit.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { pageOfRows } from '../wire/pages.ts';
import { decimal, identifier, pageOf, pageQuery } from '../wire/schemas.ts';

const tag = 'provider';
const provider = ['provider'] as const;

export const ruleSchema = z.object({
  class: z.string(), region: z.string(), enabled: z.boolean(), price_floor: z.string(), price_ceiling: z.string().nullable(), undercut: z.string(),
  moves: z.number().int().describe('How often it has moved an offer'),
  moved_at: z.string().nullable(),
  moved_sequence: z.number().int().nullable().describe('The command that moved offers last'),
  last_refusal: z.string().nullable().describe('Why the last offer that was to be moved was not'),
});
function ruleWire(directory: Directory, row: RepricingRuleRow): z.infer<typeof ruleSchema> {
  const { market, enabled, priceFloor, priceCeiling, undercut } = ruleOfRow(row);
  return {
    class: directory.className(classOf(market)), region: directory.regionName(regionOf(market)), enabled,
    price_floor: formatTicks(priceFloor), price_ceiling: priceCeiling === null ? null : formatTicks(priceCeiling), undercut: formatTicks(undercut),
    moves: Number(row.moves), moved_at: row.moved_at?.toISOString() ?? null, moved_sequence: row.moved_sequence === null ? null : Number(row.moved_sequence),
    last_refusal: row.last_refusal === '' ? null : row.last_refusal,
  };
}

const list = route({
  method: 'get', path: '/api/v1/repricing-rules', operationId: 'listRepricingRules', summary: 'By which rules your offers follow the market, and what they have moved', tag, scope: 'read', roles: provider,
  query: z.strictObject(pageQuery),
  responses: { 200: { description: 'One for each class and region that has one.', schema: pageOf(ruleSchema) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    const rows = await services.database('repricing_rules').where({ company }).orderBy('market').select<RepricingRuleRow[]>();
    return { status: 200, body: pageOfRows(rows, query, (row) => [row.market], (row) => ruleWire(services.directory, row)) };
  },
});

const body = z.strictObject({
  class: identifier, region: identifier, enabled: z.boolean(),
  price_floor: decimal.describe('CR per GPU-hour; no offer is moved below it'),
  price_ceiling: decimal.nullish().describe('Offers rise up to it when the asks of others do, or when there are none; without one they never rise'),
  undercut: decimal.describe('CR per GPU-hour under the best ask of others; 0 stands beside it'),
});
type Body = z.infer<typeof body>;

/** @throws ApiError for prices that are none, or of which no offer could stand */
function pricesOf({ price_floor: floor, price_ceiling: ceiling, undercut }: Body): { price_floor: number; price_ceiling: number | null; undercut: number } {
  const prices = { price_floor: parseTicks(floor), price_ceiling: ceiling == null ? null : parseTicks(ceiling), undercut: parseTicks(undercut) };
  if (prices.price_floor <= 0) throw new ApiError('invalid_tick', { field: 'price_floor' });
  if (prices.price_ceiling !== null && prices.price_ceiling < prices.price_floor) throw new ApiError('invalid_tick', { field: 'price_ceiling' });
  if (prices.undercut < 0) throw new ApiError('invalid_tick', { field: 'undercut' });
  return prices;
}

const set = route({
  method: 'post', path: '/api/v1/repricing-rules', operationId: 'setRepricingRule', summary: "Have the exchange keep your offers of a class and region just under the best ask of others", tag, scope: 'trade', roles: provider, body,
  responses: { 200: { description: 'Holds within seconds, for offers placed before and after; `enabled: false` ends it and leaves the offers where they are.', schema: ruleSchema } },
  async handle(context) {
    const { services, body: given } = context;
    const actor = principalIn(context);
    const { company } = actor;
    const market = services.directory.marketId(given.class, given.region);
    if (market === NONE) throw new ApiError('instrument_unknown', { field: services.directory.classId(given.class) === NONE ? 'class' : 'region' });
    const prices = pricesOf(given);
    return once(context, async (transaction) => {
      const rule = { company, market, enabled: given.enabled, ...prices, changed_at: new Date(), last_refusal: '' };
      const [row] = await transaction('repricing_rules').insert(rule).onConflict(['company', 'market']).merge().returning<RepricingRuleRow[]>('*');
      const wire = ruleWire(services.directory, row);
      const { price_floor, price_ceiling, undercut } = wire;
      await recordAudit(transaction, {
        at: services.committed.now, actor, action: given.enabled ? 'repricing.on' : 'repricing.off', target: `${given.class}.${given.region}`, reason: 'own offers', details: { price_floor, price_ceiling, undercut },
      });
      return { reply: { status: 200, body: wire } };
    });
  },
});

export const repricingRoutes: Route[] = [list, set];
