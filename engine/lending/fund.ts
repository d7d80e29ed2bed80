/**
 * What lenders have in the fund: how much of it is promised or lent, what of that borrowers have paid back, and what may leave.
 * Only money that is there leaves: capital in no commitment, and interest that borrowers have paid.
 */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { RejectCode } from '../catalogue.ts';
import type { ChangeMandate, CreateMandate } from '../commands.ts';
import type { CompanyId } from '../vocabulary.ts';
import { divideHalfEven, mulDiv } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import { FACILITY_MICRO_MAX, MICRO } from '../numbers/units.ts';
import type { Micro } from '../numbers/units.ts';
import type { State } from '../state.ts';
import type { FundView } from '../queries.ts';
import type { Facility, Mandate, Share } from './facility.ts';

/** What of a lender's money may leave, by where it would be taken from. */
export interface Withdrawable {
  /** Applied to nothing. */
  cash: Micro;
  /** Of what it has earned, what borrowers have paid. */
  interest: Micro;
  /** In no mandate, and in mandates but in no commitment. */
  idle: Micro;
  uncommitted: Micro;
}

const CAPITAL = ACCOUNT['fund.capital'];
const PAYABLE = ACCOUNT['fund.payable'];

/** What a share earns of so much of its facility's interest: its mandate's rate on its part of the money. */
export function fundCostOf({ mandates }: State, facility: Facility, share: Share, interest: Micro): Micro {
  if (facility.annualRate === 0) return 0;
  const earned = BigInt(interest) * BigInt(mandates[share.mandate].minimumAnnualRate) * BigInt(share.amount);
  return Number(divideHalfEven(earned, BigInt(facility.annualRate) * BigInt(facility.amount)));
}

/** Of a debt that was given up, what has come back pays principal first, then interest. */
const recoveredPrincipal = ({ payments, writtenOff }: Facility): Micro => Math.min(payments.recovered, writtenOff.principal);
const recoveredInterest = (facility: Facility): Micro => Math.min(facility.payments.recovered - recoveredPrincipal(facility), facility.writtenOff.interest);
const interestPaid = (facility: Facility): Micro => facility.payments.interest + recoveredInterest(facility);

export class Fund {
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  private mandatesOf(company: CompanyId): Mandate[] {
    return this.state.mandates.filter((mandate) => mandate.company === company);
  }

  private capital(company: CompanyId): Micro {
    return 0 - this.state.ledger.balance(CAPITAL, company);
  }
  /** Interest that it has not taken out. */
  private earned(company: CompanyId): Micro {
    return 0 - this.state.ledger.balance(PAYABLE, company);
  }

  /** Interest that it has earned and that borrowers owe. */
  private unpaidInterest(company: CompanyId): Micro {
    let sum = 0;
    for (const facility of this.state.facilities) {
      // A loan that is closed has paid all.
      if (facility.state === 'closed') continue;
      for (const share of facility.shares) {
        if (share.lender === company && share.costPosted > 0) sum += Math.max(0, share.costPosted - fundCostOf(this.state, facility, share, interestPaid(facility)));
      }
    }
    return sum;
  }

  /** What was lent and has been given up, as far as neither the operator's first loss nor a recovery has made it good. */
  private lost(company: CompanyId): Micro {
    let sum = 0;
    for (const { state, shares } of this.state.facilities) {
      if (state !== 'written_off') continue;
      for (const { lender, amount, returned = 0 } of shares) if (lender === company) sum += amount - returned;
    }
    return sum;
  }

  view(company: CompanyId): FundView {
    const withdrawable = this.withdrawable(company);
    const { cash, interest, idle, uncommitted } = withdrawable;
    const capital = this.capital(company);
    return {
      capital, committed: capital - idle - uncommitted, uncommitted, idle, lost: this.lost(company), interestPaid: interest, interestOwed: this.earned(company) - interest,
      withdrawable: cash + interest + idle + uncommitted,
    };
  }

