/** What a lender's part of its facilities comes to. Money in micro-USD, shares in ppm; a facility that several fund counts by one's part of it. */
import type { FacilityView } from '../../engine/queries.ts';
import { divideHalfEven, mulDiv } from '../../engine/numbers/muldiv.ts';
import { PARAMETERS } from '../../engine/parameters.ts';
import { MICRO, MILLIS_PER_DAY } from '../../engine/numbers/units.ts';

/** A facility, and the part of it that is looked at. */
export interface Holding {
  view: FacilityView;
  /** Of the commitment, in micro-USD. */
  share: number;
}

/** Of a lender; of everybody when no lender is named. */
export const holdingsOf = (views: readonly FacilityView[], lender?: number): Holding[] =>
  views.filter(({ acceptedAt }) => acceptedAt > 0).map((view) => ({
    view, share: lender === undefined ? view.amount : view.shares.reduce((sum, share) => (share.lender === lender ? sum + share.amount : sum), 0),
  }));

/** What may still be drawn or paid: of what is over nothing is committed, nor is it in a bucket. */
export const alive = (holdings: readonly Holding[]): Holding[] => holdings.filter(({ view: { state } }) => state !== 'closed' && state !== 'written_off');

/** One's part of an amount of the whole facility. */
export const partOf = ({ view, share }: Holding, amount: number): number => (share === view.amount ? amount : mulDiv(amount, share, view.amount));

export const exposureOf = ({ principal, accruedInterest, fees }: FacilityView): number => principal + accruedInterest + fees;

export const sumOf = (holdings: readonly Holding[], of: (view: FacilityView) => number): bigint => holdings.reduce((sum, holding) => sum + BigInt(partOf(holding, of(holding.view))), 0n);

export const BUCKETS = [
  { name: 'current', from: 0 }, { name: '1-30', from: 1 }, { name: '31-60', from: 31 }, { name: '61-90', from: 61 }, { name: '90+', from: 91 },
] as const;

export const inBucket = (holdings: readonly Holding[], index: number): Holding[] =>
  holdings.filter(({ view }) => view.daysPastDue >= BUCKETS[index].from && view.daysPastDue < (BUCKETS[index + 1]?.from ?? Infinity));

export const ppmOf = (part: bigint, whole: bigint): number => (whole === 0n ? 0 : Number(divideHalfEven(part * BigInt(MICRO), whole)));

export interface Slice<Key> {
  key: Key;
  outstanding: bigint;
  /** Of all that is outstanding. */
  share: number;
}

/** Outstanding principal by some property, the largest first. */
export function slices<Key extends string | number>(holdings: readonly Holding[], keyOf: (view: FacilityView) => Key): Slice<Key>[] {
  const whole = sumOf(holdings, ({ principal }) => principal);
  const keys = [...new Set(holdings.map(({ view }) => keyOf(view)))];
  return keys.map((key) => {
    const outstanding = sumOf(holdings.filter(({ view }) => keyOf(view) === key), ({ principal }) => principal);
    return { key, outstanding, share: ppmOf(outstanding, whole) };
  }).filter(({ outstanding }) => outstanding > 0n).sort((a, b) => (a.outstanding < b.outstanding ? 1 : a.outstanding > b.outstanding ? -1 : 0));
}

/** Herfindahl's index: the sum of squared shares, 1 when all is one borrower's. */
export const herfindahl = (parts: readonly Slice<unknown>[]): number => Math.round(parts.reduce((sum, { share }) => sum + (share * share) / MICRO, 0));

/** What borrowers pay in a year, weighted by what is outstanding. */
export function yieldOf(holdings: readonly Holding[], rateOf: (view: FacilityView) => number): number {
  const whole = sumOf(holdings, ({ principal }) => principal);
  const earned = holdings.reduce((sum, holding) => sum + BigInt(partOf(holding, holding.view.principal)) * BigInt(rateOf(holding.view)), 0n);
  return whole === 0n ? 0 : Number(divideHalfEven(earned, whole));
}

/** What a lender's part of a facility earns in a year, of everybody's when no lender is named: its mandates' rates, weighted by what each gives. */
export function lendersRateOf({ shares }: FacilityView, rateOf: (mandate: number) => number, lender?: number): number {
  const own = shares.filter((share) => lender === undefined || share.lender === lender);
  const given = own.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
  const earned = own.reduce((sum, { mandate, amount }) => sum + BigInt(amount) * BigInt(rateOf(mandate)), 0n);
  return given === 0n ? 0 : Number(divideHalfEven(earned, given));
}

export interface Returns {
  /** Such as 2027-01. */
  month: string;
  capital: bigint;
  interest: bigint;
}

const monthOf = (day: number): string => new Date(day * MILLIS_PER_DAY).toISOString().slice(0, 7);

/**
 * What instalments that are left would bring back, by the month in which they fall due: one's part of their principal as far as it is not the
 * origination fee, which is paid last, and of their interest at one's mandates' rates. What is past due stands in the first month.
 */
export function returnsOf(holdings: readonly Holding[], rateOf: (mandate: number) => number): Returns[] {
  const months = new Map<string, Returns>();
  for (const holding of holdings) {
    const { view } = holding;
    let left = Math.max(0, view.drawn - view.repaidPrincipal);
    for (const { due, principal, interest } of view.schedule) {
      const month = monthOf(due);
      const sums = months.get(month) ?? { month, capital: 0n, interest: 0n };
      const repaid = Math.min(left, principal);
      left -= repaid;
      sums.capital += BigInt(partOf(holding, repaid));
      for (const share of view.shares) {
        const rate = view.annualRate === 0 ? 0 : rateOf(share.mandate);
        if (rate > 0) sums.interest += (BigInt(interest) * BigInt(rate) * BigInt(share.amount)) / (BigInt(view.annualRate) * BigInt(view.amount));
      }
      months.set(month, sums);
    }
  }
  return [...months.values()].sort((a, b) => (a.month < b.month ? -1 : 1));
}

export interface StressCell {
  /** ppm. */
  priceFall: number;
  defaultRate: number;
  loss: bigint;
  /** Of the exposure. */
  lossShare: number;
}
export interface Stress {
  exposure: bigint;
  cells: StressCell[];
}

/**
 * What would be lost if prices of hours fell and borrowers defaulted. Hours lose their value with the price; credit that is
 * unspent does not, for the money that bought it lies in escrow. Of a facility that defaults, what is owed beyond both is lost,
 * at least 5 % of it (the floor of CREDIT.md's loss given default); each defaults with the same probability.
 */
export function stress(holdings: readonly Holding[], priceFalls: readonly number[], defaultRates: readonly number[]): Stress {
  const exposure = sumOf(holdings, exposureOf);
  const cells = priceFalls.flatMap((priceFall) => {
    const lost = sumOf(holdings, (view) => lossIfDefaulted(view, priceFall));
    return defaultRates.map((defaultRate): StressCell => {
      const loss = divideHalfEven(lost * BigInt(defaultRate), BigInt(MICRO));
      return { priceFall, defaultRate, loss, lossShare: ppmOf(loss, exposure) };
    });
  });
  return { exposure, cells };
}

function lossIfDefaulted(view: FacilityView, priceFall: number): number {
  const owed = exposureOf(view);
  const collateral = view.unspentCost + mulDiv(Math.max(0, view.hoursValue), MICRO - priceFall, MICRO);
  return Math.max(owed - collateral, mulDiv(owed, PARAMETERS.lossShareLeast, MICRO));
}
