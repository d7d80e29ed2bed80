/**
 * The engine's side of the door: takes requests of other processes from a stream, hands them to the
 * sequencer, and publishes what is committed and what is answered. What is committed is so whoever leads
 * now, and clients that follow a later epoch leave it aside; what was only asked is answered while the
 * lead is certain, and beats are sent only then: a leader that was paused wakes silent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { LEASE_MILLIS } from '../../db/journal.ts';
import type { WatchLog } from '../../db/order_watches.ts';
import { REMOTE_IDS, WORDS_PER_ACKNOWLEDGEMENT } from '../sequencer/messages.ts';
import type { Line, Reply, Request } from '../sequencer/messages.ts';
import { PendingCalls } from '../sequencer/pending_calls.ts';
import type { CommittedBatch, SequencerPort } from '../sequencer/port.ts';
import { TAKEN_WITHIN_MILLIS, idsOf, placesOf } from './messages.ts';
import type { Broadcast, Places, Upward } from './messages.ts';
import { connectRedis, sayTrouble } from './redis.ts';
import type { Seal } from './seal.ts';
import { Watches } from './watches.ts';

export const BEAT_MILLIS = 100;
/** A lead that was confirmed less than this ago cannot be another's yet, nor become it while a message is on its way. */
const CERTAIN_MILLIS = LEASE_MILLIS - 500;
const BLOCK_MILLIS = 500;
const ENTRIES_MAX = 256;
/** Calls that wait for a reply; beyond them callers are refused. */
const CALLS_MAX = 20_000;
/** Publications that Redis has not taken yet; beyond them nothing is published, and clients read the journal. */
const UNTAKEN_MAX = 1_000;
const BEATS_UNTAKEN_MAX = 5;
const RETRY_MILLIS = 50;
const FULL = 'too much is waiting';
const UNCERTAIN = 'another engine may lead';
const LATE = 'it came too late and was not executed';

export interface DoorOptions {
  redisUrl: string;
  seal: Seal;
  sequencer: SequencerPort & Line;
  log: Logger;
  /** Absent: nothing is known of the engine before. */
  watchLog?: WatchLog;
  /** Told when Redis does not answer, and when it does again. */
  say: (line: string) => void;
  /** The process was held up for longer than its lease: another may lead, and this one must end at once. */
  onHeldUp: (error: Error) => void;
}

export class Door {
  private readonly seal: Seal;
  private readonly places: Places;
  private readonly sequencer: SequencerPort & Line;
  private readonly log: Logger;
  private readonly reader: Redis;
  private readonly publisher: Redis;
  private readonly watches: Watches;
  /** Calls under way, by the id that the sequencer knows. */
  private readonly calls = new PendingCalls<{ client: string; id: number }>(REMOTE_IDS);
  /** The last message heard, by client. */
  private readonly heard = new Map<string, { number: number; beats: number }>();
  private epoch = 0;
  private committed = 0;
  private confirmedAt = -Infinity;
  private confirming = false;
  private untaken = 0;
  private beats = 0;
  private beatAt = performance.now();
  private readonly onHeldUp: (error: Error) => void;
  private closed = false;
  private readonly timer: NodeJS.Timeout;
  private readonly reading: Promise<void>;
  private readonly unsubscribe: () => void;

  constructor({ redisUrl, seal, sequencer, log, watchLog, say, onHeldUp }: DoorOptions) {
    this.seal = seal;
    this.places = placesOf(seal);
    this.sequencer = sequencer;
    this.log = log;
    this.onHeldUp = onHeldUp;
    this.watches = new Watches(sequencer, log, watchLog);
    void watchLog?.noted().then((companies) => this.watches.tookOver(companies), (error: unknown) => log.error({ err: error }, 'who was watched before is not known'));
    this.reader = connectRedis(redisUrl, 'door');
    this.publisher = connectRedis(redisUrl, 'door');
    sayTrouble(this.reader, say);
    for (const redis of [this.reader, this.publisher]) redis.on('ready', () => this.watches.interrupted());
    this.unsubscribe = sequencer.onReplies((replies) => this.replied(replies));
    this.timer = setInterval(() => this.beat(), BEAT_MILLIS);
    this.reading = this.read();
    this.beat();
  }

