/** Time that passes only when everything due has happened: the same seed always gives the same run. */
interface Due {
  at: number;
  order: number;
  run: () => void;
}

export class Scheduler {
  /** Milliseconds. */
  now = 0;
  private readonly due: Due[] = [];
  private arrivals = 0;

  after(millis: number, run: () => void): void {
    this.due.push({ at: this.now + millis, order: this.arrivals++, run });
  }

  sleep(millis: number): Promise<void> {
    return new Promise((resolve) => this.after(millis, resolve));
  }

  /** Lets things happen, one after the other, until there is nothing left or `done` says so. */
  async run(done: () => boolean): Promise<void> {
    await settled();
    while (this.due.length > 0 && !done()) {
      const next = this.due.reduce((first, other) => (other.at < first.at || (other.at === first.at && other.order < first.order) ? other : first));
      this.due.splice(this.due.indexOf(next), 1);
      this.now = Math.max(this.now, next.at);
      next.run();
      await settled();
    }
  }
}

/** Every promise that can go on has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
