/**
 * The only caller of the engine. Numbers commands by their order of arrival, applies what has
 * collected as one batch, appends the batch to the journal and, only then, releases acknowledgements,
 * events and answers. While a batch is being appended, the next collects; when much waits, the next is
 * applied meanwhile, and nothing of it leaves before both are durable.
 *
 * No I/O of its own: journal, clock, engine, authoriser and outlet are given, so that a simulation
 * can run it. When the journal fails after the state moved, it stops for good: whoever made it
 * starts again from the journal.
 */
import type { Command, Envelope, OrderCommand } from '../../engine/commands.ts';
import { EnvelopeReader, EnvelopeWriter } from '../../engine/codec/command_codec.ts';
import { encodeEvents } from '../../engine/codec/event_codec.ts';
import { FORESEEN } from '../../engine/trading/foresight.ts';
import { KIND } from '../../engine/events.ts';
import type { EventBuffer } from '../../engine/events.ts';
import type { QueryName } from '../../engine/queries.ts';
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import type { Journal } from '../../db/journal_record.ts';
import type { Authoriser, EngineView, PendingReleases } from './authoriser_port.ts';
import type { Clock } from './clock.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { NOT_TOLD } from './messages.ts';
import type { AuthoriseRequest, AuthoriseResult, CommittedBatch, Reservation, SequencerStatus, Spent } from './port.ts';
import { Queue } from './queue.ts';

/** The bytes of a snapshot, which are made when they are asked for. */
export interface StateCopy {
  pieces(): Iterable<Uint8Array>;
}

export interface SequencedEngine extends EngineView {
  readonly buffer: EventBuffer;
  /** Something is begun that ticks to the present moment go on with, a part each, so that orders get in between. */
  readonly hasWork: boolean;
  set rulesVersion(version: number);
  apply(envelope: Envelope): void;
  /** Whether it helps to tell the engine of commands before they come. */
  readonly isWide: boolean;
  foresee(envelopes: readonly Envelope[], from: number, to: number): void;
  /** A copy of the state, of which the hash is taken; in a room, if there is one. */
  copy(room?: Uint8Array<ArrayBuffer>): StateCopy;
  /** As many bytes as such a room should have. */
  readonly copyRoom: number;
}

export type QueryAnswer = { id: number; ok: true; value: unknown } | { id: number; ok: false; message: string };

/** What one turn releases, all at once. */
export interface Release {
  /** undefined: the turn had only questions. */
  batch: CommittedBatch | undefined;
  acknowledgements: Acknowledgements;
  /** Commands whose idempotency key was used before: they are acknowledged with the original's events. */
  repeats: { id: number; original: number }[];
  answers: QueryAnswer[];
  /** Waited longer than callers do, or asked of one who may have been replaced; they were not executed. */
  expired: number[];
  /** Who has asked for the hash of this state. Hashing takes long, so it is done beside the commands; `hashed` is to be called then. */
  hash: { ids: number[]; sequence: number; state: StateCopy } | undefined;
}

export interface Outlet {
  /** Everything applied so far is durable when this is called. */
  released(release: Release): void;
  /** The last call there is: nothing more will be applied or released. */
  failed(error: Error): void;
}

export interface SequencerLimits {
  /** Commands, queries and clock moves that wait; beyond them callers are refused. */
  queue: number;
  /** What has waited longer is given back instead of executed: nobody is there for it any more. */
  waitMillis: number;
  /** Commands of one batch. */
  batchCommands: number;
  /** Event words after which a batch is closed. */
  batchWords: number;
  /** So many items that wait while a batch is being appended are applied at once, as the beginning of the next. With fewer there is little to gain, and what is not applied can still be given back. */
  aheadItems: number;
  /** So many items are applied at a time before it is looked whether the append under way has ended: the next one is not to wait for long. */
  sliceItems: number;
  /** Idle time after which engine time moves on by itself. */
  idleMillis: number;
}
export const SEQUENCER_LIMITS: SequencerLimits = { queue: 50_000, waitMillis: 5_000, batchCommands: 8_000, batchWords: 1 << 20, aheadItems: 64, sliceItems: 256, idleMillis: 1_000 };

export interface SequencerParts {
  engine: SequencedEngine;
  journal: Journal;
  clock: Clock;
  authoriser: Authoriser;
  outlet: Outlet;
  rulesVersion: number;
  limits?: Partial<SequencerLimits>;
  /** Milliseconds that never go back, to tell how long something has waited. */
  elapsed?: () => number;
  /** Whether nobody else can have taken the lead: asked before answers leave that no append has proven to be the newest. Always, unless given. */
  leads?: () => boolean;
}

