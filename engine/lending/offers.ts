/** From an application to an accepted facility: the decision, the offer, its lenders, and who may overrule, counter or decline it. */
import { ACCOUNT } from '../ledger/accounts.ts';
import { addMonths, dayOf } from '../numbers/calendar.ts';
import type { RejectCode } from '../catalogue.ts';
import { GRADES, LOAN_RULES, NONE } from '../vocabulary.ts';
import type { AcceptFacility, ApplyFacility, CounterOffer, CovenantTerms, DeclineFacility, FacilityOptions, OverruleFacility } from '../commands.ts';
import type { CompanyId, FacilityId, FacilityMethod } from '../vocabulary.ts';
import { DAY_COUNTS } from '../credit/day_count.ts';
import { DUE_DATE_ROLLS } from '../credit/due_dates.ts';
import { assess, OWES_HERE } from '../credit/scorecard.ts';
import type { Assessment } from '../credit/scorecard.ts';
import { revenueShareFor, shareWire } from '../credit/revenue_share.ts';
import { conversionRate } from '../credit/tiers.ts';
import type { CreditLimits } from './credit_limits.ts';
import { covenantsOf } from './facility_review.ts';
import type { FacilityReview } from './facility_review.ts';
import { daysPastDue } from './debt.ts';
import type { Loans } from './loans.ts';
import { leadOf, sharesWire, validAmount } from './mandates.ts';
import type { Mandates } from './mandates.ts';
import { ExactSum } from '../numbers/exact_sum.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import { CONSEQUENCES, COVENANTS, isRunning, unrecovered } from './facility.ts';
import type { Decision, Facility, RevenueShare } from './facility.ts';
import type { State } from '../state.ts';
import { TIMER } from '../time/timers.ts';
import { MICRO } from '../numbers/units.ts';

const MONTHS_MAX = 60;
const CURE_DAYS_MAX = 365;
const EVIDENCE_MAX = 20;

/** Each kind at most once, by whole numbers. */
const areCovenants = (covenants: readonly CovenantTerms[]): boolean =>
  new Set(covenants.map(({ kind }) => kind)).size === covenants.length &&
  covenants.every(({ kind, threshold, cureDays, consequence }) =>
    COVENANTS.includes(kind) && Number.isSafeInteger(threshold) && threshold >= 0 && Number.isInteger(cureDays) && cureDays >= 0 && cureDays <= CURE_DAYS_MAX && CONSEQUENCES.includes(consequence));

/** Methods of which each instalment repays something, so that the first can be let off. */
export const REPAYS_LATER: ReadonlySet<FacilityMethod> = new Set(['annuity', 'equal_principal', 'flat']);

/** What a share of revenue would be, were all of it drawn; null of other methods, undefined when it would be too much. */
function shareOf({ amount, months, method, application }: Wanted, { annualRate }: Assessment): RevenueShare | null | undefined {
  if (method !== 'revenue_share') return null;
  return revenueShareFor(amount + mulDiv(amount, PARAMETERS.originationFee, MICRO), annualRate, months, application.monthlyRevenue);
}

/** What the scorecard says, with the grade and rate of who overrules it. */
const overruled = ({ application, amount, months }: Wanted, { grade, annualRate }: OverruleFacility): Assessment => ({
  ...assess(application, amount, months), approved: true, grade, annualRate, conversionRate: conversionRate(grade, months),
});

/** What an application or an operator asks for, before it is decided. */
type Wanted = Pick<ApplyFacility, 'company' | 'amount' | 'months' | 'method' | 'application'> & FacilityOptions & {
  covenants?: CovenantTerms[];
  /** Lenders that would not fund what it replaces. */
  without?: CompanyId[];
};

/** How principal is repaid, as far as it is not in the usual way. */
const repaymentTermsOf = ({ interestOnly = 0, refine = false }: FacilityOptions): FacilityOptions => ({ ...(interestOnly === 0 ? {} : { interestOnly }), ...(refine ? { refine } : {}) });

export class Offers {
  private readonly state: State;
  private readonly mandates: Mandates;
  private readonly review: FacilityReview;
  private readonly loans: Loans;
  private readonly limits: CreditLimits;
  /** Facilities by their company's group, as far as they have been looked at. */
  private readonly known: (Facility[] | undefined)[] = [];
  private looked = 0;

  constructor(state: State, mandates: Mandates, review: FacilityReview, loans: Loans, limits: CreditLimits) {
    this.state = state;
    this.mandates = mandates;
    this.review = review;
    this.loans = loans;
    this.limits = limits;
  }

