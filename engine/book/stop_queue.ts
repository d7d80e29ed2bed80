/**
 * The stops of a book that wait for their trigger. Each side keeps its stop prices in the order in which a
 * moving price meets them (bids from the lowest, asks from the highest), so that what a trade triggers stands
 * in front and a trade that triggers nothing costs one comparison; a stop leaves without a look at others.
 */
class StopSide {
  /** Grow in the order in which prices meet them. */
  private readonly keys: number[] = [];
  /** The stops of each, the oldest first. */
  private readonly rows = new Map<number, Set<number>>();

  /** The key that is met first; Infinity when nothing waits. */
  get first(): number {
    return this.keys.length === 0 ? Infinity : this.keys[0];
  }

  /** First place whose key is above `key`. */
  private after(key: number): number {
    const { keys } = this;
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keys[middle] <= key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  add(row: number, key: number): void {
    const known = this.rows.get(key);
    if (known !== undefined) {
      known.add(row);
      return;
    }
    this.rows.set(key, new Set([row]));
    this.keys.splice(this.after(key), 0, key);
  }

  remove(row: number, key: number): void {
    const known = this.rows.get(key);
    if (known?.delete(row) !== true || known.size > 0) return;
    this.rows.delete(key);
    this.keys.splice(this.after(key) - 1, 1);
  }

  /** Takes out the stops that are met up to `key`, the first met first, of one price the oldest. */
  takeUpTo(key: number): number[] {
    if (this.keys.length === 0 || this.keys[0] > key) return [];
    return this.keys.splice(0, this.after(key)).flatMap((met) => {
      const rows = [...(this.rows.get(met) ?? [])];
      this.rows.delete(met);
      return rows;
    });
  }
}

export class StopQueue {
  private readonly bids = new StopSide();
  private readonly asks = new StopSide();
  /** In order of arrival. */
  private readonly waiting = new Set<number>();
  /** How many wait: asked for at every trade. */
  length = 0;

  add(row: number, sell: boolean, stopPrice: number): void {
    if (sell) this.asks.add(row, -stopPrice);
    else this.bids.add(row, stopPrice);
    this.waiting.add(row);
    this.length++;
  }

  remove(row: number, sell: boolean, stopPrice: number): void {
    if (sell) this.asks.remove(row, -stopPrice);
    else this.bids.remove(row, stopPrice);
    this.forget(row);
  }

  private forget(row: number): void {
    if (this.waiting.delete(row)) this.length--;
  }

  /** Whether trades between `low` and `high` would trigger any. */
  meets(low: number, high: number): boolean {
    return this.bids.first <= high || this.asks.first <= -low;
  }

  /** Takes out all that trades between `low` and `high` trigger: bids, then asks. */
  takeTriggered(low: number, high: number): number[] {
    const taken = [...this.bids.takeUpTo(high), ...this.asks.takeUpTo(-low)];
    for (const row of taken) this.forget(row);
    return taken;
  }

  /** Rows in order of arrival. */
  rows(): number[] {
    return [...this.waiting];
  }
}
