/** What a loan owes, and how late it is. */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { Micro } from '../numbers/units.ts';
import { PARAMETERS } from '../parameters.ts';
import type { State } from '../state.ts';
import type { Debt, Facility } from './facility.ts';

const PRINCIPAL = ACCOUNT['loan.principal'];
const INTEREST = ACCOUNT['interest.receivable'];
const FEES = ACCOUNT['fee.receivable'];

/** As it is posted: interest as it has accrued. */
export const debtOf = ({ ledger }: State, { facility }: Facility): Debt => ({
  principal: ledger.balance(PRINCIPAL, facility), interest: ledger.balance(INTEREST, facility), fees: ledger.balance(FEES, facility),
});

/** All that a loan owes: principal, interest, of instalments as they ask for it, and fees. */
export const totalDebt = ({ ledger }: State, { facility, interestToRound = 0 }: Facility): Micro =>
  ledger.balance(PRINCIPAL, facility) + ledger.balance(INTEREST, facility) + interestToRound + ledger.balance(FEES, facility);

/** Days since the oldest instalment that is not paid fell due; 0 when none is late. */
export function daysPastDue({ day }: State, { schedule, defaultedFrom }: Facility): number {
  // After a default all is one debt: what a part of it pays does not make the rest younger.
  if (defaultedFrom !== undefined) return schedule.reduce((sum, row) => sum + row.principal + row.interest + row.fee, 0) >= PARAMETERS.lateMinimum ? day - defaultedFrom : 0;
  // Due instalments stand first, the oldest before all others.
  for (const row of schedule) {
    if (!row.billed || row.due >= day) return 0;
    if (row.principal + row.interest >= PARAMETERS.lateMinimum) return day - row.due;
  }
  return 0;
}

/** Whether what came with so many loan rules holds for it. */
export const livesBy = ({ loanRules }: Facility, rules: number): boolean => (loanRules ?? 1) >= rules;
