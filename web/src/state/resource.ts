import { Cell } from './cell.ts';
import { NETWORK, toApiError, type ApiError } from './errors.ts';
import { failure, IDLE, pending, success, type Loadable } from './loadable.ts';

/** What could not be had is asked for again by itself, each time after twice as long. */
const AGAIN_MILLIS = 5_000;
const AGAIN_MILLIS_MAX = 60_000;
const passes = ({ code, status }: ApiError): boolean => code === NETWORK || status === 503;

/** Something fetched: a Loadable that can be refreshed, of which only the latest request counts. */
export class Resource<T> {
  readonly cell = new Cell<Loadable<T>>(IDLE);
  private readonly fetcher: () => Promise<T>;
  private latest = 0;
  private failures = 0;

  constructor(fetcher: () => Promise<T>) {
    this.fetcher = fetcher;
  }

  readonly refresh = (): Promise<void> => this.fetch(pending(this.cell.value));

  /** A refresh that nobody asked for: what failed says so until it has come. */
  readonly poll = (): Promise<void> => this.fetch(this.cell.value.status === 'error' ? this.cell.value : pending(this.cell.value));

  private async fetch(meanwhile: Loadable<T>): Promise<void> {
    const request = ++this.latest;
    this.cell.value = meanwhile;
    try {
      const data = await this.fetcher();
      if (request !== this.latest) return;
      this.failures = 0;
      this.cell.value = success(data);
    } catch (cause) {
      if (request !== this.latest) return;
      const error = toApiError(cause);
      this.cell.value = failure(this.cell.value, error);
      if (passes(error)) setTimeout(() => void (request === this.latest && this.poll()), Math.min(AGAIN_MILLIS * 2 ** this.failures++, AGAIN_MILLIS_MAX));
    }
  }

  /** Fetched once; later calls change nothing. */
  readonly load = (): void => {
    if (this.cell.value.status === 'idle') void this.refresh();
  };

  set(data: T): void {
    this.latest += 1;
    this.cell.value = success(data);
  }

  update(change: (data: T) => T): void {
    const now = this.cell.value;
    if (now.status === 'success') this.cell.value = success(change(now.data));
  }

  clear(): void {
    this.latest += 1;
    this.cell.value = IDLE;
  }
}
