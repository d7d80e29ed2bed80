import { Cell } from './cell.ts';

/**
 * The market's time as this page knows it: the newest time any answer or message carried, moved on by
 * the local clock. The market's clock may stand still or jump; the next message puts it right.
 */
export class MarketClock {
  /** Changes once a second while somebody watches it. Milliseconds. */
  readonly now: Cell<number>;
  private offset = 0;
  private readonly local: () => number;

  constructor(local: () => number) {
    this.local = local;
    this.now = new Cell(local());
  }

  /** Takes a time the server sent. */
  observe(time: string): void {
    const millis = Date.parse(time);
    if (!Number.isNaN(millis)) this.offset = millis - this.local();
  }

  read(): number {
    return this.local() + this.offset;
  }

  tick(): void {
    this.now.value = Math.floor(this.read() / 1000) * 1000;
  }
}
