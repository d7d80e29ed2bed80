/** Growing typed columns: a store keeps one column per field and one row number per thing. */

export type Column = Float64Array | Int32Array | Uint8Array;

/** The next capacity that holds `rows`: doubling keeps the cost of growth constant per row. */
export function grownCapacity(capacity: number, rows: number): number {
  let next = Math.max(capacity, 16);
  while (next < rows) next *= 2;
  return next;
}

export function grownFloats(column: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(capacity);
  grown.set(column);
  return grown;
}

export function grownInts(column: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(capacity);
  grown.set(column);
  return grown;
}
