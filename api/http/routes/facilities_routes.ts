/** A borrower's credit lines. */
import { z } from 'zod';
import { FACILITY_METHODS, LOAN_RULES, PREPAYMENT_MODES } from '../../../engine/vocabulary.ts';
import type { ApplyFacility, CounterOffer, FacilityApplication, FacilityOptions } from '../../../engine/commands.ts';
import { DAY_COUNTS } from '../../../engine/credit/day_count.ts';
import { DUE_DATE_ROLLS } from '../../../engine/credit/due_dates.ts';
import { REPAYS_LATER } from '../../../engine/lending/offers.ts';
import type { EngineEvent, EventOf } from '../../../engine/events.ts';
import type { FacilityView } from '../../../engine/queries.ts';
import { plannedInAll } from '../../../engine/credit/planned_use.ts';
import { mulDiv } from '../../../engine/numbers/muldiv.ts';
import { PARAMETERS } from '../../../engine/parameters.ts';
import { MICRO, formatMicro } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';
import { EVERYBODY, facilityViews } from '../../facility_views.ts';
import { idOf, parseId } from '../../ids.ts';
import { evidenceOf } from '../feed_store.ts';
import { eventOf } from '../../sequencer/port.ts';
import type { Ack } from '../../sequencer/port.ts';
import type { Services } from '../../services.ts';
import { lotSchema, mintedLotWire } from './account_routes.ts';
import { formatPercent, moneyOf, percentOf } from '../wire/amounts.ts';
import { recordAct } from '../middleware/audit.ts';
import { principalIn } from '../middleware/caller.ts';
import { facilitySchema, facilityWire, scheduleRowSchema, scheduleRowWire } from '../wire/facility_wire.ts';
import type { FacilityTermsView } from '../wire/facility_wire.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Route } from '../route.ts';
import { atMost100, changePercent, decimal, idParams, identifier, pageOf, pageQuery, sharePercent, signedDecimal } from '../wire/schemas.ts';
import { expectEvent, submit } from '../submit.ts';

const tag = 'facilities';
const text = z.string();
const borrower = ['borrower'] as const;

export const applicationBody = z.strictObject({
  cash: decimal,
  monthly_burn: decimal,
  monthly_revenue: decimal,
  cash_trend_3m_percent: changePercent,
  revenue_growth_percent: changePercent,
  gross_margin_percent: signedDecimal.refine(atMost100, 'must be at most 100'),
  compute_share_percent: sharePercent,
  forecast_error_percent: sharePercent.describe('Of what was used; who misses by more than all of it says 100'),
  top_customer_percent: sharePercent,
  past_days_overdue: z.string().regex(/^[0-9]{1,5}$/, 'must be a whole number of days'),
  compute_plan: z.array(decimal).min(1).max(60).optional().describe('USD of compute planned in each month from acceptance on, the last of them in those after it; absent: the amount spread over the months'),
});

/** @throws ApiError invalid_request when the plan has months that the facility has not, or nothing in any */
function planOf(plan: readonly string[], months: number): number[] {
  const planned = plan.map((amount, month) => moneyOf(`application.compute_plan.${month}`, amount));
  const refuse = (detail: string): ApiError => new ApiError('invalid_request', { field: 'application.compute_plan', values: { detail: `application.compute_plan: ${detail}` } });
  if (planned.length > months) throw refuse(`${planned.length} months are planned, the facility has ${months}`);
  if (planned.every((amount) => amount === 0)) throw refuse('nothing is planned in any month');
  return planned;
}

export const applicationOf = (body: z.output<typeof applicationBody>, months: number): FacilityApplication => ({
  cash: moneyOf('application.cash', body.cash),
  monthlyBurn: moneyOf('application.monthly_burn', body.monthly_burn),
  monthlyRevenue: moneyOf('application.monthly_revenue', body.monthly_revenue),
  cashTrend3m: percentOf('application.cash_trend_3m_percent', body.cash_trend_3m_percent),
  revenueGrowth: percentOf('application.revenue_growth_percent', body.revenue_growth_percent),
  grossMargin: percentOf('application.gross_margin_percent', body.gross_margin_percent),
  computeShare: percentOf('application.compute_share_percent', body.compute_share_percent),
  forecastError: percentOf('application.forecast_error_percent', body.forecast_error_percent),
  topCustomer: percentOf('application.top_customer_percent', body.top_customer_percent),
  pastDaysOverdue: Number(body.past_days_overdue),
  ...(body.compute_plan === undefined ? {} : { computePlan: planOf(body.compute_plan, months) }),
});

const declinedSchema = z.object({ id: z.null(), application_id: text.describe('For GET /declined-applications/{id}'), state: z.literal('declined'), amount: text, months: z.number().int(), grade: text, score: z.number(), reasons: z.array(text) });

