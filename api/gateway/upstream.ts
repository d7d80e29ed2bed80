/**
 * HTTP to endpoints: connections are kept, addresses are guarded, nothing of the client's request but
 * its body goes out, no redirect is followed, and every phase has its timeout.
 */
import http from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import https from 'node:https';
import { AddressRefused } from './address_guard.ts';
import type { AddressGuard } from './address_guard.ts';

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

export type UpstreamFault = 'refused' | 'unreachable' | 'timeout' | 'broken' | 'aborted';

/** No usable answer: the address is refused, nobody is there, too slow, broken off or too large, or we gave up ourselves. */
export class UpstreamError extends Error {
  readonly fault: UpstreamFault;

  constructor(fault: UpstreamFault, message: string) {
    super(message);
    this.name = 'UpstreamError';
    this.fault = fault;
  }
}

export interface Target {
  /** Ends without a slash: `https://gpu.example.com/v1`. */
  url: string;
  credential: string | undefined;
}

const USER_AGENT = 'compute-credit-exchange';
const FREE_SOCKETS_MAX = 256;

export class Upstream {
  private readonly guard: AddressGuard;
  private readonly timeouts: Timeouts;
  private readonly plain = new http.Agent({ keepAlive: true, maxFreeSockets: FREE_SOCKETS_MAX, scheduling: 'lifo' });
  private readonly secure = new https.Agent({ keepAlive: true, maxFreeSockets: FREE_SOCKETS_MAX, scheduling: 'lifo' });

  constructor(guard: AddressGuard, timeouts: Timeouts = TIMEOUTS) {
    this.guard = guard;
    this.timeouts = timeouts;
  }

  /** Resolves with the head of the answer, whatever its status. @throws UpstreamError */
  post(target: Target, path: string, body: string, signal?: AbortSignal): Promise<Answer> {
    return this.exchange(target, path, 'POST', body, signal);
  }
  get(target: Target, path: string, signal?: AbortSignal): Promise<Answer> {
    return this.exchange(target, path, 'GET', '', signal);
  }

  close(): void {
    this.plain.destroy();
    this.secure.destroy();
  }

  private async exchange(target: Target, path: string, method: string, body: string, signal: AbortSignal | undefined): Promise<Answer> {
    const url = new URL(target.url + path);
    try {
      this.guard.check(url);
    } catch (error) {
      throw asUpstreamError(error);
    }
    const options = this.optionsOf(url, target.credential, method, body);
    try {
      return await new Exchange(url, options, body, this.timeouts, signal).answered;
    } catch (error) {
      // An idle connection that the other side had closed before it saw the request.
      if (!(error instanceof StaleConnection)) throw error;
      return new Exchange(url, options, body, this.timeouts, signal).answered;
    }
  }

  private optionsOf(url: URL, credential: string | undefined, method: string, body: string): RequestOptions {
    const headers: Record<string, string> = { accept: 'application/json, text/event-stream', 'accept-encoding': 'identity', 'user-agent': USER_AGENT };
    if (method === 'POST') {
      headers['content-type'] = 'application/json';
      headers['content-length'] = String(Buffer.byteLength(body));
    }
    if (credential !== undefined) headers.authorization = `Bearer ${credential}`;
    return { method, headers, agent: url.protocol === 'https:' ? this.secure : this.plain, lookup: this.guard.lookupFor(url) };
  }
}

class StaleConnection extends UpstreamError {}

/** One request on its way. */
class Exchange {
  readonly answered: Promise<Answer>;
  private readonly request: ClientRequest;
  private readonly timeouts: Timeouts;
  private readonly total: NodeJS.Timeout;
  private phase: NodeJS.Timeout;
  private message: IncomingMessage | undefined;
  private failure: UpstreamError | undefined;

  constructor(url: URL, options: RequestOptions, body: string, timeouts: Timeouts, signal: AbortSignal | undefined) {
    this.timeouts = timeouts;
    this.request = (url.protocol === 'https:' ? https : http).request(url, options);
    this.total = setTimeout(() => this.fail(new UpstreamError('timeout', 'the answer took too long')), timeouts.total);
    this.phase = setTimeout(() => this.fail(new UpstreamError('timeout', 'no connection in time')), timeouts.connect);
    const abort = (): void => this.fail(new UpstreamError('aborted', 'given up'));
    signal?.addEventListener('abort', abort, { once: true });
    this.request.once('close', () => {
      clearTimeout(this.phase);
      clearTimeout(this.total);
      signal?.removeEventListener('abort', abort);
    });
    this.answered = this.awaitHead();
    this.request.end(body);
    if (signal?.aborted === true) abort();
  }

  fail(error: UpstreamError): void {
    this.failure ??= error;
    if (this.message === undefined) this.request.destroy(this.failure);
    else this.message.destroy(this.failure);
  }

  private awaitHead(): Promise<Answer> {
    const { request } = this;
    return new Promise((resolve, reject) => {
      request.once('socket', (socket) => {
        if (socket.connecting) socket.once(socket instanceof Object && 'encrypted' in socket ? 'secureConnect' : 'connect', () => this.connected());
        else this.connected();
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE') && this.failure === undefined;
        reject(stale ? new StaleConnection('unreachable', error.message) : (this.failure ?? asUpstreamError(error)));
      });
      request.once('response', (message) => {
        this.message = message;
        this.restartPhase(this.timeouts.idle, 'the answer stopped');
        resolve(new Answer(message, this.phase, () => this.fail(new UpstreamError('aborted', 'given up'))));
      });
    });
  }

  private connected(): void {
    this.restartPhase(this.timeouts.firstByte, 'no answer in time');
  }

  private restartPhase(millis: number, message: string): void {
    clearTimeout(this.phase);
    if (this.failure === undefined) this.phase = setTimeout(() => this.fail(new UpstreamError('timeout', message)), millis);
  }
}

/** The answer of an endpoint, its body still to come. */
export class Answer {
  readonly status: number;
  /** Without parameters, lower case. */
  readonly contentType: string;
  /** Ends the exchange and closes its connection. */
  readonly abort: () => void;
  private readonly message: IncomingMessage;
  private readonly idle: NodeJS.Timeout;

  constructor(message: IncomingMessage, idle: NodeJS.Timeout, abort: () => void) {
    this.message = message;
    this.idle = idle;
    this.abort = abort;
    this.status = message.statusCode ?? 0;
    this.contentType = (message.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
  }

  /** @throws UpstreamError when it breaks off, stops for too long or takes too long */
  async *pieces(): AsyncGenerator<Buffer> {
    try {
      for await (const piece of this.message as AsyncIterable<Buffer>) {
        this.idle.refresh();
        yield piece;
      }
    } catch (error) {
      throw asUpstreamError(error);
    }
    if (!this.message.complete) throw new UpstreamError('broken', 'the answer broke off');
  }

  /** The whole body. @throws UpstreamError; also when it is longer than `limit` bytes */
  async text(limit: number): Promise<string> {
    const pieces: Buffer[] = [];
    let length = 0;
    for await (const piece of this.pieces()) {
      length += piece.length;
      if (length > limit) {
        this.abort();
        throw new UpstreamError('broken', 'the answer is too large');
      }
      pieces.push(piece);
    }
    return (pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)).toString('utf8');
  }
}

function asUpstreamError(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  if (error instanceof AddressRefused) return new UpstreamError('refused', error.message);
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const away = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EADDRNOTAVAIL'].includes(code);
  return new UpstreamError(away ? 'unreachable' : 'broken', message);
}
