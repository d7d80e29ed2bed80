import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnView } from './column_views.ts';
import type { ColumnView } from './column_views.ts';
import { packed, unpack } from './packed_columns.ts';

const STRIDE = 4;

/** A table of doubles and one of integers, with places that no column has. */
function viewsOf(doubles: Float64Array<ArrayBuffer>, ints: Int32Array<ArrayBuffer>, rows: number): ColumnView[] {
  return [
    columnView({ name: 'doubles', kind: 'f64', table: doubles, stride: STRIDE, places: [2, 0] }, rows),
    columnView({ name: 'ints', kind: 'i32', table: ints, stride: STRIDE, places: [1] }, rows),
    columnView({ name: 'more', kind: 'i32', table: ints, stride: STRIDE, places: [3] }, Math.min(rows, 3)),
  ];
}

const joined = (pieces: Iterable<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat([...pieces]));
/** To the bit: also which zero it is. */
const bitsOf = (view: ColumnView): unknown => {
  const numbers = view.places.flatMap((place) => Array.from({ length: view.rows }, (_, row) => view.table[row * view.stride + place]));
  return numbers.map((value) => (Object.is(value, -0) ? 'negative zero' : value));
};

/** @returns how many bytes they took */
function requireSame(doubles: readonly number[], ints: readonly number[]): number {
  const rows = Math.min(doubles.length / 2, ints.length);
  const written = viewsOf(new Float64Array(rows * STRIDE), new Int32Array(rows * STRIDE), rows);
  for (let row = 0; row < rows; row++) {
    written[0].table[row * STRIDE + 2] = doubles[2 * row];
    written[0].table[row * STRIDE] = doubles[2 * row + 1];
    written[1].table[row * STRIDE + 1] = ints[row];
    written[1].table[row * STRIDE + 3] = -ints[row];
  }
  const bytes = joined(packed(written));
  const read = viewsOf(new Float64Array(rows * STRIDE), new Int32Array(rows * STRIDE), rows);
  unpack(read, bytes);
  expect(read.map(bitsOf)).toEqual(written.map(bitsOf));
  return bytes.length;
}

const EDGES = [0, -0, 1, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, -1, 2 ** 53 - 1, -(2 ** 53), 1e300, 0.5, Infinity, -Infinity, Number.NaN];

describe('packed columns', () => {
  it('are read as what was written, whatever the numbers', () => {
    for (const edge of EDGES) for (const other of EDGES) requireSame([edge, other, other, edge, edge, edge], [1, 2, 3]);
    const number = fc.oneof(fc.integer({ min: -300, max: 300 }), fc.maxSafeInteger(), fc.constantFrom(...EDGES), fc.double());
    const int = fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
    fc.assert(fc.property(fc.array(number, { minLength: 2 }), fc.array(int), (doubles, ints) => void requireSame(doubles, ints)));
  });

  it('take a byte for a number near the others of its block, and none where all are the same', () => {
    const rows = 5_000;
    const heads = 3 * Math.ceil(rows / 1_024) * 16 + 16;
    const near = Array.from({ length: 2 * rows }, (_, at) => (at % 2 === 0 ? 2 ** 40 + (at % 7) : 7.25e9));
    const bytes = requireSame(near, Array.from({ length: rows }, (_, at) => at % 1_024));
    expect(bytes).toBeLessThan(heads + 3 * rows + 64);
    expect(bytes).toBeGreaterThan(3 * rows);
  });

  it('are the same bytes of the same numbers, in pieces of which none is large, also where there are no rows', () => {
    const rows = 100_000;
    const doubles = Float64Array.from({ length: rows * STRIDE }, (_, at) => Math.sqrt(at));
    const views = viewsOf(doubles, new Int32Array(rows * STRIDE), rows);
    const pieces = [...packed(views)];
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(1 << 16);
    // A thousand zeros take sixteen bytes, and as long to be looked at as a thousand other numbers.
    expect([...packed(viewsOf(new Float64Array(rows * STRIDE), new Int32Array(rows * STRIDE), rows))].length).toBeGreaterThan(3);
    expect(Buffer.compare(joined(packed(views)), joined(pieces))).toBe(0);
    expect([...packed(viewsOf(doubles, new Int32Array(0), 0))]).toEqual([]);
  });

  it('are refused when bytes are missing, or too many, or of no width', () => {
    const views = (): ColumnView[] => viewsOf(new Float64Array(40), new Int32Array(40), 10);
    const filled = viewsOf(Float64Array.from({ length: 40 }, (_, at) => at * 300), new Int32Array(40), 10);
    const bytes = joined(packed(filled));
    for (const length of [0, 8, 15, 16, 24, bytes.length - 8, bytes.length - 1]) expect(() => unpack(views(), bytes.slice(0, length))).toThrow(RangeError);
    expect(() => unpack(views(), joined([bytes, new Uint8Array(8)]))).toThrow('8 bytes follow the last column');
    const damaged = bytes.slice();
    new Float64Array(damaged.buffer)[1] = 3;
    expect(() => unpack(views(), damaged)).toThrow('the bytes are not those of a column');
    const moved = new Uint8Array(bytes.length + 3).subarray(3);
    moved.set(bytes);
    const read = views();
    unpack(read, moved);
    expect(read.map(bitsOf)).toEqual(filled.map(bitsOf));
  });
});
