/**
 * The double entry. Balances are the truth; every change of them is written as a `posted` event of
 * pairs [account reference, signed amount], so that an auditor can rebuild them from events alone.
 */
import { ACCOUNT, ACCOUNTS, ACCOUNT_NAMES, LEDGERS, accountRef } from './accounts.ts';
import type { AccountName, LedgerName, OwnerKind } from './accounts.ts';
import { grownCapacity, grownFloats } from '../numbers/columns.ts';
import { columnView } from '../numbers/column_views.ts';
import type { ColumnView } from '../numbers/column_views.ts';
import { KIND } from '../events.ts';
import type { EventBuffer } from '../events.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { BACKING_DENOMINATOR, BACKING_NUMERATOR, COST_DENOMINATOR, COST_NUMERATOR, LOTS, LOT_SHIFT } from './lot_rows.ts';
import type { LotRows } from './lot_rows.ts';
import { ACCOUNTS_APART, ACCOUNTS_BESIDE, COMPANIES, COMPANY_SHIFT } from '../trading/standing.ts';
import type { Standing } from '../trading/standing.ts';
import { CELLS, CELL_SHIFT } from './supply_cells.ts';
import type { SupplyCells } from './supply_cells.ts';
import { ACCOUNT_MICRO_MAX } from '../numbers/units.ts';

const firstOf = (kind: OwnerKind): number => ACCOUNT_NAMES.findIndex((name) => ACCOUNTS[name].owner === kind);
/** Accounts of one kind of owner have consecutive numbers, in this order of kinds; lots' begin at 0. */
const COMPANY_FIRST = firstOf('company');
const FACILITY_FIRST = firstOf('facility');
const CELL_FIRST = firstOf('cell');
/** Places of an owner's row: its accounts side by side, so that a transaction touches few cache lines. */
const FACILITY_SHIFT = 3;
const LOT_STRIDE = 1 << LOT_SHIFT;
const COMPANY_STRIDE = 1 << COMPANY_SHIFT;
const FACILITY_STRIDE = 1 << FACILITY_SHIFT;
const CELL_STRIDE = 1 << CELL_SHIFT;
const STRIDES: Readonly<Record<OwnerKind, number>> = { lot: LOT_STRIDE, company: COMPANY_STRIDE, facility: FACILITY_STRIDE, cell: CELL_STRIDE };

const OWNER_KINDS = Object.keys(STRIDES) as OwnerKind[];

/** Of a company's accounts those that asks and fills ask for: they stand with what else of the company these change. */
const BESIDE_STANDING: readonly AccountName[] = ['cash.escrow', 'cash.ops', 'commission.buyer', 'commission.seller', 'provider.bond'];

/** Where in a company's row each of its accounts stands. */
function companyPlaces(): Int32Array {
  const names = ACCOUNT_NAMES.slice(COMPANY_FIRST, FACILITY_FIRST);
  const apart = names.filter((name) => !BESIDE_STANDING.includes(name));
  return Int32Array.from(names, (name) => (BESIDE_STANDING.includes(name) ? ACCOUNTS_BESIDE + BESIDE_STANDING.indexOf(name) : ACCOUNTS_APART + apart.indexOf(name)));
}
const COMPANY_PLACES = companyPlaces();

/** Where in its owner's row an account stands. */
function placeOf(account: number): number {
  const { owner } = ACCOUNTS[ACCOUNT_NAMES[account]];
  return owner === 'company' ? COMPANY_PLACES[account - COMPANY_FIRST] : account - firstOf(owner);
}

/** The places of those that are meant. */
const placesOf = (kind: OwnerKind, isMeant: (account: (typeof ACCOUNTS)[AccountName]) => boolean): number[] =>
  ACCOUNT_NAMES.flatMap((name, account) => (ACCOUNTS[name].owner === kind && isMeant(ACCOUNTS[name]) ? [placeOf(account)] : []));

/** A balance in two parts, split where it needs no division; so many of each sum exactly as numbers: 1e5 x 2^29. */
const SPLIT = 2 ** 24;
const SUMMED_AT_ONCE = 100_000;

