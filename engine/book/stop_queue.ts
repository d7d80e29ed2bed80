/**
 * The stops of a book that wait for their trigger. Each side is kept in the order in which a moving
 * price meets it (bids from the lowest stop price, asks from the highest), so that what a trade
 * triggers stands in front and a trade that triggers nothing costs one comparison.
 */
interface Waiting {
  readonly row: number;
  /** Grows in the order in which prices meet it. */
  readonly key: number;
  readonly arrival: number;
}

class StopSide {
  readonly waiting: Waiting[] = [];

  /** First place whose key is above `key`. */
  private after(key: number): number {
    const { waiting } = this;
    let low = 0;
    let high = waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (waiting[middle].key <= key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  add(stop: Waiting): void {
    this.waiting.splice(this.after(stop.key), 0, stop);
  }

  remove(row: number, key: number): void {
    for (let at = this.after(key) - 1; at >= 0; at--) {
      if (this.waiting[at].row !== row) continue;
      this.waiting.splice(at, 1);
      return;
    }
  }

  /** Takes out the stops that are met up to `key`, the first met first, of one price the oldest. */
  takeUpTo(key: number): Waiting[] {
    if (this.waiting.length === 0 || this.waiting[0].key > key) return [];
    return this.waiting.splice(0, this.after(key));
  }
}

export class StopQueue {
  private readonly bids = new StopSide();
  private readonly asks = new StopSide();
  private arrivals = 0;

  get length(): number {
    return this.bids.waiting.length + this.asks.waiting.length;
  }

  add(row: number, sell: boolean, stopPrice: number): void {
    if (sell) this.asks.add({ row, key: -stopPrice, arrival: this.arrivals++ });
    else this.bids.add({ row, key: stopPrice, arrival: this.arrivals++ });
  }

  remove(row: number, sell: boolean, stopPrice: number): void {
    if (sell) this.asks.remove(row, -stopPrice);
    else this.bids.remove(row, stopPrice);
  }

  /** Takes out all that trades between `low` and `high` trigger: bids, then asks. */
  takeTriggered(low: number, high: number): number[] {
    return [...this.bids.takeUpTo(high), ...this.asks.takeUpTo(-low)].map(({ row }) => row);
  }

  /** Rows in order of arrival. */
  rows(): number[] {
    return [...this.bids.waiting, ...this.asks.waiting].sort((a, b) => a.arrival - b.arrival).map(({ row }) => row);
  }
}
