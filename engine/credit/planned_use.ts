/** What a borrower planned to spend on compute, against which its use is held. */
import type { FacilityApplication } from '../commands.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { MILLIS_PER_DAY } from '../numbers/units.ts';
import type { Day, Micro, Millis } from '../numbers/units.ts';
import { addMonths } from './dates.ts';

const PLAN_DAYS = 30;

/** The month of the plan in which a day lies, counted from acceptance; what lasts longer goes on as its last month. */
function monthOf(start: Day, day: Day, months: number): number {
  let month = 0;
  while (month < months - 1 && addMonths(start, month + 1) <= day) month++;
  return month;
}

/** Of the thirty days before `day`: each month's plan by the day, or without one the commitment spread over its months. Never zero, for a share is taken of it. */
export function plannedUse({ amount, months, acceptedAt, application }: { amount: Micro; months: number; acceptedAt: Millis; application: FacilityApplication }, day: Day): Micro {
  const { computePlan = [] } = application;
  if (computePlan.length === 0) return Math.max(1, mulDiv(amount, PLAN_DAYS * 12, months * 365));
  const start = Math.floor(acceptedAt / MILLIS_PER_DAY);
  const days = computePlan.map(() => 0);
  for (let past = 1; past <= PLAN_DAYS; past++) days[monthOf(start, day - past, days.length)]++;
  return Math.max(1, days.reduce((sum, count, month) => sum + mulDiv(computePlan[month], count * 12, 365), 0));
}

/** What is planned over all months of a facility; undefined without a plan. */
export function plannedInAll({ computePlan = [] }: FacilityApplication, months: number): Micro | undefined {
  if (computePlan.length === 0) return undefined;
  return Array.from({ length: months }, (_, month) => computePlan[Math.min(month, computePlan.length - 1)]).reduce((sum, planned) => sum + planned, 0);
}
