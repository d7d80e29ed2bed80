/** Which supply cell each provider has in each hour's book: asked for at every ask, so it is a probe of one small table, whose place stands in the book's row. */
import { BOOKS, BOOK_INT_SHIFT, CELLS, CELLS_COUNT, CELLS_ROWS } from '../book/book_rows.ts';
import type { BookRows } from '../book/book_rows.ts';
import type { CompanyId } from '../vocabulary.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { ROW_INT_SHIFT, RUN_FIRST } from '../numbers/row_pool.ts';
import type { RowPool } from '../numbers/row_pool.ts';

/** Numbers of a row of the pool: provider + 1, 0 when the row is free; its cell; how many came before it, as snapshots keep them in order. */
export const CELL = 1;
const PLACE = 2;

/** Tables of all books; a table is never more than half full. */
export class ProviderCells {
  private readonly rows: BookRows;
  private readonly pool: RowPool;

  constructor(rows: BookRows, pool: RowPool) {
    this.rows = rows;
    this.pool = pool;
  }

  size(book: number): number {
    return this.rows.seldom[((book & BOOKS) << BOOK_INT_SHIFT) + CELLS_COUNT];
  }

  /** As `get`, by one look: NIL also when another provider's stands where this one's would. */
  near(book: number, provider: CompanyId): number {
    const { ints } = this.rows;
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const rows = ints[at + CELLS_ROWS];
    if (rows === 0) return NIL;
    const entries = this.pool.ints;
    const row = (ints[at + CELLS] + (provider & (rows - 1))) << ROW_INT_SHIFT;
    return entries[row] === provider + 1 ? entries[row | CELL] : NIL;
  }

  /** NIL when the provider has none. */
  get(book: number, provider: CompanyId): number {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const rows = this.rows.ints[at + CELLS_ROWS];
    if (rows === 0) return NIL;
    const from = this.rows.ints[at + CELLS];
    const { ints } = this.pool;
    let place = provider & (rows - 1);
    for (;;) {
      const row = (from + place) << ROW_INT_SHIFT;
      const found = ints[row];
      if (found === 0) return NIL;
      if (found === provider + 1) return ints[row | CELL];
      place = (place + 1) & (rows - 1);
    }
  }

  /** Where in the pool a provider's entry would stand; NIL without a table. For who reads ahead. */
  placeNear(book: number, provider: CompanyId): number {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const rows = this.rows.ints[at + CELLS_ROWS];
    return rows === 0 ? NIL : (this.rows.ints[at + CELLS] + (provider & (rows - 1))) << ROW_INT_SHIFT;
  }

  has(book: number, provider: CompanyId): boolean {
    return this.get(book, provider) !== NIL;
  }

  /** Lists a provider that has no cell yet. */
  add(book: number, provider: CompanyId, cell: number): void {
    const count = this.size(book);
    if (2 * (count + 1) > this.rows.ints[((book & BOOKS) << BOOK_INT_SHIFT) + CELLS_ROWS]) this.grow(book);
    this.put(book, provider, cell, count);
    this.rows.seldom[((book & BOOKS) << BOOK_INT_SHIFT) + CELLS_COUNT] = count + 1;
  }

  private put(book: number, provider: CompanyId, cell: number, came: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const from = this.rows.ints[at + CELLS];
    const mask = this.rows.ints[at + CELLS_ROWS] - 1;
    const { ints } = this.pool;
    let place = provider & mask;
    while (ints[(from + place) << ROW_INT_SHIFT] !== 0) place = (place + 1) & mask;
    const row = (from + place) << ROW_INT_SHIFT;
    ints[row] = provider + 1;
    ints[row | CELL] = cell;
    ints[row | PLACE] = came;
  }

  private grow(book: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const from = this.rows.ints[at + CELLS];
    const rows = this.rows.ints[at + CELLS_ROWS];
    const more = rows === 0 ? RUN_FIRST : 2 * rows;
    const to = this.pool.take(more);
    this.rows.ints[at + CELLS] = to;
    this.rows.ints[at + CELLS_ROWS] = more;
    const { ints } = this.pool;
    ints.fill(0, to << ROW_INT_SHIFT, (to + more) << ROW_INT_SHIFT);
    for (let row = from; row < from + rows; row++) {
      const place = row << ROW_INT_SHIFT;
      if (ints[place] !== 0) this.put(book, ints[place] - 1, ints[place | CELL], ints[place | PLACE]);
    }
    if (rows > 0) this.pool.give(from, rows);
  }

  /** Nobody has a cell any more; the table is given back. */
  clear(book: number): void {
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    this.rows.seldom[at + CELLS_COUNT] = 0;
    if (this.rows.ints[at + CELLS_ROWS] > 0) this.pool.give(this.rows.ints[at + CELLS], this.rows.ints[at + CELLS_ROWS]);
    this.rows.ints[at + CELLS_ROWS] = 0;
  }

  values(book: number): number[] {
    return this.entries(book).map(([, cell]) => cell);
  }

  /** In the order in which they came. */
  entries(book: number): [CompanyId, number][] {
    const entries = Array.from({ length: this.size(book) }, (): [CompanyId, number] => [NIL, NIL]);
    const at = (book & BOOKS) << BOOK_INT_SHIFT;
    const from = this.rows.ints[at + CELLS];
    const { ints } = this.pool;
    for (let row = from; row < from + this.rows.ints[at + CELLS_ROWS]; row++) {
      const place = row << ROW_INT_SHIFT;
      if (ints[place] !== 0) entries[ints[place | PLACE]] = [ints[place] - 1, ints[place | CELL]];
    }
    return entries;
  }

  some(book: number, passes: (cell: number) => boolean): boolean {
    return this.values(book).some(passes);
  }
}
