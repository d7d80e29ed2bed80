/** A lender's book: what is out, how late, how concentrated, what it yields, what it may lose. An operator sees all lenders' together. */
import { z } from 'zod';
import { cohortMovements } from '../../../db/queries/cohorts.ts';
import type { CohortMovement } from '../../../db/queries/cohorts.ts';
import { GRADES, NONE } from '../../../engine/vocabulary.ts';
import { MICRO, formatMicro, isDecimal } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';
import { idOf } from '../../ids.ts';
import type { Services } from '../../services.ts';
import { formatPercent, formatRate, percentOf } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { fundSchema, fundWire } from './account_routes.ts';
import { facilitiesOf } from './facilities_routes.ts';
import { facilitySchema, facilityWire } from '../wire/facility_wire.ts';
import { projectionsCaughtUp } from '../history.ts';
import { BUCKETS, alive, exposureOf, herfindahl, holdingsOf, inBucket, lendersRateOf, partOf, ppmOf, returnsOf, slices, stress, sumOf, yieldOf } from '../portfolio.ts';
import type { Holding } from '../portfolio.ts';
import { route } from '../route.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Route } from '../route.ts';

const tag = 'lender';
const text = z.string();
const lenders = ['lender', 'operator'] as const;
const STAGES = [1, 2, 3] as const;
const LARGEST = 20;

export const portfolioSchema = z.object({
  outstanding: text.describe('Principal, one\'s part of it'), accrued_interest: text, committed: text, undrawn: text,
  exposure: text.describe('Principal, interest and fees owed'), collateral: text.describe('Unspent credit at cost, and hours bought at their marks after the haircut'),
  expected_loss: text, allowance: text.describe('Provisioned'),
  buckets: z.array(z.object({ days_past_due: z.enum(BUCKETS.map(({ name }) => name)), outstanding: text, facilities: z.number().int() })),
  stages: z.array(z.object({ stage: z.number().int(), facilities: z.number().int(), exposure: text, expected_loss: text })),
  concentration: z.object({
    herfindahl: text.describe('Sum of squared shares: 1 when all is one borrower\'s'),
    borrowers: z.array(z.object({ company: text, company_id: text, outstanding: text, share_percent: text })),
    grades: z.array(z.object({ grade: z.enum(GRADES), outstanding: text, share_percent: text })),
  }),
  yield: z.object({
    annual_rate_percent: text.describe('What borrowers pay, weighted by what is outstanding'), lenders_annual_rate_percent: text.describe('What of it lenders earn, at their mandates\' rates'), interest_accrued: text.describe('Since the beginning'),
    earned: text.describe('Of it, one\'s own by its mandates\' rates'),
  }),
  fund: fundSchema.nullable().describe("One's money in the fund; null of an operator"),
  expected: z.array(z.object({ month: text, capital: text, interest: text })).describe('What would come back and could be taken out, by month, if every instalment were paid on its date'),
  facilities: z.array(facilitySchema),
});

const own = ({ company, role }: Pick<Principal, 'company' | 'role'>): number | undefined => (role === 'operator' ? undefined : company);

async function holdingsFor(services: Services, principal: Principal): Promise<{ views: Awaited<ReturnType<typeof facilitiesOf>>; holdings: Holding[] }> {
  const views = await facilitiesOf(services, principal);
  return { views, holdings: holdingsOf(views, own(principal)) };
}