/** since: when it came, in elapsed milliseconds. */
type Item = { id: number; since: number } & (
  | { kind: 'command'; envelope: Envelope; encoded: Encoded }
  | { kind: 'query'; name: QueryName; ask: object }
  | { kind: 'clock'; now: number }
);

/** An envelope's bytes as they came: from..to. undefined: it came as none. */
type Encoded = { bytes: Uint8Array; from: number; to: number } | undefined;

/** The id of commands nobody waits for. */
const NOBODY = 0;
/** Time that stood still for so long was an outage. */
const OUTAGE_MILLIS = 2 * MILLIS_PER_MINUTE;
const NO_TEXT = { idempotencyKey: '', bodyHash: '' };

/** What has been applied and is not yet released. */
interface Turn {
  captured: string[];
  release: Release;
}

const newTurn = (): Turn => ({ captured: [], release: { batch: undefined, acknowledgements: new Acknowledgements(), repeats: [], answers: [], expired: [], hash: undefined } });

export class Sequencer {
  private readonly engine: SequencedEngine;
  private readonly foreseen: Envelope[] = [];
  private readonly journal: Journal;
  private readonly clock: Clock;
  private readonly authoriser: Authoriser;
  private readonly outlet: Outlet;
  private readonly rulesVersion: number;
  private readonly limits: SequencerLimits;
  private readonly elapsed: () => number;
  private readonly leads: () => boolean;
  private readonly queue = new Queue<Item>();
  /** Commands of the turn that is being taken. */
  private readonly written = new EnvelopeWriter();
  private committedSequence: number;
  /** When the append under way was given to the journal; undefined: none is. */
  private appendingSince: number | undefined;
  /** What has been applied during the append under way. */
  private ahead: Turn | undefined;
  private goingAhead = false;
  /** Who has moved the clock and is answered when all that was due has run; meanwhile what came later gets in between. */
  private readonly moved: number[] = [];
  /** Who asks for the state's hash. One is taken at a time, because each holds a copy of the state: whoever asks meanwhile is told the next. */
  private readonly hashAsked: number[] = [];
  private hashing = false;
  /** For the next copy of the state. */
  private room: Uint8Array<ArrayBuffer> | undefined;
  private running = false;
  private stopped = false;
  private drained: (() => void)[] = [];

  constructor(parts: SequencerParts) {
    this.engine = parts.engine;
    this.journal = parts.journal;
    this.clock = parts.clock;
    this.authoriser = parts.authoriser;
    this.outlet = parts.outlet;
    this.rulesVersion = parts.rulesVersion;
    // What was recovered may have been written under older rules.
    parts.engine.rulesVersion = parts.rulesVersion;
    this.limits = { ...SEQUENCER_LIMITS, ...parts.limits };
    this.elapsed = parts.elapsed ?? (() => performance.now());
    this.leads = parts.leads ?? (() => true);
    this.committedSequence = this.engine.sequence;
    this.sendReleases(this.authoriser.load(this.engine));
  }

  /** @returns false when the queue is full or the sequencer has stopped */
  submit(id: number, envelope: Envelope): boolean {
    return this.add({ kind: 'command', id, since: this.elapsed(), envelope, encoded: undefined });
  }
  /**
   * Envelopes as an EnvelopeWriter writes them, one id each. @returns the ids of those that are refused, as in `submit`
   * @param age milliseconds that they have waited already: what callers wait for is the whole
   */
  submitEncoded(ids: readonly number[], bytes: Uint8Array, age = 0): number[] {
    const since = this.elapsed() - age;
    const reader = new EnvelopeReader(bytes);
    const refused: number[] = [];
    for (const id of ids) {
      const from = reader.at;
      const envelope = reader.next();
      if (!this.add({ kind: 'command', id, since, envelope, encoded: { bytes, from, to: reader.at } })) refused.push(id);
    }
    reader.end();
    return refused;
  }
  /** Answered at its place between commands. @returns false as in `submit` */
  query(id: number, name: QueryName, ask: object): boolean {
    return this.add({ kind: 'query', id, since: this.elapsed(), name, ask });
  }
  /** Moves a manual clock; answered with engine time when all that is due has run. @returns false as in `submit` */
  setClock(id: number, now: number): boolean {
    return this.add({ kind: 'clock', id, since: this.elapsed(), now });
  }
  /** Lets engine time follow the clock when nothing else does. To be called now and then. */
  heartbeat(): void {
    if (!this.stopped && this.timeIsDue()) this.wake();
  }

