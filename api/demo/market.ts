/**
 * The demo market, opened by main.ts when DEMO=1: seeded once, quoted and traded by bots, loaded by
 * recorded requests, with logins in `DATA_DIR/demo.json`. A second start continues it.
 */
import { leftOut, OFFERS } from '../../db/seed/offers.ts';
import { MODELS } from '../gateway/catalogue/catalogue.ts';
import type { Services } from '../services.ts';
import { openAccounts, openLoadKey } from './accounts.ts';
import type { AccountServices, DemoFile } from './accounts.ts';
import { DemoBots } from './bots.ts';
import type { BotServices } from './bots.ts';
import { CHAT_MODELS, registerEndpoints } from './endpoints.ts';
import type { EndpointServices } from './endpoints.ts';
import { InferenceLoad } from './inference_load.ts';
import { LOAD_CLASSES } from './plan.ts';
import type { DemoProviders } from './provider_processes.ts';
import { seedMarket } from './seed.ts';

export type DemoServices = AccountServices & BotServices & EndpointServices;

export interface DemoMarket {
  /**
   * Call it when the server listens: writes demo.json and starts the recorded requests.
   * @param url as people outside see the server, without a path
   * @param inferenceUrl where the requests go; undefined: nowhere
   */
  listening(url: string, inferenceUrl?: string): Promise<DemoFile>;
  /** Ends bots, load and provider processes. Quotes stay in the book. */
  close(): Promise<void>;
}

/**
 * Resolves when every class is quoted.
 * @param providers of `startDemoProviders`, started before the services are built, because their
 *   `addresses` belong on the list of those that endpoints may use
 * @throws Error when the market cannot be opened; what has been seeded stays, and the next start goes on from there
 */
export async function openDemoMarket(services: DemoServices, providers: DemoProviders): Promise<DemoMarket> {
  const { config, log, sequencer, directory } = services;
  const isNew = directory.classes().length === 0;
  const seeded = await seedMarket(sequencer, MODELS.map((model) => model.id));
  if (isNew) reportOffers(log);
  await registerEndpoints(services, seeded, providers);
  const bots = new DemoBots(services, seeded);
  await bots.start();
  let load: InferenceLoad | undefined;
  return {
    async listening(url, inferenceUrl) {
      const file = await openAccounts(services, seeded, url);
      // The requests come at times of the day, which a manual clock does not have.
      if (inferenceUrl !== undefined && config.clock === 'wall' && config.demoLoadEvery > 0) {
        load = new InferenceLoad({
          url: inferenceUrl, key: await openLoadKey(services, seeded), models: CHAT_MODELS, every: config.demoLoadEvery, log,
          // The load would buy from whoever asks least; what others offer is for others.
          maySend: () => !bots.othersOffer(LOAD_CLASSES),
        });
        load.start();
      }
      return file;
    },
    async close() {
      load?.stop();
      await bots.stop();
      await providers.close();
    },
  };
}

function reportOffers(log: Services['log']): void {
  const { count, reasons } = leftOut();
  log.info({ offers: OFFERS.length, left_out: count, reasons: Object.fromEntries(reasons) }, 'seeded the market from published offers');
}
