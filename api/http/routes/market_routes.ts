/** The public market: what is listed, books, trades, candles, the forward curve, indices. No key needed. */
import { z } from 'zod';
import { NONE, marketOf } from '../../../engine/vocabulary.ts';
import { MILLIS_PER_HOUR } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';
import { INTERVALS } from '../../market/candles.ts';
import { instrumentKey, timeOf } from '../../market/instruments.ts';
import type { Instrument, MarketData } from '../../market/market_data.ts';
import {
  bookSchema, candleSchema, classSchema, curveFallbackSchema, curvePointSchema, indexSchema, instrumentSchema, regionSchema, tradeSchema,
} from '../../market/market_schemas.ts';
import {
  candleWire, checksumOf, classWire, curveFallbackWire, curvePointWire, indexWire, instrumentWire, levelPair, queuedOrder, tradeWire,
} from '../../market/wire.ts';
import type { Services } from '../../services.ts';
import { LIMIT_DEFAULT, decodeNumberCursor, encodeCursor } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Reply, Route } from '../route.ts';
import { idParams, instant, pageOf, pageQuery } from '../wire/schemas.ts';

const CANDLES_DEFAULT = 500;
const DEPTH_DEFAULT = 50;
const TAG = 'market';

const scopeQuery = { class: z.string().max(64).optional(), region: z.string().max(64).optional() };
const ok = (body: unknown): Promise<Reply> => Promise.resolve({ status: 200, body });
const page = (data: unknown[], nextCursor: string | null = null): Promise<Reply> => ok({ data, next_cursor: nextCursor });
const listed = <Row extends z.ZodType>(description: string, row: Row) => ({ 200: { description, schema: pageOf(row) } });

/** @throws ApiError not_found: the class or the region does not exist, or it is no hour */
function instrumentOf(market: MarketData, id: string): Instrument {
  const instrument = market.instrument(id);
  if (instrument === undefined) throw new ApiError('not_found');
  return instrument;
}

const unknownName = (field: string, name: string): ApiError =>
  new ApiError('invalid_request', { field, values: { detail: `${field}: there is no "${name}"` } });

function namedBy(field: string, name: string | undefined, find: (name: string) => number): number | undefined {
  if (name === undefined) return undefined;
  const found = find(name);
  if (found === NONE) throw unknownName(field, name);
  return found;
}

/** Class and region by number. @throws ApiError invalid_request for a name that does not exist */
function scopeOf(services: Services, query: { class?: string; region?: string }): { class?: number; region?: number } {
  const { directory } = services;
  return {
    class: namedBy('class', query.class, (name) => directory.classId(name)),
    region: namedBy('region', query.region, (name) => directory.regionId(name)),
  };
}

function marketsOf(services: Services, query: { class?: string; region?: string }): number[] {
  const { class: classId, region } = scopeOf(services, query);
  return services.directory.classes().flatMap((entry) =>
    services.directory.regions().filter(() => classId === undefined || classId === entry.class)
      .filter((other) => region === undefined || region === other.region)
      .map((other) => marketOf(entry.class, other.region)));
}

/** One page of a list that is short enough to be made whole; the cursor is the position of the next row. */
function pageInOrder<Row>(rows: readonly Row[], query: { limit?: number; cursor?: string }, wire: (row: Row) => unknown): Promise<Reply> {
  const start = decodeNumberCursor(query.cursor) ?? 0;
  const end = start + (query.limit ?? rows.length);
  return page(rows.slice(start, end).map(wire), end < rows.length ? encodeCursor(end) : null);
}

const hourFrom = (time: string | undefined): number | undefined => (time === undefined ? undefined : Math.ceil(Date.parse(time) / MILLIS_PER_HOUR));
const hourBefore = (time: string | undefined): number | undefined => (time === undefined ? undefined : Math.ceil(Date.parse(time) / MILLIS_PER_HOUR) - 1);

