/** The sequencer's side of the channel: requests in, replies out. */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { decodeEventBytes } from '../../engine/codec/event_codec.ts';
import { KIND, forEachEvent } from '../../engine/events.ts';
import type { EventBatch } from '../../engine/events.ts';
import type { Journal } from '../../db/journal_record.ts';
import type { Channel, Reply, Request } from './messages.ts';
import { Sequencer } from './sequencer.ts';
import type { Release, SequencedEngine, SequencerParts } from './sequencer_parts.ts';

const FULL = 'too much is waiting';
const EXPIRED = 'it waited too long and was not executed';
/** An append that takes longer than this is not waited for by callers: they are to have an answer within a second. */
export const STALL_MILLIS = 700;
/** A thread that had no time itself sees few heartbeats, and may have an answer it has not read. */
const STALL_BEATS = 3;
/** Of the room that a copy of the state will have: so much takes about as long as a small batch. */
const PREPARED_BYTES = 1 << 20;
const STALLED = 'the database does not answer';

export interface HostOptions extends Omit<SequencerParts, 'outlet'> {
  channel: Channel<Reply>;
  /** As `SequencerStatus` has it. */
  leaseAge?: () => number;
  /** Called after each release, when everything applied is durable. */
  onReleased?: (lastSequence: number) => void;
  /** Called once, when the sequencer has failed: to be told with a `failed` message, and nothing after it. */
  onFailed: (error: Error) => void;
  /** Called when all is released and before `close` is answered. */
  onClose?: () => Promise<void>;
}

export class SequencerHost {
  readonly sequencer: Sequencer;
  private readonly journal: Journal;
  private readonly engine: SequencedEngine;
  private readonly channel: Channel<Reply>;
  private readonly manualClock: boolean;
  private readonly leaseAge: (() => number) | undefined;
  private readonly onReleased: (lastSequence: number) => void;
  private readonly onFailed: (error: Error) => void;
  private readonly onClose: () => Promise<void>;
  /** Answers that are being made: repeats and hashes. */
  private readonly making = new Set<Promise<void>>();
  /** Room for the next hash, while it is made. */
  private preparing: Promise<void> | undefined;
  private stalled = false;
  /** Heartbeats since the append under way began. */
  private beats = 0;

  constructor({ channel, leaseAge, onReleased, onFailed, onClose, ...parts }: HostOptions) {
    this.channel = channel;
    this.leaseAge = leaseAge;
    this.journal = parts.journal;
    this.engine = parts.engine;
    this.manualClock = parts.clock.set !== undefined;
    this.onReleased = onReleased ?? (() => undefined);
    this.onFailed = onFailed;
    this.onClose = onClose ?? (() => Promise.resolve());
    this.sequencer = new Sequencer({ ...parts, outlet: { released: (release) => this.released(release), failed: (error) => this.onFailed(error) } });
  }

  /** What is answered at once is told at once: each post wakes the other side. */
  receive(requests: readonly Request[]): void {
    const replies: Reply[] = [];
    for (const request of requests) this.handle(request, replies);
    if (replies.length > 0) this.reply(...replies);
  }

  /**
   * Lets engine time follow the clock, and tells callers when the journal does not answer: those whose
   * commands are being appended that their outcome is unknown, all others that nothing was executed.
   * To be called several times a second.
   */
  heartbeat(): void {
    this.sequencer.heartbeat();
    const waits = this.sequencer.appendingMillis;
    this.beats = waits === 0 ? 0 : this.beats + 1;
    if (waits < STALL_MILLIS || this.beats < STALL_BEATS) return;
    const shed = this.sequencer.shed();
    if (shed.length > 0) this.reply({ kind: 'refused', ids: shed, message: STALLED });
    if (!this.stalled) this.reply({ kind: 'stalled', message: STALLED });
    this.stalled = true;
  }

  /** All that was accepted is released and answered. */
  async drain(): Promise<void> {
    for (;;) {
      await this.sequencer.drain();
      if (this.making.size === 0) return;
      await Promise.all(this.making);
    }
  }

