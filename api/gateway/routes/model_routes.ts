/** The models: in OpenAI's form, and with their ratings and prices. */
import { z } from 'zod';
import { classOf } from '../../../engine/vocabulary.ts';
import { MILLIS_PER_HOUR, formatMicro, formatTicks } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { GatewayError } from '../../errors.ts';
import { pageOf, pageQuery } from '../../http/wire/schemas.ts';
import { principalIn } from '../../http/middleware/caller.ts';
import { route } from '../../http/route.ts';
import type { Route } from '../../http/route.ts';
import { ApiError } from '../../errors.ts';
import { MODELS, findModel } from '../catalogue/catalogue.ts';
import type { Model } from '../catalogue/catalogue.ts';
import type { RatingBook } from '../catalogue/rating_book.ts';
import type { RatingTable } from '../catalogue/ratings.ts';
import type { Endpoints } from '../endpoints/endpoints.ts';
import { isAllowed, requireAllowed } from '../relay/call.ts';
import type { LivePrice, Prices, TokenPrice } from '../metering/prices.ts';

const text = z.string();
const count = z.number().int();
const tokenPriceSchema = z.object({
  class: text,
  prompt: text.describe('CR for a million tokens'),
  completion: text.describe('CR for a million tokens'),
});
const livePriceSchema = tokenPriceSchema.extend({ market: text, price: text.describe('The ask, CR per GPU-hour') });
const pricingSchema = z.object({
  live: livePriceSchema.nullable().describe('At the cheapest ask of the running hour whose provider serves the model'),
  list: tokenPriceSchema.nullable().describe('At list price, on the class of the live price, else on the cheapest'),
});
const openaiModelSchema = z.object({
  id: text, object: z.literal('model'), created: count, owned_by: text,
  x_ccx: z.object({ served: z.boolean(), context_tokens: count, pricing: pricingSchema }),
});
const ratingsSchema = z.array(z.object({ class: text, gpus: count.describe('Of one replica'), prompt: text.describe('GPU-seconds a token'), completion: text.describe('GPU-seconds a token') }));
export const modelSchema = z.object({
  id: text, aliases: z.array(text), kind: z.enum(['chat', 'completion', 'embedding']), licence: text, context_tokens: count, output_tokens_default: count,
  modality: z.array(text), features: z.array(text), total_params_millions: count, active_params_millions: count, least_memory_gb: count, served: z.boolean(),
  rating_version: count.describe('In force for what is bought of the running hour'),
  ratings: ratingsSchema,
  announced_ratings: z.array(z.object({ version: count, effective_at: text.describe('The first hour that it rates'), ratings: ratingsSchema })).describe('Later versions that rate the model otherwise'),
  pricing: pricingSchema,
});

/** When the catalogue began; OpenAI's form asks for a time. */
const CREATED = 1_767_225_600;

