/**
 * What waits for a reply, each under a number that is never given twice. No Map: a Map that things come to and go
 * from moves now and then into a new table, and V8 lets the old one point to the new one. Once one of them is among the
 * old objects, all that comes later is kept alive through it, copied and kept again, until the next collection of everything.
 * Here a number's place is its remainder, and the table grows only with what waits at once.
 */
const PLACES = 1024;

export class PendingCalls<T> {
  private calls: (T | undefined)[] = new Array<undefined>(PLACES).fill(undefined);
  private ids = new Float64Array(PLACES);
  private nextId: number;
  private count = 0;

  /** @param first the lowest number that is given */
  constructor(first = 1) {
    this.nextId = first;
  }

  get size(): number {
    return this.count;
  }

  /** @returns the number, greater than all before */
  add(call: T): number {
    if (this.count * 2 >= this.calls.length) this.grow();
    const mask = this.calls.length - 1;
    // What waits for long keeps its place, and the others pass over it.
    while (this.calls[this.nextId & mask] !== undefined) this.nextId++;
    const id = this.nextId++;
    const place = id & mask;
    this.calls[place] = call;
    this.ids[place] = id;
    this.count++;
    return id;
  }

  /** Ends the wait of one; undefined when it is not waiting. */
  take(id: number): T | undefined {
    const place = id & (this.calls.length - 1);
    const call = this.calls[place];
    if (call === undefined || this.ids[place] !== id) return undefined;
    this.calls[place] = undefined;
    this.count--;
    return call;
  }

  /** Ends the wait of those. */
  drop(which: (call: T) => boolean): void {
    for (const [place, call] of this.calls.entries()) if (call !== undefined && which(call)) this.take(this.ids[place]);
  }

  /** Ends the wait of all. @returns them in the order in which they came */
  takeAll(): T[] {
    const { ids } = this;
    const waiting = this.calls.flatMap((call, place) => (call === undefined ? [] : [{ call, id: ids[place] }]));
    this.calls.fill(undefined);
    this.count = 0;
    return waiting.sort((a, b) => a.id - b.id).map(({ call }) => call);
  }

  private grow(): void {
    const { calls, ids } = this;
    const mask = calls.length * 2 - 1;
    this.calls = new Array<undefined>(mask + 1).fill(undefined);
    this.ids = new Float64Array(mask + 1);
    // Numbers whose remainders differ have other places in a table twice as large, too.
    calls.forEach((call, place) => {
      if (call === undefined) return;
      this.calls[ids[place] & mask] = call;
      this.ids[ids[place] & mask] = ids[place];
    });
  }
}
