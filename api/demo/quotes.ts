/**
 * The demo's bots as one pure function: what stands in the market, the time and chance give the next
 * commands. Makers offer at the prices of the real offers, bidders bid below the lowest of them, and
 * takers buy. Bots trade with each other only: they keep off orders of other companies.
 */
import { BUY, GTC, IOC, LIMIT, NONE, SELL } from '../../engine/vocabulary.ts';
import type { BatchOrders, OrderCommand, PlaceOrder } from '../../engine/commands.ts';
import type { CompanyId, MarketId, OrderId, Side } from '../../engine/vocabulary.ts';
import { MILLIS_PER_MINUTE, STEPS_PER_GPU_HOUR, TICKS_PER_CREDIT } from '../../engine/numbers/units.ts';
import type { Hour, Millis, Steps, Ticks } from '../../engine/numbers/units.ts';
import { askHours, bidHours, hourOf, minutesLeft } from './plan.ts';
import type { AskSlot, QuotedMarket } from './plan.ts';
import { hashOf, randomOf } from './random.ts';
import type { Random } from './random.ts';

export const STEP_MILLIS = 1_500;
/** The contract's limit of one batch. */
export const BATCH_MAX = 500;

const BID_LEVELS = 8;
/** How long a bid keeps its price: in the hours that people look at, and in those further ahead. */
const NEAR_WINDOW = MILLIS_PER_MINUTE / 4;
const FAR_WINDOW = 2 * MILLIS_PER_MINUTE;
const NEAR_HOURS = 2;
const SHAVED_PER_STEP = 6;
const REPLENISH_PERCENT = 10;
const TRADES_PER_STEP = 2;
const SWEEP_PERCENT = 15;
const SOLD_PERCENT = 40;
/** A sweep goes no further than a fifth above the best price: beyond is another kind of offer. */
const SWEEP_REACH_PERCENT = 120;

/** A live order of a bot. */
export interface QuoteOrder {
  order: OrderId;
  company: CompanyId;
  market: MarketId;
  hour: Hour;
  /** BUY or SELL. */
  side: number;
  price: Ticks;
  remaining: Steps;
}

export interface QuoteState {
  now: Millis;
  markets: readonly QuotedMarket[];
  bidders: readonly CompanyId[];
  /** Live orders of makers and bidders. */
  orders: Iterable<QuoteOrder>;
  /** Best prices of everybody else in a book; 0: none. */
  others(market: MarketId, hour: Hour): { bid: Ticks; ask: Ticks };
  /** Whether a book has a last price. */
  traded(market: MarketId, hour: Hour): boolean;
}

/** The commands of one step, to be applied in this order: quotes by company in batches of at most 500, then trades. */
export function planStep(state: QuoteState): BatchOrders[] {
  const random = randomOf(Math.floor(state.now / STEP_MILLIS));
  const books = new Books(state.orders);
  const commands: OrderCommand[] = [];
  for (const market of state.markets) {
    for (const hour of askHours(state.now, market.main)) planAsks(state, market, hour, books, random, commands);
    if (!market.main) continue;
    for (const hour of bidHours(state.now)) planBids(state, market, hour, books, commands);
  }
  planChanges(state, books, random, commands);
  // Last, so that nobody changes an order that has just been taken.
  return [...batchesOf(commands), ...batchesOf(planTrades(state, books, random))];
}

/** Live orders by book and side. */
class Books {
  private readonly sides = new Map<string, QuoteOrder[]>();

  constructor(orders: Iterable<QuoteOrder>) {
    for (const order of orders) {
      const key = `${order.market}:${order.hour}:${order.side}`;
      const side = this.sides.get(key);
      if (side === undefined) this.sides.set(key, [order]);
      else side.push(order);
    }
  }

  side(market: MarketId, hour: Hour, side: Side): readonly QuoteOrder[] {
    return this.sides.get(`${market}:${hour}:${side}`) ?? [];
  }
}

/** What a maker offers at a slot when nothing of it is sold: whole GPUs, through what is left of the hour. */
export function fullQuantity(slot: AskSlot, hour: Hour, now: Millis): Steps {
  const gpus = 8 * (1 + (hashOf(slot.company, slot.market, hour) % 8)) * (slot.price < TICKS_PER_CREDIT ? 2 : 1);
  const steps = gpus * STEPS_PER_GPU_HOUR;
  return hour === hourOf(now) ? Math.ceil((steps * minutesLeft(now)) / 60) : steps;
}

/**
 * Each slot stands at its price. What is sold comes back after a while; at once where little is left,
 * so that there is always something to buy. Asks at prices that are no longer a slot's are cancelled.
 */
