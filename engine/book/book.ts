/** One hour book: two sides of price levels, each a queue of orders in time priority. */
import { BookSide } from './levels.ts';
import type { Levels } from './levels.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { StopQueue } from './stop_queue.ts';

/** Books that no stop waits in share this one, so that asking costs nothing; nothing is ever put into it. */
const NO_STOPS = new StopQueue();

/** What every order asks of its book stands in the book's row; what makes a book other than plain, here. */
export class Book {
  row: number;
  readonly levels: Levels;
  private inCall = false;
  private waiting = NO_STOPS;

  /** @param levels of this book and others @param row its number among them; NIL: of none as yet */
  constructor(levels: Levels, row: number) {
    this.row = row;
    this.levels = levels;
    if (row !== NIL) levels.rows.open(row);
  }

  /** Orders collect without trading until the uncross. */
  get auction(): boolean {
    return this.inCall;
  }
  set auction(value: boolean) {
    this.inCall = value;
    this.notePlain();
  }

  protected isPlain(): boolean {
    return !this.inCall && this.waiting === NO_STOPS;
  }
  protected notePlain(): void {
    this.levels.rows.setPlain(this.row, this.isPlain());
  }

  get bids(): BookSide {
    return new BookSide(this.levels, this.row, false);
  }
  get asks(): BookSide {
    return new BookSide(this.levels, this.row, true);
  }
  side(sell: boolean): BookSide {
    return new BookSide(this.levels, this.row, sell);
  }

  /** Price of the last trade; 0: none yet. */
  get lastPrice(): number {
    return this.levels.rows.lastPrice(this.row);
  }
  set lastPrice(value: number) {
    this.levels.rows.setLastPrice(this.row, value);
  }
  /** Range of the trades since stops were last looked at; empty when low > high. */
  get tradedLow(): number {
    return this.levels.rows.tradedLow(this.row);
  }
  get tradedHigh(): number {
    return this.levels.rows.tradedHigh(this.row);
  }
  setTraded(low: number, high: number): void {
    this.levels.rows.setTraded(this.row, low, high);
  }

  /** Stops that wait for their trigger. */
  get stops(): Pick<StopQueue, 'length' | 'remove' | 'takeTriggered' | 'rows' | 'meets'> {
    return this.waiting;
  }
  addStop(row: number, sell: boolean, stopPrice: number): void {
    if (this.waiting === NO_STOPS) {
      this.waiting = new StopQueue();
      this.notePlain();
    }
    this.waiting.add(row, sell, stopPrice);
  }

  /** Gives back what its levels take of the pool; it must be empty. */
  close(): void {
    this.levels.close(this.row, 0);
    this.levels.close(this.row, 1);
  }

  isEmpty(): boolean {
    return this.levels.isEmpty(this.row, 0) && this.levels.isEmpty(this.row, 1) && this.stops.length === 0;
  }
}
