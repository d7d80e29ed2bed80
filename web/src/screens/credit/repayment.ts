/** How a repayment is applied: fees, then interest, then principal; what is left stays. Micro-USD. */
import { toMicro, type WireFacility } from '../../state/index.ts';

export interface RepaymentSplit {
  fees: bigint;
  interest: bigint;
  principal: bigint;
  /** More than is owed. */
  left: bigint;
  principalAfter: bigint;
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

export function splitOf(amount: bigint, facility: Pick<WireFacility, 'fees' | 'accrued_interest' | 'principal'>): RepaymentSplit {
  const fees = least(amount, toMicro(facility.fees));
  const interest = least(amount - fees, toMicro(facility.accrued_interest));
  const principal = least(amount - fees - interest, toMicro(facility.principal));
  return { fees, interest, principal, left: amount - fees - interest - principal, principalAfter: toMicro(facility.principal) - principal };
}

export const owedIn = (facility: Pick<WireFacility, 'fees' | 'accrued_interest' | 'principal'>): bigint => toMicro(facility.fees) + toMicro(facility.accrued_interest) + toMicro(facility.principal);
