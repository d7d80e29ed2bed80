import { describe, expect, test, vi } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { MemorySnapshots } from '../../db/snapshots.ts';
import { Unsound } from './invariant_watch.ts';
import type { Taking } from './snapshot_thread.ts';
import { Snapshotter, TAKEN_LATE_TIMES } from './snapshotter.ts';

const EVERY = 100;

function snapshotter(state: Uint8Array, pauseMillis = 0) {
  const engine = { sequence: 500, snapshot: () => state } as Engine;
  const store = new MemorySnapshots();
  const unsound: string[] = [];
  const take = vi.fn((): Taking => ({ done: new Promise<number>(() => undefined), end: () => Promise.resolve() }));
  return { store, take, unsound, snapshotter: new Snapshotter({ engine, journal: { headHash: new Uint8Array(32) }, store, take, every: EVERY, pauseMillis, latest: 0, say: () => undefined, unsound: (what) => unsound.push(what) }) };
}

describe('snapshots', () => {
  test('are taken when enough commands have come', () => {
    const { snapshotter: own, take } = snapshotter(new Uint8Array(8));
    own.afterRelease(EVERY - 1);
    expect(take).not.toHaveBeenCalled();
    own.afterRelease(EVERY);
    expect(take).toHaveBeenCalledTimes(1);
  });

  test('wait for a pause after the last one, but not until a restart would take long', () => {
    const { snapshotter: own, take } = snapshotter(new Uint8Array(8), 60_000);
    own.afterRelease(EVERY * TAKEN_LATE_TIMES - 1);
    expect(take).not.toHaveBeenCalled();
    own.afterRelease(EVERY * TAKEN_LATE_TIMES);
    expect(take).toHaveBeenCalledTimes(1);
  });

  test('tell of an invariant that does not hold', async () => {
    const { snapshotter: own, take, unsound } = snapshotter(new Uint8Array(8));
    take.mockReturnValue({ done: Promise.reject(new Unsound('invariant 8 does not hold')), end: () => Promise.resolve() });
    own.afterRelease(EVERY);
    await expect.poll(() => unsound).toEqual(['invariant 8 does not hold']);
  });

  test('are taken at a stop of what can be kept in a moment', async () => {
    const small = snapshotter(new Uint8Array(8));
    await small.snapshotter.finish();
    expect(small.store.kept.map(({ sequence }) => sequence)).toEqual([500]);
    const large = snapshotter(new Uint8Array(64 << 20));
    await large.snapshotter.finish();
    expect(large.store.kept).toEqual([]);
  });

  test('are not waited for at a stop for longer than three seconds', async () => {
    const { snapshotter: own, store } = snapshotter(new Uint8Array(8));
    store.save = () => new Promise(() => undefined);
    const begun = performance.now();
    await own.finish();
    expect(performance.now() - begun).toBeGreaterThan(2_900);
  });
});
