/** Bodies of the calculators. Amounts are USD with two places, dates are `YYYY-MM-DD`. */
import { z } from 'zod';
import { GRADES, SCHEDULE_METHODS } from '../../../engine/vocabulary.ts';
import { APR_METHODS } from '../../../engine/credit/apr.ts';
import { DAY_COUNTS } from '../../../engine/credit/day_count.ts';
import { PERIOD_UNITS } from '../../../engine/credit/schedule.ts';
import { decimal } from './schemas.ts';

/** Bounds that keep one request's arithmetic within a few hundredths of a second. */
export const PERIODS_MAX = 600;
const EVERY_MAX = 366;
export const MONTHS_MAX = 60;

const date = z.iso.date({ error: 'must be a date such as "2026-12-01"' });
const cents = decimal.meta({ examples: ['1000000.00'] });
const flow = z.strictObject({ on: date, amount: cents });
const flows = z.array(flow).min(1, 'must not be empty').max(PERIODS_MAX);
const count = (minimum: number, maximum: number) => z.int().min(minimum).max(maximum);

export const scheduleBody = z.strictObject({
  principal: cents,
  annual_rate_percent: decimal.meta({ examples: ['12'] }),
  periods: count(1, PERIODS_MAX),
  disbursed_on: date,
  first_due_on: date.optional(),
  day_count: z.enum(DAY_COUNTS),
  every: count(1, EVERY_MAX),
  unit: z.enum(PERIOD_UNITS),
  method: z.enum(SCHEDULE_METHODS),
  interest_only_periods: count(0, PERIODS_MAX).optional(),
  refine: z.boolean().optional(),
  /** USD; a whole number may stand for its decimal string. */
  instalment_multiple_of: z.union([cents, count(1, 1_000_000)]).optional().describe('Instalments that repay principal become the nearest multiple that covers their interest, and the last absorbs the rest; refused when the nearest is nothing, and of a bullet'),
  further_draws: z.array(flow).max(PERIODS_MAX).optional().describe('On any day from disbursement on and before the last due date; each earns from its day on and is repaid by the instalments after it'),
});
export type ScheduleBody = z.output<typeof scheduleBody>;

export const scheduleAnswer = z.object({
  rows: z.array(z.object({ number: z.int(), due_date: date, days: z.int(), principal: cents, interest: cents, due: cents, balance: cents })),
  total_interest: cents,
  apr_percent: z.string().nullable(),
});

export const aprBody = z.strictObject({ method: z.enum(APR_METHODS), advances: flows, payments: flows });
export type AprBody = z.output<typeof aprBody>;
export const aprAnswer = z.object({ apr_percent: z.string() });

export const dayCountBody = z.strictObject({ convention: z.enum(DAY_COUNTS), from: date, to: date });
export const dayCountAnswer = z.object({ days: z.int(), fraction: z.string() });

export const conversionBody = z.strictObject({ principal: cents, grade: z.enum(GRADES), months: count(1, MONTHS_MAX) });
export type ConversionBody = z.output<typeof conversionBody>;
export const conversionAnswer = z.object({
  conversion_rate: z.string(),
  /** Worth of the credits at list price for each USD that is repaid in all. */
  effective_conversion_rate: z.string(),
  credits: z.string(),
  annual_rate_percent: z.string(),
  origination_fee: cents,
  total_interest: cents,
  /** Principal, fee and interest. */
  total_cost: cents,
  classes: z.array(
    z.object({
      class: z.string(),
      list_price: z.string(),
      /** What the credits buy at list price, and what an hour then costs in USD with fee and interest. */
      gpu_hours_at_list: z.string(),
      usd_per_gpu_hour_at_list: z.string(),
      /** What they buy from the asks that rest now, cheapest first, and what of it at list price each USD of its cost buys; null while there is none. */
      live: z.object({ gpu_hours: z.string(), average_price: z.string(), credits_spent: z.string(), usd_per_gpu_hour: z.string(), effective_conversion_rate: z.string() }).nullable(),
      /** Lowest published on-demand price outside; null when none was published. */
      lowest_on_demand_usd: z.string().nullable(),
    }),
  ),
});