  /** @param replies takes what can be answered at once */
  private handle(request: Request, replies: Reply[]): void {
    const { sequencer } = this;
    switch (request.kind) {
      case 'commands': {
        const refused = sequencer.submitEncoded(request.ids, request.bytes, request.age);
        if (refused.length > 0) replies.push({ kind: 'refused', ids: refused, message: FULL });
        return;
      }
      case 'query':
        if (request.name === 'stateHash') this.track(this.askHash(request.id));
        else if (!sequencer.query(request.id, request.name, request.ask)) replies.push({ kind: 'refused', ids: [request.id], message: FULL });
        return;
      case 'clock':
        if (!this.manualClock) replies.push({ kind: 'error', id: request.id, message: 'the clock is not manual' });
        else if (!sequencer.setClock(request.id, request.now)) replies.push({ kind: 'refused', ids: [request.id], message: FULL });
        return;
      case 'authorise':
        replies.push({ kind: 'answer', id: request.id, value: sequencer.authorise(request.request) });
        return;
      case 'release':
        sequencer.release(request.request);
        replies.push({ kind: 'answer', id: request.id, value: undefined });
        return;
      case 'reserve':
        replies.push({ kind: 'answer', id: request.id, value: sequencer.reserve(request.reservation) });
        return;
      case 'releaseReservation':
        sequencer.releaseReservation(request.request, request.spent);
        replies.push({ kind: 'answer', id: request.id, value: undefined });
        return;
      case 'status':
        replies.push({ kind: 'answer', id: request.id, value: { ...sequencer.status(), leaseAge: this.leaseAge?.() } });
        return;
      case 'close':
        void this.close(request.id);
    }
  }

  private async close(id: number): Promise<void> {
    await this.drain();
    await this.onClose();
    this.reply({ kind: 'answer', id, value: undefined });
  }

  private reply(...replies: Reply[]): void {
    this.channel.post(replies, []);
  }

  private released({ batch, acknowledgements, repeats, answers, expired, hash }: Release): void {
    const replies: Reply[] = [];
    if (expired.length > 0) replies.push({ kind: 'refused', ids: expired, message: EXPIRED });
    const transfer: ArrayBuffer[] = [];
    if (batch !== undefined) {
      const packed = acknowledgements.packed();
      replies.push({ kind: 'committed', batch, acknowledgements: packed });
      transfer.push(packed.buffer, batch.events.words.buffer as ArrayBuffer);
    }
    for (const answer of answers) {
      replies.push(answer.ok ? { kind: 'answer', id: answer.id, value: answer.value } : { kind: 'error', id: answer.id, message: answer.message });
    }
    if (this.stalled) replies.push({ kind: 'flowing' });
    this.stalled = false;
    this.beats = 0;
    this.channel.post(replies, transfer);
    for (const { id, original } of repeats) this.track(this.repeat(id, original));
    if (hash !== undefined) this.track(this.hash(hash));
    if (batch !== undefined) this.onReleased(batch.lastSequence);
  }

  private track(work: Promise<void>): void {
    this.making.add(work);
    void work.finally(() => this.making.delete(work));
  }

  private async askHash(id: number): Promise<void> {
    this.preparing ??= this.prepareRoom().finally(() => (this.preparing = undefined));
    await this.preparing;
    if (!this.sequencer.query(id, 'stateHash', {})) this.reply({ kind: 'refused', ids: [id], message: FULL });
  }

  /** Writes where the state is to be copied to, a part after each turn, so that the copy itself, amid which nothing else happens, takes less. */
  private async prepareRoom(): Promise<void> {
    const room = new Uint8Array(this.engine.copyRoom);
    for (let at = 0; at < room.length; at += PREPARED_BYTES) {
      room.fill(0, at, at + PREPARED_BYTES);
      await turn();
    }
    this.sequencer.lend(room);
  }

  /** The state's hash, as `stateHash` of the engine has it, a part after each turn: the lease is renewed and commands are executed meanwhile. */
  private async hash({ ids, sequence, state }: NonNullable<Release['hash']>): Promise<void> {
    const hash = createHash('sha256');
    for (const piece of state.pieces()) {
      hash.update(piece);
      await turn();
    }
    const value = { stateHash: hash.digest('hex'), sequence };
    this.reply(...ids.map((id): Reply => ({ kind: 'answer', id, value })));
    this.sequencer.hashed();
  }

  /** What a repeat brings about is what its original did; only the journal remembers that. */
  private async repeat(id: number, original: number): Promise<void> {
    try {
      const row = await this.journal.rowOf(original);
      if (row === undefined) throw new Error(`sequence ${original} is not in the journal`);
      const events = eventsOf(decodeEventBytes(row.events), original);
      this.reply({ kind: 'repeated', id, sequence: original, now: row.engineTime, events });
    } catch (error) {
      this.reply({ kind: 'refused', ids: [id], message: `the original could not be read: ${error instanceof Error ? error.message : String(error)}` });
    }
  }
}

/** The events of one command of a batch, without its `command` event. */
export function eventsOf(batch: EventBatch, sequence: number): EventBatch {
  let from = -1;
  let to = batch.words.length;
  forEachEvent(batch, (kind, at) => {
    if (kind !== KIND.command) return;
    if (batch.words[at + 2] === sequence) from = at + 2 + batch.words[at + 1];
    else if (from !== -1 && to === batch.words.length) to = at;
  });
  if (from === -1) throw new Error(`sequence ${sequence} is not in its batch`);
  return { words: batch.words.slice(from, to), texts: batch.texts };
}
