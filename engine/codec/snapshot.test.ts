import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Engine } from '../engine.ts';
import { ALL_ROOM } from '../state.ts';
import { Simulation } from '../simulation/simulation.ts';
import { readSnapshot } from './snapshot.ts';

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

describe('a snapshot', () => {
  it('restores what it was taken of to the bit, in the formats before as well', () => {
    const { engine } = livedFor(3_000);
    const restored = Engine.restore(engine.snapshot());
    for (const format of [undefined, 3, 2]) expect(restored.stateHash(format)).toBe(engine.stateHash(format));
    expect(engine.stateHash(2)).not.toBe(engine.stateHash());
  });

  it('restores a market that does not replace its tables as it grows, where it has room', () => {
    const { engine } = livedFor(1_000);
    const state = readSnapshot(engine.snapshot(), ALL_ROOM);
    const { orders, amounts, cells, levels, standing, lotRows } = state;
    const tables = [orders.ints, amounts.ints, cells.ints, levels.rows.ints, standing.floats, lotRows.ints];
    for (let row = 0; row < 10_000; row++) orders.create();
    for (let node = 0; node < 10_000; node++) amounts.create(0, 1, -1);
    for (const table of [cells, standing, lotRows]) table.reserve(10_000);
    levels.rows.open(10_000);
    const grown = [orders.ints, amounts.ints, cells.ints, levels.rows.ints, standing.floats, lotRows.ints];
    expect(grown.map((table, place) => table === tables[place])).toEqual(tables.map(() => true));
  });

  it('is refused when it is cut short, when something follows it, and when it is of another format', () => {
    const bytes = livedFor(1_000).engine.snapshot();
    expect(() => Engine.restore(bytes.slice(0, -8))).toThrow('the bytes are not those of a column');
    expect(() => Engine.restore(new Uint8Array([...bytes, ...new Uint8Array(8)]))).toThrow('8 bytes follow the last column');
    const other = bytes.slice();
    new DataView(other.buffer).setUint32(4, 9);
    expect(() => Engine.restore(other)).toThrow('snapshot format 9 is not known');
    expect(() => Engine.restore(bytes.subarray(8))).toThrow('not a snapshot');
  });
});
