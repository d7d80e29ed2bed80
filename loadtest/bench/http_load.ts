/** HTTP load over kept connections, one request at a time on each, with as little work per answer as can be. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface LoadTarget {
  port: number;
  path: string;
  headers: Record<string, string>;
  body: string;
  /** That answers must have; 200 unless told. */
  status?: number;
}
export interface LoadResult {
  perSecond: number;
  /** Milliseconds from request to the end of the answer, and to its first byte, sorted. */
  latencies: Float64Array;
  firstBytes: Float64Array;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const CHUNKED_END = Buffer.from('\r\n0\r\n\r\n');

interface Prepared {
  request: Buffer;
  /** How an expected answer begins. */
  begins: string;
}

const prepared = (target: LoadTarget): Prepared => ({ request: requestOf(target), begins: `http/1.1 ${target.status ?? 200}` });

class Connection {
  private readonly socket: Socket;
  /** The next request; undefined: none for now. */
  private readonly next: () => Prepared | undefined;
  private readonly done: (latency: number, firstByte: number) => void;
  private begins = '';
  private sentAt = 0;
  private firstByteAt = 0;
  private head: Buffer | undefined;
  /** Bytes of the body still to come; -1: it is chunked. */
  private left = 0;
  private tail = Buffer.alloc(0);

  constructor(port: number, next: () => Prepared | undefined, done: (latency: number, firstByte: number) => void, fail: (error: Error) => void) {
    this.next = next;
    this.done = done;
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (bytes: Buffer) => {
      try {
        this.take(bytes);
      } catch (error) {
        fail(error as Error);
      }
    });
    this.socket.on('error', fail);
    this.socket.on('connect', () => void this.send());
  }

  close(): void {
    this.socket.destroy();
  }

  /** @returns false when there was nothing to send */
  send(): boolean {
    const next = this.next();
    if (next === undefined) return false;
    this.head = undefined;
    this.begins = next.begins;
    this.sentAt = performance.now();
    this.firstByteAt = 0;
    this.socket.write(next.request);
    return true;
  }

  private take(bytes: Buffer): void {
    if (this.firstByteAt === 0) this.firstByteAt = performance.now();
    if (this.head !== undefined) return this.takeBody(bytes);
    const end = bytes.indexOf(HEAD_END);
    if (end === -1) throw new Error('the head of an answer came in pieces');
    this.head = bytes.subarray(0, end);
    const text = this.head.toString('latin1').toLowerCase();
    if (!text.startsWith(this.begins)) throw new Error(`not ${this.begins}: ${bytes.toString('utf8').slice(0, 600)}`);
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
    this.done(performance.now() - this.sentAt, this.firstByteAt - this.sentAt);
    this.send();
  }
}

function requestOf({ port, path, headers, body }: LoadTarget): Buffer {
  const lines = Object.entries({ host: `127.0.0.1:${port}`, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers });
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n${body}`);
}

/** Runs for so long; several targets take turns. @throws Error when an answer has not the status it must have */
export function runLoad(given: LoadTarget | readonly LoadTarget[], connections: number, millis: number): Promise<LoadResult> {
  const targets = 'port' in given ? [given] : given;
  const requests = targets.map(prepared);
  const latencies: number[] = [];
  const firstBytes: number[] = [];
  const started = performance.now();
  let sent = 0;
  return new Promise((resolve, reject) => {
    let open = connections;
    const all: Connection[] = [];
    const end = (): void => {
      for (const connection of all) connection.close();
    };
    const next = (): Prepared | undefined => {
      if (performance.now() - started < millis) return requests[sent++ % requests.length];
      open -= 1;
      if (open > 0) return undefined;
      end();
      const elapsed = performance.now() - started;
      resolve({ perSecond: (latencies.length * 1_000) / elapsed, latencies: Float64Array.from(latencies).sort(), firstBytes: Float64Array.from(firstBytes).sort() });
      return undefined;
    };
    const done = (latency: number, firstByte: number): void => {
      latencies.push(latency);
      firstBytes.push(firstByte);
    };
    const fail = (error: Error): void => {
      end();
      reject(error);
    };
    for (let index = 0; index < connections; index++) all.push(new Connection(targets[0].port, next, done, fail));
  });
}

const PACE_MILLIS = 2;

/**
 * Offers so many requests a second for so long, evenly. A latency counts from when its request was due,
 * also when no connection was free: a slow server hides nothing.
 */
export function runPaced(targets: readonly LoadTarget[], connections: number, perSecond: number, millis: number): Promise<{ latencies: Float64Array }> {
  const requests = targets.map(prepared);
  const total = Math.floor((perSecond * millis) / 1_000);
  const latencies: number[] = [];
  const started = performance.now();
  const dueAt = (index: number): number => started + (index * 1_000) / perSecond;
  let taken = 0;
  return new Promise((resolve, reject) => {
    const lanes: { connection: Connection; request: number; busy: boolean }[] = [];
    const end = (): void => {
      clearInterval(timer);
      for (const { connection } of lanes) connection.close();
    };
    const fail = (error: Error): void => {
      end();
      reject(error);
    };
    const open = (): void => {
      const lane = { connection: undefined as unknown as Connection, request: 0, busy: true };
      const next = (): Prepared | undefined => {
        lane.busy = taken < total && dueAt(taken) <= performance.now();
        if (!lane.busy) return undefined;
        lane.request = taken++;
        return requests[lane.request % requests.length];
      };
      const done = (): void => {
        latencies.push(performance.now() - dueAt(lane.request));
        if (latencies.length < total) return;
        end();
        resolve({ latencies: Float64Array.from(latencies).sort() });
      };
      lane.connection = new Connection(targets[0].port, next, done, fail);
      lanes.push(lane);
    };
    const timer = setInterval(() => {
      for (const { connection, busy } of lanes) if (!busy && !connection.send()) return;
    }, PACE_MILLIS);
    for (let index = 0; index < connections; index++) open();
  });
}
