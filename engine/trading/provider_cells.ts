/** Which supply cell each provider has in one hour's book: asked for at every ask, so it is a probe of one small table. */
import type { CompanyId } from '../commands.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { ROW_INT_SHIFT, RUN_FIRST } from '../numbers/row_pool.ts';
import type { RowPool } from '../numbers/row_pool.ts';

/** Entries of a row of the pool: pairs of (provider + 1, cell); a pair whose first number is 0 is free. */
const PAIRS_SHIFT = 1;

export class ProviderCells {
  private readonly pool: RowPool;
  /** The table's run in the pool, its rows, and its entries less one; it is never more than half full. */
  private from = 0;
  private rows = 0;
  private mask = 0;
  /** In the order in which they came, as snapshots keep them. */
  private readonly providers: CompanyId[] = [];

  constructor(pool: RowPool) {
    this.pool = pool;
  }

  get size(): number {
    return this.providers.length;
  }

  /** NIL when the provider has none. */
  get(provider: CompanyId): number {
    if (this.rows === 0) return NIL;
    const { mask } = this;
    const { ints } = this.pool;
    const first = this.from << ROW_INT_SHIFT;
    let place = provider & mask;
    for (;;) {
      const at = first + (place << 1);
      const found = ints[at];
      if (found === 0) return NIL;
      if (found === provider + 1) return ints[at + 1];
      place = (place + 1) & mask;
    }
  }

  has(provider: CompanyId): boolean {
    return this.get(provider) !== NIL;
  }

  /** Lists a provider that has no cell yet. */
  add(provider: CompanyId, cell: number): void {
    if (2 * (this.providers.length + 1) > this.rows << PAIRS_SHIFT) this.grow();
    this.providers.push(provider);
    this.put(provider, cell);
  }

  private put(provider: CompanyId, cell: number): void {
    const { mask } = this;
    const { ints } = this.pool;
    const first = this.from << ROW_INT_SHIFT;
    let place = provider & mask;
    while (ints[first + (place << 1)] !== 0) place = (place + 1) & mask;
    ints[first + (place << 1)] = provider + 1;
    ints[first + (place << 1) + 1] = cell;
  }

  private grow(): void {
    const entries = this.entries();
    const rows = this.rows === 0 ? RUN_FIRST : 2 * this.rows;
    if (this.rows > 0) this.pool.give(this.from, this.rows);
    this.from = this.pool.take(rows);
    this.rows = rows;
    this.mask = (rows << PAIRS_SHIFT) - 1;
    const first = this.from << ROW_INT_SHIFT;
    this.pool.ints.fill(0, first, first + (rows << ROW_INT_SHIFT));
    for (const [provider, cell] of entries) this.put(provider, cell);
  }

  /** Nobody has a cell any more; the table is given back. */
  clear(): void {
    this.providers.length = 0;
    if (this.rows > 0) this.pool.give(this.from, this.rows);
    this.rows = 0;
  }

  values(): number[] {
    return this.providers.map((provider) => this.get(provider));
  }

  entries(): [CompanyId, number][] {
    return this.providers.map((provider) => [provider, this.get(provider)]);
  }
}
