/**
 * The gateway behind the whole HTTP stack on a port of its own, over an engine in this process: a
 * provider with a demo endpoint, a borrower with credit and two keys, one of which may buy spot.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { pino } from 'pino';
import type { KeySpending } from '../../../db/queries/key_spending.ts';
import { BUY, CANCEL_NEWEST, GTC, IOC, LIMIT, NONE, SELL } from '../../../engine/vocabulary.ts';
import type { Command, PlaceOrder } from '../../../engine/commands.ts';
import type { Role } from '../../../engine/vocabulary.ts';
import type { BalancesView } from '../../../engine/queries.ts';
import { MICRO, MILLIS_PER_HOUR, parseMicro } from '../../../engine/numbers/units.ts';
import { createApp } from '../../app.ts';
import { NO_SPOT } from '../../auth/keys.ts';
import type { ApiKey, SpotPolicy } from '../../auth/keys.ts';
import type { Auth, Revoked } from '../../auth/auth.ts';
import { Committed } from '../../committed.ts';
import { readConfig } from '../../config.ts';
import { openDatabase } from '../../../db/database.ts';
import { createProvider } from '../../demo/provider/provider.ts';
import type { ProviderOptions } from '../../demo/provider/provider.ts';
import { Directory } from '../../directory.ts';
import { MarketView } from '../../market/market_view.ts';
import { AllocationAuthoriser } from '../../sequencer/authoriser.ts';
import { ManualClock } from '../../sequencer/clock.ts';
import { createInProcessSequencer } from '../../sequencer/in_process.ts';
import { eventOf } from '../../sequencer/port.ts';
import type { Ack } from '../../sequencer/port.ts';
import type { Services } from '../../services.ts';
import { AnswersInMemory } from '../relay/answers.ts';
import type { PublishedVersions } from '../catalogue/rating_book.ts';
import type { ReferenceAnswers } from '../endpoints/delivery_watch.ts';
import type { LoadTestLog } from '../endpoints/load_test_log.ts';
import { EndpointsInMemory } from '../endpoints/endpoint_rows.ts';
import type { EndpointRow } from '../endpoints/endpoint_rows.ts';
import { Gateway } from '../gateway.ts';
import type { Logbook } from '../relay/logbook.ts';
import type { Timeouts } from '../relay/upstream.ts';
import { Vault } from '../endpoints/vault.ts';

export const START = Date.UTC(2026, 11, 1, 14, 10);
export const HOUR = START / MILLIS_PER_HOUR - ((START / MILLIS_PER_HOUR) % 1);
export const CHAT = 'meta-llama/Llama-3.1-8B-Instruct';
const OTHER_CHAT = 'Qwen/Qwen2.5-7B-Instruct';
export const MARKET = 0;
const DEFAULT_MODELS = [CHAT, OTHER_CHAT, 'BAAI/bge-m3', 'bigcode/starcoder2-15b'];
/** Micro GPU-seconds a prompt token and a completion token of CHAT take on the world's class. */
export const RATED = { prompt: 33, completion: 250 };
export const ANY_SPOT: SpotPolicy = { enabled: true, maximumPrice: null, classes: null, regions: null, monthlyLimit: null };

/** A machine that stands still for a while ends no connection of a test's. */
const KEEP_ALIVE_MILLIS = 60_000;

export interface GatewayWorld {
  services: Services;
  gateway: Gateway;
  url: string;
  borrower: number;
  providers: number[];
  /** A key of the borrower's; its text. */
  key(overrides?: Partial<ApiKey>): string;
  /** Ends a key that `key` made. */
  revoke(key: string): void;
  client(key: string, headers?: Record<string, string>): OpenAI;
  run(command: Command): Promise<Ack>;
  /** The provider offers steps of the running hour at a price in ticks. */
  offer(provider: number, price: number, steps: number): Promise<void>;
  /** The borrower buys steps of the running hour; returns the allocation. */
  buy(price: number, steps: number): Promise<number>;
  balances(company?: number): Promise<BalancesView>;
  /** available + held + contracted, micro-CR. */
  remaining(): Promise<number>;
  /** Listens and becomes a provider's endpoint. */
  serveAt(provider: number, server: Server, models?: readonly string[], promises?: Pick<EndpointRow, 'precision' | 'country' | 'prompt_retention'>): Promise<void>;
  /** What becomes of all endpoints of a provider, none of which serves from then on. */
  turn(provider: number, status: 'draining' | 'removed'): Promise<void>;
  /** Fails unless every invariant of the engine holds. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface WorldOptions {
  /** How many providers; the first has a demo endpoint. */
  providers?: number;
  demo?: Partial<ProviderOptions>;
  /** Of the demo endpoint. */
  models?: readonly string[];
  timeouts?: Timeouts;
  references?: ReferenceAnswers;
  spent?: KeySpending;
  logbook?: Logbook;
  versions?: PublishedVersions;
  loadTests?: LoadTestLog;
  keepAliveMillis?: number;
}

