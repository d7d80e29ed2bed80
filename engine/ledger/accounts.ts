/**
 * The chart of accounts: four ledgers, each account of one kind and one owner.
 *
 * House money (cash, income, commissions) is kept per company whose business moved it, so that every
 * account stays within +-9e15; the house's totals are sums of them (BigInt, off the hot path).
 */

export const LEDGERS = ['USD', 'CR', 'LIMIT', 'CAP'] as const;
export type LedgerName = (typeof LEDGERS)[number];

/** What an account's owner number counts. Cells are a provider's supply of one delivery hour. */
export type OwnerKind = 'company' | 'lot' | 'facility' | 'cell';

interface AccountKind {
  ledger: LedgerName;
  owner: OwnerKind;
  /** The sign a balance may never lose: debit balances are >= 0, credit balances <= 0. */
  bound: 'debit' | 'credit' | 'none';
}
const kind = (ledger: LedgerName, owner: OwnerKind, bound: AccountKind['bound']): AccountKind => ({ ledger, owner, bound });

/** Debit is positive, credit is negative. */
export const ACCOUNTS = {
  'lot.available': kind('CR', 'lot', 'credit'),
  'lot.held': kind('CR', 'lot', 'credit'),
  'lot.contracted': kind('CR', 'lot', 'credit'),
  'lot.issued': kind('CR', 'lot', 'debit'),
  'credit.backing': kind('USD', 'lot', 'credit'),
  'spread.deferred': kind('USD', 'lot', 'credit'),

  'cash.fund': kind('USD', 'company', 'none'),
  'cash.escrow': kind('USD', 'company', 'none'),
  'cash.ops': kind('USD', 'company', 'none'),
  unapplied: kind('USD', 'company', 'credit'),
  'fund.capital': kind('USD', 'company', 'credit'),
  'fund.payable': kind('USD', 'company', 'credit'),
  'provider.payable': kind('USD', 'company', 'credit'),
  'provider.receivable': kind('USD', 'company', 'debit'),
  'provider.bond': kind('USD', 'company', 'credit'),
  'commission.buyer': kind('USD', 'company', 'none'),
  'commission.seller': kind('USD', 'company', 'none'),
  'income.spread': kind('USD', 'company', 'none'),
  'income.interest': kind('USD', 'company', 'none'),
  'income.late_fee': kind('USD', 'company', 'none'),
  'income.origination': kind('USD', 'company', 'none'),
  'income.recovery': kind('USD', 'company', 'none'),
  'expense.fund_interest': kind('USD', 'company', 'none'),
  'expense.provision': kind('USD', 'company', 'none'),
  'expense.grant': kind('USD', 'company', 'none'),

  'loan.principal': kind('USD', 'facility', 'debit'),
  'loan.allowance': kind('USD', 'facility', 'credit'),
  'interest.receivable': kind('USD', 'facility', 'debit'),
  'fee.receivable': kind('USD', 'facility', 'debit'),
  'orig_fee.deferred': kind('USD', 'facility', 'credit'),
  'limit.control': kind('LIMIT', 'facility', 'debit'),
  'limit.undrawn': kind('LIMIT', 'facility', 'credit'),
  'limit.drawn': kind('LIMIT', 'facility', 'credit'),

  'capacity.source': kind('CAP', 'cell', 'debit'),
  'capacity.entitled': kind('CAP', 'cell', 'credit'),
  'capacity.delivered': kind('CAP', 'cell', 'credit'),
  'capacity.failed': kind('CAP', 'cell', 'credit'),
} as const satisfies Record<string, AccountKind>;

export type AccountName = keyof typeof ACCOUNTS;
export const ACCOUNT_NAMES = Object.keys(ACCOUNTS) as AccountName[];
/** The number of each kind of account. */
export const ACCOUNT = Object.fromEntries(ACCOUNT_NAMES.map((name, index) => [name, index])) as { readonly [A in AccountName]: number };

const OWNERS = 2 ** 40;
/** An account as one safe integer, as it stands in `posted` events. */
export const accountRef = (account: number, owner: number): number => account * OWNERS + owner;
export const accountOf = (ref: number): number => Math.floor(ref / OWNERS);
export const ownerOf = (ref: number): number => ref % OWNERS;
export const accountNameOf = (ref: number): AccountName => ACCOUNT_NAMES[accountOf(ref)];
