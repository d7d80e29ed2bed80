/** What a borrower looks at in the morning: what it may still draw, what falls due, how far its credits reach, what its prices are worth. */
import { z } from 'zod';
import { useOfLots } from '../../../db/queries/allocations.ts';
import { usageReport } from '../../../db/queries/usage.ts';
import { classOf, regionOf } from '../../../engine/vocabulary.ts';
import { divideHalfEven, mulDiv } from '../../../engine/numbers/muldiv.ts';
import type { AllocationView, FacilityView, LotView } from '../../../engine/queries.ts';
import { MICRO, MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_DAY, MILLIS_PER_HOUR, formatMicro, formatSteps, formatTicks } from '../../../engine/numbers/units.ts';
import type { Services } from '../../services.ts';
import { formatDay, formatPercent, formatRate } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { daysAhead } from '../credits_ahead.ts';
import { visibleFacility } from './facilities_routes.ts';
import { projectionsCaughtUp } from '../history.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { idParams } from '../wire/schemas.ts';
import { wasteSchema, wasteWire } from '../wire/waste_wire.ts';

const text = z.string();
/** Days of use by which the reach of credits is judged. */
const USE_DAYS = 28;
const HOURS_PER_DAY = 24;
const DAYS_MAX = 36_500;

export const dashboardSchema = z.object({
  facility_id: text, state: text, limit: text, drawn: text, undrawn: text, principal: text, accrued_interest: text, fees: text,
  headroom: text.describe('Unsecured exposure that is left until a margin call, USD'), exposure: text, exposure_limit: text,
  credits: z.object({ available: text, held: text, contracted: text }).describe('Of lots that this facility paid for'),
  next_payment: z.object({ due_date: text, amount: text, past_due: text.describe('Of instalments that are at least one day late') }).nullable(),
  conversion: z.object({ contractual: text, realised: text.nullable().describe('Of all that was delivered to the company: list value for each USD of the credits it took, their part of the fees included; null before the first delivery') }),
  burn: z.object({ spent_30_days: text.describe('With providers, at cost, USD'), plan_30_days: text, percent_of_plan: text }),
  runway: z.object({ credits_per_day: text.describe('Mean of four weeks'), days: z.number().int().nullable(), runs_out_on: text.nullable() }),
  covenants: z.array(z.object({ covenant: text, kept: z.boolean() })),
  waste: wasteSchema.describe('Of what was delivered and credit of this facility paid for'),
});

const dashboard = route({
  method: 'get', path: '/api/v1/facilities/{id}/dashboard', operationId: 'getDashboard', summary: 'Limit, headroom, next payment, realised conversion, burn against plan, runway, waste', tag: 'facilities',
  scope: 'read', params: idParams, responses: { 200: { description: 'As of now.', schema: dashboardSchema } },
  async handle(context) {
    const { services, params } = context;
    const view = await visibleFacility(services, principalIn(context), params.id);
    const { company } = view;
    await projectionsCaughtUp(services, 'delivery', 'lot_use');
    const today = Math.floor(services.committed.now / MILLIS_PER_DAY);
    const [realised, lots, use] = await Promise.all([
      services.sequencer.query('realised', { company }), services.sequencer.query('lots', { company }),
      usageReport(services.database, { company, startDay: today - USE_DAYS, endDay: today - 1 }),
    ]);
    const own = lots.filter(({ facility }) => facility === view.facility);
    const used = await useOfLots(services.database, own.map(({ lot }) => lot));
    const sum = (of: (lot: (typeof own)[number]) => number): string => formatMicro(own.reduce((total, lot) => total + of(lot), 0));
    const perDay = Number(use.reduce((total, { credits, spotFees }) => total + credits + spotFees, 0n) / BigInt(USE_DAYS));
    return {
      status: 200,
      body: {
        facility_id: params.id, state: view.state, limit: formatMicro(view.amount), drawn: formatMicro(view.drawn), undrawn: formatMicro(view.undrawn), principal: formatMicro(view.principal),
        accrued_interest: formatMicro(view.accruedInterest), fees: formatMicro(view.fees), headroom: formatMicro(Math.max(0, view.exposureLimit - view.exposure)), exposure: formatMicro(view.exposure),
        exposure_limit: formatMicro(view.exposureLimit), credits: { available: sum((lot) => lot.available), held: sum((lot) => lot.held), contracted: sum((lot) => lot.contracted) },
        next_payment: nextPayment(view, today),
        conversion: { contractual: formatRate(view.conversionRate), realised: realised === null ? null : formatRate(mulDiv(realised.listValue, MICRO, realised.cost)) },
        burn: burnOf(view), runway: runwayOf(lots, perDay, today), waste: wasteWire(used),
        covenants: view.covenants.map(({ kind, breachedOn }) => ({ covenant: kind, kept: breachedOn === 0 })),
      },
    };
  },
});

