/**
 * What becomes of a facility, from facts alone: days past due, net unsecured exposure, covenants and
 * freezes. Looked at every day and after everything that may cure it. CREDIT.md section 6.
 */
import type { ReportFinancials } from '../commands.ts';
import type { CompanyId } from '../vocabulary.ts';
import { NONE } from '../vocabulary.ts';
import type { Collateral } from './collateral.ts';
import type { CreditLimits } from './credit_limits.ts';
import { livesBy, totalDebt } from './debt.ts';
import type { Loans } from './loans.ts';
import { exposureOf, exposureStep } from './exposure.ts';
import { plannedUse } from '../credit/planned_use.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import { isRunning, lenderFreezesOf } from './facility.ts';
import type { Covenant, Facility, FacilityState } from './facility.ts';
import type { State } from '../state.ts';
import { MICRO, MILLIS_PER_DAY } from '../numbers/units.ts';
import type { Day, Micro, Ppm } from '../numbers/units.ts';

/** Steps of the ladder: from so many days past due on. */
const LADDER: readonly { days: number; notice: string; text: string }[] = [
  { days: PARAMETERS.pastDueNotice, notice: 'past_due', text: 'an instalment is past due' },
  { days: PARAMETERS.pastDueNoDraws, notice: 'draws_stopped', text: 'no more draws until the instalments are paid' },
  { days: PARAMETERS.pastDueCancelOnly, notice: 'cancel_only', text: 'its credit buys nothing new' },
  { days: PARAMETERS.pastDueHalfFrozen, notice: 'half_frozen', text: 'half of its credit is blocked' },
  { days: PARAMETERS.pastDueFrozen, notice: 'frozen', text: 'all of its credit is blocked' },
  { days: PARAMETERS.pastDueAccelerated, notice: 'acceleration', text: 'all that is owed will fall due unless the instalments are paid' },
  { days: PARAMETERS.pastDueDefault, notice: 'default', text: 'all that is owed is due' },
  { days: PARAMETERS.pastDueWrittenOff, notice: 'written_off', text: 'the debt is given up' },
];
const EXPOSURE_STEPS: readonly { step: Ppm; notice: string; text: string }[] = [
  { step: PARAMETERS.exposureWarned, notice: 'exposure_warning', text: 'unsecured exposure nears its limit' },
  { step: PARAMETERS.exposureCalled, notice: 'margin_call', text: 'unsecured exposure has reached its limit: repay, or return credit' },
  { step: PARAMETERS.exposureForced, notice: 'forced_resale', text: 'hours are offered for resale; if that does not help the facility is frozen tomorrow' },
];
const MONTHS_UNLIMITED = 1_000 * MICRO;
const COVENANT_TEST_DAYS = 30;

export class FacilityReview {
  private readonly state: State;
  private readonly loans: Loans;
  private readonly collateral: Collateral;
  private readonly limits: CreditLimits;
  /** Told of every change of state. */
  private readonly changed: (facility: Facility) => void;

  constructor(state: State, loans: Loans, collateral: Collateral, limits: CreditLimits, changed: (facility: Facility) => void) {
    this.state = state;
    this.loans = loans;
    this.collateral = collateral;
    this.limits = limits;
    this.changed = changed;
  }

  setState(facility: Facility, next: FacilityState, reason: string, by: CompanyId): void {
    if (facility.state === next) return;
    facility.state = next;
    this.state.buffer.emit('facilityStateChanged', { facility: facility.facility, state: next, reason, by });
    this.changed(facility);
  }

  /** A lender that leaves takes its freeze along. */
  lenderLeaves(facility: Facility, lender: CompanyId): void {
    if (lenderFreezesOf(facility).some((freeze) => freeze.lender === lender)) this.collateral.setFreeze(facility, 'lender', 0, 'declined', lender);
  }

  notify(facility: Facility, notice: string, text: string): void {
    this.state.buffer.emit('facilityNotice', { facility: facility.facility, notice, days: this.loans.daysPastDue(facility), text });
  }

