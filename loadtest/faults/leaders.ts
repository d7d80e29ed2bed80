/** Two engines on one database: exactly one leads, and the other leaves no trace. */
import type { Fault } from './fault.ts';
import type { FaultWorld } from './fault_world.ts';
import { needsProc, pausePostgres, wakePostgres } from './paused_postgres.ts';
import { freePort, pause } from './server_process.ts';
import type { ServerProcess } from './server_process.ts';

/** Longer than a lease lasts. */
const PAUSE_MILLIS = { short: 6_000, long: 30_000 };
const EXIT_MILLIS_MAX = 1_000;
const DRAIN_MILLIS_MAX = 10_000;
const HANG_DRAIN_MILLIS_MAX = 7_000;
/** Told to stop at once, and at each stage of finding out that nothing answers. */
const HANG_STEPS = 4;
const HANG_STEP_MILLIS = 500;
const EPOCHS = `select epoch::int as epoch, max(last_sequence)::int as last from journal group by epoch order by epoch desc limit 2`;

const twoAtOnce: Fault = {
  name: 'second engine started beside the first',
  times: { short: 1, long: 20 },
  async run(world, times) {
    const findings: string[] = [];
    for (let time = 0; time < times; time++) {
      const second = world.spawn({ port: await freePort() });
      const served = await second.ready().then(() => true, () => false);
      if (served) findings.push('two engines are ready');
      else if (!second.output.includes('another engine leads')) findings.push(`the second does not say why it ends: ${second.output.slice(-300)}`);
      if (served) await second.kill();
      await world.progress(5);
    }
    findings.push(...(await world.verdict()));
    return { times, findings };
  },
};

/** The first is paused until another leads, then woken. */
async function pauseAndWake(world: FaultWorld): Promise<{ findings: string[]; exitMillis: number }> {
  const findings: string[] = [];
  const stale: ServerProcess = world.server;
  await world.progress(10);
  stale.signal('SIGSTOP');
  const successor = world.spawn({ port: await freePort() });
  await successor.ready();
  world.server = successor;
  await pause(world.long ? PAUSE_MILLIS.long : 0);
  const [{ epoch, last: before }] = await world.query<{ epoch: number; last: number }>(EPOCHS);
  const woken = performance.now();
  stale.signal('SIGCONT');
  await stale.exited;
  const exitMillis = performance.now() - woken;
  if (exitMillis > EXIT_MILLIS_MAX * world.patience) findings.push(`the stale leader ended only after ${Math.round(exitMillis)} ms`);
  const rows = await world.query<{ epoch: number; last: number }>('select epoch::int as epoch, min(first_sequence)::int as last from journal where first_sequence > $1 group by epoch', [before]);
  if (rows.some((row) => row.epoch < epoch)) findings.push('the stale leader has appended');
  await world.progress(10);
  return { findings, exitMillis };
}

const paused: Fault = {
  name: 'leader paused, replaced and woken',
  times: { short: 1, long: 10 },
  async run(world, times) {
    const findings: string[] = [];
    let slowest = 0;
    for (let time = 0; time < times; time++) {
      const seen = await pauseAndWake(world);
      findings.push(...seen.findings);
      slowest = Math.max(slowest, seen.exitMillis);
    }
    findings.push(...(await world.verdict()));
    return { times, findings, note: `the stale one ended within ${Math.round(slowest)} ms` };
  },
};

/** @param before what happens to it, load amid it, before it is told to stop; @param after when it has ended */
const drainFault = (name: string, times: Fault['times'], millisMax: number, { before = () => Promise.resolve(), after = () => undefined, lacks }: { before?: (world: FaultWorld, time: number) => Promise<void>; after?: () => void; lacks?: Fault['lacks'] } = {}): Fault => ({
  name,
  times,
  lacks,
  async run(world, count) {
    const findings: string[] = [];
    let slowest = 0;
    for (let time = 0; time < count; time++) {
      await world.progress(10);
      await before(world, time);
      const { code, millis } = await world.server.stop();
      after();
      slowest = Math.max(slowest, millis);
      if (code !== 0) findings.push(`ended with ${code}: ${world.server.output.slice(-300)}`);
      if (millis > millisMax) findings.push(`took ${Math.round(millis)} ms`);
      await world.restart();
    }
    findings.push(...(await world.verdict()));
    return { times: count, findings, note: `ended within ${Math.round(slowest)} ms` };
  },
});

/** What rests on the database is not waited for. */
const hangs = async (world: FaultWorld, time: number): Promise<void> => {
  await pausePostgres(world);
  await pause((time % HANG_STEPS) * HANG_STEP_MILLIS);
};

export const leaderFaults: Fault[] = [
  twoAtOnce,
  paused,
  drainFault('SIGTERM under load', { short: 1, long: 20 }, DRAIN_MILLIS_MAX),
  drainFault('SIGTERM while Postgres hangs', { short: 1, long: 12 }, HANG_DRAIN_MILLIS_MAX, { before: hangs, after: wakePostgres, lacks: needsProc }),
];