/** Terms that a borrower may choose. */
export const termsBody = {
  amount: decimal,
  months: z.number().int().min(1).max(60),
  method: z.enum(FACILITY_METHODS).default('annuity'),
  day_count: z.enum(DAY_COUNTS).optional(),
  due_date_roll: z.enum(DUE_DATE_ROLLS).optional(),
  draw_on_demand: z.boolean().optional(),
  interest_only_periods: z.number().int().min(0).max(59).optional().describe('Instalments at the beginning that ask for interest alone; fewer than months, of annuity, equal_principal and flat'),
  refine: z.boolean().optional().describe('What rounding would leave to the last instalment of an annuity is spread over all'),
};

type Terms = z.output<z.ZodObject<typeof termsBody>>;

/** How the principal is repaid. @throws ApiError invalid_request when it never would be, or not by this method */
export function repaymentOf({ months, method, interest_only_periods: interestOnly, refine }: Pick<Terms, 'months' | 'method' | 'interest_only_periods' | 'refine'>): Pick<CounterOffer, 'months' | 'method' | 'interestOnly' | 'refine'> {
  if (interestOnly !== undefined && interestOnly >= months) {
    throw new ApiError('invalid_request', { field: 'interest_only_periods', values: { detail: 'interest_only_periods: must be less than months, so that an instalment repays principal' } });
  }
  if (interestOnly !== undefined && interestOnly > 0 && !REPAYS_LATER.has(method)) {
    throw new ApiError('invalid_request', { field: 'interest_only_periods', values: { detail: `interest_only_periods: only annuity, equal_principal and flat may begin with interest alone, not ${method}` } });
  }
  if (refine === true && method !== 'annuity') {
    throw new ApiError('invalid_request', { field: 'refine', values: { detail: `refine: only an annuity can be refined, not ${method}` } });
  }
  return { months, method, interestOnly, refine };
}

export const termsOf = (body: Terms): Pick<ApplyFacility, 'amount' | 'months' | 'method'> & FacilityOptions => ({
  amount: moneyOf('amount', body.amount), ...repaymentOf(body), dayCount: body.day_count, dueDateRoll: body.due_date_roll, drawOnDemand: body.draw_on_demand, loanRules: LOAN_RULES,
});

const FEEDS_MAX = 20;

/** What of an offer does not fit what was planned; it stands nevertheless. */
const noteSchema = z.object({ code: z.enum(['plan_above_amount', 'plan_below_amount']), field: text, message: text });
export const offerSchema = z.union([facilitySchema.extend({ notes: z.array(noteSchema).describe('What does not fit together in it, and stands nevertheless') }), declinedSchema]);

/** A plan against which the use of the whole amount would be low at best, or a breach. */
export function planNotes(application: FacilityApplication, amount: number, months: number): z.infer<typeof noteSchema>[] {
  const planned = plannedInAll(application, months);
  if (planned === undefined || planned === 0) return [];
  const { covenantUseLeast, covenantUseMost } = PARAMETERS;
  const use = mulDiv(amount, MICRO, planned);
  if (use >= covenantUseLeast && use <= covenantUseMost) return [];
  const bound = use < covenantUseLeast ? `an alert comes below ${formatPercent(covenantUseLeast)} %` : `more than ${formatPercent(covenantUseMost)} % is a breach`;
  return [{
    code: use < covenantUseLeast ? 'plan_above_amount' : 'plan_below_amount', field: 'application.compute_plan',
    message: `${formatMicro(planned)} USD are planned over ${months} months: the use of all ${formatMicro(amount)} USD would be ${formatPercent(use)} % of plan, and ${bound}`,
  }];
}

const apply = route({
  method: 'post', path: '/api/v1/facilities', operationId: 'applyForFacility', summary: 'Apply for a credit line; the answer is the assessed offer', tag, scope: 'credit', roles: borrower,
  body: z.strictObject({ ...termsBody, application: applicationBody, feeds: z.array(identifier).max(FEEDS_MAX).optional().describe('Uploads that the figures were taken from; the decision names them') }),
  responses: { 201: { description: 'An offer, or why there is none (state "declined").', schema: offerSchema } },
  async handle(context) {
    const { services, body } = context;
    const { company } = principalIn(context);
    const evidence = await evidenceOf(services.database, company, [...new Set(body.feeds ?? [])]);
    const ack = await submit(context, {
      type: 'applyFacility', company, ...termsOf(body), application: applicationOf(body.application, body.months), ...(evidence.length === 0 ? {} : { evidence }),
    });
    return { status: 201, body: decidedWire(services, ack) };
  },
});

