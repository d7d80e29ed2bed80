/**
 * Limits of a minute that all processes keep together, in Redis: what was used in each of the last 60 seconds, by Redis's own
 * clock, and what each process holds of what is left. One script looks and takes in one step, so that two never take the same.
 * Nothing rests on what is lost with Redis but the counts of a minute.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { TOUCH_MILLIS } from '../gateway/relay/limit_part.ts';
import type { Ask, Given, SharedLimit } from '../gateway/relay/limit_part.ts';
import type { BroadcastOptions } from './broadcast.ts';
import { connectRedis } from './redis.ts';

/** A Redis that takes longer is away, and is not asked again for a while: nobody's request waits for it twice. */
const ANSWER_MILLIS = 800;
const AWAY_MILLIS = 2_000;
/** Time is counted in steps: one in which this process stood still is one, however long, since the answer may lie unread. */
const STEP_MILLIS = 100;
const FORGOTTEN_SECONDS = (4 * TOUCH_MILLIS) / 1_000;
/** What is taken ahead leaves to the others at least so many times as much. */
const AHEAD_PART = 16;

/** Fields: `u` and a second: used in it. `h` and a process: what it holds, and the second in which it said so. */
const SCRIPT = `
local limit, process, held, used, least, most, ahead, held_seconds = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local second = tonumber(redis.call('TIME')[1])
if used > 0 then redis.call('HINCRBY', KEYS[1], 'u' .. second, used) end
local fields = redis.call('HGETALL', KEYS[1])
local total, others, by_age = 0, 0, {}
for at = 1, #fields, 2 do
  local name, value = fields[at], fields[at + 1]
  if string.sub(name, 1, 1) == 'u' then
    local age = second - tonumber(string.sub(name, 2))
    if age >= 60 then redis.call('HDEL', KEYS[1], name)
    else
      total = total + tonumber(value)
      by_age[age] = tonumber(value)
    end
  elseif name ~= 'h' .. process then
    local amount, since = string.match(value, '^(%d+):(%d+)$')
    if second - tonumber(since) > ${FORGOTTEN_SECONDS} then redis.call('HDEL', KEYS[1], name) else others = others + tonumber(amount) end
  end
end
local left = math.max(0, limit - total - others - held)
local given, wait = 0, 0
if left < least or left < most then
  local missing = math.max(1, least - left)
  for age = 59, 0, -1 do
    if missing > 0 and by_age[age] then
      missing = missing - by_age[age]
      wait = 60 - age
    end
  end
  if missing > 0 then wait = held_seconds end
end
if left >= least then
  given = math.min(most, left)
  given = given + math.min(ahead, math.floor((left - given) / ${AHEAD_PART}))
end
held = held + given
if held > 0 then redis.call('HSET', KEYS[1], 'h' .. process, string.format('%d:%d', held, second)) else redis.call('HDEL', KEYS[1], 'h' .. process) end
redis.call('EXPIRE', KEYS[1], ${FORGOTTEN_SECONDS})
return {given, wait}`;

type Scripted = Redis & { exchangeLimit(key: string, ...values: (string | number)[]): Promise<[number, number]> };

export class RedisLimits {
  private readonly process = randomBytes(8).toString('hex');
  private readonly prefix: string;
  private readonly redis: Scripted;
  private awayUntil = 0;
  private becomingReady: Promise<unknown> | undefined;

  constructor({ redisUrl, seal }: BroadcastOptions) {
    this.prefix = `${seal.prefix}:limit`;
    this.redis = connectRedis(redisUrl, `limits ${this.process}`) as Scripted;
    this.redis.defineCommand('exchangeLimit', { numberOfKeys: 1, lua: SCRIPT });
  }

  of(name: string): SharedLimit {
    return { exchange: (ask) => this.exchange(`${this.prefix}:${name}`, ask) };
  }

  close(): void {
    this.redis.disconnect();
  }

  private async exchange(key: string, ask: Ask): Promise<Given | undefined> {
    if (performance.now() < this.awayUntil) return undefined;
    const late = new AbortController();
    try {
      const [amount, wait] = await Promise.race([this.ask(key, ask, late.signal), patience(late.signal)]);
      return { amount, wait };
    } catch {
      // Away, or filled with something else.
      this.awayUntil = performance.now() + AWAY_MILLIS;
      return undefined;
    } finally {
      late.abort();
    }
  }

  /** A connection that is being made is waited for: a process that has just begun would keep limits by itself of which the others have used much. */
  private async ask(key: string, { limit, held, used, least, most, ahead, heldSeconds }: Ask, signal: AbortSignal): Promise<[number, number]> {
    if (this.redis.status !== 'ready') {
      // All that wait do so by one listener.
      this.becomingReady ??= once(this.redis, 'ready').finally(() => (this.becomingReady = undefined));
      await this.becomingReady;
      if (signal.aborted) throw new Error('asked too late');
    }
    return this.redis.exchangeLimit(key, limit, this.process, held, used, least, most, ahead, heldSeconds);
  }
}

/** Rejects once Redis has been waited for long enough, or, unseen, with `signal`. */
async function patience(signal: AbortSignal): Promise<never> {
  for (let waited = 0; waited < ANSWER_MILLIS; waited += STEP_MILLIS) await sleep(STEP_MILLIS, undefined, { signal });
  throw new Error('Redis does not answer');
}
