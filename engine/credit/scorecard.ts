/**
 * Decides on an application for a facility: a logistic scorecard over nine measures, the same for
 * everybody, in exact decimal arithmetic so that every replay decides alike.
 *
 * PD = 1 / (1 + exp(-(b0 + b.x))); score = offset + (PDO / ln 2) ln((1 - PD) / PD).
 */
import type { Decimal } from 'decimal.js';
import type { FacilityApplication } from '../commands.ts';
import type { Grade } from '../vocabulary.ts';
import { PARAMETERS } from '../parameters.ts';
import { MICRO, type Micro, type Ppm } from '../numbers/units.ts';
import { Exact, ONE, roundWhole, type Fraction } from './exact.ts';
import { annuityInstalment } from './schedule.ts';
import { conversionRate } from './tiers.ts';

/** Why a company that has not paid what is due here is declined, whatever its score. */
export const OWES_HERE = 'a debt here is past due';

/** Of the weights and grades below; stored with each decision. */
const SCORECARD_VERSION = 1;

export interface Assessment {
  version: number;
  grade: Grade;
  approved: boolean;
  /** Higher is better; 40 points double the odds of repayment. */
  score: number;
  /** Of default within twelve months. */
  defaultProbability: Ppm;
  annualRate: Ppm;
  conversionRate: Ppm;
  /** The largest commitment on offer; 0 when declined. */
  limit: Micro;
  /** What weighed most against the company, in sentences, heaviest first. */
  reasons: string[];
}

interface Measure {
  name: string;
  weight: string;
  /** Beyond these bounds more says nothing more. */
  least: number;
  most: number;
  /** An ordinary company's value: what is worse than it is a reason. */
  ordinary: number;
  value(application: FacilityApplication): Decimal;
  reason(value: Decimal): string;
}

const fraction = (ppm: Ppm): Decimal => new Exact(ppm).div(MICRO);
const percent = (value: Decimal): string => `${value.times(100).toDecimalPlaces(1).toFixed()} %`;
const RUNWAY_MOST = 36;
const BURN_MULTIPLE_MOST = 10;

function runway({ cash, monthlyBurn }: FacilityApplication): Decimal {
  return monthlyBurn <= 0 ? new Exact(RUNWAY_MOST) : new Exact(cash).div(monthlyBurn);
}

/** Cash burned per unit of recurring revenue added, both per year. */
function burnMultiple({ monthlyBurn, monthlyRevenue, revenueGrowth }: FacilityApplication): Decimal {
  if (monthlyBurn <= 0) return new Exact(0);
  const added = fraction(revenueGrowth).times(monthlyRevenue);
  return added.greaterThan(0) ? new Exact(monthlyBurn).div(added) : new Exact(BURN_MULTIPLE_MOST);
}

const INTERCEPT = new Exact('-2.5');
const MEASURES: readonly Measure[] = [
  { name: 'runway_months', weight: '-0.1', least: 0, most: RUNWAY_MOST, ordinary: 18, value: runway, reason: (value) => `cash lasts ${value.toDecimalPlaces(1).toFixed()} months` },
  { name: 'burn_multiple', weight: '0.15', least: 0, most: BURN_MULTIPLE_MOST, ordinary: 1.5, value: burnMultiple, reason: (value) => `burns ${value.toDecimalPlaces(1).toFixed()} USD for each USD of revenue added` },
  { name: 'cash_trend_3m', weight: '-1', least: -1, most: 1, ordinary: -0.15, value: ({ cashTrend3m }) => fraction(cashTrend3m), reason: (value) => `cash changed by ${percent(value)} in three months` },
  { name: 'revenue_growth', weight: '-0.5', least: -1, most: 3, ordinary: 0.5, value: ({ revenueGrowth }) => fraction(revenueGrowth), reason: (value) => `revenue grows by ${percent(value)}` },
  { name: 'gross_margin', weight: '-1.5', least: -1, most: 1, ordinary: 0.5, value: ({ grossMargin }) => fraction(grossMargin), reason: (value) => `gross margin is ${percent(value)}` },
  { name: 'compute_share', weight: '1', least: 0, most: 1, ordinary: 0.4, value: ({ computeShare }) => fraction(computeShare), reason: (value) => `compute is ${percent(value)} of spend` },
  { name: 'forecast_error', weight: '1.5', least: 0, most: 1, ordinary: 0.2, value: ({ forecastError }) => fraction(forecastError), reason: (value) => `forecasts miss by ${percent(value)}` },
  { name: 'top_customer', weight: '1.5', least: 0, most: 1, ordinary: 0.3, value: ({ topCustomer }) => fraction(topCustomer), reason: (value) => `the largest customer is ${percent(value)} of revenue` },
  { name: 'past_days_overdue', weight: '0.03', least: 0, most: 180, ordinary: 0, value: ({ pastDaysOverdue }) => new Exact(pastDaysOverdue), reason: (value) => `was ${value.toFixed()} days overdue` },
];

/** 600 points at odds of 20 : 1, 40 points to double them. */
const POINTS_TO_DOUBLE = 40;
const POINTS_PER_LOG_ODDS = new Exact(POINTS_TO_DOUBLE).div(new Exact(2).ln());
const OFFSET = new Exact(600).minus(POINTS_PER_LOG_ODDS.times(new Exact(20).ln()));

