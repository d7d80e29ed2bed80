/** What is known of a loan and of those who lend it; the prices of money and the switches of the market. */
import type { Evidence, FacilityApplication } from '../commands.ts';
import type { CompanyId, FacilityId, FacilityMethod, Grade, LotId, MandateId, OrderId } from '../vocabulary.ts';
import type { DayCount } from '../credit/day_count.ts';
import type { DueDateRoll } from '../credit/due_dates.ts';
import type { ScheduleRow } from '../events.ts';
import type { ExactSum } from '../numbers/exact_sum.ts';
import type { Day, Micro, Millis, Ppm, Ticks } from '../numbers/units.ts';

export type FacilityState = 'offered' | 'active' | 'watch' | 'cancel_only' | 'frozen' | 'defaulted' | 'written_off' | 'closed' | 'declined';

/** A lender's part of a facility. */
export interface Share {
  readonly mandate: MandateId;
  readonly lender: CompanyId;
  readonly amount: Micro;
  /** What its money has cost so far, rounded over the whole life. */
  costPosted: Micro;
  /** What of it has been paid back and is in no commitment any more; absent: nothing, or before rules version 7. */
  returned?: Micro;
}

export const COVENANTS = ['runway', 'minimum_cash', 'use'] as const;
/** What a breach that is not cured in time leads to. */
export const CONSEQUENCES = ['watch', 'cancel_only', 'frozen'] as const;
export type CovenantKind = (typeof COVENANTS)[number];
export interface Covenant {
  readonly kind: CovenantKind;
  /** Runway in millionths of a month, cash in micro-USD, use as a share of plan. */
  readonly threshold: number;
  readonly cureDays: number;
  readonly consequence: (typeof CONSEQUENCES)[number];
  /** Day of the last test that failed first; 0: kept. */
  breachedOn: Day;
  testedOn: Day;
}

/** What a borrower has told of its money. */
export interface Report {
  readonly day: Day;
  readonly cash: Micro;
  readonly monthlyBurn: Micro;
}

/** What a loan owes, by kind. */
export interface Debt {
  principal: Micro;
  interest: Micro;
  fees: Micro;
}

/** All that was paid on a loan: received = principal + interest + fees + recovered + unapplied. */
export interface Payments extends Debt {
  received: Micro;
  /** Of a debt that had been given up. */
  recovered: Micro;
  unapplied: Micro;
}

/** Who blocks how much of a facility's credit. */
export interface Freezes {
  lender: Ppm;
  operator: Ppm;
  rules: Ppm;
}

/** What a lender blocks by itself. */
export interface LenderFreeze {
  readonly lender: CompanyId;
  readonly fraction: Ppm;
}

/** What a facility was decided on, so that the decision can be made again. */
export interface Decision {
  readonly version: number;
  readonly defaultProbability: Ppm;
  /** NONE, or the operator that overruled the scorecard, and why. */
  readonly overruledBy: CompanyId;
  readonly overruling: string;
  /** What was asked for, on which the scorecard judged; absent of decisions before rules version 4. */
  readonly asked?: Micro;
  /** What the application was taken from. */
  readonly evidence?: readonly Evidence[];
}

/** Instalments that are a share of revenue, until so many times what was lent has been paid in all. */
export interface RevenueShare {
  withheld: Ppm;
  cap: Ppm;
  /** Of a month, as last reported. */
  revenue: Micro;
}

