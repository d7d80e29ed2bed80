/**
 * Which supply cell each provider has in each hour's book: asked for at every ask, so it is a probe of one small table. Where that is, how long,
 * and how many are in it, stands in the book's line.
 */
import { BOOKS, BOOK_INT_SHIFT, CELLS, CELLS_SHAPE } from '../book/book_rows.ts';
import type { BookRows } from '../book/book_rows.ts';
import type { CompanyId } from '../vocabulary.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { SupplyCells } from '../ledger/supply_cells.ts';
import { ROW_INT_SHIFT, RUN_FIRST } from '../numbers/row_pool.ts';
import type { RowPool } from '../numbers/row_pool.ts';

/** Numbers of an entry, two of which are a row of the pool: provider + 1, 0 when it is free; its cell. */
const ENTRY_INT_SHIFT = 1;
export const CELL = 1;
/** No cell, and not the one that stands for none. */
export const UNKNOWN = -2;
/** Of the shape: below, the logarithm of a table's length in entries, which is what a shift looks at; above, how many are in it. 0: there is none. */
const COUNT_SHIFT = 5;
const ENTRIES_PER_ROW = 2;
const SHAPE_FIRST = Math.log2(ENTRIES_PER_ROW * RUN_FIRST);

/** Rows of the pool that a table of a shape takes. */
const rowsOf = (shape: number): number => (1 << shape) / ENTRIES_PER_ROW;

/** Tables of all books; a table is never more than three quarters full. */
export class ProviderCells {
  private readonly rows: BookRows;
  private readonly pool: RowPool;
  private readonly cells: SupplyCells;

  constructor(rows: BookRows, pool: RowPool, cells: SupplyCells) {
    this.rows = rows;
    this.pool = pool;
    this.cells = cells;
  }

  size(book: number): number {
    return this.rows.ints[((book & BOOKS) << BOOK_INT_SHIFT) + CELLS_SHAPE] >> COUNT_SHIFT;
  }

  /** As `get`, by one look: UNKNOWN when another provider's stands where this one's would. */
  near(book: number, provider: CompanyId): number {
    const { ints } = this.pool;
    const entry = this.placeNear(book, provider);
    if (entry === NIL || !(provider >= 0)) return NIL;
    const found = ints[entry];
    if (found === provider + 1) return ints[entry | CELL];
    return found === 0 ? NIL : UNKNOWN;
  }

  /** NIL when the provider has none. */
  get(book: number, provider: CompanyId): number {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const shape = this.rows.ints[at + CELLS_SHAPE];
    if (shape === 0) return NIL;
    const from = this.rows.ints[at + CELLS] << ROW_INT_SHIFT;
    const mask = (1 << shape) - 1;
    const { ints } = this.pool;
    let place = provider & mask;
    for (;;) {
      const entry = from + (place << ENTRY_INT_SHIFT);
      const found = ints[entry];
      if (found === 0) return NIL;
      if (found === provider + 1) return ints[entry | CELL];
      place = (place + 1) & mask;
    }
  }

  /** Where in the pool a provider's entry would stand; NIL without a table. */
  placeNear(book: number, provider: CompanyId): number {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const shape = this.rows.ints[at + CELLS_SHAPE];
    return shape === 0 ? NIL : (this.rows.ints[at + CELLS] << ROW_INT_SHIFT) + ((provider & ((1 << shape) - 1)) << ENTRY_INT_SHIFT);
  }

  has(book: number, provider: CompanyId): boolean {
    return this.get(book, provider) !== NIL;
  }

  /** Lists a provider that has no cell yet. */
  add(book: number, provider: CompanyId, cell: number): void {
    const { ints } = this.rows;
    const at = ((book & BOOKS) << BOOK_INT_SHIFT) + CELLS_SHAPE;
    const count = ints[at] >> COUNT_SHIFT;
    if (ints[at] === 0 || 4 * (count + 1) > 3 * (1 << ints[at])) this.grow(book);
    this.put(book, provider, cell);
    this.cells.setCame(cell, count);
    ints[at] += 1 << COUNT_SHIFT;
  }

  private put(book: number, provider: CompanyId, cell: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const from = this.rows.ints[at + CELLS] << ROW_INT_SHIFT;
    const mask = (1 << this.rows.ints[at + CELLS_SHAPE]) - 1;
    const { ints } = this.pool;
    let place = provider & mask;
    while (ints[from + (place << ENTRY_INT_SHIFT)] !== 0) place = (place + 1) & mask;
    const entry = from + (place << ENTRY_INT_SHIFT);
    ints[entry] = provider + 1;
    ints[entry | CELL] = cell;
  }

  private grow(book: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const from = this.rows.ints[at + CELLS];
    const shape = this.rows.ints[at + CELLS_SHAPE];
    const rows = shape === 0 ? 0 : rowsOf(shape);
    const more = shape === 0 ? RUN_FIRST : 2 * rows;
    const to = this.pool.take(more);
    this.rows.ints[at + CELLS] = to;
    this.rows.ints[at + CELLS_SHAPE] = shape === 0 ? SHAPE_FIRST : shape + 1;
    const { ints } = this.pool;
    ints.fill(0, to << ROW_INT_SHIFT, (to + more) << ROW_INT_SHIFT);
    for (let entry = from << ROW_INT_SHIFT; entry < (from + rows) << ROW_INT_SHIFT; entry += 1 << ENTRY_INT_SHIFT) {
      if (ints[entry] !== 0) this.put(book, ints[entry] - 1, ints[entry | CELL]);
    }
    if (rows > 0) this.pool.give(from, rows);
  }

  /** Nobody has a cell any more; the table is given back. */
  clear(book: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const shape = this.rows.ints[at + CELLS_SHAPE];
    if (shape !== 0) this.pool.give(this.rows.ints[at + CELLS], rowsOf(shape));
    this.rows.ints[at + CELLS_SHAPE] = 0;
  }

  values(book: number): number[] {
    return this.entries(book).map(([, cell]) => cell);
  }

  /** In the order in which they came. */
  entries(book: number): [CompanyId, number][] {
    const entries = Array.from({ length: this.size(book) }, (): [CompanyId, number] => [NIL, NIL]);
    if (entries.length === 0) return entries;
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const from = this.rows.ints[at + CELLS] << ROW_INT_SHIFT;
    const { ints } = this.pool;
    for (let entry = from; entry < from + ((1 << this.rows.ints[at + CELLS_SHAPE]) << ENTRY_INT_SHIFT); entry += 1 << ENTRY_INT_SHIFT) {
      if (ints[entry] !== 0) entries[this.cells.came(ints[entry | CELL])] = [ints[entry] - 1, ints[entry | CELL]];
    }
    return entries;
  }

  some(book: number, passes: (cell: number) => boolean): boolean {
    return this.values(book).some(passes);
  }
}
