/** Has a snapshot taken every so many commands, elsewhere than in the market's thread, and takes one at the end, where that is quick. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RULES_VERSION } from '../../engine/rules.ts';
import type { Engine } from '../../engine/engine.ts';
import type { PostgresJournal } from '../../db/journal.ts';
import type { SnapshotStore } from '../../db/snapshots.ts';
import { Unsound } from './invariant_watch.ts';
import type { Taking } from './snapshot_thread.ts';

/** Pauses or not, a restart is to be quick: one is taken when so many times the usual number of commands have come. */
export const TAKEN_LATE_TIMES = 4;
/** Of a larger state the last snapshot must do at a stop, which is to be over within seconds: what has come since is executed again at the next start. */
const STOP_BYTES_MAX = 32 << 20;
/** Nor does a stop wait for a disk that is busy. */
const STOP_MILLIS_MAX = 3_000;

export interface SnapshotterParts {
  engine: Engine;
  journal: Pick<PostgresJournal, 'headHash'>;
  store: SnapshotStore;
  /** Takes one of what is committed. */
  take: () => Taking;
  /** Commands between two snapshots. */
  every: number;
  /** And milliseconds, which tell under how much load the market is: taking one costs it the same whenever that is. */
  pauseMillis: number;
  /** Sequence of the newest snapshot there is. */
  latest: number;
  say: (line: string) => void;
  /** Told of an invariant that does not hold. */
  unsound: (what: string) => void;
}

export class Snapshotter {
  private readonly parts: SnapshotterParts;
  private latest: number;
  /** The last attempt began here; the next begins as many commands later, whether it succeeded or not. */
  private tried: number;
  private triedAt = performance.now();
  private taking: Taking | undefined;
  private finishing = false;

  constructor(parts: SnapshotterParts) {
    this.parts = parts;
    this.latest = parts.latest;
    this.tried = parts.latest;
  }

  /** Called after each commit. */
  afterRelease(lastSequence: number): void {
    if (this.taking === undefined && this.isDue(lastSequence - this.tried)) void this.take(lastSequence);
  }

  private isDue(commands: number): boolean {
    const { every, pauseMillis } = this.parts;
    return commands >= every * TAKEN_LATE_TIMES || (commands >= every && performance.now() - this.triedAt >= pauseMillis);
  }

  /** What a clean stop of a market that is not large leaves: the next start has nothing to replay. Nothing else happens any more, so it is taken here. */
  async finish(): Promise<void> {
    this.finishing = true;
    await this.taking?.end();
    const { engine, journal, store, say } = this.parts;
    const { sequence } = engine;
    if (sequence <= this.latest) return;
    const state = engine.snapshot();
    if (state.length > STOP_BYTES_MAX) return;
    const saved = store.save({ sequence, rulesVersion: RULES_VERSION, journalHash: journal.headHash, state }).catch((error: unknown) => say(notSaved(error)));
    await Promise.race([saved, sleep(STOP_MILLIS_MAX, undefined, { ref: false })]);
  }

  private async take(sequence: number): Promise<void> {
    this.tried = sequence;
    this.triedAt = performance.now();
    this.taking = this.parts.take();
    try {
      this.latest = this.tried = await this.taking.done;
    } catch (error) {
      if (error instanceof Unsound) this.parts.unsound(error.message);
      if (!this.finishing) this.parts.say(notSaved(error));
    }
    this.taking = undefined;
  }
}

const notSaved = (error: unknown): string => `a snapshot was not saved: ${error instanceof Error ? error.message : String(error)}`;
