/** The callers' side of the channel: a SequencerPort over messages. Knows nothing of where the sequencer runs. */
import { EnvelopeWriter } from '../../engine/codec/command_codec.ts';
import type { Envelope } from '../../engine/commands.ts';
import { KIND, decodeEvent } from '../../engine/events.ts';
import type { EngineEvent, EventBatch, EventOf } from '../../engine/events.ts';
import type { Answer, Ask, QueryName } from '../../engine/queries.ts';
import { NOT_TOLD, WORDS_PER_ACKNOWLEDGEMENT } from './messages.ts';
import type { Channel, Reply, Request } from './messages.ts';
import { PendingCalls } from './pending_calls.ts';
import { Unavailable, eventOf } from './port.ts';
import type { Ack, AuthoriseRequest, AuthoriseResult, CommittedBatch, Reservation, SequencerPort, SequencerStatus, Spent } from './port.ts';

/** Calls that wait for a reply; beyond them callers are refused at once. */
const PENDING_MAX = 50_000;
const OWN_COMMANDS = ['tick', 'endHour'];

interface Call {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
}

export interface ClientOptions {
  channel: Channel<Request>;
  /** Runs the flush of what has collected; a turn of the event loop later by default. */
  schedule?: (flush: () => void) => void;
}

export class SequencerClient implements SequencerPort {
  private readonly schedule: (flush: () => void) => void;
  private channel: Channel<Request>;
  private readonly calls = new PendingCalls<Call>();
  private readonly listeners = new Set<(batch: CommittedBatch) => void>();
  private outbox: Request[] = [];
  /** Commands at the end of the outbox. */
  private readonly envelopes = new EnvelopeWriter();
  private envelopeIds: number[] = [];
  private scheduled = false;
  /** Why nothing is taken at present. */
  private unavailable: string | undefined;
  /** As `unavailable`, and over when the journal answers again. */
  private stalled: string | undefined;

  constructor({ channel, schedule }: ClientOptions) {
    this.channel = channel;
    this.schedule = schedule ?? ((flush) => setImmediate(flush));
  }

  submit(envelope: Envelope): Promise<Ack> {
    if (OWN_COMMANDS.includes(envelope.command.type)) return Promise.reject(new Error(`${envelope.command.type} is the sequencer's own command`));
    return this.call<Ack>((id) => {
      this.envelopes.add(envelope);
      this.envelopeIds.push(id);
    });
  }

  query<Q extends QueryName>(name: Q, ask: Ask<Q>): Promise<Answer<Q>> {
    return this.ask<Answer<Q>>((id) => ({ kind: 'query', id, name, ask }));
  }
  authorise(request: AuthoriseRequest): Promise<AuthoriseResult> {
    return this.askBeside<AuthoriseResult>((id) => ({ kind: 'authorise', id, request }));
  }
  release(request: string): Promise<void> {
    return this.askBeside<void>((id) => ({ kind: 'release', id, request }));
  }
  reserve(reservation: Reservation): Promise<boolean> {
    return this.askBeside<boolean>((id) => ({ kind: 'reserve', id, reservation }));
  }
  releaseReservation(request: string, spent?: Spent): Promise<void> {
    return this.askBeside<void>((id) => ({ kind: 'releaseReservation', id, request, spent }));
  }
  setClock(now: number): Promise<number> {
    if (!Number.isSafeInteger(now) || now < 0) return Promise.reject(new RangeError('a time is a whole number of milliseconds'));
    return this.ask<number>((id) => ({ kind: 'clock', id, now }));
  }
  status(): Promise<SequencerStatus> {
    return this.ask<SequencerStatus>((id) => ({ kind: 'status', id }));
  }

