/**
 * Counts that hold over all processes: each tells the others ten times a second what it has counted, and adds
 * what it is told. So a limit is kept to within a tenth of a second's requests; while Redis is away each
 * process keeps it by itself.
 */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Tallies, Tally } from '../http/middleware/rate_limit.ts';
import { connectRedis } from './redis.ts';
import type { Seal } from './seal.ts';

const TELL_MILLIS = 100;
/** Names told at once; what is beyond is not told. */
const NAMES_MAX = 10_000;

interface Told {
  client: string;
  number: number;
  /** By kind: names and amounts. */
  counts: Map<string, Map<string, number>>;
}

export class SharedTallies implements Tallies {
  private readonly seal: Seal;
  private readonly place: string;
  private readonly client = randomBytes(8).toString('hex');
  private readonly publisher: Redis;
  private readonly subscriber: Redis;
  private readonly timer: NodeJS.Timeout;
  private readonly listeners = new Map<string, (name: string, amount: number) => void>();
  /** The last message heard, by client. */
  private readonly heard = new Map<string, number>();
  private counts = new Map<string, Map<string, number>>();
  private names = 0;
  private number = 0;

  constructor({ redisUrl, seal }: { redisUrl: string; seal: Seal }) {
    this.seal = seal;
    this.place = `${seal.prefix}:tallies`;
    this.publisher = connectRedis(redisUrl, `tallies ${this.client}`);
    this.subscriber = connectRedis(redisUrl, `tallies ${this.client}`);
    this.subscriber.on('ready', () => void this.subscriber.subscribe(this.place).catch(() => undefined));
    this.subscriber.on('messageBuffer', (_place: Buffer, bytes: Buffer) => this.hear(bytes));
    this.timer = setInterval(() => this.tell(), TELL_MILLIS);
    this.timer.unref();
  }

  of(kind: string): Tally {
    return {
      counted: (name, amount) => this.count(kind, name, amount),
      onOthers: (listener) => void this.listeners.set(kind, listener),
    };
  }

  close(): void {
    clearInterval(this.timer);
    this.publisher.disconnect();
    this.subscriber.disconnect();
  }

  private count(kind: string, name: string, amount: number): void {
    let counts = this.counts.get(kind);
    if (counts === undefined) this.counts.set(kind, (counts = new Map<string, number>()));
    const known = counts.get(name);
    if (known === undefined && ++this.names > NAMES_MAX) return;
    counts.set(name, (known ?? 0) + amount);
  }

  private tell(): void {
    if (this.names === 0) return;
    const told: Told = { client: this.client, number: ++this.number, counts: this.counts };
    this.counts = new Map();
    this.names = 0;
    if (this.publisher.status === 'ready') this.publisher.publish(this.place, this.seal.close(this.place, told)).catch(() => undefined);
  }

  private hear(bytes: Buffer): void {
    const told = this.seal.open(this.place, bytes) as Told | undefined;
    if (told === undefined || told.client === this.client || told.number <= (this.heard.get(told.client) ?? 0)) return;
    if (this.heard.size > NAMES_MAX) this.heard.clear();
    this.heard.set(told.client, told.number);
    for (const [kind, counts] of told.counts) for (const [name, amount] of counts) this.listeners.get(kind)?.(name, amount);
  }
}
