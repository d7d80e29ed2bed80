/** The whole api on a port of its own, over a real Postgres and an engine in this process. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Knex } from 'knex';
import { pino } from 'pino';
import { openDatabase } from '../../../db/database.ts';
import { PostgresJournal } from '../../../db/journal.ts';
import { Projector } from '../../../db/projections/projector.ts';
import { ProjectionWaiter } from '../../../db/queries/positions.ts';
import { freshDatabase } from '../../../db/test/fresh_database.ts';
import { marketOf } from '../../../engine/vocabulary.ts';
import type { Command } from '../../../engine/commands.ts';
import type { Role } from '../../../engine/vocabulary.ts';
import { createApp } from '../../app.ts';
import { Auth } from '../../auth/auth.ts';
import { registerUser } from '../../auth/accounts.ts';
import type { User } from '../../auth/accounts.ts';
import { NO_SPOT, newId, scopesOf } from '../../auth/keys.ts';
import { hashPassword } from '../../auth/passwords.ts';
import { Committed } from '../../committed.ts';
import { readConfig } from '../../config.ts';
import { Directory } from '../../directory.ts';
import { openGateway } from '../../gateway/gateway.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { Vault } from '../../gateway/endpoints/vault.ts';
import { MarketView } from '../../market/market_view.ts';
import { pastTrades } from '../../past_trades.ts';
import { createInProcessSequencer } from '../../sequencer/in_process.ts';
import type { Services } from '../../services.ts';
import { exchangeRoutes } from '../routes/all_routes.ts';
import type { Route } from '../route.ts';

export const CLASS = 'H100-SXM-80';
export const REGION = 'us-east';
export const MODEL = 'llama-3.1-8b';
export const MARKET = marketOf(0, 0);
/** An hour that is open for trading at the start of the tests. */
export const INSTRUMENT = `${CLASS}.${REGION}.20261201T14Z`;
export const PASSWORD = 'correct horse battery';

export interface Answer {
  status: number;
  // Bodies of tests are looked into freely.
  body: Record<string, unknown> & { error?: { code: string; message: string; field?: string; request_id: string } };
  headers: Headers;
}
export interface CallOptions {
  key?: string;
  body?: unknown;
  /** Sent as it is. */
  raw?: string | Uint8Array;
  headers?: Record<string, string>;
}
export interface Member {
  user: User;
  key: string;
}

export interface ApiWorld {
  services: Services;
  url: string;
  /** Everything that is mounted but the operations. */
  routes: readonly Route[];
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  execute(command: Command): Promise<void>;
  /** A person with a company and a key of all scopes of its role. */
  member(role: Role, name?: string, group?: string): Promise<Member>;
  /** Another person of the same company. */
  colleague(member: Member): Promise<Member>;
  keyFor(user: User, overrides?: Partial<Parameters<Auth['createKey']>[2]>): Promise<string>;
  close(): Promise<void>;
}

