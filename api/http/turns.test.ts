import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('serves at once while nobody comes', () => {
  const turns = new Turns();
  let served = 0;
  for (let i = 0; i < 1_000; i++) turns.take(() => served++);
  expect(served).toBe(1_000);
});

test('serves in order, and not more than some in a turn, when clients have come', async () => {
  const turns = new Turns();
  const served: number[] = [];
  turns.connected();
  for (let i = 0; i < 80; i++) turns.take(() => void served.push(i));
  expect(served).toEqual([]);
  await turn();
  await turn();
  expect(served).toHaveLength(32);
  // It comes behind those that wait, although nobody comes any more.
  turns.take(() => void served.push(80));
  expect(served).toHaveLength(32);
  await turn();
  await turn();
  expect(served).toEqual(Array.from({ length: 81 }, (_, i) => i));
});

test('serves while clients come without an end', async () => {
  const turns = new Turns();
  let [served, passed] = [0, 0];
  turns.connected();
  turns.take(() => served++);
  while (served === 0) {
    turns.connected();
    await turn();
    passed++;
  }
  expect(passed).toBeGreaterThan(25);
  expect(passed).toBeLessThan(40);
});

test('a client that comes alone does not wait', async () => {
  const turns = new Turns();
  let served = 0;
  turns.connected();
  await turn();
  turns.take(() => served++);
  await turn();
  expect(served).toBe(1);
});
