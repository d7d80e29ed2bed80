/** Calculators, public: a founder compares before signing up. They run the same functions as the market. */
import type { Decimal } from 'decimal.js';
import { marketOf } from '../../../engine/vocabulary.ts';
import { AprError, annualPercentageRate, type AprMethod, type CashFlow } from '../../../engine/credit/apr.ts';
import { formatDate, parseDate } from '../../../engine/credit/dates.ts';
import { countDays, yearFraction } from '../../../engine/credit/day_count.ts';
import { Exact, formatPercent } from '../../../engine/credit/exact.ts';
import { ScheduleError, repaymentSchedule, totalInterest, type Instalment, type ScheduleTerms } from '../../../engine/credit/schedule.ts';
import { annualRateOf } from '../../../engine/credit/scorecard.ts';
import { conversionRate } from '../../../engine/credit/tiers.ts';
import { mulDivCeil, mulDivFloor } from '../../../engine/numbers/muldiv.ts';
import { PARAMETERS } from '../../../engine/parameters.ts';
import { FACILITY_MICRO_MAX, MICRO, MICRO_PER_CENT, NOT_A_MULTIPLE, formatMicro, formatTicks, formatUnits, parseUnits } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';
import type { ClassEntry } from '../../directory.ts';
import type { Services } from '../../services.ts';
import {
  aprAnswer, aprBody, conversionAnswer, conversionBody, dayCountAnswer, dayCountBody, scheduleAnswer, scheduleBody,
  type AprBody, type ConversionBody, type ScheduleBody,
} from '../wire/calculator_schemas.ts';
import { route, type Reply, type Route } from '../route.ts';

const TAG = 'calculators';
const CENTS_MAX = FACILITY_MICRO_MAX / MICRO_PER_CENT;
const RATE_PERCENT_MAX = 1_000;
/** Every further draw plans all periods anew: so many in one request keep it within a few hundredths of a second. */
const PLANNED_MAX = 36_000;
/** A tick times a step is a micro-credit; a GPU-hour is a hundred steps. */
const STEPS = 100;
/** A taker's fee comes on top of the price. */
const WITH_FEE = MICRO + PARAMETERS.takerFee;

const ok = (body: unknown): Promise<Reply> => Promise.resolve({ status: 200, body });
const refused = (field: string, detail: string): ApiError => new ApiError('invalid_request', { field, values: { detail: `${field}: ${detail}` } });

/** Whole positive cents. @throws ApiError */
function centsOf(field: string, text: string): number {
  const value = parseUnits(text, 2, CENTS_MAX);
  if (value === NOT_A_MULTIPLE) throw refused(field, 'has more than 2 decimal places');
  if (value < 0) throw new ApiError('amount_out_of_range', { field });
  if (value === 0) throw refused(field, 'must be above zero');
  return value;
}
const formatCents = (cents: number): string => formatUnits(cents, 2, 2);

/** @throws ApiError */
function dayOf(field: string, text: string): number {
  const day = parseDate(text);
  if (day === undefined) throw refused(field, 'is not a day of the calendar');
  return day;
}

const flowsOf = (field: string, flows: readonly { on: string; amount: string }[]): CashFlow[] =>
  flows.map(({ on, amount }, index) => ({ on: dayOf(`${field}.${index}.on`, on), amount: centsOf(`${field}.${index}.amount`, amount) }));

