/** How applications are decided: the scorecard for everybody to read, and a facility's decision with all that it was made of. */
import { z } from 'zod';
import { commandAt } from '../../../db/queries/commands.ts';
import { getDecline, listDeclines } from '../../../db/queries/credit.ts';
import type { DeclineRecord } from '../../../db/queries/credit.ts';
import type { FacilityApplication } from '../../../engine/commands.ts';
import { NONE } from '../../../engine/vocabulary.ts';
import { assess, measuresOf, OWES_HERE, publishedScorecard } from '../../../engine/credit/scorecard.ts';
import type { Assessment } from '../../../engine/credit/scorecard.ts';
import type { FacilityView } from '../../../engine/queries.ts';
import { formatMicro } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import { idOf, parseId } from '../../ids.ts';
import type { Services } from '../../services.ts';
import { projectionsCaughtUp } from '../history.ts';
import { principalIn } from '../middleware/caller.ts';
import { formatPercent, formatTime } from '../wire/amounts.ts';
import { applicationBody, visibleFacility } from './facilities_routes.ts';
import { route } from '../route.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Route } from '../route.ts';
import { pageOfQuery } from '../wire/pages.ts';
import { idParams, pageOf, pageQuery } from '../wire/schemas.ts';

const tag = 'facilities';
const text = z.string();

const scorecardSchema = z.object({
  version: z.number().int(), formula: text,
  intercept: text, measures: z.array(z.object({ measure: text, weight: text, least: text, most: text, ordinary: text })).describe('Ratios are of 1; beyond its bounds a measure says nothing more'),
  score: z.object({ offset: text, points_to_double_the_odds: z.number().int() }),
  grades: z.array(z.object({ grade: text, probability_most_percent: text, annual_rate_percent: text, limit_share_percent: text.describe('Of cash and a year of revenue, in whole thousands') })),
});

const scorecard = route({
  method: 'get', path: '/api/v1/scorecard', operationId: 'getScorecard', summary: 'How applications are judged: weights, bounds, grades', tag, scope: 'public',
  responses: { 200: { description: 'The version in force.', schema: scorecardSchema } },
  handle() {
    const { version, intercept, measures, offset, pointsToDouble, grades } = publishedScorecard();
    return Promise.resolve({
      status: 200,
      body: {
        version, formula: 'PD = 1 / (1 + exp(-(intercept + sum of weight x measure))); score = offset + (points_to_double / ln 2) ln((1 - PD) / PD); cash / (burn + instalment) below the term: at most C',
        intercept, measures: measures.map(({ name, weight, least, most, ordinary }) => ({ measure: name, weight, least: String(least), most: String(most), ordinary: String(ordinary) })),
        score: { offset, points_to_double_the_odds: pointsToDouble },
        grades: grades.map(({ grade, probabilityMost, annualRate, limitShare }) => ({
          grade, probability_most_percent: formatPercent(probabilityMost * 1_000_000), annual_rate_percent: formatPercent(annualRate), limit_share_percent: formatPercent(limitShare),
        })),
      },
    });
  },
});

const decisionSchema = z.object({
  version: z.number().int(), grade: text, score: z.number(), default_probability_percent: text, reasons: z.array(text),
  asked: text.nullable().describe('The amount that was judged; null of decisions that did not keep it'), months: z.number().int(), application: applicationBody,
  measures: z.array(z.object({ measure: text, value: text, points: text })),
  feeds: z.array(z.object({ id: text, sha256: text })), overruled_by: text.nullable(), overruling: text,
  scorecard: z.object({ grade: text, annual_rate_percent: text, limit: text }).nullable().describe('What the scorecard, asked again, says by itself, also where operators decided otherwise; null when it has another version'),
  reproduced: z.boolean().nullable().describe('Whether that, its score and its reasons are what the offer rests on, as far as nobody overruled them; null when it has another version'),
});

const applicationWire = (application: FacilityApplication): z.infer<typeof applicationBody> => ({
  cash: formatMicro(application.cash), monthly_burn: formatMicro(application.monthlyBurn), monthly_revenue: formatMicro(application.monthlyRevenue),
  cash_trend_3m_percent: formatPercent(application.cashTrend3m), revenue_growth_percent: formatPercent(application.revenueGrowth), gross_margin_percent: formatPercent(application.grossMargin),
  compute_share_percent: formatPercent(application.computeShare), forecast_error_percent: formatPercent(application.forecastError), top_customer_percent: formatPercent(application.topCustomer),
  past_days_overdue: String(application.pastDaysOverdue), ...(application.computePlan === undefined ? {} : { compute_plan: application.computePlan.map((planned) => formatMicro(planned)) }),
});

/** The scorecard is asked again on what was stored; undefined when it is another one now. */
function askAgain({ application, decision, amount, months }: FacilityView): Assessment | undefined {
  return decision.version === publishedScorecard().version ? assess(application, decision.asked ?? amount, months) : undefined;
}

/** Whoever overrules it sets grade, rate and amount; what it said of the company stands beside. */
function isReproduced(again: Assessment, { decision, amount, grade, score, annualRate, reasons }: FacilityView): boolean {
  const judged = again.score === score && again.defaultProbability === decision.defaultProbability && again.reasons.join() === reasons.join();
  if (decision.overruledBy !== NONE) return judged;
  const offered = decision.asked === undefined || amount === Math.min(decision.asked, again.limit);
  return judged && offered && again.grade === grade && again.annualRate === annualRate;
}

