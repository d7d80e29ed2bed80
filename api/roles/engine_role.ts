/**
 * The market itself: the sequencer and what follows its journal. Alone in its process, or beside the
 * others; with roles, its door stands open to other processes.
 */
import { hostname } from 'node:os';
import { startProjector } from '../../db/projector.ts';
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
import { waitForLeader } from './leader_wait.ts';
import { operationsApp } from './operations_app.ts';

/** A standby whose last look at the journal is older is not warm. */
const WARM_MILLIS = 2_000;

/** Another may lead already, or is to: nothing is left to close that would not be this process's to write. */
function endAtOnce(error: Error): never {
  console.error(error.message);
  process.exit(1);
}

/** Resolves when this process leads: at once, or with `standby` when nobody else does. */
export async function openSequencer(core: Core, standby = false, onFollowing?: (sequence: number) => void): Promise<SequencerPort & Line> {
  const { config, postgres, parts, say } = core;
  const onFatal = config.single ? core.onFatal : endAtOnce;
  const position = { leads: false, followedAt: -Infinity };
  const followed = (sequence: number): void => {
    position.followedAt = performance.now();
    onFollowing?.(sequence);
  };
  if (!config.single) openSuccession(core, () => (position.leads ? true : performance.now() - position.followedAt < WARM_MILLIS ? false : undefined));
  const alone = !config.single && !config.roles.includes('api') && !config.roles.includes('gateway');
  const sequencer = await startSequencer({ alone, url: () => postgres.url, markFolder: config.dataDir, acceptedEnd: config.acceptedJournalEnd, clock: config.clock, standby, onFollowing: followed, say, onFatal });
  position.leads = true;
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
  const { config, front, log, say, url } = core;
  const leads = config.roles.includes('engine');
  const state = { sequencer: undefined as SequencerPort | undefined, door: undefined as Door | undefined, followed: undefined as number | undefined };
  const status = () => state.sequencer?.status() ?? Promise.reject(new Unavailable('this process does not lead'));
  front.open(operationsApp({
    metrics: createMetrics({ sequencer: { status } }),
    role: () => (state.sequencer === undefined ? 'standby' : 'engine'),
    problems: async () => {
      // A standby is ready when it is warm.
      if (state.sequencer === undefined) return state.followed === undefined ? ['sequencer'] : [];
      const serves = await status().then(() => true, () => false);
      return [...(serves ? [] : ['sequencer']), ...(state.door?.isOpen === true ? [] : ['redis'])];
    },
  }));
  const standby = config.roles.includes('standby');
  if (standby && !leads) await waitForLeader(core.database);
  if (standby) say(`ready ${url} (${config.roles.join(', ')})`);
  const sequencer = await openSequencer(core, standby, (sequence) => {
    if (state.followed === undefined) log.info({ sequence }, 'standing by, warm');
    state.followed = sequence;
  });
  state.sequencer = sequencer;
  state.door = await openToOthers(core, sequencer);
  if (!standby) say(`ready ${url} (engine)`);
}