  review(facility: Facility): void {
    if (!isRunning(facility)) return;
    const days = this.loans.daysPastDue(facility);
    const knows = this.state.rulesVersion >= 5;
    if (knows && days > (facility.worstPastDue ?? 0)) facility.worstPastDue = days;
    this.stepLadder(facility, days);
    if (facility.state === 'defaulted') {
      if (knows) this.loans.sweep(facility);
      if (days >= PARAMETERS.pastDueWrittenOff) this.writeOff(facility);
      return;
    }
    this.stepExposure(facility);
    const rules = this.frozenByRules(facility, days);
    if (rules !== facility.freezes.rules) this.collateral.setFreeze(facility, 'rules', rules, this.reasonOf(facility, days), NONE);
    if (days >= PARAMETERS.pastDueDefault) this.default(facility);
    else this.setState(facility, this.stateOf(facility, days), this.reasonOf(facility, days), NONE);
    this.limits.refresh(facility);
  }

  private stepLadder(facility: Facility, days: number): void {
    const reached = LADDER.findLast((step) => days >= step.days);
    const before = facility.pastDueStep;
    facility.pastDueStep = reached?.days ?? 0;
    if (facility.pastDueStep === before) return;
    for (const step of LADDER) if (step.days > before && step.days <= facility.pastDueStep) this.notify(facility, step.notice, step.text);
    if (facility.pastDueStep === 0) this.notify(facility, 'cured', 'all that was past due is paid');
    const stages: number[] = [PARAMETERS.pastDueFrozen, PARAMETERS.pastDueDefault];
    // Another stage of expected loss begins, or ends.
    if (stages.some((stage) => before >= stage !== facility.pastDueStep >= stage)) this.loans.losses.provision(facility, this.collateralOf(facility));
  }

  /** Expected loss is measured anew: when it is drawn, when an instalment falls due, when something is paid. */
  provisionAgain(facility: Facility): void {
    if (livesBy(facility, 2) && isRunning(facility)) this.loans.losses.provision(facility, this.collateralOf(facility));
  }

  private collateralOf(facility: Facility): Micro {
    return totalDebt(this.state, facility) - exposureOf(this.state, facility);
  }

  private stepExposure(facility: Facility): void {
    const { day } = this.state;
    const reached = exposureStep(this.state, facility);
    const before = facility.exposureStep;
    facility.exposureStep = reached;
    for (const { step, notice, text } of EXPOSURE_STEPS) if (step > before && step <= reached) this.notify(facility, notice, text);
    if (reached >= PARAMETERS.exposureForced) {
      if (facility.exposureForcedOn === 0) facility.exposureForcedOn = day;
      this.collateral.offerHours(facility, Infinity);
    } else if (facility.exposureForcedOn !== 0) {
      facility.exposureForcedOn = 0;
      if (facility.frozenFraction !== MICRO) this.collateral.withdrawForced(facility);
    }
  }

  private frozenByRules(facility: Facility, days: number): Ppm {
    const { exposureForcedOn, covenants } = facility;
    const exposed = exposureForcedOn !== 0 && exposureForcedOn < this.state.day;
    if (days >= PARAMETERS.pastDueFrozen || exposed || covenants.some((covenant) => this.isLasting(covenant) && covenant.consequence === 'frozen')) return MICRO;
    return days >= PARAMETERS.pastDueHalfFrozen ? MICRO / 2 : 0;
  }

  /** A breach that its time for a cure has not cured. */
  private isLasting({ breachedOn, cureDays }: Covenant): boolean {
    return breachedOn !== 0 && this.state.day - breachedOn > cureDays;
  }

  private stateOf(facility: Facility, days: number): FacilityState {
    const { frozenFraction, exposureStep, covenants } = facility;
    if (frozenFraction === MICRO) return 'frozen';
    if (days >= PARAMETERS.pastDueCancelOnly || exposureStep >= PARAMETERS.exposureCalled) return 'cancel_only';
    if (covenants.some((covenant) => this.isLasting(covenant) && covenant.consequence === 'cancel_only')) return 'cancel_only';
    if (days >= PARAMETERS.pastDueNotice || exposureStep >= PARAMETERS.exposureWarned || covenants.some(({ breachedOn }) => breachedOn !== 0)) return 'watch';
    return 'active';
  }

  private reasonOf(facility: Facility, days: number): string {
    if (facility.freezes.lender > 0 || facility.freezes.operator > 0) return facility.frozenReason;
    if (days >= PARAMETERS.pastDueNotice) return 'past_due';
    if (facility.exposureStep > 0) return 'exposure';
    return facility.covenants.some(({ breachedOn }) => breachedOn !== 0) ? 'covenant' : 'cured';
  }

