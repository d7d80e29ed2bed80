/** Whose credit paid for hours that were used, and whose for hours that were not. */
import { expect, test } from 'vitest';
import { NONE } from '../../engine/vocabulary.ts';
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { HOUR, World, gpuHours, loan, one, usd } from '../../engine/test/world.ts';
import type { EngineEvent } from '../../engine/events.ts';
import { lotUse } from './lot_use.ts';

test('is told by lot, of each hour in the order in which its credit is spent', async () => {
  const world = new World();
  const { borrower, lot } = loan(world, 6);
  world.run({ type: 'deposit', company: borrower, amount: usd(1_000), reference: '' });
  const prepaid = one(world.run({ type: 'prepay', company: borrower, amount: usd(1_000) }).events, 'lotMinted').lot;
  world.ask(world.provider(), 2, 100);
  // 100 GPU-hours at 2 CR: the financed lot expires first and pays for all of it.
  const { allocation } = one(world.bid(borrower, 2, 100).events, 'fill');
  const events: EngineEvent[] = [];
  const run = (command: Parameters<World['run']>[0]): void => void events.push(...world.run(command).events);
  run({ type: 'capture', company: borrower, allocation, gpu: gpuHours(30) * 36_000_000, request: 'one', model: NONE, promptTokens: 0, completionTokens: 0, detail: { key: '', endpoint: '', spotFees: 0, estimated: false } });
  run({ type: 'tick', now: (HOUR + 1) * MILLIS_PER_HOUR });
  run({ type: 'endHour', hour: HOUR, pending: [{ allocation, gpu: gpuHours(10) * 36_000_000 }] });
  run({ type: 'releasePending', allocation, gpu: gpuHours(10) * 36_000_000 });
  const writer = lotUse.open();
  writer.apply({ sequence: 1, type: 'tick', company: NONE, at: 0, events });
  const written: unknown[] = [];
  await writer.write({ query: (statement: { values: unknown[] }) => Promise.resolve(written.push(...statement.values)) } as never);
  expect(written).toEqual([`{${lot}}`, `{${usd(60)}}`, `{${usd(140)}}`]);
  expect(prepaid).not.toBe(lot);
});
