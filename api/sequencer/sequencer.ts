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
import type { Envelope } from '../../engine/commands.ts';
import { encodeEvents } from '../../engine/codec/event_codec.ts';
import { FORESEEN } from '../../engine/trading/foresight.ts';
import type { QueryName } from '../../engine/queries.ts';
import type { Journal } from '../../db/journal_record.ts';
import type { Authoriser, PendingReleases } from './authoriser_port.ts';
import type { Clock } from './clock.ts';
import { EngineTime } from './engine_time.ts';
import { Execution, NO_TEXT, NOBODY, needsHolds, newTurn } from './execution.ts';
import type { Turn } from './execution.ts';
import type { AuthoriseRequest, AuthoriseResult, Reservation, SequencerStatus, Spent } from './port.ts';
import { SEQUENCER_LIMITS } from './sequencer_parts.ts';
import type { Outlet, SequencedEngine, SequencerLimits, SequencerParts } from './sequencer_parts.ts';
import { Waiting } from './waiting.ts';
import type { Item } from './waiting.ts';

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
  private readonly queue = new Waiting();
  private readonly execution: Execution;
  private readonly time: EngineTime;
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
    const { engine, clock, authoriser, limits } = this;
    this.execution = new Execution(engine, authoriser, limits);
    this.time = new EngineTime({ engine, clock, authoriser, execution: this.execution, idleMillis: limits.idleMillis });
    this.committedSequence = engine.sequence;
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
    const room = this.stopped ? 0 : Math.max(0, this.limits.queue - this.queue.length);
    this.queue.pushEncoded(ids.slice(0, room), bytes, this.elapsed() - age);
    if (room > 0) this.wake();
    return ids.slice(room);
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
    if (!this.stopped && this.time.isDue) this.wake();
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
      if (this.time.settlesHour) return false;
      this.ahead = newTurn();
      if (!this.time.advance()) return false;
    }
    return this.takeItems(this.ahead, (item) => item.kind !== 'clock' && !(item.kind === 'command' && needsHolds(item.envelope.command)));
  }

  private async run(): Promise<void> {
    try {
      while (!this.stopped && (this.ahead !== undefined || this.queue.length > 0 || this.time.isDue || this.engine.hasWork || this.moved.length > 0 || this.isHashDue)) {
        const turn = this.takeTurn();
        if (this.execution.written.count > 0) await this.commit(turn);
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
      commands: this.execution.written.take(),
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
    if (ahead !== undefined && this.time.settlesHour) return ahead;
    const turn = ahead ?? newTurn();
    if (this.time.advance()) this.takeItems(turn, () => true);
    if (!this.engine.hasWork) for (const id of this.moved.splice(0)) turn.release.answers.push({ id, ok: true, value: this.engine.now });
    if (this.isHashDue) {
      this.hashing = true;
      turn.release.hash = { ids: this.hashAsked.splice(0), sequence: this.engine.sequence, state: this.engine.copy(this.room) };
      this.room = undefined;
    }
    return turn;
  }

  /**
   * Takes a slice. @param fits ends the taking at the first item that may not be applied now
   * @returns whether it is only the slice that has ended
   */
  private takeItems(turn: Turn, fits: (item: Item) => boolean): boolean {
    const tooOld = this.elapsed() - this.limits.waitMillis;
    for (let taken = 0; taken < this.limits.sliceItems; taken++) {
      if (this.queue.length === 0 || this.execution.isFull) return false;
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
      if (item.kind === 'command') this.execution.apply(turn, item.id, item.envelope, item.encoded);
      else if (item.kind === 'query' && item.name === 'stateHash') this.hashAsked.push(item.id);
      else if (item.kind === 'query') turn.release.answers.push(this.execution.answer(item.id, item.name, item.ask));
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

}