export const listen = (server: Server): Promise<string> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)));

interface Opened {
  services: Services;
  gateway: Gateway;
  rows: EndpointsInMemory;
  keys: Map<string, ApiKey>;
  revoke(text: string): void;
  stop(): Promise<void>;
}

async function openServices(options: WorldOptions): Promise<Opened> {
  const sequencer = createInProcessSequencer({ clock: new ManualClock(START), authoriser: new AllocationAuthoriser() });
  const committed = await Committed.follow(sequencer);
  const { directory, stop: stopDirectory } = await Directory.load(sequencer);
  const market = await MarketView.start(sequencer, directory);
  const keys = new Map<string, ApiKey>();
  const revokedListeners = new Set<(revoked: Revoked) => void>();
  const revoke = (text: string): void => {
    const key = keys.get(text);
    keys.delete(text);
    for (const listener of revokedListeners) listener({ kind: 'key', subject: key?.id ?? '' });
  };
  const projections = { waitFor: () => Promise.resolve(true) } as unknown as Services['projections'];
  const base = {
    config: readConfig({ LOG_LEVEL: 'silent' }), log: pino({ level: 'silent' }), sequencer, committed, auth: authOf(keys, revokedListeners), projections, directory, market,
    database: openDatabase('postgres://127.0.0.1:1/none'), vault: new Vault(Buffer.alloc(32, 7)),
  };
  const rows = new EndpointsInMemory();
  const history = () => Promise.resolve(options.spent ?? { used: 0, bought: 0 });
  const gateway = new Gateway({ services: base, rows, history, answers: new AnswersInMemory(), addresses: ['127.0.0.0/8'], timeouts: options.timeouts, references: options.references, logbook: options.logbook, versions: options.versions, loadTests: options.loadTests, keepAliveMillis: options.keepAliveMillis });
  await gateway.start();
  const stop = async (): Promise<void> => {
    await gateway.close();
    market.close();
    stopDirectory();
    committed.stop();
    await sequencer.close();
  };
  return { services: { ...base, endpoints: gateway.endpoints, clockFollowers: new Set<() => Promise<void>>() }, gateway, rows, keys, revoke, stop };
}

type Run = (command: Command) => Promise<Ack>;

async function companyOf(run: Run, role: Role, name: string): Promise<number> {
  return eventOf((await run({ type: 'registerCompany', name, role, group: '' })).events, 'companyRegistered')?.company ?? NONE;
}

/** One class in one region, a borrower with 150,000 CR, and bonded providers. */
async function openMarket(run: Run, count: number): Promise<{ borrower: number; providers: number[] }> {
  await run({ type: 'addRegion', name: 'us-east' });
  await run({ type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: 40_000, listInputs: [] });
  const borrower = await companyOf(run, 'borrower', 'Borrower');
  await run({ type: 'deposit', company: borrower, amount: 100_000 * MICRO, reference: '' });
  await run({ type: 'prepay', company: borrower, amount: 100_000 * MICRO });
  const providers: number[] = [];
  for (let index = 0; index < count; index++) {
    const provider = await companyOf(run, 'provider', `Provider ${index}`);
    await run({ type: 'declareCapacity', company: provider, market: MARKET, gpus: 1_000 });
    await run({ type: 'deposit', company: provider, amount: 1_000_000 * MICRO, reference: '' });
    await run({ type: 'postBond', company: provider, amount: 1_000_000 * MICRO });
    providers.push(provider);
  }
  return { borrower, providers };
}

const orderOf = (company: number, side: 0 | 1, price: number, quantity: number): PlaceOrder => ({
  type: 'place', company, market: MARKET, hour: HOUR, side, orderType: LIMIT, price, quantity, timeInForce: side === SELL ? GTC : IOC, postOnly: false,
  displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false,
  clientOrderId: '',
});

