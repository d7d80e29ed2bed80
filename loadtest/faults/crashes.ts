/** The engine's process ends at any moment, or at one of the three worst. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fault, FaultReport } from './fault.ts';
import type { FaultWorld } from './fault_world.ts';
import { pause } from './server_process.ts';

const READY_MILLIS_MAX = 5_000;
/** Deaths between two looks at all ten conditions. */
const CHECK_EVERY = 25;

async function repeatedly(world: FaultWorld, times: number, die: () => Promise<number>): Promise<FaultReport> {
  const findings: string[] = [];
  const starts: number[] = [];
  for (let time = 1; time <= times && findings.length === 0; time++) {
    await world.progress(5 + Math.floor(Math.random() * 20));
    starts.push(await die());
    if (time % CHECK_EVERY === 0 || time === times) findings.push(...(await world.verdict()));
  }
  const slowest = Math.max(...starts);
  if (slowest > READY_MILLIS_MAX * world.patience) findings.push(`took ${Math.round(slowest)} ms to be ready`);
  return { times: starts.length, findings, note: `ready again after at most ${(slowest / 1000).toFixed(1)} s` };
}

const atRandom: Fault = {
  name: 'engine killed at random',
  times: { short: 3, long: 300 },
  run: (world, times) => repeatedly(world, times, async () => {
    await pause(Math.random() * 100);
    await world.server.kill();
    return world.restart();
  }),
};

const at = (point: string, what: string): Fault => ({
  name: `killed between ${what}`,
  times: { short: 1, long: 50 },
  async run(world, times) {
    const when = join(world.folder, `crash_${point}`);
    const environment = { CRASH_POINT: point, CRASH_WHEN: when };
    await world.server.stop();
    await world.restart({ preload: 'crash_points.mjs', environment });
    const report = await repeatedly(world, times, async () => {
      writeFileSync(when, '');
      await world.server.exited;
      rmSync(when);
      return world.restart({ preload: 'crash_points.mjs', environment });
    });
    await world.server.stop();
    await world.restart();
    return report;
  },
});

export const crashFaults: Fault[] = [
  atRandom,
  at('apply_append', 'apply and append'),
  at('commit_acknowledge', 'commit and acknowledge'),
  at('acknowledge_publish', 'acknowledge and publish'),
];
