/** The engine's process ends at any moment, or at one of the three worst. */
import { rmSync, writeFileSync } from 'node:fs';
import type { Fault, FaultReport } from './fault.ts';
import type { FaultWorld } from './fault_world.ts';
import { pause } from './server_process.ts';

const READY_MILLIS_MAX = 5_000;
/** Deaths between two looks at all ten conditions. */
const CHECK_EVERY = 25;
/** About what a start takes on an idle machine. */
const START_MILLIS = 1_200;

interface Deaths {
  count: number;
  /** Of the last start. */
  readyMillis: number;
}

/** Neighbours come and go in the time that hundreds of deaths take: what the machine is like is asked around each start. */
function patienceNow(world: FaultWorld): number {
  const before = world.patience;
  world.calibrate();
  return Math.max(before, world.patience);
}

/** @param die ends the server at least once, and at most so often; resolves when it is ready again */
async function repeatedly(world: FaultWorld, times: number, die: (most: number) => Promise<Deaths>): Promise<FaultReport> {
  const findings: string[] = [];
  let slowest = 0;
  let deaths = 0;
  for (let checked = 0; deaths < times && findings.length === 0; ) {
    await world.progress(5 + Math.floor(Math.random() * 20));
    const { count, readyMillis } = await die(times - deaths);
    deaths += count;
    slowest = Math.max(slowest, readyMillis);
    if (readyMillis > READY_MILLIS_MAX * patienceNow(world)) findings.push(`took ${Math.round(readyMillis)} ms to be ready after death ${deaths}, the machine ${world.patience.toFixed(1)} times as slow as an idle one: ${world.said}`);
    if (deaths - checked < CHECK_EVERY && deaths < times) continue;
    checked = deaths;
    findings.push(...(await world.verdict()));
  }
  return { times: deaths, findings, note: `ready again after at most ${(slowest / 1000).toFixed(1)} s` };
}

const atRandom: Fault = {
  name: 'engine killed at random',
  times: { short: 3, long: 300 },
  run: (world, times) => repeatedly(world, times, async (most) => {
    await pause(Math.random() * 100);
    await world.server.kill();
    if (most === 1) return { count: 1, readyMillis: await world.restart() };
    // Recovery is a moment as good as any.
    world.server = world.spawn();
    await pause(Math.random() * START_MILLIS * world.patience);
    await world.server.kill();
    return { count: 2, readyMillis: await world.restart() };
  }),
};

const at = (point: string, what: string): Fault => ({
  name: `killed between ${what}`,
  times: { short: 1, long: 50 },
  run: (world, times) => repeatedly(world, times, async () => {
    writeFileSync(world.crashFile, point);
    await world.server.exited;
    rmSync(world.crashFile);
    return { count: 1, readyMillis: await world.restart() };
  }),
});

export const crashFaults: Fault[] = [
  atRandom,
  at('apply_append', 'apply and append'),
  at('commit_acknowledge', 'commit and acknowledge'),
  at('acknowledge_publish', 'acknowledge and publish'),
];
