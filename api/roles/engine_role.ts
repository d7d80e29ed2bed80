/**
 * The market itself: the sequencer and what follows its journal. Alone in its process, or beside the
 * others; with roles, its door stands open to other processes.
 */
import { hostname } from 'node:os';
import { startProjector } from '../../db/projector.ts';
import { isLed } from '../../db/journal.ts';
import { StoredWatchLog } from '../../db/order_watches.ts';
import { findStandby, noteStandby } from '../../db/standbys.ts';
import { Door } from '../cluster/door.ts';
import { openRedis } from '../cluster/redis.ts';
import { Seal } from '../cluster/seal.ts';
import { Succession } from '../cluster/succession.ts';
import { createMetrics } from '../http/middleware/metrics.ts';
import type { Line } from '../sequencer/messages.ts';
import { Unavailable } from '../sequencer/port.ts';
import type { SequencerPort } from '../sequencer/port.ts';
import { startSequencer } from '../sequencer/start.ts';
import { inDist } from './core.ts';
import type { Core } from './core.ts';
import { operationsApp } from './operations_app.ts';

/** A standby whose last look at the journal is older is not warm. */
const WARM_MILLIS = 2_000;

/** How far a standby follows the journal. */
export class Following {
  sequence = 0;
  private at = -Infinity;

  followed(sequence: number): void {
    this.sequence = sequence;
    this.at = performance.now();
  }
  /** It could lead at once. */
  get isWarm(): boolean {
    return performance.now() - this.at < WARM_MILLIS;
  }
}

/**
 * Another may lead already, or is to: nothing is left to close that would not be this process's to write. An exit would wait for the threads,
 * and they until nothing is being compiled any more: on a busy machine that takes seconds.
 */
function endAtOnce(error: Error): void {
  console.error(error.message);
  process.kill(process.pid, 'SIGKILL');
}

/** Resolves when this process leads: at once, or with `following` when nobody else does. */
export async function openSequencer(core: Core, following?: Following): Promise<SequencerPort & Line> {
  const { config, postgres, log, parts, say } = core;
  const { roles } = config;
  const onFatal = config.single ? core.onFatal : endAtOnce;
  let isLeading = false;
  const followed = (sequence: number): void => {
    if (following?.isWarm === false) log.info({ sequence }, 'standing by, warm');
    following?.followed(sequence);
  };
  if (!config.single) openSuccession(core, () => (isLeading ? true : following?.isWarm === true ? false : undefined));
  // Who leads as this process begins, and goes before it is warm, is not waited for.
  const letsFirst = !roles.includes('engine') && !(await isLed(postgres.url).catch(() => false));
  const sequencer = await startSequencer({
    url: () => postgres.url, markFolder: config.dataDir, acceptedEnd: config.acceptedJournalEnd, clock: config.clock, say, onFatal,
    alone: !config.single && !roles.includes('api') && !roles.includes('gateway'),
    standby: following !== undefined, letsFirst, onFollowing: followed,
  });
  isLeading = true;
  parts.add('sequencer', () => sequencer.close());
  return sequencer;
}

function openSuccession({ config, database, parts }: Core, leads: () => boolean | undefined): void {
  const { redis, pulse } = openRedis(config.redisUrl ?? '', 'succession');
  const holder = `${hostname()} process ${process.pid}`;
  const succession = new Succession({
    pulse, leads, note: (reachedMillis) => noteStandby(database, holder, reachedMillis), find: (reachedMillis) => findStandby(database, reachedMillis), onHandOver: endAtOnce,
  });
  parts.add('succession', () => {
    succession.close();
    redis.disconnect();
  });
}

/** Resolves when the projections' tables are there. */
export async function openProjector({ log, postgres, parts }: Core): Promise<void> {
  const projector = await startProjector({ file: inDist('projector_worker.js'), url: () => postgres.url, onProblem: (message) => log.warn({ message }, 'projections fall behind') });
  parts.add('projector', () => projector.stop());
}

/** The door for other processes, which find the projections' tables made; who takes over opens it before anything else. */
export async function openToOthers(core: Core, sequencer: SequencerPort & Line): Promise<Door> {
  const { rows } = await core.database.raw<{ rows: { there: boolean }[] }>(`select to_regclass('projections.positions') is not null as there`);
  if (!rows[0].there) await openProjector(core);
  const door = await openDoor(core, sequencer);
  if (rows[0].there) await openProjector(core);
  return door;
}

async function openDoor({ config, log, database, parts, say }: Core, sequencer: SequencerPort & Line): Promise<Door> {
  const door = new Door({ redisUrl: config.redisUrl ?? '', seal: await Seal.of(database), sequencer, log, watchLog: new StoredWatchLog(database), say, onHeldUp: endAtOnce });
  parts.add('door', () => door.close());
  const { epoch } = await sequencer.status();
  say(`leading under epoch ${epoch}`);
  return door;
}

/** `engine` or `standby` alone in a process: no client comes here, only those who watch over it. */
export async function startEngineProcess(core: Core): Promise<void> {
  const { config, front, say, url } = core;
  const state = { sequencer: undefined as SequencerPort | undefined, door: undefined as Door | undefined };
  const following = config.roles.includes('standby') ? new Following() : undefined;
  const status = () => state.sequencer?.status() ?? Promise.reject(new Unavailable('this process does not lead'));
  front.open(operationsApp({
    metrics: createMetrics({ sequencer: { status } }, () => (state.sequencer === undefined ? following : undefined)),
    role: () => (state.sequencer === undefined ? 'standby' : 'engine'),
    problems: async () => {
      if (state.sequencer === undefined) return following?.isWarm === true ? [] : ['sequencer'];
      const serves = await status().then(() => true, () => false);
      return [...(serves ? [] : ['sequencer']), ...(state.door?.isOpen === true ? [] : ['redis'])];
    },
  }));
  if (following !== undefined) say(`ready ${url} (${config.roles.join(', ')})`);
  const sequencer = await openSequencer(core, following);
  state.sequencer = sequencer;
  state.door = await openToOthers(core, sequencer);
  if (following === undefined) say(`ready ${url} (engine)`);
}
