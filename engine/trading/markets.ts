/** What is traded: classes of GPU, their markets by region, and the book of each delivery hour. */
import { Book } from '../book/book.ts';
import type { ClassId, CompanyId, MarketId, TradingMode } from '../vocabulary.ts';
import type { RowPool } from '../numbers/row_pool.ts';
import type { Hour, Micro, Millis, Ticks } from '../numbers/units.ts';
import { ProviderCells } from './provider_cells.ts';

export interface GpuClass {
  readonly class: ClassId;
  readonly name: string;
  readonly chip: string;
  readonly memoryGb: number;
  readonly formFactor: string;
  listPrice: Ticks;
  inputs: { provider: string; usd: Micro }[];
  next: { price: Ticks; effectiveAt: Millis; inputs: { provider: string; usd: Micro }[] } | null;
  mode: TradingMode;
  reason: string;
}

export interface Market {
  readonly market: MarketId;
  /** Rows of `books` by delivery hour. */
  readonly books: Map<Hour, number>;
  /** The same books where hours that are listed together have places of their own; empty until somebody quotes. */
  readonly ring: (HourBook | undefined)[];
  mode: TradingMode;
  reason: string;
}

export class HourBook extends Book {
  readonly row: number;
  readonly market: MarketId;
  readonly hour: Hour;
  mode: TradingMode = 'open';
  reason = '';
  /** Supply cells by provider. */
  readonly cells: ProviderCells;
  /** Chain of allocations, and how many of them are not yet done. */
  firstAllocation = -1;
  openAllocations = 0;

  override close(): void {
    super.close();
    this.cells.clear();
  }

  constructor(pool: RowPool, row: number, market: MarketId, hour: Hour) {
    super(pool);
    this.cells = new ProviderCells(pool);
    this.row = row;
    this.market = market;
    this.hour = hour;
  }
}

/** A book nobody has quoted, offered in or bought from. */
export const isUnused = (book: HourBook): boolean => book.isEmpty() && book.firstAllocation === -1 && book.cells.size === 0 && book.mode === 'open';

/** Where orders collect until a time, and the operator who will have opened it. */
export interface Call {
  readonly class: ClassId;
  readonly market: MarketId;
  readonly hour: Hour;
  readonly by: CompanyId;
}