  /** Calls under way, and clients heard in the last minute. */
  get figures(): { calls: number; clients: number } {
    return { calls: this.calls.size, clients: this.heard.size };
  }

  /** Whether others can reach it. */
  get isOpen(): boolean {
    return this.reader.status === 'ready' && this.publisher.status === 'ready';
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    this.unsubscribe();
    this.watches.close();
    this.reader.disconnect();
    await this.reading;
    await this.publisher.quit().catch(() => this.publisher.disconnect());
  }

  private get isCertain(): boolean {
    return performance.now() - this.confirmedAt < CERTAIN_MILLIS;
  }

  private beat(): void {
    const now = performance.now();
    const heldUp = now - this.beatAt;
    this.beatAt = now;
    if (heldUp > LEASE_MILLIS) return this.onHeldUp(new Error(`this process was held up for ${Math.round(heldUp)} ms, longer than its lease`));
    this.beats++;
    void this.confirm();
    if (this.isCertain) this.broadcast({ kind: 'beat', epoch: this.epoch, committed: this.committed, at: now });
    if (this.beats % 10 === 0) this.forget();
  }

  private async confirm(): Promise<void> {
    if (this.confirming) return;
    this.confirming = true;
    const asked = performance.now();
    try {
      const { epoch, committedSequence, leaseAge = 0 } = await this.sequencer.status();
      this.ready({ epoch, committedSequence });
      this.confirmedAt = asked - leaseAge;
    } catch {
      // The sequencer is stalled or starts again; callers have been told.
    }
    this.confirming = false;
  }

  /** Clients that have ended; what they had under way is answered to nobody. */
  private forget(): void {
    for (const [client, { beats }] of this.heard) {
      if (this.beats - beats < 60_000 / BEAT_MILLIS) continue;
      this.heard.delete(client);
      this.calls.drop((call) => call.client === client);
    }
    // While Redis takes nothing, nobody's silence means anything.
    if (this.untaken > BEATS_UNTAKEN_MAX) this.watches.interrupted();
    else this.watches.look();
  }

  private async read(): Promise<void> {
    while (!this.closed) {
      if (this.reader.status !== 'ready' || !this.isCertain) {
        await sleep(RETRY_MILLIS);
        continue;
      }
      try {
        for (const bytes of await this.nextEntries()) this.take(bytes);
      } catch (error) {
        await this.mend(error);
      }
    }
  }

  /** Takes what waits in the stream out of it. @throws Error when Redis is away or the stream is not one */
  private async nextEntries(): Promise<Buffer[]> {
    const { commands } = this.places;
    const reply = await this.reader.callBuffer('XREAD', 'COUNT', ENTRIES_MAX, 'BLOCK', BLOCK_MILLIS, 'STREAMS', commands, '0-0');
    const entries = entriesOf(reply);
    if (entries.length > 0) {
      // Before the next read, on the same connection. If it does not arrive, what comes twice is known by its number.
      this.reader.call('XDEL', commands, ...entries.map(({ id }) => id)).catch(() => undefined);
    }
    return entries.flatMap(({ message }) => message ?? []);
  }

  /** Something else stands where the stream should. */
  private async mend(error: unknown): Promise<void> {
    if (error instanceof Error && error.message.startsWith('WRONGTYPE')) await this.reader.del(this.places.commands).catch(() => undefined);
    await sleep(RETRY_MILLIS);
  }

  private take(bytes: Buffer): void {
    const message = this.seal.open(this.places.commands, bytes) as Upward | undefined;
    // What another leader was asked is not ours to do.
    if (message === undefined || message.epoch !== this.epoch) return;
    const { client, number, until, watched } = message;
    if (number <= (this.heard.get(client)?.number ?? 0)) return;
    this.heard.set(client, { number, beats: this.beats });
    if (watched !== undefined) this.watches.told(client, watched);
    const requests = message.requests.filter(({ kind }) => kind !== 'close');
    if (requests.length === 0) return;
    const left = until - performance.now();
    if (left < 0) return this.refuse(client, requests, LATE);
    // By the clocks of two processes: what was sent in this moment may seem to come from the next.
    const age = Math.max(0, TAKEN_WITHIN_MILLIS - left);
    if (this.calls.size > CALLS_MAX || !this.sequencer.post(requests.map((request) => this.renumbered(client, request, age)))) this.refuse(client, requests, FULL);
  }

