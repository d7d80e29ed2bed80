/**
 * A provider's supply of one delivery hour: what is offered and sold, and the accounts of the ledger, in one
 * cache line, since an ask, its cancel and its fill touch them together.
 */
import { CacheRows } from '../numbers/columns.ts';
import { columnView } from '../numbers/column_views.ts';
import type { ColumnView } from '../numbers/column_views.ts';

const ROW_BYTES = 64;
/** Places of a row; its accounts stand first. */
export const CELL_SHIFT = 3;
export const CELL_INT_SHIFT = 4;
const INT_SHIFT = CELL_INT_SHIFT;
const ACCOUNTS = 4;
const OFFERED = 4;
const SOLD = 5;
const CAPACITY = 12;
const HOUR = 13;
const GENERATION = 14;
/** Derived. */
const CAME = 15;
const ROWS_FIRST = 16;
/** So many have a number that events can name. */
export const CELL_ROWS = 2 ** 20;
/** More than there can be, as `ROWS` of orders. */
export const CELLS = 2 ** 24 - 1;

export class SupplyCells {
  /** The accounts are the ledger's alone. */
  floats: Float64Array<ArrayBuffer>;
  /** Read ahead as they stand. */
  ints: Int32Array<ArrayBuffer>;
  private readonly rows: CacheRows;

  constructor(rows = ROWS_FIRST) {
    this.rows = new CacheRows(rows, ROW_BYTES);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  reserve(rows: number): void {
    if (rows <= this.rows.room) return;
    this.rows.grow(rows);
    this.floats = this.rows.floats;
    this.ints = this.rows.ints;
  }

  /** Of the rows in use, for snapshots; the accounts apart. */
  columns(used: number): ColumnView[] {
    const { floats, ints } = this;
    const int = (name: string, place: number): ColumnView => columnView({ name, kind: 'i32', table: ints, stride: 1 << INT_SHIFT, places: [place] }, used);
    const float = (name: string, place: number): ColumnView => columnView({ name, kind: 'f64', table: floats, stride: 1 << CELL_SHIFT, places: [place] }, used);
    return [int('capacity', CAPACITY), int('hour', HOUR), int('generation', GENERATION), float('offered', OFFERED), float('sold', SOLD)];
  }

  closeAccounts(row: number): void {
    this.floats.fill(0, row << CELL_SHIFT, (row << CELL_SHIFT) + ACCOUNTS);
  }

  /** Steps on offer, and sold before the hour began. */
  offered(row: number): number {
    return this.floats[((row & CELLS) << CELL_SHIFT) + OFFERED];
  }
  setOffered(row: number, value: number): void {
    this.floats[((row & CELLS) << CELL_SHIFT) + OFFERED] = value;
  }
  sold(row: number): number {
    return this.floats[((row & CELLS) << CELL_SHIFT) + SOLD];
  }
  setSold(row: number, value: number): void {
    this.floats[((row & CELLS) << CELL_SHIFT) + SOLD] = value;
  }
  capacity(row: number): number {
    return this.ints[((row & CELLS) << INT_SHIFT) + CAPACITY];
  }
  setCapacity(row: number, value: number): void {
    this.ints[((row & CELLS) << INT_SHIFT) + CAPACITY] = value;
  }
  hour(row: number): number {
    return this.ints[((row & CELLS) << INT_SHIFT) + HOUR];
  }
  setHour(row: number, value: number): void {
    this.ints[((row & CELLS) << INT_SHIFT) + HOUR] = value;
  }
  generation(row: number): number {
    return this.ints[((row & CELLS) << INT_SHIFT) + GENERATION];
  }
  setGeneration(row: number, value: number): void {
    this.ints[((row & CELLS) << INT_SHIFT) + GENERATION] = value;
  }
  /** How many cells its book had before it. */
  came(row: number): number {
    return this.ints[((row & CELLS) << INT_SHIFT) + CAME];
  }
  setCame(row: number, value: number): void {
    this.ints[((row & CELLS) << INT_SHIFT) + CAME] = value;
  }
}
