/**
 * What a company will use, from what it used. The method is a seasonal mean: a day is expected to be as
 * the mean of the last four of its weekday, without a trend. Its error is measured, not assumed: the same
 * method is run on what was known before each of the last eight weeks and held against what they became.
 */
const DAYS_OF_WEEK = 7;
const SEASONS = 4;
/** Before two whole weeks are known, every day is the mean of all. */
const SEASONAL_FROM = 2 * DAYS_OF_WEEK;
const TRIALS_MAX = 8;
const TRIALS_MIN = 3;
const INTERVAL_PERCENT = 80;
const PPM = 1_000_000;

export interface WeekDemand {
  expected: number;
  /** Between them four of five weeks are expected; null where too few weeks are known to say so. */
  low: number | null;
  high: number | null;
}

export interface DemandForecast {
  method: 'seasonal_mean' | 'mean' | 'none';
  /** Sum of the past weeks' errors by the sum of what was used in them, in 1e-6; null without a week to try it on. */
  error: number | null;
  weeks: WeekDemand[];
}

/**
 * @param history micro-CR used on each day since the first use, yesterday last
 * @param weeks how many, the first beginning today
 */
export function forecastDemand(history: readonly number[], weeks: number): DemandForecast {
  const expected = expectedWeek(history);
  const errors: number[] = [];
  let used = 0;
  for (let trial = 1; trial <= TRIALS_MAX; trial++) {
    const known = history.length - trial * DAYS_OF_WEEK;
    if (known < SEASONAL_FROM) break;
    const became = sumOf(history.slice(known, known + DAYS_OF_WEEK));
    errors.push(Math.abs(became - expectedWeek(history.slice(0, known))));
    used += became;
  }
  const reach = errors.length < TRIALS_MIN ? null : nearestRank(errors, INTERVAL_PERCENT);
  const week = { expected, low: reach === null ? null : Math.max(0, expected - reach), high: reach === null ? null : expected + reach };
  return {
    method: history.length === 0 ? 'none' : history.length < SEASONAL_FROM ? 'mean' : 'seasonal_mean',
    error: used === 0 ? null : Math.round((sumOf(errors) * PPM) / used),
    weeks: Array.from({ length: weeks }, () => ({ ...week })),
  };
}

function expectedWeek(history: readonly number[]): number {
  if (history.length === 0) return 0;
  if (history.length < SEASONAL_FROM) return Math.round((sumOf(history) * DAYS_OF_WEEK) / history.length);
  let week = 0;
  for (let day = 1; day <= DAYS_OF_WEEK; day++) {
    const same: number[] = [];
    for (let at = history.length - day; at >= 0 && same.length < SEASONS; at -= DAYS_OF_WEEK) same.push(history[at]);
    week += sumOf(same) / same.length;
  }
  return Math.round(week);
}

function nearestRank(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1];
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
