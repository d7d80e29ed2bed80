/** What an order would do to the market as it stands: fills, fees, hold, and what a GPU-hour costs all in. */
import { BUY, IOC, FOK, MARKET, NONE, SELL, STOP, STOP_LIMIT } from '../../engine/commands.ts';
import type { PlaceOrder } from '../../engine/commands.ts';
import type { RejectCode } from '../../engine/catalogue.ts';
import { PARAMETERS } from '../../engine/parameters.ts';
import type { FacilityView, LotView } from '../../engine/queries.ts';
import { MICRO, MILLIS_PER_DAY, MILLIS_PER_HOUR, NOTIONAL_MICRO_MAX, NOT_A_MULTIPLE, OUT_OF_RANGE } from '../../engine/units.ts';
import { divideHalfEven } from './order_wire.ts';

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

export interface MarketFacts {
  mode: string;
  /** The hour's phase; undefined when there is no such instrument. */
  phase: string | undefined;
  listPrice: number;
  bestOpposite: number | undefined;
  /** Micro-CR the company can spend. */
  spendable: number;
}

/** The reason that can be foreseen without the engine, in its order of precedence; null when there is none. */
export function foreseenRefusal(order: PlaceOrder, facts: MarketFacts, needed: bigint): RejectCode | null {
  if (facts.mode === 'halted' || facts.mode === 'cancel_only') return facts.mode;
  if (facts.phase === undefined || facts.phase === 'scheduled') return 'instrument_unknown';
  if (facts.phase === 'closed') return 'gate_closed';
  if (order.stopPrice === NOT_A_MULTIPLE || (order.price === NOT_A_MULTIPLE && order.orderType !== MARKET && order.orderType !== STOP)) return 'invalid_tick';
  if ([order.quantity, order.displayQuantity, order.minimumQuantity].includes(NOT_A_MULTIPLE)) return 'invalid_step';
  const outside = [order.price, order.quantity, order.displayQuantity, order.minimumQuantity, order.stopPrice].includes(OUT_OF_RANGE);
  if (outside || order.price === 0 || order.quantity === 0 || order.price * order.quantity > NOTIONAL_MICRO_MAX) return 'amount_out_of_range';
  if (order.side === SELL && order.price > facts.listPrice) return 'above_list_price';
  if (order.side === BUY && needed > BigInt(facts.spendable)) return 'insufficient_credits';
  const crosses = facts.bestOpposite !== undefined && reaches(order, { price: facts.bestOpposite, quantity: 0 });
  return order.postOnly && crosses ? 'post_only_would_cross' : null;
}

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
