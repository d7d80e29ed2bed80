/**
 * Annual percentage rates, on money advanced and paid and never on the face value of credits.
 *
 * `us`: 12 CFR 1026 appendix J, actuarial: the rate i of a unit-period that solves
 * sum A_k / ((1 + e_k i)(1 + i)^q_k) = sum P_j / ((1 + f_j i)(1 + i)^t_j), times unit-periods per year.
 * `eu`: 2008/48/EC annex I, effective: the X that solves sum C_k (1 + X)^-t_k = sum D_l (1 + X)^-s_l,
 * t in years of 365 days, 52 weeks or 12 equal months (30.41666 days), months counted back from the later date.
 */
import type { Decimal } from 'decimal.js';
import type { Day } from '../numbers/units.ts';
import { Exact, ONE, ZERO } from './exact.ts';
import { dayOfMonthOf, elapsedUnits, monthsBack, unitPeriodOf, wholeMonths } from './unit_periods.ts';

export const APR_METHODS = ['us', 'eu'] as const;
export type AprMethod = (typeof APR_METHODS)[number];

/** Money on a day, in whole cents. */
export interface CashFlow {
  on: Day;
  amount: number;
}

/** No rate solves the equation: nothing is paid back, or in no time. */
export class AprError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AprError';
  }
}

/** The yearly rate as a fraction. @throws AprError when there is none */
export function annualPercentageRate(method: AprMethod, advances: readonly CashFlow[], payments: readonly CashFlow[]): Decimal {
  const lent = merged(advances);
  const repaid = merged(payments);
  if (lent.length === 0 || repaid.length === 0) throw new AprError('an advance and a payment are needed');
  if (repaid[0].on < lent[0].on) throw new AprError('a payment precedes the first advance');
  if (repaid[repaid.length - 1].on === lent[0].on) return withoutTime(lent, repaid);
  return method === 'us' ? actuarial(lent, repaid) : effective(lent, repaid);
}

/** Everything is paid on the day of the first advance: as much as was lent costs nothing, and no rate makes up for a difference. */
function withoutTime(lent: readonly CashFlow[], repaid: readonly CashFlow[]): Decimal {
  if (lent.length === 1 && lent[0].amount === repaid[0].amount) return ZERO;
  throw new AprError('everything is paid on the day of the first advance');
}

/** In order of time, one flow a day. */
function merged(flows: readonly CashFlow[]): CashFlow[] {
  const byDay = new Map<Day, number>();
  for (const { on, amount } of flows) byDay.set(on, (byDay.get(on) ?? 0) + amount);
  return [...byDay].map(([on, amount]) => ({ on, amount })).sort((a, b) => a.on - b.on);
}

/**
 * What a rate makes of the flows, exactly and in binary: advances count positive, payments negative; it
 * falls as the rate rises from the solution down. The binary one finds the rate, the exact one has the last word.
 */
interface Balance {
  exact(rate: Decimal): Decimal;
  binary(rate: number): number;
}

interface Term {
  amount: number;
  /** Whole periods, and the fraction that is charged simple (us) or compounded as days (eu). */
  full: number;
  fraction: Decimal;
}

function actuarial(advances: readonly CashFlow[], payments: readonly CashFlow[]): Decimal {
  const dates = payments.map(({ on }) => on);
  const unit = unitPeriodOf(advances.map(({ on }) => on), dates);
  const dayOfMonth = dayOfMonthOf(dates);
  const start = advances[0].on;
  const terms = signed(advances, payments).map(({ on, amount }): Term => ({ amount, ...elapsedUnits(unit, start, on, dayOfMonth) }));
  const parts = terms.map(({ fraction }) => fraction.toNumber());
  return solve({
    exact(rate) {
      const discount = powers(ONE.div(rate.plus(1)));
      return terms.reduce((sum, { amount, full, fraction }) => {
        const present = discount(full).times(amount);
        return sum.plus(fraction.isZero() ? present : present.div(fraction.times(rate).plus(1)));
      }, ZERO);
    },
    binary: (rate) => terms.reduce((sum, { amount, full }, index) => sum + (amount * (1 + rate) ** -full) / (1 + parts[index] * rate), 0),
  }).times(unit.perYear);
}

