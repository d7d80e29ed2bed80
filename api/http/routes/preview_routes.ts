/** What an order would cost, before it is sent. */
import { z } from 'zod';
import { BUY, NONE, SELL, classOf } from '../../../engine/vocabulary.ts';
import type { PlaceBlock, PlaceOrder } from '../../../engine/commands.ts';
import { PARAMETERS } from '../../../engine/parameters.ts';
import { REJECT_CODES } from '../../../engine/catalogue.ts';
import { divideHalfEven, mulDiv } from '../../../engine/numbers/muldiv.ts';
import type { Foretelling, LotView } from '../../../engine/queries.ts';
import { MICRO, formatMicro, formatSteps, formatTicks, formatUnits } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { idOf } from '../../ids.ts';
import type { Services } from '../../services.ts';
import { principalIn } from '../middleware/caller.ts';
import { blockBody, blockCommand, orderBody, placeCommand } from '../wire/order_commands.ts';
import { netUsd } from '../wire/order_wire.ts';
import type { Instrument } from '../../market/market_data.ts';
import { walkBlock } from '../block_preview.ts';
import { costOf, usdOf, walk } from '../preview.ts';
import type { Maker, Opposite, Walk } from '../preview.ts';
import type { LiveOrder } from '../../market/live_orders.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { marketCaughtUp } from '../submit.ts';

const text = z.string();
const previewSchema = z.object({
  instrument: text,
  filled_quantity: text.describe('Would have traded when all is done that it brings about: stops that it triggers, and buy blocks that wait for its ask, included'),
  resting_quantity: text,
  average_price: text.nullable(),
  worst_price: text.nullable(),
  notional: text,
  fee: text.describe('CR, of what trades'),
  hold: text.describe('CR reserved for what rests, its highest fee included'),
  draw: z.object({ facility_id: text, amount: text, credits: text }).nullable().describe('What a facility would draw on demand for it'),
  credits_before: text,
  credits_after: text.describe('After all that it brings about: also what own stops buy that it triggers, what own orders it ends set free, and what a resale releases'),
  usd_per_gpu_hour: text.nullable().describe('Buys: price, fees, origination fee and interest until delivery; null while no credit of yours covers it'),
  interest_usd_per_gpu_hour: text.nullable().describe('Buys: what of it is interest until delivery'),
  outside_usd_per_gpu_hour: text.nullable().describe('The lowest published on-demand price of the class'),
  net_usd_per_gpu_hour: text.nullable().describe('Sells: what a GPU-hour brings after the commission'),
  reject_code: z.enum(REJECT_CODES).nullable().describe('Why it would be refused now'),
});

const preview = route({
  method: 'post', path: '/api/v1/orders/preview', operationId: 'previewOrder', summary: 'What an order would do now', tag: 'orders', scope: 'read',
  roles: ['borrower', 'provider'], body: orderBody,
  responses: { 200: { description: 'Nothing has been placed.', schema: previewSchema } },
  async handle(context) {
    const { services, body } = context;
    const { company } = principalIn(context);
    await marketCaughtUp(services);
    const order = placeCommand(services.directory, company, body);
    const told = await services.sequencer.query('foretell', { order });
    const instrument = services.market.instrument(body.instrument);
    const priced = told.refusal === null ? outcomeOf(order, told) : refusedOutcome(order, walk(order, instrument === undefined ? NOBODY : await oppositeOf(services, instrument, order)), limitOf(services.directory, order));
    const { fee, hold, needed } = priced;
    const { account, draw } = await withDraw(services, company, told);
    return {
      status: 200,
      body: {
        instrument: body.instrument,
        ...tradeWire(priced),
        fee: formatMicro(fee),
        hold: formatMicro(hold),
        ...creditsWire(told, draw, needed),
        ...allInUsd(order, priced, { needed, account, now: services.committed.now }),
        outside_usd_per_gpu_hour: outsideUsd(services.directory, order),
        net_usd_per_gpu_hour: order.side === SELL ? netOf(order, priced) : null,
        reject_code: told.refusal,
      },
    };
  },
});

const NOBODY: Opposite = { makers: [], calls: false, lastPrice: 0 };

/** Whose makers an order would meet. */
type Taker = Pick<PlaceOrder, 'company' | 'market' | 'side' | 'model' | 'stopPrice' | 'resaleOf'>;

