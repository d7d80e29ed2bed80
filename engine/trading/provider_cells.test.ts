import { describe, expect, it } from 'vitest';
import { NIL } from '../ledger/lot_amounts.ts';
import { RowPool } from '../numbers/row_pool.ts';
import { ProviderCells } from './provider_cells.ts';

describe('cells by provider', () => {
  it('finds what was added, in the order it came, however many there are', () => {
    const cells = new ProviderCells(new RowPool(16));
    const providers = Array.from({ length: 300 }, (_, index) => (index * 64) % 4_099);
    providers.forEach((provider, cell) => cells.add(provider, cell));
    expect(cells.size).toBe(300);
    expect(cells.entries()).toEqual(providers.map((provider, cell) => [provider, cell]));
    expect(cells.values()).toEqual(providers.map((_, cell) => cell));
  });

  it('has nothing of a provider that was not added, nor after it was cleared', () => {
    const cells = new ProviderCells(new RowPool(16));
    cells.add(8, 5);
    expect([cells.get(8), cells.get(0), cells.get(16), cells.get(-1), cells.get(1.5)]).toEqual([5, NIL, NIL, NIL, NIL]);
    cells.clear();
    expect([cells.has(8), cells.size]).toEqual([false, 0]);
  });
});
