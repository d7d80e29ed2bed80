/** A journal that lasts as long as the process: for tests and simulation. */
import { GENESIS_HASH, hashRow } from './journal_record.ts';
import type { Journal, JournalRecord, JournalRow } from './journal_record.ts';

export class MemoryJournal implements Journal {
  readonly epoch: number;
  readonly written: JournalRow[];

  /** With `written`, continues what another journal wrote. */
  constructor(written: JournalRow[] = [], epoch = 1) {
    this.written = written;
    this.epoch = epoch;
  }

  append(record: JournalRecord): Promise<void> {
    const last = this.written.at(-1);
    if (record.firstSequence !== (last?.lastSequence ?? 0) + 1) return Promise.reject(new Error(`sequence ${record.firstSequence} does not follow ${last?.lastSequence ?? 0}`));
    const row = { ...record, epoch: this.epoch };
    this.written.push({ ...row, hash: hashRow(last?.hash ?? GENESIS_HASH, row) });
    return Promise.resolve();
  }

  rowOf(sequence: number): Promise<JournalRow | undefined> {
    return Promise.resolve(this.written.find((row) => row.firstSequence <= sequence && sequence <= row.lastSequence));
  }

  async *rows(sequence: number): AsyncIterable<JournalRow> {
    for (const row of this.written) if (row.lastSequence >= sequence) yield await Promise.resolve(row);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
