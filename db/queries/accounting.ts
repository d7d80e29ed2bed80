/** The books over time: by day, by month, as of a date, entry by entry. Micro-units, debit positive. Reads the projection `ledger`. */
import type { Knex } from 'knex';
import { ACCOUNTS, ACCOUNT_NAMES } from '../../engine/ledger/accounts.ts';
import type { AccountName, LedgerName, OwnerKind } from '../../engine/ledger/accounts.ts';
import { EVENT_KINDS } from '../../engine/events.ts';
import type { EventKind } from '../../engine/events.ts';

const ENTRIES = 'projections.ledger_entries';
const DAYS = 'projections.ledger_days';
const BOUNDS = 'projections.ledger_day_bounds';

const numberOf = (account: AccountName): number => ACCOUNT_NAMES.indexOf(account);

export interface DaySum {
  day: number;
  account: AccountName;
  debit: bigint;
  credit: bigint;
}

/** What moved on each day in the accounts, over all companies. Days since 1970, both included. */
export async function sumsByDay(db: Knex, { accounts, from, to }: { accounts: readonly AccountName[]; from: number; to: number }): Promise<DaySum[]> {
  const rows = (await db(DAYS).whereIn('account', accounts.map(numberOf)).whereBetween('day', [from, to]).groupBy('day', 'account').orderBy(['day', 'account'])
    .select('day', 'account').sum({ debit: 'debit', credit: 'credit' })) as { day: number; account: number; debit: string; credit: string }[];
  return rows.map(({ day, account, debit, credit }) => ({ day, account: ACCOUNT_NAMES[account], debit: BigInt(debit), credit: BigInt(credit) }));
}

export interface AccountSum {
  account: AccountName;
  ledger: LedgerName;
  debit: bigint;
  credit: bigint;
}

/** All that was ever posted until the end of the day, by kind of account. */
export async function sumsUntil(db: Knex, day: number): Promise<AccountSum[]> {
  const rows = (await db(DAYS).where('day', '<=', day).groupBy('account').orderBy('account').select('account').sum({ debit: 'debit', credit: 'credit' })) as
    { account: number; debit: string; credit: string }[];
  return rows.map(({ account, debit, credit }) => ({ account: ACCOUNT_NAMES[account], ledger: ACCOUNTS[ACCOUNT_NAMES[account]].ledger, debit: BigInt(debit), credit: BigInt(credit) }));
}

/** The first day on which anything of the company was posted; undefined when nothing was. */
export async function firstDay(db: Knex, company: number): Promise<number | undefined> {
  const row = await db(DAYS).where({ company }).min({ day: 'day' }).first<{ day: number | null }>();
  return row.day ?? undefined;
}

export interface Movement {
  account: AccountName;
  opening: bigint;
  debit: bigint;
  credit: bigint;
}

/** Of a company's accounts: what stood there before `from`, and what moved until `to`, both days included. */
export async function movements(db: Knex, { company, accounts, from, to }: { company: number; accounts: readonly AccountName[]; from: number; to: number }): Promise<Movement[]> {
  const query = db(DAYS).where({ company }).whereIn('account', accounts.map(numberOf)).where('day', '<=', to).groupBy('account').orderBy('account').select('account').select(
    db.raw('coalesce(sum(debit - credit) filter (where day < ?), 0) as opening', [from]),
    db.raw('coalesce(sum(debit) filter (where day >= ?), 0) as debit', [from]),
    db.raw('coalesce(sum(credit) filter (where day >= ?), 0) as credit', [from]),
  );
  const rows = (await query) as unknown as { account: number; opening: string; debit: string; credit: string }[];
  return rows.map(({ account, opening, debit, credit }) => ({ account: ACCOUNT_NAMES[account], opening: BigInt(opening), debit: BigInt(debit), credit: BigInt(credit) }));
}

export interface DayLine {
  day: number;
  event: EventKind;
  account: AccountName;
  entries: number;
  amount: bigint;
}

