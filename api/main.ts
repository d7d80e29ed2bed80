/** Starts the server: connects its parts in order, says when it is ready, and closes them in reverse. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Knex } from 'knex';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { openDatabase } from '../db/database.ts';
import { migrate } from '../db/migrate.ts';
import { openPostgres } from '../db/postgres.ts';
import type { Postgres } from '../db/postgres.ts';
import { startProjector } from '../db/projector.ts';
import { ProjectionWaiter } from '../db/queries/positions.ts';
import { createApp } from './app.ts';
import { Auth } from './auth/auth.ts';
import { Committed } from './committed.ts';
import { ConfigError, readConfig } from './config.ts';
import type { Config } from './config.ts';
import type { DemoFile } from './demo/accounts.ts';
import { openDemoMarket } from './demo/market.ts';
import type { DemoMarket } from './demo/market.ts';
import { startDemoProviders } from './demo/provider_processes.ts';
import type { DemoProviders } from './demo/provider_processes.ts';
import { Directory } from './directory.ts';
import { ApiError } from './errors.ts';
import { openGateway } from './gateway/gateway.ts';
import type { Gateway } from './gateway/gateway.ts';
import { openVault } from './gateway/vault.ts';
import { exchangeRoutes } from './http/all_routes.ts';
import { ListPrices } from './list_prices.ts';
import { MarketView } from './market/market_view.ts';
import { pastTrades } from './past_trades.ts';
import { Realtime } from './realtime/realtime.ts';
import { startSequencer } from './sequencer/start.ts';
import type { SequencerPort } from './sequencer/port.ts';
import type { Services } from './services.ts';

const CLOSE_MILLIS_MAX = 9_500;
const KEEP_ALIVE_MILLIS = 65_000;

const say = (line: string): void => console.log(line);

/** What has been started, to be closed in reverse. */
class Parts {
  private readonly closers: { name: string; close: () => Promise<unknown> }[] = [];

  add(name: string, close: () => Promise<unknown> | void): void {
    this.closers.push({ name, close: async () => close() });
  }

  async close(log: Logger): Promise<void> {
    for (let part = this.closers.pop(); part !== undefined; part = this.closers.pop()) {
      const { name } = part;
      await part.close().catch((error: unknown) => log.error({ err: error, part: name }, 'did not close well'));
    }
  }
}

interface Core {
  config: Config;
  log: Logger;
  postgres: Postgres;
  database: Knex;
  sequencer: SequencerPort;
}

/** Postgres, its tables, and the market recovered from them. */
async function openCore(config: Config, log: Logger, parts: Parts, onFatal: (error: Error) => void): Promise<Core> {
  const postgres = await openPostgres({ databaseUrl: config.databaseUrl, dataDir: config.dataDir, say });
  // One that was found running may be another server's: it goes on while anybody is connected.
  parts.add('postgres', () => postgres.stop({ onlyIfIdle: !postgres.started }));
  const database = openDatabase(postgres.url);
  parts.add('database', () => database.destroy());
  const migrations = await migrate(database);
  if (migrations.length > 0) say(`migrated the database: ${migrations.join(', ')}`);
  const sequencer = await startSequencer({ url: () => postgres.url, clock: config.clock, say, onFatal });
  parts.add('sequencer', () => sequencer.close());
  return { config, log, postgres, database, sequencer };
}

/** In dist/ beside the server's bundle; from the sources, where the build puts it. */
const inDist = (name: string): string => fileURLToPath(new URL(import.meta.url.includes('/dist/') ? name : `../dist/${name}`, import.meta.url));

/** What handlers use, and the gateway. */
async function openServices(core: Core, parts: Parts, demoAddresses: readonly string[]): Promise<{ services: Services; gateway: Gateway }> {
  const { config, log, postgres, database, sequencer } = core;
  const committed = await Committed.follow(sequencer);
  parts.add('committed', () => committed.stop());
  const { directory, stop } = await Directory.load(sequencer);
  parts.add('directory', stop);
  const projector = await startProjector({ file: inDist('projector_worker.js'), url: () => postgres.url, onProblem: (message) => log.warn({ message }, 'projections fall behind') });
  parts.add('projector', () => projector.stop());
  const projections = new ProjectionWaiter(database);
  const market = await MarketView.start(sequencer, directory, pastTrades(database, projections));
  parts.add('market data', () => market.close());
  // With a manual clock the market may be ahead of the wall: a key is dead when either says so.
  const auth = new Auth(database, log, () => Math.max(Date.now(), committed.now));
  await auth.start();
  parts.add('auth', () => auth.close());
  const base = { config, log, sequencer, committed, auth, database, projections, directory, market, vault: await openVault(config), clockFollowers: new Set<() => Promise<void>>() };
  const gateway = await openGateway(base, [...config.endpointAllow, ...demoAddresses]);
  parts.add('gateway', () => gateway.close());
  return { services: { ...base, endpoints: gateway.endpoints }, gateway };
}

