/** What comes back from an endpoint: the head of an answer, then its body piece by piece, or how it failed. */

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

/** Bytes that may wait for a reader before the endpoint is held back. */
const WAITING_BYTES_MAX = 64 * 1024;
const DRAIN_MILLIS_MAX = 1_000;
/** What follows it is done when the present turn is: as `queueMicrotask`, without the bookkeeping that node adds to each. */
const AT_ONCE = Promise.resolve();

/** A stream that is so many pieces ahead of one in each so many milliseconds is too fast to be read piece by piece. A little further ahead it is counted no more: its next pause ends it. */
const FAST = { pieces: 4, most: 8, millis: 1 };
/** Its pieces are read together, so often: no reader could see them one by one. */
const BEAT_MILLIS = 4;

/** Answers that are to be read at the next beat: one timer for all. What it spares each, a write and a waking of its client, costs more than all else that is done for a piece. */
let due: (() => void)[] = [];

function nextBeat(tell: () => void): void {
  if (due.length === 0) setTimeout(beat, BEAT_MILLIS);
  due.push(tell);
}

function beat(): void {
  const told = due;
  due = [];
  for (const tell of told) tell();
}

/** The answer of an endpoint, its body still to come. */
export class Answer {
  readonly status: number;
  /** Without parameters, lower case. */
  readonly contentType: string;
  /** When it wants to be asked again; undefined when it does not say. */
  readonly retrySeconds: number | undefined;
  /** Ends the exchange and closes its connection. */
  readonly abort: () => void;
  private readonly resume: () => void;
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private heldBack = false;
  /** When the last piece came, and how many pieces the stream is ahead of a slow one by then. */
  private cameAt = -Infinity;
  private ahead = 0;
  private complete = false;
  private failure: UpstreamError | undefined;
  private reader: { resolve: (piece: Buffer | undefined) => void; reject: (error: UpstreamError) => void } | undefined;

  constructor(status: number, contentType: string, resume: () => void, abort: () => void, retrySeconds?: number) {
    this.status = status;
    this.contentType = contentType;
    this.retrySeconds = retrySeconds;
    this.resume = resume;
    this.abort = abort;
  }

  /** What has come since; undefined at the end. One reader at a time. @throws UpstreamError when it breaks off, stops for too long or takes too long */
  read(): Promise<Buffer | undefined> {
    if (this.waitingBytes > 0) return Promise.resolve(this.taken());
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (this.complete) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => (this.reader = { resolve, reject }));
  }

  /** What was read to see how the answer begins is read again. */
  putBack(piece: Buffer): void {
    this.waiting.unshift(piece);
    this.waitingBytes += piece.length;
  }

  /** The whole body. @throws UpstreamError; also when it is longer than `limit` bytes */
  async text(limit: number): Promise<string> {
    const pieces: Buffer[] = [];
    let length = 0;
    for (let piece = await this.read(); piece !== undefined; piece = await this.read()) {
      length += piece.length;
      if (length > limit) {
        this.abort();
        throw new UpstreamError('broken', 'the answer is too large');
      }
      pieces.push(piece);
    }
    return (pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)).toString('utf8');
  }

  /** What an endpoint still says is of no interest, but its connection is. */
  drain(): void {
    if (this.complete) return this.forget();
    // Not if it goes on for ever.
    const late = setTimeout(this.abort, DRAIN_MILLIS_MAX);
    const read = (): Promise<void> => this.read().then((piece) => (piece === undefined ? undefined : read()));
    read().catch(() => undefined).finally(() => clearTimeout(late));
  }

  /** @returns false when the endpoint is to wait */
  take(piece: Buffer): boolean {
    this.waiting.push(piece);
    this.waitingBytes += piece.length;
    this.pace();
    if (this.reader !== undefined && this.waitingBytes === piece.length) this.tellSoon();
    this.heldBack = this.waitingBytes > WAITING_BYTES_MAX;
    return !this.heldBack;
  }

  private pace(): void {
    const now = performance.now();
    this.ahead = Math.min(FAST.most, Math.max(0, this.ahead - (now - this.cameAt) / FAST.millis) + 1);
    this.cameAt = now;
  }

  /** A piece of a stream that is not too fast is read at once, with what came in the same packet. */
  private tellSoon(): void {
    if (this.ahead > FAST.pieces) nextBeat(this.tell);
    else void AT_ONCE.then(this.tell);
  }

  completed(): void {
    this.tell();
    this.complete = true;
    this.reader?.resolve(undefined);
    this.reader = undefined;
  }
  failed(error: UpstreamError): void {
    // Who has gone away is not charged for what was still to be sent.
    if (error.fault === 'aborted') this.forget();
    this.tell();
    this.failure = error;
    this.reader?.reject(error);
    this.reader = undefined;
  }

  private readonly tell = (): void => {
    const { reader } = this;
    if (reader === undefined || this.waitingBytes === 0) return;
    this.reader = undefined;
    reader.resolve(this.taken());
  };

  private taken(): Buffer {
    const { waiting } = this;
    this.forget();
    if (this.heldBack) {
      this.heldBack = false;
      this.resume();
    }
    return waiting.length === 1 ? waiting[0] : Buffer.concat(waiting);
  }

  private forget(): void {
    this.waiting = [];
    this.waitingBytes = 0;
  }
}