function planAsks(state: QuoteState, market: QuotedMarket, hour: Hour, books: Books, random: Random, commands: OrderCommand[]): void {
  const standing = books.side(market.market, hour, SELL);
  const quantities = new Map<string, Steps>();
  for (const order of standing) {
    const key = `${order.company}:${order.price}`;
    quantities.set(key, (quantities.get(key) ?? 0) + order.remaining);
  }
  const full = market.asks.map((slot) => fullQuantity(slot, hour, state.now));
  const total = sumOf(standing.map((order) => order.remaining));
  const scarce = total * 4 < sumOf(full);
  const { bid } = state.others(market.market, hour);
  const clear = total > 0 || market.asks.some((slot) => slot.price > bid);
  market.asks.forEach((slot, index) => {
    const key = `${slot.company}:${slot.price}`;
    const quantity = quantities.get(key) ?? 0;
    quantities.delete(key);
    if (quantity * 4 >= full[index]) return;
    // Somebody else's bid is left alone, unless it would leave the book without an ask.
    if (bid >= slot.price && clear) return;
    if (scarce || random.chance(REPLENISH_PERCENT)) commands.push(place(slot.company, market.market, hour, SELL, slot.price, full[index] - quantity));
  });
  for (const order of standing) {
    if (quantities.has(`${order.company}:${order.price}`)) commands.push({ type: 'cancel', company: order.company, order: order.order });
  }
}

/** A ladder of bids below the lowest ask there can be, each level by another bidder, each moving a little now and then. */
function planBids(state: QuoteState, market: QuotedMarket, hour: Hour, books: Books, commands: OrderCommand[]): void {
  const standing = new Map(books.side(market.market, hour, BUY).map((order) => [order.company, order]));
  const book = hashOf(market.market, hour);
  const others = state.others(market.market, hour).ask;
  const ceiling = others === 0 ? market.asks[0].price : Math.min(market.asks[0].price, others);
  for (let level = 0; level < Math.min(BID_LEVELS, state.bidders.length); level++) {
    const company = state.bidders[(book + level) % state.bidders.length];
    const lasts = hour <= hourOf(state.now) + NEAR_HOURS ? NEAR_WINDOW : FAR_WINDOW;
    const window = Math.floor((state.now + (hashOf(book, level) % lasts)) / lasts);
    // 0.4 % to 1.0 % below for the best, each further level 0.7 % lower, in units of 0.01 %.
    const below = 40 + 70 * level + (hashOf(book, level, window) % 60);
    const price = Math.max(1, Math.min(ceiling - 1 - level, Math.floor((ceiling * (10_000 - below)) / 10_000)));
    const order = standing.get(company);
    if (order === undefined) {
      const quantity = (1 + (hashOf(book, level, window, 1) % 16)) * STEPS_PER_GPU_HOUR;
      commands.push(place(company, market.market, hour, BUY, price, quantity));
    } else if (order.price !== price) commands.push({ type: 'amend', company, order: order.order, price, quantity: 0 });
  }
}

/** Some asks of the near hours give up part of their quantity, as sellers do who sold elsewhere. */
function planChanges(state: QuoteState, books: Books, random: Random, commands: OrderCommand[]): void {
  const canceled = new Set(commands.flatMap((command) => (command.type === 'cancel' ? [command.order] : [])));
  const markets = state.markets.filter((market) => market.main);
  const hours = bidHours(state.now);
  for (let count = 0; count < SHAVED_PER_STEP && markets.length > 0; count++) {
    const market = markets[random.below(markets.length)].market;
    const standing = books.side(market, hours[nearest(hours.length, random)], SELL);
    if (standing.length === 0) continue;
    const order = standing[random.below(standing.length)];
    const quantity = Math.floor((order.remaining * (60 + random.below(36))) / 100);
    if (quantity < STEPS_PER_GPU_HOUR || canceled.has(order.order)) continue;
    canceled.add(order.order);
    commands.push({ type: 'amend', company: order.company, order: order.order, price: 0, quantity });
  }
}

