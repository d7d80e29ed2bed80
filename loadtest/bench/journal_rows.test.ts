import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { createInProcessSequencer } from '../../api/sequencer/in_process.ts';
import { ManualClock } from '../../api/sequencer/clock.ts';
import { MemoryJournal } from '../../db/memory_journal.ts';
import { Engine } from '../../engine/engine.ts';
import { FlowCommands, START, inEnvelope, marketCommands, openMarket } from './engine_market.ts';
import { journalRows } from './journal_rows.ts';
import { MIX, generateOrderFlow } from './order_flow.ts';

test('are those of a sequencer that has as many commands in a batch, to the byte', async () => {
  const flow = generateOrderFlow(MIX, 6_000, 1);
  const engine = new Engine();
  const rows = [...journalRows(engine, flow, 700)];

  const journal = new MemoryJournal();
  const port = createInProcessSequencer({ journal, clock: new ManualClock(START), limits: { batchCommands: 700, sliceItems: 700 } });
  const commands = new FlowCommands(flow, openMarket());
  commands.rehearse();
  const envelopes = [...marketCommands().map(inEnvelope), ...Array.from({ length: flow.length }, (_, row) => commands.envelope(row))];
  await Promise.all(envelopes.map((envelope) => port.submit(envelope)));
  const { stateHash } = await port.query('status', {});
  await port.close();

  expect(rows.map(({ lastSequence }) => lastSequence)).toEqual(journal.written.map(({ lastSequence }) => lastSequence));
  // A plain comparison first: what costs is to go through bytes one by one.
  rows.forEach((row, index) => isDeepStrictEqual(row, journal.written[index]) || expect(row).toEqual(journal.written[index]));
  expect(engine.stateHash()).toBe(stateHash);
});
