/** Every posting of the double entry, whose business it was and why, and the balance of every account. */
import { ACCOUNTS, ACCOUNT_NAMES, accountOf, ownerOf } from '../../engine/ledger/accounts.ts';
import type { OwnerKind } from '../../engine/ledger/accounts.ts';
import { EVENT_KINDS, KIND } from '../../engine/events.ts';
import type { EngineEvent } from '../../engine/events.ts';
import { MILLIS_PER_DAY } from '../../engine/numbers/units.ts';
import type { CommandEvents } from './commands_of.ts';
import { CopyBuffer } from './copy_buffer.ts';
import { Owners } from './owners.ts';
import { SCHEMA } from './projection.ts';
import type { Projection, ProjectionWriter, Transaction } from './projection.ts';
import { RowBuffer, insertInto } from './row_buffer.ts';
import type { Row } from './row_buffer.ts';

const ENTRIES = `${SCHEMA}.ledger_entries`;
const BALANCES = `${SCHEMA}.ledger_balances`;
const DAYS = `${SCHEMA}.ledger_days`;
const DAY_BOUNDS = `${SCHEMA}.ledger_day_bounds`;

/** entry: its place among the entries of its command. account and event are numbers of ACCOUNT_NAMES and EVENT_KINDS. */
const ENTRY = { company: 'int', sequence: 'bigint', entry: 'int', account: 'smallint', owner: 'bigint', amount: 'bigint', event: 'smallint', at: 'bigint' } as const;
const BALANCE = { account: 'smallint', owner: 'bigint', company: 'int', balance: 'bigint' } as const;
/** What moved on a day (UTC, since 1970) in one kind of account of one company, debits and credits apart, both positive. */
const DAY = { day: 'int', account: 'smallint', company: 'int', debit: 'bigint', credit: 'bigint' } as const;
const BOUNDS = { day: 'int', first: 'bigint', last: 'bigint' } as const;

const names = (rows: readonly string[]): string => rows.map((row) => `(${row})`).join(', ');
const DEFINITION = `
  create table ${ENTRIES} (
    company int not null, sequence bigint not null, entry int not null, account smallint not null, owner bigint not null, amount bigint not null,
    event smallint not null, at bigint not null, primary key (company, sequence, entry)
  );
  create index ledger_entries_by_sequence on ${ENTRIES} using brin (sequence);
  create table ${BALANCES} (
    account smallint not null, owner bigint not null, company int not null, balance bigint not null, primary key (account, owner)
  ) with (fillfactor = 50);
  create index ledger_balances_of_company on ${BALANCES} (company);
  create table ${DAYS} (
    day int not null, account smallint not null, company int not null, debit bigint not null, credit bigint not null, primary key (company, account, day)
  ) with (fillfactor = 70);
  create index ledger_days_by_day on ${DAYS} (day, account);
  -- First and last command that posted on a day.
  create table ${DAY_BOUNDS} (day int primary key, first bigint not null, last bigint not null);
  ${Owners.definition}
  -- For people who read the tables.
  create table ${SCHEMA}.account_names (account smallint primary key, ledger text not null, name text not null, owner_kind text not null);
  insert into ${SCHEMA}.account_names values ${names(ACCOUNT_NAMES.map((name, account) => `${account}, '${ACCOUNTS[name].ledger}', '${name}', '${ACCOUNTS[name].owner}'`))};
  create table ${SCHEMA}.event_names (event smallint primary key, name text not null);
  insert into ${SCHEMA}.event_names values ${names(EVENT_KINDS.map((name, event) => `${event}, '${name}'`))};
`;

const OWNER_KINDS: readonly OwnerKind[] = ACCOUNT_NAMES.map((name) => ACCOUNTS[name].owner);

interface Entry {
  sequence: number;
  entry: number;
  ref: number;
  amount: number;
  event: number;
  at: number;
}

class LedgerWriter implements ProjectionWriter {
  private readonly owners = new Owners();
  private entries: Entry[] = [];
  private readonly entryRows = new CopyBuffer(ENTRIES, ENTRY);
  private readonly balanceRows = new RowBuffer('ledger_balances_merge', BALANCE,
    insertInto(BALANCES, BALANCE, 'on conflict (account, owner) do update set balance = ledger_balances.balance + excluded.balance'));
  private readonly dayRows = new RowBuffer('ledger_days_merge', DAY,
    insertInto(DAYS, DAY, 'on conflict (company, account, day) do update set debit = ledger_days.debit + excluded.debit, credit = ledger_days.credit + excluded.credit'));
  private readonly boundRows = new RowBuffer('ledger_day_bounds_merge', BOUNDS, insertInto(DAY_BOUNDS, BOUNDS, 'on conflict (day) do update set last = excluded.last'));