  /** All falls due; bids leave, unspent credit is burnt against the debt, hours that were bought are offered. */
  private default(facility: Facility): void {
    const { rulesVersion, day } = this.state;
    if (rulesVersion >= 5) facility.defaultedFrom = day - this.loans.daysPastDue(facility);
    this.setState(facility, 'defaulted', 'past_due', NONE);
    this.loans.accelerate(facility);
    this.collateral.burnUnspent(facility);
    if (rulesVersion >= 5) this.loans.sweep(facility);
    this.collateral.offerPerishing(facility);
    this.limits.refresh(facility);
  }

  private writeOff(facility: Facility): void {
    this.collateral.burnUnspent(facility);
    if (this.state.rulesVersion >= 5) {
      this.loans.sweep(facility);
      if (totalDebt(this.state, facility) === 0) return;
    }
    this.collateral.withdrawForced(facility);
    this.loans.losses.writeOff(facility);
    this.setState(facility, 'written_off', 'past_due', NONE);
    this.loans.fund.settle(facility);
  }

  // Covenants.

  report(facility: Facility, { cash, monthlyBurn, company }: ReportFinancials): void {
    const { day, buffer } = this.state;
    facility.report = { day, cash, monthlyBurn };
    buffer.emit('financialsReported', { facility: facility.facility, cash, monthlyBurn, by: company });
    for (const covenant of facility.covenants) if (covenant.kind !== 'use') this.test(facility, covenant);
    this.review(facility);
  }

  /** Tests whose day has come. */
  testDue(facility: Facility, day: Day): void {
    const since = day - Math.floor(facility.acceptedAt / MILLIS_PER_DAY);
    if (since <= 0 || since % COVENANT_TEST_DAYS !== 0) return;
    for (const covenant of facility.covenants) this.test(facility, covenant);
  }

  private test(facility: Facility, covenant: Covenant): void {
    const value = this.valueOf(facility, covenant);
    if (value === undefined) return;
    const { day, buffer } = this.state;
    const kept = covenant.kind === 'use' ? value <= covenant.threshold : value >= covenant.threshold;
    const was = covenant.breachedOn;
    covenant.testedOn = day;
    covenant.breachedOn = kept ? 0 : was === 0 ? day : was;
    buffer.emit('covenantTested', { facility: facility.facility, covenant: covenant.kind, value, threshold: covenant.threshold, kept, breachedOn: covenant.breachedOn });
    if (!kept && was === 0) this.notify(facility, 'covenant_breach', `${covenant.kind} is out of its bounds; ${covenant.cureDays} days to cure it`);
    if (kept && was !== 0) this.notify(facility, 'covenant_cured', `${covenant.kind} is within its bounds again`);
    if (covenant.kind === 'use' && value < PARAMETERS.covenantUseLeast && this.mayBuy(facility)) this.notify(facility, 'use_low', 'less is used than was planned');
  }

  /** Who may not buy need not be told that it buys little. */
  private mayBuy({ state }: Facility): boolean {
    return this.state.rulesVersion < 7 || state === 'active' || state === 'watch';
  }

  /** undefined when nothing is known of it. */
  private valueOf(facility: Facility, { kind }: Covenant): number | undefined {
    const { report } = facility;
    if (kind === 'use') return mulDiv(this.state.spending.get(facility.facility)?.total ?? 0, MICRO, plannedUse(facility, this.state.day));
    if (report === null) return undefined;
    if (kind === 'minimum_cash') return report.cash;
    return report.monthlyBurn <= 0 ? MONTHS_UNLIMITED : Math.min(MONTHS_UNLIMITED, mulDiv(report.cash, MICRO, report.monthlyBurn));
  }
}

/** What every facility promises. */
export const covenantsOf = (amount: Micro): Covenant[] => [
  { kind: 'runway', threshold: PARAMETERS.covenantRunwayMonths * MICRO, cureDays: PARAMETERS.covenantCureDays, consequence: 'cancel_only', breachedOn: 0, testedOn: 0 },
  { kind: 'minimum_cash', threshold: mulDiv(amount, PARAMETERS.covenantCashShare, MICRO), cureDays: PARAMETERS.covenantCureDays, consequence: 'cancel_only', breachedOn: 0, testedOn: 0 },
  { kind: 'use', threshold: PARAMETERS.covenantUseMost, cureDays: PARAMETERS.covenantCureDays, consequence: 'watch', breachedOn: 0, testedOn: 0 },
];
