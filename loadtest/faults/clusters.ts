/** What befalls an exchange of several processes: its leader, and its Redis. */
import { Redis } from 'ioredis';
import { openDatabase } from '../../db/database.ts';
import { placesOf } from '../../api/cluster/messages.ts';
import type { Places } from '../../api/cluster/messages.ts';
import { Seal } from '../../api/cluster/seal.ts';
import { findRedisServer } from '../../api/cli/tools.mjs';
import type { ClusterWorld } from './cluster_world.ts';
import type { Fault, FaultReport } from './fault.ts';
import type { FaultWorld } from './fault_world.ts';
import { pause, until } from './server_process.ts';

const TAKEN_OVER_MILLIS_MAX = 3_000;
const EXIT_MILLIS_MAX = 1_000;
const TOLD_MILLIS_MAX = 1_000;
const RESUMED_MILLIS_MAX = 5_000;
const PROGRESS = 20;
const DEADLINE_MILLIS = 60_000;
const AWAY_MILLIS = 2_500;
/** An answer that was under way may still arrive. */
const GRACE_MILLIS = 300;
const DRAIN_MILLIS_MAX = 10_000;

/** In a quiet world: the other market's clients would only take its time. */
export function clusterFault(name: string, times: Fault['times'], run: (world: ClusterWorld, times: number, around: FaultWorld) => Promise<FaultReport>): Fault {
  return {
    name, times,
    lacks: () => (findRedisServer() === '' ? 'needs redis-server' : undefined),
    async run(around, count) {
      await around.load.stop();
      const world = await around.openCluster();
      const report = await run(world, count, around).catch((error: unknown) => {
        throw new Error(`${error instanceof Error ? error.message : String(error)}; the processes last said:\n${world.said}`);
      });
      report.findings.push(...(await world.verdict()));
      around.newLoad();
      return report;
    },
  };
}

/** From the moment of the fault to the first answer after the silence that it caused. */
function silenceAfter(world: ClusterWorld, moment: number): number {
  const times = world.load.acknowledged.map(({ at }) => at).filter((at) => at > moment).sort((a, b) => a - b);
  let last = moment;
  let longest = { lasted: 0, end: moment };
  for (const at of times) {
    if (at - last > longest.lasted) longest = { lasted: at - last, end: at };
    last = at;
  }
  return longest.end - moment;
}

async function loseLeader(world: ClusterWorld, signal: 'SIGKILL' | 'SIGSTOP'): Promise<{ leader: number; millis: number }> {
  await world.warm();
  await world.progress(PROGRESS);
  const leader = await world.leader();
  process.kill(leader, signal);
  const moment = performance.now();
  try {
    await until('another leader', async () => (await world.leader()) !== leader, DEADLINE_MILLIS);
    await world.progress(PROGRESS);
  } catch (error) {
    if (signal === 'SIGSTOP') process.kill(leader, 'SIGCONT');
    throw error;
  }
  return { leader, millis: silenceAfter(world, moment) };
}

const describe = (millis: number[]): string => {
  const sorted = [...millis].sort((a, b) => a - b);
  return `served again after ${Math.round(sorted[Math.floor(sorted.length / 2)])} ms (median), ${Math.round(sorted[sorted.length - 1])} ms (most)`;
};

const killed = clusterFault('leader killed, the standby takes over', { short: 1, long: 25 }, async (world, times, { patience }) => {
  const findings: string[] = [];
  const lasted: number[] = [];
  for (let time = 0; time < times; time++) {
    const { leader, millis } = await loseLeader(world, 'SIGKILL');
    lasted.push(millis);
    if (millis > TAKEN_OVER_MILLIS_MAX * patience) findings.push(`served again only after ${Math.round(millis)} ms`);
    await world.warm(leader);
  }
  return { times, findings, note: describe(lasted) };
});