const POSTED = KIND.posted;
const AVAILABLE = ACCOUNT['lot.available'];
const HELD = ACCOUNT['lot.held'];
const CONTRACTED = ACCOUNT['lot.contracted'];
const ISSUED = ACCOUNT['lot.issued'];
const BACKING = ACCOUNT['credit.backing'];
const DEFERRED = ACCOUNT['spread.deferred'];
const CASH_OPS = ACCOUNT['cash.ops'];
const CASH_ESCROW = ACCOUNT['cash.escrow'];
const CASH_OPS_PLACE = placeOf(CASH_OPS);
const CASH_ESCROW_PLACE = placeOf(CASH_ESCROW);
/** Words that one transaction may need: more entries than any posting rule has. */
const TRANSACTION_WORDS_MAX = 2 + 2 * 64;

export class Ledger {
  /** One row per owner, one place per account. Debit positive. */
  private facilities = new Float64Array(16 * FACILITY_STRIDE);
  /** Those of companies, lots and supply cells stand in rows with what else is asked of them. */
  private companies: Float64Array<ArrayBuffer>;
  private lots: Float64Array<ArrayBuffer>;
  private cells: Float64Array<ArrayBuffer>;
  /** Lots and cells that there have been: their tables have room for many more. */
  private lotCount = 0;
  private cellCount = 0;
  private readonly standing: Standing;
  private readonly lotRows: LotRows;
  private readonly cellRows: SupplyCells;
  private readonly buffer: EventBuffer;
  /** Where the open transaction's length stands in the event buffer. */
  private lengthAt = 0;

  constructor(buffer: EventBuffer, standing: Standing, lots: LotRows, cells: SupplyCells) {
    this.buffer = buffer;
    this.standing = standing;
    this.lotRows = lots;
    this.cellRows = cells;
    this.companies = standing.floats;
    this.lots = lots.floats;
    this.cells = cells.floats;
  }

  /** Makes room for an owner's accounts. Must be called before the first posting to them. */
  openOwner(kind: OwnerKind, owner: number): void {
    if (kind === 'company') {
      this.standing.reserve(owner + 1);
      this.companies = this.standing.floats;
    } else if (kind === 'lot') {
      this.lotRows.reserve(owner + 1);
      this.lots = this.lotRows.floats;
      this.lotCount = Math.max(this.lotCount, owner + 1);
    } else if (kind === 'cell') {
      this.cellRows.reserve(owner + 1);
      this.cells = this.cellRows.floats;
      this.cellCount = Math.max(this.cellCount, owner + 1);
    } else if ((owner + 1) * FACILITY_STRIDE > this.facilities.length) {
      this.facilities = grownFloats(this.facilities, grownCapacity(this.facilities.length / FACILITY_STRIDE, owner + 1) * FACILITY_STRIDE);
    }
  }

  /** Has another market's balances, those of supply cells apart; `owners` brings what stands beside those of companies and lots. */
  adopt(from: Ledger, owners: () => void): void {
    owners();
    this.companies = this.standing.floats;
    this.lots = this.lotRows.floats;
    this.lotCount = from.lotCount;
    this.facilities = from.facilities.slice();
  }

  private rowsOf(kind: OwnerKind): number {
    if (kind === 'company') return this.standing.count;
    if (kind === 'facility') return this.facilities.length / FACILITY_STRIDE;
    return kind === 'lot' ? this.lotCount : this.cellCount;
  }

  private table(kind: OwnerKind): Float64Array<ArrayBuffer> {
    if (kind === 'lot') return this.lots;
    if (kind === 'company') return this.companies;
    return kind === 'facility' ? this.facilities : this.cells;
  }

  /** Begins a transaction; its entries must sum to zero in each ledger. */
  begin(): void {
    const buffer = this.buffer;
    buffer.reserve(TRANSACTION_WORDS_MAX);
    const at = buffer.end;
    buffer.words[at] = POSTED;
    this.lengthAt = at + 1;
    buffer.length = at + 2;
  }