  onCommitted(listener: (batch: CommittedBatch) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Takes nothing more, and resolves when all that was taken is answered. */
  async close(): Promise<void> {
    if (this.unavailable !== undefined) return;
    this.stalled = undefined;
    const drained = this.ask<void>((id) => ({ kind: 'close', id }));
    this.unavailable = 'shutting down';
    await drained;
  }

  /** Replies from the other side, in order. */
  receive(replies: readonly Reply[]): void {
    for (const reply of replies) this.handle(reply);
  }

  /** Nothing is taken until `resume`; what waits for a reply is refused, its outcome unknown. */
  suspend(why: string): void {
    this.unavailable = why;
    this.stalled = undefined;
    this.rejectAll(why);
  }

  private rejectAll(why: string): void {
    this.outbox = [];
    this.envelopes.clear();
    this.envelopeIds = [];
    for (const call of this.calls.takeAll()) call.reject(new Unavailable(why));
  }
  resume(channel: Channel<Request>): void {
    this.channel = channel;
    this.unavailable = undefined;
    this.stalled = undefined;
  }

  private ask<T>(request: (id: number) => Request): Promise<T> {
    return this.call<T>((id) => {
      this.closeRun();
      this.outbox.push(request(id));
    });
  }

  /** What the authoriser is asked has no place among commands: they go on collecting. */
  private askBeside<T>(request: (id: number) => Request): Promise<T> {
    return this.call<T>((id) => void this.outbox.push(request(id)));
  }

  private call<T>(enqueue: (id: number) => void): Promise<T> {
    const why = this.unavailable ?? this.stalled;
    if (why !== undefined) return Promise.reject(new Unavailable(why));
    if (this.calls.size >= PENDING_MAX) return Promise.reject(new Unavailable('too much is waiting'));
    return new Promise<T>((resolve, reject) => {
      const id = this.calls.add({ resolve, reject });
      try {
        enqueue(id);
      } catch (error) {
        this.calls.take(id);
        throw error;
      }
      if (this.scheduled) return;
      this.scheduled = true;
      this.schedule(() => this.flush());
    });
  }

  /** Commands that follow each other travel as one message. */
  private closeRun(): void {
    if (this.envelopes.count === 0) return;
    this.outbox.push({ kind: 'commands', ids: this.envelopeIds, bytes: this.envelopes.take() });
    this.envelopeIds = [];
  }

  private flush(): void {
    this.scheduled = false;
    this.closeRun();
    const messages = this.outbox;
    this.outbox = [];
    if (messages.length === 0) return;
    this.channel.post(messages, messages.flatMap((message) => (message.kind === 'commands' ? [message.bytes.buffer] : [])));
  }

  private handle(reply: Reply): void {
    switch (reply.kind) {
      case 'committed':
        return this.committed(reply.batch, reply.acknowledgements);
      case 'answer':
        return this.calls.take(reply.id)?.resolve(reply.value as never);
      case 'repeated': {
        const { id, sequence, now, events } = reply;
        const told = decodeRange(events, 0, events.words.length);
        const ack: Ack = { sequence, now, events: told, first: (kind) => eventOf(told, kind), repeated: true };
        return this.calls.take(id)?.resolve(ack as never);
      }
      case 'error':
        return this.calls.take(reply.id)?.reject(new Error(reply.message));
      case 'refused':
        for (const id of reply.ids) this.calls.take(id)?.reject(new Unavailable(reply.message));
        return;
      case 'stalled':
        // Who shuts down goes on waiting: what was taken is to be answered.
        if (this.unavailable !== undefined) return;
        this.stalled = reply.message;
        return this.rejectAll(reply.message);
      case 'flowing':
        this.stalled = undefined;
        return;
      case 'failed':
        return this.suspend(reply.message);
      case 'ready':
    }
  }

  /** Calls that wait for a reply. */
  protected get pending(): number {
    return this.calls.size;
  }

  /** Listeners first: whoever acts on an acknowledgement finds its effects already followed. */
  private committed(batch: CommittedBatch, acknowledgements: Float64Array): void {
    this.published(batch);
    this.acknowledged(batch, acknowledgements);
  }

  protected published(batch: CommittedBatch): void {
    for (const listener of this.listeners) listener(batch);
  }

  protected acknowledged(batch: CommittedBatch, acknowledgements: Float64Array): void {
    for (let at = 0; at < acknowledgements.length; at += WORDS_PER_ACKNOWLEDGEMENT) {
      const call = this.calls.take(acknowledgements[at]);
      if (call === undefined) continue;
      call.resolve(new BatchAck(batch, acknowledgements, at) as never);
    }
  }
}

/** Its events are decoded when they are first asked for: many callers want to know only that it is durable. */
class BatchAck implements Ack {
  private readonly batch: EventBatch;
  private readonly from: number;
  private readonly to: number;
  private decoded: EngineEvent[] | undefined;
  readonly sequence: number;
  readonly now: number;
  readonly repeated = false;
  readonly remaining: number | undefined;

  constructor({ events, now }: CommittedBatch, acknowledgements: Float64Array, at: number) {
    this.batch = events;
    this.sequence = acknowledgements[at + 1];
    this.from = acknowledgements[at + 2];
    this.to = acknowledgements[at + 3];
    const remaining = acknowledgements[at + 4];
    this.remaining = remaining === NOT_TOLD ? undefined : remaining;
    this.now = now;
  }
  first<K extends EngineEvent['kind']>(kind: K): EventOf<K> | undefined {
    const { batch, from, to } = this;
    const number: number = KIND[kind];
    let at = from;
    while (at < to && batch.words[at] !== number) at += 2 + batch.words[at + 1];
    return at < to ? eventOf([decodeEvent(batch, at)], kind) : undefined;
  }
  get events(): EngineEvent[] {
    return (this.decoded ??= decodeRange(this.batch, this.from, this.to));
  }
}

function decodeRange(batch: EventBatch, from: number, to: number): EngineEvent[] {
  const events: EngineEvent[] = [];
  for (let at = from; at < to; at += 2 + batch.words[at + 1]) events.push(decodeEvent(batch, at));
  return events;
}
