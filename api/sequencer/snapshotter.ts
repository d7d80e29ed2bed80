/** Takes a snapshot every so many commands, and one at the end. Called between batches, when all that is applied is durable. */
import { RULES_VERSION } from '../../engine/engine.ts';
import type { Engine } from '../../engine/engine.ts';
import type { PostgresJournal } from '../../db/journal.ts';
import type { SnapshotStore } from '../../db/snapshots.ts';

export interface SnapshotterParts {
  engine: Engine;
  journal: Pick<PostgresJournal, 'headHash'>;
  store: SnapshotStore;
  /** Commands between two snapshots. */
  every: number;
  /** Sequence of the newest snapshot there is. */
  latest: number;
  say: (line: string) => void;
}

export class Snapshotter {
  private readonly parts: SnapshotterParts;
  private latest: number;
  private saving: Promise<void> | undefined;

  constructor(parts: SnapshotterParts) {
    this.parts = parts;
    this.latest = parts.latest;
  }

  /** Only the copy of the state is taken at once; it is hashed and written while the market goes on. */
  afterRelease(lastSequence: number): void {
    if (this.saving === undefined && lastSequence - this.latest >= this.parts.every) this.take();
  }

  /** What a clean stop leaves: the next start has nothing to replay. */
  async finish(): Promise<void> {
    await this.saving;
    if (this.parts.engine.sequence > this.latest) this.take();
    await this.saving;
  }

  private take(): void {
    const { engine, journal, store, say } = this.parts;
    const { sequence } = engine;
    this.latest = sequence;
    const snapshot = { sequence, rulesVersion: RULES_VERSION, journalHash: journal.headHash, state: engine.snapshot() };
    this.saving = store.save(snapshot)
      .catch((error: unknown) => say(`the snapshot at ${sequence} was not saved: ${error instanceof Error ? error.message : String(error)}`))
      .finally(() => (this.saving = undefined));
  }
}
