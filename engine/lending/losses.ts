/** What is expected to be lost of a loan, what was lost, and how its books close. */
import { ACCOUNT } from '../ledger/accounts.ts';
import { expectedLoss, stageOf } from '../credit/expected_loss.ts';
import type { Stage } from '../credit/expected_loss.ts';
import type { Micro } from '../numbers/units.ts';
import type { State } from '../state.ts';
import { daysPastDue, debtOf, totalDebt } from './debt.ts';
import type { Facility } from './facility.ts';
import type { Interest } from './interest.ts';

const ALLOWANCE = ACCOUNT['loan.allowance'];

export class Losses {
  private readonly state: State;
  private readonly interest: Interest;

  constructor(state: State, interest: Interest) {
    this.state = state;
    this.interest = interest;
  }

  stage(facility: Facility): Stage {
    return stageOf(daysPastDue(this.state, facility), facility.state === 'defaulted');
  }

  expectedLoss(facility: Facility, collateral: Micro): Micro {
    const exposure = totalDebt(this.state, facility);
    const balances = this.state.rulesVersion >= 5 ? this.balancesToCome(facility, exposure) : [exposure, ...facility.schedule.filter(({ billed }) => !billed).map(({ balance }) => balance)].slice(0, -1);
    return expectedLoss({
      stage: this.stage(facility), defaultProbability: facility.decision.defaultProbability, annualRate: facility.annualRate, exposure, collateral, balances,
      atLeastYear: this.state.rulesVersion >= 5,
    });
  }

  /** What will be owed by month if who is late stays as late: one instalment is paid each month, the oldest first, so that those past due outlast maturity. */
  private balancesToCome(facility: Facility, exposure: Micro): Micro[] {
    let accrued = this.interest.unbilled(facility);
    let left = exposure;
    return facility.schedule.map((row) => {
      const balance = left;
      left -= row.principal + row.fee + (row.billed ? row.interest : accrued);
      if (!row.billed) accrued = 0;
      return balance;
    });
  }

  /** Brings the allowance to what is expected to be lost. */
  provision(facility: Facility, collateral: Micro): void {
    this.setAllowance(facility, this.expectedLoss(facility, collateral), this.stage(facility));
  }

  private setAllowance(facility: Facility, wanted: Micro, stage: Stage): void {
    const { ledger, buffer } = this.state;
    const change = wanted + ledger.balance(ALLOWANCE, facility.facility);
    if (change === 0) return;
    ledger.begin();
    ledger.post(ACCOUNT['expense.provision'], facility.company, change);
    ledger.post(ALLOWANCE, facility.facility, -change);
    ledger.end();
    buffer.emit('provisioned', { facility: facility.facility, stage, amount: change, allowance: wanted });
  }

  /** The debt is given up against the allowance; who pays later pays a recovery. */
  writeOff(facility: Facility): void {
    const { ledger, buffer } = this.state;
    this.interest.postRounding(facility);
    const { principal, interest, fees } = debtOf(this.state, facility);
    this.setAllowance(facility, principal + interest + fees, 3);
    ledger.begin();
    ledger.post(ALLOWANCE, facility.facility, principal + interest + fees);
    ledger.post(ACCOUNT['loan.principal'], facility.facility, -principal);
    ledger.post(ACCOUNT['interest.receivable'], facility.facility, -interest);
    ledger.post(ACCOUNT['fee.receivable'], facility.facility, -fees);
    ledger.end();
    facility.writtenOff = { principal, interest, fees };
    facility.schedule = [];
    buffer.emit('scheduleSet', { facility: facility.facility, rows: [] });
    this.finish(facility);
    buffer.emit('facilityWrittenOff', { facility: facility.facility, principal, interest, fees });
  }

  /** What was deferred over the loan's life is earned; what was expected to be lost is not; what was not drawn is not promised any more. */
  finish(facility: Facility): void {
    const { ledger } = this.state;
    const id = facility.facility;
    this.setAllowance(facility, 0, 1);
    const fee = ledger.balance(ACCOUNT['orig_fee.deferred'], id);
    const undrawn = ledger.balance(ACCOUNT['limit.undrawn'], id);
    ledger.begin();
    ledger.post(ACCOUNT['orig_fee.deferred'], id, -fee);
    ledger.post(ACCOUNT['income.origination'], facility.company, fee);
    ledger.post(ACCOUNT['limit.undrawn'], id, -undrawn);
    ledger.post(ACCOUNT['limit.control'], id, undrawn);
    ledger.end();
  }
}
