import { describe, expect, it } from 'vitest';
import { simulate } from './simulation.ts';

describe('seeded lives of the market', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('seed %i: every invariant holds after every batch', (seed) => {
    const result = simulate({ seed, commands: 12_000, batch: 20 });
    expect({ seed, broken: result.broken }).toEqual({ seed, broken: [] });
    expect(result.fills).toBeGreaterThan(100);
  });

  it('gives the same hash for the same seed', () => {
    const once = simulate({ seed: 9, commands: 3_000, batch: 500 });
    expect(simulate({ seed: 9, commands: 3_000, batch: 100 })).toEqual(once);
  });
});
