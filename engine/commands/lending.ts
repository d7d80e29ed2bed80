/** Mandates, facilities, and the life of a loan. */
import type { Micro, Ppm } from '../numbers/units.ts';
import type { CompanyId, FacilityId, FacilityMethod, Grade, LotId, MandateId, RepaymentMode } from '../vocabulary.ts';

export interface CreateMandate {
  type: 'createMandate';
  company: CompanyId;
  amount: Micro;
  grades: Grade[];
  maximumPerBorrower: Micro;
  minimumAnnualRate: Ppm;
  /** false: what is paid back is not lent again. Absent: it is. */
  reinvest?: boolean;
  /** Its money is idle capital of the lender's; absent: what was deposited and is applied to nothing. */
  fromIdle?: boolean;
  /** What of its money is not there comes with the command, as in a demo, where announced money is credited at once. Absent: it is refused. */
  bankCovers?: boolean;
}

/** What is absent stays. */
export interface ChangeMandate {
  type: 'changeMandate';
  company: CompanyId;
  mandate: MandateId;
  amount?: Micro;
  reinvest?: boolean;
  close?: boolean;
}

/** All ratios are percentages in units of 0.0001 percent (ppm of 1); months and days are counts. */
export interface FacilityApplication {
  cash: Micro;
  monthlyBurn: Micro;
  monthlyRevenue: Micro;
  cashTrend3m: Ppm;
  revenueGrowth: Ppm;
  grossMargin: Ppm;
  computeShare: Ppm;
  forecastError: Ppm;
  topCustomer: Ppm;
  pastDaysOverdue: number;
  /** USD of compute in each month from acceptance on, the last of them in those after it; absent: the amount spread over the months. */
  computePlan?: Micro[];
}

/** Terms that a borrower may choose. */
export interface FacilityOptions {
  /** Absent: ACT/365. */
  dayCount?: 'ACT/365' | 'ACT/360' | '30/360' | '30E/360';
  /** Where due dates go that fall on a weekend or holiday; absent: they stay. */
  dueDateRoll?: 'none' | 'following' | 'modified_following' | 'preceding';
  /** A bid short of credit draws what is missing. */
  drawOnDemand?: boolean;
  /** Which of LOAN_RULES it lives by; absent: the first, so that what was journalled under them stays as it was. */
  loanRules?: number;
  /** Instalments at the beginning that ask for interest alone; absent: none. */
  interestOnly?: number;
  /** Of an annuity: what rounding leaves to the last instalment is spread over all; absent: it is not. */
  refine?: boolean;
  /** Uploads that the application's figures were taken from, each with its SHA-256. */
  evidence?: Evidence[];
}

export interface Evidence {
  feed: string;
  sha256: string;
}

export interface ApplyFacility extends FacilityOptions {
  type: 'applyFacility';
  company: CompanyId;
  amount: Micro;
  months: number;
  method: FacilityMethod;
  application: FacilityApplication;
}

/** The borrower asks for other terms on the same application: a new offer replaces the old. */
export interface CounterOffer {
  type: 'counterOffer';
  company: CompanyId;
  facility: FacilityId;
  amount: Micro;
  months: number;
  method: FacilityMethod;
  interestOnly?: number;
  refine?: boolean;
}

/** Two operators decide otherwise than the scorecard; the api has seen both. */
export interface OverruleFacility extends FacilityOptions {
  type: 'overruleFacility';
  company: CompanyId;
  borrower: CompanyId;
  amount: Micro;
  months: number;
  method: FacilityMethod;
  grade: Grade;
  annualRate: Ppm;
  application: FacilityApplication;
  reason: string;
  /** Of this facility instead of the usual ones. */
  covenants?: CovenantTerms[];
}

/** What a borrower promises. Runway in millionths of a month, cash in micro-USD, use as a share of plan in ppm. */
export interface CovenantTerms {
  kind: 'runway' | 'minimum_cash' | 'use';
  threshold: number;
  cureDays: number;
  consequence: 'watch' | 'cancel_only' | 'frozen';
}

/** A lender will not fund what its mandate took; another may. */
export interface DeclineFacility {
  type: 'declineFacility';
  company: CompanyId;
  facility: FacilityId;
  reason: string;
}

export interface AcceptFacility {
  type: 'acceptFacility';
  company: CompanyId;
  facility: FacilityId;
}

export interface SetFacilityOption {
  type: 'setFacilityOption';
  company: CompanyId;
  facility: FacilityId;
  drawOnDemand: boolean;
}

/** What a covenant's test goes by. By the borrower, its lender or an operator. */
export interface ReportFinancials {
  type: 'reportFinancials';
  company: CompanyId;
  facility: FacilityId;
  cash: Micro;
  monthlyBurn: Micro;
  /** What a share of is due of it when instalments are a share of revenue; absent: as before. */
  monthlyRevenue?: Micro;
}

export interface Draw {
  type: 'draw';
  company: CompanyId;
  facility: FacilityId;
  amount: Micro;
}

export interface Repay {
  type: 'repay';
  company: CompanyId;
  facility: FacilityId;
  amount: Micro;
  mode: RepaymentMode;
  /** Money that arrives with the command covers what `unapplied` lacks: the demo's bank pays at once. Elsewhere it must be there. */
  bankCovers: boolean;
  /** The line of the bank's that is paid with, as in a deposit. */
  bankLine?: string;
}

export interface ReturnCredits {
  type: 'returnCredits';
  company: CompanyId;
  facility: FacilityId;
  lot: LotId;
  credits: Micro;
}

/** `company` is who acts: the facility's lender, or an operator. fraction of 1 in ppm. */
export interface Freeze {
  type: 'freeze';
  company: CompanyId;
  facility: FacilityId;
  fraction: Ppm;
  reason: string;
}

export interface Unfreeze {
  type: 'unfreeze';
  company: CompanyId;
  facility: FacilityId;
}
