/**
 * A database on a disk that may fail in every way a real one does, as the journal's port sees it: what
 * is written waits to be synced; a crash loses, tears or reorders what was not; an answer may be late,
 * lost, or an error although the row is there; a request may arrive twice, or after its leader is gone.
 */
import type { Random } from '../../../engine/simulation/random.ts';
import { GENESIS_HASH, hashRow, JournalCorrupt, StaleEpoch } from '../../../db/journal_record.ts';
import type { Journal, JournalRecord, JournalRow } from '../../../db/journal_record.ts';
import type { Scheduler } from './scheduler.ts';

/** One transaction: a row with the lease it was written under, or a new lease. */
type Transaction = { kind: 'row'; row: JournalRow } | { kind: 'lease'; epoch: number };

const WRITE_MILLIS = 3;
const SYNC_MILLIS = 8;
const NETWORK_MILLIS = 5;

export class SimulatedDisk {
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  private readonly log: Transaction[] = [];
  /** Transactions of the log that a crash leaves alone. */
  private synced = 0;
  private crashes = 0;
  /** Whoever waits for an answer when the database goes down. */
  private readonly connections = new Set<(error: Error) => void>();

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler;
    this.random = random;
  }

  get rows(): JournalRow[] {
    return this.log.flatMap((entry) => (entry.kind === 'row' ? [entry.row] : []));
  }

  /** A new leader; all others are stale from here on. */
  async lead(): Promise<SimulatedJournal> {
    const epoch = this.epoch + 1;
    await this.committed(() => {
      if (this.epoch >= epoch) throw new StaleEpoch(epoch);
      this.log.push({ kind: 'lease', epoch });
    });
    return new SimulatedJournal(this, epoch, this.rows.at(-1));
  }

  /** Some of what was not synced may be on the disk all the same, but nothing after the first that is not. */
  crash(): void {
    this.crashes++;
    let kept = this.synced;
    while (kept < this.log.length && this.random.chance(0.5)) kept++;
    this.log.splice(kept);
    this.synced = this.log.length;
    const waiting = [...this.connections];
    this.connections.clear();
    for (const fail of waiting) fail(new Error('terminating connection due to crash of the database'));
  }

  append(epoch: number, row: JournalRow): Promise<void> {
    const write = (): void => {
      if (this.epoch !== epoch) throw new StaleEpoch(epoch);
      if (this.last !== row.firstSequence - 1) throw new JournalCorrupt(row.firstSequence, `its high-water mark is ${this.last}`);
      this.log.push({ kind: 'row', row });
    };
    // A request that is sent again arrives long after, when anybody may lead: it must have no effect.
    if (this.random.chance(0.05)) this.scheduler.after(this.random.between(20, 400), () => this.attempt(write));
    return this.committed(write);
  }

  private get epoch(): number {
    return this.log.reduce((epoch, entry) => (entry.kind === 'lease' ? entry.epoch : epoch), 0);
  }
  private get last(): number {
    return this.rows.at(-1)?.lastSequence ?? 0;
  }

  private attempt(write: () => void): Error | undefined {
    try {
      write();
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  /** Request, write, sync, answer; each may be the last thing that happens. */
  private committed(write: () => void): Promise<void> {
    const { scheduler, random, crashes } = this;
    return new Promise((resolve, reject) => {
      this.connections.add(reject);
      const answer = (error: Error | undefined): void => {
        this.connections.delete(reject);
        if (error === undefined) resolve();
        else reject(error);
      };
      const lost = (share: number): boolean => random.chance(share);
      const gone = (): boolean => this.crashes !== crashes;
      if (lost(0.01)) return scheduler.after(random.between(1, 50), () => answer(new Error('connection reset before the commit was sent')));
      scheduler.after(random.between(0, NETWORK_MILLIS) + (lost(0.02) ? random.between(200, 2_000) : 0), () => {
        if (gone()) return;
        const refusal = this.attempt(write);
        const written = this.log.length;
        scheduler.after(random.between(0, WRITE_MILLIS + SYNC_MILLIS) + (lost(0.02) ? random.between(200, 3_000) : 0), () => {
          if (gone()) return;
          this.synced = Math.max(this.synced, Math.min(written, this.log.length));
          scheduler.after(random.between(0, NETWORK_MILLIS), () => {
            if (gone()) return;
            answer(refusal ?? (lost(0.02) ? new Error('connection reset after the commit') : undefined));
          });
        });
      });
    });
  }
}

export class SimulatedJournal implements Journal {
  readonly epoch: number;
  private readonly disk: SimulatedDisk;
  private hash: Uint8Array;

  constructor(disk: SimulatedDisk, epoch: number, last: JournalRow | undefined) {
    this.disk = disk;
    this.epoch = epoch;
    this.hash = last?.hash ?? GENESIS_HASH;
  }

  async append(record: JournalRecord): Promise<void> {
    const row = { ...record, epoch: this.epoch };
    const hash = hashRow(this.hash, row);
    await this.disk.append(this.epoch, { ...row, hash });
    this.hash = hash;
  }

  rowOf(sequence: number): Promise<JournalRow | undefined> {
    return Promise.resolve(this.disk.rows.find((row) => row.firstSequence <= sequence && sequence <= row.lastSequence));
  }

  async *rows(sequence: number): AsyncIterable<JournalRow> {
    for (const row of this.disk.rows) if (row.lastSequence >= sequence) yield await Promise.resolve(row);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
