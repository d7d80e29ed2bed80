/** What an order would cost, before it is sent. */
import { z } from 'zod';
import { BUY, GTC, NONE, SELL, classOf } from '../../../engine/vocabulary.ts';
import type { PlaceBlock, PlaceOrder } from '../../../engine/commands.ts';
import { PARAMETERS } from '../../../engine/parameters.ts';
import { REJECT_CODES } from '../../../engine/catalogue.ts';
import { divideHalfEven, mulDiv } from '../../../engine/numbers/muldiv.ts';
import type { LotView } from '../../../engine/queries.ts';
import { MICRO, formatMicro, formatSteps, formatTicks, formatUnits } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { idOf } from '../../ids.ts';
import type { Services } from '../../services.ts';
import { principalIn } from '../middleware/caller.ts';
import { blockBody, blockCommand, orderBody, placeCommand } from '../wire/order_commands.ts';
import { netUsd } from '../wire/order_wire.ts';
import type { Instrument } from '../../market/market_data.ts';
import { walkBlock } from '../block_preview.ts';
import { costOf, entryHold, heldOf, holdOf, usdOf, walk } from '../preview.ts';
import type { Maker, Opposite, Walk } from '../preview.ts';
import type { LiveOrder } from '../../market/live_orders.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { marketCaughtUp } from '../submit.ts';

const text = z.string();
const previewSchema = z.object({
  instrument: text,
  filled_quantity: text.describe('Would trade at once with whom it meets; not what stops that it triggers, orders that arrive again, or buy blocks that wait for asks, would do then'),
  resting_quantity: text,
  average_price: text.nullable(),
  worst_price: text.nullable(),
  notional: text,
  fee: text.describe('CR, of what trades at once'),
  hold: text.describe('CR reserved for what rests, its highest fee included'),
  draw: z.object({ facility_id: text, amount: text, credits: text }).nullable().describe('What a facility would draw on demand for it'),
  credits_before: text,
  credits_after: text.describe('After what it buys at once and reserves; what it sets free besides is not in it: own stops that its trades trigger, own orders it ends, what a resale releases'),
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
    const instrument = services.market.instrument(body.instrument);
    const priced = walk(order, instrument === undefined ? NOBODY : await oppositeOf(services, instrument, order));
    const { fee, hold } = costOf(order, priced, limitOf(services.directory, order));
    const needed = order.side === BUY ? priced.notional + fee + hold : 0n;
    const { account, draw } = await withDraw(services, await accountOf(services, company), { company, needed, held: heldOf(order, priced, limitOf(services.directory, order)), hour: order.hour });
    const refusal = await services.sequencer.query('refusal', { order });
    return {
      status: 200,
      body: {
        instrument: body.instrument,
        ...tradeWire(priced),
        fee: formatMicro(fee),
        hold: formatMicro(hold),
        ...creditsWire(account, draw, needed),
        ...allInUsd(order, priced, { needed, account, now: services.committed.now }),
        outside_usd_per_gpu_hour: outsideUsd(services.directory, order),
        net_usd_per_gpu_hour: order.side === SELL ? netOf(order, priced) : null,
        reject_code: refusal ?? priced.refusal ?? null,
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
  const spendable = lots.reduce((total, lot) => total + Math.max(0, lot.available - lot.frozen), 0);
  return { lots, facilities, spendable };
}

interface Draw {
  facility: number;
  amount: number;
  minted: number;
}

/** With what a facility would draw on demand for a bid that is short; a bid that leaves without a trade draws nothing. */
async function withDraw(services: Services, account: Account, ask: { company: number; needed: bigint; held: bigint; hour: number }): Promise<{ account: Account; draw: Draw | null }> {
  const missing = ask.held - BigInt(account.spendable);
  if (ask.needed <= 0n || missing <= 0n) return { account, draw: null };
  const found = await services.sequencer.query('demand', { company: ask.company, credits: Number(missing), hour: ask.hour });
  const facility = account.facilities.find((view) => view.facility === found?.facility);
  if (found === null || facility === undefined) return { account, draw: null };
  const minted = mulDiv(found.amount, facility.conversionRate, MICRO);
  const lot: LotView = {
    lot: Number.MAX_SAFE_INTEGER, company: ask.company, facility: facility.facility, source: 'facility', usd: found.amount, minted, conversionRate: facility.conversionRate, available: minted, held: 0,
    contracted: 0, retired: 0, frozen: 0, expiresAt: facility.maturesAt,
  };
  return { account: { ...account, lots: [...account.lots, lot] }, draw: { ...found, minted } };
}

const creditsWire = ({ spendable }: Account, draw: Draw | null, needed: bigint) => ({
  draw: draw === null ? null : { facility_id: idOf('facility', draw.facility), amount: formatMicro(draw.amount), credits: formatMicro(draw.minted) },
  credits_before: formatMicro(spendable),
  credits_after: formatMicro(BigInt(spendable) + BigInt(draw?.minted ?? 0) - needed),
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
    const refusal = await services.sequencer.query('refusal', { order: block });
    const priced = await blockWalk(services, block);
    const buys = block.side === BUY;
    const { fee, hold } = costOf(block, priced, block.price);
    const needed = buys ? priced.notional + fee + hold : 0n;
    const held = block.timeInForce === GTC ? entryHold(block, block.price, Math.max(0, block.toHour - block.fromHour)) : holdOf(priced.notional);
    const { account, draw } = await withDraw(services, await accountOf(services, company), { company, needed, held, hour: block.toHour - 1 });
    return {
      status: 200,
      body: {
        ...tradeWire(priced),
        fee: formatMicro(fee),
        hold: formatMicro(hold),
        ...creditsWire(account, draw, needed),
        ...allInOfBlock(block, priced, { needed, account, now: services.committed.now }),
        outside_usd_per_gpu_hour: block.market === NONE ? null : outsideUsd(services.directory, block),
        net_usd_per_gpu_hour: buys ? null : netOf(block, priced),
        reject_code: refusal,
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
