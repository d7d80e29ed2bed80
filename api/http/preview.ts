/** What an order would do to the market as it stands: fills, fees, hold, and what a GPU-hour costs all in. */
import type { RejectCode } from '../../engine/catalogue.ts';
import { BUY, CANCEL_OLDEST, DECREMENT, FOK, IOC, MARKET, NONE, SELL, STOP, STOP_LIMIT } from '../../engine/vocabulary.ts';
import type { PlaceOrder } from '../../engine/commands.ts';
import { divideHalfEven } from '../../engine/numbers/muldiv.ts';
import { PARAMETERS } from '../../engine/parameters.ts';
import type { FacilityView, LotView } from '../../engine/queries.ts';
import { MICRO, MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';

/** An order that stands opposite: what is hidden of it executes too. */
export interface Maker {
  price: number;
  /** Steps. */
  quantity: number;
  /** What it executes before those behind it at its price. */
  slice: number;
  /** Of its first execution; 0 when it has none, or has had it. */
  minimum: number;
  /** Of the same owner as the order. */
  own: boolean;
}

/** The market that the order would meet. */
export interface Opposite {
  /** By price, then time. */
  makers: readonly Maker[];
  /** Whether orders collect for an uncross. */
  calls: boolean;
  /** Of the last trade; 0 when there is none. */
  lastPrice: number;
}

export interface Walk {
  /** Steps, ticks and micro-CR of what would trade at once. */
  filled: number;
  notional: bigint;
  worst: number;
  /** Steps that would stay in the book, or wait for their trigger. */
  resting: number;
  refusal: RejectCode | undefined;
}

type Execution = Pick<Walk, 'filled' | 'notional' | 'worst'> & {
  /** Steps that an own order would leave of what has not executed. */
  left: number;
  /** Whether an own order stands within the limit. */
  meetsOwn: boolean;
};

const isStop = ({ orderType }: PlaceOrder): boolean => orderType === STOP || orderType === STOP_LIMIT;
const reaches = (order: PlaceOrder, price: number): boolean => order.price === NONE || (order.side === BUY ? price <= order.price : price >= order.price);

/** What the order would execute of what it meets, as long as less than `wanted` has. */
function execute(order: PlaceOrder, makers: readonly Maker[], wanted: number): Execution {
  const found: Execution = { filled: 0, notional: 0n, worst: 0, left: order.quantity, meetsOwn: false };
  const take = (price: number, quantity: number): void => {
    found.filled += quantity;
    found.left -= quantity;
    found.notional += BigInt(price) * BigInt(quantity);
    if (quantity > 0) found.worst = price;
  };
  // What the icebergs of a price hide comes behind all that stands there.
  let hidden = { price: 0, quantity: 0 };
  for (const { price, quantity, slice, minimum, own } of makers) {
    if (price !== hidden.price) {
      take(hidden.price, Math.min(hidden.quantity, found.left));
      hidden = { price, quantity: 0 };
    }
    if (found.left === 0 || found.filled >= wanted || !reaches(order, price)) return found;
    const most = Math.min(found.left, quantity);
    if (own) {
      found.meetsOwn = true;
      if (order.selfTradePrevention === CANCEL_OLDEST) continue;
      if (order.selfTradePrevention !== DECREMENT) return { ...found, left: 0 };
      found.left -= most;
    } else if (most >= minimum) {
      take(price, Math.min(found.left, slice));
      hidden.quantity += quantity - slice;
    }
  }
  take(hidden.price, Math.min(hidden.quantity, found.left));
  return found;
}

const NOTHING = { filled: 0, notional: 0n, worst: 0, resting: 0, refusal: undefined };

/** What the order would do now, by the rules of the matcher. */
export function walk(order: PlaceOrder, { makers, calls, lastPrice }: Opposite): Walk {
  const rests = order.orderType !== MARKET && order.timeInForce < IOC;
  const isMet = lastPrice > 0 && (order.side === BUY ? lastPrice >= order.stopPrice : lastPrice <= order.stopPrice);
  if (isStop(order) && (calls || !isMet)) return { ...NOTHING, resting: order.quantity };
  if (calls) return { ...NOTHING, resting: order.timeInForce < IOC ? order.quantity : 0 };
  if (order.postOnly && execute(order, makers, 1).filled > 0) return { ...NOTHING, refusal: 'post_only_would_cross' };
  const least = execute(order, makers, Math.max(1, order.minimumQuantity));
  if (least.filled < order.minimumQuantity && (least.filled > 0 || !rests)) {
    // A stop that was let in can be refused no more.
    if (isStop(order)) return { ...NOTHING, resting: rests && order.orderType === STOP_LIMIT ? order.quantity : 0 };
    return { ...NOTHING, refusal: least.meetsOwn ? 'self_trade' : 'minimum_quantity' };
  }
  const { filled, notional, worst, left } = execute(order, makers, order.quantity);
  if (order.timeInForce === FOK && filled < order.quantity) return NOTHING;
  return { filled, notional, worst, resting: rests && order.orderType !== STOP ? left : 0, refusal: undefined };
}

const ceilDivide = (numerator: bigint, denominator: bigint): bigint => (numerator + denominator - 1n) / denominator;
const feeOf = (notional: bigint, rate: number): bigint => divideHalfEven(notional * BigInt(rate), BigInt(MICRO));

/** Micro-CR that a buyer pays, and reserves for what rests at `limit`; zero for a seller. */
export function costOf(order: Pick<PlaceOrder, 'side'>, { notional, resting }: Walk, limit: number): { fee: bigint; hold: bigint } {
  if (order.side === SELL) return { fee: 0n, hold: 0n };
  const rest = BigInt(Math.max(limit, 0)) * BigInt(resting);
  return { fee: feeOf(notional, PARAMETERS.takerFee), hold: rest + ceilDivide(rest * BigInt(PARAMETERS.takerFee), BigInt(MICRO)) };
}

/**
 * USD that `credits` micro-CR cost the company: what it paid for the lots they would come from, in the
 * order in which they would be taken, with origination fee and interest until delivery (ACT/365).
 * @returns micro-USD, how much of it is interest, and how many of the credits the lots cover
 */
export function usdOf(credits: bigint, lots: readonly LotView[], facilities: readonly FacilityView[], until: { now: number; hour: number }): { usd: bigint; interest: bigint; covered: bigint } {
  const days = BigInt(Math.max(0, Math.ceil((until.hour * MILLIS_PER_HOUR - until.now) / MILLIS_PER_DAY)));
  let left = credits;
  let usd = 0n;
  let interest = 0n;
  for (const lot of [...lots].sort((a, b) => a.expiresAt - b.expiresAt || a.lot - b.lot)) {
    const open = BigInt(Math.max(0, lot.available - Math.min(lot.frozen, lot.available)));
    const taken = open < left ? open : left;
    if (taken === 0n) continue;
    const cost = divideHalfEven(taken * BigInt(lot.usd), BigInt(lot.minted));
    const facility = facilities.find((candidate) => candidate.facility === lot.facility);
    const fee = facility === undefined ? 0n : divideHalfEven(cost * BigInt(facility.originationFee), BigInt(MICRO));
    const accrued = facility === undefined ? 0n : divideHalfEven((cost + fee) * BigInt(facility.annualRate) * days, BigInt(MICRO) * 365n);
    usd += cost + fee + accrued;
    interest += accrued;
    left -= taken;
  }
  return { usd, interest, covered: credits - left };
}
