/** Growing typed columns: a store keeps one column per field and one row number per thing. */

/** The next capacity that holds `rows`: doubling keeps the cost of growth constant per row. */
export function grownCapacity(capacity: number, rows: number): number {
  let next = Math.max(capacity, 16);
  while (next < rows) next *= 2;
  return next;
}

/**
 * The same of a table that at `many` rows is a few megabytes: from there on it has room for `most` at once. What is never written
 * costs nothing, and to copy tens of megabytes would stop the market for longer than it may stand still.
 */
export function leapingCapacity(capacity: number, rows: number, many: number, most: number): number {
  const next = grownCapacity(capacity, rows);
  return next <= many ? next : Math.max(next, most);
}

export function grownFloats(column: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(capacity);
  grown.set(column);
  return grown;
}

/**
 * The system's allocator begins large memory this far before a cache line; where it does not, rows
 * are right all the same, only slower.
 */
const CACHE_LINE_AFTER = 48;

/** Places of rows are masked by how many there can be: one row more would be the first again. */
const ROWS_MOST = 2 ** 24;

/** Rows of one size that begin at a cache line, seen as doubles and as integers. */
export class CacheRows {
  floats: Float64Array<ArrayBuffer>;
  ints: Int32Array<ArrayBuffer>;
  private capacity: number;
  private readonly bytes: number;
  private readonly most: number;

  /** @param most rows that there can be */
  constructor(rows: number, bytes: number, most = ROWS_MOST) {
    this.bytes = bytes;
    this.most = most;
    this.capacity = rows;
    [this.floats, this.ints] = this.allocate();
  }

  private allocate(): [Float64Array<ArrayBuffer>, Int32Array<ArrayBuffer>] {
    const buffer = new ArrayBuffer(CACHE_LINE_AFTER + this.capacity * this.bytes);
    return [new Float64Array(buffer, CACHE_LINE_AFTER), new Int32Array(buffer, CACHE_LINE_AFTER)];
  }

  /** Makes room for `rows`. @throws RangeError where there cannot be so many: better no market than one that mistakes one row for another */
  grow(rows: number): void {
    if (rows > this.most) throw new RangeError(`${rows} rows are more than the ${this.most} that a table may have`);
    const before = this.floats;
    this.capacity = grownCapacity(this.capacity, rows);
    [this.floats, this.ints] = this.allocate();
    this.floats.set(before);
  }
}