  private wantedRefusal({ company, amount, months, dayCount, dueDateRoll, loanRules, interestOnly = 0, refine = false, method, application, evidence = [] }: Wanted): RejectCode | undefined {
    if (this.state.companies[company]?.role !== 'borrower') return 'not_authorized';
    if (!validAmount(amount)) return 'amount_out_of_range';
    const known = (dayCount === undefined || DAY_COUNTS.includes(dayCount)) && (dueDateRoll === undefined || DUE_DATE_ROLLS.includes(dueDateRoll));
    if (loanRules !== undefined && !(Number.isInteger(loanRules) && loanRules >= 1 && loanRules <= LOAN_RULES)) return 'invalid_parameter';
    if (evidence.length > EVIDENCE_MAX) return 'invalid_parameter';
    if (!(Number.isInteger(interestOnly) && interestOnly >= 0 && (interestOnly === 0 || (interestOnly < months && REPAYS_LATER.has(method))))) return 'invalid_parameter';
    if (refine && method !== 'annuity') return 'invalid_parameter';
    const { computePlan = [] } = application;
    if (computePlan.length > MONTHS_MAX || !computePlan.every((planned) => planned === 0 || validAmount(planned))) return 'amount_out_of_range';
    return known && Number.isInteger(months) && months > 0 && months <= MONTHS_MAX ? undefined : 'invalid_parameter';
  }

  apply(command: ApplyFacility): RejectCode | undefined {
    const refusal = this.wantedRefusal(command);
    if (refusal === undefined) this.decide(command);
    return refusal;
  }

  /** By the scorecard: an offer, or why there is none. */
  private decide(asked: Wanted): void {
    const wanted = this.informed(asked);
    const scored = assess(wanted.application, wanted.amount, wanted.months);
    const assessment: Assessment = this.owes(wanted.company) ? { ...scored, grade: 'D', approved: false, reasons: [OWES_HERE, ...scored.reasons] } : scored;
    const amount = Math.min(wanted.amount, assessment.limit);
    const { version, defaultProbability, reasons } = assessment;
    const decision: Decision = { version, defaultProbability, overruledBy: NONE, overruling: '', ...this.grounds(wanted) };
    const payable = shareOf({ ...wanted, amount }, assessment) !== undefined;
    const offered = assessment.approved && amount > 0 && payable && this.offer({ ...wanted, amount }, assessment, decision);
    if (offered) return;
    const { grade, score } = assessment;
    const missing = payable ? 'no lender has a mandate for it' : `more than ${PARAMETERS.withheldMost / 10_000} % of revenue would be withheld`;
    this.state.buffer.emit('facilityDeclined', {
      company: wanted.company, amount: wanted.amount, months: wanted.months, grade, score, reasons: assessment.approved ? [...reasons, missing] : reasons,
      application: { ...wanted.application },
    });
  }

  /** How late the company or its group has been here is known, whatever an application says. */
  private informed(wanted: Wanted): Wanted {
    if (this.state.rulesVersion < 5) return wanted;
    const pastDaysOverdue = Math.max(wanted.application.pastDaysOverdue, ...this.ofGroup(wanted.company).map((facility) => this.worstOf(facility)));
    return { ...wanted, application: { ...wanted.application, pastDaysOverdue } };
  }

  private worstOf(facility: Facility): number {
    if (facility.state === 'written_off') return PARAMETERS.pastDueWrittenOff;
    return Math.max(facility.worstPastDue ?? facility.pastDueStep, daysPastDue(this.state, facility));
  }

  /** Whether the company or its group owes what is due here. */
  private owes(company: CompanyId): boolean {
    return this.state.rulesVersion >= 5 && this.ofGroup(company).some((facility) => this.isOwed(facility));
  }

  /** Whether something of it is late, or was lost and has not come back. */
  private isOwed(facility: Facility): boolean {
    if (facility.state === 'written_off') return unrecovered(facility) > 0;
    return isRunning(facility) && (facility.state === 'defaulted' || daysPastDue(this.state, facility) > 0);
  }

  /** Facilities of the company and of those that belong with it. */
  private ofGroup(company: CompanyId): readonly Facility[] {
    const { facilities, standing } = this.state;
    for (; this.looked < facilities.length; this.looked++) (this.known[standing.group(facilities[this.looked].company)] ??= []).push(facilities[this.looked]);
    return this.known[standing.group(company)] ?? [];
  }

  /** What else a decision needs to be made again. */
  private grounds({ amount, evidence }: Wanted): Partial<Decision> {
    return { ...(this.state.rulesVersion >= 4 ? { asked: amount } : {}), ...(evidence === undefined ? {} : { evidence }) };
  }