  /** Debits (amount > 0) or credits (amount < 0) one account. Zero leaves no entry. */
  post(account: number, owner: number, amount: number): void {
    if (amount === 0) return;
    this.move(account, owner, amount);
    const { buffer } = this;
    const { words, end } = buffer;
    words[end] = accountRef(account, owner);
    words[end + 1] = amount;
    buffer.length = end + 2;
  }

  /** Debits one account of a lot and credits another: two entries in one go. */
  transfer(debit: number, credit: number, lot: number, amount: number): void {
    const { lots, buffer } = this;
    const { words, end } = buffer;
    const at = (lot & LOTS) << LOT_SHIFT;
    lots[at + debit] += amount;
    lots[at + credit] -= amount;
    words[end] = accountRef(debit, lot);
    words[end + 1] = amount;
    words[end + 2] = accountRef(credit, lot);
    words[end + 3] = -amount;
    buffer.length = end + 4;
  }

  /** A transaction of one transfer. */
  transferAlone(debit: number, credit: number, lot: number, amount: number): void {
    const { lots, buffer } = this;
    buffer.reserve(6);
    const { words, end } = buffer;
    const at = (lot & LOTS) << LOT_SHIFT;
    lots[at + debit] += amount;
    lots[at + credit] -= amount;
    words[end] = POSTED;
    words[end + 1] = 4;
    words[end + 2] = accountRef(debit, lot);
    words[end + 3] = amount;
    words[end + 4] = accountRef(credit, lot);
    words[end + 5] = -amount;
    buffer.length = end + 6;
  }

  /**
   * What a fill does with held credit of one lot, in one go and with the lot's rates beside its accounts: into contract, retired as
   * a fee, with the fall of backing and deferred spread, and given back. Its entries are those of three transfers and two postings
   * in that order. Returns what the fee's credit cost.
   */
  settleHeld(lot: number, contracted: number, fee: number, released: number): number {
    const { lots, buffer } = this;
    const { words } = buffer;
    const at = (lot & LOTS) << LOT_SHIFT;
    const outstanding = lots[at + ISSUED] - fee;
    // What stands there is the rounded amount for what is outstanding now.
    const backed = -lots[at + BACKING];
    const cost = backed - lots[at + DEFERRED] - mulDiv(outstanding, lots[at + COST_NUMERATOR], lots[at + COST_DENOMINATOR]);
    const backing = backed - mulDiv(outstanding, lots[at + BACKING_NUMERATOR], lots[at + BACKING_DENOMINATOR]);
    lots[at + HELD] += contracted + fee + released;
    lots[at + CONTRACTED] -= contracted;
    lots[at + ISSUED] -= fee;
    lots[at + AVAILABLE] -= released;
    lots[at + BACKING] += backing;
    lots[at + DEFERRED] += cost - backing;
    let { end } = buffer;
    words[end] = accountRef(HELD, lot);
    words[end + 1] = contracted;
    words[end + 2] = accountRef(CONTRACTED, lot);
    words[end + 3] = -contracted;
    end += 4;
    if (backing !== 0) {
      words[end] = accountRef(BACKING, lot);
      words[end + 1] = backing;
      end += 2;
    }
    if (cost !== backing) {
      words[end] = accountRef(DEFERRED, lot);
      words[end + 1] = cost - backing;
      end += 2;
    }
    words[end] = accountRef(HELD, lot);
    words[end + 1] = fee;
    words[end + 2] = accountRef(ISSUED, lot);
    words[end + 3] = -fee;
    end += 4;
    if (released !== 0) {
      words[end] = accountRef(HELD, lot);
      words[end + 1] = released;
      words[end + 2] = accountRef(AVAILABLE, lot);
      words[end + 3] = -released;
      end += 4;
    }
    buffer.length = end;
    return cost;
  }

  /** Credits an income of the house by a company's business and moves as much cash out of escrow: the entries of a posting and a transfer. */
  earn(income: number, company: number, amount: number): void {
    const { companies, buffer } = this;
    const { words, end } = buffer;
    const at = (company & COMPANIES) << COMPANY_SHIFT;
    companies[at + COMPANY_PLACES[income - COMPANY_FIRST]] -= amount;
    companies[at + CASH_OPS_PLACE] += amount;
    companies[at + CASH_ESCROW_PLACE] -= amount;
    words[end] = accountRef(income, company);
    words[end + 1] = -amount;
    words[end + 2] = accountRef(CASH_OPS, company);
    words[end + 3] = amount;
    words[end + 4] = accountRef(CASH_ESCROW, company);
    words[end + 5] = -amount;
    buffer.length = end + 6;
  }