const paused = clusterFault('leader silent, the standby takes over; it wakes', { short: 1, long: 15 }, async (world, times, { patience, long }) => {
  const findings: string[] = [];
  const lasted: number[] = [];
  const ended: number[] = [];
  for (let time = 0; time < times; time++) {
    const { leader, millis } = await loseLeader(world, 'SIGSTOP');
    lasted.push(millis);
    if (millis > TAKEN_OVER_MILLIS_MAX * patience) findings.push(`served again only after ${Math.round(millis)} ms`);
    if (long && time === 0) await pause(30_000);
    const [{ epoch, last }] = await world.query<{ epoch: number; last: number }>('select (select epoch from journal_lease)::int as epoch, max(last_sequence)::int as last from journal');
    process.kill(leader, 'SIGCONT');
    const woken = performance.now();
    await until('the stale leader to end', () => isGone(leader), DEADLINE_MILLIS);
    ended.push(performance.now() - woken);
    if (ended[time] > EXIT_MILLIS_MAX * patience) findings.push(`the stale leader ended only after ${Math.round(ended[time])} ms`);
    await world.progress(PROGRESS);
    const [{ rows }] = await world.query<{ rows: number }>('select count(*)::int as rows from journal where first_sequence > $1 and epoch < $2', [last, epoch]);
    if (rows > 0) findings.push(`the stale leader has appended ${rows} rows`);
    await world.warm(leader);
  }
  return { times, findings, note: `${describe(lasted)}; the stale one wrote nothing and ended within ${Math.round(Math.max(...ended))} ms` };
});

/** One after the other, each while all its orders come; right after a start, too, when much is being compiled. */
const stopped = clusterFault('SIGTERM of leader, standby and api under load', { short: 1, long: 20 }, async (world, times) => {
  const findings: string[] = [];
  let slowest = 0;
  for (let time = 0; time < times; time++) {
    for (const role of ['leader', 'standby', 'api'] as const) {
      await world.warm();
      await world.progress(PROGRESS);
      const { how, millis } = await world.stop(role === 'api' ? 'api 1' : (await world.leaders())[role]);
      slowest = Math.max(slowest, millis);
      if (how !== '0') findings.push(`${role} ended with ${how}: ${world.said.slice(-300)}`);
      if (millis > DRAIN_MILLIS_MAX) findings.push(`${role} ended only after ${Math.round(millis)} ms`);
    }
  }
  return { times: times * 3, findings, note: `each ended within ${Math.round(slowest)} ms` };
});

/** Postgres still confirms its lead, and a standby reaches what it does not. */
const cutOff = clusterFault('leader cut from Redis alone', { short: 2, long: 20 }, async (world, times, { patience }) => {
  const findings: string[] = [];
  const lasted: number[] = [];
  for (let time = 0; time < times; time++) {
    await world.warm();
    await world.progress(PROGRESS);
    const leader = await world.leader();
    const wire = await world.leadersWire();
    wire.set(time % 2 === 0 ? 'resetting' : 'silent');
    const moment = performance.now();
    await until('another leader', async () => (await world.leader()) !== leader, DEADLINE_MILLIS).finally(() => wire.set('open'));
    await world.progress(PROGRESS);
    lasted.push(silenceAfter(world, moment));
    if (lasted[time] > RESUMED_MILLIS_MAX * patience) findings.push(`served again only after ${Math.round(lasted[time])} ms`);
  }
  return { times, findings, note: describe(lasted) };
});

/** Half-open: neither side hears that the other has gone. */
const redisSilent = clusterFault('connections to Redis dead without a word', { short: 1, long: 10 }, async (world, times, { patience }) => {
  const findings: string[] = [];
  let slowest = 0;
  for (let time = 0; time < times; time++) {
    await world.warm();
    await world.progress(PROGRESS);
    for (const wire of world.wires.values()) {
      wire.set('silent');
      wire.set('open');
    }
    const moment = performance.now();
    await pause(GRACE_MILLIS);
    await world.progress(PROGRESS);
    slowest = Math.max(slowest, silenceAfter(world, moment));
  }
  if (slowest > RESUMED_MILLIS_MAX * patience) findings.push(`resumed after ${Math.round(slowest)} ms`);
  return { times, findings, note: `resumed after at most ${Math.round(slowest)} ms` };
});

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

async function withRedis<T>(world: ClusterWorld, work: (redis: Redis, places: Places) => Promise<T>): Promise<T> {
  const redis = new Redis(world.redisUrl, { retryStrategy: () => 100 });
  redis.on('error', () => undefined);
  const database = openDatabase(world.databaseUrl, 1);
  try {
    return await work(redis, placesOf(await Seal.of(database)));
  } finally {
    redis.disconnect();
    await database.destroy();
  }
}