export function modelRoutes(endpoints: Endpoints, prices: Prices, ratings: RatingBook): Route[] {
  /** Served models first, in the catalogue's order. */
  const listed = (): { model: Model; served: boolean }[] => {
    const served = endpoints.servedModels();
    const all = MODELS.map((model) => ({ model, served: served.has(model.id) }));
    return [...all.filter((entry) => entry.served), ...all.filter((entry) => !entry.served)];
  };
  const openaiForm = (directory: Directory, model: Model, served: boolean): z.infer<typeof openaiModelSchema> => ({
    id: model.id, object: 'model', created: CREATED, owned_by: model.id.split('/')[0],
    x_ccx: { served, context_tokens: model.contextTokens, pricing: pricingOf(directory, prices, model) },
  });

  return [
    route({
      method: 'get', path: '/v1/models', operationId: 'listOpenAiModels', summary: 'The models that the key may use, those that are served first', tag: 'inference', scope: 'inference',
      responses: { 200: { description: "OpenAI's list, with what a million tokens cost.", schema: z.object({ object: z.literal('list'), data: z.array(openaiModelSchema) }) } },
      handle: (context) => {
        const principal = principalIn(context);
        const data = listed().filter(({ model }) => isAllowed(principal, model)).map(({ model, served }) => openaiForm(context.services.directory, model, served));
        return Promise.resolve({ status: 200, body: { object: 'list', data } });
      },
    }),
    route({
      method: 'get', path: '/v1/models/{id}', expressPath: '/v1/models/*id', operationId: 'getOpenAiModel', summary: 'One model, by its id or an alias', tag: 'inference',
      scope: 'inference', params: z.object({ id: z.union([text, z.array(text)]) }),
      responses: { 200: { description: "OpenAI's form.", schema: openaiModelSchema } },
      handle: (context) => {
        const { services, params } = context;
        const name = Array.isArray(params.id) ? params.id.join('/') : params.id;
        const model = findModel(name);
        if (model === undefined) throw new GatewayError('model_not_found', { field: 'model', values: { model: name } });
        requireAllowed(principalIn(context), model, name);
        return Promise.resolve({ status: 200, body: openaiForm(services.directory, model, endpoints.servedModels().has(model.id)) });
      },
    }),
    route({
      method: 'get', path: '/api/v1/models', operationId: 'listModels', summary: 'The models with their ratings, and what a million tokens cost at the live book and at list price',
      tag: 'market', scope: 'public', query: z.strictObject(pageQuery),
      responses: { 200: { description: 'Those that are served first.', schema: pageOf(modelSchema) } },
      handle: ({ services, query }) => {
        const rows = listed();
        const start = positionOf(query.cursor);
        const end = start + (query.limit ?? rows.length);
        const hour = Math.floor(services.committed.now / MILLIS_PER_HOUR);
        const data = rows.slice(start, end).map(({ model, served }) => modelWire(services.directory, prices, { model, served, ratings, hour }));
        return Promise.resolve({ status: 200, body: { data, next_cursor: end < rows.length ? String(end) : null } });
      },
    }),
  ];
}

function positionOf(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  if (!/^[0-9]{1,6}$/.test(cursor)) throw new ApiError('invalid_cursor');
  return Number(cursor);
}

const ratingsWire = (table: RatingTable, { id }: Model): z.infer<typeof ratingsSchema> =>
  Array.from(table.of(id), ([name, rated]) => ({ class: name, gpus: rated.gpus, prompt: formatMicro(rated.prompt), completion: formatMicro(rated.completion) }));

const modelWire = (directory: Directory, prices: Prices, { model, served, ratings, hour }: { model: Model; served: boolean; ratings: RatingBook; hour: number }): z.infer<typeof modelSchema> => ({
  id: model.id, aliases: [...model.aliases], kind: model.kind, licence: model.licence, context_tokens: model.contextTokens,
  output_tokens_default: model.outputTokensDefault, modality: [...model.modality], features: [...model.features],
  total_params_millions: model.totalParamsMillions, active_params_millions: model.activeParamsMillions, least_memory_gb: model.leastMemoryGb, served,
  rating_version: ratings.inForce(hour).version,
  ratings: ratingsWire(ratings.inForce(hour), model),
  announced_ratings: ratings.published().filter(({ published }) => published.fromHour > hour && model.id in published.changes)
    .map((table) => ({ version: table.version, effective_at: new Date(table.published.fromHour * MILLIS_PER_HOUR).toISOString(), ratings: ratingsWire(table, model) })).reverse(),
  pricing: pricingOf(directory, prices, model),
});

function pricingOf(directory: Directory, prices: Prices, model: Model): z.infer<typeof pricingSchema> {
  const { live, list } = prices.of(model);
  return { live: live === null ? null : livePriceWire(directory, live), list: list === null ? null : tokenPriceWire(directory, list) };
}
const tokenPriceWire = (directory: Directory, price: TokenPrice): z.infer<typeof tokenPriceSchema> => ({
  class: directory.className(price.class), prompt: formatMicro(price.prompt), completion: formatMicro(price.completion),
});
const livePriceWire = (directory: Directory, live: LivePrice): z.infer<typeof livePriceSchema> => ({
  ...tokenPriceWire(directory, live), class: directory.className(classOf(live.market)), market: directory.marketName(live.market), price: formatTicks(live.price),
});
