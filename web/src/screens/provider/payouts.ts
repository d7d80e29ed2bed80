/** When a provider is paid: on the first Monday, UTC, on which an amount is due. */
import { toMicro, type WirePayoutStatement } from '../../state/index.ts';

const MILLIS_PER_DAY = 86_400_000;
/** Day 0, 1970-01-01, was a Thursday. */
const MONDAY = 4;
const DAYS_OF_WEEK = 7;

/** The calendar day of the payout that an amount due at this time is part of. */
export function paidOn(dueAt: string): string {
  const day = Math.ceil(Date.parse(dueAt) / MILLIS_PER_DAY);
  const monday = day + ((MONDAY - (day % DAYS_OF_WEEK) + DAYS_OF_WEEK) % DAYS_OF_WEEK);
  return new Date(monday * MILLIS_PER_DAY).toISOString().slice(0, 10);
}

/** Micro-USD that the next payout would bring as things stand. */
export const dueBy = ({ upcoming, next_payout_at }: Pick<WirePayoutStatement, 'upcoming' | 'next_payout_at'>): bigint =>
  upcoming.filter(({ due_at, held }) => !held && Date.parse(due_at) <= Date.parse(next_payout_at)).reduce((sum, { amount }) => sum + toMicro(amount), 0n);