interface GradeTerms {
  grade: Grade;
  /** The grade's highest probability of default. */
  probabilityMost: number;
  annualRate: Ppm;
  /** Largest commitment as a share of cash and a year's revenue. */
  limitShare: Ppm;
}
const GRADE_TERMS: readonly GradeTerms[] = [
  { grade: 'A', probabilityMost: 0.02, annualRate: 110_000, limitShare: 600_000 },
  { grade: 'B', probabilityMost: 0.06, annualRate: 140_000, limitShare: 400_000 },
  { grade: 'C', probabilityMost: 0.15, annualRate: 170_000, limitShare: 200_000 },
  { grade: 'D', probabilityMost: 1, annualRate: 0, limitShare: 0 },
];
const C = GRADE_TERMS[2];

/** The yearly rate of a grade; 0 when it is declined. */
export const annualRateOf = (grade: Grade): Ppm => GRADE_TERMS.find((terms) => terms.grade === grade)?.annualRate ?? 0;

/** Commitments are offered in whole thousands of USD. */
const LIMIT_STEP = 1_000 * MICRO;
const REASONS_MOST = 4;

/** Assesses a request for `amount` over `months`. */
export function assess(application: FacilityApplication, amount: Micro, months: number): Assessment {
  const contributions = MEASURES.map((measure) => contributionOf(measure, application));
  const logit = contributions.reduce((sum, { points }) => sum.plus(points), INTERCEPT);
  const probability = ONE.div(logit.negated().exp().plus(1));
  const scored = GRADE_TERMS.find(({ probabilityMost }) => probability.lessThanOrEqualTo(probabilityMost)) ?? GRADE_TERMS[3];
  const reasons = contributions
    .filter(({ excess }) => excess.greaterThan(0))
    .sort((a, b) => b.excess.comparedTo(a.excess))
    .map(({ reason }) => reason);
  const terms = outlasts(application, amount, months, scored.annualRate) ? scored : worse(scored, C);
  if (terms !== scored) reasons.unshift(`cash does not last ${months} months with the instalment`);
  return {
    version: SCORECARD_VERSION,
    grade: terms.grade,
    approved: terms.grade !== 'D',
    score: roundWhole(OFFSET.plus(POINTS_PER_LOG_ODDS.times(ONE.minus(probability).div(probability).ln()))),
    defaultProbability: roundWhole(probability.times(MICRO)),
    annualRate: terms.annualRate,
    conversionRate: conversionRate(terms.grade, months),
    limit: limitOf(application, terms),
    reasons: reasons.length === 0 ? ['nothing weighs against the company'] : reasons.slice(0, REASONS_MOST),
  };
}

/** The scorecard as it is published: points are weight x measure within its bounds, ratios of 1. */
export const publishedScorecard = () => ({
  version: SCORECARD_VERSION,
  intercept: INTERCEPT.toFixed(),
  measures: MEASURES.map(({ name, weight, least, most, ordinary }) => ({ name, weight, least, most, ordinary })),
  offset: OFFSET.toDecimalPlaces(6).toFixed(),
  pointsToDouble: POINTS_TO_DOUBLE,
  grades: GRADE_TERMS,
});

/** What each measure of an application is, and what it adds to the log odds of default. */
export const measuresOf = (application: FacilityApplication): { name: string; value: string; points: string }[] =>
  MEASURES.map((measure) => ({
    name: measure.name, value: measure.value(application).toDecimalPlaces(6).toFixed(), points: contributionOf(measure, application).points.toDecimalPlaces(6).toFixed(),
  }));

function contributionOf(measure: Measure, application: FacilityApplication): { points: Decimal; excess: Decimal; reason: string } {
  const value = measure.value(application);
  const bounded = Exact.min(Exact.max(value, measure.least), measure.most);
  const points = bounded.times(measure.weight);
  return { points, excess: points.minus(new Exact(measure.ordinary).times(measure.weight)), reason: measure.reason(value) };
}

const worse = (a: GradeTerms, b: GradeTerms): GradeTerms => (GRADE_TERMS.indexOf(a) > GRADE_TERMS.indexOf(b) ? a : b);

/** Whether cash / (burn + instalment) reaches the term. */
function outlasts({ cash, monthlyBurn }: FacilityApplication, amount: Micro, months: number, annualRate: Ppm): boolean {
  const debt = roundWhole(new Exact(amount).times(MICRO + PARAMETERS.originationFee).div(MICRO));
  const monthly: Fraction = { numerator: BigInt(annualRate), denominator: 12n * BigInt(MICRO) };
  const spent = annuityInstalment(debt, new Array<Fraction>(months).fill(monthly)).plus(monthlyBurn);
  return spent.lessThanOrEqualTo(0) || new Exact(cash).greaterThanOrEqualTo(spent.times(months));
}

function limitOf({ cash, monthlyRevenue }: FacilityApplication, { limitShare }: GradeTerms): Micro {
  const base = new Exact(cash).plus(new Exact(monthlyRevenue).times(12));
  return base.times(limitShare).div(MICRO).div(LIMIT_STEP).floor().times(LIMIT_STEP).toNumber();
}