const decision = route({
  method: 'get', path: '/api/v1/facilities/{id}/decision', operationId: 'getDecision', summary: 'What an offer was decided on, and whether it would be decided so again', tag, scope: 'read', params: idParams,
  responses: { 200: { description: 'Inputs, version, score, reasons.', schema: decisionSchema } },
  async handle(context) {
    const { services, params } = context;
    return { status: 200, body: decisionWire(services.directory, await visibleFacility(services, principalIn(context), params.id)) };
  },
});

export function decisionWire(directory: Directory, view: FacilityView): z.infer<typeof decisionSchema> {
  const { version, defaultProbability, overruledBy, overruling, asked, evidence = [] } = view.decision;
  const again = askAgain(view);
  return {
    version, grade: view.grade, score: view.score, default_probability_percent: formatPercent(defaultProbability), reasons: view.reasons,
    asked: asked === undefined ? null : formatMicro(asked), months: view.months, application: applicationWire(view.application),
    measures: measuresOf(view.application).map(({ name, value, points }) => ({ measure: name, value, points })), feeds: evidence.map(({ feed, sha256 }) => ({ id: feed, sha256 })),
    overruled_by: overruledBy === NONE ? null : directory.companyName(overruledBy), overruling,
    scorecard: again === undefined ? null : { grade: again.grade, annual_rate_percent: formatPercent(again.annualRate), limit: formatMicro(again.limit) },
    reproduced: again === undefined ? null : isReproduced(again, view),
  };
}

const declinedSchema = z.object({
  id: text, company: text, at: text, asked: text, months: z.number().int(), grade: text, score: z.number(), reasons: z.array(text), application: applicationBody,
  version: z.number().int().nullable().describe('Of the scorecard in force, when it says the same'), default_probability_percent: text.nullable(),
  measures: z.array(z.object({ measure: text, value: text, points: text })), reproduced: z.boolean().describe('Whether the scorecard, asked again, says the same'),
});

export function declinedWire(services: Services, { sequence, company, amount, months, grade, score, reasons, application: stored, at }: DeclineRecord): z.infer<typeof declinedSchema> {
  const application = stored as unknown as FacilityApplication;
  const again = assess(application, amount, months);
  // Who owes here is declined whatever the scorecard says.
  const owes = reasons[0] === OWES_HERE;
  const judged = owes ? reasons.slice(1) : reasons;
  const reproduced = (owes || again.grade === grade) && again.score === score && again.reasons.every((reason, index) => reason === judged[index]);
  return {
    id: idOf('application', sequence), company: services.directory.companyName(company), at: formatTime(at), asked: formatMicro(amount), months, grade, score, reasons, application: applicationWire(application),
    version: reproduced ? again.version : null, default_probability_percent: reproduced ? formatPercent(again.defaultProbability) : null,
    measures: measuresOf(application).map(({ name, value, points }) => ({ measure: name, value, points })), reproduced,
  };
}

const applicants = ['borrower', 'operator'] as const;
/** A borrower sees its own, an operator all. */
const whose = ({ company, role }: Principal): { company?: number } => (role === 'operator' ? {} : { company });

const declined = route({
  method: 'get', path: '/api/v1/declined-applications', operationId: 'listDeclinedApplications', summary: 'Applications that ended without an offer', tag, scope: 'read', roles: applicants,
  query: z.strictObject(pageQuery), responses: { 200: { description: 'Newest first.', schema: pageOf(declinedSchema) } },
  async handle(context) {
    const { services, query } = context;
    await projectionsCaughtUp(services, 'credit');
    const page = await pageOfQuery(query, (ask) => listDeclines(services.database, { ...ask, ...whose(principalIn(context)) }), (row) => declinedWire(services, row));
    return { status: 200, body: page };
  },
});

const declinedDecision = route({
  method: 'get', path: '/api/v1/declined-applications/{id}', operationId: 'getDeclinedApplication', summary: 'What an application was declined on, and whether it would be declined so again', tag, scope: 'read',
  roles: applicants, params: idParams,
  responses: { 200: { description: 'Inputs, score, reasons.', schema: declinedSchema.extend({ method: text.nullable(), feeds: z.array(z.object({ id: text, sha256: text })) }) } },
  async handle(context) {
    const { services, params } = context;
    const sequence = parseId('application', params.id);
    if (sequence === undefined) throw new ApiError('not_found');
    await projectionsCaughtUp(services, 'credit');
    const found = await getDecline(services.database, sequence);
    const { company = found?.company } = whose(principalIn(context));
    if (found === undefined || found.company !== company) throw new ApiError('not_found');
    const command = await commandAt(services.database, sequence);
    const asked = command?.type === 'applyFacility' ? command : undefined;
    return {
      status: 200,
      body: { ...declinedWire(services, found), method: asked?.method ?? null, feeds: (asked?.evidence ?? []).map(({ feed, sha256 }) => ({ id: feed, sha256 })) },
    };
  },
});

export const decisionRoutes: Route[] = [scorecard, decision, declined, declinedDecision];
