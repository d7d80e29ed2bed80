/** Whether the client of a request has gone away, or may ask no more. As an AbortSignal, of which one for each request would cost more. */
import type { GatewayError } from '../../errors.ts';

export interface Signal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export class Departure implements Signal {
  aborted = false;
  /** What a client that is still there hears. */
  reason: GatewayError | undefined;
  private readonly listeners = new Set<() => void>();

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }
  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }

  end(reason: GatewayError): void {
    if (this.aborted) return;
    this.reason = reason;
    this.abort();
  }

  /** Each listener hears of it once. */
  readonly abort = (): void => {
    if (this.aborted) return;
    this.aborted = true;
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener();
  };
}
