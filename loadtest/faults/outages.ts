/** Postgres goes away, in all the ways it can, and comes back. */
import { spawn, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import pg from 'pg';
import { endsWithThisProcess } from '../../api/kept_process.ts';
import type { Fault, FaultReport } from './fault.ts';
import type { FaultWorld } from './fault_world.ts';
import { needsProc, pausePostgres, wakePostgres } from './paused_postgres.ts';
import { pause, until } from './server_process.ts';

/** On a machine of its own; `world.patience` stretches them on a busy one. */
const TOLD_MILLIS_MAX = 1_000;
const RESUMED_MILLIS_MAX = 5_000;
const PROGRESS = 20;
/** An answer that was under way when the fault struck may still arrive. */
const GRACE_MILLIS = 300;
const DEADLINE_MILLIS = 120_000;
const EXHAUSTED_MILLIS = 2_000;

interface Outage {
  begin(world: FaultWorld): Promise<void> | void;
  /** Makes it answer again; resolves when it does. */
  end(world: FaultWorld): Promise<void> | void;
  /** How long it lasts; 0: it is over at once. */
  millis: { short: number; long: number };
}

/** Acknowledges nothing meanwhile, says so, and goes on soon after. */
async function suffer(world: FaultWorld, outage: Outage, millis: number): Promise<{ findings: string[]; resumed: number; told: number }> {
  const { load } = world;
  await world.progress(PROGRESS);
  await outage.begin(world);
  const begun = performance.now();
  const refusedBefore = load.refusals.length;
  await pause(millis);
  const before = performance.now();
  const findings: string[] = [];
  if (millis > 0) {
    const during = load.acknowledged.filter(({ at }) => at > begun + GRACE_MILLIS && at < before);
    if (during.length > 0) findings.push(`${during.length} orders were acknowledged while it was away`);
  }
  await outage.end(world);
  const back = performance.now();
  const reached = load.acknowledged.length + PROGRESS;
  await until('orders after the outage', () => load.acknowledged.length >= reached, DEADLINE_MILLIS);
  const first = load.acknowledged.find(({ at }) => at > back);
  const resumed = first === undefined ? 0 : first.at - back;
  if (resumed > RESUMED_MILLIS_MAX * world.patience) findings.push(`resumed after ${Math.round(resumed)} ms`);
  const refusals = load.refusals.slice(refusedBefore);
  const told = Math.max(0, ...refusals.map((refusal) => refusal.millis));
  if (millis > TOLD_MILLIS_MAX * 2 && refusals.length === 0) findings.push('nobody was told');
  if (told > TOLD_MILLIS_MAX * world.patience) findings.push(`told only after ${Math.round(told)} ms`);
  if (refusals.some(({ retryAfter }) => retryAfter === null || !/^[1-9][0-9]*$/.test(retryAfter))) findings.push('a 503 without Retry-After');
  return { findings, resumed, told };
}

const outageFault = (name: string, times: Fault['times'], outage: Outage, lacks?: Fault['lacks']): Fault => ({
  name,
  times,
  lacks,
  async run(world, count): Promise<FaultReport> {
    const findings: string[] = [];
    const worst = { resumed: 0, told: 0 };
    const millis = world.long ? outage.millis.long : outage.millis.short;
    for (let time = 0; time < count && findings.length === 0; time++) {
      const { findings: found, ...seen } = await suffer(world, outage, millis);
      findings.push(...found);
      worst.resumed = Math.max(worst.resumed, seen.resumed);
      worst.told = Math.max(worst.told, seen.told);
    }
    findings.push(...(await world.verdict()));
    return { times: count, findings, note: `told within ${Math.round(worst.told)} ms, resumed after ${Math.round(worst.resumed)} ms` };
  },
});

const answers = (world: FaultWorld): Promise<boolean> => world.query('select 1').then(() => true, () => false);
const comesBack = async (world: FaultWorld): Promise<void> => void (await until('Postgres', () => answers(world), DEADLINE_MILLIS));
const seconds = (short: number, long = short): Outage['millis'] => ({ short: short * 1_000, long: long * 1_000 });
const few = { short: 1, long: 10 };

const JOURNAL_SESSIONS = `from pg_stat_activity where application_name like '%journal'`;
const endJournalSession = (world: FaultWorld): Promise<unknown> => world.query(`select pg_terminate_backend(pid) ${JOURNAL_SESSIONS}`);

let hogs: pg.Client[] = [];

async function takeAllConnections(world: FaultWorld): Promise<void> {
  hogs = [];
  for (;;) {
    const hog = new pg.Client({ connectionString: world.databaseUrl });
    hog.on('error', () => undefined);
    try {
      await hog.connect();
    } catch {
      return;
    }
    hogs.push(hog);
  }
}

/** As Postgres reports it; whether a disk is really full is nothing the market can see. */
const FILL_DISK = `
  create function disk_full() returns trigger language plpgsql as $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
  create trigger disk_full before insert on journal for each statement execute function disk_full()`;
const EMPTY_DISK = 'drop trigger disk_full on journal; drop function disk_full()';

const journalSessions = (world: FaultWorld): Promise<{ pid: number }[]> => world.query<{ pid: number }>(`select pid ${JOURNAL_SESSIONS}`);
async function sessionFails(world: FaultWorld, pid: number): Promise<void> {
  await until('the session to fail', () => journalSessions(world).then((sessions) => !sessions.some((session) => session.pid === pid), () => true), DEADLINE_MILLIS);
}

/** The journal's session may write no more: its next write to the log fails, and Postgres starts again from what is on disk. */
async function failLog(world: FaultWorld): Promise<void> {
  const [{ pid }] = await journalSessions(world);
  // As who it runs as: others, root too, may lack the right.
  const { uid, gid } = statSync(`/proc/${pid}`);
  const { status, stderr } = spawnSync('prlimit', [`--pid=${pid}`, '--fsize=0:'], { uid, gid });
  if (status !== 0) throw new Error(`prlimit: ${String(stderr)}`);
  await sessionFails(world, pid);
}

/** The next time the journal's session makes the log durable the disk says that it cannot: what was written may be there all the same. */
async function failSync(world: FaultWorld): Promise<void> {
  const [{ pid }] = await journalSessions(world);
  const tracer = spawn('strace', ['-qq', '-o', '/dev/null', '-p', String(pid), '-e', 'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO:when=1'], { stdio: 'ignore' });
  tracer.once('exit', endsWithThisProcess(() => tracer.kill()));
  await sessionFails(world, pid).finally(() => tracer.kill());
}
const needsStrace = (): string | undefined => (spawnSync('strace', ['--version']).status === 0 ? undefined : 'needs strace');
const needsPrlimit = (): string | undefined => (spawnSync('prlimit', ['--version']).status === 0 ? undefined : 'needs prlimit of util-linux');

export const outageFaults: Fault[] = [
  outageFault('Postgres stopped at once', few, {
    begin: async (world) => {
      world.wire.set('resetting');
      process.kill(await world.postmaster(), 'SIGQUIT');
    },
    end: async (world) => {
      await comesBack(world);
      world.wire.set('open');
    },
    millis: seconds(3),
  }),
  outageFault('journal\'s session killed', { short: 2, long: 50 }, { begin: async (world) => void (await endJournalSession(world)), end: () => undefined, millis: seconds(0) }),
  outageFault('connection cut after the commit was sent', { short: 2, long: 50 }, {
    begin: async (world) => {
      const { cuts } = world.wire;
      world.wire.cutNextAfter('journal_append');
      await until('an append to cut', () => world.wire.cuts > cuts, DEADLINE_MILLIS);
    },
    end: () => undefined,
    millis: seconds(0),
  }),
  outageFault('every connection reset', few, { begin: (world) => world.wire.set('resetting'), end: (world) => world.wire.set('open'), millis: seconds(3) }),
  outageFault('connections dead without a word', { short: 1, long: 5 }, { begin: (world) => world.wire.set('silent'), end: (world) => world.wire.set('open'), millis: seconds(4, 30) }),
  outageFault('network hanging', { short: 1, long: 5 }, { begin: (world) => world.wire.set('hanging'), end: (world) => world.wire.set('open'), millis: seconds(3, 30) }),
  outageFault('Postgres hanging', { short: 1, long: 5 }, {
    begin: pausePostgres,
    end: wakePostgres,
    millis: seconds(3, 30),
  }, needsProc),
  outageFault('connections exhausted', few, {
    begin: async (world) => {
      await takeAllConnections(world);
      const [hog] = hogs;
      await hog?.query(`select pg_terminate_backend(pid) ${JOURNAL_SESSIONS}`);
      const first = hogs;
      await takeAllConnections(world);
      hogs.push(...first);
      await pause(EXHAUSTED_MILLIS);
    },
    end: async () => void (await Promise.all(hogs.map((hog) => hog.end()))),
    millis: seconds(0),
  }),
  outageFault('disk full', few, {
    begin: async (world) => void (await world.query(FILL_DISK)),
    end: async (world) => void (await world.query(EMPTY_DISK)),
    millis: seconds(3),
  }),
  outageFault('log cannot be written', few, { begin: failLog, end: () => undefined, millis: seconds(0) }, needsPrlimit),
  outageFault('log cannot be made durable', few, { begin: failSync, end: () => undefined, millis: seconds(0) }, needsStrace),
];

/** Every answer of Postgres comes late; nothing else changes. */
export const slowPostgres: Fault = {
  name: 'Postgres slow',
  times: { short: 1, long: 5 },
  async run(world, times) {
    const findings: string[] = [];
    let slowest = 0;
    for (let time = 0; time < times; time++) {
      world.wire.delayMillis = 60;
      slowest = Math.max(slowest, await world.progress(PROGRESS).finally(() => (world.wire.delayMillis = 0)));
      findings.push(...(await world.verdict()));
    }
    return { times, findings, note: `${PROGRESS} orders in at most ${(slowest / 1000).toFixed(1)} s at 120 ms a round trip` };
  },
};