const MILLIS_PER_DAY = 86_400_000;

/** What moved a company's accounts, by day and event. */
export async function linesByDay(db: Knex, { company, accounts, from, to }: { company: number; accounts: readonly AccountName[]; from: number; to: number }): Promise<DayLine[]> {
  const bounds = await boundsOf(db, from, to);
  if (bounds === undefined) return [];
  const rows = (await db(ENTRIES).where({ company }).whereBetween('sequence', [bounds.first, bounds.last]).whereIn('account', accounts.map(numberOf))
    .groupByRaw('1, 2, 3').orderByRaw('1, 2, 3')
    .select(db.raw(`at / ${MILLIS_PER_DAY} as day`), 'event', 'account').count({ entries: '*' }).sum({ amount: 'amount' })) as unknown as
    { day: string; event: number; account: number; entries: string; amount: string }[];
  return rows.map((row) => ({ day: Number(row.day), event: EVENT_KINDS[row.event], account: ACCOUNT_NAMES[row.account], entries: Number(row.entries), amount: BigInt(row.amount) }));
}

/** First and last command that posted on the days, both included. */
async function boundsOf(db: Knex, from: number, to: number): Promise<{ first: number; last: number } | undefined> {
  const row = await db(BOUNDS).whereBetween('day', [from, to]).min({ first: 'first' }).max({ last: 'last' }).first<{ first: string | null; last: string | null }>();
  return row.first === null || row.last === null ? undefined : { first: Number(row.first), last: Number(row.last) };
}

export interface JournalEntry {
  sequence: number;
  entry: number;
  at: number;
  ledger: LedgerName;
  account: AccountName;
  ownerKind: OwnerKind;
  owner: number;
  company: number;
  amount: number;
  event: EventKind;
}
interface RawEntry {
  sequence: string;
  entry: number;
  at: string;
  account: number;
  owner: string;
  company: number;
  amount: string;
  event: number;
}

/** Commands looked at in one step: the index on sequence is coarse, and what is found has to be sorted. */
const STEP = 2_000;

/** Every posting of the days in order, after the entry `after` of command `sequence`. */
export async function generalLedger(db: Knex, { from, to, after, limit }: { from: number; to: number; after?: { sequence: number; entry: number }; limit: number }): Promise<JournalEntry[]> {
  const bounds = await boundsOf(db, from, to);
  const found: JournalEntry[] = [];
  if (bounds === undefined) return found;
  for (let first = Math.max(bounds.first, after?.sequence ?? 0); first <= bounds.last && found.length < limit; first += STEP) {
    const last = Math.min(first + STEP - 1, bounds.last);
    const query = db(ENTRIES).whereBetween('sequence', [first, last]).orderBy(['sequence', 'entry', 'company']).limit(limit - found.length);
    if (after !== undefined) void query.whereRaw('(sequence, entry) > (?, ?)', [after.sequence, after.entry]);
    const rows = (await query.select('sequence', 'entry', 'at', 'account', 'owner', 'company', 'amount', 'event')) as RawEntry[];
    found.push(...rows.map(entryOf));
  }
  return found;
}

const entryOf = (row: RawEntry): JournalEntry => ({
  sequence: Number(row.sequence), entry: row.entry, at: Number(row.at), ledger: ACCOUNTS[ACCOUNT_NAMES[row.account]].ledger, account: ACCOUNT_NAMES[row.account],
  ownerKind: ACCOUNTS[ACCOUNT_NAMES[row.account]].owner, owner: Number(row.owner), company: row.company, amount: Number(row.amount), event: EVENT_KINDS[row.event],
});

/** The last command of the company that had posted by then; 0 when none had. */
export async function sequenceAt(db: Knex, { company, at }: { company: number; at: number }): Promise<number> {
  const row = await db(ENTRIES).where({ company }).where('at', '<=', at).orderBy('sequence', 'desc').first<{ sequence: string } | undefined>('sequence');
  return Number(row?.sequence ?? 0);
}