  withdrawable(company: CompanyId): Withdrawable {
    const { ledger } = this.state;
    let [inMandates, committed] = [0, 0];
    for (const mandate of this.mandatesOf(company)) {
      inMandates += mandate.amount;
      committed += mandate.committed;
    }
    return {
      cash: 0 - ledger.balance(ACCOUNT.unapplied, company), interest: Math.max(0, this.earned(company) - this.unpaidInterest(company)), idle: this.capital(company) - inMandates,
      uncommitted: inMandates - committed,
    };
  }

  // What comes in.

  /**
   * A mandate's money: idle capital, or what was deposited and is applied to nothing, then what comes with the command. Before version 9 all of it
   * came with the command, also where no bank had brought it.
   */
  fundMandate({ company, amount, fromIdle = false, bankCovers = false }: CreateMandate): RejectCode | undefined {
    const { cash, idle } = this.withdrawable(company);
    if (fromIdle) return idle < amount ? 'insufficient_funds' : undefined;
    if (this.state.rulesVersion < 9) {
      this.bring(company, amount, 0);
      return undefined;
    }
    const deposited = Math.min(amount, cash);
    if (deposited < amount && !bankCovers) return 'insufficient_funds';
    if (deposited < amount) this.state.buffer.emit('deposited', { company, amount: amount - deposited, reference: `mandate ${this.state.mandates.length}` });
    this.bring(company, amount, deposited);
    return undefined;
  }

  /** So much becomes capital of the lender's, of which so much was deposited before. */
  private bring(company: CompanyId, amount: Micro, deposited: Micro): void {
    const { ledger } = this.state;
    ledger.begin();
    ledger.post(ACCOUNT.unapplied, company, deposited);
    ledger.post(ACCOUNT['cash.fund'], company, -deposited);
    ledger.post(ACCOUNT['cash.fund'], company, amount);
    ledger.post(CAPITAL, company, -amount);
    ledger.end();
  }

  // What comes back.

  /**
   * Principal that has been paid is in no commitment any more, each lender's part of it; the origination fee in it is paid last. Once all that
   * lenders gave of the draws is back, the operator's first loss is; of a debt that was given up it covers what lenders would lose.
   */
  settle(facility: Facility): void {
    if (this.state.rulesVersion < 7 || facility.state === 'closed') return;
    const lots = this.state.lots.of(facility.facility);
    let [drawn, firstLoss, refunded] = [0, 0, 0];
    for (const lot of lots) {
      drawn += lot.usd;
      firstLoss += mulDiv(lot.usd, PARAMETERS.firstLoss, MICRO);
      refunded += lot.feeRefunded;
    }
    // A fee that was given back has lowered the debt without money.
    const paid = Math.max(0, facility.repaidPrincipal - refunded) + recoveredPrincipal(facility);
    const gone = facility.state === 'written_off';
    const covered = gone ? firstLoss - (facility.firstLossReturned ?? 0) : 0;
    // What was not drawn of it is not promised either once it is given up.
    const returned = Math.min(drawn, paid + covered) + (gone ? facility.amount - drawn : 0);
    for (const share of facility.shares) this.returnTo(share, mulDiv(returned, share.amount, facility.amount));
    this.returnFirstLoss(facility, Math.min(firstLoss, paid - (drawn - firstLoss)));
  }

  private returnTo(share: Share, returned: Micro): void {
    const part = returned - (share.returned ?? 0);
    if (part <= 0) return;
    share.returned = returned;
    this.release(this.state.mandates[share.mandate], part, part);
  }

  private returnFirstLoss(facility: Facility, returned: Micro): void {
    const { ledger, buffer } = this.state;
    const amount = returned - (facility.firstLossReturned ?? 0);
    if (amount <= 0) return;
    facility.firstLossReturned = returned;
    ledger.begin();
    ledger.post(ACCOUNT['cash.ops'], facility.company, amount);
    ledger.post(ACCOUNT['cash.fund'], facility.company, -amount);
    ledger.end();
    buffer.emit('firstLossReturned', { facility: facility.facility, amount });
  }

