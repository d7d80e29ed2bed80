/** What a borrower's credits will be needed for: its use so far, carried on, beside the credits it has. */
import { z } from 'zod';
import { usageReport } from '../../../db/queries/usage.ts';
import { forecastDemand } from '../../../engine/credit/demand.ts';
import type { DemandForecast } from '../../../engine/credit/demand.ts';
import type { LotView } from '../../../engine/queries.ts';
import { MILLIS_PER_DAY, formatMicro } from '../../../engine/numbers/units.ts';
import { formatDay, formatPercent } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { visibleFacility } from './facilities_routes.ts';
import { projectionsCaughtUp } from '../history.ts';
import { creditsAhead } from '../credits_ahead.ts';
import { coverByWeek, ladderWire } from '../ladder.ts';
import type { CoveredWeek } from '../ladder.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { idParams } from '../wire/schemas.ts';

const DAYS_OF_WEEK = 7;
const HISTORY_DAYS = 26 * DAYS_OF_WEEK;
const WEEKS = 8;
const WEEKS_MAX = 52;

const text = z.string();
export const forecastSchema = z.object({
  facility_id: text,
  method: z.enum(['seasonal_trend', 'seasonal_mean', 'mean', 'none']).describe('Each day as the mean of the last four of its weekday, growing or falling on where weeks have done so steadily; as the mean of all days while two weeks are not known'),
  history_days: z.number().int(),
  error_percent: text.nullable().describe('Of the same method over the last eight weeks, one week ahead: errors by what was used; null without a week to try it on'),
  interval_percent: z.literal('80'),
  credits_remaining: text.describe('available + held + contracted'),
  runs_out_on: text.nullable().describe('First day of the week whose expected use the credits do not cover; null within the weeks asked for'),
  weeks: z.array(z.object({
    from: text, to: text, expected: text, low: text.nullable(), high: text.nullable(),
    surplus: text.describe('Credits left at its end when use is as expected'), shortage: text.describe('Credits missing by its end'), expiring: text.describe('Credits of lots that expire in it, as far as they are not used by then'),
    contracted: text.describe('Credits in contract for its hours'), uncovered: text.describe('Expected use that no hours are bought for'), excess: text.describe('Contracted beyond what four of five weeks need'),
  })),
  ladder: z.object({
    method: text,
    rungs: z.array(z.object({ side: z.enum(['buy', 'resell']), class: text, region: text, from: text, to: text, price: text, gpu_hours: text, credits: text })),
  }).describe('A proposal, nothing that has been ordered'),
});

const query = z.strictObject({ weeks: z.coerce.number().int().min(1).max(WEEKS_MAX).optional() });

const facilityForecast = route({
  method: 'get', path: '/api/v1/facilities/{id}/forecast', operationId: 'getForecast', tag: 'facilities', scope: 'read', params: idParams, query,
  summary: 'Credits the borrower will use by week (UTC), beside those it has',
  responses: { 200: { description: 'From its use of up to half a year.', schema: forecastSchema } },
  async handle(context) {
    const { services, params } = context;
    const facility = await visibleFacility(services, principalIn(context), params.id);
    await projectionsCaughtUp(services, 'delivery');
    const today = Math.floor(services.committed.now / MILLIS_PER_DAY);
    const lines = await usageReport(services.database, { company: facility.company, startDay: today - HISTORY_DAYS, endDay: today - 1, groupBy: 'day' });
    const lots = await services.sequencer.query('lots', { company: facility.company });
    const allocations = await services.sequencer.query('allocations', { company: facility.company });
    const history = dailyUse(lines.map(({ group, credits, spotFees }) => ({ day: Number(group), used: Number(credits + spotFees) })), today);
    const forecast = forecastDemand(history, context.query.weeks ?? WEEKS);
    const covered = coverByWeek(forecast, allocations, today);
    const body = forecastWire(forecast, covered, lots, today);
    return { status: 200, body: { facility_id: params.id, history_days: history.length, ...body, ladder: ladderWire(services, covered, allocations, lots.reduce((sum, { available }) => sum + available, 0)) } };
  },
});

/** Every day since the first use, those without any too. */
function dailyUse(lines: readonly { day: number; used: number }[], today: number): number[] {
  if (lines.length === 0) return [];
  const used = new Map(lines.map((line) => [line.day, line.used]));
  const first = Math.min(...used.keys());
  return Array.from({ length: today - first }, (_, index) => used.get(first + index) ?? 0);
}

function forecastWire(
  { method, error, weeks }: DemandForecast, covered: readonly CoveredWeek[], lots: readonly LotView[], today: number,
): Omit<z.infer<typeof forecastSchema>, 'facility_id' | 'history_days' | 'ladder'> {
  const ahead = creditsAhead(lots, weeks, today);
  const rows = weeks.map(({ expected, low, high }, index) => {
    const { surplus, shortage, expiring } = ahead[index];
    const from = today + index * DAYS_OF_WEEK;
    return {
      from: formatDay(from), to: formatDay(from + DAYS_OF_WEEK - 1), expected: formatMicro(expected), low: low === null ? null : formatMicro(low), high: high === null ? null : formatMicro(high),
      surplus: formatMicro(surplus), shortage: formatMicro(shortage), expiring: formatMicro(expiring), short: shortage > 0,
      contracted: formatMicro(covered[index].contracted), uncovered: formatMicro(covered[index].uncovered), excess: formatMicro(covered[index].excess),
    };
  });
  return {
    method, error_percent: error === null ? null : formatPercent(error), interval_percent: '80', credits_remaining: formatMicro(lots.reduce((sum, { available, held, contracted }) => sum + available + held + contracted, 0)),
    runs_out_on: rows.find(({ short }) => short)?.from ?? null,
    weeks: rows.map(({ short: _short, ...row }) => row),
  };
}

export const forecastRoutes: Route[] = [facilityForecast];