/** The offer that a command has brought about, or the reasons of its refusal. */
export function decidedWire(services: Services, ack: Ack): z.infer<typeof offerSchema> {
  const declined = eventOf(ack.events, 'facilityDeclined');
  if (declined !== undefined) return declinedWire(ack.sequence, declined);
  const view = offeredView(ack);
  return { ...facilityWire(services.directory, view), notes: planNotes(expectEvent(ack, 'facilityOffered').application as unknown as FacilityApplication, view.amount, view.months) };
}

const declinedWire = (sequence: number, { amount, months, grade, score, reasons }: EventOf<'facilityDeclined'>): z.infer<typeof declinedSchema> => ({
  id: null, application_id: idOf('application', sequence), state: 'declined', amount: formatMicro(amount), months, grade, score, reasons,
});

/** A facility as it is when it is offered. */
function offeredView(ack: Ack): FacilityTermsView {
  const [offered, terms] = [expectEvent(ack, 'facilityOffered'), expectEvent(ack, 'facilityTerms')];
  const [revenueShare, repayment] = [eventOf(ack.events, 'revenueShareSet'), eventOf(ack.events, 'repaymentTermsSet')];
  return {
    ...offered, ...terms, method: offered.method as FacilityView['method'], dayCount: terms.dayCount as FacilityView['dayCount'],
    dueDateRoll: terms.dueDateRoll as FacilityView['dueDateRoll'], interestOnly: repayment?.interestOnly ?? 0, refine: repayment?.refine ?? false, state: 'offered', drawn: 0, undrawn: 0, principal: 0, accruedInterest: 0, fees: 0, frozenFraction: 0, frozenReason: '', daysPastDue: 0,
    acceptedAt: 0, maturesAt: 0, offerExpiresAt: terms.expiresAt, exposure: 0, exposureLimit: 0, revenueShare: revenueShare === undefined ? null : { withheld: revenueShare.share, cap: revenueShare.cap, revenue: revenueShare.revenue },
  };
}

/** An id that is none of ours is a facility nobody has. */
export const facilityNumber = (id: string): number => {
  const number = parseId('facility', id);
  if (number === undefined) throw new ApiError('unknown_facility');
  return number;
};

const accept = route({
  method: 'post', path: '/api/v1/facilities/{id}/accept', operationId: 'acceptFacility', summary: 'Accept an offer', tag, scope: 'credit', roles: borrower, params: idParams,
  responses: { 200: { description: 'The facility is active.', schema: z.object({ id: text, state: text }) } },
  async handle(context) {
    const actor = principalIn(context);
    const ack = await submit(context, { type: 'acceptFacility', company: actor.company, facility: facilityNumber(context.params.id) });
    const event = expectEvent(ack, 'facilityStateChanged');
    await recordAct(context.services.database, ack, { actor, action: 'facility.accept', target: context.params.id });
    return { status: 200, body: { id: idOf('facility', event.facility), state: event.state } };
  },
});

const draw = route({
  method: 'post', path: '/api/v1/facilities/{id}/draws', operationId: 'drawFacility', summary: 'Take money from the facility and mint credits with it', tag, scope: 'credit', roles: borrower,
  params: idParams, body: z.strictObject({ amount: decimal }),
  responses: { 201: { description: 'The lot that was minted.', schema: z.object({ lot: lotSchema, amount: text, fee: text }) } },
  async handle(context) {
    const actor = principalIn(context);
    const ack = await submit(context, { type: 'draw', company: actor.company, facility: facilityNumber(context.params.id), amount: moneyOf('amount', context.body.amount) });
    const drawn = expectEvent(ack, 'facilityDrawn');
    await recordAct(context.services.database, ack, { actor, action: 'facility.draw', target: context.params.id, details: { amount: formatMicro(drawn.amount) } });
    return { status: 201, body: { lot: mintedLotWire(expectEvent(ack, 'lotMinted')), amount: formatMicro(drawn.amount), fee: formatMicro(drawn.fee) } };
  },
});

/** After a default the day's end may have applied other money of the borrower in the same command. */
const repaidOf = (ack: Ack, asked: number): EventOf<'repaid'> =>
  ack.events.find((event): event is EventOf<'repaid'> & EngineEvent => event.kind === 'repaid' && event.amount === asked) ?? expectEvent(ack, 'repaid');

