/**
 * Annual percentage rates, on money advanced and paid and never on the face value of credits.
 *
 * `us`: 12 CFR 1026 appendix J, actuarial: the rate i of a unit-period that solves
 * sum A_k / ((1 + e_k i)(1 + i)^q_k) = sum P_j / ((1 + f_j i)(1 + i)^t_j), times unit-periods per year.
 * `eu`: 2008/48/EC annex I, effective: the X that solves sum C_k (1 + X)^-t_k = sum D_l (1 + X)^-s_l,
 * t in years of 365 days or 12 equal months (30.41666 days), months counted back from the later date.
 */
import type { Decimal } from 'decimal.js';
import type { Day } from '../units.ts';
import { Exact, ONE, ZERO } from './exact.ts';
import { areMonthEnds, elapsedUnits, monthsBack, unitPeriodOf } from './unit_periods.ts';

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
  if (repaid[repaid.length - 1].on === lent[0].on) throw new AprError('everything is paid on the day of the first advance');
  return method === 'us' ? actuarial(lent, repaid) : effective(lent, repaid);
}

/** In order of time, one flow a day. */
function merged(flows: readonly CashFlow[]): CashFlow[] {
  const byDay = new Map<Day, number>();
  for (const { on, amount } of flows) byDay.set(on, (byDay.get(on) ?? 0) + amount);
  return [...byDay].map(([on, amount]) => ({ on, amount })).sort((a, b) => a.on - b.on);
}

/** What a rate makes of the flows: advances count positive, payments negative; falls as the rate rises from the solution down. */
type Balance = (rate: Decimal) => Decimal;

interface Term {
  amount: number;
  /** Whole periods, and the fraction that is charged simple (us) or compounded as days (eu). */
  full: number;
  fraction: Decimal;
}

function actuarial(advances: readonly CashFlow[], payments: readonly CashFlow[]): Decimal {
  const dates = payments.map(({ on }) => on);
  const unit = unitPeriodOf(advances.map(({ on }) => on), dates);
  const monthEnds = areMonthEnds(dates);
  const start = advances[0].on;
  const terms = signed(advances, payments).map(({ on, amount }): Term => ({ amount, ...elapsedUnits(unit, start, on, monthEnds) }));
  const balance: Balance = (rate) => {
    const discount = powers(ONE.div(rate.plus(1)));
    return terms.reduce((sum, { amount, full, fraction }) => {
      const present = discount(full).times(amount);
      return sum.plus(fraction.isZero() ? present : present.div(fraction.times(rate).plus(1)));
    }, ZERO);
  };
  return solve(balance).times(unit.perYear);
}

function effective(advances: readonly CashFlow[], payments: readonly CashFlow[]): Decimal {
  const monthEnds = areMonthEnds(payments.map(({ on }) => on));
  const start = advances[0].on;
  const terms = signed(advances, payments).map(({ on, amount }) => ({ amount, ...monthsBack(start, on, monthEnds) }));
  const balance: Balance = (rate) => {
    const logarithm = rate.plus(1).ln().negated();
    const byMonth = powers(logarithm.div(12).exp());
    const byDay = powers(logarithm.div(365).exp());
    return terms.reduce((sum, { amount, full, rest }) => sum.plus(byMonth(full).times(byDay(rest)).times(amount)), ZERO);
  };
  return solve(balance);
}

const signed = (advances: readonly CashFlow[], payments: readonly CashFlow[]): CashFlow[] => [
  ...advances,
  ...payments.map(({ on, amount }) => ({ on, amount: -amount })),
];

/** Powers of one base, each computed once and from the one before. */
function powers(base: Decimal): (exponent: number) => Decimal {
  const known = [ONE];
  return (exponent) => {
    while (known.length <= exponent) known.push(known[known.length - 1].times(base));
    return known[exponent];
  };
}

const RATE_LEAST = new Exact('-0.99');
const RATE_MOST = new Exact('1e6');
const PRECISION = new Exact('1e-16');
const STEPS_MOST = 200;

/** The rate at which the balance is zero, between bounds that the false position narrows (Illinois). */
function solve(balance: Balance): Decimal {
  let { low, high } = bracket(balance);
  let [atLow, atHigh] = [balance(low), balance(high)];
  let kept = '';
  for (let step = 0; step < STEPS_MOST && high.minus(low).abs().greaterThan(PRECISION); step++) {
    const middle = high.minus(atHigh.times(high.minus(low)).div(atHigh.minus(atLow)));
    const value = balance(middle);
    if (value.isZero()) return middle;
    if (value.isNegative() === atLow.isNegative()) {
      if (value.abs().lessThan(PRECISION) || middle.minus(low).abs().lessThan(PRECISION)) return middle;
      [low, atLow] = [middle, value];
      if (kept === 'high') atHigh = atHigh.div(2);
      kept = 'high';
    } else {
      if (value.abs().lessThan(PRECISION) || middle.minus(high).abs().lessThan(PRECISION)) return middle;
      [high, atHigh] = [middle, value];
      if (kept === 'low') atLow = atLow.div(2);
      kept = 'low';
    }
  }
  return high;
}

/** Two rates between which the balance changes its sign, as near to zero as possible. */
function bracket(balance: Balance): { low: Decimal; high: Decimal } {
  const atZero = balance(ZERO);
  if (atZero.isZero()) return { low: ZERO, high: ZERO };
  // Paid back more than was lent: the rate is positive, and doubling finds a bound.
  if (atZero.isNegative()) {
    for (let high = new Exact('0.05'); high.lessThanOrEqualTo(RATE_MOST); high = high.times(4)) {
      if (!balance(high).isNegative()) return { low: ZERO, high };
    }
  } else if (balance(RATE_LEAST).isNegative()) {
    return { low: RATE_LEAST, high: ZERO };
  }
  throw new AprError('no rate solves the equation');
}
