/** An engine without a journal behind the sequencer's door: every command is committed at once, or in batches by hand. */
import type { Command, Envelope } from '../../../engine/commands.ts';
import { Engine } from '../../../engine/engine.ts';
import { decodeEvents } from '../../../engine/events.ts';
import type { EngineEvent } from '../../../engine/events.ts';
import type { Answer, Ask, QueryName } from '../../../engine/queries.ts';
import { eventOf } from '../../sequencer/port.ts';
import type { Ack, AuthoriseResult, CommittedBatch, SequencerPort, SequencerStatus } from '../../sequencer/port.ts';

export class LoneEngine implements SequencerPort {
  readonly engine = new Engine();
  /** Every command taken, for tests to look at. */
  readonly submitted: Envelope[] = [];
  private readonly listeners = new Set<(batch: CommittedBatch) => void>();
  /** Words of the engine's buffer that have been handed out as acknowledgements. */
  private seen = 0;
  private firstSequence = 1;
  private held = false;

  /** Executes a command; its events are committed at once unless commits are held. */
  run(command: Command): EngineEvent[] {
    this.engine.apply({ command, idempotencyKey: '', bodyHash: '' });
    const { words, length, texts } = this.engine.buffer;
    const events = decodeEvents({ words: words.slice(this.seen, length), texts });
    this.seen = length;
    if (!this.held) this.commit();
    return events.slice(1);
  }

  /** From here on events wait for `commit`. */
  hold(): void {
    this.held = true;
  }

  /** Publishes all that waits as one batch. */
  commit(): void {
    if (this.seen === 0) return;
    const { engine, firstSequence } = this;
    const batch = { firstSequence, lastSequence: engine.sequence, now: engine.now, events: engine.buffer.take() };
    this.firstSequence = engine.sequence + 1;
    this.seen = 0;
    for (const listener of this.listeners) listener(batch);
  }

  submit(envelope: Envelope): Promise<Ack> {
    this.submitted.push(envelope);
    const events = this.run(envelope.command);
    return Promise.resolve({ sequence: this.engine.sequence, now: this.engine.now, events, first: (kind) => eventOf(events, kind), repeated: false });
  }

  query<Q extends QueryName>(name: Q, ask: Ask<Q>): Promise<Answer<Q>> {
    return Promise.resolve(this.engine.query(name, ask));
  }

  authorise(): Promise<AuthoriseResult> {
    return Promise.resolve({ ok: false, reason: 'no_allocation' });
  }
  reserve(): Promise<boolean> {
    return Promise.resolve(true);
  }
  releaseReservation(): Promise<void> {
    return Promise.resolve();
  }
  release(): Promise<void> {
    return Promise.resolve();
  }
  setClock(now: number): Promise<number> {
    this.run({ type: 'tick', now });
    return Promise.resolve(this.engine.now);
  }
  onCommitted(listener: (batch: CommittedBatch) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  status(): Promise<SequencerStatus> {
    const { sequence, now } = this.engine;
    return Promise.resolve({ sequence, committedSequence: sequence, epoch: 1, now, queueLength: 0 });
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}
