/** The demo market: bots, providers and recorded load, in exactly one of the processes that may run them. */
import { readDemoAddresses, startDemoProviders } from '../demo/provider_processes.ts';
import type { DemoProviders } from '../demo/provider_processes.ts';
import type { DemoFile } from '../demo/accounts.ts';
import { openDemoMarket } from '../demo/market.ts';
import { Turn } from '../cluster/turn.ts';
import { patiently } from './patience.ts';
import type { Opened } from './api_role.ts';
import type { Core } from './core.ts';

/** Of the advisory lock that who runs the demo holds. */
const LOCK = 7_301_847;
const LOOK_MILLIS = 1_000;

/** To be called when the server takes requests: writes demo.json and starts the recorded requests. */
export type Begin = () => Promise<DemoFile>;

/** Resolves when every class is quoted. */
async function openDemo(core: Core, { services }: Opened, providers: DemoProviders): Promise<{ begin: Begin; close: () => Promise<void> }> {
  const { config, say, url, log } = core;
  say('opening the demo market ...');
  const demo = await openDemoMarket(services, providers);
  const inferenceUrl = config.roles.includes('gateway') ? url : config.publicUrl;
  if (inferenceUrl === undefined) log.warn('PUBLIC_URL is not set and this process has no gateway: the demo sends no inference load');
  return { begin: () => demo.listening(config.publicUrl ?? url, inferenceUrl), close: () => demo.close() };
}

/** In one process: the providers exist before the services do, because they belong on the list of those that endpoints may use. */
export async function startProviders({ config, log, parts }: Core): Promise<DemoProviders> {
  const providers = await startDemoProviders(config, log);
  parts.add('demo providers', () => providers.close());
  return providers;
}
export async function openOwnDemo(core: Core, opened: Opened, providers: DemoProviders): Promise<Begin> {
  const { begin, close } = await openDemo(core, opened, providers);
  core.parts.add('demo', close);
  return begin;
}

/**
 * With roles: who holds the lock runs the demo, and another takes over when it ends. All learn from the
 * data folder which addresses the demo's providers have.
 * @returns undefined when it is not this process's turn now
 */
export async function shareDemo(core: Core, opened: Opened): Promise<Begin | undefined> {
  const { config, log, say, parts } = core;
  const look = async (): Promise<void> => opened.gateway.allow(await readDemoAddresses(config.dataDir));
  await look();
  const timer = setInterval(() => void look(), LOOK_MILLIS);
  parts.add('demo addresses', () => clearInterval(timer));
  if (!config.roles.includes('api')) return undefined;
  let close = (): Promise<void> => Promise.resolve();
  const run = async (): Promise<Begin> => {
    // An attempt may have failed half-way.
    await close();
    close = () => Promise.resolve();
    const providers = await startDemoProviders(config, log);
    close = () => providers.close();
    await look();
    const demo = await openDemo(core, opened, providers);
    close = demo.close;
    return demo.begin;
  };
  let work: Promise<unknown> = Promise.resolve();
  const goOn = (): void => {
    const next = async (): Promise<void> => {
      await close();
      close = () => Promise.resolve();
      if (await turn.wait()) await patiently('the market', async () => (await run())(), core);
    };
    work = work.then(next).catch((error: unknown) => log.error({ err: error }, 'the demo does not go on here'));
  };
  const turn = new Turn(core.postgres.url, LOCK, () => {
    say('the demo stops here until it is this process\'s turn again');
    goOn();
  });
  parts.add('demo', async () => {
    await close();
    await turn.close();
  });
  if (await turn.tryTake()) {
    const first = run();
    work = first.catch(() => undefined);
    return first;
  }
  goOn();
  return undefined;
}
