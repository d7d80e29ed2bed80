/** A loan's interest: by the day, exact over its whole life; and what instalments ask for of it, in whole cents. */
import { ACCOUNT } from '../ledger/accounts.ts';
import { floorToCent, interestAsked } from '../credit/cents.ts';
import { basisOf } from '../credit/day_count.ts';
import { dayNumberOf } from '../credit/facility_schedule.ts';
import { interestMostOf } from '../credit/revenue_share.ts';
import { divideHalfEven } from '../numbers/muldiv.ts';
import { MICRO, MICRO_PER_CENT } from '../numbers/units.ts';
import type { Day, Micro } from '../numbers/units.ts';
import type { State } from '../state.ts';
import { totalDebt } from './debt.ts';
import type { Facility, Share } from './facility.ts';
import { fundCostOf } from './fund.ts';

const RECEIVABLE = ACCOUNT['interest.receivable'];

export class Interest {
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  /** Interest that has accrued and is not part of a due instalment. */
  unbilled(facility: Facility): Micro {
    return this.state.ledger.balance(RECEIVABLE, facility.facility) + toRound(facility) - billedInterest(facility);
  }

  /** The exact sum of interest of all days before `day`, were the debt as it is now: micro x ppm x days. */
  private exactUntil(facility: Facility, day: Day): bigint {
    const days = dayNumberOf(facility, day) - dayNumberOf(facility, facility.accruedTo);
    const principal = this.state.ledger.balance(ACCOUNT['loan.principal'], facility.facility);
    const exact = facility.accrualExact.value + BigInt(interestBase(facility, principal)) * BigInt(facility.annualRate) * BigInt(Math.max(0, days));
    if (facility.revenueShare === undefined) return exact;
    // A share of revenue is due until a cap, beyond which nothing accrues.
    const most = BigInt(interestMostOf(facility.revenueShare, facility.lent)) * accrualScale(facility);
    return exact < most ? exact : most;
  }

  /** Interest that the days before `day` add to what is posted. */
  until(facility: Facility, day: Day): Micro {
    return Number(divideHalfEven(this.exactUntil(facility, day), accrualScale(facility))) - facility.accrualPosted;
  }

  /** Simple interest of every day before `day`, on outstanding principal, overdue principal included. */
  accrue(facility: Facility, day: Day): void {
    const exact = this.exactUntil(facility, day);
    facility.accruedTo = day;
    if (facility.accrualExact.value === exact) return;
    facility.accrualExact.value = exact;
    const posted = Number(divideHalfEven(exact, accrualScale(facility)));
    this.post(facility, posted - facility.accrualPosted, posted, day);
    facility.accrualPosted = posted;
  }

  private post(facility: Facility, amount: Micro, posted: Micro, day: Day): void {
    const { ledger, buffer } = this.state;
    if (amount === 0) return;
    ledger.begin();
    ledger.reserve(4 + 2 * facility.shares.length);
    ledger.post(RECEIVABLE, facility.facility, amount);
    ledger.post(ACCOUNT['income.interest'], facility.company, -amount);
    for (const share of facility.shares) this.postFundCost(facility, share, posted);
    ledger.end();
    buffer.emit('interestAccrued', { facility: facility.facility, amount, day });
  }

  /** A lender earns its mandate's rate on its part of the money; what the borrower pays beyond it is the fund spread. */
  private postFundCost(facility: Facility, share: Share, posted: Micro): void {
    const { ledger } = this.state;
    const cost = fundCostOf(this.state, facility, share, posted);
    ledger.post(ACCOUNT['expense.fund_interest'], facility.company, cost - share.costPosted);
    ledger.post(ACCOUNT['fund.payable'], share.lender, share.costPosted - cost);
    share.costPosted = cost;
  }

  /** Interest of a period in which the balance stays, as its instalment, of so much principal, asks for it. */
  ofPeriod(facility: Facility, principal: Micro, balance: Micro, from: Day, to: Day): Micro {
    const exact = BigInt(interestBase(facility, balance)) * BigInt(facility.annualRate) * BigInt(Math.max(0, dayNumberOf(facility, to) - dayNumberOf(facility, from)));
    return interestAsked(this.inWholeCents ? principal : 0, exact, accrualScale(facility));
  }

