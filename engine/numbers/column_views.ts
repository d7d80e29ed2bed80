/**
 * Columns as views of the tables in which they stand. Nothing is gathered before it is asked for, a part at a time: so a copy of
 * the tables, which is quick, is a copy of the columns.
 */
type Numbers = Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

export interface ColumnView {
  readonly name: string;
  /** What its numbers are given as; a table of integers may be given as doubles. */
  readonly kind: 'f64' | 'i32';
  readonly rows: number;
  /** Cut to the rows. */
  readonly table: Numbers;
  /** Numbers of the table from one row to the next. */
  readonly stride: number;
  /** Where in a row those of the column stand. */
  readonly places: readonly number[];
}

const WORD = 8;
/** Numbers that are given at once. */
const PART_NUMBERS = 1 << 15;

/** @param stride 1: the table is the column alone */
export function columnView({ name, kind, table, stride = 1, places = [0] }: Pick<ColumnView, 'name' | 'kind' | 'table'> & Partial<ColumnView>, rows: number): ColumnView {
  return { name, kind, rows, table: table.subarray(0, rows * stride), stride, places };
}

export const numbersIn = ({ rows, places }: ColumnView): number => rows * places.length;
export const bytesIn = (view: ColumnView): number => numbersIn(view) * (view.kind === 'f64' ? Float64Array : Int32Array).BYTES_PER_ELEMENT;

/** The column's bytes in parts, in the order of its rows. They may be the table's own: they hold until it changes. */
export function* partsOf(view: ColumnView): Generator<Uint8Array> {
  const rows = Math.max(1, Math.floor(PART_NUMBERS / view.places.length));
  for (let from = 0; from < view.rows; from += rows) {
    const part = partOf(view, from, Math.min(view.rows, from + rows));
    yield new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  }
}

function partOf({ kind, table, stride, places }: ColumnView, from: number, to: number): Numbers {
  const isKind = (kind === 'f64') === table instanceof Float64Array;
  if (stride === 1 && isKind) return table.subarray(from, to);
  if (stride === 1) return new Float64Array(table.subarray(from, to));
  const part = new (kind === 'f64' ? Float64Array : Int32Array)((to - from) * places.length);
  let at = 0;
  for (let row = from * stride; row < to * stride; row += stride) for (let index = 0; index < places.length; index++) part[at++] = table[row + places[index]];
  return part;
}

interface Extent {
  from: number;
  to: number;
}

/** Of each piece of memory in which tables stand: the bytes that they take. */
function extentsOf(views: readonly ColumnView[]): Map<ArrayBuffer, Extent> {
  const extents = new Map<ArrayBuffer, Extent>();
  for (const { table } of views) {
    const { buffer, byteOffset, byteLength } = table;
    const known = extents.get(buffer) ?? { from: byteOffset, to: byteOffset };
    extents.set(buffer, { from: Math.min(known.from, byteOffset), to: Math.max(known.to, byteOffset + byteLength) });
  }
  return extents;
}

const rounded = (bytes: number): number => Math.ceil(bytes / WORD) * WORD;

/** Bytes in which a copy of the tables finds room. */
export const roomOf = (views: readonly ColumnView[]): number => [...extentsOf(views).values()].reduce((sum, { from, to }) => sum + rounded(to - from), 0);

/**
 * The same columns of a copy of their tables.
 * @param room is used where it suffices: to write where nothing was ever written takes several times as long
 */
export function copied(views: readonly ColumnView[], room?: Uint8Array<ArrayBuffer>): ColumnView[] {
  const bytes = roomOf(views);
  const target = room !== undefined && room.length >= bytes ? room : new Uint8Array(bytes);
  const places = new Map<ArrayBuffer, number>();
  let at = 0;
  for (const [buffer, { from, to }] of extentsOf(views)) {
    target.set(new Uint8Array(buffer, from, to - from), at);
    places.set(buffer, target.byteOffset + at - from);
    at += rounded(to - from);
  }
  return views.map((view) => {
    const { table } = view;
    const offset = (places.get(table.buffer) ?? 0) + table.byteOffset;
    return { ...view, table: table instanceof Float64Array ? new Float64Array(target.buffer, offset, table.length) : new Int32Array(target.buffer, offset, table.length) };
  });
}
