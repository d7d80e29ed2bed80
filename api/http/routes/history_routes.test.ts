/** An allocation of which only the projection knows any more. */
import { expect, test } from 'vitest';
import type { AllocationRecord } from '../../../db/queries/allocations.ts';
import { pastAllocation } from './history_routes.ts';

const HOUR = 100;
const NOW = (HOUR + 2) * 3_600_000;
/** 0.2 GPU-hours at 1.9032, of which 0.16 were resold and the rest was delivered unused. */
const resoldInPart: AllocationRecord = {
  allocation: 7, sequence: 1, fill: 1, company: 1, provider: 2, market: 0, hour: HOUR, price: 19_032, quantity: 20, boughtAt: 0, model: -1, usedGpu: 0, usedCredits: 0, unusedCredits: 76_128,
  failedCredits: 0, payable: 0, commission: 0, requests: 0, promptTokens: 0, completionTokens: 0, resold: 16, failedGpu: 0, faultGpu: 0, undoneCredits: 0, damages: 0, replacement: 0, pendingGpu: 0,
  settledAt: NOW,
};

test('is what was not resold of it, and nothing of it is in contract once its hour is settled', () => {
  expect(pastAllocation(resoldInPart, NOW)).toMatchObject({ quantity: 4, credits: 0, status: 'delivered' });
  expect(pastAllocation({ ...resoldInPart, unusedCredits: 0, resold: 20 }, NOW)).toMatchObject({ quantity: 0, credits: 0, status: 'resold' });
});

test('holds what requests still under way may take', () => {
  expect(pastAllocation({ ...resoldInPart, unusedCredits: 70_000, pendingGpu: 5_000_000 }, NOW)).toMatchObject({ credits: 6_128 });
});