  // Whole cents. Rules before version 6 asked for interest as it had accrued.

  private get inWholeCents(): boolean {
    return this.state.rulesVersion >= 6;
  }

  /** What is asked for of so much interest that is not billed, together with principal. */
  asked(facility: Facility, principal: Micro, accrued: Micro): Micro {
    const asked = this.inWholeCents ? interestAsked(principal, BigInt(accrued), 1n) : accrued;
    const over = asked - accrued - this.room(facility);
    // What rounding has added until then is not asked for beyond the cap.
    return over <= 0 ? asked : Math.max(asked % MICRO_PER_CENT, asked - Math.ceil(over / MICRO_PER_CENT) * MICRO_PER_CENT);
  }

  /** What may be asked for beside the interest that is known already: a share of revenue is due until a cap. */
  room(facility: Facility): Micro {
    const { revenueShare, lent, accrualPosted, interestRounded = 0 } = facility;
    if (revenueShare === undefined || this.state.rulesVersion < 7) return Infinity;
    return interestMostOf(revenueShare, lent) - accrualPosted - interestRounded - toRound(facility);
  }

  /** What of principal an instalment takes that does not take all: a fraction of a cent stays for the last. */
  wholePart(amount: Micro): Micro {
    return this.inWholeCents ? floorToCent(amount) : amount;
  }

  /** Interest that is not billed becomes what is asked for together with `principal`. @returns it */
  round(facility: Facility, principal: Micro): Micro {
    const accrued = this.unbilled(facility);
    const asked = this.asked(facility, principal, accrued);
    if (asked !== accrued) facility.interestToRound = toRound(facility) + asked - accrued;
    return asked;
  }

  /** What rounding adds to the interest, or leaves of it, is posted when somebody pays: until then what is owed is exactly what has accrued. */
  postRounding(facility: Facility): void {
    const { ledger, buffer, day } = this.state;
    const amount = toRound(facility);
    if (amount === 0) return;
    ledger.begin();
    ledger.post(RECEIVABLE, facility.facility, amount);
    ledger.post(ACCOUNT['income.interest'], facility.company, -amount);
    ledger.end();
    facility.interestRounded = (facility.interestRounded ?? 0) + amount;
    facility.interestToRound = 0;
    buffer.emit('interestAccrued', { facility: facility.facility, amount, day });
  }

  /** All that is owed but the interest that is not billed. */
  private otherDebt(facility: Facility): Micro {
    return totalDebt(this.state, facility) - this.unbilled(facility);
  }

  /** What pays all interest of a loan that so much of it is not billed of; with the rest of the debt it is whole cents. */
  payoff(facility: Facility, unbilled: Micro): Micro {
    return billedInterest(facility) + this.asked(facility, this.otherDebt(facility), unbilled);
  }

  /** Who pays a loan's payoff owes nothing more. */
  roundPayoff(facility: Facility, paid: Micro): void {
    const [accrued, other] = [this.unbilled(facility), this.otherDebt(facility)];
    if (this.inWholeCents && paid !== other + accrued && paid >= other + this.asked(facility, other, accrued)) this.round(facility, other);
  }

  /** Half a cent of interest that alone is left is not owed. @returns whether there was any */
  forgiveDust(facility: Facility): boolean {
    if (!this.inWholeCents || this.otherDebt(facility) > 0) return false;
    const accrued = this.unbilled(facility);
    if (this.asked(facility, 0, accrued) > 0) return false;
    this.round(facility, 0);
    this.postRounding(facility);
    return accrued > 0;
  }
}

/** What instalments ask for beyond what has accrued, or less; it is not posted yet. */
const toRound = ({ interestToRound = 0 }: Facility): Micro => interestToRound;

const billedInterest = ({ schedule }: Facility): Micro => schedule.reduce((sum, row) => sum + (row.billed ? row.interest : 0), 0);

/** Flat interest is charged on what was lent, as long as any of it is owed. */
const interestBase = ({ method, lent }: Facility, principal: Micro): Micro => (method === 'flat' && principal > 0 ? lent : principal);

/** Micro x ppm x days of a year: the denominator of the exact accrual. */
export const accrualScale = ({ dayCount }: Facility): bigint => BigInt(basisOf(dayCount)) * BigInt(MICRO);
