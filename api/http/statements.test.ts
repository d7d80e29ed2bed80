/** What a month's statement says of what was posted. Micro-units. */
import { expect, test } from 'vitest';
import type { DayLine } from '../../db/queries/accounting.ts';
import { withFees } from './statements.ts';

const line = (event: DayLine['event'], account: DayLine['account'], amount: bigint, entries = 1): DayLine => ({ day: 20_000, event, account, entries, amount });

test("a draw's origination fee stands beside what was drawn, and both are what is owed more", () => {
  const posted = [
    line('facilityDrawn', 'lot.available', -1_120_000n, 2), line('facilityDrawn', 'loan.principal', 812_000n, 2), line('facilityDrawn', 'orig_fee.deferred', -12_000n, 2),
    line('repaid', 'loan.principal', -5n), line('interestAccrued', 'orig_fee.deferred', 30n),
  ];
  expect(withFees(posted)).toEqual([
    line('facilityDrawn', 'lot.available', -1_120_000n, 2), line('facilityDrawn', 'loan.principal', 800_000n, 2),
    { ...line('facilityDrawn', 'loan.principal', 12_000n, 2), event: 'originationFee' }, line('repaid', 'loan.principal', -5n),
  ]);
});

test('a draw on another day, or without a fee, is as it was posted', () => {
  const draw = line('facilityDrawn', 'loan.principal', 7n);
  expect(withFees([draw, { ...line('facilityDrawn', 'orig_fee.deferred', -1n), day: 20_001 }])).toEqual([draw]);
});
