/**
 * The sequencer as other processes have it: the same port, over Redis. Committed batches come in order
 * and without gaps; what Redis has lost is read from the journal. While the engine cannot be heard,
 * callers are refused at once.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { OrderWatch } from '../realtime/cancel_on_disconnect.ts';
import { SequencerClient } from '../sequencer/client.ts';
import type { Reply, Request } from '../sequencer/messages.ts';
import type { CommittedBatch } from '../sequencer/port.ts';
import { BEAT_MILLIS } from './door.ts';
import { MissedForGood, missedBatches } from './journal_gap.ts';
import { TAKEN_WITHIN_MILLIS, idsOf, placesOf } from './messages.ts';
import type { Answers, Broadcast, Places, Upward } from './messages.ts';
import { connectRedis, sayTrouble } from './redis.ts';
import type { Seal } from './seal.ts';

/** Looks without a beat after which the engine cannot be heard. Looks and not time: a process that was held up has read nothing yet. */
const SILENT_MAX = 8;
/** After this nobody waits for an answer any more; its outcome is unknown. Longer than the engine lets a command wait, the way there included: what is executed is so before. */
const ANSWERED_WITHIN_MILLIS = 6_000;
/** A clock moved by a month has much to settle; nothing else takes so long. */
const CLOCK_ANSWERED_WITHIN_MILLIS = 300_000;
const STREAM_ENTRIES_MAX = 20_000;
/** Messages that wait while the journal is read; beyond them all are dropped, and read from there too. */
const INBOX_MAX = 10_000;
const TELL_EVERY = 1_000 / BEAT_MILLIS;
const RETRY_MILLIS = 200;
const CLOSE_MILLIS = 2_000;
const AWAY = 'the market cannot be reached';
const MOVED = 'another engine leads now';

export interface RemoteOptions {
  redisUrl: string;
  /** Of the journal. */
  databaseUrl: () => string;
  seal: Seal;
  log: Logger;
  /** Told when Redis does not answer, and when it does again. */
  say?: (line: string) => void;
  /** What follows committed batches cannot go on in this process. */
  onFatal: (error: Error) => void;
}

type Message = Broadcast | ({ kind: 'answers' } & Answers);

export class RemoteSequencer extends SequencerClient implements OrderWatch {
  private readonly options: RemoteOptions;
  private readonly places: Places;
  private readonly client = randomBytes(8).toString('hex');
  private readonly commander: Redis;
  private readonly subscriber: Redis;
  private readonly watched = new Set<number>();
  private readonly timer: NodeJS.Timeout;
  private inbox: Message[] = [];
  private draining = false;
  private reachable = false;
  private closing = false;
  private epoch = 0;
  /** The last batch that listeners have seen; undefined until the first beat. */
  private followed: number | undefined;
  /** What had been followed when the present leader was first heard: it cannot have less. A beat of its own that comes late may. */
  private floor = 0;
  private silent = 0;
  private looks = 0;
  private number = 0;
  /** The leader's clock at its last beat, and ours then. */
  private leaderAt = 0;
  private heardAt = 0;
  /** Ids that wait for an answer, by when they end. */
  private waiting: { until: number; ids: number[] }[] = [];
  private opened: () => void = () => undefined;

  private constructor(options: RemoteOptions) {
    super({ channel: { post: () => undefined } });
    this.options = options;
    this.places = placesOf(options.seal);
    this.suspend(AWAY);
    this.commander = connectRedis(options.redisUrl, `commands ${this.client}`);
    this.subscriber = connectRedis(options.redisUrl, `events ${this.client}`);
    if (options.say !== undefined) sayTrouble(this.commander, options.say);
    for (const redis of [this.commander, this.subscriber]) redis.on('close', () => this.lost(AWAY));
    this.subscriber.on('ready', () => void this.subscribe());
    this.subscriber.on('messageBuffer', (place: Buffer, bytes: Buffer) => this.hear(place.toString(), bytes));
    this.timer = setInterval(() => this.look(), BEAT_MILLIS);
  }

  /** Resolves when the engine has been heard. */
  static async open(options: RemoteOptions): Promise<RemoteSequencer> {
    const remote = new RemoteSequencer(options);
    await new Promise<void>((resolve) => (remote.opened = resolve));
    return remote;
  }

  override async close(): Promise<void> {
    this.closing = true;
    for (const end = performance.now() + CLOSE_MILLIS; this.pending > 0 && performance.now() < end; ) await sleep(BEAT_MILLIS / 10);
    this.watched.clear();
    await this.send([], true);
    this.suspend('shutting down');
    clearInterval(this.timer);
    this.commander.disconnect();
    this.subscriber.disconnect();
  }

  began(company: number): void {
    this.watched.add(company);
    void this.send([], true);
  }
  ended(company: number): void {
    this.watched.delete(company);
    void this.send([], true);
  }
  settle(): Promise<void> {
    return this.send([], true);
  }

  private async subscribe(): Promise<void> {
    const { events, answers } = this.places;
    await this.subscriber.subscribe(events, answers(this.client)).catch(() => undefined);
  }

