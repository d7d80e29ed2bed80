/**
 * Rebuilds every balance from `posted` events alone. It shares nothing with the engine's ledger but
 * the chart of accounts, so that each can be held against the other.
 */
import { ACCOUNTS, ACCOUNT_NAMES, LEDGERS, accountNameOf, accountOf, ownerOf } from '../../engine/ledger/accounts.ts';
import type { LedgerName } from '../../engine/ledger/accounts.ts';
import { KIND, forEachEvent } from '../../engine/events.ts';
import type { EventBatch } from '../../engine/events.ts';
import { ACCOUNT_MICRO_MAX } from '../../engine/numbers/units.ts';

/** Findings that are kept; their number tells of more. */
const FINDINGS_MAX = 100;

export class Auditor {
  /** By account reference, debit positive. */
  readonly balances = new Map<number, number>();
  /** What is wrong, in words; empty when nothing is. */
  readonly findings: string[] = [];
  transactions = 0;
  /** Of the last command seen. */
  sequence = 0;

  /** Every transaction must sum to zero in each ledger, and leave no account beyond its bound. */
  add(batch: EventBatch): void {
    forEachEvent(batch, (kind, at) => {
      if (kind === KIND.command) this.sequence = batch.words[at + 2];
      else if (kind === KIND.posted) this.addTransaction(batch.words.subarray(at + 2, at + 2 + batch.words[at + 1]));
    });
  }

  private addTransaction(entries: Float64Array): void {
    this.transactions++;
    const sums = new Map<LedgerName, bigint>();
    for (let pair = 0; pair < entries.length; pair += 2) {
      const ref = entries[pair];
      const amount = entries[pair + 1];
      const { ledger } = ACCOUNTS[accountNameOf(ref)];
      if (!Number.isSafeInteger(amount)) this.find(`${describe(ref)} is moved by ${amount}`);
      else sums.set(ledger, (sums.get(ledger) ?? 0n) + BigInt(amount));
      this.balances.set(ref, (this.balances.get(ref) ?? 0) + amount);
    }
    for (const [ledger, sum] of sums) if (sum !== 0n) this.find(`the transaction sums to ${sum} in ${ledger}`);
    // Within a transaction an account may pass through anything.
    for (let pair = 0; pair < entries.length; pair += 2) this.check(entries[pair]);
  }

  private check(ref: number): void {
    const balance = this.balances.get(ref) ?? 0;
    const { bound } = ACCOUNTS[accountNameOf(ref)];
    if ((bound === 'debit' && balance < 0) || (bound === 'credit' && balance > 0)) this.find(`${describe(ref)} is ${balance}, must be a ${bound} balance`);
    if (Math.abs(balance) > ACCOUNT_MICRO_MAX) this.find(`${describe(ref)} is ${balance}, out of range`);
  }

  private find(what: string): void {
    if (this.findings.length < FINDINGS_MAX) this.findings.push(`command ${this.sequence}: ${what}`);
  }

  /** Sum of each ledger over all accounts: zero, or something is wrong. */
  trialBalance(): Record<LedgerName, bigint> {
    const sums = Object.fromEntries(LEDGERS.map((ledger) => [ledger, 0n])) as Record<LedgerName, bigint>;
    for (const [ref, balance] of this.balances) sums[ACCOUNTS[accountNameOf(ref)].ledger] += BigInt(balance);
    return sums;
  }

  /** Where these balances differ from others, such as the projection's; empty when they agree. */
  differences(others: Iterable<readonly [ref: number, balance: number]>): string[] {
    const left = new Map(this.balances);
    const found: string[] = [];
    for (const [ref, balance] of others) {
      if ((left.get(ref) ?? 0) !== balance) found.push(`${describe(ref)} is ${left.get(ref) ?? 0} by its postings and ${balance} there`);
      left.delete(ref);
    }
    for (const [ref, balance] of left) if (balance !== 0) found.push(`${describe(ref)} is ${balance} by its postings and missing there`);
    return found;
  }
}

const describe = (ref: number): string => `${ACCOUNT_NAMES[accountOf(ref)]}:${ownerOf(ref)}`;
