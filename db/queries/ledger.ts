/** The books. Amounts in micro (CAP: 1e-6 GPU-seconds), debit positive. Reads the projection `ledger`. */
import type { Knex } from 'knex';
import { ACCOUNTS, ACCOUNT_NAMES, LEDGERS } from '../../engine/ledger/accounts.ts';
import type { AccountName, LedgerName, OwnerKind } from '../../engine/ledger/accounts.ts';
import { EVENT_KINDS } from '../../engine/events.ts';
import { bigint, number, oneOf } from './fields.ts';
import { readAll, readPage } from './pages.ts';
import type { Page, PageAsk } from './pages.ts';

const ENTRIES = 'projections.ledger_entries';
const BALANCES = 'projections.ledger_balances';
const ENTRY = {
  sequence: number('sequence'), entry: number('entry'), company: number('company'), account: oneOf('account', ACCOUNT_NAMES), owner: number('owner'),
  amount: number('amount'), event: oneOf('event', EVENT_KINDS), at: number('at'),
} as const;
const BALANCE = { account: oneOf('account', ACCOUNT_NAMES), owner: number('owner'), company: number('company'), balance: bigint('balance') } as const;

export interface LedgerEntry {
  sequence: number;
  /** Its place among the entries of its command. */
  entry: number;
  company: number;
  ledger: LedgerName;
  account: AccountName;
  ownerKind: OwnerKind;
  owner: number;
  amount: number;
  /** Kind of the event it belongs to. */
  event: string;
  at: number;
}

export interface LedgerAsk extends PageAsk {
  company: number;
  ledger?: LedgerName;
  account?: AccountName;
}

const accountsOf = ({ ledger, account }: { ledger?: LedgerName; account?: AccountName }): number[] | undefined => {
  if (ledger === undefined && account === undefined) return undefined;
  return ACCOUNT_NAMES.flatMap((name, index) => ((account ?? name) === name && (ledger ?? ACCOUNTS[name].ledger) === ACCOUNTS[name].ledger ? [index] : []));
};

/** Newest first. @throws InvalidCursor */
export async function listLedger(db: Knex, { company, ledger, account, ...page }: LedgerAsk): Promise<Page<LedgerEntry>> {
  const query = db(ENTRIES).where({ company });
  const accounts = accountsOf({ ledger, account });
  if (accounts !== undefined) void query.whereIn('account', accounts);
  const { rows, nextCursor } = await readPage(query, ENTRY, ['sequence', 'entry'], page);
  return { rows: rows.map((row) => ({ ...row, ledger: ACCOUNTS[row.account].ledger, ownerKind: ACCOUNTS[row.account].owner })), nextCursor };
}

export interface AccountBalance {
  ledger: LedgerName;
  account: AccountName;
  ownerKind: OwnerKind;
  owner: number;
  company: number;
  balance: number;
}

/** Accounts of a company, in the chart's order: now, or as they stood after command `sequence`. */
export async function accountBalances(db: Knex, { company, sequence }: { company: number; sequence?: number }): Promise<AccountBalance[]> {
  const query = db(BALANCES).where({ company }).orderBy(['account', 'owner']);
  const balances = await readAll(query, BALANCE);
  const later = sequence === undefined ? new Map<string, bigint>() : await sumsAfter(db, company, sequence);
  return balances.map((row) => ({
    ...row, ledger: ACCOUNTS[row.account].ledger, ownerKind: ACCOUNTS[row.account].owner,
    balance: Number(row.balance - (later.get(`${row.account}:${row.owner}`) ?? 0n)),
  }));
}

async function sumsAfter(db: Knex, company: number, sequence: number): Promise<Map<string, bigint>> {
  const rows = (await db(ENTRIES).where({ company }).where('sequence', '>', sequence).groupBy('account', 'owner')
    .select('account', 'owner').sum({ amount: 'amount' })) as { account: number; owner: string; amount: string }[];
  return new Map(rows.map(({ account, owner, amount }) => [`${ACCOUNT_NAMES[account]}:${owner}`, BigInt(amount)]));
}

/** The sum of each ledger over all accounts: zero, or something is wrong. */
export async function trialBalance(db: Knex): Promise<Record<LedgerName, bigint>> {
  const rows = (await db(BALANCES).groupBy('account').select('account').sum({ balance: 'balance' })) as { account: number; balance: string }[];
  const sums = Object.fromEntries(LEDGERS.map((ledger) => [ledger, 0n])) as Record<LedgerName, bigint>;
  for (const { account, balance } of rows) sums[ACCOUNTS[ACCOUNT_NAMES[account]].ledger] += BigInt(balance);
  return sums;
}