  apply({ sequence, at, events }: CommandEvents): void {
    let number = 0;
    events.forEach((event, index) => {
      if (event.kind !== 'posted') return this.owners.learn(events, index);
      const cause = causeOf(events, index);
      for (let pair = 0; pair < event.entries.length; pair += 2) {
        this.entries.push({ sequence, entry: number++, ref: event.entries[pair], amount: event.entries[pair + 1], event: cause, at });
      }
    });
  }

  async write(transaction: Transaction): Promise<void> {
    const { entries } = this;
    this.entries = [];
    await this.owners.write(transaction);
    await this.owners.fetch(transaction, entries.map(({ ref }) => ref));
    const sums = new Map<number, number>();
    const byCompany = new Map<number, Entry[]>();
    for (const entry of entries) {
      const company = this.companyOf(entry.ref, entry.sequence);
      const own = byCompany.get(company);
      if (own === undefined) byCompany.set(company, [entry]);
      else own.push(entry);
      sums.set(entry.ref, (sums.get(entry.ref) ?? 0) + entry.amount);
    }
    // In the order of the table's key: each page of its index is then visited once.
    for (const company of [...byCompany.keys()].sort((a, b) => a - b)) {
      for (const { ref, sequence, entry, amount, event, at } of byCompany.get(company) ?? []) {
        this.entryRows.add({ company, sequence, entry, account: accountOf(ref), owner: ownerOf(ref), amount, event, at });
      }
    }
    for (const [ref, balance] of sums) this.balanceRows.add({ account: accountOf(ref), owner: ownerOf(ref), company: this.companyOf(ref, 0), balance });
    await this.entryRows.write(transaction);
    await this.balanceRows.write(transaction);
    this.sumDays(entries);
    await this.dayRows.write(transaction);
    await this.boundRows.write(transaction);
  }

  private sumDays(entries: readonly Entry[]): void {
    const days = new Map<string, Row<typeof DAY>>();
    const bounds = new Map<number, Row<typeof BOUNDS>>();
    for (const { ref, sequence, amount, at } of entries) {
      const day = Math.floor(at / MILLIS_PER_DAY);
      const company = this.companyOf(ref, sequence);
      const account = accountOf(ref);
      const key = `${day}:${account}:${company}`;
      const sum = days.get(key) ?? { day, account, company, debit: 0, credit: 0 };
      days.set(key, sum);
      if (amount > 0) sum.debit = (sum.debit ?? 0) + amount;
      else sum.credit = (sum.credit ?? 0) - amount;
      const bound = bounds.get(day) ?? { day, first: sequence, last: sequence };
      bounds.set(day, bound);
      bound.last = sequence;
    }
    for (const sum of days.values()) this.dayRows.add(sum);
    for (const bound of bounds.values()) this.boundRows.add(bound);
  }

  private companyOf(ref: number, sequence: number): number {
    const owner = ownerOf(ref);
    const kind = OWNER_KINDS[accountOf(ref)];
    const company = kind === 'company' ? owner : this.owners.companyOf(kind, owner);
    if (company === undefined) throw new Error(`command ${sequence} posts to ${ACCOUNT_NAMES[accountOf(ref)]} of ${kind} ${owner}, of which the journal has not told`);
    return company;
  }
}

/** What stands between a posting and the event it belongs to: a payment's instalments, the plan that follows from it. */
const BETWEEN: ReadonlySet<EngineEvent['kind']> = new Set(['posted', 'instalmentPaid', 'scheduleSet']);

/**
 * A posting stands before the event it belongs to; where its command tells nothing more, after it.
 * @returns the event's number
 */
export function causeOf(events: readonly EngineEvent[], index: number): number {
  let next = index + 1;
  while (next < events.length && BETWEEN.has(events[next].kind)) next++;
  let previous = index - 1;
  while (previous >= 0 && events[previous].kind === 'posted') previous--;
  return KIND[(events[next] ?? events[previous] ?? events[index]).kind];
}

export const ledger: Projection = {
  name: 'ledger', version: 3, tables: ['ledger_entries', 'ledger_balances', 'ledger_days', 'ledger_day_bounds', ...Owners.tables, 'account_names', 'event_names'], definition: DEFINITION,
  open: () => new LedgerWriter(),
};

