/** Around a facility: what a borrower signs, how it ends, other terms, what it reports; who else decides; the kill switches. */
import { z } from 'zod';
import { GRADES } from '../../../engine/vocabulary.ts';
import type { CovenantTerms, OverruleFacility } from '../../../engine/commands.ts';
import type { Grade } from '../../../engine/vocabulary.ts';
import { AprError, annualPercentageRate } from '../../../engine/credit/apr.ts';
import { civilOf, parseDate } from '../../../engine/credit/dates.ts';
import { dayNumber } from '../../../engine/credit/day_count.ts';
import { dueDateOf } from '../../../engine/credit/due_dates.ts';
import { Exact, formatPercent as formatExactPercent, whole } from '../../../engine/credit/exact.ts';
import { interestMostOf, revenueInstalments, withheldOf } from '../../../engine/credit/revenue_share.ts';
import { periodsOf, repaymentSchedule } from '../../../engine/credit/schedule.ts';
import type { ScheduleTerms } from '../../../engine/credit/schedule.ts';
import type { FacilityView } from '../../../engine/queries.ts';
import { CONSEQUENCES, COVENANTS, SWITCHES } from '../../../engine/lending/facility.ts';
import type { MoneyRules } from '../../../engine/lending/facility.ts';
import { MICRO, MICRO_PER_CENT, MILLIS_PER_DAY, formatMicro, formatUnits } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';
import { idOf, parseId } from '../../ids.ts';
import { lotSchema, mintedLotWire } from './account_routes.ts';
import { formatDay, formatPercent, formatRate, moneyOf, percentOf } from '../wire/amounts.ts';
import { recordAudit } from '../middleware/audit.ts';
import { loanBuys, perUsd } from './calculator_routes.ts';
import { principalIn } from '../middleware/caller.ts';
import { applicationBody, applicationOf, decidedWire, facilityNumber, offerSchema, repaymentOf, termsBody, termsOf, visibleFacility } from './facilities_routes.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { calendarDay, decimal, idParams, identifier, line, sharePercent } from '../wire/schemas.ts';
import { expectEvent, submit } from '../submit.ts';
import { confirmedByTwo, onceOfPerson, pendingSchema } from '../two_persons.ts';

const tag = 'facilities';
const text = z.string();
const borrower = ['borrower'] as const;
const operator = ['operator'] as const;

export const disclosureSchema = z.object({
  amount: text, annual_rate_percent: text, origination_fee: text, total_interest: text, total_cost: text, apr_us_percent: text.nullable(), apr_eu_percent: text.nullable(),
  conversion_rate: text, effective_conversion_rate: text.describe('Credits for each USD that is repaid in all'), payments: z.array(z.object({ on: text, amount: text })),
  classes: z.array(z.unknown()).describe('What the credits buy at list price and from the live book'),
});

/** What so many cents lent today are repaid by; of revenue its share, were it to stay as it is. */
function instalmentsOf(view: FacilityView, principal: number, today: number): { on: number; principal: number; interest: number }[] {
  const terms: ScheduleTerms = {
    principal, annualRate: new Exact(view.annualRate).div(MICRO), periods: view.months, disbursedOn: today, dayCount: view.dayCount, every: 1, unit: 'months',
    method: view.method === 'revenue_share' ? 'annuity' : view.method, dueDates: Array.from({ length: view.months }, (_, index) => dueDateOf(today, index + 1, view.dueDateRoll)),
    dayNumber: (day) => dayNumber(view.dayCount, day, civilOf(today).day), interestOnly: view.interestOnly, refine: view.refine,
  };
  if (view.revenueShare === null) return repaymentSchedule(terms).map(({ dueOn, principal: repaid, interest }) => ({ on: dueOn, principal: repaid, interest }));
  const periods = periodsOf(terms);
  return revenueInstalments({
    principal, accrued: whole(0), carriesFractions: true, share: withheldOf(view.revenueShare) / MICRO_PER_CENT, interestMost: interestMostOf(view.revenueShare, principal), rates: periods.map(({ rate }) => rate),
  }).map((row, index) => ({ on: periods[index].dueOn, principal: row.principal, interest: row.interest }));
}

