import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Simulation } from '../simulation/simulation.ts';

const hashOf = (pieces: Iterable<Uint8Array>): string => {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
};

function livedFor(steps: number): Simulation {
  const simulation = new Simulation(5);
  for (let step = 0; step < steps; step++) simulation.step();
  return simulation;
}

describe('a copy of the state', () => {
  it('has the bytes of the snapshot of its moment, also when the market has gone on', () => {
    const simulation = livedFor(2_000);
    const { engine } = simulation;
    for (const room of [undefined, new Uint8Array(engine.copyRoom), new Uint8Array(engine.copyRoom - 1)]) {
      const [copy, hash] = [engine.copy(room), engine.stateHash()];
      expect(hashOf([engine.snapshot()])).toBe(hash);
      for (let step = 0; step < 300; step++) simulation.step();
      expect(engine.stateHash()).not.toBe(hash);
      expect(hashOf(copy.pieces())).toBe(hash);
    }
  });

  it('is given in pieces of which none takes long to hash', () => {
    const { engine } = livedFor(2_000);
    const lengths = [...engine.copy().pieces()].map(({ length }) => length);
    expect(lengths.reduce((sum, length) => sum + length)).toBe(engine.snapshot().length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(1 << 18);
  });
});
