/** Which supply cell each provider has in one hour's book: asked for at every ask, so it is a probe of one small table. */
import type { CompanyId } from '../vocabulary.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { ROW_INT_SHIFT, RUN_FIRST } from '../numbers/row_pool.ts';
import type { RowPool } from '../numbers/row_pool.ts';

/** Numbers of a row of the pool: provider + 1, 0 when the row is free; its cell; how many came before it, as snapshots keep them in order. */
const CELL = 1;
const PLACE = 2;

export class ProviderCells {
  private readonly pool: RowPool;
  /** The table's run in the pool, its rows, and these less one; it is never more than half full. */
  private from = 0;
  private rows = 0;
  private mask = 0;
  size = 0;

  constructor(pool: RowPool) {
    this.pool = pool;
  }

  /** NIL when the provider has none. */
  get(provider: CompanyId): number {
    if (this.rows === 0) return NIL;
    const { mask, from } = this;
    const { ints } = this.pool;
    let place = provider & mask;
    for (;;) {
      const at = (from + place) << ROW_INT_SHIFT;
      const found = ints[at];
      if (found === 0) return NIL;
      if (found === provider + 1) return ints[at | CELL];
      place = (place + 1) & mask;
    }
  }

  some(passes: (cell: number) => boolean): boolean {
    const { ints } = this.pool;
    for (let row = this.from; row < this.from + this.rows; row++) {
      const at = row << ROW_INT_SHIFT;
      if (ints[at] !== 0 && passes(ints[at | CELL])) return true;
    }
    return false;
  }

  /** Reads where a provider would stand. */
  glance(provider: CompanyId): number {
    return this.rows === 0 ? 0 : this.pool.ints[(this.from + (provider & this.mask)) << ROW_INT_SHIFT];
  }

  has(provider: CompanyId): boolean {
    return this.get(provider) !== NIL;
  }

  /** Lists a provider that has no cell yet. */
  add(provider: CompanyId, cell: number): void {
    if (2 * (this.size + 1) > this.rows) this.grow();
    this.put(provider, cell, this.size++);
  }

  private put(provider: CompanyId, cell: number, came: number): void {
    const { mask, from } = this;
    const { ints } = this.pool;
    let place = provider & mask;
    while (ints[(from + place) << ROW_INT_SHIFT] !== 0) place = (place + 1) & mask;
    const at = (from + place) << ROW_INT_SHIFT;
    ints[at] = provider + 1;
    ints[at | CELL] = cell;
    ints[at | PLACE] = came;
  }

  private grow(): void {
    const { from, rows } = this;
    this.rows = rows === 0 ? RUN_FIRST : 2 * rows;
    this.from = this.pool.take(this.rows);
    this.mask = this.rows - 1;
    const { ints } = this.pool;
    ints.fill(0, this.from << ROW_INT_SHIFT, (this.from + this.rows) << ROW_INT_SHIFT);
    for (let row = from; row < from + rows; row++) {
      const at = row << ROW_INT_SHIFT;
      if (ints[at] !== 0) this.put(ints[at] - 1, ints[at | CELL], ints[at | PLACE]);
    }
    if (rows > 0) this.pool.give(from, rows);
  }

  /** Nobody has a cell any more; the table is given back. */
  clear(): void {
    this.size = 0;
    if (this.rows > 0) this.pool.give(this.from, this.rows);
    this.rows = 0;
  }

  values(): number[] {
    return this.entries().map(([, cell]) => cell);
  }

  /** In the order in which they came. */
  entries(): [CompanyId, number][] {
    const entries = Array.from({ length: this.size }, (): [CompanyId, number] => [NIL, NIL]);
    const { ints } = this.pool;
    for (let row = this.from; row < this.from + this.rows; row++) {
      const at = row << ROW_INT_SHIFT;
      if (ints[at] !== 0) entries[ints[at | PLACE]] = [ints[at] - 1, ints[at | CELL]];
    }
    return entries;
  }
}
