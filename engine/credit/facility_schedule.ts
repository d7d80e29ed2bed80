/** A facility's repayment plan: what is outstanding and not yet due, spread over the instalments still to come. */
import type { ScheduleRow } from '../events.ts';
import type { Facility } from '../lending/facility.ts';
import { MICRO, MICRO_PER_CENT, MILLIS_PER_DAY } from '../numbers/units.ts';
import type { Day, Micro } from '../numbers/units.ts';
import { inWholeCents, interestAsked, toCents } from './cents.ts';
import { civilOf } from './dates.ts';
import { dayNumber, isActual } from './day_count.ts';
import { dueDateOf } from './due_dates.ts';
import { Exact, whole, type Fraction } from './exact.ts';
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

/** What is to be spread, and from when on. */
export interface Outstanding {
  principal: Micro;
  /** Interest of today that no instalment has been billed for yet. */
  accrued: Micro;
  today: Day;
  /** The number of the last instalment that was billed. */
  billed: number;
  /** Above 0: instalments stay as they were, and end earlier. */
  keep: Micro;
  /** An annuity is that of whole periods, and of the first instalment that goes to principal which its interest leaves, so that instalments stay alike. */
  running?: RunningPeriod;
  /** Whether what instalments ask for is whole cents, as from rules version 6 on. */
  wholeCents: boolean;
  /** What interest may still come to beside what has accrued: a share of revenue has a cap. Before rules version 7 cents might pass it. */
  room: Micro;
  /** Of a share of revenue, as from rules version 8 on: fractions of a cent that a poor month leaves go on into the next, as in what is billed. */
  carriesFractions: boolean;
}

const NOTHING: Plan = { rows: [], instalment: 0 };
const NO_RATE = whole(0);
const UPCOMING = { fee: 0, billed: false, late: false } as const;

/** Monthly instalments after today and after the last one billed; amounts in micro-USD. What of principal a whole cent cannot carry is due with the last. */
export function planOf(facility: Facility, outstanding: Outstanding): Plan {
  const { principal, accrued, today, billed, keep, running, wholeCents, room, carriesFractions } = outstanding;
  if (principal === 0 && accrued === 0) return NOTHING;
  const start = Math.floor(facility.acceptedAt / MILLIS_PER_DAY);
  const dates: { number: number; due: Day }[] = [];
  for (let number = billed + 1; number <= facility.months; number++) {
    const due = dueDateOf(start, number, facility.dueDateRoll);
    if (due > today) dates.push({ number, due });
  }
  const cents = wholeCents ? toCents(principal) : Math.floor(principal / MICRO_PER_CENT);
  const fraction = principal - cents * MICRO_PER_CENT;
  if (dates.length === 0 || cents === 0) {
    const { number, due } = dates[0] ?? { number: Math.max(billed + 1, facility.months), due: today };
    const interest = wholeCents ? interestAsked(principal, BigInt(running?.interestBy(due) ?? accrued), 1n) : accrued;
    return { rows: [{ ...UPCOMING, number, due, principal, interest, balance: 0 }], instalment: keep };
  }
  const calendar = {
    principal: cents, annualRate: new Exact(facility.annualRate).div(MICRO), periods: dates.length, disbursedOn: today, dueDates: dates.map(({ due }) => due),
    dayCount: facility.dayCount, every: 1, unit: 'months', ...((facility.loanRules ?? 1) >= 3 ? { dayNumber: (day: Day) => dayNumberOf(facility, day) } : {}),
  } as const;
  const interest = running?.interestBy(dates[0].due);
  if (facility.method === 'revenue_share') {
    const rates = periodsOf({ ...calendar, method: 'annuity' }).map(({ rate }) => rate);
    return wholeCents ? revenuePlanInCents(facility, principal, { accrued, asked: interest, room, carriesFractions }, dates, rates) : revenuePlan(facility, principal, accrued, dates, rates);
  }
  // Its last instalment always repays.
  const interestOnly = dates.filter(({ number }) => number <= (facility.interestOnly ?? 0)).length;
  const first = facility.method === 'annuity' && running !== undefined && interest !== undefined ? { from: running.from, interest } : undefined;
  const terms: ScheduleTerms = {
    ...calendar, ...(first === undefined ? {} : { disbursedOn: first.from, firstInterest: toCents(first.interest) }), method: facility.method, keepInstalment: keep === 0 ? undefined : Math.round(keep / MICRO_PER_CENT),
    flatOn: facility.method === 'flat' ? Math.round(facility.lent / MICRO_PER_CENT) : undefined, neverGrows: true,
    ...(interestOnly > 0 ? { interestOnly } : {}), ...(facility.refine === true && keep === 0 ? { refine: true } : {}),
  };
  const instalments = repaymentSchedule(terms);
  // A fraction may be less than nothing: it goes where there is something to take it from.
  const last = wholeCents ? instalments.findLastIndex(({ principal: repaid }) => repaid > 0) : instalments.length - 1;
  const rows = instalments.map((row, index) => rowOf(row, dates[index].number, index === last ? fraction : 0, index < last ? fraction : 0));
  if (wholeCents) rows[0].interest = interest === undefined ? rows[0].interest : inWholeCents(interest);
  else rows[0].interest += first === undefined ? accrued : first.interest - inWholeCents(first.interest);
  return { rows, instalment: keep === 0 ? plannedInstalment(terms) * MICRO_PER_CENT : keep };
}

