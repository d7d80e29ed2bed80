/** What an order would do to the book as it stands: fills, average and worst price, fee, hold, credit before and after. */
import type { Depth, Level } from './book.ts';
import { divideRounded, divideUp, notional } from './decimal.ts';

/** Parts per million of the notional. */
export interface FeeRates {
  taker: number;
  maker: number;
}
export const FEE_RATES: FeeRates = { taker: 5_000, maker: 2_000 };
const PPM = 1_000_000n;

export interface PreviewOrder {
  side: 'buy' | 'sell';
  type: 'limit' | 'market';
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
  const walked = order.postOnly ? { filled: 0, cost: 0n, worst: undefined } : walk(levels, order);
  const killed = order.timeInForce === 'fok' && walked.filled < order.quantity;
  const { filled, cost, worst } = killed ? { filled: 0, cost: 0n, worst: undefined } : walked;
  const rests = order.type === 'limit' && !killed && order.timeInForce !== 'ioc' && !(order.postOnly && wouldCross);
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

/** The largest quantity, in steps, that `credits` micro-CR can hold at `price` ticks with the taker's fee. */
export function affordable(credits: bigint, price: number, rates: FeeRates = FEE_RATES): number {
  if (price <= 0 || credits <= 0n) return 0;
  return Number((credits * PPM) / (BigInt(price) * (PPM + BigInt(rates.taker))));
}
