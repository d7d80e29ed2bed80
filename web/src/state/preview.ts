/** What an order would do to the book as it stands: fills, average and worst price, fee, hold, credit before and after. */
import type { Depth, Level } from './book.ts';
import { divideRounded, divideUp, notional, parseScaled, PRICE_PLACES, rescale, toMicro, toSteps, toTicks } from './decimal.ts';
import type { OrderPreview } from './wire.ts';

/** Parts per million of the notional. */
export interface FeeRates {
  taker: number;
  maker: number;
}
const FEE_RATES: FeeRates = { taker: 5_000, maker: 2_000 };
const PPM = 1_000_000n;

export interface PreviewOrder {
  side: 'buy' | 'sell';
  type: 'limit' | 'market' | 'stop' | 'stop_limit';
  /** Ticks: the limit, or the protection of a market order; undefined: none. */
  price: number | undefined;
  /** Steps. */
  quantity: number;
  timeInForce: 'gtc' | 'gtd' | 'ioc' | 'fok';
  postOnly: boolean;
}

export interface Preview {
  /** Steps that would trade at once, and what would stay in the book. */
  filled: number;
  resting: number;
  /** Ticks; undefined when nothing trades. */
  averagePrice: number | undefined;
  worstPrice: number | undefined;
  /** Ticks between the average and the best price. */
  slippage: number | undefined;
  /** Micro-CR. */
  cost: bigint;
  fee: bigint;
  /** What a bid takes out of available credit: what it pays now, and the hold of what rests. */
  reserved: bigint;
  wouldCross: boolean;
}

const reaches = (order: PreviewOrder, level: Level): boolean =>
  order.price === undefined || (order.side === 'buy' ? level.price <= order.price : level.price >= order.price);

function walk(levels: readonly Level[], order: PreviewOrder): { filled: number; cost: bigint; worst: number | undefined } {
  let filled = 0;
  let cost = 0n;
  let worst: number | undefined;
  for (const level of levels) {
    if (filled === order.quantity || !reaches(order, level)) break;
    const quantity = Math.min(level.quantity, order.quantity - filled);
    filled += quantity;
    cost += notional(level.price, quantity);
    worst = level.price;
  }
  return { filled, cost, worst };
}

export function previewOrder(depth: Depth, order: PreviewOrder, rates: FeeRates = FEE_RATES): Preview {
  const levels = order.side === 'buy' ? depth.asks : depth.bids;
  const wouldCross = levels.length > 0 && reaches(order, levels[0]);
  const waits = order.type === 'stop' || order.type === 'stop_limit';
  const walked = order.postOnly || waits ? { filled: 0, cost: 0n, worst: undefined } : walk(levels, order);
  const killed = order.timeInForce === 'fok' && walked.filled < order.quantity;
  const { filled, cost, worst } = killed ? { filled: 0, cost: 0n, worst: undefined } : walked;
  const rests = waits || (order.type === 'limit' && !killed && order.timeInForce !== 'ioc' && !(order.postOnly && wouldCross));
  const resting = rests ? order.quantity - filled : 0;
  const fee = divideRounded(cost * BigInt(rates.taker), PPM);
  const restingNotional = notional(order.price ?? 0, resting);
  const hold = restingNotional + divideUp(restingNotional * BigInt(rates.taker), PPM);
  const averagePrice = filled === 0 ? undefined : Number(divideRounded(cost, BigInt(filled)));
  return {
    filled,
    resting,
    averagePrice,
    worstPrice: worst,
    slippage: averagePrice === undefined ? undefined : Math.abs(averagePrice - levels[0].price),
    cost,
    fee,
    reserved: order.side === 'buy' ? cost + fee + hold : 0n,
    wouldCross,
  };
}

/** The best opposite price of one hour, in ticks, and how many steps stand at it. */
export interface HourQuote {
  price: number;
  quantity: number;
}
export interface BlockOrder {
  side: 'buy' | 'sell';
  /** Ticks, average over all hours at most (buy) or at least (sell). */
  price: number;
  /** Steps in each hour. */
  quantity: number;
  hours: number;
  timeInForce: 'gtc' | 'gtd' | 'ioc' | 'fok';
}

/**
 * What a block would do to the best quotes of its hours: it trades when each of them has the quantity and their average is
 * within its price. Deeper levels are not on the curve, so this is the least it can hope for.
 */
