/** A facility's repayment plan: what is outstanding and not yet due, spread over the instalments still to come. */
import type { ScheduleRow } from '../events.ts';
import type { Facility } from '../lending/facility.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { MICRO, MICRO_PER_CENT, MILLIS_PER_DAY } from '../numbers/units.ts';
import type { Day, Micro } from '../numbers/units.ts';
import { dueDateOf } from './due_dates.ts';
import { Exact, type Fraction } from './exact.ts';
import { interestMostOf, revenueInstalments, withheldOf } from './revenue_share.ts';
import { periodsOf, plannedInstalment, repaymentSchedule } from './schedule.ts';
import type { Instalment, ScheduleTerms } from './schedule.ts';


export interface Plan {
  rows: ScheduleRow[];
  /** What the next plan keeps when the loan is to be shorter instead of cheaper. */
  instalment: Micro;
}

/** A period in which interest has accrued already. */
export interface RunningPeriod {
  from: Day;
  /** All interest that its instalment asks for on a day, in micro-USD. */
  interestBy: (due: Day) => Micro;
}

const NOTHING: Plan = { rows: [], instalment: 0 };
const UPCOMING = { fee: 0, billed: false, late: false } as const;

/**
 * Monthly instalments after today and after the last one billed; amounts in micro-USD. What a whole
 * cent cannot carry is due with the last. `accrued`: interest of today that no instalment has been billed for yet.
 * `keep` above 0: instalments stay as they were, and end earlier. `running`: an annuity is that of whole periods, and of the
 * first instalment that goes to principal which its interest leaves, so that instalments stay alike.
 */
export function planOf(facility: Facility, principal: Micro, accrued: Micro, today: Day, billed: number, keep: Micro, running?: RunningPeriod): Plan {
  if (principal === 0 && accrued === 0) return NOTHING;
  const start = Math.floor(facility.acceptedAt / MILLIS_PER_DAY);
  const dates: { number: number; due: Day }[] = [];
  for (let number = billed + 1; number <= facility.months; number++) {
    const due = dueDateOf(start, number, facility.dueDateRoll);
    if (due > today) dates.push({ number, due });
  }
  const cents = Math.floor(principal / MICRO_PER_CENT);
  const fraction = principal - cents * MICRO_PER_CENT;
  if (dates.length === 0 || cents === 0) {
    const { number, due } = dates[0] ?? { number: Math.max(billed + 1, facility.months), due: today };
    return { rows: [{ ...UPCOMING, number, due, principal, interest: accrued, balance: 0 }], instalment: keep };
  }
  const calendar = {
    principal: cents, annualRate: new Exact(facility.annualRate).div(MICRO), periods: dates.length, disbursedOn: today, dueDates: dates.map(({ due }) => due),
    dayCount: facility.dayCount, every: 1, unit: 'months',
  } as const;
  if (facility.method === 'revenue_share') return revenuePlan(facility, principal, accrued, dates, periodsOf({ ...calendar, method: 'annuity' }).map(({ rate }) => rate));
  const first = facility.method === 'annuity' && running !== undefined ? { from: running.from, interest: running.interestBy(dates[0].due) } : undefined;
  const terms: ScheduleTerms = {
    ...calendar, ...(first === undefined ? {} : { disbursedOn: first.from, firstInterest: toCents(first.interest) }), method: facility.method, keepInstalment: keep === 0 ? undefined : Math.round(keep / MICRO_PER_CENT),
    flatOn: facility.method === 'flat' ? Math.round(facility.lent / MICRO_PER_CENT) : undefined, neverGrows: true,
  };
  const instalments = repaymentSchedule(terms);
  return {
    rows: instalments.map((row, index) => rowOf(row, dates[index].number, index === instalments.length - 1, fraction, index > 0 ? 0 : first === undefined ? accrued : first.interest - toCents(first.interest) * MICRO_PER_CENT)),
    instalment: keep === 0 ? plannedInstalment(terms) * MICRO_PER_CENT : keep,
  };
}

const toCents = (amount: Micro): number => mulDiv(amount, 1, MICRO_PER_CENT);

/** Every coming month's share of a revenue that stays as it is. */
function revenuePlan(facility: Facility, principal: Micro, accrued: Micro, dates: readonly { number: number; due: Day }[], rates: readonly Fraction[]): Plan {
  const { revenueShare, lent, accrualPosted } = facility;
  if (revenueShare === undefined) return NOTHING;
  const share = withheldOf(revenueShare);
  const rows = revenueInstalments({ principal, accrued, share, interestMost: interestMostOf(revenueShare, lent) - accrualPosted, rates });
  return { rows: rows.map((row, index) => ({ ...UPCOMING, ...dates[index], ...row })), instalment: share };
}

const rowOf = ({ dueOn, principal, interest, balance }: Instalment, number: number, last: boolean, fraction: Micro, accrued: Micro): ScheduleRow => ({
  ...UPCOMING,
  number,
  due: dueOn,
  principal: principal * MICRO_PER_CENT + (last ? fraction : 0),
  interest: interest * MICRO_PER_CENT + accrued,
  balance: last ? 0 : balance * MICRO_PER_CENT + fraction,
});
