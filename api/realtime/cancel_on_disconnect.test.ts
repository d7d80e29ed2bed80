import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { WatchLog } from '../../db/order_watches.ts';
import { Watches } from '../cluster/watches.ts';
import type { SequencerPort } from '../sequencer/port.ts';
import { CancelOnDisconnect } from './cancel_on_disconnect.ts';

const log = pino({ level: 'silent' });

/** What outlives a process. */
class Kept implements WatchLog {
  readonly companies = new Set<number>();

  async note(company: number): Promise<void> {
    await Promise.resolve();
    this.companies.add(company);
  }
  async forget(company: number): Promise<void> {
    await Promise.resolve();
    this.companies.delete(company);
  }
  async noted(): Promise<number[]> {
    return Promise.resolve([...this.companies]);
  }
}

/** A market that writes down whose orders are cancelled. */
function market(): { cancelled: number[]; sequencer: SequencerPort } {
  const cancelled: number[] = [];
  const submit = (call: { command: { company: number } }) => Promise.resolve(cancelled.push(call.command.company));
  return { cancelled, sequencer: { submit } as unknown as SequencerPort };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('cancel on disconnect', () => {
  test('a process that comes after one that was killed cancels for those who were connected, and for nobody else', async () => {
    const kept = new Kept();
    const before = market();
    const killed = new CancelOnDisconnect(before.sequencer, log, kept);
    for (const company of [3, 4, 5]) killed.began(company);
    killed.ended(4);
    await killed.settle();
    expect(before.cancelled).toEqual([4]);

    const after = market();
    await new CancelOnDisconnect(after.sequencer, log, kept).takeOver();
    expect(after.cancelled).toEqual([3, 5]);
    expect([...kept.companies]).toEqual([]);
  });

  test('who comes back while its orders are cancelled is watched again', async () => {
    const kept = new Kept();
    const { cancelled, sequencer } = market();
    const watch = new CancelOnDisconnect(sequencer, log, kept);
    watch.began(3);
    watch.ended(3);
    watch.began(3);
    await watch.settle();
    expect(cancelled).toEqual([3]);
    expect([...kept.companies]).toEqual([3]);
  });

  test('an engine that takes over waits for the processes that are left to say whom they watch', async () => {
    const kept = new Kept();
    const before = new Watches(market().sequencer, log, kept);
    before.told('a', [3, 4]);
    before.told('b', [4, 5]);
    await settled();

    const { cancelled, sequencer } = market();
    const after = new Watches(sequencer, log, kept);
    after.tookOver(await kept.noted());
    for (let second = 0; second < 5; second++) {
      after.told('b', [4, 5]);
      after.look();
    }
    expect(cancelled).toEqual([]);
    for (let second = 0; second < 5; second++) {
      after.told('b', [4, 5]);
      after.look();
    }
    await settled();
    expect(cancelled).toEqual([3]);
    expect([...kept.companies].sort()).toEqual([4, 5]);
  });
});
