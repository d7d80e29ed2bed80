/** Geometry of the forecast: what the credits will be needed for, week by week, beside what is left of them. Micro-CR in, pixels out. */
import { toMicro, type WireForecast } from '../../state/index.ts';

export interface ForecastFrame {
  width: number;
  height: number;
}
export interface ForecastWeek {
  from: string;
  x: number;
  width: number;
  /** Top of the expected use, and of what is already bought for it. */
  expected: number;
  contracted: number;
  /** Ends of the interval; undefined where there is too little history for one. */
  interval: { low: number; high: number } | undefined;
  short: boolean;
}
export interface ForecastShape {
  weeks: ForecastWeek[];
  base: number;
  /** Use at the top of the picture. */
  highest: bigint;
  middle: number;
}

const GAP_SHARE = 0.3;
const TOP = 8;
const AXIS = 18;
const LABELS = 66;

export function forecastShape(weeks: WireForecast['weeks'], { width, height }: ForecastFrame): ForecastShape {
  const sizes = weeks.flatMap((week) => [week.expected, week.high ?? '0', week.contracted]).map(toMicro);
  const highest = sizes.reduce((most, size) => (size > most ? size : most), 1n);
  const base = height - AXIS;
  const slot = Math.max(0, width - LABELS) / Math.max(weeks.length, 1);
  const y = (text: string): number => base - (Number((toMicro(text) * 10_000n) / highest) * (base - TOP)) / 10_000;
  return {
    base,
    highest,
    middle: (base + TOP) / 2,
    weeks: weeks.map((week, index) => ({
      from: week.from,
      x: LABELS + index * slot + (slot * GAP_SHARE) / 2,
      width: slot * (1 - GAP_SHARE),
      expected: y(week.expected),
      contracted: y(week.contracted),
      interval: week.low === null || week.high === null ? undefined : { low: y(week.low), high: y(week.high) },
      short: toMicro(week.shortage) > 0n,
    })),
  };
}
