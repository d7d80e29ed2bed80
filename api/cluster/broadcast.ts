/** What processes of one kind tell each other: each hears all, itself too, sealed; what is lost is lost. */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { connectRedis } from './redis.ts';
import type { Seal } from './seal.ts';

export interface BroadcastOptions {
  redisUrl: string;
  seal: Seal;
}

/** Who says it, and the number of their message, from one on. */
export interface Message {
  client: string;
  number: number;
}

export class Broadcast<T extends object> {
  readonly client = randomBytes(8).toString('hex');
  private readonly seal: Seal;
  private readonly place: string;
  private readonly publisher: Redis;
  private readonly subscriber: Redis;
  private readonly timer: NodeJS.Timeout;
  private number = 0;

  /** @param tell called so often, to say what there is to say */
  constructor(name: string, { redisUrl, seal }: BroadcastOptions, hear: (message: Message & T) => void, tell: () => void, tellMillis: number) {
    this.seal = seal;
    this.place = `${seal.prefix}:${name}`;
    this.publisher = connectRedis(redisUrl, `${name} ${this.client}`);
    this.subscriber = connectRedis(redisUrl, `${name} ${this.client}`);
    this.subscriber.on('ready', () => void this.subscriber.subscribe(this.place).catch(() => undefined));
    this.subscriber.on('messageBuffer', (_place: Buffer, bytes: Buffer) => {
      const message = seal.open(this.place, bytes) as (Message & T) | undefined;
      if (message !== undefined) hear(message);
    });
    this.timer = setInterval(tell, tellMillis);
    this.timer.unref();
  }

  get canTell(): boolean {
    return this.publisher.status === 'ready';
  }

  /** @returns the number of the message */
  tell(what: T): number {
    const message: Message & T = { ...what, client: this.client, number: ++this.number };
    if (this.canTell) this.publisher.publish(this.place, this.seal.close(this.place, message)).catch(() => undefined);
    return this.number;
  }

  close(): void {
    clearInterval(this.timer);
    this.publisher.disconnect();
    this.subscriber.disconnect();
  }
}
