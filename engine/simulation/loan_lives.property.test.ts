/** Whatever borrowers and lenders do, every day ends with every invariant holding. */
import { describe, expect, it } from 'vitest';
import { decodeEvents } from '../events.ts';
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

  it('let no lender take out more than came in, and what borrowers paid of interest', () => {
    const totals = new Map<number, { came: number; left: number; interest: number }>();
    const lives = new LoanLives({
      seed: 7, facilities: 12,
      onBatch: (batch) => decodeEvents(batch).forEach((event) => {
        if (event.kind !== 'deposited' && event.kind !== 'withdrawn' && event.kind !== 'fundWithdrawn') return;
        const total = totals.get(event.company) ?? { came: 0, left: 0, interest: 0 };
        totals.set(event.company, total);
        if (event.kind === 'deposited') total.came += event.amount;
        else if (event.kind === 'withdrawn') total.left += event.amount;
        else total.interest += event.interest;
      }),
    });
    for (let day = 0; day < 200; day++) lives.day();
    const lenders = lives.state.companies.filter(({ role }) => role === 'lender').map(({ company }) => ({ company, ...totals.get(company)! }));
    expect(lenders.filter(({ came, left, interest }) => !(left <= came + interest))).toEqual([]);
    expect(lenders.filter(({ left }) => left > 0).length).toBeGreaterThan(1);
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
