import { expect, test } from 'vitest';
import { Departure } from './departure.ts';
import { Lane } from './lanes.ts';

const entry = (flow: number, weight: number) => ({ flow, weight, cost: 100, room: 1 });

test('admits while there is room, and at least one at any size', () => {
  const lane = new Lane();
  expect(lane.tryEnter({ ...entry(1, 1), room: 50 }, 2)).toBe(true);
  expect(lane.tryEnter(entry(1, 1), 2)).toBe(false);
});

test('shares by weight, whatever the number of requests', async () => {
  const lane = new Lane();
  lane.tryEnter(entry(0, 1), 1);
  const served: number[] = [];
  const waiting = [];
  // The heavy company asks last, and the light one asks more often.
  for (const [flow, weight, count] of [[1, 1, 60], [2, 3, 60]] as const) {
    for (let index = 0; index < count; index++) {
      waiting.push(lane.wait(entry(flow, weight), 10_000, new Departure()).then((entered) => {
        if (entered) served.push(flow);
      }));
    }
  }
  for (let turn = 0; turn < 40; turn++) {
    lane.left(1, 1);
    await Promise.resolve();
  }
  expect(served.filter((flow) => flow === 2)).toHaveLength(30);
  for (let turn = 0; turn < 80; turn++) lane.left(1, 1);
  await Promise.all(waiting);
  expect(served).toHaveLength(120);
});

test('a company whose requests have waited in vain has no less of the room for it', async () => {
  const lane = new Lane();
  lane.tryEnter(entry(0, 1), 1);
  const gone = new Departure();
  const inVain = Array.from({ length: 50 }, () => lane.wait(entry(1, 1), 10_000, gone));
  gone.abort();
  expect(await Promise.all(inVain)).not.toContain(true);
  const served: number[] = [];
  const waiting = [2, 1].flatMap((flow) => Array.from({ length: 10 }, () => lane.wait(entry(flow, 1), 10_000, new Departure()).then(() => served.push(flow))));
  for (let turn = 0; turn < 20; turn++) lane.left(1, 1);
  await Promise.all(waiting);
  expect(served.slice(0, 10).filter((flow) => flow === 1)).toHaveLength(5);
});

test('ends a wait that is in vain, or whose client has gone away', async () => {
  const lane = new Lane();
  lane.tryEnter(entry(0, 1), 1);
  expect(await lane.wait(entry(1, 1), 10, new Departure())).toBe(false);
  const gone = new Departure();
  const waits = lane.wait(entry(1, 1), 10_000, gone);
  gone.abort();
  expect(await waits).toBe(false);
  lane.left(1, 1);
  expect(lane.taken).toBe(0);
});
