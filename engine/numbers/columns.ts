/** Growing typed columns: a store keeps one column per field and one row number per thing. */

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

/**
 * The system's allocator begins large memory this far before a cache line; where it does not, rows
 * are right all the same, only slower.
 */
const CACHE_LINE_AFTER = 48;

/** Places of rows are masked by how many there can be: one row more would be the first again. */
export const ROWS_MOST = 2 ** 24;
/** Where there is no memory even for so many there is none for a market. */
const ROWS_LEAST = 2 ** 16;

/** Rows of one size that begin at a cache line, seen as doubles and as integers. */
export class CacheRows {
  floats: Float64Array<ArrayBuffer>;
  ints: Int32Array<ArrayBuffer>;
  /** Rows that there is room for. */
  room: number;
  private readonly bytes: number;
  private readonly most: number;

  /** @param rows to reserve memory for, or as many as the system has; what is never written is the system's and costs nothing. @param most rows that there can be */
  constructor(rows: number, bytes: number, most = ROWS_MOST) {
    this.bytes = bytes;
    this.most = most;
    const buffer = reserved(rows, bytes);
    this.room = (buffer.byteLength - CACHE_LINE_AFTER) / bytes;
    [this.floats, this.ints] = viewsOf(buffer);
  }

  /**
   * Makes room for `rows`, and more, where there is less. It copies, and to write where nothing was ever written stops the market for milliseconds with each megabyte.
   * @throws RangeError where there cannot be so many: better no market than one that mistakes one row for another
   */
  grow(rows: number): void {
    if (rows > this.most) throw new RangeError(`${rows} rows are more than the ${this.most} that a table may have`);
    if (rows <= this.room) return;
    const before = this.floats;
    this.room = Math.min(grownCapacity(this.room, rows), this.most);
    [this.floats, this.ints] = viewsOf(bufferFor(this.room, this.bytes));
    this.floats.set(before);
  }
}

const bufferFor = (rows: number, bytes: number): ArrayBuffer => new ArrayBuffer(CACHE_LINE_AFTER + rows * bytes);
const viewsOf = (buffer: ArrayBuffer): [Float64Array<ArrayBuffer>, Int32Array<ArrayBuffer>] => [new Float64Array(buffer, CACHE_LINE_AFTER), new Int32Array(buffer, CACHE_LINE_AFTER)];

/** Memory for so many rows; for a sixteenth where the system has not so much, and leaves it the rest. @throws RangeError when it has next to nothing */
function reserved(rows: number, bytes: number): ArrayBuffer {
  try {
    return bufferFor(rows, bytes);
  } catch (error) {
    if (rows <= ROWS_LEAST) throw error;
    return reserved(rows / 16, bytes);
  }
}
