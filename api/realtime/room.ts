/**
 * All subscribers of one channel of one instrument or account. A room makes one frame for all of them
 * at a bounded rate, keeps the last frames for those who come back, and puts those who cannot keep up on
 * snapshots. Per subscriber the chain `prev_seq` -> `seq` has no gap.
 */
import type { Message } from './messages.ts';

/** What a room tells about. */
export interface Source {
  /** Fetches what `update` and `snapshot` tell; absent when they are always up to date. */
  prepare?(): Promise<void>;
  /** What changed since the last call, null when nothing did. */
  update(): unknown;
  /** All there is, as of the last `update`. */
  snapshot(): unknown;
  /** What was to be told after one command, up to another; absent when a snapshot tells as much. @throws when that is not to be had */
  recover?(after: number, upTo: number): Promise<unknown>;
  close?(): void;
}

export interface Member {
  readonly id: string;
  readonly congested: boolean;
  readonly drained: boolean;
  send(message: Message): void;
  close(code: 'slow_consumer'): void;
}

/** Sends one frame to many, serialised once. */
export interface Audience<M extends Member> {
  toRoom(room: string, message: Message): void;
  toEach(members: readonly M[], message: Message): void;
  enter(room: string, member: M): void;
  exit(room: string, member: M): void;
}

export interface Progress {
  /** Last command included in what sources tell, and its engine time. */
  readonly sequence: number;
  readonly now: number;
}

export interface RoomOptions<M extends Member> {
  channel: string;
  instrument: string | null;
  /** Unique name of the room. */
  name: string;
  source: Source;
  audience: Audience<M>;
  progress: Progress;
  /** Milliseconds between frames. */
  interval: number;
  /** Asks to be ticked soon. */
  wake: () => void;
  onError: (error: unknown) => void;
}

const FRAMES_KEPT = 256;
/** Timers may come this much early, milliseconds. */
const TIMER_SLACK = 5;
/** A message that this process has not come to by then was never told. */
const AHEAD_MILLIS = 1_000;
/** A connection that takes nothing for so long is closed. */
const STALL_MILLIS = 30_000;

export class Room<M extends Member = Member> {
  readonly name: string;
  /** Wall time since which nobody is subscribed. */
  emptySince = 0;
  private readonly options: RoomOptions<M>;
  private readonly frames: Message[] = [];
  private readonly live = new Set<M>();
  /** Waiting for a snapshot, with the last message each has; null: none. */
  private readonly joining = new Map<M, number | null>();
  /** Behind: the last message each has, and since when it is behind (null: since the next tick). */
  private readonly lagging = new Map<M, { seq: number | null; since: number | null }>();
  /** Ahead of this room, since another process told them more or later: the last message each has, and since when they wait (null: since the next tick). */
  private readonly ahead = new Map<M, { seq: number; since: number | null }>();
  /** What they missed is being fetched, by this attempt. */
  private readonly recovering = new Map<M, object>();
  private seq: number;
  private dirty = false;
  private preparing = false;
  /** Data have been fetched at least once. */
  private prepared: boolean;
  private framedAt = -Infinity;

  constructor(options: RoomOptions<M>) {
    this.options = options;
    this.name = options.name;
    this.seq = options.progress.sequence;
    this.prepared = options.source.prepare === undefined;
  }

  get isEmpty(): boolean {
    return this.live.size + this.joining.size + this.lagging.size + this.ahead.size + this.recovering.size === 0;
  }

  /** The source has something new; `soon`: which does not wait until the interval is over. */
  touch(soon = false): void {
    this.dirty = true;
    if (soon) this.framedAt = -Infinity;
    this.options.wake();
  }

  /** Subscribes: a snapshot first, then every frame. */
  join(member: M): void {
    this.leave(member);
    this.admitLater(member, null);
  }

  /**
   * Subscribes from a message on: the frames after it when they are still there, else a snapshot. The message may be
   * another process's, whose frames end elsewhere.
   */
  resume(member: M, since: number): void {
    this.leave(member);
    if (member.congested) {
      this.admitLater(member, since);
      return;
    }
    if (since > this.seq) {
      this.ahead.set(member, { seq: since, since: null });
      this.options.wake();
      return;
    }
    const from = since === this.seq ? this.frames.length : this.frames.findIndex((frame) => frame.prev_seq === since);
    if (from < 0) {
      if (this.options.source.recover === undefined) this.admitLater(member, since);
      else this.recover(member, since);
      return;
    }
    for (const frame of this.frames.slice(from)) member.send(frame);
    this.admit(member);
  }

  private recover(member: M, since: number): void {
    const { seq } = this;
    const attempt = {};
    this.recovering.set(member, attempt);
    const isStill = (): boolean => this.recovering.get(member) === attempt;
    const done = (data: unknown): void => {
      if (!isStill()) return;
      member.send(this.message('snapshot', seq, since, data));
      this.resume(member, seq);
    };
    const failed = (error: unknown): void => {
      this.options.onError(error);
      if (!isStill()) return;
      this.leave(member);
      this.admitLater(member, null);
    };
    this.options.source.recover?.(since, seq).then(done).catch(failed);
  }