  /** As `transfer`, for accounts of a supply cell: balances stand by row, events name the cell's id. */
  transferCell(debit: number, credit: number, row: number, id: number, amount: number): void {
    const { cells, buffer } = this;
    const { words, end } = buffer;
    const at = (row & CELLS) << CELL_SHIFT;
    cells[at + (debit - CELL_FIRST)] += amount;
    cells[at + (credit - CELL_FIRST)] -= amount;
    words[end] = accountRef(debit, id);
    words[end + 1] = amount;
    words[end + 2] = accountRef(credit, id);
    words[end + 3] = -amount;
    buffer.length = end + 4;
  }

  private move(account: number, owner: number, amount: number): void {
    if (account < COMPANY_FIRST) this.lots[((owner & LOTS) << LOT_SHIFT) + account] += amount;
    else if (account < FACILITY_FIRST) this.companies[((owner & COMPANIES) << COMPANY_SHIFT) + COMPANY_PLACES[account - COMPANY_FIRST]] += amount;
    else if (account < CELL_FIRST) this.facilities[(owner << FACILITY_SHIFT) + (account - FACILITY_FIRST)] += amount;
    else this.cells[((owner & CELLS) << CELL_SHIFT) + (account - CELL_FIRST)] += amount;
  }

  /** Posts to an account of a supply cell: balances stand by row, events name the cell's id. */
  postCell(account: number, row: number, id: number, amount: number): void {
    this.move(account, row, amount);
    const buffer = this.buffer;
    buffer.words[buffer.length] = accountRef(account, id);
    buffer.words[buffer.length + 1] = amount;
    buffer.length += 2;
  }

  /** Ends the transaction; one without entries leaves no event. */
  end(): void {
    const count = this.buffer.length - this.lengthAt - 1;
    if (count === 0) this.buffer.length = this.lengthAt - 1;
    else this.buffer.words[this.lengthAt] = count;
  }

  ownerKind(account: number): OwnerKind {
    return ACCOUNTS[ACCOUNT_NAMES[account]].owner;
  }

  balance(account: number, owner: number): number {
    if (account < COMPANY_FIRST) return this.lots[((owner & LOTS) << LOT_SHIFT) + account];
    if (account < FACILITY_FIRST) return this.companies[((owner & COMPANIES) << COMPANY_SHIFT) + COMPANY_PLACES[account - COMPANY_FIRST]];
    if (account < CELL_FIRST) return this.facilities[(owner << FACILITY_SHIFT) + (account - FACILITY_FIRST)];
    return this.cells[((owner & CELLS) << CELL_SHIFT) + (account - CELL_FIRST)];
  }

  /** Closes the accounts of a supply cell whose hour is settled; they sum to zero. */
  closeCell(row: number): void {
    this.cellRows.closeAccounts(row);
  }

  /** The balances of one account by owner, for snapshots. */
  view(name: AccountName, owners: number): ColumnView {
    const account = ACCOUNT[name];
    const kind = this.ownerKind(account);
    return columnView({ name, kind: 'f64', table: this.table(kind), stride: STRIDES[kind], places: [placeOf(account)] }, owners);
  }

  /** As `view`, for checks. */
  column(account: number, owners = this.owners(account)): Float64Array {
    const kind = this.ownerKind(account);
    const table = this.table(kind);
    const stride = STRIDES[kind];
    const column = new Float64Array(owners);
    for (let owner = 0, at = placeOf(account); owner < owners; owner++, at += stride) column[owner] = table[at];
    return column;
  }

  private owners(account: number): number {
    const kind = this.ownerKind(account);
    return this.rowsOf(kind);
  }

  /** Makes room inside an open transaction that may have many entries. */
  reserve(entries: number): void {
    this.buffer.reserve(2 * entries);
  }