async function oppositeOf({ directory, market, sequencer }: Services, instrument: Instrument, order: Taker): Promise<Opposite> {
  const buys = order.side === BUY;
  if (buys && order.model !== NONE) await market.loadResales(instrument);
  const { bids, asks } = market.queues(instrument, Infinity, buys ? order.model : NONE);
  const { mode, last } = market.describe(instrument);
  const lastTrade = last ?? (order.stopPrice === 0 ? undefined : (await market.tradesBefore(instrument, undefined, 1)).at(0));
  // What is sold again is delivered by whoever sold it first.
  const [deliverer] = order.resaleOf > 0 ? await sequencer.query('deliverers', { allocations: [order.resaleOf] }) : [order.company];
  const served = buys ? [] : directory.capacities(deliverer).filter((entry) => entry.market === order.market).flatMap(({ models }) => models);
  const makers = (buys ? asks : bids.filter(({ model }) => model === NONE || served.includes(model)))
    .map((maker) => makerOf(maker, directory.isOfOneOwner(maker.company, order.company)));
  return { makers, calls: mode === 'auction', lastPrice: lastTrade?.price ?? 0 };
}

function makerOf({ price, remaining, visible, filled, minimumQuantity }: LiveOrder, own: boolean): Maker {
  const minimum = filled > 0 ? 0 : Math.min(minimumQuantity, remaining);
  return { price, quantity: remaining, slice: Math.max(visible, minimum), minimum, own };
}

/** The limit that a bid holds credit for: one without a price pays at most list price. */
const limitOf = (directory: Directory, order: PlaceOrder): number => (order.price === NONE ? (directory.class(classOf(order.market))?.listPrice ?? 0) : order.price);

const tradeWire = ({ filled, resting, notional, worst }: Walk) => ({
  filled_quantity: formatSteps(filled),
  resting_quantity: formatSteps(resting),
  average_price: filled === 0 ? null : formatUnits(divideHalfEven(notional * 10_000n, BigInt(filled)), 8, 4),
  worst_price: filled === 0 ? null : formatTicks(worst),
  notional: formatMicro(notional),
});

type Account = Awaited<ReturnType<typeof accountOf>>;

async function accountOf({ sequencer }: Services, company: number) {
  const [lots, facilities] = await Promise.all([sequencer.query('lots', { company }), sequencer.query('facilities', { company, lender: false })]);
  return { lots, facilities };
}

interface Draw {
  facility: number;
  amount: number;
  minted: number;
}

/** The company's account with what a facility draws on demand for the order. */
async function withDraw(services: Services, company: number, { draw }: Foretelling): Promise<{ account: Account; draw: Draw | null }> {
  const account = await accountOf(services, company);
  const facility = account.facilities.find((view) => view.facility === draw?.facility);
  if (draw === null || facility === undefined) return { account, draw: null };
  const minted = mulDiv(draw.amount, facility.conversionRate, MICRO);
  const lot: LotView = {
    lot: Number.MAX_SAFE_INTEGER, company, facility: facility.facility, source: 'facility', usd: draw.amount, minted, conversionRate: facility.conversionRate, available: minted, held: 0,
    contracted: 0, retired: 0, frozen: 0, expiresAt: facility.maturesAt,
  };
  return { account: { ...account, lots: [...account.lots, lot] }, draw: { ...draw, minted } };
}

/** What becomes of an order, and what it takes of a buyer's credit. */
type Outcome = Walk & { fee: bigint; hold: bigint; needed: bigint };

function outcomeOf({ side }: Pick<PlaceOrder, 'side'>, told: Foretelling): Outcome {
  const [notional, fee, hold] = [told.notional, told.fee, told.hold].map(BigInt);
  return { filled: told.filled, notional, worst: told.worst, resting: told.resting, refusal: undefined, fee, hold, needed: side === BUY ? notional + fee + hold : 0n };
}

/** What an order that is refused would take if nothing but its own book decided. */
function refusedOutcome(order: Pick<PlaceOrder, 'side'>, priced: Walk, limit: number): Outcome {
  const { fee, hold } = costOf(order, priced, limit);
  return { ...priced, fee, hold, needed: order.side === BUY ? priced.notional + fee + hold : 0n };
}

/** After a refused one: what would be left if it were let in. */
const creditsWire = ({ refusal, spendable: { before, after } }: Foretelling, draw: Draw | null, needed: bigint) => ({
  draw: draw === null ? null : { facility_id: idOf('facility', draw.facility), amount: formatMicro(draw.amount), credits: formatMicro(draw.minted) },
  credits_before: formatMicro(before),
  credits_after: formatMicro(refusal === null ? after : BigInt(before) - needed),
});