/** Takes connections from the beginning: who comes too early is told when to try again. */
class Front {
  readonly server: Server;
  private handler: (request: IncomingMessage, response: ServerResponse) => void = answerStarting;

  constructor() {
    this.server = createServer((request, response) => this.handler(request, response));
    this.server.keepAliveTimeout = KEEP_ALIVE_MILLIS;
  }

  open(app: (request: IncomingMessage, response: ServerResponse) => void): void {
    this.handler = app;
  }

  /** @throws ConfigError when the port is taken */
  async listen({ host, port }: Config): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'EADDRINUSE' || error.code === 'EACCES' ? new ConfigError(`PORT: ${port} on ${host} cannot be used (${error.code})`) : error),
      );
      this.server.listen(port, host, resolve);
    });
    return (this.server.address() as AddressInfo).port;
  }
}

function answerStarting(request: IncomingMessage, response: ServerResponse): void {
  const lives = request.url === '/healthz';
  const error = new ApiError('unavailable');
  response.writeHead(lives ? 200 : error.status, { 'content-type': 'application/json; charset=utf-8', 'retry-after': '1' });
  response.end(JSON.stringify(lives ? { status: 'ok' } : error.body('')));
}

function openHttp(front: Front, { services, gateway }: { services: Services; gateway: Gateway }, parts: Parts): void {
  const { market, directory, sequencer, auth, log } = services;
  front.open(createApp({ services, routes: [...gateway.routes, ...exchangeRoutes()], webFolder: inDist('web') }));
  const realtime = new Realtime({ http: front.server, market, directory, sequencer, auth, log });
  // Together: the server ends with its last socket, the sockets end with the live data.
  parts.add('http', () => Promise.allSettled([closeHttp(front.server), realtime.close()]));
}

/** Takes no new connection, lets requests under way end, and waits no longer than a moment for them. */
async function closeHttp(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MILLIS_MAX / 4);
  await closed;
  clearTimeout(timer);
}

async function openDemo(services: Services, providers: DemoProviders | undefined, parts: Parts): Promise<DemoMarket | undefined> {
  if (providers === undefined) return undefined;
  say('opening the demo market ...');
  const demo = await openDemoMarket(services, providers);
  parts.add('demo', () => demo.close());
  return demo;
}

function introduce(url: string, file: DemoFile | undefined): void {
  say(`ready ${url}`);
  if (file === undefined) return;
  for (const role of ['borrower', 'provider', 'lender', 'operator', 'operator_2'] as const) say(`  ${role.padEnd(10)} ${file[role].email}  password ${file[role].password}`);
  const body = JSON.stringify({ model: 'meta-llama/Llama-3.1-8B-Instruct', messages: [{ role: 'user', content: 'Say hello.' }] });
  say(`try it:\n  curl --retry 3 ${url}/v1/chat/completions -H 'Authorization: Bearer ${file.gateway_key}' -H 'Content-Type: application/json' -d '${body}'`);
}

async function start(config: Config, log: Logger, parts: Parts, onFatal: (error: Error) => void): Promise<void> {
  if (!config.single) throw new ConfigError('ROLE: this version runs everything in one process; leave it unset or set it to all');
  const front = new Front();
  const port = await front.listen(config);
  parts.add('port', () => closeHttp(front.server));
  const core = await openCore(config, log, parts, onFatal);
  const providers = config.demo ? await startDemoProviders(config, log) : undefined;
  if (providers !== undefined) parts.add('demo providers', () => providers.close());
  const opened = await openServices(core, parts, providers?.addresses ?? []);
  const demo = await openDemo(opened.services, providers, parts);
  const listPrices = new ListPrices(opened.services);
  await listPrices.start();
  parts.add('list prices', () => listPrices.close());
  openHttp(front, opened, parts);
  const url = `http://localhost:${port}`;
  introduce(url, await demo?.listening(url));
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
  let closing = false;
  const close = async (code: number): Promise<void> => {
    if (closing) process.exit(code === 0 ? 130 : code);
    closing = true;
    const late = setTimeout(() => process.exit(1), CLOSE_MILLIS_MAX);
    await parts.close(log);
    clearTimeout(late);
    process.exit(code);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!closing) say('closing ...');
      void close(0);
    });
  }
  const onFatal = (error: Error): void => {
    log.fatal({ err: error }, 'the server cannot go on');
    console.error(error.message);
    void close(1);
  };
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', (reason) => onFatal(reason instanceof Error ? reason : new Error(String(reason))));
  try {
    await start(config, log, parts, onFatal);
  } catch (error) {
    if (closing) return;
    console.error(error instanceof Error ? error.message : String(error));
    if (!(error instanceof ConfigError)) log.error({ err: error }, 'the server does not start');
    await close(1);
  }
}

try {
  await main();
} catch (error) {
  // Before there is a log: only the environment can be wrong.
  console.error(error instanceof ConfigError ? error.message : error);
  process.exitCode = 1;
}
