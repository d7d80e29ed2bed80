/** Starts this process's roles: connects their parts in order, says when it is ready, and closes them in reverse. */
import { setFlagsFromString } from 'node:v8';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { ConfigError, readConfig } from './config.ts';
import type { Config } from './config.ts';
import { reasonOf } from './reason.ts';
import { openHttp, openServices, openUpkeep, openWarnings, reachEngine, watchOrders } from './roles/api_role.ts';
import { openCore } from './roles/core.ts';
import type { Core } from './roles/core.ts';
import { openOwnDemo, shareDemo, startProviders } from './roles/demo_role.ts';
import type { Begin } from './roles/demo_role.ts';
import { Following, openProjector, openSequencer, openToOthers, startEngineProcess } from './roles/engine_role.ts';
import { introduction } from './roles/introduction.ts';
import { patiently } from './roles/patience.ts';
import { Parts } from './roles/parts.ts';
import { readSourceMap } from './source_map.ts';

const CLOSE_MILLIS_MAX = 9_500;
/** Who cannot go on must not linger: another may lead already. */
const FATAL_MILLIS_MAX = 500;
/** Who stops a group of processes tells this one, and so does npm when it is told: that is one wish. */
const ECHO_MILLIS = 1_000;

const say = (line: string): void => console.log(line);

/** ROLE=all: nothing is shared with other processes. */
async function startAlone(core: Core): Promise<void> {
  const sequencer = await openSequencer(core);
  await openProjector(core);
  const providers = core.config.demo ? await startProviders(core) : undefined;
  const { parts, log } = core;
  const before = parts.count;
  const { opened, begin, warnings } = await patiently('the market', async () => {
    const opened = await openServices(core, sequencer, providers?.addresses ?? []);
    const begin = providers === undefined ? undefined : await openOwnDemo(core, opened, providers);
    await openUpkeep(core, opened);
    return { opened, begin, warnings: await openWarnings(core, opened) };
  }, { ...core, undo: () => parts.close(log, before) });
  openHttp(core, opened, { warnings, orderWatch: await watchOrders(core, sequencer) });
  await introduce(core, begin);
}

/** One process of many. */
async function startTogether(core: Core): Promise<void> {
  const { roles, demo } = core.config;
  if (!roles.includes('api') && !roles.includes('gateway')) return startEngineProcess(core);
  const own = roles.includes('engine') && !roles.includes('standby') ? await openSequencer(core) : undefined;
  if (own !== undefined) await openToOthers(core, own);
  else if (roles.includes('standby')) openSequencer(core, new Following()).then((sequencer) => openToOthers(core, sequencer)).catch(core.onFatal);
  const { parts, log } = core;
  const before = parts.count;
  const { remote, opened, begin, warnings } = await patiently('the market', async () => {
    const remote = await reachEngine(core);
    const opened = await openServices(core, own ?? remote, []);
    const begin = demo ? await shareDemo(core, opened) : undefined;
    if (roles.includes('api')) await openUpkeep(core, opened);
    const warnings = roles.includes('api') ? await openWarnings(core, opened) : undefined;
    return { remote, opened, begin, warnings };
  }, { ...core, undo: () => parts.close(log, before) });
  openHttp(core, opened, { orderWatch: remote, ...(warnings === undefined ? {} : { warnings }) });
  await introduce(core, begin);
}

/** Tells that requests are taken, and of a demo how to come in. */
async function introduce(core: Core, begin: Begin | undefined): Promise<void> {
  const file = begin === undefined ? undefined : await patiently('the market', begin, core);
  introduction(core.url, file).forEach(say);
}

/** pino writes to standard error, so that what a person is told stays readable. Nothing secret may reach it. */
const createLog = (config: Config): Logger =>
  pino(
    { level: config.logLevel, redact: { paths: ['*.authorization', '*.cookie', '*.password', '*.api_key', '*.secret', '*.credential'], censor: '[redacted]' } },
    pino.destination({ fd: 2, sync: false }),
  );

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config);
  const parts = new Parts();
  const closing = new AbortController();
  let askedAt = -Infinity;
  const close = async (code: number, millisMax = CLOSE_MILLIS_MAX): Promise<void> => {
    if (closing.signal.aborted) process.exit(code === 0 ? 130 : code);
    closing.abort();
    // No thread ends while anything of the process is being compiled, and a busy machine that has just begun compiles for seconds.
    setFlagsFromString('--no-opt');
    const late = setTimeout(() => {
      console.error(`not closed in time: ${parts.underWay.join(', ')}`);
      // Who was told to stop leaves nothing behind. Who cannot go on may have been replaced by one that uses the same database.
      if (millisMax === CLOSE_MILLIS_MAX) parts.endAtOnce();
      process.exit(1);
    }, millisMax);
    await parts.close(log);
    clearTimeout(late);
    if (parts.leftBehind.length > 0) console.error(`told to end, and not waited for: ${parts.leftBehind.join(', ')}`);
    process.exit(parts.leftBehind.length > 0 ? 1 : code);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (closing.signal.aborted && performance.now() - askedAt < ECHO_MILLIS) return;
      if (closing.signal.aborted) parts.endAtOnce();
      else say('closing ...');
      askedAt = performance.now();
      void close(0);
    });
  }
  const onFatal = (error: Error): void => {
    log.fatal({ err: error }, 'the server cannot go on');
    console.error(error.message);
    void close(1, FATAL_MILLIS_MAX);
  };
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', (reason) => onFatal(reason instanceof Error ? reason : new Error(String(reason))));
  try {
    const core = await openCore({ config, log, say, parts, onFatal, closing: closing.signal });
    await (config.single ? startAlone(core) : startTogether(core));
  } catch (error) {
    if (closing.signal.aborted) return;
    console.error(reasonOf(error));
    if (!(error instanceof ConfigError)) log.error({ err: error }, 'the server does not start');
    await close(1);
  }
}

readSourceMap();
try {
  await main();
} catch (error) {
  // Before there is a log: only the environment can be wrong.
  console.error(error instanceof ConfigError ? error.message : error);
  process.exitCode = 1;
}
