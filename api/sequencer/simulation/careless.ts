/** How an engine recovers that has one of the flaws: nothing is looked at twice. */
import { decodeEnvelopes } from '../../../engine/codec/command_codec.ts';
import { Engine } from '../../../engine/engine.ts';
import { LITTLE_ROOM } from '../../../engine/state.ts';
import { readSnapshot } from '../../../engine/codec/snapshot.ts';
import type { SnapshotStore } from '../../../db/snapshots.ts';
import type { Flaw } from './flaws.ts';
import type { SimulatedJournal } from './disk.ts';

/** Flaws with which an engine recovers carelessly, or changes what it has recovered. */
const CARELESS: readonly (Flaw | undefined)[] = ['torn_batch', 'checksum_ignored', 'snapshot_ahead', 'tail_not_read'];
export const isCareless = (flaw: Flaw | undefined): boolean => CARELESS.includes(flaw);

export async function recoverCarelessly(journal: SimulatedJournal, snapshots: SnapshotStore, flaw: Flaw | undefined): Promise<Engine> {
  const engine = await startOf(snapshots, flaw);
  const rows = [];
  for await (const row of journal.rows(engine.sequence + 1)) rows.push(row);
  if (flaw === 'tail_not_read') rows.pop();
  for (const row of rows) {
    for (const envelope of decodeEnvelopes(row.commands)) engine.apply(envelope);
    engine.buffer.take();
  }
  return engine;
}

async function startOf(snapshots: SnapshotStore, flaw: Flaw | undefined): Promise<Engine> {
  if (flaw !== 'snapshot_ahead') return new Engine();
  for await (const found of snapshots.newestFirst()) if ('state' in found) return Engine.restore(found.state);
  return new Engine();
}

/** The same engine with another memory of idempotency keys. */
export function withFlawedKeys(engine: Engine, flaw: Flaw | undefined): Engine {
  if (flaw !== 'keys_not_restored' && flaw !== 'keys_shifted') return engine;
  const state = readSnapshot(engine.snapshot(), LITTLE_ROOM);
  if (flaw === 'keys_not_restored') state.idempotency.clear();
  else for (const [key, value] of state.idempotency) state.idempotency.set(key, { ...value, sequence: value.sequence - 1 });
  return new Engine(state);
}