/** The whole commitment drawn today and repaid as agreed. */
function disclosureOf(view: FacilityView, today: number): Omit<z.infer<typeof disclosureSchema>, 'classes'> & { credits: number; cost: number } {
  const principal = Math.floor(view.amount / MICRO_PER_CENT);
  const fee = new Exact(principal).times(view.originationFee).div(MICRO).toDecimalPlaces(0).toNumber();
  const rows = instalmentsOf(view, principal + fee, today);
  const interest = rows.reduce((sum, row) => sum + row.interest, 0);
  const payments = rows.map((row) => ({ on: row.on, amount: row.principal + row.interest }));
  const rate = (method: 'us' | 'eu'): string | null => {
    try {
      return formatExactPercent(annualPercentageRate(method, [{ on: today, amount: principal }], payments));
    } catch (error) {
      if (error instanceof AprError) return null;
      throw error;
    }
  };
  const cents = (value: number): string => formatUnits(value, 2, 2);
  const credits = new Exact(view.amount).times(view.conversionRate).div(MICRO).toDecimalPlaces(0).toNumber();
  const cost = principal + fee + interest;
  return {
    amount: formatMicro(view.amount), annual_rate_percent: formatUnits(view.annualRate, 4, 2), origination_fee: cents(fee), total_interest: cents(interest), total_cost: cents(cost),
    apr_us_percent: rate('us'), apr_eu_percent: rate('eu'), conversion_rate: formatUnits(view.conversionRate, 6, 2),
    effective_conversion_rate: perUsd(new Exact(credits), cost), payments: payments.map(({ on, amount }) => ({ on: formatDay(on), amount: cents(amount) })),
    credits, cost,
  };
}

const disclosure = route({
  method: 'get', path: '/api/v1/facilities/{id}/disclosure', operationId: 'getDisclosure', summary: 'What a borrower signs: rates by both definitions, all costs, what the credits buy', tag, scope: 'read',
  params: idParams, responses: { 200: { description: 'As if all were drawn today.', schema: disclosureSchema } },
  async handle(context) {
    const { services } = context;
    const view = await visibleFacility(services, principalIn(context), context.params.id);
    const { credits, cost, ...body } = disclosureOf(view, Math.floor(services.committed.now / 86_400_000));
    return { status: 200, body: { ...body, classes: loanBuys(services, credits, cost) } };
  },
});

const payoff = route({
  method: 'get', path: '/api/v1/facilities/{id}/payoff', operationId: 'getPayoff', summary: 'What pays the loan in full on a day', tag, scope: 'read', params: idParams,
  query: z.strictObject({ on: calendarDay.optional().describe('Today or later') }),
  responses: { 200: { description: 'Principal, interest up to that day, and fees.', schema: z.object({ on: text, principal: text, interest: text, fees: text, total: text }) } },
  async handle(context) {
    const { services, params, query } = context;
    const view = await visibleFacility(services, principalIn(context), params.id);
    const day = query.on === undefined ? 0 : (parseDate(query.on) ?? 0);
    if (query.on !== undefined && day < Math.floor(services.committed.now / MILLIS_PER_DAY)) throw new ApiError('invalid_request', { field: 'on', values: { detail: 'on: has passed' } });
    const quote = await services.sequencer.query('payoff', { facility: view.facility, day });
    if (quote === null) throw new ApiError('unknown_facility');
    const { principal, interest, fees, total } = quote;
    return { status: 200, body: { on: formatDay(quote.day), principal: formatMicro(principal), interest: formatMicro(interest), fees: formatMicro(fees), total: formatMicro(total) } };
  },
});

/** Of the terms of an application those that may be asked for anew; the others stay. */
const { amount, months, method, interest_only_periods, refine } = termsBody;

const counter = route({
  method: 'post', path: '/api/v1/facilities/{id}/counter', operationId: 'counterOffer', summary: 'Ask for other terms on the same application; a new offer replaces this one', tag, scope: 'credit',
  roles: borrower, params: idParams, body: z.strictObject({ amount, months, method, interest_only_periods, refine }),
  responses: { 201: { description: 'The new offer, or why there is none.', schema: offerSchema } },
  async handle(context) {
    const { services, body, params } = context;
    const { company } = principalIn(context);
    const ack = await submit(context, {
      type: 'counterOffer', company, facility: facilityNumber(params.id), amount: moneyOf('amount', body.amount), ...repaymentOf(body),
    });
    return { status: 201, body: decidedWire(services, ack) };
  },
});

