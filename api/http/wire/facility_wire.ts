/** Facilities as they are sent. */
import { z } from 'zod';
import type { FacilityView } from '../../../engine/queries.ts';
import type { ScheduleRow } from '../../../engine/events.ts';
import { formatMicro } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { idOf } from '../../ids.ts';
import { formatDay, formatPercent, formatRate, formatTime } from './amounts.ts';

const text = z.string();
export const facilitySchema = z.object({
  id: text,
  company: text,
  company_id: text,
  lender: text,
  state: text,
  amount: text,
  months: z.number().int(),
  method: text,
  grade: text,
  score: z.number(),
  reasons: z.array(text),
  annual_rate_percent: text,
  conversion_rate: text,
  origination_fee_percent: text,
  drawn: text,
  undrawn: text,
  principal: text,
  accrued_interest: text,
  fees: text,
  frozen_fraction: text,
  days_past_due: z.number().int(),
  accepted_at: text.nullable(),
  matures_at: text.nullable(),
  lenders: z.array(z.object({ lender: text, amount: text })).describe('Who funds it, and how much each'),
  day_count: text,
  due_date_roll: text,
  draw_on_demand: z.boolean(),
  interest_only_periods: z.number().int().describe('Instalments at the beginning that ask for interest alone'),
  refine: z.boolean().describe('What rounding leaves to the last instalment of an annuity is spread over all'),
  offer_expires_at: text.nullable(),
  exposure: text.describe('Net unsecured exposure, USD'),
  exposure_limit: text,
  revenue_share: z.object({ withheld_percent: text, cap: text.describe('The most that is ever paid, as a multiple of what was lent'), monthly_revenue: text }).nullable().describe('Of the method revenue_share'),
});
export type FacilityWire = z.infer<typeof facilitySchema>;

const timeOrNull = (millis: number): string | null => (millis > 0 ? formatTime(millis) : null);

/** What of a facility is sent; of an offer nothing else is known. */
export type FacilityTermsView = Pick<
  FacilityView,
  | 'facility' | 'company' | 'lender' | 'state' | 'amount' | 'months' | 'method' | 'grade' | 'score' | 'reasons' | 'annualRate' | 'conversionRate' | 'originationFee' | 'drawn'
  | 'undrawn' | 'principal' | 'accruedInterest' | 'fees' | 'frozenFraction' | 'frozenReason' | 'daysPastDue' | 'acceptedAt' | 'maturesAt' | 'shares' | 'dayCount'
  | 'dueDateRoll' | 'interestOnly' | 'refine' | 'drawOnDemand' | 'offerExpiresAt' | 'exposure' | 'exposureLimit' | 'revenueShare'
>;

export const facilityWire = (directory: Directory, view: FacilityTermsView): FacilityWire => ({
  id: idOf('facility', view.facility),
  company: directory.companyName(view.company),
  company_id: idOf('company', view.company),
  lender: directory.companyName(view.lender),
  state: view.state,
  amount: formatMicro(view.amount),
  months: view.months,
  method: view.method,
  grade: view.grade,
  score: view.score,
  reasons: view.reasons,
  annual_rate_percent: formatPercent(view.annualRate),
  conversion_rate: formatRate(view.conversionRate),
  origination_fee_percent: formatPercent(view.originationFee),
  drawn: formatMicro(view.drawn),
  undrawn: formatMicro(view.undrawn),
  principal: formatMicro(view.principal),
  accrued_interest: formatMicro(view.accruedInterest),
  fees: formatMicro(view.fees),
  frozen_fraction: formatRate(view.frozenFraction),
  days_past_due: view.daysPastDue,
  accepted_at: timeOrNull(view.acceptedAt),
  matures_at: timeOrNull(view.maturesAt),
  lenders: view.shares.map(({ lender, amount }) => ({ lender: directory.companyName(lender), amount: formatMicro(amount) })),
  day_count: view.dayCount,
  due_date_roll: view.dueDateRoll,
  draw_on_demand: view.drawOnDemand,
  interest_only_periods: view.interestOnly,
  refine: view.refine,
  offer_expires_at: view.state === 'offered' ? timeOrNull(view.offerExpiresAt) : null,
  exposure: formatMicro(view.exposure),
  exposure_limit: formatMicro(view.exposureLimit),
  revenue_share: view.revenueShare === null ? null : {
    withheld_percent: formatPercent(view.revenueShare.withheld), cap: formatRate(view.revenueShare.cap), monthly_revenue: formatMicro(view.revenueShare.revenue),
  },
});

export const scheduleRowSchema = z.object({
  number: z.number().int(), due_date: text, principal: text, interest: text, fees: text.describe('Late fees'), due: text.describe('What is left to pay of it'), balance: text,
  is_due: z.boolean(),
});
export const scheduleRowWire = (row: ScheduleRow): z.infer<typeof scheduleRowSchema> => ({
  number: row.number,
  due_date: formatDay(row.due),
  principal: formatMicro(row.principal),
  interest: formatMicro(row.interest),
  fees: formatMicro(row.fee),
  due: formatMicro(row.principal + row.interest + row.fee),
  balance: formatMicro(row.balance),
  is_due: row.billed,
});
