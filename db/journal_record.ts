/** What the journal keeps, and what every journal promises. One row per batch, chained by hash. */
import { createHash } from 'node:crypto';

/** A batch as the sequencer hands it over. */
export interface JournalRecord {
  /** Of the batch's commands; they are numbered without gaps, across rows too. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Engine time after the batch. */
  readonly engineTime: number;
  readonly rulesVersion: number;
  /** As `encodeEnvelopes` writes them. */
  readonly commands: Uint8Array;
  /** As `encodeEvents` writes them. */
  readonly events: Uint8Array;
}

/** A batch as it stands in the journal. */
export interface JournalRow extends JournalRecord {
  /** Of the leader that wrote it. */
  readonly epoch: number;
  /** Of this row and, through it, of all before. */
  readonly hash: Uint8Array;
}

/** A row without what its commands have caused. */
export type JournalCause = Omit<JournalRow, 'events'>;

/** Another leader has taken over: this one must stop at once. */
export class StaleEpoch extends Error {
  constructor(epoch: number) {
    super(`epoch ${epoch} is over: another engine leads`);
    this.name = 'StaleEpoch';
  }
}

/** The journal is not what it was when it was written. */
export class JournalCorrupt extends Error {
  readonly sequence: number;
  readonly what: string;
  constructor(sequence: number, what: string) {
    super(`the journal is damaged at sequence ${sequence}: ${what}`);
    this.name = 'JournalCorrupt';
    this.sequence = sequence;
    this.what = what;
  }
}

export interface Journal {
  /** Of the leader that holds this journal. */
  readonly epoch: number;
  /**
   * Resolves when the row is durable. A rejection does not mean that it is not: whoever sees one
   * starts again from the journal.
   * @throws StaleEpoch
   */
  append(record: JournalRecord): Promise<void>;
  /** The row that holds a sequence; undefined when there is none. */
  rowOf(sequence: number): Promise<JournalRow | undefined>;
  /** Rows from the one that holds `sequence` (or the first after it), in order. */
  rows(sequence: number): AsyncIterable<JournalRow>;
  /** Gives up the lead and closes. */
  close(): Promise<void>;
}

/** What the first row is chained to. */
export const GENESIS_HASH: Uint8Array = new Uint8Array(32);

/** SHA-256 over the previous hash, six big-endian 64-bit numbers, the commands and the events. */
export function hashRow(previous: Uint8Array, row: Omit<JournalRow, 'hash'>): Uint8Array {
  return createHash('sha256').update(previous).update(headOf(row)).update(row.commands).update(row.events).digest();
}

function headOf(row: Omit<JournalRow, 'hash'>): Buffer {
  const head = Buffer.alloc(48);
  [row.firstSequence, row.lastSequence, row.engineTime, row.epoch, row.rulesVersion, row.commands.length].forEach((value, index) => {
    head.writeBigInt64BE(BigInt(value), index * 8);
  });
  return head;
}

/** @throws JournalCorrupt when `row` does not continue the row that ended at `lastSequence` with `previous` */
export function verifyRow(lastSequence: number, previous: Uint8Array, row: JournalRow): void {
  verifyRange(lastSequence, row);
  requireHash(hashRow(previous, row), row);
}

/** @throws JournalCorrupt when `row` is not the one that follows the row that ended at `lastSequence` */
export function verifyRange(lastSequence: number, row: JournalCause): void {
  if (row.firstSequence !== lastSequence + 1) throw new JournalCorrupt(lastSequence + 1, `the next row begins at ${row.firstSequence}`);
  if (row.lastSequence < row.firstSequence) throw new JournalCorrupt(row.firstSequence, `the row ends at ${row.lastSequence}`);
}

function requireHash(hash: Uint8Array, row: JournalRow): void {
  if (Buffer.compare(hash, row.hash) !== 0) throw new JournalCorrupt(row.firstSequence, 'its hash does not match');
}
