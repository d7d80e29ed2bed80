/**
 * Replays a journal on two processors: a thread of its own reads the rows and compares what has been caused, while here the next commands are
 * executed. What a row's commands had caused, five parts in six of it, is not read: its hash is that of the row before, of the commands and of what
 * they caused, so what is caused again and gives the same hash is the same, and so is the row. Only where it does not, the whole row is read and tells why.
 */
import { parentPort, Worker } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import pg from 'pg';
import type { Engine } from '../../engine/engine.ts';
import type { EventBatch } from '../../engine/events.ts';
import { areEvents, encodedInPlace } from '../../engine/codec/event_codec.ts';
import { copyCauses } from '../../db/copy_out.ts';
import { readRowOf } from '../../db/journal_reader.ts';
import { JournalCorrupt, hashRow, verifyRange, verifyRow } from '../../db/journal_record.ts';
import type { JournalCause } from '../../db/journal_record.ts';
import { execute, requireSame, ReplayMismatch } from './recovery.ts';
import type { Replay, Replayed } from './recovery.ts';

/** What the worker is started with to do this instead of leading. */
export interface CompareTask {
  kind: 'compare';
  url: string;
}

/** What it is told first: where to begin. */
interface Begin {
  /** Of the first row. */
  sequence: number;
  /** Hash of the row before it. */
  previous: Uint8Array;
}

/** Rows travel together until their commands are so many bytes: a message costs as much as dozens of commands. */
const GROUP_BYTES = 64 << 10;
/** Groups that are sent and not compared yet. */
const AHEAD = 4;

type FromThread =
  | { kind: 'rows'; rows: JournalCause[]; isLast: boolean }
  | { kind: 'compared'; room: ArrayBuffer }
  | { kind: 'failed'; name: string; message: string; sequence: number };

/** Of each row of a group: how many words and which texts; the words of all, one row's behind the other's. */
interface Caused {
  words: Float64Array<ArrayBuffer>;
  lengths: number[];
  texts: readonly (readonly string[])[];
}

export const isCompareTask = (data: unknown): data is CompareTask => (data as CompareTask | undefined)?.kind === 'compare';

/**
 * The thread is started at once, and is there when a snapshot has been read; nothing waits for one that is never told to begin.
 * @param file the bundle that reads and compares when it is started with a CompareTask
 */
export function replayInThreads(file: URL | string, url: string): Replay {
  const thread = new Worker(file, { workerData: { kind: 'compare', url } satisfies CompareTask });
  thread.unref();
  const ended = new Promise<never>((_, reject) => {
    thread.once('error', reject);
    thread.once('exit', (code) => reject(new Error(`the thread that reads the journal ended with ${code}`)));
  });
  ended.catch(() => undefined);
  return (engine, previous) => {
    thread.ref();
    const execution = new Execution(engine, previous, thread);
    thread.postMessage({ sequence: engine.sequence + 1, previous } satisfies Begin);
    return Promise.race([execution.done, ended]).finally(() => thread.terminate());
  };
}

class Execution {
  readonly done: Promise<Replayed>;
  private readonly engine: Engine;
  private readonly thread: Worker;
  private readonly rooms: ArrayBuffer[] = [];
  private replayedRows = 0;
  private journalHash: Uint8Array;
  /** Groups that are being compared. */
  private compared = 0;
  private isOver = false;
  /** Why a row could not be executed. What was caused before it is compared nevertheless: an earlier difference is the reason. */
  private broken: Error | undefined;
  private settle: { resolve: (replayed: Replayed) => void; reject: (error: Error) => void } = { resolve: () => undefined, reject: () => undefined };

  constructor(engine: Engine, previous: Uint8Array, thread: Worker) {
    this.engine = engine;
    this.journalHash = previous;
    this.thread = thread;
    this.done = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    thread.on('message', (message: FromThread) => this.receive(message));
  }

  private receive(message: FromThread): void {
    if (message.kind === 'failed') return this.settle.reject(errorOf(message));
    if (message.kind === 'compared') {
      this.compared--;
      this.rooms.push(message.room);
    } else if (this.broken === undefined) {
      this.execute(message.rows);
      this.isOver = message.isLast;
    }
    if (this.compared > 0) return;
    if (this.broken !== undefined) this.settle.reject(this.broken);
    else if (this.isOver) this.settle.resolve({ replayedRows: this.replayedRows, journalHash: this.journalHash });
  }

  private execute(rows: readonly JournalCause[]): void {
    const { buffer } = this.engine;
    const lengths: number[] = [];
    const texts: (readonly string[])[] = [];
    let words = new Float64Array(this.rooms.pop() ?? new ArrayBuffer(GROUP_BYTES));
    let length = 0;
    try {
      for (const row of rows) {
        execute(this.engine, row);
        words = withRoom(words, length, buffer.length);
        words.set(buffer.words.subarray(0, buffer.length), length);
        length += buffer.length;
        lengths.push(buffer.length);
        texts.push(buffer.texts);
        buffer.clear();
        this.journalHash = row.hash;
        this.replayedRows++;
      }
    } catch (error) {
      this.broken = error instanceof Error ? error : new Error(String(error));
    }
    this.compared++;
    this.thread.postMessage({ words, lengths, texts } satisfies Caused, [words.buffer]);
  }
}

