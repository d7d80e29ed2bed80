/**
 * The double entry. Balances are the truth; every change of them is written as a `posted` event of
 * pairs [account reference, signed amount], so that an auditor can rebuild them from events alone.
 */
import { ACCOUNTS, ACCOUNT_NAMES, LEDGERS, accountRef } from './accounts.ts';
import type { AccountName, LedgerName, OwnerKind } from './accounts.ts';
import { grownCapacity, grownFloats } from './columns.ts';
import { KIND } from './events.ts';
import type { EventBuffer } from './events.ts';
import { ACCOUNT_MICRO_MAX } from './units.ts';

const ACCOUNT_COUNT = ACCOUNT_NAMES.length;
/** Words that one transaction may need: more entries than any posting rule has. */
const TRANSACTION_WORDS_MAX = 2 + 2 * 64;

export class Ledger {
  /** By account, then by owner. Debit positive. */
  readonly balances: Float64Array[] = ACCOUNT_NAMES.map(() => new Float64Array(16));
  private readonly buffer: EventBuffer;
  /** Where the open transaction's length stands in the event buffer. */
  private lengthAt = 0;

  constructor(buffer: EventBuffer) {
    this.buffer = buffer;
  }

  /** Makes room for an owner's accounts. Must be called before the first posting to them. */
  openOwner(kind: OwnerKind, owner: number): void {
    for (let account = 0; account < ACCOUNT_COUNT; account++) {
      if (ACCOUNTS[ACCOUNT_NAMES[account]].owner !== kind) continue;
      const balances = this.balances[account];
      if (owner >= balances.length) this.balances[account] = grownFloats(balances, grownCapacity(balances.length, owner + 1));
    }
  }

  /** Begins a transaction; its entries must sum to zero in each ledger. */
  begin(): void {
    const buffer = this.buffer;
    buffer.reserve(TRANSACTION_WORDS_MAX);
    buffer.words[buffer.length] = KIND.posted;
    this.lengthAt = buffer.length + 1;
    buffer.length += 2;
  }

  /** Debits (amount > 0) or credits (amount < 0) one account. Zero leaves no entry. */
  post(account: number, owner: number, amount: number): void {
    if (amount === 0) return;
    this.balances[account][owner] += amount;
    const buffer = this.buffer;
    const words = buffer.words;
    words[buffer.length] = accountRef(account, owner);
    words[buffer.length + 1] = amount;
    buffer.length += 2;
  }

  /** Posts to an account of a supply cell: balances stand by row, events name the cell's id. */
  postCell(account: number, row: number, id: number, amount: number): void {
    this.balances[account][row] += amount;
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
    return this.balances[account][owner];
  }

  /** Makes room inside an open transaction that may have many entries. */
  reserve(entries: number): void {
    this.buffer.reserve(2 * entries);
  }

  /** Sum of an account over its owners. */
  total(account: number): bigint {
    let sum = 0n;
    for (const balance of this.balances[account]) if (balance !== 0) sum += BigInt(balance);
    return sum;
  }

  /** Sum over all accounts of each ledger: zero, or something is wrong. */
  trialBalance(): Record<LedgerName, bigint> {
    const sums = Object.fromEntries(LEDGERS.map((ledger) => [ledger, 0n])) as Record<LedgerName, bigint>;
    ACCOUNT_NAMES.forEach((name, account) => {
      sums[ACCOUNTS[name].ledger] += this.total(account);
    });
    return sums;
  }

  /** The first account whose balance has the wrong sign, as text; undefined when none has. */
  outOfBound(): string | undefined {
    return this.find(({ bound }, balance) => ((bound === 'debit' && balance < 0) || (bound === 'credit' && balance > 0) ? `must be a ${bound} balance` : undefined));
  }

  /** The first account whose balance is no whole number within range, as text. */
  outOfRange(): string | undefined {
    return this.find((_, balance) => (Number.isInteger(balance) && Math.abs(balance) <= ACCOUNT_MICRO_MAX ? undefined : 'is no whole number within range'));
  }

  private find(fault: (kind: (typeof ACCOUNTS)[AccountName], balance: number) => string | undefined): string | undefined {
    for (const [account, name] of ACCOUNT_NAMES.entries()) {
      for (const [owner, balance] of this.balances[account].entries()) {
        const wrong = fault(ACCOUNTS[name], balance);
        if (wrong !== undefined) return `${name}:${owner} is ${balance}, ${wrong}`;
      }
    }
    return undefined;
  }
}