const redisKilled = clusterFault('Redis killed, and back empty', { short: 1, long: 15 }, async (world, times, { patience }) => {
  const findings: string[] = [];
  let slowest = 0;
  let told = 0;
  for (let time = 0; time < times; time++) {
    await world.progress(PROGRESS);
    const refusedBefore = world.load.refusals.length;
    await world.killRedis();
    const away = performance.now();
    await pause(AWAY_MILLIS);
    world.startRedis();
    const back = performance.now();
    if (world.load.acknowledged.some(({ at }) => at > away + GRACE_MILLIS && at < back)) findings.push('orders were acknowledged while it was away');
    await world.progress(PROGRESS);
    const first = world.load.acknowledged.find(({ at }) => at > back);
    slowest = Math.max(slowest, (first?.at ?? 0) - back);
    const refusals = world.load.refusals.slice(refusedBefore);
    told = Math.max(told, ...refusals.map(({ millis }) => millis));
    if (refusals.length === 0) findings.push('nobody was told');
    if (refusals.some(({ retryAfter }) => retryAfter === null)) findings.push('a 503 without Retry-After');
  }
  if (told > TOLD_MILLIS_MAX * patience) findings.push(`told only after ${Math.round(told)} ms`);
  if (slowest > RESUMED_MILLIS_MAX * patience) findings.push(`resumed after ${Math.round(slowest)} ms`);
  return { times, findings, note: `told within ${Math.round(told)} ms, resumed after at most ${Math.round(slowest)} ms` };
});

const redisFlushed = clusterFault('Redis flushed, filled with garbage', { short: 3, long: 100 }, async (world, times, { patience }) => {
  let slowest = 0;
  const resumes = async (): Promise<void> => {
    const moment = performance.now();
    await world.progress(PROGRESS);
    slowest = Math.max(slowest, silenceAfter(world, moment));
  };
  await withRedis(world, async (redis, { commands, events }) => {
    for (let time = 0; time < times; time++) {
      await redis.flushall();
      await resumes();
      await redis.xadd(commands, '*', 'm', `garbage ${time}`);
      await redis.publish(events, Buffer.alloc((time * 9) % 4_096, time));
      if (time % 3 === 0) await redis.set(commands, 'no stream at all');
      await resumes();
    }
  });
  const findings = slowest > RESUMED_MILLIS_MAX * patience ? [`resumed after ${Math.round(slowest)} ms`] : [];
  return { times, findings, note: `resumed after at most ${Math.round(slowest)} ms` };
});

/** Whatever is in the stream of commands is added again, late and in any order; whatever is published is published again. */
const redisDoubled = clusterFault('messages in Redis doubled, late and out of order', { short: 1_000, long: 20_000 }, async (world, times) => {
  let doubled = 0;
  await withRedis(world, async (redis, { commands, events }) => {
    const reader = redis.duplicate();
    const hearer = redis.duplicate();
    for (const connection of [reader, hearer]) connection.on('error', () => undefined);
    await hearer.subscribe(events);
    const late = (again: () => Promise<unknown>): void => {
      doubled++;
      setTimeout(() => void again().catch(() => undefined), Math.random() * 400);
    };
    const published = new Set<string>();
    hearer.on('messageBuffer', (place: Buffer, bytes: Buffer) => {
      const name = bytes.subarray(-40).toString('hex');
      if (published.delete(name) || published.size > 1_000) return;
      published.add(name);
      late(() => redis.publish(place, bytes));
    });
    const known = new Set<string>();
    while (doubled < times) {
      const entries = (await reader.callBuffer('XRANGE', commands, '-', '+', 'COUNT', 100)) as [Buffer, Buffer[]][];
      for (const [, [, message]] of entries) {
        const name = message.subarray(-40).toString('hex');
        if (known.has(name)) continue;
        known.add(name);
        for (let copy = 0; copy < 2; copy++) late(() => redis.xadd(commands, '*', 'm', message));
      }
      await pause(1);
    }
    await pause(500);
    reader.disconnect();
    hearer.disconnect();
  });
  return { times: doubled, findings: [] };
});

export const clusterFaults: Fault[] = [stopped, killed, paused, cutOff, redisSilent, redisKilled, redisFlushed, redisDoubled];