const options = route({
  method: 'post', path: '/api/v1/facilities/{id}/options', operationId: 'setFacilityOptions', summary: 'Let a bid that is short of credit draw what is missing', tag, scope: 'credit', roles: borrower,
  params: idParams, body: z.strictObject({ draw_on_demand: z.boolean() }),
  responses: { 200: { description: 'Set.', schema: z.object({ id: text, draw_on_demand: z.boolean() }) } },
  async handle(context) {
    const { company } = principalIn(context);
    const set = expectEvent(
      await submit(context, { type: 'setFacilityOption', company, facility: facilityNumber(context.params.id), drawOnDemand: context.body.draw_on_demand }), 'facilityOptionSet',
    );
    return { status: 200, body: { id: idOf('facility', set.facility), draw_on_demand: set.drawOnDemand } };
  },
});

const financials = route({
  method: 'post', path: '/api/v1/facilities/{id}/financials', operationId: 'reportFinancials', summary: 'Report cash and burn, by which covenants are tested, and a month\'s revenue, of which a share may be due', tag, scope: 'credit', roles: borrower,
  params: idParams, body: z.strictObject({ cash: decimal, monthly_burn: decimal, monthly_revenue: decimal.optional() }),
  responses: { 200: { description: 'What the tests came to.', schema: z.object({ covenants: z.array(z.object({ covenant: text, kept: z.boolean() })) }) } },
  async handle(context) {
    const { body, params } = context;
    const { company } = principalIn(context);
    await submit(context, {
      type: 'reportFinancials', company, facility: facilityNumber(params.id), cash: moneyOf('cash', body.cash), monthlyBurn: moneyOf('monthly_burn', body.monthly_burn),
      ...(body.monthly_revenue === undefined ? {} : { monthlyRevenue: moneyOf('monthly_revenue', body.monthly_revenue) }),
    });
    const view = await visibleFacility(context.services, principalIn(context), params.id);
    return { status: 200, body: { covenants: view.covenants.map(({ kind, breachedOn }) => ({ covenant: kind, kept: breachedOn === 0 })) } };
  },
});

const decline = route({
  method: 'post', path: '/api/v1/facilities/{id}/decline', operationId: 'declineFacility', summary: 'Not fund what a mandate took, within a day of the offer', tag: 'lender', scope: 'lend',
  roles: ['lender'], params: idParams, body: z.strictObject({ reason: line(500).default('') }),
  responses: { 200: { description: 'Declined; another lender may have taken the place.', schema: z.object({ id: text, reassigned: z.boolean() }) } },
  async handle(context) {
    const actor = principalIn(context);
    const ack = await submit(context, { type: 'declineFacility', company: actor.company, facility: facilityNumber(context.params.id), reason: context.body.reason });
    const ended = ack.events.some(({ kind }) => kind === 'facilityStateChanged');
    if (!ack.repeated) await recordAudit(context.services.database, { at: ack.now, actor, action: 'decline', target: context.params.id, reason: context.body.reason, sequence: ack.sequence });
    return { status: 200, body: { id: context.params.id, reassigned: !ended } };
  },
});

const covenantBody = z.strictObject({
  covenant: z.enum(COVENANTS), threshold: decimal.describe('Months of runway, USD of cash, or percent of the planned use'), cure_days: z.number().int().min(0).max(365),
  consequence: z.enum(CONSEQUENCES),
});

const covenantOf = ({ covenant, threshold, cure_days: cureDays, consequence }: z.infer<typeof covenantBody>): CovenantTerms => ({
  kind: covenant, threshold: covenant === 'use' ? percentOf('covenants.threshold', threshold) : moneyOf('covenants.threshold', threshold), cureDays, consequence,
});

const covenantSchema = z.object({
  covenant: z.enum(COVENANTS), threshold: text, cure_days: z.number().int(), consequence: z.enum(CONSEQUENCES), kept: z.boolean(), tested_on: text.nullable(), breached_on: text.nullable(),
});

const covenants = route({
  method: 'get', path: '/api/v1/facilities/{id}/covenants', operationId: 'getCovenants', summary: 'What the borrower promised, and how the last tests came out', tag, scope: 'read', params: idParams,
  responses: { 200: { description: 'Runway in months, cash in USD, use in percent of plan.', schema: z.object({ data: z.array(covenantSchema) }) } },
  async handle(context) {
    const view = await visibleFacility(context.services, principalIn(context), context.params.id);
    const dayOrNull = (day: number): string | null => (day === 0 ? null : formatDay(day));
    const data = view.covenants.map(({ kind, threshold, cureDays, consequence, breachedOn, testedOn }) => ({
      covenant: kind, threshold: kind === 'use' ? formatPercent(threshold) : formatMicro(threshold), cure_days: cureDays, consequence, kept: breachedOn === 0, tested_on: dayOrNull(testedOn),
      breached_on: dayOrNull(breachedOn),
    }));
    return { status: 200, body: { data } };
  },
});

