/**
 * The journal that a sequencer would write of a market and its flow of orders, to the byte, without waiting for anybody: so
 * that a long one is there in the time that executing and storing it takes.
 */
import { EnvelopeWriter } from '../../engine/codec/command_codec.ts';
import { encodeEvents } from '../../engine/codec/event_codec.ts';
import type { Envelope } from '../../engine/commands.ts';
import type { Engine } from '../../engine/engine.ts';
import { RULES_VERSION } from '../../engine/rules.ts';
import { GENESIS_HASH, hashRow } from '../../db/journal_record.ts';
import type { JournalRow } from '../../db/journal_record.ts';
import { FlowCommands, openMarket } from './engine_market.ts';
import type { OrderFlow } from './order_flow.ts';

/** Of the only leader there has been. */
export const EPOCH = 1;

/** Rows of so many commands each. When one of the flow's is given out, the engine is where the row ends. */
export function* journalRows(engine: Engine, flow: OrderFlow, commandsPerRow: number): Generator<JournalRow> {
  engine.rulesVersion = RULES_VERSION;
  const writer = new RowWriter(engine, commandsPerRow);
  const told = (envelope: Envelope): void => writer.add(envelope);
  const commands = new FlowCommands(flow, openMarket(engine, told));
  for (let row = 0; row < flow.length; row++) {
    yield* writer.full.splice(0);
    commands.rehearse(row + 1, told);
  }
  writer.close();
  yield* writer.full;
}

class RowWriter {
  private readonly engine: Engine;
  private readonly commandsPerRow: number;
  private readonly envelopes = new EnvelopeWriter();
  private last = { lastSequence: 0, hash: GENESIS_HASH };
  readonly full: JournalRow[] = [];

  constructor(engine: Engine, commandsPerRow: number) {
    this.engine = engine;
    this.commandsPerRow = commandsPerRow;
  }

  /** One whose events are in the engine's buffer. */
  add(envelope: Envelope): void {
    this.envelopes.add(envelope);
    if (this.envelopes.count === this.commandsPerRow) this.close();
  }

  close(): void {
    if (this.envelopes.count === 0) return;
    const { engine, last } = this;
    const row = {
      firstSequence: last.lastSequence + 1, lastSequence: engine.sequence, engineTime: engine.now, epoch: EPOCH, rulesVersion: RULES_VERSION,
      commands: this.envelopes.take(), events: encodeEvents(engine.buffer.take()),
    };
    this.last = { ...row, hash: hashRow(last.hash, row) };
    this.full.push({ ...row, hash: this.last.hash });
  }
}
