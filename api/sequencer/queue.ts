/** First in, first out, in constant time. */
export class Queue<T> {
  private items: T[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }
  push(item: T): void {
    this.items.push(item);
  }
  /** @throws Error when empty */
  first(): T {
    if (this.length === 0) throw new Error('the queue is empty');
    return this.items[this.head];
  }
  /** The item that stands `place` behind the first. */
  at(place: number): T {
    return this.items[this.head + place];
  }
  shift(): void {
    this.head++;
    // What was taken is given back when it is the larger half.
    if (this.head < 1024 || this.head * 2 < this.items.length) return;
    this.items = this.items.slice(this.head);
    this.head = 0;
  }
  /** Takes out what does not fit, from first to last. */
  keep(fits: (item: T) => boolean): void {
    this.items = this.items.slice(this.head).filter(fits);
    this.head = 0;
  }
  clear(): void {
    this.items = [];
    this.head = 0;
  }
}
