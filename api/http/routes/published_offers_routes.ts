/** The published offers that list prices are computed from: anybody may read them, an operator brings a new collection. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { publishedOffers, replacePublishedOffers } from '../../../db/queries/published_offers.ts';
import type { Offer } from '../../../db/seed/offers.ts';
import { formatMicro, parseUnits } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';
import { recordAudit } from '../middleware/audit.ts';
import { principalIn } from '../middleware/caller.ts';
import { LIMIT_DEFAULT, decodeNumberCursor, encodeCursor } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { decimal, instant, line, pageOf, pageQuery } from '../wire/schemas.ts';

const OFFERS_MAX = 10_000;
const USD_MAX = 1_000_000_000;
const path = '/api/v1/published-offers';

const offerBody = z.strictObject({
  provider: line(100), class: z.string().min(1).max(64), usd_per_gpu_hour: decimal, is_spot: z.boolean().default(false), collected_at: instant,
});
const offerSchema = z.object({ id: z.string(), provider: z.string(), class: z.string(), usd_per_gpu_hour: z.string(), is_spot: z.boolean(), collected_at: z.string() });

const list = route({
  method: 'get', path, operationId: 'listPublishedOffers', summary: 'The published offers that list prices are computed from', tag: 'market', scope: 'public',
  query: z.strictObject(pageQuery), responses: { 200: { description: 'As last collected.', schema: pageOf(offerSchema) } },
  async handle({ services, query }) {
    const offers = await publishedOffers(services.database);
    const start = decodeNumberCursor(query.cursor) ?? 0;
    const end = start + (query.limit ?? LIMIT_DEFAULT);
    return { status: 200, body: { data: offers.slice(start, end).map(offerWire), next_cursor: end < offers.length ? encodeCursor(end) : null } };
  },
});

const offerWire = ({ id, provider, class: className, usd, isSpot, collectedAt }: Offer): z.infer<typeof offerSchema> => ({
  id, provider, class: className, usd_per_gpu_hour: formatMicro(usd), is_spot: isSpot, collected_at: new Date(collectedAt).toISOString(),
});

const replace = route({
  method: 'post', path, operationId: 'replacePublishedOffers', tag: 'operator', scope: 'operate', roles: ['operator'], bodyLimit: 4 * 1024 * 1024,
  summary: 'Bring a new collection of published offers; the next recomputation of list prices uses it',
  body: z.strictObject({ offers: z.array(offerBody).min(1, 'must not be empty').max(OFFERS_MAX) }),
  responses: { 200: { description: 'The collection before it is replaced.', schema: z.object({ offers: z.number().int(), classes: z.number().int() }) } },
  async handle(context) {
    const { services, body } = context;
    const actor = principalIn(context);
    const offers = body.offers.map(offerOf);
    const classes = new Set(offers.map((offer) => offer.class));
    await services.database.transaction(async (transaction) => {
      await replacePublishedOffers(transaction, offers);
      await recordAudit(transaction, { at: services.committed.now, actor, action: 'published_offers', target: '', reason: 'collected', details: { offers: offers.length } });
    });
    return { status: 200, body: { offers: offers.length, classes: classes.size } };
  },
});

function offerOf(offer: z.output<typeof offerBody>, at: number): Offer {
  const usd = parseUnits(offer.usd_per_gpu_hour, 6, USD_MAX);
  const field = `offers.${at}.usd_per_gpu_hour`;
  // A price below a tick would make a list price of nothing.
  if (!(usd >= 100)) throw new ApiError('invalid_request', { field, values: { detail: `${field}: must be from 0.0001 to 1000, with at most 6 decimals` } });
  const { provider, class: className, is_spot: isSpot, collected_at: collectedAt } = offer;
  const digest = createHash('sha256').update(JSON.stringify([at, provider, className, usd, isSpot])).digest('base64url').slice(0, 16);
  return { id: `off_${digest}`, provider, class: className, usd, isSpot, collectedAt };
}

export const publishedOffersRoutes: Route[] = [list, replace];