function termsOf(body: ScheduleBody): ScheduleTerms {
  const annualRate = new Exact(body.annual_rate_percent);
  if (annualRate.greaterThan(RATE_PERCENT_MAX)) throw refused('annual_rate_percent', `must be at most ${RATE_PERCENT_MAX}`);
  const draws = body.further_draws?.length ?? 0;
  if (draws * body.periods > PLANNED_MAX) throw refused('further_draws', `at most ${Math.floor(PLANNED_MAX / body.periods)} may be planned over so many periods`);
  return {
    principal: centsOf('principal', body.principal),
    annualRate: annualRate.div(100),
    periods: body.periods,
    disbursedOn: dayOf('disbursed_on', body.disbursed_on),
    firstDueOn: body.first_due_on === undefined ? undefined : dayOf('first_due_on', body.first_due_on),
    dayCount: body.day_count,
    every: body.every,
    unit: body.unit,
    method: body.method,
    interestOnly: body.interest_only_periods,
    refine: body.refine,
    instalmentMultipleOf: body.instalment_multiple_of === undefined ? undefined : centsOf('instalment_multiple_of', String(body.instalment_multiple_of)),
    furtherDraws: flowsOf('further_draws', body.further_draws ?? []),
  };
}

/** @throws ApiError when the terms contradict each other */
function scheduleOf(terms: ScheduleTerms): Instalment[] {
  try {
    return repaymentSchedule(terms);
  } catch (error) {
    throw error instanceof ScheduleError ? refused(error.field, error.message) : error;
  }
}

function schedule(body: ScheduleBody): unknown {
  const terms = termsOf(body);
  const rows = scheduleOf(terms);
  return {
    rows: rows.map(({ number, dueOn, days, principal, interest, due, balance }) => ({
      number, due_date: formatDate(dueOn), days, principal: formatCents(principal), interest: formatCents(interest), due: formatCents(due), balance: formatCents(balance),
    })),
    total_interest: formatCents(totalInterest(rows)),
    apr_percent: aprOf('us', [{ on: terms.disbursedOn, amount: terms.principal }, ...(terms.furtherDraws ?? [])], rows.map(({ dueOn, due }) => ({ on: dueOn, amount: due }))),
  };
}

/** Null when no rate solves the equation. */
function aprOf(method: AprMethod, advances: readonly CashFlow[], payments: readonly CashFlow[]): string | null {
  try {
    return formatPercent(annualPercentageRate(method, advances, payments));
  } catch (error) {
    if (error instanceof AprError) return null;
    throw error;
  }
}

function apr({ method, advances, payments }: AprBody): unknown {
  const percent = aprOf(method, flowsOf('advances', advances), flowsOf('payments', payments));
  if (percent === null) throw refused('payments', 'no rate makes these payments worth the advances');
  return { apr_percent: percent };
}

function conversion(services: Services, body: ConversionBody): unknown {
  const principal = centsOf('principal', body.principal);
  const rate = conversionRate(body.grade, body.months);
  if (rate === 0) throw new ApiError('declined', { field: 'grade' });
  const annualRate = annualRateOf(body.grade);
  const credits = new Exact(principal).times(MICRO_PER_CENT).times(rate).div(MICRO).toDecimalPlaces(0).toNumber();
  const fee = new Exact(principal).times(PARAMETERS.originationFee).div(MICRO).toDecimalPlaces(0).toNumber();
  const disbursedOn = Math.floor(services.market.now / 86_400_000);
  const interest = totalInterest(scheduleOf({
    principal: principal + fee, annualRate: new Exact(annualRate).div(MICRO), periods: body.months, disbursedOn, dayCount: 'ACT/365', every: 1, unit: 'months', method: 'annuity',
  }));
  const cost = principal + fee + interest;
  return {
    conversion_rate: formatUnits(rate, 6, 2),
    effective_conversion_rate: perUsd(new Exact(credits), cost),
    credits: formatMicro(credits),
    annual_rate_percent: formatUnits(annualRate, 4, 2),
    origination_fee: formatCents(fee),
    total_interest: formatCents(interest),
    total_cost: formatCents(cost),
    classes: loanBuys(services, credits, cost),
  };
}

/** What so many credits, repaid with `cost` cents in all, buy of each class. */
export const loanBuys = (services: Services, credits: number, cost: number): unknown[] => services.directory.classes().map((entry) => purchase(services, entry, credits, cost));

