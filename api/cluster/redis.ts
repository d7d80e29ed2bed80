/** Connections to Redis. What is lost with one is lost: nothing is kept for later, nothing is sent twice. */
import { Redis } from 'ioredis';
import { reasonOf } from '../reason.ts';

const CONNECT_MILLIS = 1_000;
const RETRY_MILLIS = 150;
export const LOOK_MILLIS = 250;
/** Looks at which a connection has still not answered, after which it has died without a word. Looks and not time: a process that was held up has read nothing yet. */
const SILENT_MAX = 8;
/** Looks without an answer that are a break. */
const BREAK_MAX = 2;
const END_MILLIS = 100;

/** Says once what is wrong with a connection, and when it is well again. */
export function sayTrouble(redis: Redis, say: (line: string) => void): void {
  let told = false;
  redis.on('error', (error: unknown) => {
    if (!told) say(`Redis does not answer: ${reasonOf(error)}`);
    told = true;
  });
  redis.on('ready', () => {
    if (told) say('Redis answers');
    told = false;
  });
}

export function connectRedis(url: string, name: string): Redis {
  return openRedis(url, name).redis;
}

/** As `connectRedis`, with what tells whether it lives. */
export function openRedis(url: string, name: string): { redis: Redis; pulse: Pulse } {
  const redis = new Redis(url, {
    connectionName: `compute-credit-exchange ${name}`,
    protocol: 2,
    connectTimeout: CONNECT_MILLIS,
    disconnectTimeout: END_MILLIS,
    retryStrategy: () => RETRY_MILLIS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
  });
  // Whoever uses the connection sees what fails, and `close` and `ready` tell when.
  redis.on('error', () => undefined);
  return { redis, pulse: new Pulse(redis) };
}

/** The part of a connection that is looked at. */
export type Beating = Pick<Redis, 'status' | 'ping' | 'disconnect'> & { on(event: 'close' | 'end', listener: () => void): unknown };

/** Asks several times a second whether a connection lives. One of which the other end knows nothing any more never says so by itself: it is made anew. */
export class Pulse {
  /** Looks at which it had not answered, one after the other. */
  silent = 0;
  private readonly redis: Beating;
  private readonly timer: NodeJS.Timeout;
  /** Looks at which the present connection had not answered. */
  private quiet = 0;
  private asking = false;
  private answersSince: number | undefined;

  constructor(redis: Beating) {
    this.redis = redis;
    this.timer = setInterval(() => this.look(), LOOK_MILLIS);
    this.timer.unref();
    redis.on('close', () => {
      this.quiet = 0;
      this.asking = false;
    });
    redis.on('end', () => clearInterval(this.timer));
  }

  /** For how long it has answered without a break; 0: it does not. */
  get answeredMillis(): number {
    return this.answersSince === undefined ? 0 : performance.now() - this.answersSince;
  }

  private look(): void {
    const { redis } = this;
    if (redis.status === 'ready' && !this.asking) this.ask();
    this.silent++;
    if (this.silent > BREAK_MAX) this.answersSince = undefined;
    if (++this.quiet <= SILENT_MAX || (redis.status !== 'ready' && redis.status !== 'connect')) return;
    this.quiet = 0;
    redis.disconnect(true);
  }

  private ask(): void {
    this.asking = true;
    this.redis.ping().then(() => {
      this.asking = false;
      this.silent = this.quiet = 0;
      this.answersSince ??= performance.now();
    }, () => (this.asking = false));
  }
}
