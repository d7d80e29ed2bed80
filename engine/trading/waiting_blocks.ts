/** Buy blocks that wait for asks, and which of them what a command has added may let execute. */
import type { Block } from './block.ts';
import { BUY, NONE } from '../vocabulary.ts';
import type { MarketId } from '../vocabulary.ts';
import type { HourBook } from './markets.ts';
import { PARAMETERS } from '../parameters.ts';
import type { State } from '../state.ts';
import type { Ticks } from '../numbers/units.ts';

/** Fewer are tried sooner than it is found out which could execute at all. */
const FEW_BLOCKS = 4;

export class WaitingBlocks {
  private readonly state: State;
  /** The best price first, then the oldest. */
  private readonly blocks: Block[];
  /** Books that gained an ask since blocks were last tried. */
  private readonly touched: HourBook[] = [];

  constructor(state: State) {
    this.state = state;
    this.blocks = [...state.blocks.values()].filter(({ side }) => side === BUY).sort((a, b) => b.price - a.price);
  }

  get isEmpty(): boolean {
    return this.blocks.length === 0;
  }

  add(block: Block): void {
    this.blocks.splice(this.placeBehind(block.price), 0, block);
  }
  remove(block: Block): void {
    const place = this.blocks.indexOf(block);
    if (place !== -1) this.blocks.splice(place, 1);
  }

  /** Behind all that wait at this price or a better one. */
  private placeBehind(price: Ticks): number {
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.blocks[middle].price >= price) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A book has gained an ask, or opens again. */
  touch(book: HourBook): void {
    if (!this.touched.includes(book)) this.touched.push(book);
    this.state.unsettled = true;
  }

  /** All books of a market, NONE: of every market. */
  touchMarket(market: MarketId): void {
    if (this.blocks.length === 0) return;
    for (const book of this.state.books) if (book !== undefined && (market === NONE || book.market === market)) this.touch(book);
  }

  /** Whether a book has gained an ask since `concerned` was asked. */
  get isTouched(): boolean {
    return this.touched.length > 0;
  }

  /** The blocks that what books have gained since the last call may let execute. */
  concerned(): Block[] {
    return this.concernedBy(this.touched.splice(0));
  }

  /** The blocks that what is in one of these books may let execute: every other hour of theirs costs a tick at least. Before version 4 all that the hours are of. */
  private concernedBy(books: readonly HourBook[]): Block[] {
    if (this.state.rulesVersion < 4) return this.blocks.filter((block) => books.some((book) => isOf(block, book)));
    const offered = books.filter(({ asks }) => !asks.isEmpty);
    const cheapest = offered.reduce((least, { asks }) => Math.min(least, asks.best()), Infinity);
    const floor = this.floorOf(offered);
    const found: Block[] = [];
    for (const block of this.blocks) {
      // They stand by price: what the longest block could not pay, or one of cheapest hours alone, none behind it can.
      if (block.price * PARAMETERS.blockHoursMaximum < cheapest || block.price < floor) break;
      const others = block.toHour - block.fromHour - 1;
      const most = block.price * (others + 1) - others * floor;
      if (most < cheapest) continue;
      for (const book of offered) {
        if (!isOf(block, book) || book.asks.best() > most) continue;
        found.push(block);
        break;
      }
    }
    return found;
  }

  /** What an hour of the same markets costs at least. To look for it takes longer than to try a few blocks. */
  private floorOf(books: readonly HourBook[]): Ticks {
    const { state } = this;
    if (state.rulesVersion < 6 || this.blocks.length < FEW_BLOCKS) return 1;
    let floor = Infinity;
    for (const market of new Set(books.map((book) => book.market))) {
      for (const row of state.markets.get(market)?.books.values() ?? []) {
        const { asks } = state.bookOf(row);
        if (!asks.isEmpty) floor = Math.min(floor, asks.best());
      }
    }
    return floor;
  }
}

const isOf = ({ market, fromHour, toHour }: Block, book: HourBook): boolean => market === book.market && book.hour >= fromHour && book.hour < toHour;
