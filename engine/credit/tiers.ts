/** The conversion rates on offer: credits minted per USD drawn, by grade and commitment. */
import type { Grade } from '../vocabulary.ts';
import type { Ppm } from '../numbers/units.ts';

export interface Tier {
  grade: Grade;
  /** The tier applies from this many months on. */
  months: number;
  rate: Ppm;
}

/** Best first within each grade; grade D has none. */
export const TIERS: readonly Tier[] = [
  { grade: 'A', months: 12, rate: 1_500_000 },
  { grade: 'A', months: 6, rate: 1_400_000 },
  { grade: 'A', months: 0, rate: 1_250_000 },
  { grade: 'B', months: 12, rate: 1_350_000 },
  { grade: 'B', months: 6, rate: 1_300_000 },
  { grade: 'B', months: 0, rate: 1_250_000 },
  { grade: 'C', months: 0, rate: 1_250_000 },
];

/** The conversion rate of a commitment of so many months, or of so many held; 0 when the grade has none. */
export function conversionRate(grade: Grade, months: number): Ppm {
  return TIERS.find((tier) => tier.grade === grade && months >= tier.months)?.rate ?? 0;
}