const moneyRulesSchema = z.object({
  redemption_rate: text.describe('USD a provider receives for each CR delivered'), spread_minimum: text, conversion_rate: text.nullable().describe('One for everybody; null: the tiers'),
});

const readMoneyRules = route({
  method: 'get', path: '/api/v1/money-rules', operationId: 'getMoneyRules', summary: 'Redemption rate, least spread, conversion', tag: 'operator', scope: 'read',
  responses: { 200: { description: 'As of the last command.', schema: moneyRulesSchema } },
  async handle({ services }) {
    const { money } = await services.sequencer.query('switches', {});
    return { status: 200, body: moneyRulesWire(money) };
  },
});

export const moneyRulesWire = ({ redemptionRate, spreadMinimum, conversionRate: rate }: MoneyRules): z.infer<typeof moneyRulesSchema> => ({
  redemption_rate: formatRate(redemptionRate), spread_minimum: formatRate(spreadMinimum), conversion_rate: rate === 0 ? null : formatRate(rate),
});

/** A rate with up to six places. @throws ApiError */
const rateOf = (field: string, value: string): number => moneyOf(field, value);

const setMoneyRules = route({
  method: 'post', path: '/api/v1/money-rules', operationId: 'setMoneyRules', summary: 'Set the prices of money; two operators make the same call, and what outstanding credit cannot bear is refused', tag: 'operator',
  scope: 'operate', roles: operator,
  body: z.strictObject({ redemption_rate: decimal, spread_minimum: decimal, conversion_rate: decimal.nullish().describe('Absent: the tiers'), reason: line(500) }),
  responses: { 200: { description: 'Set.', schema: moneyRulesSchema }, 202: { description: 'Another operator must make the same call.', schema: pendingSchema } },
  handle(context) {
    const { services, body } = context;
    const actor = principalIn(context);
    const rules = {
      redemptionRate: rateOf('redemption_rate', body.redemption_rate), spreadMinimum: rateOf('spread_minimum', body.spread_minimum),
      conversionRate: typeof body.conversion_rate === 'string' ? rateOf('conversion_rate', body.conversion_rate) : 0,
    };
    return onceOfPerson(context, actor.user, async (transaction) => {
      const { pending, requestedBy } = await confirmedByTwo(transaction, { action: 'money_rules', target: JSON.stringify(rules), reason: body.reason, person: actor.user });
      const entry = { actor, target: 'market', reason: body.reason, details: moneyRulesWire(rules) };
      if (pending !== undefined) {
        await recordAudit(transaction, { ...entry, at: services.committed.now, action: 'money_rules.requested' });
        return pending;
      }
      const ack = await submit({ services, idempotencyKey: '', bodyHash: '' }, { type: 'setMoneyRules', company: actor.company, ...rules });
      await recordAudit(transaction, { ...entry, at: ack.now, action: 'money_rules', details: { ...entry.details, requested_by: requestedBy }, sequence: ack.sequence });
      return { reply: { status: 200, body: moneyRulesWire(rules) } };
    });
  },
});

