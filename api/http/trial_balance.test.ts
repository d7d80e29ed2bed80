import { expect, test } from 'vitest';
import { trialRows } from './trial_balance.ts';
import { formatGpuHours } from './wire/amounts.ts';

test('a third of a second of GPU time is rounded alike on both sides', () => {
  expect([formatGpuHours(6_000_000_001), formatGpuHours(-6_000_000_001)]).toEqual(['1.666667', '-1.666667']);
});

test('a trial balance in GPU-hours sums to zero, row by row and in all', () => {
  const seconds = 1_000_000n;
  const rows = trialRows([
    { ledger: 'CAP', account: 'capacity.source', debit: 10_000n * seconds, credit: 0n },
    { ledger: 'CAP', account: 'capacity.delivered', debit: 1_000n * seconds, credit: 7_001n * seconds },
    { ledger: 'CAP', account: 'capacity.failed', debit: 0n, credit: 3_999n * seconds },
    { ledger: 'USD', account: 'cash.fund', debit: 5n, credit: 1_000_000n },
  ]);
  const micro = (text: string): number => Math.round(Number(text) * 1e6);
  const cap = rows.slice(0, 3);
  expect(cap.reduce((sum, { balance }) => sum + micro(balance), 0)).toBe(0);
  for (const { debits, credits, balance } of rows) expect(micro(debits) - micro(credits)).toBe(micro(balance));
  expect(cap.map(({ balance }) => balance)).toEqual(['2.777778', '-1.666945', '-1.110833']);
  expect(rows[3]).toMatchObject({ debits: '0.000005', credits: '1.00', balance: '-0.999995' });
});