/** The running number of its days, by which it is charged. */
export const dayNumberOf = ({ dayCount, acceptedAt, loanRules = 1 }: Pick<Facility, 'dayCount' | 'acceptedAt' | 'loanRules'>, day: Day): number =>
  dayNumber(dayCount, day, loanRules >= 3 && !isActual(dayCount) ? civilOf(Math.floor(acceptedAt / MILLIS_PER_DAY)).day : 0);

/** Every coming month's share of a revenue that stays as it is. */
function revenuePlan(facility: Facility, principal: Micro, accrued: Micro, dates: readonly { number: number; due: Day }[], rates: readonly Fraction[]): Plan {
  const { revenueShare, lent, accrualPosted } = facility;
  if (revenueShare === undefined) return NOTHING;
  const share = withheldOf(revenueShare);
  const rows = revenueInstalments({ principal, accrued: whole(accrued), share, interestMost: interestMostOf(revenueShare, lent) - accrualPosted, rates, carriesFractions: false });
  return { rows: rows.map((row, index) => ({ ...UPCOMING, ...dates[index], ...row })), instalment: share };
}

interface RunningInterest {
  accrued: Micro;
  /** What the running period's instalment asks for; absent where nothing has accrued in it. */
  asked: Micro | undefined;
  room: Micro;
  carriesFractions: boolean;
}

/** The same in whole cents. */
function revenuePlanInCents(facility: Facility, principal: Micro, { accrued, asked = accrued, room, carriesFractions }: RunningInterest, dates: readonly { number: number; due: Day }[], rates: readonly Fraction[]): Plan {
  const { revenueShare, lent, accrualPosted } = facility;
  if (revenueShare === undefined) return NOTHING;
  const [share, cents] = [withheldOf(revenueShare), toCents(principal)];
  const most = room === Infinity ? toCents(Math.max(0, interestMostOf(revenueShare, lent) - accrualPosted - (asked - accrued))) : Math.floor(Math.max(0, room - (asked - accrued)) / MICRO_PER_CENT);
  const rows = revenueInstalments({
    principal: cents, accrued: carriesFractions ? { numerator: BigInt(asked), denominator: BigInt(MICRO_PER_CENT) } : whole(toCents(asked)), share: share / MICRO_PER_CENT, interestMost: most, carriesFractions,
    rates: accrued === 0 ? rates : [NO_RATE, ...rates.slice(1)],
  });
  const fraction = principal - cents * MICRO_PER_CENT;
  const before = rows.slice(0, -1).reduce((sum, { interest }) => sum + interest * MICRO_PER_CENT, 0);
  const within = (interest: Micro): Micro => {
    const over = before + interest - accrued - room;
    return over <= 0 ? interest : Math.max(interest % MICRO_PER_CENT, interest - Math.ceil(over / MICRO_PER_CENT) * MICRO_PER_CENT);
  };
  return {
    rows: rows.map((row, index) => {
      const [repaid, interest] = [row.principal * MICRO_PER_CENT, row.interest * MICRO_PER_CENT];
      if (index < rows.length - 1) return { ...UPCOMING, ...dates[index], interest, principal: repaid, balance: row.balance * MICRO_PER_CENT + fraction };
      return { ...UPCOMING, ...dates[index], interest: within(interestAsked(repaid + fraction, BigInt(index === 0 && accrued > 0 ? asked : interest), 1n)), principal: repaid + fraction, balance: 0 };
    }),
    instalment: share,
  };
}

const rowOf = ({ dueOn, principal, interest, balance }: Instalment, number: number, repaid: Micro, left: Micro): ScheduleRow => ({
  ...UPCOMING,
  number,
  due: dueOn,
  principal: principal * MICRO_PER_CENT + repaid,
  interest: interest * MICRO_PER_CENT,
  balance: balance * MICRO_PER_CENT + left,
});
