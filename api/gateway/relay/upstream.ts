/**
 * HTTP to endpoints: connections are kept, addresses are guarded, nothing of the client's request but
 * its body goes out, no redirect is followed, and every phase has its timeout.
 */
import { Pool, buildConnector } from 'undici';
import type { Dispatcher } from 'undici';
import { AddressRefused } from '../endpoints/address_guard.ts';
import type { AddressGuard } from '../endpoints/address_guard.ts';
import type { Signal } from './departure.ts';
import { Answer, UpstreamError } from './endpoint_answer.ts';

/** Milliseconds. */
export interface Timeouts {
  connect: number;
  /** From the request to the first bytes of the answer. */
  firstByte: number;
  /** Between two pieces of the answer. */
  idle: number;
  /** Of everything; below the ten minutes after which a hold ends by itself. */
  total: number;
}
export const TIMEOUTS: Timeouts = { connect: 5_000, firstByte: 60_000, idle: 30_000, total: 540_000 };

export interface Target {
  /** Ends without a slash: `https://gpu.example.com/v1`. */
  url: string;
  credential: string | undefined;
}

const USER_AGENT = 'compute-credit-exchange';
interface Origin {
  pool: Pool;
  origin: string;
  /** Path before that of the protocol. */
  base: string;
}

export class Upstream {
  private readonly guard: AddressGuard;
  private readonly timeouts: Timeouts;
  private readonly pools = new Map<string, Pool>();
  /** By the text of a target's URL. */
  private readonly origins = new Map<string, Origin>();

  constructor(guard: AddressGuard, timeouts: Timeouts = TIMEOUTS) {
    this.guard = guard;
    this.timeouts = timeouts;
  }

  /** Resolves with the head of the answer, whatever its status. @throws UpstreamError */
  post(target: Target, path: string, body: string, signal?: Signal, totalMillis = this.timeouts.total): Promise<Answer> {
    return this.exchange(target, path, 'POST', body, signal, totalMillis);
  }
  get(target: Target, path: string, signal?: Signal): Promise<Answer> {
    return this.exchange(target, path, 'GET', undefined, signal, this.timeouts.total);
  }

  close(): void {
    for (const pool of this.pools.values()) pool.destroy().catch(() => undefined);
    this.pools.clear();
    this.origins.clear();
  }

  private async exchange(target: Target, path: string, method: 'GET' | 'POST', body: string | undefined, signal: Signal | undefined, totalMillis: number): Promise<Answer> {
    const { pool, origin, base } = this.originOf(target.url);
    const headers = ['accept', 'application/json, text/event-stream', 'accept-encoding', 'identity', 'user-agent', USER_AGENT];
    if (body !== undefined) headers.push('content-type', 'application/json');
    if (target.credential !== undefined) headers.push('authorization', `Bearer ${target.credential}`);
    const { firstByte, idle } = this.timeouts;
    const options = { origin, path: base + path, method, headers, body, headersTimeout: firstByte, bodyTimeout: idle };
    const total = Math.min(totalMillis, this.timeouts.total);
    try {
      return await new Exchange(pool, options, total, signal).answered;
    } catch (error) {
      // An idle connection that the other side had closed before it saw the request.
      if (!(error instanceof StaleConnection)) throw error;
      return new Exchange(pool, options, total, signal).answered;
    }
  }

  /** @throws UpstreamError refused */
  private originOf(text: string): Origin {
    const known = this.origins.get(text);
    if (known !== undefined) return known;
    const url = new URL(text);
    try {
      this.guard.check(url);
    } catch (error) {
      throw asUpstreamError(error);
    }
    let pool = this.pools.get(url.origin);
    if (pool === undefined) {
      const connect = buildConnector({ timeout: this.timeouts.connect, lookup: this.guard.lookupFor(url) } as buildConnector.BuildOptions);
      this.pools.set(url.origin, (pool = new Pool(url.origin, { connect, pipelining: 1 })));
    }
    const opened = { pool, origin: url.origin, base: url.pathname.replace(/\/+$/, '') };
    this.origins.set(text, opened);
    return opened;
  }
}

class StaleConnection extends UpstreamError {}

