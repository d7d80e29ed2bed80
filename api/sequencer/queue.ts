/** First in, first out, in constant time. A ring: what was taken is no longer referred to, and nothing is copied but to grow. */
const PLACES = 1024;

export class Queue<T> {
  private items: (T | undefined)[] = new Array<undefined>(PLACES).fill(undefined);
  private head = 0;
  private count = 0;

  get length(): number {
    return this.count;
  }
  push(item: T): void {
    if (this.count === this.items.length) this.grow();
    this.items[(this.head + this.count++) & (this.items.length - 1)] = item;
  }
  /** @throws Error when empty */
  first(): T {
    if (this.count === 0) throw new Error('the queue is empty');
    return this.at(0);
  }
  /** The item that stands `place` behind the first; there must be one. */
  at(place: number): T {
    return this.items[(this.head + place) & (this.items.length - 1)] as T;
  }
  shift(): void {
    if (this.count === 0) return;
    this.items[this.head] = undefined;
    this.head = (this.head + 1) & (this.items.length - 1);
    this.count--;
  }
  /** Takes out what does not fit, from first to last. */
  keep(fits: (item: T) => boolean): void {
    const items = this.all();
    this.clear();
    for (const item of items) if (fits(item)) this.push(item);
  }
  clear(): void {
    this.items.fill(undefined);
    this.head = 0;
    this.count = 0;
  }

  private all(): T[] {
    return Array.from({ length: this.count }, (_, place) => this.at(place));
  }

  private grow(): void {
    const items = this.all();
    this.items = [...items, ...new Array<undefined>(items.length).fill(undefined)];
    this.head = 0;
  }
}
