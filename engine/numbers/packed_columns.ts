/**
 * Columns in few bytes. Rows go in blocks, and of a block one place after the other: the least of its numbers, then how far each lies above it,
 * in as many bytes as the farthest needs. Most places hold small numbers, or close ones, or one alone. A block of the tables is at hand
 * for as long as it takes: to go through large tables once for every column takes ten times as long.
 */
import { numbersIn } from './column_views.ts';
import type { ColumnView } from './column_views.ts';

const BLOCK_ROWS = 1_024;
/** Bytes that are given at once, and numbers, in thousands: whoever asks for a piece between other things waits for about a millisecond. */
const PIECE_BYTES = 1 << 16;
const PIECE_CHUNKS = 64;
const WORD = 8;
/** The least number and the width, as doubles: what follows lies at a whole word. */
const HEAD_BYTES = 2 * WORD;
/** Bytes of a number: none where all are the same; those of a double where they lie too far apart, or not all are whole. */
const WIDTHS = [0, 1, 2, 4, 8] as const;
type Width = (typeof WIDTHS)[number];
const AS_IT_IS = 8;
const CHUNK_BYTES_MAX = HEAD_BYTES + BLOCK_ROWS * AS_IT_IS;

/** One number a row. */
interface Strip {
  readonly table: ColumnView['table'];
  /** Of doubles: the same memory, two words each. */
  readonly halves: Int32Array;
  readonly stride: number;
  readonly place: number;
}

const stripsOf = ({ table, stride, places }: ColumnView): Strip[] => {
  const halves = new Int32Array(table.buffer, table.byteOffset, table.byteLength >> 2);
  return places.map((place) => ({ table, halves, stride, place }));
};

/** Columns next to each other that have as many rows go through their blocks together. */
function* blocksOf(views: readonly ColumnView[]): Generator<{ strips: readonly Strip[]; from: number; count: number }> {
  for (let first = 0, next = 0; first < views.length; first = next) {
    const { rows } = views[first];
    while (next < views.length && views[next].rows === rows) next++;
    const strips = views.slice(first, next).flatMap(stripsOf);
    for (let from = 0; from < rows; from += BLOCK_ROWS) yield { strips, from, count: Math.min(BLOCK_ROWS, rows - from) };
  }
}

const chunkBytes = (count: number, width: number): number => HEAD_BYTES + Math.ceil((count * width) / WORD) * WORD;

/** The same memory as numbers of each width. */
class Memory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly shorts: Uint16Array;
  readonly ints: Uint32Array;
  readonly doubles: Float64Array;

  /** @param bytes that begin at a whole word */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    const { buffer, byteOffset, length } = bytes;
    this.bytes = bytes;
    this.shorts = new Uint16Array(buffer, byteOffset, length >> 1);
    this.ints = new Uint32Array(buffer, byteOffset, length >> 2);
    this.doubles = new Float64Array(buffer, byteOffset, length >> 3);
  }
}

/** The columns' bytes, piece after piece; always the same of the same numbers. */
export function* packed(views: readonly ColumnView[]): Generator<Uint8Array> {
  let piece = new Packer();
  for (const { strips, from, count } of blocksOf(views)) {
    for (const strip of strips) {
      if (piece.isFull) {
        yield piece.bytes;
        piece = new Packer();
      }
      piece.add(strip, from, count);
    }
  }
  if (piece.bytes.length > 0) yield piece.bytes;
}

const numbers = new Float64Array(BLOCK_ROWS);

class Packer {
  private readonly memory = new Memory(new Uint8Array(PIECE_BYTES));
  private length = 0;
  private chunks = 0;

  get isFull(): boolean {
    return this.chunks === PIECE_CHUNKS || this.length + CHUNK_BYTES_MAX > PIECE_BYTES;
  }
  get bytes(): Uint8Array {
    return this.memory.bytes.subarray(0, this.length);
  }

  add(strip: Strip, from: number, count: number): void {
    const { doubles } = this.memory;
    gather(strip, from, count);
    const { least, distance } = range;
    const width = widthOf(distance);
    const at = this.length / WORD;
    doubles[at] = width === AS_IT_IS ? 0 : least;
    doubles[at + 1] = width;
    if (width !== 0) this.write(this.length + HEAD_BYTES, width, least, count);
    this.length += chunkBytes(count, width);
    this.chunks++;
  }

  private write(begin: number, width: Width, least: number, count: number): void {
    const { bytes, shorts, ints, doubles } = this.memory;
    const values = numbers;
    if (width === 1) for (let index = 0; index < count; index++) bytes[begin + index] = values[index] - least;
    else if (width === 2) for (let index = 0, at = begin >> 1; index < count; index++) shorts[at + index] = values[index] - least;
    else if (width === 4) for (let index = 0, at = begin >> 2; index < count; index++) ints[at + index] = values[index] - least;
    else doubles.set(numbers.subarray(0, count), begin >> 3);
  }
}

