/**
 * A database on a disk that may fail in every way a real one does, as the journal's port sees it: what
 * is written waits to be synced; a crash loses, tears or reorders what was not; an answer may be late,
 * lost, or an error although the row is there; a request may arrive twice, or after its leader is gone.
 */
import { decodeEnvelopes, encodeEnvelopes } from '../../../engine/codec/command_codec.ts';
import type { Random } from '../../../engine/simulation/random.ts';
import { GENESIS_HASH, hashRow, JournalCorrupt, StaleEpoch } from '../../../db/journal_record.ts';
import type { Journal, JournalRecord, JournalRow } from '../../../db/journal_record.ts';
import type { Flaw } from './flaws.ts';
import type { Scheduler } from './scheduler.ts';

/** One transaction: a row with the lease it was written under, or a new lease. */
type Transaction = { kind: 'row'; row: JournalRow } | { kind: 'lease'; epoch: number };

const WRITE_MILLIS = 3;
const SYNC_MILLIS = 8;
const NETWORK_MILLIS = 5;
const LYING_SYNC_MILLIS = 300;

export class SimulatedDisk {
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  private readonly flaw: Flaw | undefined;
  private log: Transaction[] = [];
  /** Transactions of the log that a crash leaves alone. */
  private synced = 0;
  private crashes = 0;
  /** Whoever waits for an answer when the database goes down. */
  private readonly connections = new Set<(error: Error) => void>();
  /** The row that has decayed, as it was. */
  private sound: JournalRow | undefined;
  /** A row that waits for the one after it: only a flawed disk has it. */
  private held: JournalRow | undefined;

  constructor(scheduler: Scheduler, random: Random, flaw: Flaw | undefined) {
    this.scheduler = scheduler;
    this.random = random;
    this.flaw = flaw;
  }

  get rows(): JournalRow[] {
    return rowsOf(this.log);
  }
  /** What a crash at this moment would leave for certain. */
  get syncedRows(): JournalRow[] {
    return rowsOf(this.log.slice(0, this.synced));
  }
  /** Where a row is not what was written; undefined: nowhere. */
  get rottenSequence(): number | undefined {
    return this.sound?.firstSequence;
  }

  isLed(epoch: number): boolean {
    return this.epoch === epoch;
  }

  /** A new leader; all others are stale from here on. */
  async lead(): Promise<SimulatedJournal> {
    const epoch = this.epoch + 1;
    await this.committed(() => {
      if (this.epoch >= epoch) throw new StaleEpoch(epoch);
      if (this.flaw === 'dropped_record') this.dropLast();
      this.log.push({ kind: 'lease', epoch });
    });
    return new SimulatedJournal(this, epoch, this.rows.at(-1));
  }

  /** Some of what was not synced may be on the disk all the same, but nothing after the first that is not. */
  crash(): void {
    this.crashes++;
    let kept = this.synced;
    while (kept < this.log.length && this.random.chance(0.5)) kept++;
    const [torn] = this.log.splice(kept);
    if (this.flaw === 'torn_batch' && torn?.kind === 'row') this.log.push({ kind: 'row', row: halfOf(torn.row) });
    this.synced = this.log.length;
    const waiting = [...this.connections];
    this.connections.clear();
    for (const fail of waiting) fail(new Error('terminating connection due to crash of the database'));
  }

  /** A bit of a row that has long been durable is no longer what it was. @returns false when there is none */
  rot(): boolean {
    const places = this.log.slice(0, this.synced).flatMap(({ kind }, place) => (kind === 'row' ? [place] : []));
    if (places.length === 0 || this.sound !== undefined) return false;
    const place = this.random.pick(places);
    const { row } = this.log[place] as { row: JournalRow };
    const column = this.random.pick(['commands', 'events', 'hash'] as const);
    const bytes = Uint8Array.from(row[column]);
    if (bytes.length === 0) return false;
    bytes[this.random.between(0, bytes.length - 1)] ^= 1 << this.random.between(0, 7);
    this.log[place] = { kind: 'row', row: { ...row, [column]: bytes } };
    this.sound = row;
    return true;
  }

  /** As from a backup. */
  repair(): void {
    const { sound } = this;
    if (sound === undefined) return;
    this.log = this.log.map((entry) => (entry.kind === 'row' && entry.row.firstSequence === sound.firstSequence ? { kind: 'row', row: sound } : entry));
    this.sound = undefined;
  }

  append(epoch: number, row: JournalRow): Promise<void> {
    const { flaw } = this;
    const write = (): void => {
      if (this.epoch !== epoch && flaw !== 'no_fence') throw new StaleEpoch(epoch);
      const follows = this.last === row.firstSequence - 1;
      if (!follows && flaw !== 'appended_twice' && this.held === undefined) throw new JournalCorrupt(row.firstSequence, `its high-water mark is ${this.last}`);
      this.write(row);
    };
    return this.committed(() => {
      // A request that is sent again arrives long after, when anybody may lead: it must have no effect.
      if (this.random.chance(0.05)) this.scheduler.after(this.random.between(20, 400), () => this.attempt(write));
      write();
    });
  }

  private write(row: JournalRow): void {
    if (this.flaw === 'reordered_batches' && this.held === undefined && this.random.chance(0.2)) {
      this.held = row;
      return;
    }
    this.log.push({ kind: 'row', row });
    if (this.held !== undefined) this.log.push({ kind: 'row', row: this.held });
    this.held = undefined;
  }

  private dropLast(): void {
    if (this.log.at(-1)?.kind !== 'row' || !this.random.chance(0.5)) return;
    this.log.pop();
    this.synced = Math.min(this.synced, this.log.length);
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
        const sync = (): void => {
          if (!gone()) this.synced = Math.max(this.synced, Math.min(written, this.log.length));
        };
        scheduler.after(random.between(0, WRITE_MILLIS + SYNC_MILLIS) + (lost(0.02) ? random.between(200, 3_000) : 0), () => {
          if (this.flaw === 'lying_sync') scheduler.after(LYING_SYNC_MILLIS, sync);
          else sync();
          scheduler.after(random.between(0, NETWORK_MILLIS), () => {
            if (gone()) return;
            answer(refusal ?? (lost(0.02) ? new Error('connection reset after the commit') : undefined));
          });
        });
      });
    });
  }
}

const rowsOf = (log: readonly Transaction[]): JournalRow[] => log.flatMap((entry) => (entry.kind === 'row' ? [entry.row] : []));

/** What a reader sees who takes the part of a batch that reached the disk for all of it. */
function halfOf(row: JournalRow): JournalRow {
  const envelopes = decodeEnvelopes(row.commands);
  const kept = envelopes.slice(0, Math.ceil(envelopes.length / 2));
  return { ...row, lastSequence: row.firstSequence + kept.length - 1, commands: encodeEnvelopes(kept) };
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

  /** Of the newest row that is durable. */
  get headHash(): Uint8Array {
    return this.hash;
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