const listInstruments = route({
  method: 'get', path: '/api/v1/instruments', operationId: 'listInstruments', tag: TAG, scope: 'public',
  summary: 'Listed instruments, in order of class, region and hour; `from` and `to` bound the beginning of delivery, `to` excluded',
  query: z.strictObject({ ...scopeQuery, from: instant.optional(), to: instant.optional(), ...pageQuery }),
  responses: listed('Instruments.', instrumentSchema),
  handle: ({ services, query }) => {
    const limit = query.limit ?? LIMIT_DEFAULT;
    const filter = { ...scopeOf(services, query), fromHour: hourFrom(query.from), toHour: hourBefore(query.to), after: decodeNumberCursor(query.cursor) };
    const found = services.market.list(filter, limit + 1);
    const shown = found.slice(0, limit);
    const last = shown.at(-1)?.instrument;
    const cursor = found.length > limit && last !== undefined ? encodeCursor(instrumentKey(last.market, last.hour)) : null;
    return page(shown.map((view) => instrumentWire(services.directory, view)), cursor);
  },
});

const getInstrument = route({
  method: 'get', path: '/api/v1/instruments/{id}', operationId: 'getInstrument', summary: 'One instrument', tag: TAG, scope: 'public',
  params: idParams,
  responses: { 200: { description: 'The instrument.', schema: instrumentSchema } },
  handle: async ({ services, params }) => {
    const { market, directory } = services;
    const instrument = instrumentOf(market, params.id);
    const view = market.describe(instrument);
    // Of hours that are over, and of trades from before the last day, only the past knows the last trade.
    const last = view.last ?? (await market.tradesBefore(instrument, undefined, 1)).at(0) ?? null;
    return ok(instrumentWire(directory, { ...view, last }));
  },
});

const bookQuery = z.strictObject({
  depth: z.string().regex(/^[1-9][0-9]{0,3}$/, 'must be a whole number from 1 to 9999').transform(Number).optional().describe('Levels of each side, 50 unless told'),
  level: z.enum(['1', '2', '3']).optional().describe('1: best prices. 2: quantity by price (default). 3: every order, oldest first'),
  model: z.string().max(200).optional().describe('Only asks whose provider serves this model here'),
});

const getBook = route({
  method: 'get', path: '/api/v1/instruments/{id}/book', operationId: 'getBook', summary: 'The book of an hour', tag: TAG, scope: 'public',
  params: idParams, query: bookQuery,
  responses: { 200: { description: 'Both sides, best first. Quantities are what is visible.', schema: bookSchema } },
  handle: async ({ services, params, query }) => {
    const { market, directory } = services;
    const instrument = instrumentOf(market, params.id);
    const model = namedBy('model', query.model, (name) => directory.modelId(name)) ?? NONE;
    if (model !== NONE) await market.loadResales(instrument);
    const level = Number(query.level ?? '2');
    const depth = level === 1 ? 1 : (query.depth ?? DEPTH_DEFAULT);
    const top = market.depth(instrument, Math.max(depth, 10), model);
    const checksum = checksumOf(top.bids.map(levelPair), top.asks.map(levelPair));
    const sides = level === 3 ? queuesOf(market, instrument, depth, model) : {
      bids: top.bids.slice(0, depth).map(levelPair), asks: top.asks.slice(0, depth).map(levelPair),
    };
    return ok({ instrument: instrument.id, sequence: market.sequence, time: timeOf(market.now), level, ...sides, checksum });
  },
});

function queuesOf(market: MarketData, instrument: Instrument, depth: number, model: number): { bids: unknown[]; asks: unknown[] } {
  const { bids, asks } = market.queues(instrument, depth, model);
  return { bids: bids.map(queuedOrder), asks: asks.map(queuedOrder) };
}

const listTrades = route({
  method: 'get', path: '/api/v1/instruments/{id}/trades', operationId: 'listTrades', summary: 'Trades of an hour, newest first', tag: TAG, scope: 'public',
  params: idParams, query: z.strictObject(pageQuery),
  responses: listed('Trades.', tradeSchema),
  handle: async ({ services, params, query }) => {
    const instrument = instrumentOf(services.market, params.id);
    const limit = query.limit ?? LIMIT_DEFAULT;
    const found = await services.market.tradesBefore(instrument, decodeNumberCursor(query.cursor), limit + 1);
    const shown = found.slice(0, limit);
    return page(shown.map(tradeWire), found.length > limit ? encodeCursor(shown[limit - 1].fill) : null);
  },
});