/** Of the numbers that were gathered last. How far apart they are is NaN where one is neither whole nor the same as all others. */
const range = { least: 0.5, distance: 0.5 };

/** Brings a strip's numbers together. */
function gather(strip: Strip, from: number, count: number): void {
  const { table } = strip;
  const at = from * strip.stride + strip.place;
  // Apart: V8 keeps one record of the kinds of tables that a place in the program has read, and reads slowly where there are two.
  if (table instanceof Int32Array) gatherInts(table, at, strip.stride, count);
  else if (isOne(strip.halves, 2 * at, 2 * strip.stride, count)) [range.least, range.distance] = [table[at], 0];
  else gatherDoubles(table, at, strip.stride, count);
}

/** Whether all are the first, to the bit. */
function isOne(halves: Int32Array, first: number, stride: number, count: number): boolean {
  const [low, high] = [halves[first], halves[first + 1]];
  for (let left = count, at = first; left > 0; left--, at += stride) if (halves[at] !== low || halves[at + 1] !== high) return false;
  return true;
}

function gatherInts(table: Int32Array, first: number, stride: number, count: number): void {
  const values = numbers;
  let [least, most] = [table[first], table[first]];
  for (let index = 0, at = first; index < count; index++, at += stride) {
    const value = table[at];
    values[index] = value;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  range.least = least;
  range.distance = most - least;
}

function gatherDoubles(table: Float64Array, first: number, stride: number, count: number): void {
  const values = numbers;
  let [least, most] = [table[first], table[first]];
  for (let index = 0, at = first; index < count; index++, at += stride) {
    const value = table[at];
    values[index] = value;
    // What is written as a distance comes back as a number, and that of a negative zero as another zero.
    if (Math.floor(value) !== value || Object.is(value, -0)) least = Number.NaN;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  range.least = least;
  range.distance = most - least;
}

function widthOf(distance: number): Width {
  // Not of infinities, nor of what is none.
  if (!(distance < 2 ** 32)) return AS_IT_IS;
  if (distance < 2 ** 8) return distance === 0 ? 0 : 1;
  return distance < 2 ** 16 ? 2 : 4;
}

/**
 * Writes what `packed` gave of such columns into tables that hold nothing but zeros.
 * @throws RangeError when the bytes are not those of such columns
 */
export function unpack(views: readonly ColumnView[], packedBytes: Uint8Array): void {
  const memory = new Memory(packedBytes.byteOffset % WORD === 0 ? (packedBytes as Uint8Array<ArrayBuffer>) : new Uint8Array(packedBytes));
  let at = 0;
  for (const { strips, from, count } of blocksOf(views)) for (const strip of strips) at += unpackStrip(memory, at, strip, from, count);
  if (at !== memory.bytes.length) throw new RangeError(`${memory.bytes.length - at} bytes follow the last column`);
}

/** @returns how many bytes it took */
function unpackStrip(memory: Memory, begin: number, strip: Strip, from: number, count: number): number {
  const { bytes, doubles } = memory;
  // Beyond the end a number is undefined, and no width.
  const [least, width] = [doubles[begin / WORD], doubles[begin / WORD + 1]];
  const length = chunkBytes(count, width);
  if (!WIDTHS.some((known) => known === width) || begin + length > bytes.length) throw new RangeError('the bytes are not those of a column');
  if (width === 0 && Object.is(least, 0)) return length;
  read(memory, begin + HEAD_BYTES, width as Width, least, count);
  scatter(strip, from, count);
  return length;
}

function read({ bytes, shorts, ints, doubles }: Memory, begin: number, width: Width, least: number, count: number): void {
  const values = numbers;
  if (width === 0) values.fill(least, 0, count);
  else if (width === 1) for (let index = 0; index < count; index++) values[index] = least + bytes[begin + index];
  else if (width === 2) for (let index = 0, at = begin >> 1; index < count; index++) values[index] = least + shorts[at + index];
  else if (width === 4) for (let index = 0, at = begin >> 2; index < count; index++) values[index] = least + ints[at + index];
  else numbers.set(doubles.subarray(begin >> 3, (begin >> 3) + count));
}

function scatter({ table, stride, place }: Strip, from: number, count: number): void {
  const values = numbers;
  let at = from * stride + place;
  if (table instanceof Int32Array) for (let index = 0; index < count; index++, at += stride) table[at] = values[index];
  else for (let index = 0; index < count; index++, at += stride) table[at] = values[index];
}

/** Writes a column's numbers, one row's behind the other's, into its table. @throws RangeError when they are not as many */
export function fill(view: ColumnView, column: Float64Array | Int32Array): void {
  const { table, stride, places } = view;
  if (column.length !== numbersIn(view)) throw new RangeError(`${column.length} numbers are not those of ${view.rows} rows`);
  for (let from = 0, row = 0; from < column.length; row += stride) for (const place of places) table[row + place] = column[from++];
}