  private hear(place: string, bytes: Buffer): void {
    const message = this.options.seal.open(place, bytes) as Broadcast | Answers | undefined;
    if (message === undefined || message.epoch < this.epoch) return;
    if (message.epoch > this.epoch) this.follow(message.epoch);
    const received: Message = 'kind' in message ? message : { kind: 'answers', ...message };
    if (received.kind === 'beat') {
      // One that was heard before, or comes out of turn, says nothing.
      if (received.at <= this.leaderAt) return;
      this.leaderAt = received.at;
      this.heardAt = performance.now();
      this.silent = 0;
    }
    this.inbox.push(received);
    if (this.inbox.length > INBOX_MAX) {
      this.inbox = [];
      this.lost('this process is too far behind');
    }
    void this.drain();
  }

  /** A leader that was not heard before: nobody knows what became of what the last one was asked. */
  private follow(epoch: number): void {
    this.lost(MOVED);
    this.epoch = epoch;
    this.leaderAt = 0;
    this.floor = this.followed ?? 0;
  }

  private lost(why: string): void {
    this.reachable = false;
    this.waiting = [];
    this.suspend(why);
  }

  private look(): void {
    this.looks++;
    if (++this.silent > SILENT_MAX && this.reachable) this.lost(AWAY);
    const now = performance.now();
    const late = this.waiting.filter(({ until }) => until < now);
    if (late.length > 0) {
      this.waiting = this.waiting.filter(({ until }) => until >= now);
      this.receive([{ kind: 'refused', ids: late.flatMap(({ ids }) => ids), message: 'no answer came in time' }]);
    }
    if (this.looks % TELL_EVERY === 0) void this.send([], true);
  }

  /** In order, one after the other; at once unless the journal has to be read. */
  private async drain(): Promise<void> {
    if (this.draining) return;
    this.draining = true;
    while (this.inbox.length > 0) {
      const message = this.inbox.shift() as Message;
      try {
        const missing = this.missingBefore(message);
        if (missing !== undefined) await this.fill(missing);
        this.obey(message);
      } catch (error) {
        if (error instanceof MissedForGood) return this.options.onFatal(error);
        this.options.log.error({ err: error }, 'a message of the engine could not be followed');
      }
    }
    this.draining = false;
  }

  /** The last sequence that has to be read from the journal before the message can be taken. */
  private missingBefore(message: Message): number | undefined {
    if (this.followed === undefined) return undefined;
    const before = message.kind === 'batch' ? message.batch.firstSequence - 1 : message.kind === 'beat' ? message.committed : 0;
    return before > this.followed ? before : undefined;
  }

  private async fill(to: number): Promise<void> {
    const { databaseUrl, log } = this.options;
    for (;;) {
      const from = (this.followed ?? 0) + 1;
      try {
        for await (const batch of missedBatches(databaseUrl(), from, to)) this.tell(batch);
        log.info({ from, to: this.followed }, 'read from the journal what Redis did not bring');
        return;
      } catch (error) {
        if (error instanceof MissedForGood || this.closing) throw error;
        log.warn({ err: error }, 'what Redis did not bring cannot be read');
      }
      await sleep(RETRY_MILLIS);
    }
  }

  private tell(batch: CommittedBatch): void {
    this.followed = batch.lastSequence;
    this.published(batch);
  }

  private obey(message: Message): void {
    switch (message.kind) {
      case 'beat':
        return this.beat(message.committed);
      case 'batch': {
        if (this.followed !== undefined && message.batch.lastSequence > this.followed) this.tell(message.batch);
        const own = message.acknowledgements[this.client];
        if (own !== undefined) this.acknowledged(message.batch, own);
        return;
      }
      default:
        this.receive(message.replies);
    }
  }

  private beat(committed: number): void {
    this.followed ??= committed;
    if (committed < this.floor) throw new MissedForGood(committed + 1);
    if (this.reachable || this.closing || this.commander.status !== 'ready') return;
    this.reachable = true;
    this.resume({ post: (requests: Request[]) => void this.send(requests, false) });
    this.opened();
  }

  /** @param tells says who is watched over here */
  private async send(requests: Request[], tells: boolean): Promise<void> {
    const now = performance.now();
    const ids = requests.flatMap(idsOf);
    if (ids.length > 0) this.waiting.push({ until: now + (requests.some(({ kind }) => kind === 'clock') ? CLOCK_ANSWERED_WITHIN_MILLIS : ANSWERED_WITHIN_MILLIS), ids });
    const until = this.leaderAt + (now - this.heardAt) + TAKEN_WITHIN_MILLIS;
    const message: Upward = { client: this.client, number: ++this.number, epoch: this.epoch, until, requests, ...(tells ? { watched: [...this.watched] } : {}) };
    const { commands } = this.places;
    try {
      await this.commander.xadd(commands, 'MAXLEN', '~', STREAM_ENTRIES_MAX, '*', 'm', this.options.seal.close(commands, message));
    } catch {
      const refused: Reply = { kind: 'refused', ids, message: AWAY };
      this.receive([refused]);
    }
  }
}