  authorise(request: AuthoriseRequest): AuthoriseResult {
    return this.authoriser.authorise(request);
  }
  release(request: string): void {
    this.sendReleases(this.authoriser.release(request));
  }
  reserve(reservation: Reservation): boolean {
    return this.authoriser.reserve(reservation);
  }
  releaseReservation(request: string, spent: Spent | undefined): void {
    this.authoriser.releaseReservation(request, spent);
  }

  status(): SequencerStatus {
    const { engine, journal, committedSequence, queue } = this;
    return { sequence: engine.sequence, committedSequence, epoch: journal.epoch, now: engine.now, queueLength: queue.length };
  }

  /** How long the journal has owed an answer; 0 when it owes none. */
  get appendingMillis(): number {
    return this.appendingSince === undefined ? 0 : this.elapsed() - this.appendingSince;
  }

  /** Gives back what waits and has had no effect yet. What nobody waits for stays. */
  shed(): number[] {
    const ids: number[] = [];
    this.queue.keep(({ id }) => {
      if (id !== NOBODY) ids.push(id);
      return id === NOBODY;
    });
    return ids;
  }

  /** Memory for the copy of the state of which the next hash is taken: all stands still for less long when it has been written before. */
  lend(room: Uint8Array<ArrayBuffer>): void {
    this.room = room;
  }

  /** The hash that was released last has been told. */
  hashed(): void {
    this.hashing = false;
    if (this.hashAsked.length > 0 && !this.stopped) this.wake();
  }

  /** Stops for good, as when an append fails: the journal is no longer ours. */
  abort(error: Error): void {
    this.fail(error);
  }

  /** Resolves when all that was accepted is released, or the sequencer has failed. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.drained.push(resolve);
      this.wake();
    });
  }

  private add(item: Item): boolean {
    if (this.stopped || this.queue.length >= this.limits.queue) return false;
    this.queue.push(item);
    this.wake();
    return true;
  }

  private sendReleases(releases: PendingReleases): void {
    if (this.stopped || releases.length === 0) return;
    for (const command of releases) this.queue.push({ kind: 'command', id: NOBODY, since: 0, envelope: { command, ...NO_TEXT }, encoded: undefined });
    this.wake();
  }

  private timeIsDue(): boolean {
    return this.clock.now() >= this.engine.now + this.limits.idleMillis;
  }

  /** What is submitted in the same task still joins the first batch. */
  private wake(): void {
    if (this.running) return this.wakeAhead();
    this.running = true;
    queueMicrotask(() => void this.run());
  }

