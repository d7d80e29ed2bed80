/** Whatever borrowers and lenders do, every day ends with every invariant holding. */
import { describe, expect, it } from 'vitest';
import { LoanLives } from './loan_lives.ts';

describe('random lives of loans', () => {
  it.each([1, 2, 3, 4])('seed %i: every invariant holds on each of 200 days', (seed) => {
    const lives = new LoanLives({ seed, facilities: 12 });
    const states = new Set<string>();
    for (let day = 1; day <= 200; day++) {
      lives.day();
      for (const { state } of lives.state.facilities) states.add(state);
      expect({ seed, day, broken: lives.broken }).toEqual({ seed, day, broken: [] });
    }
    expect(lives.transactions).toBeGreaterThan(2_000);
    // Lives of every kind, not refusals alone.
    expect(states.size).toBeGreaterThan(3);
  });

  it('are the same for the same seed', () => {
    const hash = (): string => {
      const lives = new LoanLives({ seed: 5, facilities: 6 });
      for (let day = 0; day < 40; day++) lives.day();
      return lives.engine.stateHash();
    };
    expect(hash()).toBe(hash());
  });
});