/** A book without a last price gets one as soon as it is quoted; beside that, some trades in books by chance. */
function planTrades(state: QuoteState, books: Books, random: Random): PlaceOrder[] {
  const markets = state.markets.filter((market) => market.main);
  if (markets.length === 0 || state.bidders.length === 0) return [];
  const hours = bidHours(state.now);
  const untraded = markets.flatMap(({ market }) => hours.filter((hour) => !state.traded(market, hour)).map((hour) => ({ market, hour })));
  const chosen = Array.from({ length: TRADES_PER_STEP }, () => ({
    market: markets[random.below(markets.length)].market,
    hour: hours[nearest(hours.length, random)],
  }));
  const first = untraded.map((book) => planPurchase(state, book.market, book.hour, books, random, 0));
  const others = chosen.map(({ market, hour }) =>
    random.chance(SOLD_PERCENT) ? planSale(state, market, hour, books, random) : planPurchase(state, market, hour, books, random, SWEEP_PERCENT));
  // Two trades in one book would each count on all of it.
  const seen = new Set<string>();
  return [...first, ...others].flatMap((order) => {
    const key = order === undefined ? '' : `${order.market}:${order.hour}`;
    if (order === undefined || seen.has(key)) return [];
    seen.add(key);
    return [order];
  });
}

/** The nearest hours trade most. */
const nearest = (count: number, random: Random): number => Math.min(random.below(count), random.below(count), random.below(count));

/** Usually a few GPUs at the best price, sometimes all of it and some of the next. */
function planPurchase(state: QuoteState, market: MarketId, hour: Hour, books: Books, random: Random, sweepPercent: number): PlaceOrder | undefined {
  const company = state.bidders[random.below(state.bidders.length)];
  const levels = levelsOf(books.side(market, hour, SELL));
  if (levels.length === 0) return undefined;
  const best = levels[0];
  const next = levels[1];
  const sweeps = next !== undefined && next.price * 100 <= best.price * SWEEP_REACH_PERCENT && random.chance(sweepPercent);
  const limit = sweeps ? next.price : best.price;
  const { ask } = state.others(market, hour);
  if (ask !== 0 && ask <= limit) return undefined;
  const wanted = sweeps ? best.quantity + Math.floor(next.quantity / 3) : fewOf(best.quantity, random);
  // Half of a book stays for others to buy.
  const quantity = Math.min(wanted, Math.floor(sumOf(levels.map((level) => level.quantity)) / 2));
  return quantity > 0 ? taking(place(company, market, hour, BUY, limit, quantity)) : undefined;
}

/** The cheapest provider, glad to be rid of idle hours, gives a few to the best bid. */
function planSale(state: QuoteState, market: MarketId, hour: Hour, books: Books, random: Random): PlaceOrder | undefined {
  const cheapest = books.side(market, hour, SELL).reduce<QuoteOrder | undefined>((best, ask) => (best === undefined || ask.price < best.price ? ask : best), undefined);
  const best = books.side(market, hour, BUY).reduce<QuoteOrder | undefined>((highest, bid) => (highest === undefined || bid.price > highest.price ? bid : highest), undefined);
  if (cheapest === undefined || best === undefined || state.others(market, hour).bid >= best.price) return undefined;
  return taking(place(cheapest.company, market, hour, SELL, best.price, fewOf(best.remaining, random)));
}

const fewOf = (quantity: Steps, random: Random): Steps => Math.min(quantity, (1 + random.below(8)) * STEPS_PER_GPU_HOUR);
const taking = (order: PlaceOrder): PlaceOrder => ({ ...order, timeInForce: IOC, postOnly: false });

function levelsOf(asks: readonly QuoteOrder[]): { price: Ticks; quantity: Steps }[] {
  const levels = new Map<Ticks, Steps>();
  for (const order of asks) levels.set(order.price, (levels.get(order.price) ?? 0) + order.remaining);
  return [...levels].map(([price, quantity]) => ({ price, quantity })).sort((a, b) => a.price - b.price);
}

/** Bids are post-only: a bidder never takes. An ask may have to take, see planAsks. */
function place(company: CompanyId, market: MarketId, hour: Hour, side: Side, price: Ticks, quantity: Steps): PlaceOrder {
  return {
    type: 'place', company, market, hour, side, orderType: LIMIT, price, quantity, timeInForce: GTC, postOnly: side === BUY,
    displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: 0,
    cancelOnDisconnect: false, clientOrderId: '',
  };
}

/** Cancels of a company go first, so that what they free is there for what follows. */
function batchesOf(commands: readonly OrderCommand[]): BatchOrders[] {
  const byCompany = new Map<CompanyId, OrderCommand[]>();
  for (const command of commands) {
    const own = byCompany.get(command.company);
    if (own === undefined) byCompany.set(command.company, [command]);
    else own.push(command);
  }
  return [...byCompany].flatMap(([company, all]) => {
    const operations = [...all.filter(({ type }) => type === 'cancel'), ...all.filter(({ type }) => type !== 'cancel')];
    const batches: BatchOrders[] = [];
    for (let at = 0; at < operations.length; at += BATCH_MAX) batches.push({ type: 'batch', company, operations: operations.slice(at, at + BATCH_MAX) });
    return batches;
  });
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
