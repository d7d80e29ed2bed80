import { expect, test } from 'vitest';
import { ACCOUNT, accountRef } from '../../engine/ledger/accounts.ts';
import { KIND } from '../../engine/events.ts';
import { simulate } from '../../engine/simulation/simulation.ts';
import { World, usd } from '../../engine/test/world.ts';
import { Auditor } from './auditor.ts';

const CASH = accountRef(ACCOUNT['cash.fund'], 1);
const UNAPPLIED = accountRef(ACCOUNT.unapplied, 1);
const batchOf = (...entries: number[]) => ({ words: Float64Array.from([KIND.posted, entries.length, ...entries]), texts: [''] });

test('finds nothing wrong in a life of the market', () => {
  const auditor = new Auditor();
  const result = simulate({ seed: 11, commands: 3_000, batch: 500, onBatch: (batch) => auditor.add(batch) });
  expect(result.broken).toEqual([]);
  expect(auditor.findings).toEqual([]);
  expect(auditor.transactions).toBeGreaterThan(1_000);
  expect(auditor.sequence).toBe(result.sequence);
  expect(Object.values(auditor.trialBalance())).toEqual([0n, 0n, 0n, 0n]);
});

test('comes to the balances the engine tells', () => {
  const world = new World();
  const buyer = world.buyer(1_000);
  const auditor = new Auditor();
  world.engine.apply({ command: { type: 'deposit', company: buyer, amount: usd(70), reference: '' }, idempotencyKey: '', bodyHash: '' });
  auditor.add(world.engine.buffer.take());
  expect(auditor.balances.get(accountRef(ACCOUNT.unapplied, buyer))).toBe(-world.engine.query('balances', { company: buyer }).usd);
});

test('finds a transaction that does not sum to zero', () => {
  const auditor = new Auditor();
  auditor.add(batchOf(CASH, 100, UNAPPLIED, -99));
  expect(auditor.findings).toEqual(['command 0: the transaction sums to 1 in USD']);
});

test('finds money that moves between ledgers', () => {
  const auditor = new Auditor();
  auditor.add(batchOf(CASH, 100, accountRef(ACCOUNT['lot.available'], 1), -100));
  expect(auditor.findings).toHaveLength(2);
});

test('finds a balance on the wrong side', () => {
  const auditor = new Auditor();
  auditor.add(batchOf(CASH, -100, UNAPPLIED, 100));
  expect(auditor.findings).toEqual(['command 0: unapplied:1 is 100, must be a credit balance']);
});

test('finds what is no whole number', () => {
  const auditor = new Auditor();
  auditor.add(batchOf(CASH, 0.5, UNAPPLIED, -0.5));
  expect(auditor.findings).toContain('command 0: cash.fund:1 is moved by 0.5');
});

test('holds its balances against others', () => {
  const auditor = new Auditor();
  auditor.add(batchOf(CASH, 100, UNAPPLIED, -100));
  expect(auditor.differences([[CASH, 100], [UNAPPLIED, -100]])).toEqual([]);
  expect(auditor.differences([[CASH, 90]])).toEqual(['cash.fund:1 is 100 by its postings and 90 there', 'unapplied:1 is -100 by its postings and missing there']);
});