const overrule = route({
  method: 'post', path: '/api/v1/overrules', operationId: 'overruleDecision', summary: 'Offer a facility against the scorecard; two operators make the same call', tag: 'operator', scope: 'operate',
  roles: operator,
  body: z.strictObject({ company_id: identifier, grade: z.enum(GRADES), annual_rate_percent: sharePercent, reason: line(500), application: applicationBody, ...termsBody, covenants: z.array(covenantBody).max(COVENANTS.length).optional() }),
  responses: { 201: { description: 'The offer.', schema: offerSchema }, 202: { description: 'Another operator must make the same call.', schema: pendingSchema } },
  handle(context) {
    const { services, body } = context;
    const actor = principalIn(context);
    const company = parseId('company', body.company_id);
    if (company === undefined) throw new ApiError('unknown_company', { field: 'company_id' });
    const { reason, ...rest } = body;
    const command: OverruleFacility = {
      type: 'overruleFacility', company: actor.company, borrower: company, ...termsOf(body), grade: body.grade as Grade, annualRate: percentOf('annual_rate_percent', body.annual_rate_percent),
      application: applicationOf(body.application, body.months), reason, ...(body.covenants === undefined ? {} : { covenants: body.covenants.map(covenantOf) }),
    };
    if (services.directory.company(company) === undefined) throw new ApiError('unknown_company', { field: 'company_id' });
    return onceOfPerson(context, actor.user, async (transaction) => {
      // No second person is asked for what cannot be offered.
      const refusal = await services.sequencer.query('overruleRefusal', { command });
      if (refusal !== null) throw new ApiError(refusal);
      const { pending, requestedBy } = await confirmedByTwo(transaction, { action: 'overrule', target: JSON.stringify(rest), reason, person: actor.user });
      const { company_id: target, ...details } = rest;
      if (pending !== undefined) {
        await recordAudit(transaction, { at: services.committed.now, actor, action: 'overrule.requested', target, reason, details });
        return pending;
      }
      const ack = await submit({ services, idempotencyKey: '', bodyHash: '' }, command);
      await recordAudit(transaction, { at: ack.now, actor, action: 'overrule', target, reason, details: { ...details, requested_by: requestedBy }, sequence: ack.sequence });
      return { reply: { status: 201, body: decidedWire(services, ack) } };
    });
  },
});

const grant = route({
  method: 'post', path: '/api/v1/grants', operationId: 'grantCredits', summary: "Pay for another company's credits; what is left of them at their end comes back", tag: 'account', scope: 'account',
  body: z.strictObject({ company_id: identifier, amount: decimal }), responses: { 201: { description: 'The lot that was minted.', schema: z.object({ lot: lotSchema }) } },
  async handle(context) {
    const recipient = parseId('company', context.body.company_id);
    if (recipient === undefined) throw new ApiError('unknown_company', { field: 'company_id' });
    const ack = await submit(context, { type: 'grantCredits', company: principalIn(context).company, recipient, amount: moneyOf('amount', context.body.amount) });
    return { status: 201, body: { lot: mintedLotWire(expectEvent(ack, 'lotMinted')) } };
  },
});

export const switchSchema = z.object({ name: z.enum(SWITCHES), on: z.boolean(), reason: text, sequence: z.number().int() });

const listSwitches = route({
  method: 'get', path: '/api/v1/switches', operationId: 'listSwitches', summary: 'The kill switches of minting, draws and payouts', tag: 'operator', scope: 'operate', roles: operator,
  responses: { 200: { description: 'As of the last command.', schema: z.object({ data: z.array(switchSchema) }) } },
  async handle(context) {
    const { switches } = await context.services.sequencer.query('switches', {});
    return { status: 200, body: { data: SWITCHES.map((name) => ({ name, on: switches[name].on, reason: switches[name].reason, sequence: switches[name].sequence })) } };
  },
});

const setSwitch = route({
  method: 'post', path: '/api/v1/switches', operationId: 'setSwitch', summary: 'Stop minting, draws or payouts at once; two operators start them again', tag: 'operator', scope: 'operate', roles: operator,
  body: z.strictObject({ name: z.enum(SWITCHES), on: z.boolean(), reason: line(500) }),
  responses: { 200: { description: 'Set.', schema: switchSchema }, 202: { description: 'Another operator must make the same call.', schema: pendingSchema } },
  handle(context) {
    const { services, body } = context;
    const actor = principalIn(context);
    return onceOfPerson(context, actor.user, async (transaction) => {
      let details: Record<string, unknown> = {};
      if (!body.on) {
        const { pending, requestedBy } = await confirmedByTwo(transaction, { action: 'switch', target: body.name, reason: body.reason, person: actor.user });
        if (pending !== undefined) {
          await recordAudit(transaction, { at: services.committed.now, actor, action: 'start.requested', target: body.name, reason: body.reason });
          return pending;
        }
        details = { requested_by: requestedBy };
      }
      const ack = await submit({ services, idempotencyKey: '', bodyHash: '' }, { type: 'setSwitch', company: actor.company, name: body.name, on: body.on, reason: body.reason });
      await recordAudit(transaction, { at: ack.now, actor, action: body.on ? 'stop' : 'start', target: body.name, reason: body.reason, details, sequence: ack.sequence });
      return { reply: { status: 200, body: { name: body.name, on: body.on, reason: body.reason, sequence: ack.sequence } } };
    });
  },
});

export const loanRoutes: Route[] = [disclosure, payoff, counter, options, financials, covenants, decline, overrule, readMoneyRules, setMoneyRules, grant, listSwitches, setSwitch];