  /** @returns false when no mandates cover it */
  private offer(wanted: Wanted, assessment: Assessment, decision: Decision): boolean {
    const { state } = this;
    const { grade, annualRate, score, reasons } = assessment;
    const { company, amount, months, method, application } = wanted;
    const shares = this.mandates.sharesFor({ company, amount, grade, annualRate, without: wanted.without ?? [] });
    const revenueShare = shareOf(wanted, assessment);
    if (shares === undefined || revenueShare === undefined) return false;
    const lead = leadOf(shares);
    const facility: Facility = {
      facility: state.facilities.length, company, lender: lead.lender, mandate: lead.mandate, shares, state: 'offered', amount, months, method,
      dayCount: wanted.dayCount ?? 'ACT/365', dueDateRoll: wanted.dueDateRoll ?? 'none', drawOnDemand: wanted.drawOnDemand ?? false,
      ...(wanted.loanRules === undefined ? {} : { loanRules: wanted.loanRules }), ...repaymentTermsOf(wanted), ...(revenueShare === null ? {} : { revenueShare }), application, decision,
      grade, score, reasons, annualRate, conversionRate: state.money.conversionRate === 0 ? assessment.conversionRate : state.money.conversionRate,
      originationFee: PARAMETERS.originationFee, offeredAt: state.now, acceptedAt: 0, maturesAt: 0,
      frozenFraction: 0, frozenReason: '', freezes: { lender: 0, operator: 0, rules: 0 }, lent: 0, repaidPrincipal: 0, writtenOff: { principal: 0, interest: 0, fees: 0 },
      payments: { received: 0, principal: 0, interest: 0, fees: 0, recovered: 0, unapplied: 0 },
      accrualExact: new ExactSum(0n), accrualPosted: 0, accruedTo: 0, instalment: 0, schedule: [], pastDueStep: 0, exposureStep: 0, exposureForcedOn: 0, declinedBy: wanted.without ?? [],
      covenants: wanted.covenants?.map((covenant) => ({ ...covenant, breachedOn: 0, testedOn: 0 })) ?? covenantsOf(amount), report: null,
    };
    state.facilities.push(facility);
    state.ledger.openOwner('facility', facility.facility);
    state.timers.add(state.now + PARAMETERS.offerExpiry, TIMER.offerExpiry, facility.facility);
    this.tellOffer(facility);
    return true;
  }

  private tellOffer(facility: Facility): void {
    const { buffer } = this.state;
    const { facility: id, company, lender, amount, months, grade, annualRate, conversionRate: rate, originationFee, method, score, reasons, application } = facility;
    buffer.emit('facilityOffered', {
      facility: id, company, lender, amount, months, grade, annualRate, conversionRate: rate, originationFee, method, score, reasons, application: { ...application },
    });
    buffer.emit('facilityTerms', {
      facility: id, dayCount: facility.dayCount, dueDateRoll: facility.dueDateRoll, drawOnDemand: facility.drawOnDemand, shares: sharesWire(facility.shares),
      lateFee: PARAMETERS.lateFee, lateFeeGraceDays: PARAMETERS.lateFeeGraceDays, lateFeeMaximum: PARAMETERS.lateFeeMaximum,
      covenants: facility.covenants.map(({ kind, threshold, cureDays, consequence }) => ({ kind, threshold, cureDays, consequence })),
      decision: { ...facility.decision }, expiresAt: facility.offeredAt + PARAMETERS.offerExpiry,
    });
    if (facility.revenueShare !== undefined) buffer.emit('revenueShareSet', shareWire(id, facility.revenueShare));
    const { interestOnly = 0, refine = false } = facility;
    if (interestOnly > 0 || refine) buffer.emit('repaymentTermsSet', { facility: id, interestOnly, refine });
  }