  /** As `wake`, during an append. What has come meanwhile, its end among it, is heard of before each slice. */
  private wakeAhead(): void {
    if (this.goingAhead || this.appendingSince === undefined || this.queue.length < this.limits.aheadItems) return;
    this.goingAhead = true;
    setImmediate(() => {
      this.goingAhead = false;
      if (this.appendingSince === undefined || this.stopped) return;
      try {
        if (this.goAhead()) this.wakeAhead();
      } catch (error) {
        this.fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /**
   * Applies a slice of what waits although the batch before is not durable yet. Nothing that rests on the authoriser, which has not heard of that batch.
   * @returns whether more may be applied
   */
  private goAhead(): boolean {
    if (this.ahead === undefined) {
      if (this.settlesHour()) return false;
      this.ahead = newTurn();
      if (!this.advanceTime()) return false;
    }
    return this.takeItems(this.ahead, (item) => item.kind !== 'clock' && !(item.kind === 'command' && needsHolds(item.envelope.command)));
  }

  private async run(): Promise<void> {
    try {
      while (!this.stopped && (this.ahead !== undefined || this.queue.length > 0 || this.timeIsDue() || this.engine.hasWork || this.moved.length > 0 || this.isHashDue)) {
        const turn = this.takeTurn();
        if (this.written.count > 0) await this.commit(turn);
        if (!this.isStopped()) this.releaseTurn(turn);
      }
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
    this.running = false;
    for (const resolve of this.drained.splice(0)) resolve();
  }

  private get isHashDue(): boolean {
    return this.hashAsked.length > 0 && !this.hashing;
  }

  /** Asked anew after a wait: the lead may have been lost meanwhile. */
  private isStopped(): boolean {
    return this.stopped;
  }

  private fail(error: Error): void {
    if (this.stopped) return;
    this.stopped = true;
    this.queue.clear();
    this.outlet.failed(error);
  }

  private async commit(turn: Turn): Promise<void> {
    const { engine } = this;
    const events = engine.buffer.take();
    const batch = { firstSequence: this.committedSequence + 1, lastSequence: engine.sequence, now: engine.now, events };
    turn.release.batch = batch;
    this.appendingSince = this.elapsed();
    const appended = this.journal.append({
      firstSequence: batch.firstSequence,
      lastSequence: batch.lastSequence,
      engineTime: batch.now,
      rulesVersion: this.rulesVersion,
      commands: this.written.take(),
      events: encodeEvents(events),
    });
    this.wakeAhead();
    await appended;
    this.appendingSince = undefined;
    if (this.isStopped()) return;
    this.committedSequence = batch.lastSequence;
    this.sendReleases(this.authoriser.committed(batch));
    for (const request of turn.captured) this.sendReleases(this.authoriser.captured(request));
  }

  private releaseTurn({ release }: Turn): void {
    const { hash } = release;
    if (release.batch === undefined && (release.answers.length > 0 || hash !== undefined) && !this.leads()) {
      release.expired.push(...release.answers.splice(0).map(({ id }) => id), ...(hash?.ids ?? []));
      release.hash = undefined;
      this.hashing = false;
    }
    if (release.batch !== undefined || release.answers.length > 0 || release.expired.length > 0 || release.hash !== undefined) this.outlet.released(release);
  }

  /** Time first, then a slice of what waits: the rest is applied during the append. What has been applied during the last one is its beginning. */
  private takeTurn(): Turn {
    const { ahead } = this;
    this.ahead = undefined;
    // An hour is settled before any capture of its batch: the next one does it.
    if (ahead !== undefined && this.settlesHour()) return ahead;
    const turn = ahead ?? newTurn();
    if (this.advanceTime()) this.takeItems(turn, () => true);
    if (!this.engine.hasWork) for (const id of this.moved.splice(0)) turn.release.answers.push({ id, ok: true, value: this.engine.now });
    if (this.isHashDue) {
      this.hashing = true;
      turn.release.hash = { ids: this.hashAsked.splice(0), sequence: this.engine.sequence, state: this.engine.copy(this.room) };
      this.room = undefined;
    }
    return turn;
  }

  private isFull(): boolean {
    return this.written.count >= this.limits.batchCommands || this.engine.buffer.length >= this.limits.batchWords;
  }

  /**
   * Moves engine time to the clock's. Each delivery hour that ends on the way is settled at exactly
   * its end, in the same batch as the tick that reaches it: an hour is over if and only if it is
   * settled, so nothing else need be remembered. Held requests are counted before any capture of
   * this batch is applied. @returns false when the batch is full before the clock's time is reached
   */
  private advanceTime(): boolean {
    const target = this.clock.now();
    this.noteOutage(target);
    if (this.engine.hasWork && this.engine.now >= target) this.tick(this.engine.now);
    while (this.engine.now < target) {
      if (this.isFull()) return false;
      const { now } = this.engine;
      const hour = Math.floor(now / MILLIS_PER_HOUR);
      const hourEnd = (hour + 1) * MILLIS_PER_HOUR;
      // Before its first moment the market has no hours.
      const settles = now > 0 && hourEnd <= target;
      this.tick(settles ? hourEnd : target);
      if (settles) this.applyOwn({ type: 'endHour', hour, pending: this.authoriser.pendingOf(hour) });
    }
    return true;
  }

  /** Whether an hour ends before the clock's time: its settlement counts what requests still hold. */
  private settlesHour(): boolean {
    return Math.floor(this.engine.now / MILLIS_PER_HOUR) !== Math.floor(this.clock.now() / MILLIS_PER_HOUR);
  }

  /**
   * Nobody was there to move time for whole minutes: hours sold in them are refunded, and no provider is to
   * blame. A clock that an operator moves leaves nothing out.
   */
  private noteOutage(target: number): void {
    const { now } = this.engine;
    if (now === 0 || this.clock.set !== undefined || target - now < OUTAGE_MILLIS) return;
    this.applyOwn({ type: 'platformDown', from: now, to: target });
  }

  private tick(now: number): void {
    this.applyOwn({ type: 'tick', now });
    if (this.engine.now !== now) throw new Error(`engine time is ${this.engine.now} after a tick to ${now}`);
  }

  /** Writes into resales, and into reports after which hours are bought elsewhere, what requests under way hold: so the engine, and every replay, leaves it alone. */
  private withHolds<C extends Command>(command: C): C {
    if (command.type === 'reportMinute') return { ...command, held: this.authoriser.allHeld() };
    if (command.type === 'place') return command.resaleOf === 0 ? command : { ...command, held: this.authoriser.heldOf(command.resaleOf) };
    return command.type === 'batch' ? { ...command, operations: command.operations.map((operation): OrderCommand => this.withHolds(operation)) } : command;
  }

  private applyOwn(command: Command): void {
    const envelope = { command, ...NO_TEXT };
    this.written.add(envelope);
    this.engine.apply(envelope);
  }

  /**
   * Takes a slice. @param fits ends the taking at the first item that may not be applied now
   * @returns whether it is only the slice that has ended
   */
  private takeItems(turn: Turn, fits: (item: Item) => boolean): boolean {
    const tooOld = this.elapsed() - this.limits.waitMillis;
    for (let taken = 0; taken < this.limits.sliceItems; taken++) {
      if (this.queue.length === 0 || this.isFull()) return false;
      if (taken % FORESEEN === 0 && this.engine.isWide) this.tellAhead();
      const item = this.queue.first();
      if (item.id !== NOBODY && item.since < tooOld && !this.isUnderWay(item)) {
        this.queue.shift();
        turn.release.expired.push(item.id);
        continue;
      }
      if (!fits(item)) return false;
      if (item.kind === 'clock' && item.now > this.engine.now) {
        // The next turn moves time, and finds the item answered.
        this.clock.set?.(item.now);
        return false;
      }
      this.queue.shift();
      if (item.kind === 'command') this.applyItem(turn, item.id, item.envelope, item.encoded);
      else if (item.kind === 'query' && item.name === 'stateHash') this.hashAsked.push(item.id);
      else if (item.kind === 'query') turn.release.answers.push(this.answer(item.id, item.name, item.ask));
      else this.moved.push(item.id);
    }
    return true;
  }

  /** Who moved the clock waits for all that is due on the way, however long it takes. */
  private isUnderWay(item: Item): boolean {
    return item.kind === 'clock' && item.now <= this.clock.now();
  }

  /** Tells the engine of the commands that wait in front. */
  private tellAhead(): void {
    const { queue, foreseen } = this;
    foreseen.length = 0;
    for (let place = 0; place < FORESEEN && place < queue.length; place++) {
      const item = queue.at(place);
      if (item.kind === 'command') foreseen.push(item.envelope);
    }
    this.engine.foresee(foreseen, 0, foreseen.length);
  }

  /** A receipt says what is left: told with the capture, it costs no question of its own. */
  private remainingAfter(command: Command): number {
    if (command.type !== 'capture') return NOT_TOLD;
    const { available, held, contracted } = this.engine.query('balances', { company: command.company });
    return available + held + contracted;
  }

  private answer(id: number, name: QueryName, ask: object): QueryAnswer {
    try {
      return { id, ok: true, value: this.engine.query(name, ask as never) };
    } catch (error) {
      return { id, ok: false, message: error instanceof Error ? error.message : String(error) };
    }
  }

  private applyItem(turn: Turn, id: number, given: Envelope, encoded: Encoded): void {
    const { engine } = this;
    const begin = engine.buffer.length;
    const envelope = needsHolds(given.command) ? { ...given, command: this.withHolds(given.command) } : given;
    if (encoded !== undefined && envelope === given) this.written.copy(encoded.bytes, encoded.from, encoded.to);
    else this.written.add(envelope);
    engine.apply(envelope);
    if (envelope.command.type === 'reportMinute') this.authoriser.rereadAll();
    else if (envelope !== given && 'company' in envelope.command) this.authoriser.reread(envelope.command.company);
    if (envelope.command.type === 'capture') turn.captured.push(envelope.command.request);
    if (id === NOBODY) return;
    const { words, length } = engine.buffer;
    const from = begin + 2 + words[begin + 1];
    if (from < length && words[from] === KIND.repeated) turn.release.repeats.push({ id, original: words[from + 2] });
    else turn.release.acknowledgements.add(id, engine.sequence, from, length, words[from] === KIND.rejected ? NOT_TOLD : this.remainingAfter(envelope.command));
  }
}

/** Whether an allocation may be offered, or bought elsewhere, by it. */
function needsHolds(command: Command): boolean {
  if (command.type === 'reportMinute') return true;
  if (command.type === 'place') return command.resaleOf !== 0;
  return command.type === 'batch' && command.operations.some(needsHolds);
}