export async function openApiWorld(environment: Record<string, string> = {}): Promise<ApiWorld> {
  const config = readConfig({ PORT: '0', CLOCK: 'manual', DEMO: '1', LOG_LEVEL: 'silent', ...environment });
  const { url: databaseUrl, drop } = await freshDatabase();
  const database = openDatabase(databaseUrl);
  const { services, gateway, stop } = await openServices(config, database, databaseUrl);
  const routes = [...gateway.routes, ...exchangeRoutes()];
  const server = createServer(createApp({ services, routes }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const world: ApiWorld = {
    services,
    url,
    routes,
    call: (method, path, options) => call(url, method, path, options),
    execute: (command) => execute(services, command),
    member: (role, name, group) => addMember(services, role, name, group),
    colleague: (member) => addColleague(services, member),
    keyFor: (user, overrides) => addKey(services, user, overrides),
    async close() {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
      await stop();
      await database.destroy();
      await drop();
    },
  };
  await listMarket(world);
  return world;
}

async function openServices(config: Services['config'], database: Knex, url: string): Promise<{ services: Services; gateway: Gateway; stop: () => Promise<void> }> {
  const log = pino({ level: config.logLevel });
  const sequencer = createInProcessSequencer({ journal: await PostgresJournal.lead({ url, holder: 'test' }) });
  const stopProjector = await followJournal(url);
  const committed = await Committed.follow(sequencer);
  const { directory, stop: stopDirectory } = await Directory.load(sequencer);
  const projections = new ProjectionWaiter(database);
  // A new database: nothing need be waited for.
  const market = await MarketView.start(sequencer, directory, { ...pastTrades(database, projections), recent: () => Promise.resolve([]) });
  const auth = new Auth(database, log, () => Math.max(Date.now(), committed.now));
  await auth.start();
  const base = { config, log, sequencer, committed, auth, database, projections, directory, market, vault: new Vault(Buffer.alloc(32, 7)), clockFollowers: new Set<() => Promise<void>>() };
  const gateway = await openGateway(base, [...config.endpointAllow]);
  const services: Services = { ...base, endpoints: gateway.endpoints };
  const stop = async (): Promise<void> => {
    await gateway.close();
    await auth.close();
    market.close();
    stopDirectory();
    committed.stop();
    await sequencer.close();
    await stopProjector();
  };
  return { services, gateway, stop };
}

async function followJournal(url: string): Promise<() => Promise<void>> {
  const projector = await Projector.open({ url });
  if (projector === undefined) throw new Error('another projector follows this database');
  const stopping = new AbortController();
  const running = projector.run(stopping.signal);
  return async () => {
    stopping.abort();
    await running;
    await projector.close();
  };
}

async function listMarket({ execute: run }: ApiWorld): Promise<void> {
  await run({ type: 'addRegion', name: REGION });
  await run({ type: 'addClass', name: CLASS, chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: 40_000, listInputs: [{ provider: 'north', usd: 4_000_000 }] });
  await run({ type: 'addModel', name: MODEL });
}

async function execute(services: Services, command: Command): Promise<void> {
  const ack = await services.sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
  const rejected = ack.events.find((event) => event.kind === 'rejected');
  if (rejected?.kind === 'rejected') throw new Error(`${command.type}: ${rejected.code}`);
}

let members = 0;

async function addMember(services: Services, role: Role, name = `${role} ${++members}`, group = ''): Promise<Member> {
  const user = await registerUser(services, { email: `${name.replaceAll(' ', '-')}@example.com`, password: PASSWORD, company: name, role, group });
  return { user, key: await addKey(services, user) };
}

async function addColleague(services: Services, { user }: Member): Promise<Member> {
  const email = `colleague-${++members}@example.com`;
  const colleague: User = { ...user, id: newId('usr'), email };
  const row = { id: colleague.id, email, email_key: email, password_hash: await hashPassword(PASSWORD), company: user.company, role: user.role };
  await services.database('users').insert(row);
  return { user: colleague, key: await addKey(services, colleague) };
}

async function addKey(services: Services, user: User, overrides: Partial<Parameters<Auth['createKey']>[2]> = {}): Promise<string> {
  const key = { name: 'test', scopes: scopesOf(user.role), allowedModels: null, allowedIps: null, expiresAt: null, monthlyLimit: null, spot: NO_SPOT, ...overrides };
  const { text } = await services.database.transaction((transaction) => services.auth.createKey(transaction, { user: user.id, company: user.company }, key));
  await services.auth.look();
  return text;
}

async function call(url: string, method: string, path: string, { key, body, raw, headers = {} }: CallOptions = {}): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined && raw === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: raw === undefined ? (body === undefined ? undefined : JSON.stringify(body)) : typeof raw === 'string' ? raw : new Blob([Uint8Array.from(raw)]),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  return { status: response.status, body: (isJson && text !== '' ? JSON.parse(text) : { text }) as Answer['body'], headers: response.headers };
}

/** A borrower with money in the bank turned into credits. */
export async function fund(world: ApiWorld, member: Member, usd: number): Promise<void> {
  const amount = usd * 1_000_000;
  await world.execute({ type: 'deposit', company: member.user.company, amount, reference: 'test' });
  await world.execute({ type: 'prepay', company: member.user.company, amount });
}

/** A provider with verified GPUs, its model on them, and a bond. */
export async function equip(world: ApiWorld, member: Member, gpus: number): Promise<void> {
  const { company } = member.user;
  await world.execute({ type: 'declareCapacity', company, market: MARKET, gpus });
  await world.execute({ type: 'verifyCapacity', company, market: MARKET, gpus });
  await world.execute({ type: 'setEligibility', company, market: MARKET, models: [0] });
  await world.execute({ type: 'deposit', company, amount: 1_000_000_000_000, reference: 'test' });
  await world.execute({ type: 'postBond', company, amount: 1_000_000_000_000 });
}