function effective(advances: readonly CashFlow[], payments: readonly CashFlow[]): Decimal {
  const flows = signed(advances, payments);
  const { perYear, elapsed } = europeanTime(advances[0].on, flows.map(({ on }) => on), payments.map(({ on }) => on));
  const terms = flows.map(({ on, amount }) => ({ amount, ...elapsed(on) }));
  return solve({
    exact(rate) {
      const logarithm = rate.plus(1).ln().negated();
      const byPeriod = powers(logarithm.div(perYear).exp());
      const byDay = powers(logarithm.div(YEAR_DAYS).exp());
      return terms.reduce((sum, { amount, full, rest }) => sum.plus(byPeriod(full).times(byDay(rest)).times(amount)), ZERO);
    },
    binary: (rate) => terms.reduce((sum, { amount, full, rest }) => sum + amount * (1 + rate) ** -(full / perYear + rest / YEAR_DAYS), 0),
  });
}

const YEAR_DAYS = 365;
const YEAR_WEEKS = 52;
const YEAR_MONTHS = 12;

interface EuropeanTime {
  perYear: number;
  /** Whole periods back from a day, and the days from the start to where they begin. */
  elapsed(on: Day): { full: number; rest: number };
}

/** Remark (c): of payments that recur every so many weeks, and not months, intervals are weeks, of which a year has 52; else months and days. */
function europeanTime(start: Day, dates: readonly Day[], payments: readonly Day[]): EuropeanTime {
  const dayOfMonth = dayOfMonthOf(payments);
  const weekly = payments.length > 1 && dates.every((on) => (on - start) % 7 === 0);
  const monthly = dates.every((on) => wholeMonths(start, on, dayOfMonth) !== undefined);
  if (weekly && !monthly) return { perYear: YEAR_WEEKS, elapsed: (on) => ({ full: (on - start) / 7, rest: 0 }) };
  return { perYear: YEAR_MONTHS, elapsed: (on) => monthsBack(start, on, dayOfMonth) };
}

/** In order of time, so that each power of a discount follows from the one before. */
const signed = (advances: readonly CashFlow[], payments: readonly CashFlow[]): CashFlow[] =>
  [...advances, ...payments.map(({ on, amount }) => ({ on, amount: -amount }))].sort((a, b) => a.on - b.on);

/** Powers of one base; of exponents that grow slowly each is a product with the one before. */
function powers(base: Decimal): (exponent: number) => Decimal {
  let known = ONE;
  let reached = 0;
  return (exponent) => {
    const step = exponent - reached;
    if (step !== 0) known = step === 1 ? known.times(base) : step > 0 ? known.times(base.pow(step)) : base.pow(exponent);
    reached = exponent;
    return known;
  };
}

const RATE_LEAST = -0.99;
/** Of a unit-period or a year; a tenth for a day comes to 1e15 a year. */
const RATE_MOST = 1e30;
const STEPS_MOST = 200;
/** Of the rate: where binary search ends, and the distance over which the slope is measured. */
const CLOSE = 1e-12;
const NUDGE = 1e-6;

/** The rate at which the balance is zero. @throws AprError when there is none */
function solve(balance: Balance): Decimal {
  const atZero = balance.binary(0);
  if (atZero === 0) return ZERO;
  const near = close(balance, ...bracket(balance, atZero));
  const width = Math.max(Math.abs(near), NUDGE) * NUDGE;
  const slope = (balance.binary(near + width) - balance.binary(near - width)) / (2 * width);
  // One step of Newton's method doubles the digits that are right.
  const rate = new Exact(near);
  return slope === 0 ? rate : rate.minus(balance.exact(rate).div(slope));
}

/** Two rates between which the balance changes its sign. */
function bracket(balance: Balance, atZero: number): [low: number, high: number] {
  // Paid back more than was lent: the rate is positive, and growing steps find a bound.
  if (atZero < 0) {
    for (let low = 0, high = 0.05; high <= RATE_MOST; low = high, high *= 4) if (balance.binary(high) >= 0) return [low, high];
  } else if (balance.binary(RATE_LEAST) < 0) {
    return [RATE_LEAST, 0];
  }
  throw new AprError('no rate solves the equation');
}

/** Narrows the bracket by the false position (Illinois). */
function close({ binary }: Balance, from: number, to: number): number {
  let [low, high] = [from, to];
  let [atLow, atHigh] = [binary(low), binary(high)];
  let kept = 0;
  for (let step = 0; step < STEPS_MOST && high - low > CLOSE * Math.max(Math.abs(high), CLOSE); step++) {
    const middle = high - (atHigh * (high - low)) / (atHigh - atLow);
    if (middle <= low || middle >= high) break;
    const value = binary(middle);
    if (value === 0) return middle;
    if (value < 0) {
      [low, atLow] = [middle, value];
      if (kept < 0) atHigh /= 2;
      kept = -1;
    } else {
      [high, atHigh] = [middle, value];
      if (kept > 0) atLow /= 2;
      kept = 1;
    }
  }
  return Math.abs(atLow) < Math.abs(atHigh) ? low : high;
}