/** One request on its way, and what comes back. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly answered: Promise<Answer>;
  private resolve!: (answer: Answer) => void;
  private reject!: (error: UpstreamError) => void;
  private readonly signal: Signal | undefined;
  private readonly total: NodeJS.Timeout;
  private answer: Answer | undefined;
  private cut: ((error?: Error) => void) | undefined;
  private failure: UpstreamError | undefined;
  private readonly aborted = (): void => this.fail(new UpstreamError('aborted', 'given up'));

  constructor(pool: Pool, options: Dispatcher.DispatchOptions, totalMillis: number, signal: Signal | undefined) {
    this.signal = signal;
    this.answered = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.total = setTimeout(() => this.fail(new UpstreamError('timeout', 'the answer took too long')), totalMillis);
    if (signal?.aborted === true) {
      this.aborted();
    } else {
      signal?.addEventListener('abort', this.aborted, { once: true });
      pool.dispatch(options, this);
    }
  }

  /** Ends the exchange and closes its connection. */
  fail(error: UpstreamError): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.ended();
    this.reject(error);
    this.answer?.failed(error);
    this.cut?.(error);
  }

  onConnect(abort: (error?: Error) => void): void {
    if (this.failure !== undefined) return abort(this.failure);
    this.cut = abort;
  }

  onHeaders(status: number, headers: Buffer[], resume: () => void): boolean {
    // An informational answer comes before the answer.
    if (status < 200) return true;
    const contentType = headerIn(headers, 'content-type').split(';')[0].trim().toLowerCase();
    this.answer = new Answer(status, contentType, resume, this.aborted, BUSY.has(status) ? secondsIn(headerIn(headers, 'retry-after')) : undefined);
    this.resolve(this.answer);
    return true;
  }

  onData(piece: Buffer): boolean {
    return this.answer?.take(piece) ?? true;
  }

  onComplete(): void {
    this.ended();
    this.answer?.completed();
  }

  onError(error: Error): void {
    const first = this.answer === undefined && this.failure === undefined;
    this.fail(first && isStale(error) ? new StaleConnection('unreachable', error.message) : asUpstreamError(error));
  }

  private ended(): void {
    clearTimeout(this.total);
    this.signal?.removeEventListener('abort', this.aborted);
  }
}

/** '' when there is none. */
function headerIn(headers: readonly Buffer[], name: string): string {
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at].length === name.length && headers[at].toString('latin1').toLowerCase() === name) return headers[at + 1].toString('latin1');
  }
  return '';
}

/** Answers that say when to come again. */
const BUSY = new Set([429, 503]);

/** How long a Retry-After is from now: seconds, or a date (RFC 9110, 10.2.3). */
export function secondsIn(retryAfter: string, now = Date.now()): number | undefined {
  const text = retryAfter.trim();
  const seconds = /^[0-9]{1,9}(\.[0-9]+)?$/.test(text) ? Number(text) : /[a-z]/i.test(text) ? (Date.parse(text) - now) / 1_000 : NaN;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** What undici says of a connection that was closed; of what it cannot read it says otherwise. */
const CLOSED = 'other side closed';

/** Whether the connection had served before and was closed as the request left. */
function isStale(error: Error): boolean {
  const code = codeOf(error);
  if (code !== 'ECONNRESET' && code !== 'EPIPE' && !(code === 'UND_ERR_SOCKET' && error.message === CLOSED)) return false;
  const socket = 'socket' in error ? (error.socket as { bytesRead?: number } | null) : null;
  return socket?.bytesRead !== 0;
}

const AWAY = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EADDRNOTAVAIL']);
const LATE = new Map([
  ['UND_ERR_CONNECT_TIMEOUT', 'no connection in time'],
  ['UND_ERR_HEADERS_TIMEOUT', 'no answer in time'],
  ['UND_ERR_BODY_TIMEOUT', 'the answer stopped'],
]);

function asUpstreamError(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  if (error instanceof AddressRefused) return new UpstreamError('refused', error.message);
  const code = codeOf(error);
  const late = LATE.get(code);
  if (late !== undefined) return new UpstreamError('timeout', late);
  const message = error instanceof Error ? error.message : String(error);
  return new UpstreamError(AWAY.has(code) ? 'unreachable' : 'broken', message);
}