  private renumbered(client: string, request: Request, age: number): Request {
    const ids = idsOf(request).map((id) => this.calls.add({ client, id }));
    return request.kind === 'commands' ? { ...request, ids, age } : { ...request, id: ids[0] };
  }

  private refuse(client: string, requests: readonly Request[], message: string): void {
    this.answer(client, [{ kind: 'refused', ids: requests.flatMap(idsOf), message }]);
  }

  private replied(replies: readonly Reply[]): void {
    const answers = new Map<string, Reply[]>();
    const add = (client: string, reply: Reply): void => {
      const own = answers.get(client);
      if (own === undefined) answers.set(client, [reply]);
      else own.push(reply);
    };
    for (const reply of replies) {
      if (reply.kind === 'committed') this.publish(reply.batch, reply.acknowledgements);
      else if (reply.kind === 'ready') this.ready(reply.status);
      else if (reply.kind === 'refused') for (const id of reply.ids) this.settle(id, (client, own) => add(client, { ...reply, ids: [own] }));
      else if ('id' in reply) this.settle(reply.id, (client, own) => add(client, { ...reply, id: own }));
      else this.notify(reply);
    }
    for (const [client, own] of answers) this.answer(client, own);
  }

  private settle(id: number, tell: (client: string, id: number) => void): void {
    const call = this.calls.take(id);
    if (call !== undefined) tell(call.client, call.id);
  }

  private ready({ epoch, committedSequence }: { epoch: number; committedSequence: number }): void {
    // What was asked for before the last batch was published may be told after it.
    this.committed = epoch === this.epoch ? Math.max(this.committed, committedSequence) : committedSequence;
    this.epoch = epoch;
  }

  /** All callers are told, and nothing that they wait for is answered any more. */
  private notify(reply: Reply): void {
    if (reply.kind !== 'flowing') this.calls.takeAll();
    this.broadcast({ kind: 'notices', epoch: this.epoch, replies: [reply] });
    if (reply.kind === 'failed') this.confirmedAt = -Infinity;
  }

  private publish(batch: CommittedBatch, packed: Float64Array): void {
    const byClient = new Map<string, number[]>();
    for (let at = 0; at < packed.length; at += WORDS_PER_ACKNOWLEDGEMENT) {
      this.settle(packed[at], (client, id) => {
        const words = byClient.get(client) ?? [];
        words.push(id, ...packed.subarray(at + 1, at + WORDS_PER_ACKNOWLEDGEMENT));
        byClient.set(client, words);
      });
    }
    this.committed = Math.max(this.committed, batch.lastSequence);
    const acknowledgements = Object.fromEntries([...byClient].map(([client, words]) => [client, new Float64Array(words)]));
    this.broadcast({ kind: 'batch', epoch: this.epoch, batch, acknowledgements });
  }

  private broadcast(message: Broadcast): void {
    this.send(this.places.events, message);
  }

  private answer(client: string, replies: Reply[]): void {
    const { isCertain } = this;
    const told = replies.map((reply): Reply => (reply.kind === 'answer' && !isCertain ? { kind: 'refused', ids: [reply.id], message: UNCERTAIN } : reply));
    this.send(this.places.answers(client), { epoch: this.epoch, replies: told });
  }

  private send(place: string, message: object): void {
    if (this.publisher.status !== 'ready' || this.untaken >= UNTAKEN_MAX) return;
    this.untaken++;
    this.publisher.publish(place, this.seal.close(place, message))
      .catch((error: unknown) => this.log.debug({ err: error }, 'Redis did not take a message'))
      .finally(() => this.untaken--);
  }
}

/** What a stream of the right shape holds; anything else holds nothing. */
function entriesOf(reply: unknown): { id: Buffer; message: Buffer | undefined }[] {
  if (!Array.isArray(reply) || !Array.isArray(reply[0]) || !Array.isArray(reply[0][1])) return [];
  return (reply[0][1] as [Buffer, Buffer[]][]).map(([id, fields]) => ({ id, message: fields[1] }));
}