/** Per GPU-hour bought or bid for; null for sales, and when the company's credits do not reach. `needed` is 0 for sales. */
function allInUsd(order: PlaceOrder, { filled, resting }: Walk, { needed, account, now }: { needed: bigint; account: Account; now: number }): Pick<z.infer<typeof previewSchema>, 'usd_per_gpu_hour' | 'interest_usd_per_gpu_hour'> {
  const steps = filled + resting;
  const unknown = { usd_per_gpu_hour: null, interest_usd_per_gpu_hour: null };
  if (steps <= 0 || needed <= 0n) return unknown;
  const { usd, interest, covered } = usdOf(needed, account.lots, account.facilities, { now, hour: order.hour });
  if (covered < needed) return unknown;
  const each = (amount: bigint): string => formatUnits(divideHalfEven(amount * 100n, BigInt(steps)), 6, 4);
  return { usd_per_gpu_hour: each(usd), interest_usd_per_gpu_hour: each(interest) };
}

function netOf(order: Pick<PlaceOrder, 'price'>, { filled, notional }: Walk): string | null {
  if (filled > 0) return netUsd(Number(notional), filled, true);
  return order.price > 0 ? netUsd(order.price, 1, false) : null;
}

function outsideUsd(directory: Directory, order: Pick<PlaceOrder, 'market'>): string | null {
  const inputs = directory.class(classOf(order.market))?.inputs ?? [];
  return inputs.length === 0 ? null : formatMicro(Math.min(...inputs.map(({ usd }) => usd)));
}

const blockPreviewSchema = previewSchema.omit({ instrument: true });

const previewBlock = route({
  method: 'post', path: '/api/v1/blocks/preview', operationId: 'previewBlock', summary: 'What a block would do now; prices and dollars are averages over its hours', tag: 'orders', scope: 'read',
  roles: ['borrower', 'provider'], body: blockBody,
  responses: { 200: { description: 'Nothing has been placed.', schema: blockPreviewSchema } },
  async handle(context) {
    const { services, body } = context;
    const { company } = principalIn(context);
    await marketCaughtUp(services);
    const block = blockCommand(services.directory, company, body);
    const told = await services.sequencer.query('foretell', { order: block });
    const priced = told.refusal === null ? outcomeOf(block, told) : refusedOutcome(block, await blockWalk(services, block), block.price);
    const { fee, hold, needed } = priced;
    const { account, draw } = await withDraw(services, company, told);
    return {
      status: 200,
      body: {
        ...tradeWire(priced),
        fee: formatMicro(fee),
        hold: formatMicro(hold),
        ...creditsWire(told, draw, needed),
        ...allInOfBlock(block, priced, { needed, account, now: services.committed.now }),
        outside_usd_per_gpu_hour: block.market === NONE ? null : outsideUsd(services.directory, block),
        net_usd_per_gpu_hour: block.side === BUY ? null : netOf(block, priced),
        reject_code: told.refusal,
      },
    };
  },
});

/** Hours beyond those that a block may have are not looked at: it is refused. */
async function blockWalk(services: Services, block: PlaceBlock): Promise<Walk> {
  const count = block.toHour - block.fromHour;
  if (block.market === NONE || count < 1 || count > PARAMETERS.blockHoursMaximum) return { filled: 0, notional: 0n, worst: 0, resting: 0, refusal: undefined };
  const hours = await Promise.all(Array.from({ length: count }, async (_, index) => {
    const instrument = services.market.instrument(services.directory.instrumentName(block.market, block.fromHour + index));
    const { makers, calls } = instrument === undefined ? NOBODY : await oppositeOf(services, instrument, { ...block, stopPrice: 0, resaleOf: 0 });
    return calls ? [] : makers;
  }));
  return walkBlock(block, hours);
}

/** Interest runs until each hour: the average over them. */
function allInOfBlock(block: PlaceBlock, { filled, resting }: Walk, { needed, account, now }: { needed: bigint; account: Account; now: number }): Pick<z.infer<typeof previewSchema>, 'usd_per_gpu_hour' | 'interest_usd_per_gpu_hour'> {
  const unknown = { usd_per_gpu_hour: null, interest_usd_per_gpu_hour: null };
  const steps = filled + resting;
  if (steps <= 0 || needed <= 0n) return unknown;
  const hours = Array.from({ length: block.toHour - block.fromHour }, (_, index) => usdOf(needed, account.lots, account.facilities, { now, hour: block.fromHour + index }));
  if (hours.some(({ covered }) => covered < needed)) return unknown;
  const each = (amounts: bigint[]): string => formatUnits(divideHalfEven(amounts.reduce((sum, amount) => sum + amount, 0n) * 100n, BigInt(steps) * BigInt(hours.length)), 6, 4);
  return { usd_per_gpu_hour: each(hours.map(({ usd }) => usd)), interest_usd_per_gpu_hour: each(hours.map(({ interest }) => interest)) };
}

export const previewRoutes: Route[] = [preview, previewBlock];
