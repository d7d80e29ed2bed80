import { expect, test } from 'vitest';
import { feeWithin } from './chat.ts';

test.each([
  ['time alone, rounded', '0.000157', '0.235500', '2.4000', 0n],
  ['time and the fee of an hour bought for it', '0.010157', '0.235500', '2.4000', 10_000n],
  ['nothing, from the sandbox', '0.00', '0', '2.4000', 0n],
])('what a completion used is %s', (_name, used, seconds, price, fee) => expect(feeWithin({ credits_used: used, gpu_seconds: seconds }, price)).toBe(fee));
