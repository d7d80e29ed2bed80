/** The rows of a trial balance as they are printed: in GPU-hours too each ledger sums to zero. */
import type { AccountSum } from '../../db/queries/accounting.ts';
import { formatMicro, formatUnits } from '../../engine/numbers/units.ts';
import { microGpuHours } from './wire/amounts.ts';

export interface TrialRow {
  ledger: AccountSum['ledger'];
  account: string;
  debits: string;
  credits: string;
  balance: string;
}

/** An hour has 3,600 seconds, which six places cannot hold: a balance of CAP is what the rounded running total grows by, and credits take what is left. */
export function trialRows(sums: readonly AccountSum[]): TrialRow[] {
  let running = 0n;
  return sums.map(({ ledger, account, debit, credit }) => {
    if (ledger !== 'CAP') return { ledger, account, debits: formatMicro(debit), credits: formatMicro(credit), balance: formatMicro(debit - credit) };
    const before = microGpuHours(running);
    running += debit - credit;
    const debits = microGpuHours(debit);
    const balance = microGpuHours(running) - before;
    return { ledger, account, debits: formatUnits(debits, 6), credits: formatUnits(debits - balance, 6), balance: formatUnits(balance, 6) };
  });
}