const portfolio = route({
  method: 'get', path: '/api/v1/portfolio', operationId: 'getPortfolio', summary: 'Everything one has lent: how late, how concentrated, what it yields and may lose', tag, scope: 'read', roles: lenders,
  responses: { 200: { description: 'As of the last command.', schema: portfolioSchema } },
  async handle(context) {
    const { services } = context;
    const principal = principalIn(context);
    const { views, holdings } = await holdingsFor(services, principal);
    const sum = (of: Parameters<typeof sumOf>[1], some: readonly Holding[] = holdings): string => formatMicro(sumOf(some, of));
    const live = alive(holdings);
    const borrowers = slices(holdings, ({ company }) => company);
    const lender = own(principal);
    const { sequencer } = services;
    const fund = lender === undefined ? null : (await sequencer.query('balances', { company: lender })).fund;
    const rates = new Map((await sequencer.query('mandates', { company: lender ?? NONE })).map(({ mandate, minimumAnnualRate }) => [mandate, minimumAnnualRate]));
    const rateOf = (mandate: number): number => rates.get(mandate) ?? 0;
    const earned = views.reduce((total, { earnings }) => total + earnings.reduce((part, row) => (lender === undefined || row.lender === lender ? part + BigInt(row.amount) : part), 0n), 0n);
    return {
      status: 200,
      body: {
        outstanding: sum((view) => view.principal), accrued_interest: sum((view) => view.accruedInterest), committed: sum((view) => view.amount, live), undrawn: sum((view) => view.undrawn),
        exposure: sum(exposureOf), collateral: sum((view) => Math.min(exposureOf(view), view.unspentCost + Math.max(0, view.hoursValue))),
        expected_loss: sum((view) => view.expectedLoss), allowance: sum((view) => view.allowance),
        buckets: BUCKETS.map(({ name }, index) => ({ days_past_due: name, outstanding: sum((view) => view.principal, inBucket(live, index)), facilities: inBucket(live, index).length })),
        stages: STAGES.map((stage) => {
          const some = holdings.filter(({ view }) => view.stage === stage && exposureOf(view) > 0);
          return { stage, facilities: some.length, exposure: sum(exposureOf, some), expected_loss: sum((view) => view.expectedLoss, some) };
        }),
        concentration: {
          herfindahl: formatRate(herfindahl(borrowers)),
          borrowers: borrowers.slice(0, LARGEST).map(({ key, outstanding, share }) => ({
            company: services.directory.companyName(key), company_id: idOf('company', key), outstanding: formatMicro(outstanding), share_percent: formatPercent(share),
          })),
          grades: slices(holdings, ({ grade }) => grade).map(({ key, outstanding, share }) => ({ grade: key, outstanding: formatMicro(outstanding), share_percent: formatPercent(share) })),
        },
        yield: {
          annual_rate_percent: formatPercent(yieldOf(holdings, ({ annualRate }) => annualRate)), lenders_annual_rate_percent: formatPercent(yieldOf(holdings, (view) => lendersRateOf(view, rateOf, lender))), interest_accrued: sum((view) => view.interestAccrued), earned: formatMicro(earned),
        },
        fund: fund === null ? null : fundWire(fund),
        expected: returnsOf(holdings, rateOf).map(({ month, capital, interest }) => ({ month, capital: formatMicro(capital), interest: formatMicro(interest) })),
        facilities: views.map((view) => facilityWire(services.directory, view)),
      },
    };
  },
});

// Stress.

const PRICE_FALLS = ['0', '25', '50', '75', '100'];
const DEFAULT_RATES = ['1', '5', '10', '25', '50', '100'];
const STEPS_MAX = 20;

const percents = z.string().max(400).optional().describe('Percentages, separated by commas');
export const stressSchema = z.object({
  exposure: text, method: text,
  price_falls_percent: z.array(text), default_rates_percent: z.array(text),
  grid: z.array(z.object({ price_fall_percent: text, default_rate_percent: text, loss: text, loss_percent: text.describe('Of the exposure') })).describe('Row by row: each fall with each rate'),
});

/** @throws ApiError */
function percentsOf(field: string, list: string | undefined, otherwise: readonly string[]): number[] {
  const parts = list === undefined ? otherwise : list.split(',').map((part) => part.trim());
  if (parts.length > STEPS_MAX || !parts.every(isDecimal)) throw new ApiError('invalid_request', { field, values: { detail: `${field}: must be up to ${STEPS_MAX} percentages, separated by commas` } });
  const values = parts.map((part) => percentOf(field, part));
  if (values.some((value) => value > MICRO)) throw new ApiError('invalid_request', { field, values: { detail: `${field}: must be at most 100` } });
  return values;
}

