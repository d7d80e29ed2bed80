/** Connections to Redis. What is lost with one is lost: nothing is kept for later, nothing is sent twice. */
import { Redis } from 'ioredis';
import { reasonOf } from '../reason.ts';

const CONNECT_MILLIS = 1_000;
const RETRY_MILLIS = 150;

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
  const redis = new Redis(url, {
    connectionName: `compute-credit-exchange ${name}`,
    protocol: 2,
    connectTimeout: CONNECT_MILLIS,
    retryStrategy: () => RETRY_MILLIS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
  });
  // Whoever uses the connection sees what fails, and `close` and `ready` tell when.
  redis.on('error', () => undefined);
  return redis;
}