  private admitLater(member: M, last: number | null): void {
    if (member.congested) this.lagging.set(member, { seq: last, since: null });
    else this.joining.set(member, last);
    if (this.prepared && !this.dirty && !this.preparing) this.welcome();
    else this.options.wake();
  }

  private admit(member: M): void {
    this.options.audience.enter(this.name, member);
    this.live.add(member);
  }

  leave(member: M): void {
    this.joining.delete(member);
    this.lagging.delete(member);
    this.ahead.delete(member);
    this.recovering.delete(member);
    if (this.live.delete(member)) this.options.audience.exit(this.name, member);
  }

  /** Does what is due. True while something is left to do later. */
  tick(wallNow: number): boolean {
    if (this.preparing) return true;
    const isDue = (this.dirty || !this.prepared) && wallNow - this.framedAt >= this.options.interval - TIMER_SLACK;
    const { source, progress } = this.options;
    if (isDue && source.prepare !== undefined) {
      this.prepareFrame(() => source.prepare?.() ?? Promise.resolve(), wallNow);
    } else if (isDue) {
      this.dirty = false;
      this.framedAt = wallNow;
      this.frame(progress.sequence, wallNow);
    }
    if (!this.preparing) this.catchUp(wallNow);
    return this.preparing || this.dirty || this.joining.size > 0 || this.lagging.size > 0 || this.isDoubted;
  }

  /** Fetches, then makes a frame that is true as of the command at which the fetch began. */
  private prepareFrame(prepare: () => Promise<void>, wallNow: number): void {
    const { sequence } = this.options.progress;
    this.preparing = true;
    this.dirty = false;
    this.framedAt = wallNow;
    const done = (): void => {
      if (this.prepared) this.frame(sequence, wallNow);
      else this.begin(sequence);
      this.preparing = false;
      this.welcome();
    };
    const failed = (error: unknown): void => {
      this.preparing = false;
      this.dirty = true;
      this.options.onError(error);
    };
    void prepare().then(done).catch(failed).finally(() => this.options.wake());
  }

  /** What was fetched first is told by snapshots only. */
  private begin(sequence: number): void {
    this.options.source.update();
    this.prepared = true;
    this.seq = Math.max(this.seq, sequence);
  }

  private frame(sequence: number, wallNow: number): void {
    const data = this.options.source.update();
    if (data === null) return;
    const message = this.message('update', Math.max(sequence, this.seq + 1), this.seq, data);
    this.frames.push(message);
    if (this.frames.length > 2 * FRAMES_KEPT) this.frames.splice(0, FRAMES_KEPT);
    this.setAsideCongested(wallNow);
    this.seq = message.seq;
    if (this.live.size > 0) this.options.audience.toRoom(this.name, message);
  }

  private message(type: Message['type'], seq: number, prevSeq: number | null, data: unknown): Message {
    const { channel, instrument, progress } = this.options;
    return { channel, instrument, seq, prev_seq: prevSeq, ts: new Date(progress.now).toISOString(), type, data };
  }

  /** Who has too much waiting gets no frames any more, but a snapshot when it has caught up. */
  private setAsideCongested(wallNow: number): void {
    for (const member of this.live) {
      if (!member.congested) continue;
      this.live.delete(member);
      this.options.audience.exit(this.name, member);
      this.lagging.set(member, { seq: this.seq, since: wallNow });
    }
  }

  /** Somebody has what this process has not come to yet. Who only has no less than this room needs nothing before its next frame. */
  private get isDoubted(): boolean {
    return [...this.ahead.values()].some(({ seq }) => seq > this.options.progress.sequence);
  }

  private meetAhead(wallNow: number): void {
    for (const [member, lead] of this.ahead) {
      const { seq } = lead;
      lead.since ??= wallNow;
      if (seq > this.seq && (seq <= this.options.progress.sequence || wallNow - lead.since < AHEAD_MILLIS)) continue;
      this.ahead.delete(member);
      // What was never told begins nothing.
      if (seq > this.seq) this.admitLater(member, null);
      else this.resume(member, seq);
    }
  }

  private catchUp(wallNow: number): void {
    this.meetAhead(wallNow);
    if (!this.dirty) this.welcome();
    for (const [member, lag] of this.lagging) {
      lag.since ??= wallNow;
      if (member.drained && !this.dirty) {
        this.lagging.delete(member);
        this.joining.set(member, lag.seq);
      } else if (wallNow - lag.since > STALL_MILLIS) {
        this.lagging.delete(member);
        member.close('slow_consumer');
      }
    }
    if (!this.dirty) this.welcome();
  }

  /** Gives all who wait the present state and lets them in. */
  private welcome(): void {
    if (this.joining.size === 0 || !this.prepared) return;
    const data = this.options.source.snapshot();
    const fresh: M[] = [];
    for (const [member, last] of this.joining) {
      if (last === null) fresh.push(member);
      else member.send(this.message('snapshot', this.seq, last, data));
    }
    if (fresh.length > 0) this.options.audience.toEach(fresh, this.message('snapshot', this.seq, null, data));
    for (const member of this.joining.keys()) this.admit(member);
    this.joining.clear();
  }

  close(): void {
    this.options.source.close?.();
  }
}