const stressGrid = route({
  method: 'get', path: '/api/v1/portfolio/stress', operationId: 'getStress', summary: 'What would be lost if prices of hours fell and borrowers defaulted', tag, scope: 'read', roles: lenders,
  query: z.strictObject({ price_falls: percents, default_rates: percents }),
  responses: { 200: { description: 'As of the last command.', schema: stressSchema } },
  async handle(context) {
    const { services, query } = context;
    const falls = percentsOf('price_falls', query.price_falls, PRICE_FALLS);
    const rates = percentsOf('default_rates', query.default_rates, DEFAULT_RATES);
    const { holdings } = await holdingsFor(services, principalIn(context));
    const { exposure, cells } = stress(holdings, falls, rates);
    return {
      status: 200,
      body: {
        exposure: formatMicro(exposure),
        method: 'loss = default rate x sum of max(5 % of the exposure, exposure - unspent credit at cost - hours bought at their marks after haircut x (1 - price fall))',
        price_falls_percent: falls.map(formatPercent), default_rates_percent: rates.map(formatPercent),
        grid: cells.map(({ priceFall, defaultRate, loss, lossShare }) => ({
          price_fall_percent: formatPercent(priceFall), default_rate_percent: formatPercent(defaultRate), loss: formatMicro(loss), loss_percent: formatPercent(lossShare),
        })),
      },
    };
  },
});

// Cohorts.

export const cohortSchema = z.object({
  data: z.array(z.object({
    month: text.describe('In which the facilities were accepted'), facilities: z.number().int(), lent: text, repaid: text, written_off: text, outstanding: text,
    curve: z.array(z.object({ month: z.number().int().describe('Since acceptance'), repaid_percent: text, written_off_percent: text, outstanding_percent: text }))
      .describe('Cumulative, of all that was lent to the cohort'),
  })),
});

/** One's part is of what has moved in all until then, so that roundings do not add up. */
export function cohortWire(month: string, holdings: readonly Holding[], movements: ReadonlyMap<number, readonly CohortMovement[]>, age: number): z.infer<typeof cohortSchema>['data'][number] {
  const until = (last: number, of: (movement: CohortMovement) => bigint): bigint => holdings.reduce((sum, holding) => {
    const moved = (movements.get(holding.view.facility) ?? []).reduce((total, movement) => (movement.month <= last ? total + of(movement) : total), 0n);
    return sum + BigInt(partOf(holding, Number(moved)));
  }, 0n);
  const lent = until(Infinity, (movement) => movement.lent);
  const percent = (amount: bigint): string => formatPercent(ppmOf(amount, lent));
  const repaid = until(Infinity, (movement) => movement.repaid);
  const writtenOff = until(Infinity, (movement) => movement.writtenOff);
  return {
    month, facilities: holdings.length, lent: formatMicro(lent), repaid: formatMicro(repaid), written_off: formatMicro(writtenOff), outstanding: formatMicro(until(Infinity, leftOf)),
    curve: Array.from({ length: age + 1 }, (_, after) => {
      const paid = until(after, (movement) => movement.repaid);
      const lost = until(after, (movement) => movement.writtenOff);
      return { month: after, repaid_percent: percent(paid), written_off_percent: percent(lost), outstanding_percent: percent(until(after, leftOf)) };
    }),
  };
}

const leftOf = ({ lent, repaid, writtenOff }: CohortMovement): bigint => lent - repaid - writtenOff;

const monthsSince1970 = (millis: number): number => new Date(millis).getUTCFullYear() * 12 + new Date(millis).getUTCMonth();

export function byFacility(movements: readonly CohortMovement[]): Map<number, CohortMovement[]> {
  const found = new Map<number, CohortMovement[]>();
  for (const movement of movements) {
    const rows = found.get(movement.facility);
    if (rows === undefined) found.set(movement.facility, [movement]);
    else rows.push(movement);
  }
  return found;
}

const cohorts = route({
  method: 'get', path: '/api/v1/portfolio/cohorts', operationId: 'getCohorts', summary: 'How the facilities of each month have been repaid since', tag, scope: 'read', roles: lenders,
  responses: { 200: { description: 'Newest first; a facility that several fund counts by one\'s part.', schema: cohortSchema } },
  async handle(context) {
    const { services } = context;
    const { holdings } = await holdingsFor(services, principalIn(context));
    await projectionsCaughtUp(services, 'credit');
    const movements = byFacility(await cohortMovements(services.database, holdings.map(({ view }) => view.facility)));
    const present = monthsSince1970(services.committed.now);
    const months = [...new Set(holdings.map(({ view }) => monthsSince1970(view.acceptedAt)))].sort((a, b) => b - a);
    const data = months.map((month) => {
      const some = holdings.filter(({ view }) => monthsSince1970(view.acceptedAt) === month);
      const name = `${Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}`;
      return cohortWire(name, some, movements, present - month);
    });
    return { status: 200, body: { data } };
  },
});

export const portfolioRoutes: Route[] = [portfolio, stressGrid, cohorts];
