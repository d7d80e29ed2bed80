/** Which supply cell each provider has in one hour's book: asked for at every ask, so it is a probe of one small table. */
import type { CompanyId } from '../commands.ts';
import { NIL } from '../ledger/lot_amounts.ts';

/** Entries that the smallest table has room for; a table is never more than half full. */
const ROOM = 8;

export class ProviderCells {
  /** Pairs of (provider + 1, cell); a place whose first number is 0 is free. */
  private table = new Int32Array(2 * ROOM);
  private mask = ROOM - 1;
  /** In the order in which they came, as snapshots keep them. */
  private readonly providers: CompanyId[] = [];

  get size(): number {
    return this.providers.length;
  }

  /** NIL when the provider has none. */
  get(provider: CompanyId): number {
    const { table, mask } = this;
    let place = provider & mask;
    for (;;) {
      const found = table[place << 1];
      if (found === 0) return NIL;
      if (found === provider + 1) return table[(place << 1) | 1];
      place = (place + 1) & mask;
    }
  }

  has(provider: CompanyId): boolean {
    return this.get(provider) !== NIL;
  }

  /** Lists a provider that has no cell yet. */
  add(provider: CompanyId, cell: number): void {
    this.providers.push(provider);
    if (2 * this.providers.length > this.mask + 1) this.grow();
    this.put(provider, cell);
  }

  private put(provider: CompanyId, cell: number): void {
    const { table, mask } = this;
    let place = provider & mask;
    while (table[place << 1] !== 0) place = (place + 1) & mask;
    table[place << 1] = provider + 1;
    table[(place << 1) | 1] = cell;
  }

  private grow(): void {
    const before = this.table;
    this.table = new Int32Array(2 * before.length);
    this.mask = this.table.length / 2 - 1;
    for (let at = 0; at < before.length; at += 2) if (before[at] !== 0) this.put(before[at] - 1, before[at + 1]);
  }

  clear(): void {
    this.providers.length = 0;
    this.table.fill(0);
  }

  values(): number[] {
    return this.providers.map((provider) => this.get(provider));
  }

  entries(): [CompanyId, number][] {
    return this.providers.map((provider) => [provider, this.get(provider)]);
  }
}
