/** Amounts between the wire and the engine. A value that no unit can hold is refused where the engine would. */
import { divideHalfEven } from '../../../engine/numbers/muldiv.ts';
import { MICRO, NOT_A_MULTIPLE, OUT_OF_RANGE, formatUnits, parseMicro, parseUnits } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';

/** Micro-units of money. @throws ApiError amount_out_of_range */
export function moneyOf(field: string, text: string): number {
  const value = parseMicro(text);
  if (value === OUT_OF_RANGE) throw new ApiError('amount_out_of_range', { field });
  if (value === NOT_A_MULTIPLE) throw new ApiError('invalid_request', { field, values: { detail: `${field}: has more than 6 decimal places` } });
  return value;
}

/** A percentage with up to four places, in ppm; may be negative. @throws ApiError */
export function percentOf(field: string, text: string): number {
  const negative = text.startsWith('-');
  const value = parseUnits(negative ? text.slice(1) : text, 4, 1_000_000 * 10_000);
  if (value === OUT_OF_RANGE) throw new ApiError('amount_out_of_range', { field });
  if (value === NOT_A_MULTIPLE) throw new ApiError('invalid_request', { field, values: { detail: `${field}: has more than 4 decimal places` } });
  return negative && value !== 0 ? -value : value;
}

/** A fraction of one, above zero, in ppm. @throws ApiError */
export function fractionOf(field: string, text: string): number {
  const value = parseUnits(text, 6, MICRO);
  if (value <= 0) throw new ApiError('invalid_request', { field, values: { detail: `${field}: must be above 0 and at most 1, with up to 6 decimal places` } });
  return value;
}

/** ppm as a percentage. */
export const formatPercent = (ppm: number): string => formatUnits(ppm, 4, 2);
/** ppm as a fraction or rate. */
export const formatRate = (ppm: number): string => formatUnits(ppm, 6, 2);
const GPU_HOUR_SECONDS = 3_600n;
/** Millionths of a GPU-hour in a time of 1e-6 GPU-seconds; alike on both sides of zero, so that what leaves one account is what enters the other. */
export const microGpuHours = (microGpuSeconds: bigint): bigint =>
  microGpuSeconds < 0n ? -divideHalfEven(-microGpuSeconds, GPU_HOUR_SECONDS) : divideHalfEven(microGpuSeconds, GPU_HOUR_SECONDS);
/** GPU-hours to 6 places of a time in 1e-6 GPU-seconds. */
export const formatGpuHours = (microGpuSeconds: number): string => formatUnits(microGpuHours(BigInt(microGpuSeconds)), 6);
/** Days since 1970 as a date. */
export const formatDay = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 10);
export const formatTime = (millis: number): string => new Date(millis).toISOString();
