/** What clients reach: the exchange, the gateway, live data, the web app. As many processes as one likes. */
import { ProjectionWaiter } from '../../db/queries/positions.ts';
import { StoredWatchLog } from '../../db/order_watches.ts';
import { createApp } from '../app.ts';
import { Auth } from '../auth/auth.ts';
import { RedisLimits } from '../cluster/redis_limits.ts';
import { RemoteSequencer } from '../cluster/remote_sequencer.ts';
import { Seal } from '../cluster/seal.ts';
import { AutomaticResale, StoredResalePolicies } from '../upkeep/automatic_resale.ts';
import { SharedRooms } from '../cluster/shared_rooms.ts';
import { SharedTallies } from '../cluster/shared_tallies.ts';
import { Committed } from '../committed.ts';
import { Directory } from '../directory.ts';
import { openGateway } from '../gateway/gateway.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { openVault } from '../gateway/endpoints/vault.ts';
import { exchangeRoutes } from '../http/routes/all_routes.ts';
import { isOpenAiPath } from '../http/registry.ts';
import { ListPrices } from '../upkeep/list_prices.ts';
import { Marks } from '../upkeep/marks.ts';
import { Repricing, StoredRepricingRules } from '../upkeep/repricing.ts';
import { MarketView } from '../market/market_view.ts';
import { pastTrades } from '../past_trades.ts';
import { CancelOnDisconnect } from '../realtime/cancel_on_disconnect.ts';
import type { OrderWatch } from '../realtime/cancel_on_disconnect.ts';
import { pastFillsOf } from '../realtime/past_fills.ts';
import { Realtime } from '../realtime/realtime.ts';
import type { Rounds } from '../rounds.ts';
import type { SequencerPort } from '../sequencer/port.ts';
import type { Services } from '../services.ts';
import { WarningWatch } from '../warnings/warning_watch.ts';
import { Warnings } from '../warnings/warnings.ts';
import { WebhookSender } from '../webhooks/webhook_sender.ts';
import { inDist } from './core.ts';
import type { Core } from './core.ts';

/** An engine that leads is heard sooner. */
const HEARD_MILLIS = 3_000;

export interface Opened {
  services: Services;
  gateway: Gateway;
}

/** The engine of another process. Resolves when it has been heard. */
export async function reachEngine({ config, log, say, postgres, database, parts, onFatal }: Core): Promise<RemoteSequencer> {
  const seal = await Seal.of(database);
  const late = setTimeout(() => say('waiting for an engine'), HEARD_MILLIS);
  const remote = await RemoteSequencer.open({ redisUrl: config.redisUrl ?? '', databaseUrl: () => postgres.url, seal, log, say, onFatal });
  clearTimeout(late);
  parts.add('engine', () => remote.close());
  return remote;
}

/** Limits hold over all processes, of clients and of endpoints. */
async function openShared({ config, database, parts }: Core): Promise<Pick<Services, 'tallies' | 'limits' | 'rooms'>> {
  if (config.single) return {};
  const shared = { redisUrl: config.redisUrl ?? '', seal: await Seal.of(database) };
  const tallies = new SharedTallies(shared);
  parts.add('tallies', () => tallies.close());
  const limits = new RedisLimits(shared);
  parts.add('limits', () => limits.close());
  const rooms = new SharedRooms(shared);
  parts.add('rooms', () => rooms.close());
  return { tallies, limits: (name) => limits.of(name), rooms };
}

/** What handlers use, and the gateway. */
export async function openServices(core: Core, sequencer: SequencerPort, demoAddresses: readonly string[]): Promise<Opened> {
  const { config, log, database, parts } = core;
  const committed = await Committed.follow(sequencer, { shared: !config.single });
  parts.add('committed', () => committed.stop());
  const { directory, stop } = await Directory.load(sequencer);
  parts.add('directory', stop);
  const projections = new ProjectionWaiter(database);
  const market = await MarketView.start(sequencer, directory, pastTrades(database, projections));
  parts.add('market data', () => market.close());
  // With a manual clock the market may be ahead of the wall: a key is dead when either says so.
  const auth = new Auth(database, log, () => Math.max(Date.now(), committed.now));
  await auth.start();
  parts.add('auth', () => auth.close());
  const base = { config, log, sequencer, committed, auth, database, projections, directory, market, vault: await openVault(config), ...(await openShared(core)), clockFollowers: new Set<() => Promise<void>>() };
  const gateway = await openGateway(base, demoAddresses);
  parts.add('gateway', () => gateway.close());
  return { services: { ...base, endpoints: gateway.endpoints }, gateway };
}

/** What the exchange does by itself, in every process that may: what two of them do at once is done once. */
export async function openUpkeep({ config, parts }: Core, { services }: Opened): Promise<void> {
  const { database, directory, log, vault } = services;
  const listPrices = new ListPrices(services);
  const upkeep: Record<string, Rounds> = {
    'list prices': listPrices,
    webhooks: new WebhookSender({ database, directory, log, vault, allow: config.endpointAllow }),
    marks: new Marks(services),
    'automatic resale': new AutomaticResale(services, new StoredResalePolicies(database)),
    repricing: new Repricing(services, new StoredRepricingRules(database)),
  };
  for (const [name, rounds] of Object.entries(upkeep)) {
    rounds.start();
    parts.add(name, () => rounds.close());
  }
  await listPrices.run();
}

/** In every process that may: what two of them notice is told once. */
export async function openWarnings({ parts }: Core, { services }: Opened): Promise<Warnings> {
  const warnings = new Warnings(services.database, services.log);
  await warnings.forgetOld();
  warnings.start();
  const watch = new WarningWatch(services, warnings);
  watch.start();
  parts.add('warnings', () => Promise.all([watch.close(), warnings.close()]));
  return warnings;
}

/** For a process that has all connections: whose connections ended with the process before it have their orders cancelled. */
export async function watchOrders({ database, log }: Core, sequencer: SequencerPort): Promise<OrderWatch> {
  const watch = new CancelOnDisconnect(sequencer, log, new StoredWatchLog(database));
  await watch.takeOver();
  return watch;
}

export function openHttp({ config, front, parts }: Core, { services, gateway }: Opened, { orderWatch, warnings }: { orderWatch: OrderWatch; warnings?: Warnings }): void {
  const { market, directory, sequencer, auth, log } = services;
  const [exchange, openai] = [config.roles.includes('api'), config.roles.includes('gateway')];
  const routes = [...gateway.routes, ...exchangeRoutes()].filter(({ path }) => (isOpenAiPath(path) ? openai : exchange));
  front.open(createApp({ services, routes, turns: front.turns, ...(exchange ? { webFolder: inDist('web') } : {}) }));
  if (!exchange) return parts.add('http', () => front.close());
  const realtime = new Realtime({ http: front.server, market, directory, sequencer, auth, log, pastFills: pastFillsOf(services), orderWatch, ...(warnings === undefined ? {} : { warnings }) });
  // Together: the server ends with its last socket, the sockets end with the live data.
  parts.add('http', () => Promise.allSettled([front.close(), realtime.close()]));
}
