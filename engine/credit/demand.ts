/**
 * What a company will use, from what it used. A week is expected to be as the mean of the last four: each day as the mean of the last four of
 * its weekday. Where use grows or falls steadily, by the median of how weeks of the last twelve differ from each other, that goes on; whether it
 * does is judged by which of both was closer in the past. Errors are measured, not assumed: the same is run on what was known before each of the
 * last weeks, as many weeks ahead as is forecast, and held against what they became.
 */
const DAYS_OF_WEEK = 7;
const SEASONS = 4;
/** Before two whole weeks are known, every day is the mean of all. */
const SEASONAL_FROM = 2 * DAYS_OF_WEEK;
/** Weeks of which a trend is the median slope (Theil and Sen), at most and at least. */
const TREND_WEEKS_MAX = 12;
const TREND_WEEKS_MIN = 6;
/** At least where fewer than two more than that are known: else a trend could not have been tried on the past. */
const TREND_WEEKS_MIN_SHORT = 4;
/** The mean stands unless a trend would have erred by so much less. */
const TREND_GAIN = 0.8;
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
  method: 'seasonal_trend' | 'seasonal_mean' | 'mean' | 'none';
  /** Sum of the past weeks' errors, one week ahead, by the sum of what was used in them, in 1e-6; null without a week to try it on. */
  error: number | null;
  weeks: WeekDemand[];
}

/** What the week that begins so many weeks after the one that follows the history is expected to be. */
type Method = (history: readonly number[], ahead: number) => number;

/**
 * @param history micro-CR used on each day since the first use, yesterday last
 * @param weeks how many, the first beginning today
 */
export function forecastDemand(history: readonly number[], weeks: number): DemandForecast {
  const seasonal = history.length >= SEASONAL_FROM;
  const short = history.length < (TREND_WEEKS_MIN + 2) * DAYS_OF_WEEK;
  const weeksMin = short ? TREND_WEEKS_MIN_SHORT : TREND_WEEKS_MIN;
  const trend: Method = (known, ahead) => trendWeek(known, ahead, weeksMin);
  // Of little that is known only what both might have been used for is held against them.
  const least = short ? TREND_WEEKS_MIN_SHORT * DAYS_OF_WEEK : SEASONAL_FROM;
  // Use that has ended does not go on falling.
  const hasTrend = seasonal && trend(history, 0) > 0 && errorOf(history, trend, least) < TREND_GAIN * errorOf(history, meanWeek, least);
  const method = hasTrend ? trend : meanWeek;
  const trials = trialsOf(history, method, 0);
  const used = sumOf(trials.map(({ became }) => became));
  let reach: number | null = null;
  return {
    method: history.length === 0 ? 'none' : !seasonal ? 'mean' : hasTrend ? 'seasonal_trend' : 'seasonal_mean',
    error: used === 0 ? null : Math.round((sumOf(trials.map(({ error }) => error)) * PPM) / used),
    weeks: Array.from({ length: weeks }, (_, ahead) => {
      const expected = method(history, ahead);
      reach = reachOf(history, method, ahead, reach);
      return { expected, low: reach === null ? null : Math.max(0, expected - reach), high: reach === null ? null : expected + reach };
    }),
  };
}

/** How far from what is expected four of five weeks came, so far ahead; where that was tried too seldom, as far as a week less ahead and as chance adds. */
function reachOf(history: readonly number[], method: Method, ahead: number, before: number | null): number | null {
  const errors = trialsOf(history, method, ahead).map(({ error }) => error);
  if (errors.length >= TRIALS_MIN) return Math.max(before ?? 0, nearestRank(errors, INTERVAL_PERCENT));
  return before === null ? null : Math.round(before * Math.sqrt((ahead + 1) / ahead));
}

/** What was expected of each of the last weeks, so far ahead, and what they became. */
function trialsOf(history: readonly number[], method: Method, ahead: number, least = SEASONAL_FROM): { became: number; error: number }[] {
  const found: { became: number; error: number }[] = [];
  for (let trial = 1; trial <= TRIALS_MAX; trial++) {
    const from = history.length - trial * DAYS_OF_WEEK;
    const known = from - ahead * DAYS_OF_WEEK;
    if (known < least) break;
    const became = sumOf(history.slice(from, from + DAYS_OF_WEEK));
    found.push({ became, error: Math.abs(became - method(history.slice(0, known), ahead)) });
  }
  return found;
}

/** A month ahead as well as a week: a trend shows in what comes later. */
const errorOf = (history: readonly number[], method: Method, least: number): number =>
  sumOf([0, 3].flatMap((ahead) => trialsOf(history, method, ahead, least)).map(({ error }) => error));

function meanWeek(history: readonly number[]): number {
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

function trendWeek(history: readonly number[], ahead: number, weeksMin: number): number {
  const count = Math.min(TREND_WEEKS_MAX, Math.floor(history.length / DAYS_OF_WEEK));
  if (count < weeksMin) return meanWeek(history);
  const ends = Array.from({ length: count }, (_, week) => history.length - week * DAYS_OF_WEEK);
  const totals = ends.map((end) => sumOf(history.slice(end - DAYS_OF_WEEK, end)));
  const slopes = totals.flatMap((later, week) => totals.slice(week + 1).map((earlier, apart) => (later - earlier) / (apart + 1)));
  // The mean is that of the middle of its weeks.
  const distance = (SEASONS + 1) / 2 + ahead;
  return Math.max(0, Math.round(meanWeek(history) + nearestRank(slopes, 50) * distance));
}

function nearestRank(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1];
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