  /** The borrower wants other terms: what it told is judged again, and the new offer replaces the old. */
  counter(command: CounterOffer): RejectCode | undefined {
    const facility = this.own(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (facility.state !== 'offered') return 'invalid_state';
    const { dayCount, dueDateRoll, drawOnDemand, application, company, loanRules, decision } = facility;
    // What is not asked for anew stays, where the method has it.
    const { interestOnly = REPAYS_LATER.has(command.method) ? facility.interestOnly : 0, refine = command.method === 'annuity' && facility.refine } = command;
    const wanted: Wanted = {
      company, amount: command.amount, months: command.months, method: command.method, application, dayCount, dueDateRoll, drawOnDemand, ...(loanRules === undefined ? {} : { loanRules }),
      ...(decision.evidence === undefined ? {} : { evidence: [...decision.evidence] }), ...repaymentTermsOf({ interestOnly, refine }),
      // Who would not lend does not take it again under other terms.
      ...(this.state.rulesVersion >= 6 && facility.declinedBy.length > 0 ? { without: [...facility.declinedBy] } : {}),
    };
    const refusal = this.wantedRefusal(wanted);
    if (refusal !== undefined) return refusal;
    this.review.setState(facility, 'declined', 'countered', command.company);
    this.decide(wanted);
    return undefined;
  }

  /** Operators decide otherwise than the scorecard. What it said is kept beside their word. */
  overrule(command: OverruleFacility): RejectCode | undefined {
    const refusal = this.overruleRefusal(command);
    if (refusal !== undefined) return refusal;
    const wanted = this.informed({ ...command, company: command.borrower });
    const assessment = overruled(wanted, command);
    const decision: Decision = { version: assessment.version, defaultProbability: assessment.defaultProbability, overruledBy: command.company, overruling: command.reason, ...this.grounds(wanted) };
    return this.offer(wanted, assessment, decision) ? undefined : 'no_mandate';
  }

  /** Why it could not be offered so, whoever were to lend. Changes nothing. */
  overruleRefusal(command: OverruleFacility): RejectCode | undefined {
    if (this.state.companies[command.company]?.role !== 'operator') return 'not_authorized';
    const wanted = this.informed({ ...command, company: command.borrower });
    const refusal = this.wantedRefusal(wanted);
    if (refusal !== undefined) return refusal;
    const rate = conversionRate(command.grade, command.months);
    if (!GRADES.includes(command.grade) || rate === 0 || !(Number.isInteger(command.annualRate) && command.annualRate >= 0 && command.annualRate <= MICRO)) return 'invalid_parameter';
    if (!areCovenants(command.covenants ?? [])) return 'invalid_parameter';
    return shareOf(wanted, overruled(wanted, command)) === undefined ? 'invalid_parameter' : undefined;
  }

  /** A lender will not. Within a day of the offer, and before its money is used, others may take its place. */
  decline(command: DeclineFacility): RejectCode | undefined {
    const { state, mandates } = this;
    const facility = state.facilities[command.facility];
    if (facility === undefined || !facility.shares.some(({ lender }) => lender === command.company)) return 'unknown_facility';
    const undrawn = facility.state === 'offered' || (isRunning(facility) && facility.lent === 0);
    if (!undrawn || state.now > facility.offeredAt + PARAMETERS.lenderDecline) return 'invalid_state';
    facility.declinedBy.push(command.company);
    const accepted = facility.state !== 'offered';
    if (accepted) mandates.release(facility.shares);
    const { company, amount, grade, annualRate, declinedBy } = facility;
    if (state.rulesVersion >= 5) this.review.lenderLeaves(facility, command.company);
    // Its own share must not count against the borrower's maximum.
    facility.shares = [];
    const shares = mandates.sharesFor({ company, amount, grade, annualRate, without: declinedBy });
    if (shares === undefined) {
      if (accepted) this.loans.losses.finish(facility);
      this.review.setState(facility, accepted ? 'closed' : 'declined', command.reason === '' ? 'declined by the lender' : command.reason, command.company);
      return undefined;
    }
    if (accepted) mandates.commit(shares);
    const lead = leadOf(shares);
    Object.assign(facility, { shares, lender: lead.lender, mandate: lead.mandate });
    state.buffer.emit('facilityReassigned', { facility: facility.facility, lender: lead.lender, shares: sharesWire(shares) });
    if (state.rulesVersion >= 5) this.review.review(facility);
    return undefined;
  }

  /** An offer nobody has taken lapses. */
  expireOffer(id: FacilityId): void {
    const facility = this.state.facilities[id];
    if (facility.state === 'offered') this.review.setState(facility, 'declined', 'expired', NONE);
  }

  /** The facility when it belongs to the company. */
  private own(company: CompanyId, id: number): Facility | undefined {
    const facility = this.state.facilities[id];
    return facility?.company === company ? facility : undefined;
  }

  accept(command: AcceptFacility): RejectCode | undefined {
    const { state } = this;
    const facility = this.own(command.company, command.facility);
    if (facility === undefined) return 'unknown_facility';
    if (facility.state !== 'offered') return 'invalid_state';
    if (this.owes(facility.company)) return 'past_due';
    if (!this.mandates.covers(facility.shares)) return 'no_mandate';
    this.mandates.commit(facility.shares);
    facility.acceptedAt = state.now;
    facility.maturesAt = addMonths(state.now, facility.months);
    facility.accruedTo = dayOf(state.now);
    state.ledger.begin();
    state.ledger.post(ACCOUNT['limit.control'], facility.facility, facility.amount);
    state.ledger.post(ACCOUNT['limit.undrawn'], facility.facility, -facility.amount);
    state.ledger.end();
    this.limits.opened(facility);
    this.review.setState(facility, 'active', 'accepted', command.company);
    return undefined;
  }
}