export interface Facility {
  readonly facility: FacilityId;
  readonly company: CompanyId;
  /** The lender of the largest part, and its mandate. */
  lender: CompanyId;
  mandate: MandateId;
  shares: Share[];
  state: FacilityState;
  readonly amount: Micro;
  readonly months: number;
  readonly method: FacilityMethod;
  /** Of the method 'revenue_share' alone. */
  revenueShare?: RevenueShare;
  readonly dayCount: DayCount;
  readonly dueDateRoll: DueDateRoll;
  /** Instalments at the beginning that ask for interest alone; absent: none. */
  readonly interestOnly?: number;
  /** What rounding leaves to the last instalment of an annuity is spread over all; absent: it is not. */
  readonly refine?: boolean;
  drawOnDemand: boolean;
  /** Which of LOAN_RULES it lives by; absent: the first. */
  readonly loanRules?: number;
  readonly application: FacilityApplication;
  readonly decision: Decision;
  readonly grade: Grade;
  readonly score: number;
  readonly reasons: string[];
  readonly annualRate: Ppm;
  readonly conversionRate: Ppm;
  readonly originationFee: Ppm;
  readonly offeredAt: Millis;
  acceptedAt: Millis;
  maturesAt: Millis;
  /** Fraction of the collateral that is blocked. */
  frozenFraction: Ppm;
  frozenReason: string;
  freezes: Freezes;
  /** What each lender blocks by itself, `freezes.lender` being the largest; absent until one does, and before rules version 5. */
  lenderFreezes?: LenderFreeze[];
  /** Lots with smaller numbers have been paid for in full and are nobody's collateral; absent: none has. */
  untaggedBelow?: LotId;
  /** Principal as lent and capitalised, as repaid, and as given up. */
  lent: Micro;
  repaidPrincipal: Micro;
  /** Of its interest and fees too. */
  writtenOff: Debt;
  /** What the operator has back of its part of the draws; absent: nothing, or before rules version 7. */
  firstLossReturned?: Micro;
  payments: Payments;
  /** Sum of principal x rate x days in micro x ppm (exact), and what of it is posted. */
  readonly accrualExact: ExactSum;
  accrualPosted: Micro;
  accruedTo: Day;
  /** What was posted beside the accrual, or less than it, so that instalments are whole cents; and what is to be when they are paid. Absent: nothing. */
  interestRounded?: Micro;
  interestToRound?: Micro;
  /** What an annuity's instalment comes to; of other methods the part of principal in it. */
  instalment: Micro;
  /** Instalments that are left; `billed` ones are due. */
  schedule: ScheduleRow[];
  /** Days past due of the last step of the ladder taken, 0 when none; and of the exposure's. */
  pastDueStep: number;
  /** The most days past due that it ever was; absent: never late, or before rules version 5. */
  worstPastDue?: number;
  /** The oldest unpaid due date when it defaulted, from which the days count on; absent before rules version 5. */
  defaultedFrom?: Day;
  exposureStep: Ppm;
  /** Since when its hours have been offered because of it; 0: they are not. */
  exposureForcedOn: Day;
  /** Lenders that will not fund it. */
  declinedBy: CompanyId[];
  covenants: Covenant[];
  report: Report | null;
}

/** Whether the facility's lot is still its lenders' collateral. */
export const isTagged = ({ untaggedBelow = 0 }: Facility, lot: LotId): boolean => lot >= untaggedBelow;

/** What was lost of a debt that was given up and has not been recovered. */
export const unrecovered = ({ writtenOff: { principal, interest, fees }, payments }: Facility): Micro => principal + interest + fees - payments.recovered;

/** What lenders block, each for itself; of a freeze of before that was kept it is the leading lender's. */
export const lenderFreezesOf = ({ lenderFreezes, freezes, lender }: Facility): readonly LenderFreeze[] =>
  lenderFreezes ?? (freezes.lender === 0 ? [] : [{ lender, fraction: freezes.lender }]);

export const SWITCHES = ['mint', 'draw', 'payout'] as const;
export type SwitchName = (typeof SWITCHES)[number];
/** A kill switch: what it stops does not happen while it is on. */
export interface Switch {
  on: boolean;
  reason: string;
  by: CompanyId;
  sequence: number;
}

/** The market's prices of money; a market of plain cash is m = 1, rho = 1, s_min = 0. */
export interface MoneyRules {
  redemptionRate: Ppm;
  spreadMinimum: Ppm;
  /** One conversion for everybody; 0: the tiers. */
  conversionRate: Ppm;
}

/** An ask that the rules have entered for a frozen facility's hours. */
export interface ForcedResale {
  readonly order: OrderId;
  readonly facility: FacilityId;
  readonly mark: Ticks;
  readonly from: Millis;
  readonly gate: Millis;
}

export interface Mandate {
  readonly mandate: MandateId;
  readonly company: CompanyId;
  amount: Micro;
  /** Of it, promised or lent and not paid back. */
  committed: Micro;
  /** false: what is paid back is not lent again. Absent: it is. */
  reinvest?: boolean;
  /** Lends nothing more: it shrinks to nothing as its commitments end. */
  closed?: boolean;
  readonly grades: Grade[];
  readonly maximumPerBorrower: Micro;
  readonly minimumAnnualRate: Ppm;
}

/** USD of a facility that went to providers in the last 30 days, at cost. */
export interface Spending {
  total: Micro;
  /** Sums by provider group, and what they consist of. */
  groups: { group: number; amount: Micro; barred: boolean }[];
  days: { day: Day; group: number; amount: Micro }[];
}

/** From acceptance to the end, a default included. */
export const isRunning = ({ state }: Facility): boolean => state !== 'offered' && state !== 'declined' && state !== 'closed' && state !== 'written_off';

/** The facility when it belongs to the company. */
export function ownFacility({ facilities }: { readonly facilities: readonly Facility[] }, company: CompanyId, id: number): Facility | undefined {
  const facility = facilities[id];
  return facility?.company === company ? facility : undefined;
}