  /** Sum of accounts over their owners, which are of one kind. */
  total(...accounts: readonly number[]): bigint {
    const kind = this.ownerKind(accounts[0]);
    return this.sum(kind, accounts.map(placeOf));
  }

  /** Sum of the accounts at some places of every owner's row, row by row as they lie in memory. */
  private sum(kind: OwnerKind, places: readonly number[]): bigint {
    const table = this.table(kind);
    const stride = STRIDES[kind];
    let sum = 0n;
    // In parts that stay exact as numbers for so many balances at a time.
    const rowsAtOnce = Math.floor(SUMMED_AT_ONCE / places.length);
    const end = this.rowsOf(kind) * stride;
    for (let from = 0; from < end; from += rowsAtOnce * stride) {
      const to = Math.min(end, from + rowsAtOnce * stride);
      let high = 0;
      let low = 0;
      for (let row = from; row < to; row += stride) {
        for (let index = 0; index < places.length; index++) {
          const balance = table[row + places[index]];
          if (balance === 0) continue;
          const part = Math.trunc(balance / SPLIT);
          high += part;
          low += balance - part * SPLIT;
        }
      }
      sum += BigInt(high) * BigInt(SPLIT) + BigInt(low);
    }
    return sum;
  }

  /** Sum over all accounts of each ledger: zero, or something is wrong. */
  trialBalance(): Record<LedgerName, bigint> {
    const sumOf = (ledger: LedgerName): bigint => OWNER_KINDS.reduce((sum, kind) => {
      const places = placesOf(kind, (account) => account.ledger === ledger);
      return places.length === 0 ? sum : sum + this.sum(kind, places);
    }, 0n);
    return Object.fromEntries(LEDGERS.map((ledger) => [ledger, sumOf(ledger)])) as Record<LedgerName, bigint>;
  }

  /** The first account whose balance has the wrong sign, as text; undefined when none has. */
  outOfBound(): string | undefined {
    if (OWNER_KINDS.every((kind) => this.isBounded(kind))) return undefined;
    return this.find(({ bound }, balance) => ((bound === 'debit' && balance < 0) || (bound === 'credit' && balance > 0) ? `must be a ${bound} balance` : undefined));
  }

  private isBounded(kind: OwnerKind): boolean {
    const table = this.table(kind);
    const stride = STRIDES[kind];
    const [debits, credits] = [placesOf(kind, ({ bound }) => bound === 'debit'), placesOf(kind, ({ bound }) => bound === 'credit')];
    const end = this.rowsOf(kind) * stride;
    for (let at = 0; at < end; at += stride) {
      for (const place of debits) if (table[at + place] < 0) return false;
      for (const place of credits) if (table[at + place] > 0) return false;
    }
    return true;
  }

  /** The first account whose balance is no whole number within range, as text. */
  outOfRange(): string | undefined {
    if (OWNER_KINDS.every((kind) => this.isWhole(kind))) return undefined;
    return this.find((_, balance) => (Number.isInteger(balance) && Math.abs(balance) <= ACCOUNT_MICRO_MAX ? undefined : 'is no whole number within range'));
  }

  private isWhole(kind: OwnerKind): boolean {
    const table = this.table(kind);
    const stride = STRIDES[kind];
    const places = placesOf(kind, () => true);
    const end = this.rowsOf(kind) * stride;
    for (let row = 0; row < end; row += stride) {
      for (const place of places) {
        const balance = table[row + place];
        if (Math.trunc(balance) !== balance || Math.abs(balance) > ACCOUNT_MICRO_MAX) return false;
      }
    }
    return true;
  }

  private find(fault: (kind: (typeof ACCOUNTS)[AccountName], balance: number) => string | undefined): string | undefined {
    for (const [account, name] of ACCOUNT_NAMES.entries()) {
      const column = this.column(account);
      for (let owner = 0; owner < column.length; owner++) {
        const wrong = fault(ACCOUNTS[name], column[owner]);
        if (wrong !== undefined) return `${name}:${owner} is ${column[owner]}, ${wrong}`;
      }
    }
    return undefined;
  }
}
