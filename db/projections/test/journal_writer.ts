/** A journal for tests: commands through a real engine, in batches, into a real Postgres. */
import { encodeEnvelopes } from '../../../engine/codec/command_codec.ts';
import type { Command, Envelope } from '../../../engine/commands.ts';
import { Engine } from '../../../engine/engine.ts';
import { RULES_VERSION } from '../../../engine/rules.ts';
import { encodeEvents } from '../../../engine/codec/event_codec.ts';
import { decodeEvents } from '../../../engine/events.ts';
import type { EngineEvent, EventBatch } from '../../../engine/events.ts';
import { PostgresJournal } from '../../journal.ts';

export class JournalWriter {
  readonly engine = new Engine();
  /** Everything written, as events. */
  readonly batches: EventBatch[] = [];
  private readonly journal: PostgresJournal;

  private constructor(journal: PostgresJournal) {
    this.journal = journal;
  }

  static async open(url: string): Promise<JournalWriter> {
    return new JournalWriter(await PostgresJournal.lead({ url, holder: 'test' }));
  }

  /** One batch, one row. Returns its events. */
  async run(...commands: Command[]): Promise<EngineEvent[]> {
    const { engine } = this;
    const firstSequence = engine.sequence + 1;
    const envelopes: Envelope[] = commands.map((command) => ({ command, idempotencyKey: '', bodyHash: '' }));
    for (const envelope of envelopes) engine.apply(envelope);
    const events = engine.buffer.take();
    await this.append(firstSequence, engine.sequence, engine.now, events, envelopes);
    return decodeEvents(events);
  }

  /** A row that no engine made. */
  async append(firstSequence: number, lastSequence: number, engineTime: number, events: EventBatch, envelopes: Envelope[] = []): Promise<void> {
    this.batches.push(events);
    await this.journal.append({
      firstSequence, lastSequence, engineTime, rulesVersion: RULES_VERSION, commands: encodeEnvelopes(envelopes), events: encodeEvents(events),
    });
  }

  /** All commands in batches of `sizes`, again and again. */
  async runAll(commands: readonly Command[], sizes: readonly number[] = [1, 40, 7, 200]): Promise<void> {
    for (let at = 0, turn = 0; at < commands.length; turn++) {
      const size = sizes[turn % sizes.length];
      await this.run(...commands.slice(at, at + size));
      at += size;
    }
  }

  close(): Promise<void> {
    return this.journal.close();
  }
}
