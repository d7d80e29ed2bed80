/** Snapshots on the simulated disk: written a while after they were taken, or not at all; the newest may decay. */
import { createHash } from 'node:crypto';
import type { Random } from '../../../engine/simulation/random.ts';
import type { Snapshot, SnapshotStore, StoredSnapshot } from '../../../db/snapshots.ts';
import type { Scheduler } from './scheduler.ts';

const KEPT = 3;

export class SimulatedSnapshots implements SnapshotStore {
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  private kept: StoredSnapshot[] = [];

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler;
    this.random = random;
  }

  async save(snapshot: Snapshot): Promise<void> {
    const stored = { ...snapshot, stateHash: hashOf(snapshot.state) };
    await this.scheduler.sleep(this.random.between(1, 200));
    if (this.random.chance(0.1)) throw new Error('the connection was lost');
    this.kept = [stored, ...this.kept.filter(({ sequence }) => sequence !== stored.sequence)].sort((a, b) => b.sequence - a.sequence).slice(0, KEPT);
  }

  rot(): void {
    const [newest] = this.kept;
    if (newest === undefined) return;
    const state = Uint8Array.from(newest.state);
    state[this.random.between(0, state.length - 1)] ^= 1 << this.random.between(0, 7);
    this.kept[0] = { ...newest, state };
  }

  async *newestFirst(): AsyncIterable<StoredSnapshot | { sequence: number; damage: string }> {
    for (const snapshot of this.kept) {
      const isSound = hashOf(snapshot.state) === snapshot.stateHash;
      yield await Promise.resolve(isSound ? snapshot : { sequence: snapshot.sequence, damage: 'its state does not match its hash' });
    }
  }
}

const hashOf = (state: Uint8Array): string => createHash('sha256').update(state).digest('hex');
