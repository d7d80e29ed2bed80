/** A company's month: what it held and owed, and what moved it. */
import { z } from 'zod';
import { firstDay, linesByDay, movements } from '../../db/queries/accounting.ts';
import type { DayLine } from '../../db/queries/accounting.ts';
import { dayOf, lastOfMonth } from '../../engine/credit/dates.ts';
import { ACCOUNTS } from '../../engine/ledger/accounts.ts';
import type { AccountName } from '../../engine/ledger/accounts.ts';
import { MILLIS_PER_DAY, formatMicro } from '../../engine/numbers/units.ts';
import { idOf } from '../ids.ts';
import type { Services } from '../services.ts';
import { formatDay } from './wire/amounts.ts';
import { projectionsCaughtUp } from './history.ts';

const text = z.string();

/** What is a company's own of the accounts that bear its name; the rest of them is the house's. */
const TITLES = {
  unapplied: 'Cash', 'lot.available': 'Credits available', 'lot.held': 'Credits held by bids', 'lot.contracted': 'Credits in contract', 'loan.principal': 'Loan principal owed',
  'interest.receivable': 'Interest owed', 'fee.receivable': 'Late fees owed', 'provider.payable': 'Earned, not paid out', 'provider.receivable': 'Owed back for failed hours',
  'provider.bond': 'Bond', 'fund.capital': 'Capital lent to the fund', 'fund.payable': 'Interest earned as lender',
} as const satisfies Partial<Record<AccountName, string>>;
type OwnAccount = keyof typeof TITLES;
export const OWN_ACCOUNTS = Object.keys(TITLES) as OwnAccount[];

const unitOf = (account: OwnAccount): 'USD' | 'CR' => (ACCOUNTS[account].ledger === 'CR' ? 'CR' : 'USD');
/** Holdings and debts alike are shown above zero. */
export const signOf = (account: AccountName): bigint => (ACCOUNTS[account].bound === 'credit' ? -1n : 1n);

export const statementSchema = z.object({
  month: text, company: text, company_id: text, from: text, to: text, complete: z.boolean().describe('false while the month is not over'),
  accounts: z.array(z.object({ account: text, title: text, unit: z.enum(['USD', 'CR']), opening: text, increase: text, decrease: text, closing: text })),
  lines: z.array(z.object({ date: text, event: text.describe('What is posted for, or originationFee: of a draw, what was added to the debt as its fee'), account: text, count: z.number().int(), amount: text, balance: text.describe('Of the account after it'), unit: z.enum(['USD', 'CR']) })),
});
export type Statement = z.infer<typeof statementSchema>;
export const STATEMENT_LINE_COLUMNS = ['date', 'event', 'account', 'count', 'amount', 'balance', 'unit'] as const;

/** The lines of a file that is read alone: what each account began with comes first. */
export const statementRows = ({ from, accounts, lines }: Statement): Record<(typeof STATEMENT_LINE_COLUMNS)[number], string | number>[] => [
  ...accounts.map(({ account, opening, unit }) => ({ date: from, event: 'opening', account, count: 0, amount: formatMicro(0), balance: opening, unit })), ...lines,
];

interface Month {
  month: string;
  from: number;
  to: number;
}

/** undefined when the text is no month. */
export function monthOf(name: string): Month | undefined {
  if (!/^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])$/.test(name)) return undefined;
  const [year, month] = name.split('-').map(Number);
  const from = dayOf({ year, month, day: 1 });
  return { month: name, from, to: lastOfMonth(from) };
}

const monthNameOf = (day: number): string => formatDay(day).slice(0, 7);
const todayOf = (services: Services): number => Math.floor(services.committed.now / MILLIS_PER_DAY);

/** Months in which anything of the company was known, the newest first. */
export async function statementMonths(services: Services, company: number): Promise<(Month & { complete: boolean })[]> {
  await projectionsCaughtUp(services, 'ledger');
  const first = await firstDay(services.database, company);
  const found: (Month & { complete: boolean })[] = [];
  const today = todayOf(services);
  if (first === undefined) return found;
  for (let month = monthOf(monthNameOf(today)); month !== undefined && month.to >= first; month = monthOf(monthNameOf(month.from - 1))) found.push({ ...month, complete: month.to < today });
  return found;
}

export async function statementOf(services: Services, company: number, { month, from, to }: Month): Promise<Statement> {
  await projectionsCaughtUp(services, 'ledger');
  const ask = { company, accounts: OWN_ACCOUNTS, from, to };
  const [moved, posted] = await Promise.all([movements(services.database, ask), linesByDay(services.database, { ...ask, accounts: [...OWN_ACCOUNTS, FEE] })]);
  const lines = withFees(posted);
  const amount = (value: bigint): string => formatMicro(value);
  const balances = new Map(moved.map(({ account, opening }) => [account, signOf(account) * opening]));
  const movedBy = (account: AccountName, change: bigint): { amount: string; balance: string } => {
    const balance = (balances.get(account) ?? 0n) + change;
    balances.set(account, balance);
    return { amount: amount(change), balance: amount(balance) };
  };
  return {
    month, company: services.directory.companyName(company), company_id: idOf('company', company), from: formatDay(from), to: formatDay(to), complete: to < todayOf(services),
    accounts: moved.filter(({ opening, debit, credit }) => opening !== 0n || debit !== 0n || credit !== 0n).map(({ account, opening, debit, credit }) => {
      const sign = signOf(account);
      const [increase, decrease] = sign < 0n ? [credit, debit] : [debit, credit];
      return {
        account, title: TITLES[account as OwnAccount], unit: unitOf(account as OwnAccount), opening: amount(sign * opening), increase: amount(increase), decrease: amount(decrease),
        closing: amount(sign * (opening + debit - credit)),
      };
    }),
    lines: lines.map((line) => ({
      date: formatDay(line.day), event: line.event, account: line.account, count: line.entries, ...movedBy(line.account, signOf(line.account) * line.amount), unit: unitOf(line.account as OwnAccount),
    })),
  };
}

/** The house's account in which the origination fee of a draw waits to be earned. */
const FEE: AccountName = 'orig_fee.deferred';
const PRINCIPAL: AccountName = 'loan.principal';
type StatementLine = Omit<DayLine, 'event'> & { event: DayLine['event'] | 'originationFee' };

/** A draw adds its fee to the debt: lines of its own say how much, beside what was drawn. */
export function withFees(posted: readonly DayLine[]): StatementLine[] {
  const isDraw = ({ event }: DayLine): boolean => event === 'facilityDrawn';
  const fees = new Map(posted.filter((line) => line.account === FEE && isDraw(line)).map((line) => [line.day, line]));
  return posted.filter(({ account }) => account !== FEE).flatMap((line): StatementLine[] => {
    const fee = line.account === PRINCIPAL && isDraw(line) ? fees.get(line.day) : undefined;
    // What the one is credited the other is debited.
    return fee === undefined ? [line] : [{ ...line, amount: line.amount + fee.amount }, { ...line, event: 'originationFee', entries: fee.entries, amount: -fee.amount }];
  });
}
