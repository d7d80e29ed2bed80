/** Whose business an account is: a lot's and a facility's borrower, a supply cell's provider. */
import { ACCOUNTS, ACCOUNT_NAMES, accountOf, ownerOf } from '../../engine/ledger/accounts.ts';
import type { OwnerKind } from '../../engine/ledger/accounts.ts';
import type { EngineEvent } from '../../engine/events.ts';
import { SCHEMA } from './projection.ts';
import type { Transaction } from './projection.ts';
import { RowBuffer, insertInto } from './row_buffer.ts';

const TABLE = `${SCHEMA}.ledger_owners`;
const COLUMNS = { kind: 'smallint', owner: 'bigint', company: 'int', market: 'int', hour: 'int' } as const;
/** Their places stand in the table. */
const KINDS: readonly OwnerKind[] = ['company', 'lot', 'facility', 'cell'];
/** Owners remembered; the others are read again when they are needed. */
const KEPT_MAX = 200_000;
const OWNERS = 2 ** 40;

const keyOf = (kind: OwnerKind, owner: number): number => KINDS.indexOf(kind) * OWNERS + owner;

export class Owners {
  static readonly tables = ['ledger_owners'];
  /** market and hour: of a cell, else null. */
  static readonly definition = `
    create table ${TABLE} (kind smallint not null, owner bigint not null, company int not null, market int, hour int, primary key (kind, owner));`;

  private readonly known = new Map<number, number>();
  private readonly rows = new RowBuffer('ledger_owners_insert', COLUMNS, insertInto(TABLE, COLUMNS, 'on conflict do nothing'));

  companyOf(kind: OwnerKind, owner: number): number | undefined {
    return this.known.get(keyOf(kind, owner));
  }

  /** Takes from an event, not a posting, what it tells about owners. */
  learn(events: readonly EngineEvent[], index: number): void {
    const event = events[index];
    if (event.kind === 'lotMinted') this.add('lot', event.lot, event.company);
    else if (event.kind === 'facilityOffered') this.add('facility', event.facility, event.company);
    else if (event.kind === 'fill') this.learnCells(events[index - 1], event.provider, event.market, event.hour);
  }

  /** The posting of a fill moves capacity of one cell: the provider's, of that hour. */
  private learnCells(posting: EngineEvent | undefined, provider: number, market: number, hour: number): void {
    if (posting?.kind !== 'posted') return;
    for (let pair = 0; pair < posting.entries.length; pair += 2) {
      const ref = posting.entries[pair];
      if (ACCOUNTS[ACCOUNT_NAMES[accountOf(ref)]].owner === 'cell') this.add('cell', ownerOf(ref), provider, market, hour);
    }
  }

  private add(kind: OwnerKind, owner: number, company: number, market: number | null = null, hour: number | null = null): void {
    if (this.known.has(keyOf(kind, owner))) return;
    this.known.set(keyOf(kind, owner), company);
    this.rows.add({ kind: KINDS.indexOf(kind), owner, company, market, hour });
  }

  write(transaction: Transaction): Promise<void> {
    return this.rows.write(transaction);
  }

  /** Reads the owners of these accounts that are not known. Call after `write`. */
  async fetch(transaction: Transaction, refs: readonly number[]): Promise<void> {
    // What is needed now must not be among what is forgotten.
    if (this.known.size > KEPT_MAX) this.known.clear();
    const missing = new Map<number, [number, number]>();
    for (const ref of refs) {
      const kind = ACCOUNTS[ACCOUNT_NAMES[accountOf(ref)]].owner;
      const key = keyOf(kind, ownerOf(ref));
      if (kind !== 'company' && !this.known.has(key)) missing.set(key, [KINDS.indexOf(kind), ownerOf(ref)]);
    }
    if (missing.size === 0) return;
    const { rows } = await transaction.query<{ kind: number; owner: string; company: number }>(
      `select kind, owner, company from ${TABLE} join unnest($1::smallint[], $2::bigint[]) as wanted (kind, owner) using (kind, owner)`,
      [[...missing.values()].map(([kind]) => kind), [...missing.values()].map(([, owner]) => owner)],
    );
    for (const { kind, owner, company } of rows) this.known.set(keyOf(KINDS[kind], Number(owner)), company);
  }
}