const repay = route({
  method: 'post', path: '/api/v1/facilities/{id}/repayments', operationId: 'repayFacility', summary: 'Repay interest, then principal', tag, scope: 'credit', roles: borrower,
  params: idParams, body: z.strictObject({ amount: decimal, mode: z.enum(PREPAYMENT_MODES).optional().describe('What is paid before it is due: fewer instalments, lower ones, or the next in advance; absent: the next instalment, and of what is more fewer') }),
  responses: { 201: { description: 'What the money paid.', schema: z.object({ amount: text, interest: text, principal: text, fees: text, recovered: text.describe('Of a debt that was written off'), unapplied: text }) } },
  async handle(context) {
    const { company } = principalIn(context);
    const { body, params } = context;
    const asked = moneyOf('amount', body.amount);
    const ack = await submit(context, { type: 'repay', company, facility: facilityNumber(params.id), amount: asked, mode: body.mode ?? 'next', bankCovers: context.services.config.demo });
    const recovered = eventOf(ack.events, 'recovered')?.amount;
    // For a loan that was given up nothing is repaid any more; what comes in is a recovery.
    const paid = recovered === undefined ? repaidOf(ack, asked) : { amount: asked, interest: 0, principal: 0, fees: 0, unapplied: asked - recovered };
    const { amount, interest, principal, fees, unapplied } = paid;
    return {
      status: 201,
      body: {
        amount: formatMicro(amount), interest: formatMicro(interest), principal: formatMicro(principal), fees: formatMicro(fees), recovered: formatMicro(recovered ?? 0), unapplied: formatMicro(unapplied),
      },
    };
  },
});

const returnCredits = route({
  method: 'post', path: '/api/v1/facilities/{id}/returns', operationId: 'returnCredits', summary: 'Give unspent credits back at cost', tag, scope: 'credit', roles: borrower,
  params: idParams, body: z.strictObject({ lot_id: identifier, credits: decimal }),
  responses: { 201: { description: 'What the credits paid back.', schema: z.object({ lot_id: text, credits: text, principal: text }) } },
  async handle(context) {
    const { company } = principalIn(context);
    const { body, params } = context;
    const lot = parseId('lot', body.lot_id);
    if (lot === undefined) throw new ApiError('unknown_lot', { field: 'lot_id' });
    const returned = expectEvent(
      await submit(context, { type: 'returnCredits', company, facility: facilityNumber(params.id), lot, credits: moneyOf('credits', body.credits) }), 'creditsReturned',
    );
    return { status: 201, body: { lot_id: idOf('lot', returned.lot), credits: formatMicro(returned.credits), principal: formatMicro(returned.principal) } };
  },
});

const list = route({
  method: 'get', path: '/api/v1/facilities', operationId: 'listFacilities', summary: "One's own facilities, or those one funds", tag, scope: 'read', query: z.strictObject(pageQuery),
  responses: { 200: { description: 'Newest first.', schema: pageOf(facilitySchema) } },
  async handle(context) {
    const { services } = context;
    const views = await facilitiesOf(services, principalIn(context));
    return { status: 200, body: pageOfRows(views, context.query, (view) => [view.facility], (view) => facilityWire(services.directory, view)) };
  },
});

/** What the principal may see: a borrower its own, a lender what it funds, an operator all. */
export function facilitiesOf(services: Services, principal: Pick<Principal, 'company' | 'role'>): Promise<FacilityView[]> {
  const { company, role } = principal;
  return facilityViews(services.sequencer, role === 'operator' ? { company: EVERYBODY, lender: false } : { company, lender: role === 'lender' });
}

/** @throws ApiError unknown_facility, also for one that the principal may not see */
export async function visibleFacility(services: Services, principal: Principal, id: string): Promise<FacilityView> {
  const view = await services.sequencer.query('facility', { facility: facilityNumber(id) });
  const may = view !== null && (view.company === principal.company || view.shares.some(({ lender }) => lender === principal.company) || principal.role === 'operator');
  if (!may) throw new ApiError('unknown_facility');
  return view;
}

const read = route({
  method: 'get', path: '/api/v1/facilities/{id}', operationId: 'getFacility', summary: 'One facility', tag, scope: 'read', params: idParams,
  responses: { 200: { description: 'As of the last command.', schema: facilitySchema } },
  handle: async (context) => ({
    status: 200, body: facilityWire(context.services.directory, await visibleFacility(context.services, principalIn(context), context.params.id)),
  }),
});

const schedule = route({
  method: 'get', path: '/api/v1/facilities/{id}/schedule', operationId: 'getSchedule', summary: 'Instalments that are left', tag, scope: 'read', params: idParams,
  responses: { 200: { description: 'In order of their dates.', schema: z.object({ rows: z.array(scheduleRowSchema) }) } },
  async handle(context) {
    const view = await visibleFacility(context.services, principalIn(context), context.params.id);
    return { status: 200, body: { rows: view.schedule.map(scheduleRowWire) } };
  },
});

export const facilitiesRoutes: Route[] = [apply, accept, draw, repay, returnCredits, list, read, schedule];