export async function openGatewayWorld(options: WorldOptions = {}): Promise<GatewayWorld> {
  const { services, gateway, rows, keys, revoke, stop } = await openServices(options);
  const { sequencer } = services;
  const http = createServer({ keepAliveTimeout: KEEP_ALIVE_MILLIS }, createApp({ services, routes: gateway.routes }));
  const url = await listen(http);
  const servers: Server[] = [http];
  const run: Run = async (command) => {
    const ack = await sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
    const rejected = eventOf(ack.events, 'rejected');
    if (rejected !== undefined) throw new Error(`${command.type}: ${rejected.code}`);
    return ack;
  };
  const { borrower, providers } = await openMarket(run, options.providers ?? 1);
  const balances = (of = borrower) => sequencer.query('balances', { company: of });
  const world: GatewayWorld = {
    services, gateway, url, borrower, providers, run, balances, revoke,
    key(overrides = {}) {
      const text = `ccx_test_${String(keys.size).padStart(43, '0')}`;
      keys.set(text, { ...keyOf(`key_${keys.size}`, borrower), ...overrides });
      return text;
    },
    client: (key, headers) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, defaultHeaders: headers }),
    async offer(provider, price, steps) {
      await run(orderOf(provider, SELL, price, steps));
    },
    async buy(price, steps) {
      return eventOf((await run(orderOf(borrower, BUY, price, steps))).events, 'fill')?.allocation ?? NONE;
    },
    async remaining() {
      const { available, held, contracted } = await balances();
      return available + held + contracted;
    },
    async serveAt(provider, server, models = DEFAULT_MODELS, promises = {}) {
      servers.push(server);
      const id = `end_${rows.rows.length}`;
      rows.rows.push({ id, company: provider, market: MARKET, url: await listen(server), credential: services.vault.seal('sk-endpoint', id), models: [...models], status: 'pending', ...promises });
      gateway.endpoints.changed(id);
      await until(async () => (await rows.find(id))?.status === 'verified' && services.directory.capacities(provider)[0].models.length > 0);
    },
    async turn(provider, status) {
      for (const row of rows.rows.filter(({ company }) => company === provider)) {
        row.status = status;
        gateway.endpoints.changed(row.id);
      }
      await until(() => Promise.resolve(services.directory.capacities(provider)[0].models.length === 0));
    },
    async check() {
      const { checks } = await sequencer.query('invariants', {});
      const broken = checks.filter(({ ok }) => !ok);
      if (broken.length > 0) throw new Error(JSON.stringify(broken));
    },
    async close() {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
      await stop();
    },
  };
  await world.serveAt(providers[0], createProvider({ firstTokenMillis: 0, tokenMillis: 0, apiKey: 'sk-endpoint', ...options.demo }), options.models);
  return world;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('it did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const keyOf = (id: string, company: number): ApiKey => ({
  id, line: id, user: 'usr_1', company, role: 'borrower', name: 'test', prefix: 'ccx_live_', lastFour: '0000', scopes: ['inference'], allowedModels: null, allowedIps: null,
  expiresAt: null, monthlyLimit: null, requestsPerMinute: null, tokensPerMinute: null, spot: NO_SPOT, needs: null, project: null, createdAt: 0, revokedAt: null,
});

/** Knows the keys of the test and nothing else. */
const authOf = (keys: ReadonlyMap<string, ApiKey>, revokedListeners: Set<(revoked: Revoked) => void>): Auth =>
  ({
    onRevoked: (listener: (revoked: Revoked) => void) => (revokedListeners.add(listener), () => revokedListeners.delete(listener)),
    keyById: (id: string) => [...keys.values()].find((key) => key.id === id),
    spendersOf: (id: string) => Promise.resolve([...keys.values()].filter((key) => key.id === id).map(({ line, project }) => ({ line, project: project?.id }))[0]),
    authenticate({ headers }: { headers: { authorization?: string } }) {
      const apiKey = keys.get(headers.authorization?.slice('Bearer '.length) ?? '');
      if (apiKey === undefined) return Promise.resolve({ ok: false, reason: headers.authorization === undefined ? 'unauthenticated' : 'invalid_api_key' });
      const { user, company, role, id, scopes } = apiKey;
      return Promise.resolve({ ok: true, principal: { user, company, role, key: id, scopes, apiKey } });
    },
  }) as unknown as Auth;

/** The receipt that the SDK passes through. */
export interface Receipted {
  x_ccx: { provider: string; endpoint: string; allocation_id: string; gpu_seconds: string; credits_used: string; credits_remaining: string };
}
export const receiptOf = (answer: unknown): Receipted['x_ccx'] => (answer as Receipted).x_ccx;
export const micro = (text: string): number => parseMicro(text);
