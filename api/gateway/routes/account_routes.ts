/** What a developer asks about credit and use, with the key of the completions. */
import { z } from 'zod';
import { USAGE_GROUPS, usageReport } from '../../../db/queries/usage.ts';
import type { UsageGroup, UsageLine } from '../../../db/queries/usage.ts';
import type { BalancesView, LotView, RealisedView } from '../../../engine/queries.ts';
import { mulDiv } from '../../../engine/numbers/muldiv.ts';
import { MICRO, MILLIS_PER_DAY, formatMicro, formatUnits } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import { principalIn } from '../../http/middleware/caller.ts';
import { route } from '../../http/route.ts';
import type { Route } from '../../http/route.ts';
import { calendarDay } from '../../http/wire/schemas.ts';

const tag = 'inference';
const text = z.string();
const count = z.number().int();

const creditsSchema = z.object({
  available: text, held: text, contracted: text, frozen: text,
  remaining: text.describe('available + held + contracted'),
  retired: text,
  conversion_rate: text.nullable().describe('CR minted per USD, over the lots that are not used up'),
  realised_conversion: text.nullable().describe('List value delivered per USD of the credit it took, fees included; null before the first delivery'),
  next_expiry: text.nullable(),
});

const getCredits = route({
  method: 'get', path: '/v1/account/credits', operationId: 'getAccountCredits', summary: "The company's credits", tag, scope: 'inference',
  responses: { 200: { description: 'As of the last command.', schema: creditsSchema } },
  async handle(context) {
    const { company } = principalIn(context);
    const { sequencer } = context.services;
    const [balances, lots, realised] = await Promise.all([sequencer.query('balances', { company }), sequencer.query('lots', { company }), sequencer.query('realised', { company })]);
    return { status: 200, body: creditsWire(balances, lots, realised) };
  },
});

function creditsWire(balances: BalancesView, lots: readonly LotView[], realised: RealisedView | null): z.infer<typeof creditsSchema> {
  const open = lots.filter((lot) => lot.available + lot.held + lot.contracted > 0);
  const minted = open.reduce((sum, lot) => sum + lot.minted, 0);
  const usd = open.reduce((sum, lot) => sum + lot.usd, 0);
  const expiries = open.map((lot) => lot.expiresAt);
  return {
    available: formatMicro(balances.available),
    held: formatMicro(balances.held),
    contracted: formatMicro(balances.contracted),
    frozen: formatMicro(balances.frozen),
    remaining: formatMicro(balances.available + balances.held + balances.contracted),
    retired: formatMicro(balances.retired),
    conversion_rate: usd === 0 ? null : formatUnits(mulDiv(minted, MICRO, usd), 6, 2),
    realised_conversion: realised === null ? null : formatUnits(mulDiv(realised.listValue, MICRO, realised.cost), 6, 2),
    next_expiry: expiries.length === 0 ? null : new Date(Math.min(...expiries)).toISOString(),
  };
}

const usageQuery = z.strictObject({ start_date: calendarDay.optional(), end_date: calendarDay.optional(), group_by: z.enum(USAGE_GROUPS).optional() });
const usageSchema = z.object({
  object: z.literal('list'),
  start_date: text,
  end_date: text,
  data: z.array(z.object({
    group: text.nullable().describe('Model, provider, day or key; null when not grouped'),
    requests: count, prompt_tokens: count, completion_tokens: count, gpu_seconds: text, credits_used: text,
  })),
});

const DEFAULT_DAYS = 30;
const PROJECTION_MILLIS_MAX = 2_000;

const getUsage = route({
  method: 'get', path: '/v1/account/usage', operationId: 'getAccountUsage', tag, scope: 'inference', query: usageQuery,
  summary: 'What was used, by day (UTC), both dates included; the last 30 days unless told',
  responses: { 200: { description: 'Sums.', schema: usageSchema } },
  async handle(context) {
    const { services, query } = context;
    const { database, directory, committed, projections } = services;
    const { company } = principalIn(context);
    const endDay = query.end_date === undefined ? Math.floor(committed.now / MILLIS_PER_DAY) : dayOf(query.end_date);
    const startDay = query.start_date === undefined ? endDay - DEFAULT_DAYS + 1 : dayOf(query.start_date);
    // A client finds here what it was charged a moment ago.
    if (!(await projections.waitFor(await committed.present(), PROJECTION_MILLIS_MAX, ['delivery']))) throw new ApiError('unavailable', { retryAfterSeconds: 1 });
    const lines = await usageReport(database, { company, startDay, endDay, groupBy: query.group_by });
    const data = lines.map((line) => usageWire(directory, query.group_by, line));
    return { status: 200, body: { object: 'list', start_date: dateOf(startDay), end_date: dateOf(endDay), data } };
  },
});

const dayOf = (date: string): number => Math.floor(Date.parse(`${date}T00:00:00Z`) / MILLIS_PER_DAY);
const dateOf = (days: number): string => new Date(days * MILLIS_PER_DAY).toISOString().slice(0, 10);

function usageWire(directory: Directory, groupBy: UsageGroup | undefined, line: UsageLine): z.infer<typeof usageSchema>['data'][number] {
  return {
    group: groupName(directory, groupBy, line.group), requests: line.requests, prompt_tokens: line.promptTokens, completion_tokens: line.completionTokens,
    gpu_seconds: formatUnits(line.gpu, 6), credits_used: formatMicro(line.credits + line.spotFees),
  };
}

function groupName(directory: Directory, groupBy: UsageGroup | undefined, group: number | string | null): string | null {
  if (group === null) return null;
  if (typeof group === 'string') return group;
  if (groupBy === 'model') return directory.modelName(group);
  return groupBy === 'provider' ? directory.companyName(group) : dateOf(group);
}

export const accountRoutes: Route[] = [getCredits, getUsage];