  /** So much of a mandate is committed no more, `repaid` of it for it was lent and has come back. Who does not lend it again, or has closed the mandate, has it idle. */
  release(mandate: Mandate, amount: Micro, repaid: Micro): void {
    mandate.committed -= amount;
    const idle = mandate.closed === true ? amount : mandate.reinvest === false ? repaid : 0;
    if (idle > 0) this.shrink(mandate, idle);
  }

  private shrink(mandate: Mandate, amount: Micro): void {
    mandate.amount -= amount;
    this.tell(mandate);
  }

  private tell({ mandate, company, amount, committed, reinvest = true, closed = false }: Mandate): void {
    this.state.buffer.emit('mandateChanged', { mandate, company, amount, committed, reinvest, closed });
  }

  // What the lender decides.

  /** Makes a mandate smaller or, of idle capital, then of what was deposited, larger; says whether what is paid back is lent again; or closes it, which leaves what is committed. */
  change(command: ChangeMandate): RejectCode | undefined {
    const mandate = this.state.mandates[command.mandate];
    if (mandate?.company !== command.company) return 'unknown_mandate';
    if (mandate.closed === true) return 'invalid_state';
    const { amount = mandate.amount, reinvest, close = false } = command;
    if (!(Number.isSafeInteger(amount) && amount > 0 && amount <= FACILITY_MICRO_MAX) && amount !== mandate.amount) return 'amount_out_of_range';
    if (amount < mandate.committed) return 'limit_exceeded';
    const refusal = this.enlarge(command.company, amount - mandate.amount);
    if (refusal !== undefined) return refusal;
    mandate.amount = close ? mandate.committed : amount;
    if (reinvest !== undefined) mandate.reinvest = reinvest;
    if (close) mandate.closed = true;
    this.tell(mandate);
    return undefined;
  }

  private enlarge(company: CompanyId, more: Micro): RejectCode | undefined {
    const { idle, cash } = this.withdrawable(company);
    const missing = more - idle;
    if (missing <= 0) return undefined;
    if (this.state.rulesVersion < 9 || missing > cash) return 'insufficient_funds';
    this.bring(company, missing, missing);
    return undefined;
  }

  /** Takes capital out: idle first, then of mandates, that which would be lent last before others. Inside an open transaction; returns the mandates that it made smaller. */
  private takeCapital(company: CompanyId, amount: Micro, idle: Micro): Mandate[] {
    this.state.ledger.post(CAPITAL, company, amount);
    const changed: Mandate[] = [];
    let left = amount - Math.min(amount, idle);
    const last = this.mandatesOf(company).sort((a, b) => b.minimumAnnualRate - a.minimumAnnualRate || b.mandate - a.mandate);
    for (const mandate of last) {
      const part = Math.min(left, mandate.amount - mandate.committed);
      if (part === 0) continue;
      mandate.amount -= part;
      left -= part;
      changed.push(mandate);
    }
    return changed;
  }

  /** A lender takes money out: what is applied to nothing, then interest, then capital. */
  withdraw(company: CompanyId, amount: Micro): RejectCode | undefined {
    const { ledger, buffer, switches } = this.state;
    if (switches.payout.on) return 'payouts_stopped';
    const { cash, interest, idle, uncommitted } = this.withdrawable(company);
    if (amount > cash + interest + idle + uncommitted) return 'insufficient_funds';
    const ofCash = Math.min(amount, cash);
    const ofInterest = Math.min(amount - ofCash, interest);
    const ofCapital = amount - ofCash - ofInterest;
    ledger.begin();
    ledger.post(ACCOUNT.unapplied, company, ofCash);
    ledger.post(PAYABLE, company, ofInterest);
    const changed = this.takeCapital(company, ofCapital, idle);
    ledger.post(ACCOUNT['cash.fund'], company, -amount);
    ledger.end();
    buffer.emit('withdrawn', { company, amount });
    for (const mandate of changed) this.tell(mandate);
    if (ofInterest + ofCapital > 0) buffer.emit('fundWithdrawn', { company, amount: ofInterest + ofCapital, interest: ofInterest, principal: ofCapital });
    return undefined;
  }
}