/** What the credits buy of one class, at list price and from the asks that rest now. */
function purchase(services: Services, entry: ClassEntry, credits: number, cost: number): unknown {
  const steps = Math.floor(credits / entry.listPrice);
  const outside = entry.inputs.map(({ usd }) => usd).sort((a, b) => a - b)[0];
  return {
    class: entry.name,
    list_price: formatTicks(entry.listPrice),
    gpu_hours_at_list: formatUnits(steps, 2),
    usd_per_gpu_hour_at_list: usdPerHour(cost, credits, credits, steps),
    live: live(services, entry, credits, cost),
    lowest_on_demand_usd: outside === undefined ? null : formatMicro(outside),
  };
}

/** What is worth so many credits at list price, for each USD that is repaid in all. */
export const perUsd = (credits: Decimal, cost: number): string => credits.div(MICRO_PER_CENT).div(cost).toDecimalPlaces(6).toFixed();

/** The cost of the share of the credits that was spent, by GPU-hour. */
const usdPerHour = (cost: number, credits: number, spent: number, steps: number): string =>
  steps === 0 ? '0' : new Exact(cost).times(spent).div(credits).times(STEPS).div(steps).div(100).toDecimalPlaces(4).toFixed(4);

function live({ market, directory }: Services, entry: ClassEntry, credits: number, cost: number): unknown {
  const asks = directory
    .regions()
    .flatMap(({ region }) => market.curve(marketOf(entry.class, region)))
    .flatMap(({ instrument, ask }) => (ask === null ? [] : market.depth(instrument, Infinity).asks))
    .sort((a, b) => a.price - b.price);
  if (asks.length === 0) return null;
  let [steps, spent] = [0, 0];
  for (const { price, quantity } of asks) {
    const bought = Math.min(quantity, mulDivFloor(credits - spent, MICRO, price * WITH_FEE));
    steps += bought;
    spent += mulDivCeil(bought * price, WITH_FEE, MICRO);
    if (bought < quantity) break;
  }
  if (steps === 0) return null;
  return {
    gpu_hours: formatUnits(steps, 2),
    average_price: new Exact(spent).div(steps).div(10_000).toFixed(4),
    credits_spent: formatMicro(spent),
    usd_per_gpu_hour: usdPerHour(cost, credits, spent, steps),
    effective_conversion_rate: perUsd(new Exact(steps).times(entry.listPrice).times(credits).div(spent), cost),
  };
}

export const calculatorRoutes: Route[] = [
  route({
    method: 'post', path: '/api/v1/calculator/schedule', operationId: 'calculateSchedule', summary: 'A repayment schedule', tag: TAG, scope: 'public', body: scheduleBody,
    responses: { 200: { description: 'Its rows, in cents.', schema: scheduleAnswer } },
    handle: ({ body }) => ok(schedule(body)),
  }),
  route({
    method: 'post', path: '/api/v1/calculator/apr', operationId: 'calculateApr', summary: 'The yearly rate of advances and payments', tag: TAG, scope: 'public', body: aprBody,
    responses: { 200: { description: 'By the definition of the United States or of the European Union.', schema: aprAnswer } },
    handle: ({ body }) => ok(apr(body)),
  }),
  route({
    method: 'post', path: '/api/v1/calculator/day-count', operationId: 'calculateDayCount', summary: 'Days between two dates', tag: TAG, scope: 'public', body: dayCountBody,
    responses: { 200: { description: 'Days and the fraction of a year.', schema: dayCountAnswer } },
    handle: ({ body: { convention, from, to } }) => {
      const [first, last] = [dayOf('from', from), dayOf('to', to)];
      return ok({ days: countDays(convention, first, last), fraction: yearFraction(convention, first, last).toDecimalPlaces(12).toFixed() });
    },
  }),
  route({
    method: 'post', path: '/api/v1/calculator/conversion', operationId: 'calculateConversion', summary: 'What a loan buys', tag: TAG, scope: 'public', body: conversionBody,
    responses: { 200: { description: 'At list price and from the books.', schema: conversionAnswer } },
    handle: ({ services, body }) => ok(conversion(services, body)),
  }),
];