const listCandles = route({
  method: 'get', path: '/api/v1/instruments/{id}/candles', operationId: 'listCandles', tag: TAG, scope: 'public',
  summary: 'Candles of an hour, oldest first; intervals without a trade are left out',
  params: idParams,
  query: z.strictObject({ interval: z.enum(INTERVALS).default('1m'), from: instant.optional(), to: instant.optional(), ...pageQuery }),
  responses: listed('The newest candles of the span, at most `limit` (500 unless told).', candleSchema),
  handle: async ({ services, params, query }) => {
    const instrument = instrumentOf(services.market, params.id);
    await services.market.loadPast(instrument);
    const from = query.from === undefined ? -Infinity : Date.parse(query.from);
    const to = query.to === undefined ? Infinity : Date.parse(query.to);
    // A cursor leads back in time: to the candles before the oldest one given out.
    const before = Math.min(to, decodeNumberCursor(query.cursor) ?? Infinity);
    const span = services.market.candles(instrument, query.interval).filter((candle) => candle.start >= from && candle.start < before);
    const shown = span.slice(-(query.limit ?? CANDLES_DEFAULT));
    return page(shown.map(candleWire), shown.length < span.length ? encodeCursor(shown[0].start) : null);
  },
});

const getCurve = route({
  method: 'get', path: '/api/v1/curve', operationId: 'getCurve', tag: TAG, scope: 'public',
  summary: 'Price by delivery hour: the hours that have a quote or a trade, and the mark of all others',
  query: z.strictObject({ ...scopeQuery, ...pageQuery }),
  responses: { 200: { description: 'The forward curve.', schema: pageOf(curvePointSchema).extend({ otherwise: z.array(curveFallbackSchema) }) } },
  handle: async ({ services, query }) => {
    const { market, directory } = services;
    const markets = marketsOf(services, query);
    const reply = await pageInOrder(markets.flatMap((id) => market.curve(id)), query, (point) => curvePointWire(directory, point));
    const otherwise = markets.map((id) => curveFallbackWire(directory, market, id));
    return { ...reply, body: { ...(reply.body as object), otherwise } };
  },
});

const listIndices = route({
  method: 'get', path: '/api/v1/indices', operationId: 'listIndices', tag: TAG, scope: 'public',
  summary: 'Volume-weighted price of each class over 24 hours, with what it was computed from',
  query: z.strictObject({ class: scopeQuery.class, ...pageQuery }),
  responses: listed('Indices.', indexSchema),
  handle: ({ services, query }) => {
    const { market, directory } = services;
    const { class: classId } = scopeOf(services, query);
    const entries = directory.classes().filter((entry) => classId === undefined || entry.class === classId);
    return pageInOrder(entries, query, (entry) => indexWire(directory, market.index(entry.class), market.now));
  },
});

const listClasses = route({
  method: 'get', path: '/api/v1/classes', operationId: 'listClasses', summary: 'GPU classes with their list price and its inputs', tag: TAG, scope: 'public',
  query: z.strictObject(pageQuery),
  responses: listed('Classes.', classSchema),
  handle: ({ services, query }) => pageInOrder(services.directory.classes(), query, classWire),
});

const listRegions = route({
  method: 'get', path: '/api/v1/regions', operationId: 'listRegions', summary: 'Regions', tag: TAG, scope: 'public',
  query: z.strictObject(pageQuery),
  responses: listed('Regions.', regionSchema),
  handle: ({ services, query }) => pageInOrder(services.directory.regions(), query, ({ name }) => ({ id: name })),
});

export const marketRoutes: Route[] = [
  listInstruments, getInstrument, getBook, listTrades, listCandles, getCurve, listIndices, listClasses, listRegions,
];
