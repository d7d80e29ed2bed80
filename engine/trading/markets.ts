/** What is traded: classes of GPU, their markets by region, and the book of each delivery hour. */
import { Book } from '../book/book.ts';
import type { Levels } from '../book/levels.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { ClassId, CompanyId, MarketId, TradingMode } from '../vocabulary.ts';
import type { ProviderCells } from './provider_cells.ts';
import type { Hour, Micro, Millis, Ticks } from '../numbers/units.ts';

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

const NO_RING = new Int32Array(0);

/** A market as it is kept in snapshots. */
export interface MarketImage {
  readonly market: MarketId;
  readonly mode: TradingMode;
  readonly reason: string;
}

/** A class of its own, as every order asks for it: what V8 has compiled for one market then holds of those made later. */
export class Market {
  readonly market: MarketId;
  mode: TradingMode;
  reason: string;
  /** Whether neither it nor what it belongs to is in another mode. */
  isOpen = true;
  /** Rows of `books` by delivery hour. */
  readonly books = new Map<Hour, number>();
  /** The same, hour and row, where hours that are listed together have places of their own; empty until somebody quotes. */
  ring = NO_RING;

  constructor({ market, mode, reason }: MarketImage) {
    this.market = market;
    this.mode = mode;
    this.reason = reason;
  }
}

export class HourBook extends Book {
  private ownMode: TradingMode = 'open';
  isOpen = true;
  market: MarketId;
  hour: Hour;
  reason = '';

  constructor(levels: Levels, row: number, market: MarketId, hour: Hour) {
    super(levels, row);
    this.market = market;
    this.hour = hour;
    if (row !== NIL) levels.rows.setInstrument(row, market, hour);
  }

  /** Makes one that is of no book stand for a plain one: all that orders ask of that is in its row, so that its own object need not be fetched from afar. */
  standFor(row: number, market: MarketId, hour: Hour): this {
    this.row = row;
    this.market = market;
    this.hour = hour;
    return this;
  }

  get mode(): TradingMode {
    return this.ownMode;
  }
  set mode(mode: TradingMode) {
    this.ownMode = mode;
    this.isOpen = mode === 'open';
    this.notePlain();
  }
  protected override isPlain(): boolean {
    return this.isOpen && super.isPlain();
  }

  /** Chain of allocations, and how many of them are not yet done. */
  get firstAllocation(): number {
    return this.levels.rows.firstAllocation(this.row);
  }
  set firstAllocation(row: number) {
    this.levels.rows.setFirstAllocation(this.row, row);
  }
  get openAllocations(): number {
    return this.levels.rows.openAllocations(this.row);
  }
  set openAllocations(count: number) {
    this.levels.rows.setOpenAllocations(this.row, count);
  }
}

/** A book nobody has quoted, offered in or bought from. */
export const isUnused = (book: HourBook, cells: ProviderCells): boolean => book.isEmpty() && book.firstAllocation === NIL && cells.size(book.row) === 0 && book.mode === 'open';

/** Where orders collect until a time, and the operator who will have opened it. */
export interface Call {
  readonly class: ClassId;
  readonly market: MarketId;
  readonly hour: Hour;
  readonly by: CompanyId;
}
