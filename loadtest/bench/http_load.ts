/** HTTP load over kept connections, one request at a time on each, with as little work per answer as can be. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface LoadTarget {
  port: number;
  path: string;
  headers: Record<string, string>;
  body: string;
}
export interface LoadResult {
  perSecond: number;
  /** Milliseconds from request to the end of the answer, and to its first byte, sorted. */
  latencies: Float64Array;
  firstBytes: Float64Array;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const CHUNKED_END = Buffer.from('\r\n0\r\n\r\n');

class Connection {
  private readonly socket: Socket;
  private readonly request: Buffer;
  private readonly done: (latency: number, firstByte: number) => boolean;
  private sentAt = 0;
  private firstByteAt = 0;
  private head: Buffer | undefined;
  /** Bytes of the body still to come; -1: it is chunked. */
  private left = 0;
  private tail = Buffer.alloc(0);

  constructor(target: LoadTarget, done: (latency: number, firstByte: number) => boolean, fail: (error: Error) => void) {
    this.request = requestOf(target);
    this.done = done;
    this.socket = connect({ port: target.port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (bytes: Buffer) => {
      try {
        this.take(bytes);
      } catch (error) {
        fail(error as Error);
      }
    });
    this.socket.on('error', fail);
    this.socket.on('connect', () => this.send());
  }

  close(): void {
    this.socket.destroy();
  }

  private send(): void {
    this.head = undefined;
    this.sentAt = performance.now();
    this.firstByteAt = 0;
    this.socket.write(this.request);
  }

  private take(bytes: Buffer): void {
    if (this.firstByteAt === 0) this.firstByteAt = performance.now();
    if (this.head !== undefined) return this.takeBody(bytes);
    const end = bytes.indexOf(HEAD_END);
    if (end === -1) throw new Error('the head of an answer came in pieces');
    this.head = bytes.subarray(0, end);
    const text = this.head.toString('latin1').toLowerCase();
    if (!text.startsWith('http/1.1 200')) throw new Error(`not 200: ${bytes.toString('utf8').slice(0, 600)}`);
    const length = /content-length: ([0-9]+)/.exec(text);
    this.left = length === null ? -1 : Number(length[1]);
    this.tail = Buffer.alloc(0);
    this.takeBody(bytes.subarray(end + 2));
  }

  /** @param bytes of a chunked body, with the line end before it the first time */
  private takeBody(bytes: Buffer): void {
    if (this.left === -1) {
      this.tail = Buffer.concat([this.tail, bytes]).subarray(-CHUNKED_END.length);
      if (this.tail.equals(CHUNKED_END)) this.finish();
      return;
    }
    // The two bytes before the body are the head's last.
    if (this.tail.length === 0) {
      this.left += 2;
      this.tail = HEAD_END;
    }
    this.left -= bytes.length;
    if (this.left <= 0) this.finish();
  }

  private finish(): void {
    if (this.done(performance.now() - this.sentAt, this.firstByteAt - this.sentAt)) this.send();
  }
}

function requestOf({ port, path, headers, body }: LoadTarget): Buffer {
  const lines = Object.entries({ host: `127.0.0.1:${port}`, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers });
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n${body}`);
}

/** Runs for so long. @throws Error when an answer is not 200 */
export function runLoad(target: LoadTarget, connections: number, millis: number): Promise<LoadResult> {
  const latencies: number[] = [];
  const firstBytes: number[] = [];
  const started = performance.now();
  return new Promise((resolve, reject) => {
    let open = connections;
    const all: Connection[] = [];
    const fail = (error: Error): void => {
      for (const connection of all) connection.close();
      reject(error);
    };
    const done = (latency: number, firstByte: number): boolean => {
      latencies.push(latency);
      firstBytes.push(firstByte);
      const elapsed = performance.now() - started;
      if (elapsed < millis) return true;
      open -= 1;
      if (open > 0) return false;
      for (const connection of all) connection.close();
      resolve({ perSecond: (latencies.length * 1_000) / elapsed, latencies: Float64Array.from(latencies).sort(), firstBytes: Float64Array.from(firstBytes).sort() });
      return false;
    };
    for (let index = 0; index < connections; index++) all.push(new Connection(target, done, fail));
  });
}