export function previewBlock(quotes: readonly HourQuote[], order: BlockOrder, rates: FeeRates = FEE_RATES): Preview {
  const steps = order.quantity * order.hours;
  const covered = quotes.length === order.hours && quotes.every((quote) => quote.quantity >= order.quantity);
  const sum = quotes.reduce((total, quote) => total + quote.price, 0);
  const within = order.side === 'buy' ? sum <= order.price * order.hours : sum >= order.price * order.hours;
  const trades = covered && within;
  const cost = trades ? notional(sum, order.quantity) : 0n;
  const fee = divideRounded(cost * BigInt(rates.taker), PPM);
  const rests = !trades && order.timeInForce === 'gtc';
  const worst = notional(order.price, rests ? steps : 0);
  const prices = quotes.map((quote) => quote.price);
  return {
    filled: trades ? steps : 0,
    resting: rests ? steps : 0,
    averagePrice: trades ? Math.round(sum / order.hours) : undefined,
    worstPrice: trades ? (order.side === 'buy' ? Math.max(...prices) : Math.min(...prices)) : undefined,
    slippage: trades ? 0 : undefined,
    cost,
    fee,
    reserved: order.side === 'buy' ? cost + fee + worst + divideUp(worst * BigInt(rates.taker), PPM) : 0n,
    wouldCross: trades,
  };
}

/** What the exchange foresees of a block, which knows the books behind the best quotes. */
export type ForeseenBlock = Pick<Preview, 'filled' | 'resting' | 'averagePrice' | 'worstPrice' | 'slippage' | 'cost' | 'fee' | 'reserved'>;
type BlockAnswer = Pick<OrderPreview, 'average_price' | 'worst_price' | 'filled_quantity' | 'resting_quantity' | 'notional' | 'fee' | 'credits_before' | 'credits_after'>;
/** An average has more places than a price. */
const AVERAGE_PLACES = 8;
/** @param quotes the best of each hour that has one */
export function foreseenBlock(answer: BlockAnswer, quotes: readonly HourQuote[]): ForeseenBlock {
  const averagePrice = answer.average_price === null ? undefined : Number(rescale(parseScaled(answer.average_price, AVERAGE_PLACES) ?? 0n, AVERAGE_PLACES, PRICE_PLACES));
  const best = Math.round(quotes.reduce((sum, quote) => sum + quote.price, 0) / quotes.length);
  return {
    filled: toSteps(answer.filled_quantity),
    resting: toSteps(answer.resting_quantity),
    averagePrice,
    worstPrice: answer.worst_price === null ? undefined : toTicks(answer.worst_price),
    slippage: averagePrice === undefined || quotes.length === 0 ? undefined : Math.abs(averagePrice - best),
    cost: toMicro(answer.notional),
    fee: toMicro(answer.fee),
    reserved: toMicro(answer.credits_before) - toMicro(answer.credits_after),
  };
}

/** What a resale brings: it gives credit back, up to what the hours cost; what is above is paid out in dollars once they are delivered. Micro-CR. */
export interface Resale {
  fee: bigint;
  back: bigint;
  above: bigint;
}
/** @param paid ticks of the allocation; @param price ticks of what would rest */
export function previewResale({ filled, resting, cost }: Pick<Preview, 'filled' | 'resting' | 'cost'>, paid: number, price: number, rates: FeeRates = FEE_RATES): Resale {
  const parts = [{ value: cost, steps: filled, rate: rates.taker }, { value: notional(price, resting), steps: resting, rate: rates.maker }];
  return parts.reduce<Resale>((sum, { value, steps, rate }) => {
    const owned = notional(paid, steps);
    const base = value < owned ? value : owned;
    const fee = divideRounded(base * BigInt(rate), PPM);
    return { fee: sum.fee + fee, back: sum.back + base - fee, above: sum.above + value - base };
  }, { fee: 0n, back: 0n, above: 0n });
}

/** The largest quantity, in steps, that `credits` micro-CR can hold at `price` ticks with the taker's fee. */
export function affordable(credits: bigint, price: number, rates: FeeRates = FEE_RATES): number {
  if (price <= 0 || credits <= 0n) return 0;
  return Number((credits * PPM) / (BigInt(price) * (PPM + BigInt(rates.taker))));
}
