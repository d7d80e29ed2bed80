import { expect, test } from 'vitest';
import { NONE } from '../engine/vocabulary.ts';
import type { Command } from '../engine/commands.ts';
import { Directory, formatHour } from './directory.ts';
import { createInProcessSequencer } from './sequencer/in_process.ts';

async function market() {
  const sequencer = createInProcessSequencer();
  const run = (command: Command) => sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
  await run({ type: 'addRegion', name: 'us-east' });
  await run({ type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: 30_000, listInputs: [{ provider: 'north', usd: 3_000_000 }] });
  return { sequencer, run };
}

test('names instruments and reads the names back', async () => {
  const { sequencer } = await market();
  const { directory, stop } = await Directory.load(sequencer);
  const name = 'H100-SXM-80.us-east.20261201T14Z';
  const instrument = directory.instrument(name);
  expect(instrument).toEqual({ market: 0, hour: Date.UTC(2026, 11, 1, 14) / 3_600_000 });
  expect(directory.instrumentName(0, instrument?.hour ?? 0)).toBe(name);
  expect(directory.marketName(0)).toBe('H100-SXM-80.us-east');
  stop();
  await sequencer.close();
});

test.each([
  'H100-SXM-80.us-east.20261301T14Z', 'H100-SXM-80.us-east.20260631T14Z', 'H100-SXM-80.us-east.20261201T24Z', 'H100-SXM-80.us-east.2026120114',
  'H100.us-east.20261201T14Z', 'H100-SXM-80.mars.20261201T14Z', 'H100-SXM-80.us-east', '', '...', 'H100-SXM-80.us-east.20261201T14Z.x',
])('knows no instrument %j', async (name) => {
  const { sequencer } = await market();
  const { directory } = await Directory.load(sequencer);
  expect(directory.instrument(name)).toBeUndefined();
});

test('keeps current with what is committed', async () => {
  const { sequencer, run } = await market();
  const { directory } = await Directory.load(sequencer);
  expect(directory.classes()).toMatchObject([{ class: 0, name: 'H100-SXM-80', listPrice: 30_000, inputs: [{ provider: 'north', usd: 3_000_000 }], next: null }]);
  await run({ type: 'addModel', name: 'meta/llama' });
  await run({ type: 'registerCompany', name: 'north', role: 'provider', group: '' });
  await run({ type: 'declareCapacity', company: 0, market: 0, gpus: 8 });
  await run({ type: 'verifyCapacity', company: 0, market: 0, gpus: 4 });
  await run({ type: 'setEligibility', company: 0, market: 0, models: [0] });
  expect([directory.modelId('meta/llama'), directory.modelName(0), directory.modelId('other')]).toEqual([0, 'meta/llama', NONE]);
  expect(directory.company(0)).toEqual({ company: 0, name: 'north', role: 'provider', group: '' });
  expect(directory.capacities(0)).toEqual([{ company: 0, market: 0, declared: 8, verified: 4, models: [0] }]);
});

test('an announced list price has its inputs from the day it takes effect', async () => {
  const { sequencer, run } = await market();
  const { directory } = await Directory.load(sequencer);
  const effectiveAt = Date.UTC(2026, 11, 9);
  await run({ type: 'setListPrice', class: 0, price: 25_000, effectiveAt, inputs: [{ provider: 'south', usd: 2_500_000 }] });
  expect(directory.class(0)).toMatchObject({ listPrice: 30_000, inputs: [{ provider: 'north' }], next: { price: 25_000, effectiveAt } });
  await sequencer.setClock(effectiveAt);
  expect(directory.class(0)).toMatchObject({ listPrice: 25_000, inputs: [{ provider: 'south' }], next: null });
});

test('an hour is written in UTC', () => {
  expect(formatHour(0)).toBe('19700101T00Z');
});
