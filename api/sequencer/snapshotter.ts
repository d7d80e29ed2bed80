/** Has a snapshot taken every so many commands, in a thread of its own, and takes one at the end. */
import { Worker } from 'node:worker_threads';
import { RULES_VERSION } from '../../engine/engine.ts';
import type { Engine } from '../../engine/engine.ts';
import type { PostgresJournal } from '../../db/journal.ts';
import type { SnapshotStore } from '../../db/snapshots.ts';
import type { SnapshotReport, SnapshotTask } from './snapshot_thread.ts';

export interface SnapshotterParts {
  engine: Engine;
  journal: Pick<PostgresJournal, 'headHash'>;
  store: SnapshotStore;
  /** Of the database. */
  url: string;
  /** The bundle that takes snapshots when it is started with a SnapshotTask. */
  file: URL;
  /** Commands between two snapshots. */
  every: number;
  /** Sequence of the newest snapshot there is. */
  latest: number;
  say: (line: string) => void;
}

export class Snapshotter {
  private readonly parts: SnapshotterParts;
  private latest: number;
  /** The last attempt began here; the next begins as many commands later, whether it succeeded or not. */
  private tried: number;
  private thread: Worker | undefined;

  constructor(parts: SnapshotterParts) {
    this.parts = parts;
    this.latest = parts.latest;
    this.tried = parts.latest;
  }

  /** Called after each commit. */
  afterRelease(lastSequence: number): void {
    if (this.thread === undefined && lastSequence - this.tried >= this.parts.every) this.start(lastSequence);
  }

  /** What a clean stop leaves: the next start has nothing to replay. Nothing else happens any more, so it is taken here. */
  async finish(): Promise<void> {
    await this.end();
    const { engine, journal, store, say } = this.parts;
    const { sequence } = engine;
    if (sequence <= this.latest) return;
    await store.save({ sequence, rulesVersion: RULES_VERSION, journalHash: journal.headHash, state: engine.snapshot() })
      .catch((error: unknown) => say(notSaved(error instanceof Error ? error.message : String(error))));
  }

  /** A snapshot that is being taken is not finished. */
  async end(): Promise<void> {
    await this.thread?.terminate();
  }

  private start(sequence: number): void {
    const { url, file, say } = this.parts;
    this.tried = sequence;
    const thread = new Worker(file, { workerData: { kind: 'snapshot', url } satisfies SnapshotTask });
    this.thread = thread;
    thread.on('message', (report: SnapshotReport) => {
      if (report.kind === 'failed') say(notSaved(report.message));
      else this.latest = this.tried = report.sequence;
    });
    thread.on('error', (error) => say(notSaved(error.message)));
    thread.once('exit', () => (this.thread = undefined));
  }
}

const notSaved = (why: string): string => `a snapshot was not saved: ${why}`;
