/** Shapes of market data on the wire, for HTTP and sockets alike. */
import { z } from 'zod';
import { TRADING_MODES } from '../../engine/vocabulary.ts';
import { decimal } from '../http/wire/schemas.ts';
import { PHASES } from './instruments.ts';

const time = z.iso.datetime().describe('RFC 3339, UTC');
const price = decimal.describe('CR per GPU-hour, a multiple of 0.0001');
const quantity = decimal.describe('GPU-hours, a multiple of 0.01');
const credits = decimal.describe('CR');
const usd = decimal.describe('USD per GPU-hour');

export const levelSchema = z.tuple([price, quantity]);
export const queuedOrderSchema = z.tuple([price, quantity, z.string().describe('Order id')]);
const checksum = z.number().int().describe('CRC-32 over the best 10 levels, bids then asks, `price:quantity` joined by `|`');

export const bookSchema = z.object({
  instrument: z.string(),
  sequence: z.number().int().describe('Last command included'),
  time,
  level: z.number().int(),
  bids: z.array(z.union([levelSchema, queuedOrderSchema])).describe('Best first; at level 3 one entry per order, oldest first'),
  asks: z.array(z.union([levelSchema, queuedOrderSchema])),
  checksum,
});

export const tradeSchema = z.object({
  id: z.string(),
  price,
  quantity,
  side: z.enum(['buy', 'sell']).describe('Side of the taker'),
  at: time,
});

export const candleSchema = z.object({
  start_at: time,
  open: price,
  high: price,
  low: price,
  close: price,
  volume: quantity,
  notional: credits,
  trades: z.number().int(),
});

const mark = {
  mark_price: price.nullable(),
  mark_source: z.enum(['trades', 'index', 'list_price']).describe("The hour's own trades of 24 h, else the class index, else half of the list price"),
};
const best = { best_bid: price.nullable(), bid_quantity: quantity.nullable(), best_ask: price.nullable(), ask_quantity: quantity.nullable() };
const lastPrice = price.nullable().describe('Of the last trade');

export const tickerSchema = z.object({
  ...best,
  last_price: lastPrice,
  last_quantity: quantity.nullable(),
  last_at: time.nullable(),
  ...mark,
  open_24h: price.nullable(),
  high_24h: price.nullable(),
  low_24h: price.nullable(),
  volume_24h: quantity,
  notional_24h: credits,
  trades_24h: z.number().int(),
});

export const curvePointSchema = z.object({
  instrument: z.string(),
  class: z.string(),
  region: z.string(),
  start_at: time,
  ...best,
  mid_price: decimal.nullable().describe('Half-way between best bid and best ask'),
  last_price: lastPrice,
  ...mark,
});
export const curveFallbackSchema = z.object({ class: z.string(), region: z.string(), ...mark });
export const curveDataSchema = z.object({ points: z.array(curvePointSchema), removed: z.array(z.string()) });

export const instrumentSchema = z.object({
  id: z.string(),
  class: z.string(),
  region: z.string(),
  start_at: time,
  end_at: time,
  phase: z.enum(PHASES),
  mode: z.enum(TRADING_MODES),
  mode_reason: z.string(),
  tick_size: price,
  step_size: quantity,
  list_price: price,
  ...best,
  last_price: lastPrice,
});

export const indexSchema = z.object({
  class: z.string(),
  price: price.nullable().describe('Volume-weighted over 24 h; null while the minimum is not met'),
  at: time,
  inputs: z.object({
    since: time.describe('The first moment whose trades count: 24 hours in whole minutes, the running one among them'),
    trades: z.number().int(),
    volume: quantity,
    notional: credits,
    buyer_groups: z.number().int(),
    provider_groups: z.number().int(),
    affiliated_trades_left_out: z.number().int(),
  }),
  minimum: z.object({ volume: quantity, buyer_groups: z.number().int(), provider_groups: z.number().int() }),
});

export const classSchema = z.object({
  id: z.string(),
  chip: z.string(),
  memory_gb: z.number(),
  form_factor: z.string(),
  list_price: price,
  list_price_inputs: z.array(z.object({ provider: z.string(), usd })).describe('The lowest on-demand offer of each provider'),
  next_list_price: z.object({ price, effective_at: time }).nullable(),
});
export const regionSchema = z.object({ id: z.string() });

export const statusDataSchema = z.object({
  now: time,
  sequence: z.number().int(),
  modes: z.array(z.object({ scope: z.string().describe('`*`, a class, CLASS.region, or an instrument'), mode: z.enum(TRADING_MODES), reason: z.string() })),
});
