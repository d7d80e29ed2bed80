/**
 * What each gateway takes and wants of the endpoints' room, told to all others twenty times a second. It gives up at once what it
 * no longer wants, and takes more when all others have said that they know of it: so two never take the same. One that is not heard
 * any more has ended, and what it took is free; while Redis is away nobody can tell, and each keeps to an equal part.
 */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { NO_NEED, shareOf } from '../gateway/relay/room_shares.ts';
import type { Need, Rooms } from '../gateway/relay/room_shares.ts';
import { connectRedis } from './redis.ts';
import type { Seal } from './seal.ts';

const TELL_MILLIS = 50;
const GONE_MILLIS = 1_000;
/** Who has heard nothing for so many times counts as one that has heard them. */
const UNHEARD_MAX = 64;

interface Told {
  client: string;
  number: number;
  needs: Map<string, Need>;
  /** The last number of each other that had been heard. */
  heard: Map<string, number>;
}
interface Other {
  number: number;
  heardAt: number;
  needs: ReadonlyMap<string, Need>;
  /** What it has heard of this gateway. */
  ofThis: number;
}

export class SharedRooms implements Rooms {
  private readonly seal: Seal;
  private readonly place: string;
  private readonly client = randomBytes(8).toString('hex');
  private readonly publisher: Redis;
  private readonly subscriber: Redis;
  private readonly timer: NodeJS.Timeout;
  private readonly others = new Map<string, Other>();
  private needs: (() => Map<string, Need>) | undefined;
  private onHeard: (() => void) | undefined;
  /** What some other may still reckon with: from what all have heard to what was told last. */
  private told: { number: number; needs: ReadonlyMap<string, Need> }[] = [{ number: 0, needs: new Map() }];
  private heardItself = -Infinity;
  private number = 0;

  constructor({ redisUrl, seal }: { redisUrl: string; seal: Seal }) {
    this.seal = seal;
    this.place = `${seal.prefix}:rooms`;
    this.publisher = connectRedis(redisUrl, `rooms ${this.client}`);
    this.subscriber = connectRedis(redisUrl, `rooms ${this.client}`);
    this.subscriber.on('ready', () => void this.subscriber.subscribe(this.place).catch(() => undefined));
    this.subscriber.on('messageBuffer', (_place: Buffer, bytes: Buffer) => this.hear(bytes, performance.now()));
    this.timer = setInterval(() => this.tell(), TELL_MILLIS);
    this.timer.unref();
  }

  begin(needs: () => Map<string, Need>, heard: () => void): void {
    this.needs = needs;
    this.onHeard = heard;
  }

  share(endpoint: string, room: number): number {
    if (this.others.size === 0) return room;
    if (this.isAway(performance.now())) return room / (this.others.size + 1);
    const others = Array.from(this.others.values(), ({ needs }) => needs.get(endpoint) ?? NO_NEED);
    return Math.min(...this.told.map(({ needs }) => shareOf(room, needs.get(endpoint) ?? NO_NEED, others)));
  }

  close(): void {
    clearInterval(this.timer);
    this.publisher.disconnect();
    this.subscriber.disconnect();
  }

  private isAway(now: number): boolean {
    return now - this.heardItself > GONE_MILLIS;
  }

  private tell(): void {
    if (this.needs === undefined || this.publisher.status !== 'ready') return;
    const told: Told = { client: this.client, number: ++this.number, needs: this.needs(), heard: new Map(Array.from(this.others, ([name, { number }]) => [name, number])) };
    this.told.push(told);
    if (this.told.length > UNHEARD_MAX) this.told.shift();
    this.publisher.publish(this.place, this.seal.close(this.place, told)).catch(() => undefined);
  }

  private hear(bytes: Buffer, now: number): void {
    const told = this.seal.open(this.place, bytes) as Told | undefined;
    if (told === undefined) return;
    const { client, number, needs, heard } = told;
    if (client !== this.client) {
      if (number <= (this.others.get(client)?.number ?? 0)) return;
      this.others.set(client, { number, heardAt: now, needs, ofThis: heard.get(this.client) ?? 0 });
      return this.settle();
    }
    // After an outage the others are given time to be heard again.
    if (this.isAway(now)) for (const other of this.others.values()) other.heardAt = now;
    this.heardItself = now;
    for (const [name, { heardAt }] of this.others) if (now - heardAt > GONE_MILLIS) this.others.delete(name);
    this.settle();
  }

  /** Forgets what nobody reckons with any more. */
  private settle(): void {
    const known = Math.min(...Array.from(this.others.values(), ({ ofThis }) => ofThis));
    while (this.told.length > 1 && this.told[1].number <= known) this.told.shift();
    this.onHeard?.();
  }
}
