/** What an order would do to the market as it stands: fills, fees, hold, and what a GPU-hour costs all in. */
import { BUY, IOC, FOK, MARKET, NONE, SELL, STOP, STOP_LIMIT } from '../../engine/commands.ts';
import type { PlaceOrder } from '../../engine/commands.ts';
import { PARAMETERS } from '../../engine/parameters.ts';
import type { FacilityView, LotView } from '../../engine/queries.ts';
import { MICRO, MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { divideHalfEven } from './wire/order_wire.ts';

export interface Level {
  price: number;
  quantity: number;
}

export interface Walk {
  /** Steps, ticks and micro-CR of what would trade at once. */
  filled: number;
  notional: bigint;
  worst: number;
  /** Steps that would stay in the book. */
  resting: number;
}

const reaches = (order: PlaceOrder, level: Level): boolean => order.price === NONE || (order.side === BUY ? level.price <= order.price : level.price >= order.price);

/** @param levels of the other side, best first */
export function walk(order: PlaceOrder, levels: readonly Level[]): Walk {
  const waits = order.orderType === STOP || order.orderType === STOP_LIMIT;
  let filled = 0;
  let notional = 0n;
  let worst = 0;
  for (const level of waits || order.postOnly ? [] : levels) {
    if (filled === order.quantity || !reaches(order, level)) break;
    const quantity = Math.min(level.quantity, order.quantity - filled);
    filled += quantity;
    notional += BigInt(level.price) * BigInt(quantity);
    worst = level.price;
  }
  if (order.timeInForce === FOK && filled < order.quantity) return { filled: 0, notional: 0n, worst: 0, resting: 0 };
  const rests = waits || (order.orderType !== MARKET && order.timeInForce < IOC);
  return { filled, notional, worst, resting: rests ? order.quantity - filled : 0 };
}

const ceilDivide = (numerator: bigint, denominator: bigint): bigint => (numerator + denominator - 1n) / denominator;
const feeOf = (notional: bigint, rate: number): bigint => divideHalfEven(notional * BigInt(rate), BigInt(MICRO));

/** Micro-CR that a buyer pays and reserves; zero for a seller. */
export function costOf(order: PlaceOrder, { notional, resting }: Walk): { fee: bigint; hold: bigint } {
  if (order.side === SELL) return { fee: 0n, hold: 0n };
  const rest = BigInt(Math.max(order.price, 0)) * BigInt(resting);
  return { fee: feeOf(notional, PARAMETERS.takerFee), hold: rest + ceilDivide(rest * BigInt(PARAMETERS.takerFee), BigInt(MICRO)) };
}

/** Of a post-only order: whether it would trade with what it meets. */
export const wouldCross = (order: PlaceOrder, bestOpposite: number | undefined): boolean => bestOpposite !== undefined && reaches(order, { price: bestOpposite, quantity: 0 });

/**
 * USD that `credits` micro-CR cost the company: what it paid for the lots they would come from, in the
 * order in which they would be taken, with origination fee and interest until delivery (ACT/365).
 * @returns micro-USD, and how many of the credits the lots cover
 */
export function usdOf(credits: bigint, lots: readonly LotView[], facilities: readonly FacilityView[], until: { now: number; hour: number }): { usd: bigint; covered: bigint } {
  const days = BigInt(Math.max(0, Math.ceil((until.hour * MILLIS_PER_HOUR - until.now) / MILLIS_PER_DAY)));
  let left = credits;
  let usd = 0n;
  for (const lot of [...lots].sort((a, b) => a.expiresAt - b.expiresAt || a.lot - b.lot)) {
    const open = BigInt(Math.max(0, lot.available - Math.min(lot.frozen, lot.available)));
    const taken = open < left ? open : left;
    if (taken === 0n) continue;
    const cost = divideHalfEven(taken * BigInt(lot.usd), BigInt(lot.minted));
    usd += cost + financingOf(cost, facilities.find((facility) => facility.facility === lot.facility), days);
    left -= taken;
  }
  return { usd, covered: credits - left };
}

function financingOf(cost: bigint, facility: FacilityView | undefined, days: bigint): bigint {
  if (facility === undefined) return 0n;
  const fee = divideHalfEven(cost * BigInt(facility.originationFee), BigInt(MICRO));
  return fee + divideHalfEven((cost + fee) * BigInt(facility.annualRate) * days, BigInt(MICRO) * 365n);
}
