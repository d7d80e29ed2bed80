/**
 * Where a payment goes. Due instalments come first, the oldest before all others; within one, late
 * fees, then interest, then principal. After a default the kinds come first: principal, interest, fees.
 */
import type { ScheduleRow } from '../events.ts';
import type { Micro } from '../numbers/units.ts';

const KINDS = ['fee', 'interest', 'principal'] as const;
export type Kind = (typeof KINDS)[number];
export type Part = { row: ScheduleRow } & Record<Kind, Micro>;

const IN_ORDER: readonly (readonly Kind[])[] = [KINDS];
const AFTER_DEFAULT: readonly (readonly Kind[])[] = [['principal'], ['interest'], ['fee']];

/** What of `amount` each due instalment gets. Changes nothing. */
export function allocate(rows: readonly ScheduleRow[], amount: Micro, defaulted: boolean): Part[] {
  const parts = rows.filter(({ billed }) => billed).map((row): Part => ({ row, fee: 0, interest: 0, principal: 0 }));
  let left = amount;
  for (const kinds of defaulted ? AFTER_DEFAULT : IN_ORDER) {
    for (const part of parts) {
      for (const kind of kinds) {
        const paid = Math.min(left, part.row[kind]);
        part[kind] += paid;
        left -= paid;
      }
    }
  }
  return parts.filter(({ fee, interest, principal }) => fee + interest + principal > 0);
}

export const sumOf = (parts: readonly Part[], kind: Kind): Micro => parts.reduce((sum, part) => sum + part[kind], 0);
