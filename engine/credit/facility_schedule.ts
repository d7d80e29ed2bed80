/** A facility's repayment plan: what is outstanding, spread over the instalments still to come. */
import type { ScheduleRow } from '../events.ts';
import type { Facility } from '../state.ts';
import { MICRO, MILLIS_PER_DAY } from '../units.ts';
import type { Day, Micro } from '../units.ts';
import { addMonths } from './dates.ts';
import { Exact } from './exact.ts';
import { repaymentSchedule } from './schedule.ts';

const MICRO_PER_CENT = 10_000;

/**
 * Monthly instalments from today on the facility's due dates; amounts in micro-USD. What a whole cent
 * cannot carry is due with the last instalment.
 */
export function scheduleOf(facility: Facility, principal: Micro, today: Day): ScheduleRow[] {
  if (principal === 0) return [];
  const accepted = Math.floor(facility.acceptedAt / MILLIS_PER_DAY);
  const dueDates = Array.from({ length: facility.months }, (_, index) => addMonths(accepted, index + 1)).filter((due) => due > today);
  const cents = Math.floor(principal / MICRO_PER_CENT);
  const fraction = principal - cents * MICRO_PER_CENT;
  if (dueDates.length === 0 || cents === 0) return [{ number: 1, due: dueDates[0] ?? today, principal, interest: 0, balance: 0 }];
  const rows = repaymentSchedule({
    principal: cents, annualRate: new Exact(facility.annualRate).div(MICRO), periods: dueDates.length, disbursedOn: today, firstDueOn: dueDates[0],
    dayCount: 'ACT/365', every: 1, unit: 'months', method: facility.method,
  });
  const last = rows.length;
  return rows.map((row) => ({
    number: row.number,
    due: row.dueOn,
    principal: row.principal * MICRO_PER_CENT + (row.number === last ? fraction : 0),
    interest: row.interest * MICRO_PER_CENT,
    balance: row.number === last ? 0 : row.balance * MICRO_PER_CENT + fraction,
  }));
}