/** What is due today is not late yet. Beside what is past due the next instalment stands, also where that is today's. */
export function nextPayment({ schedule }: FacilityView, today: number): z.infer<typeof dashboardSchema>['next_payment'] {
  const owed = (row: FacilityView['schedule'][number]): number => row.principal + row.interest + row.fee;
  const pastDue = schedule.filter(({ due, billed }) => billed && due < today).reduce((sum, row) => sum + owed(row), 0);
  const next = schedule.find(({ due, billed }) => !billed || due >= today) ?? schedule.at(0);
  if (next === undefined) return null;
  return { due_date: formatDay(next.due), amount: formatMicro(owed(next)), past_due: formatMicro(pastDue) };
}

const burnOf = ({ spent30Days, plannedUse: plan }: FacilityView): z.infer<typeof dashboardSchema>['burn'] => ({
  spent_30_days: formatMicro(spent30Days), plan_30_days: formatMicro(plan), percent_of_plan: formatPercent(mulDiv(spent30Days, MICRO, plan)),
});

function runwayOf(lots: readonly LotView[], perDay: number, today: number): z.infer<typeof dashboardSchema>['runway'] {
  const days = perDay === 0 ? null : Math.min(DAYS_MAX, daysAhead(lots, perDay, today));
  return { credits_per_day: formatMicro(perDay), days, runs_out_on: days === null ? null : formatDay(today + days) };
}

// Prices.

const riskRow = z.object({
  class: text, region: text, date: text, gpu_hours: text.describe('Bought and not yet used'), locked_price: text.describe('Mean, CR per GPU-hour'), market_price: text.describe('Mean of the same hours\' marks'),
  locked_cost: text, market_cost: text, gain: text.describe('What the hours would cost more at market; below zero: less'),
});
export const riskSchema = z.object({
  locked_cost: text, market_cost: text, gain: text, open_credits: text.describe('Credits not in contract: what they buy depends on prices to come'),
  ten_percent: text.describe('Credits\' worth of hours that 10 % higher prices would take from the open credits'), data: z.array(riskRow),
});

interface Locked {
  market: number;
  day: number;
  steps: number;
  locked: bigint;
  atMarket: bigint;
}

/** Hours that are owned and not over, by market and day, each at its own price and at its mark. */
function lockedHours({ market: marketData, committed }: Services, allocations: readonly AllocationView[]): Locked[] {
  const rows = new Map<string, Locked>();
  for (const { market, hour, price, quantity, usedGpu, status } of allocations) {
    const steps = quantity - Math.ceil(usedGpu / MICRO_GPU_SECONDS_PER_STEP);
    if (steps <= 0 || (status !== 'open' && status !== 'delivering') || (hour + 1) * MILLIS_PER_HOUR <= committed.now) continue;
    const day = Math.floor(hour / HOURS_PER_DAY);
    const row = rows.get(`${market}:${day}`) ?? { market, day, steps: 0, locked: 0n, atMarket: 0n };
    rows.set(`${market}:${day}`, row);
    row.steps += steps;
    row.locked += BigInt(steps) * BigInt(price);
    row.atMarket += BigInt(steps) * BigInt(marketData.mark(market, hour).price);
  }
  return [...rows.values()].sort((a, b) => a.day - b.day || a.market - b.market);
}

const priceRisk = route({
  method: 'get', path: '/api/v1/price-risk', operationId: 'getPriceRisk', summary: 'Prices that are locked, beside the market of the same hours', tag: 'account', scope: 'read',
  responses: { 200: { description: 'By class, region and day (UTC), as of now.', schema: riskSchema } },
  async handle(context) {
    const { services } = context;
    const { company } = principalIn(context);
    const [allocations, balances] = await Promise.all([services.sequencer.query('allocations', { company }), services.sequencer.query('balances', { company })]);
    const rows = lockedHours(services, allocations);
    const locked = rows.reduce((sum, row) => sum + row.locked, 0n);
    const atMarket = rows.reduce((sum, row) => sum + row.atMarket, 0n);
    const open = balances.available + balances.held;
    return {
      status: 200,
      body: {
        locked_cost: formatMicro(locked), market_cost: formatMicro(atMarket), gain: formatMicro(atMarket - locked), open_credits: formatMicro(open),
        ten_percent: formatMicro(mulDiv(open, 1, 11)), data: rows.map((row) => riskWire(services, row)),
      },
    };
  },
});

/** A tick times a step is a micro-credit. */
const riskWire = ({ directory }: Services, { market, day, steps, locked, atMarket }: Locked): z.infer<typeof riskRow> => ({
  class: directory.className(classOf(market)), region: directory.regionName(regionOf(market)), date: formatDay(day), gpu_hours: formatSteps(steps),
  locked_price: formatTicks(Number(divideHalfEven(locked, BigInt(steps)))), market_price: formatTicks(Number(divideHalfEven(atMarket, BigInt(steps)))), locked_cost: formatMicro(locked), market_cost: formatMicro(atMarket),
  gain: formatMicro(atMarket - locked),
});

export const dashboardRoutes: Route[] = [dashboard, priceRisk];
