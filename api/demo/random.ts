/**
 * Repeatable chance: every number follows from the seed and what it is drawn for, so a market that
 * starts again needs no stored state to continue as it would have.
 */
export const DEMO_SEED = 20260524;

/** A well mixed 32-bit number of the given integers. */
export function hashOf(...values: readonly number[]): number {
  let hash = 0x9e3779b9;
  for (const value of values) {
    hash = Math.imul(hash ^ (value | 0), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

export interface Random {
  /** A whole number from 0 to below `bound`. */
  below(bound: number): number;
  /** True in `percent` of 100 draws. */
  chance(percent: number): boolean;
}

/** A stream of draws that depends on the keys alone. */
export function randomOf(...keys: readonly number[]): Random {
  const start = hashOf(DEMO_SEED, ...keys);
  let drawn = 0;
  const below = (bound: number): number => hashOf(start, drawn++) % bound;
  return { below, chance: (percent) => below(100) < percent };
}