/** Room for so many words behind those that there are. */
function withRoom(words: Float64Array<ArrayBuffer>, length: number, more: number): Float64Array<ArrayBuffer> {
  if (length + more <= words.length) return words;
  const grown = new Float64Array(Math.max(2 * words.length, length + more));
  grown.set(words.subarray(0, length));
  return grown;
}

/** In the thread. Ends when all is read; what is not as it should be has been told, or will be. */
export async function compareTask({ url }: CompareTask): Promise<void> {
  const port = parentPort as MessagePort;
  const { sequence, previous } = await new Promise<Begin>((resolve) => port.once('message', resolve));
  const post = (message: FromThread, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  const fail = (error: unknown): void => {
    post({ kind: 'failed', name: error instanceof Error ? error.name : '', message: error instanceof Error ? error.message : String(error), sequence: error instanceof JournalCorrupt || error instanceof ReplayMismatch ? error.sequence : 0 });
  };
  const comparison = new Comparison(url, { lastSequence: sequence - 1, hash: previous });
  let proceed = (): void => undefined;
  port.on('message', (caused: Caused) => {
    const done = comparison.compare(caused);
    const told = (): void => post({ kind: 'compared', room: caused.words.buffer }, [caused.words.buffer]);
    if (done === undefined) told();
    else done.then(told, fail);
    proceed();
  });
  const send = async (rows: JournalCause[], isLast: boolean): Promise<void> => {
    while (comparison.sent.length >= AHEAD) await new Promise<void>((resolve) => (proceed = resolve));
    comparison.sent.push(rows);
    post({ kind: 'rows', rows, isLast });
  };
  try {
    let last = sequence - 1;
    let group: JournalCause[] = [];
    let bytes = 0;
    for await (const row of copyCauses(url, sequence)) {
      verifyRange(last, row);
      last = row.lastSequence;
      // What was read may stand amid other bytes, which would travel too.
      group.push({ ...row, commands: new Uint8Array(row.commands), hash: new Uint8Array(row.hash) });
      bytes += row.commands.length;
      if (bytes < GROUP_BYTES) continue;
      await send(group, false);
      group = [];
      bytes = 0;
    }
    await send(group, true);
  } catch (error) {
    fail(error);
  }
}

/** What was sent, and what it continues. */
class Comparison {
  readonly sent: JournalCause[][] = [];
  private readonly url: string;
  private last: Link;
  /** Rows whose hash is another, one after the other: the first that is wrong is the one to be named. */
  private doubt: Promise<void> | undefined;

  constructor(url: string, last: Link) {
    this.url = url;
    this.last = last;
  }

  /** Of the group that was sent first. @returns undefined when it is the same; else what resolves when it is after all, and rejects with JournalCorrupt or ReplayMismatch when not */
  compare({ words, lengths, texts }: Caused): Promise<void> | undefined {
    const rows = this.sent.shift() ?? [];
    const doubted = this.doubt;
    let at = 0;
    for (const [place, row] of rows.entries()) {
      // Where one could not be executed nothing is known of it, nor of those behind it.
      const events = place < lengths.length ? { words: words.subarray(at, at + lengths[place]), texts: texts[place] } : undefined;
      const { last } = this;
      if (events === undefined || Buffer.compare(hashRow(last.hash, { ...row, events: encodedInPlace(events) }), row.hash) !== 0) {
        this.doubt = (this.doubt ?? Promise.resolve()).then(() => this.lookAt(last, row, events));
      }
      if (events === undefined) break;
      at += lengths[place];
      this.last = row;
    }
    return this.doubt === doubted ? undefined : this.doubt;
  }

  /** Another program may have written the same in other bytes. @throws JournalCorrupt, ReplayMismatch */
  private async lookAt({ lastSequence, hash }: Link, { firstSequence }: JournalCause, events: EventBatch | undefined): Promise<void> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      const whole = await readRowOf(client, firstSequence);
      if (whole === undefined) throw new JournalCorrupt(firstSequence, 'it is there no more');
      verifyRow(lastSequence, hash, whole);
      if (events !== undefined) requireSame(areEvents(whole.events, { ...events, length: events.words.length }), whole);
    } finally {
      await client.end();
    }
  }
}

type Link = Pick<JournalCause, 'lastSequence' | 'hash'>;

function errorOf({ name, message, sequence }: { name: string; message: string; sequence: number }): Error {
  const error = name === 'JournalCorrupt' ? new JournalCorrupt(sequence, '') : name === 'ReplayMismatch' ? new ReplayMismatch(sequence, '') : new Error();
  error.message = message;
  return error;
}
