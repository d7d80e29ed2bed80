import { describe, expect, it } from 'vitest';
import { NIL } from '../ledger/lot_amounts.ts';
import { BookRows } from '../book/book_rows.ts';
import { SupplyCells } from '../ledger/supply_cells.ts';
import { RowPool } from '../numbers/row_pool.ts';
import { ProviderCells, UNKNOWN } from './provider_cells.ts';

const BOOK = 3;

function cellsByProvider(): ProviderCells {
  const supply = new SupplyCells();
  supply.reserve(300);
  return new ProviderCells(new BookRows(), new RowPool(16), supply);
}

describe('cells by provider', () => {
  it('finds what was added, in the order it came, however many there are', () => {
    const cells = cellsByProvider();
    const providers = Array.from({ length: 300 }, (_, index) => (index * 64) % 4_099);
    providers.forEach((provider, cell) => cells.add(BOOK, provider, cell));
    expect(cells.size(BOOK)).toBe(300);
    expect(cells.entries(BOOK)).toEqual(providers.map((provider, cell) => [provider, cell]));
    expect(cells.values(BOOK)).toEqual(providers.map((_, cell) => cell));
  });

  it('finds by one look what stands first in its place, or that nobody does', () => {
    const cells = cellsByProvider();
    expect(cells.near(BOOK, 8)).toBe(NIL);
    // In a table of four or eight both belong where 8 stands.
    [8, 16].forEach((provider, cell) => cells.add(BOOK, provider, cell));
    expect([8, 16, 24, 0, 1.5, 3, -1].map((provider) => cells.near(BOOK, provider))).toEqual([0, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, NIL, NIL]);
    const many = Array.from({ length: 100 }, (_, index) => 100 + index);
    many.forEach((provider, index) => cells.add(BOOK, provider, 2 + index));
    expect(many.map((provider) => cells.near(BOOK, provider))).toEqual(many.map((_, index) => 2 + index));
  });

  it('has nothing of a provider that was not added, nor after it was cleared', () => {
    const cells = cellsByProvider();
    cells.add(BOOK, 8, 5);
    expect([8, 0, 16, -1, 1.5].map((provider) => cells.get(BOOK, provider))).toEqual([5, NIL, NIL, NIL, NIL]);
    cells.clear(BOOK);
    expect([cells.has(BOOK, 8), cells.size(BOOK)]).toEqual([false, 0]);
  });
});
