/** An exchange of several processes with a real Redis and a real Postgres, and what it withstands. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import type { Knex } from 'knex';
import { pino } from 'pino';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NONE } from '../../engine/vocabulary.ts';
import type { Command } from '../../engine/commands.ts';
import { MICRO, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { openDatabase } from '../../db/database.ts';
import { freshDatabase } from '../../db/test/fresh_database.ts';
import type { FreshDatabase } from '../../db/test/fresh_database.ts';
import { registerUser } from '../auth/accounts.ts';
import type { User } from '../auth/accounts.ts';
import { Auth } from '../auth/auth.ts';
import { NO_SPOT, scopesOf } from '../auth/keys.ts';
import { Committed } from '../committed.ts';
import { createProvider } from '../demo/provider/provider.ts';
import type { Message } from '../realtime/messages.ts';
import { Cluster } from './cluster.ts';
import { placesOf } from './messages.ts';
import { RedisLimits } from './redis_limits.ts';
import { RemoteSequencer } from './remote_sequencer.ts';
import { Seal } from './seal.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const REDIS_SERVER = process.env.REDIS_SERVER_PATH ?? '';
const log = pino({ level: 'silent' });
const lines: string[] = [];
const MODEL = 'meta-llama/Llama-3.1-8B-Instruct';
/** Slow, so that requests run at the same moment. */
const modelEndpoint = createProvider({ models: [MODEL], firstTokenMillis: 250, tokenMillis: 0 });

let dataDir: string;
let fresh: FreshDatabase;
let cluster: Cluster;
let remote: RemoteSequencer;
let database: Knex;
let auth: Auth;
let committed: Committed;
let redis: Redis;
let redisAgain: ChildProcess | undefined;
let borrower: User;
let key: string;
let urls: string[];
const sockets: Socket[] = [];

const hour = new Date(Math.ceil(Date.now() / 3_600_000) * 3_600_000 + 6 * 3_600_000).toISOString().replace(/[-:]/g, '').slice(0, 11);
const ORDER = { instrument: `H100-SXM-80.us-east.${hour}Z`, side: 'buy', type: 'limit', price: '0.5000', quantity: '1', time_in_force: 'gtc' };

async function execute(command: Command): Promise<void> {
  const ack = await remote.submit({ command, idempotencyKey: '', bodyHash: '' });
  const rejected = ack.events.find((event) => event.kind === 'rejected');
  if (rejected?.kind === 'rejected') throw new Error(`${command.type}: ${rejected.code}`);
}

async function newKey(changes: Partial<Parameters<Auth['createKey']>[2]> = {}, { id: user, company }: User = borrower, role: 'borrower' | 'provider' = 'borrower'): Promise<{ id: string; text: string }> {
  const owner = { user, company };
  const made = { name: 'test', scopes: scopesOf(role), allowedModels: null, allowedIps: null, expiresAt: null, monthlyLimit: null, spot: NO_SPOT, ...changes };
  return database.transaction((transaction) => auth.createKey(transaction, owner, made));
}

/** The running hour trades until a minute before its end; a test takes less than three. */
async function spotOpen(): Promise<void> {
  const left = MILLIS_PER_HOUR - (Date.now() % MILLIS_PER_HOUR);
  if (left < 3 * 60_000) await sleep(left + 1_000);
}

interface Answer {
  status: number;
  retryAfter: string | null;
  millis: number;
  body: Record<string, unknown>;
}
async function call(url: string, method: string, path: string, body?: object, idempotencyKey?: string, bearer = key): Promise<Answer> {
  const began = performance.now();
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json', ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const { status, headers } = response;
  return { status, retryAfter: headers.get('retry-after'), millis: performance.now() - began, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}
const place = (url: string, idempotencyKey?: string, changes: object = {}) => call(url, 'POST', '/api/v1/orders', { ...ORDER, ...changes }, idempotencyKey);
const idIn = ({ body }: Answer): string => (body.order as { id: string }).id;
const openIds = async (url: string): Promise<string[]> => {
  const ids: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await call(url, 'GET', `/api/v1/orders?status=open&limit=200${cursor}`);
    ids.push(...(body.data as { id: string }[]).map(({ id }) => id));
    if (body.next_cursor === null) return ids;
    cursor = `&cursor=${String(body.next_cursor)}`;
  }
};

/** A socket of the account that keeps what it is told about orders. */
async function watch(url: string, bearer = key): Promise<{ socket: Socket; messages: Message[]; ids: () => Set<string> }> {
  const socket = io(`${url}/account`, { auth: { token: bearer }, transports: ['websocket'], forceNew: true, reconnection: false });
  sockets.push(socket);
  const messages: Message[] = [];
  socket.on('message', (message: Message) => messages.push(message));
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
  expect(await socket.emitWithAck('subscribe', { channel: 'orders' })).toMatchObject({ ok: true });
  await expect.poll(() => messages.length).toBeGreaterThan(0);
  return { socket, messages, ids: () => new Set(messages.flatMap(({ data }) => (data as { id: string }[]).map(({ id }) => id))) };
}
const hasNoGap = (messages: readonly Message[]): boolean => messages.every((message, index) => index === 0 || message.prev_seq === messages[index - 1].seq);

/** Orders placed again and again under their keys until acknowledged, through both processes, until told to stop. */
function load(): { acknowledged: Map<string, string>; answers: Answer[]; stop: () => Promise<void> } {
  const acknowledged = new Map<string, string>();
  const answers: Answer[] = [];
  let stopped = false;
  const name = Math.random().toString(36).slice(2);
  const client = async (number: number): Promise<void> => {
    for (let count = 0; !stopped; count++) {
      const idempotencyKey = `${name}-${number}-${count}`;
      while (!acknowledged.has(idempotencyKey)) {
        const answer = await place(urls[(number + count) % urls.length], idempotencyKey);
        answers.push(answer);
        if (answer.status === 201) acknowledged.set(idempotencyKey, idIn(answer));
        else if (answer.status !== 503) throw new Error(JSON.stringify(answer));
        await sleep(answer.status === 201 ? 60 : 40);
      }
    }
  };
  const clients = [0, 1, 2, 3].map(client);
  return {
    acknowledged, answers,
    stop: async () => {
      stopped = true;
      await Promise.all(clients);
    },
  };
}

/** Runs the fault under load; then everything acknowledged is there once, and nothing else is. */
async function survives(fault: (state: { progress: () => Promise<void>; answers: Answer[] }) => Promise<void>): Promise<void> {
  expect((await call(urls[0], 'DELETE', '/api/v1/orders')).status).toBe(200);
  const { acknowledged, answers, stop } = load();
  const progress = async (): Promise<void> => {
    const reached = acknowledged.size;
    await expect.poll(() => acknowledged.size, { timeout: 20_000, interval: 20 }).toBeGreaterThan(reached + 4);
  };
  await progress();
  await fault({ progress, answers });
  await progress();
  await stop();
  const ids = [...acknowledged.values()].sort();
  expect(new Set(ids).size).toBe(ids.length);
  for (const url of urls) expect((await openIds(url)).sort()).toEqual(ids);
  expect(answers.every(({ status, retryAfter }) => status === 201 || retryAfter !== null)).toBe(true);
}

const pidOf = (name: string): number => cluster.file.processes.find((process) => process.name === name)?.pid ?? 0;

describe.skipIf(REDIS_SERVER === '')('an exchange of several processes', () => {
  beforeAll(async () => {
    execFileSync(process.execPath, ['api/cli/build.mjs', 'server', 'sequencer_worker', 'projector_worker'], { cwd: root });
    dataDir = mkdtempSync(join(tmpdir(), 'ccx-cluster-'));
    chmodSync(dataDir, 0o755);
    fresh = await freshDatabase();
    await new Promise<void>((resolve) => modelEndpoint.listen(0, '127.0.0.1', resolve));
    const allowed = `127.0.0.1:${(modelEndpoint.address() as AddressInfo).port}`;
    const environment = { ...process.env, DEMO: '0', NODE_ENV: 'test', LOG_LEVEL: 'warn', CLOCK: 'wall', ENDPOINT_ALLOW: allowed, PUBLIC_URL: '', HOST: '' };
    cluster = new Cluster({
      dataDir, serverFile: join(root, 'dist/server.js'), redisServer: REDIS_SERVER, databaseUrl: fresh.url, redisUrl: undefined,
      port: 0, redisPort: 0, processes: 2, restarts: true, environment, say: (line) => lines.push(line),
    });
    await cluster.start();
    urls = cluster.urls.map((url) => url.replace('localhost', '127.0.0.1'));
    database = openDatabase(fresh.url, 2);
    remote = await RemoteSequencer.open({ redisUrl: cluster.file.redis_url, databaseUrl: () => fresh.url, seal: await Seal.of(database), log, onFatal: (error) => lines.push(error.message) });
    committed = await Committed.follow(remote);
    auth = new Auth(database, log, Date.now);
    redis = new Redis(cluster.file.redis_url, { retryStrategy: () => 100 });
    redis.on('error', () => undefined);
    await execute({ type: 'addRegion', name: 'us-east' });
    await execute({ type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: 40_000, listInputs: [{ provider: 'north', usd: 4_000_000 }] });
    borrower = await registerUser({ database, sequencer: remote, committed }, { email: 'b@example.com', password: 'correct horse battery', company: 'b', role: 'borrower', group: '' });
    await execute({ type: 'deposit', company: borrower.company, amount: 100_000_000_000, reference: 'test' });
    await execute({ type: 'prepay', company: borrower.company, amount: 100_000_000_000 });
    key = (await newKey()).text;
  });
  afterAll(async () => {
    for (const socket of sockets) socket.disconnect();
    redis.disconnect();
    committed.stop();
    await remote.close();
    await database.destroy();
    await cluster.close();
    modelEndpoint.close();
    redisAgain?.kill('SIGKILL');
    await fresh.drop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  test('shows an order of one process on the sockets and in the lists of all, and repeats its answer anywhere', async () => {
    const watches = await Promise.all(urls.map((url) => watch(url)));
    const placed: string[] = [];
    for (let index = 0; index < 12; index++) {
      const [url, other] = index % 2 === 0 ? urls : [...urls].reverse();
      const answer = await place(url, `first-${index}`);
      expect(answer.status).toBe(201);
      placed.push(idIn(answer));
      expect(await openIds(other)).toContain(idIn(answer));
      expect(idIn(await place(other, `first-${index}`))).toBe(idIn(answer));
    }
    for (const { messages, ids } of watches) {
      await expect.poll(() => placed.filter((id) => !ids().has(id))).toEqual([]);
      expect(hasNoGap(messages)).toBe(true);
    }
    for (const { socket } of watches) socket.disconnect();
  });

  test('knows on every process within a second that a key is revoked, and closes its sockets', async () => {
    const { id, text } = await newKey();
    expect((await call(urls[1], 'GET', '/api/v1/balances', undefined, undefined, text)).status).toBe(200);
    const { socket } = await watch(urls[1], text);
    const closed = new Promise<void>((resolve) => socket.once('disconnect', () => resolve()));
    expect((await call(urls[0], 'DELETE', `/api/v1/keys/${id}`)).status).toBeLessThan(300);
    const revoked = performance.now();
    await expect.poll(async () => (await call(urls[1], 'GET', '/api/v1/balances', undefined, undefined, text)).status, { interval: 20 }).toBe(401);
    expect(performance.now() - revoked).toBeLessThan(1_000);
    await closed;
    expect(performance.now() - revoked).toBeLessThan(5_000);
  });

  test('counts requests over all processes', async () => {
    const remaining = async (url: string): Promise<number> => {
      const { headers } = await fetch(`${url}/api/v1/balances`, { headers: { authorization: `Bearer ${key}` } });
      return Number(headers.get('ratelimit-remaining'));
    };
    const limit = Number((await fetch(`${urls[0]}/api/v1/status`)).headers.get('ratelimit-limit'));
    for (let index = 0; index < 5; index++) await remaining(urls[0]);
    // A window may end just then; in one of them the other process knows of all ten.
    await expect.poll(async () => {
      for (let index = 0; index < 10; index++) await remaining(urls[0]);
      await sleep(300);
      return limit - (await remaining(urls[1]));
    }, { timeout: 20_000 }).toBeGreaterThan(10);
  });

  test('lets in exactly as many requests of a key as its limit of a minute, however many come at once and wherever', async () => {
    const { text } = await newKey({ requestsPerMinute: 40 });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => call(urls[index % urls.length], 'GET', '/v1/models', undefined, undefined, text)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(40);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([429]));
    expect(Math.min(...refused.map(({ retryAfter }) => Number(retryAfter)))).toBeGreaterThan(40);
  });

  test('shares what is left of a limit, tells how long none is, and forgets what a process held that has ended', async () => {
    const seal = await Seal.of(database);
    const processes = [1, 2].map(() => new RedisLimits({ redisUrl: cluster.file.redis_url, seal }));
    const [one, other] = processes.map((limits) => limits.of('test'));
    const ask = { limit: 100, held: 0, used: 0, least: 1, most: 1, ahead: 0, heldSeconds: 7 };
    // At once: while the connection is being made nobody is told that it is away.
    expect(await one.exchange({ ...ask, most: 70 })).toEqual({ amount: 70, wait: 0 });
    expect(await other.exchange({ ...ask, least: 40, most: 40 })).toEqual({ amount: 0, wait: 7 });
    expect(await one.exchange({ ...ask, held: 10, used: 60, least: 0, most: 0 })).toEqual({ amount: 0, wait: 0 });
    expect((await other.exchange({ ...ask, least: 40, most: 40 }))?.wait).toBeGreaterThan(50);
    // A share of what is left, ahead of need.
    expect(await other.exchange({ ...ask, most: 10, ahead: 50 })).toEqual({ amount: 11, wait: 0 });
    await redis.hset(`${seal.prefix}:limit:test`, 'hended', '19:1000');
    expect(await other.exchange({ ...ask, held: 11, least: 19, most: 19 })).toEqual({ amount: 19, wait: 0 });
    await redis.set(`${seal.prefix}:limit:garbage`, 'no hash at all');
    expect(await processes[0].of('garbage').exchange(ask)).toBeUndefined();
    for (const limits of processes) limits.close();
  });

  test('serves no more under a key than its monthly limit, however many gateways it is used at, and nothing once it is revoked', { timeout: 240_000 }, async () => {
    await spotOpen();
    const provider = await registerUser({ database, sequencer: remote, committed }, { email: 'p@example.com', password: 'correct horse battery', company: 'p', role: 'provider', group: '' });
    const { company } = provider;
    await execute({ type: 'addModel', name: MODEL });
    await execute({ type: 'declareCapacity', company, market: 0, gpus: 1_000 });
    await execute({ type: 'deposit', company, amount: 100_000_000_000, reference: 'test' });
    await execute({ type: 'postBond', company, amount: 100_000_000_000 });
    const selling = (await newKey({}, provider, 'provider')).text;
    const { address, port } = modelEndpoint.address() as AddressInfo;
    const made = await call(urls[0], 'POST', '/api/v1/endpoints', { url: `http://${address}:${port}/v1`, class: 'H100-SXM-80', region: 'us-east', models: [MODEL] }, undefined, selling);
    expect(made.status).toBe(201);
    const verified = async (): Promise<unknown> => ((await call(urls[1], 'GET', '/api/v1/endpoints', undefined, undefined, selling)).body.data as { status: string }[])[0].status;
    await expect.poll(verified, { timeout: 20_000 }).toBe('verified');
    const instrument = `H100-SXM-80.us-east.${new Date().toISOString().replace(/[-:]/g, '').slice(0, 11)}Z`;
    const trade = { instrument, type: 'limit', price: '2.0000', quantity: '5' };
    expect((await call(urls[0], 'POST', '/api/v1/orders', { ...trade, side: 'sell', time_in_force: 'gtc' }, undefined, selling)).status).toBe(201);
    expect((await place(urls[1], undefined, { ...trade, time_in_force: 'ioc' })).body).toMatchObject({ order: { status: 'filled' } });
    const chat = async (url: string, bearer: string) => call(url, 'POST', '/v1/chat/completions', { model: MODEL, max_tokens: 20, messages: [{ role: 'user', content: 'hello' }] }, undefined, bearer);
    const usedIn = ({ body }: Answer): number => Math.round(Number((body.x_ccx as { credits_used: string }).credits_used) * MICRO);
    // A process learns of an endpoint a moment after it is verified.
    for (const url of urls) await expect.poll(async () => (await chat(url, key)).status, { timeout: 20_000 }).toBe(200);
    const limit = 8 * usedIn(await chat(urls[0], key));
    const limited = await newKey({ monthlyLimit: limit });
    const answers: Answer[] = [];
    for (let round = 0; round < 3; round++) answers.push(...(await Promise.all(Array.from({ length: 24 }, (_, index) => chat(urls[index % urls.length], limited.text)))));
    const served = answers.filter(({ status }) => status === 200);
    expect(served.length).toBeGreaterThan(0);
    expect(served.reduce((sum, answer) => sum + usedIn(answer), 0)).toBeLessThanOrEqual(limit);
    expect([...new Set(answers.filter(({ status }) => status !== 200).map(({ status, body }) => `${status} ${(body.error as { code: string }).code}`))]).toEqual(['402 budget_exceeded']);
    const paced = await newKey({ requestsPerMinute: 4 });
    for (let count = 0; count < 4; count++) expect((await chat(urls[0], paced.text)).status).toBe(200);
    await expect.poll(async () => (await chat(urls[1], paced.text)).status, { interval: 50 }).toBe(429);
    const counted = await newKey({ tokensPerMinute: 500 });
    const tokens = await Promise.all(Array.from({ length: 80 }, (_, index) => chat(urls[index % urls.length], counted.text)));
    const spent = tokens.filter(({ status }) => status === 200).reduce((sum, { body }) => sum + (body.usage as { total_tokens: number }).total_tokens, 0);
    expect(spent).toBeGreaterThan(250);
    expect(spent).toBeLessThanOrEqual(500);
    const { id, text } = await newKey();
    // A provider that was asked much on a busy machine may rest for a moment.
    await expect.poll(async () => (await chat(urls[1], text)).status, { timeout: 20_000 }).toBe(200);
    await call(urls[0], 'DELETE', `/api/v1/keys/${id}`);
    await sleep(1_000);
    for (const url of urls) expect((await chat(url, text)).status).toBe(401);
    // Another company has bought nothing yet: each gateway buys for it, and the limit is one.
    const { company: buying, ...other } = await registerUser({ database, sequencer: remote, committed }, { email: 's@example.com', password: 'correct horse battery', company: 's', role: 'borrower', group: '' });
    await execute({ type: 'deposit', company: buying, amount: 1_000 * MICRO, reference: 'test' });
    await execute({ type: 'prepay', company: buying, amount: 1_000 * MICRO });
    expect((await call(urls[0], 'POST', '/api/v1/orders', { ...trade, side: 'sell', time_in_force: 'gtc' }, undefined, selling)).status).toBe(201);
    const monthlyLimit = 3 * 20_100;
    const spot = await newKey({ spot: { ...NO_SPOT, enabled: true, monthlyLimit } }, { ...other, company: buying });
    const bought = await Promise.all(Array.from({ length: 24 }, async (_, index) => {
      await sleep(Math.floor(index / urls.length) * 20);
      return call(urls[index % urls.length], 'POST', '/v1/chat/completions', { model: MODEL, max_tokens: 60_000, messages: [{ role: 'user', content: 'hello' }] }, undefined, spot.text);
    }));
    expect(bought.some(({ status }) => status === 200)).toBe(true);
    const { body } = await call(urls[0], 'GET', '/api/v1/fills?limit=200', undefined, undefined, spot.text);
    expect((body.data as { price: string; quantity: string; fee: string }[]).reduce((sum, { price, quantity, fee }) => sum + Math.round((Number(price) * Number(quantity) + Number(fee)) * MICRO), 0)).toBeLessThanOrEqual(monthlyLimit);
  });

  test('accepts exactly one of 200 bids that each want 60 % of the credit, at whichever process they come', async () => {
    const { body } = await call(urls[0], 'GET', '/api/v1/balances');
    const quantity = Math.floor((Number((body.credits as { available: string }).available) * 0.6) / 3).toFixed(0);
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => place(urls[index % urls.length], undefined, { price: '3.0000', quantity })));
    const counts = new Map<string, number>();
    for (const answer of answers) {
      const outcome = answer.status === 201 ? 'accepted' : (answer.body.error as { code: string }).code;
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    expect(Object.fromEntries(counts)).toEqual({ accepted: 1, insufficient_credits: 199 });
    expect((await call(urls[1], 'DELETE', '/api/v1/orders')).status).toBe(200);
  });

  test('halts on every process at once', async () => {
    const { company } = await registerUser({ database, sequencer: remote, committed }, { email: 'o@example.com', password: 'correct horse battery', company: 'o', role: 'operator', group: '' });
    const scope = { class: NONE, market: NONE, hour: NONE } as const;
    await execute({ type: 'setTradingMode', company, ...scope, mode: 'halted', reason: 'test' });
    for (const url of urls) expect((await place(url)).body).toMatchObject({ error: { code: 'halted' } });
    await execute({ type: 'setTradingMode', company, ...scope, mode: 'open', reason: 'test' });
    for (const url of urls) expect((await place(url)).status).toBe(201);
  });

  test('cancels on disconnect when the last connection of the company ends, on whichever process', async () => {
    const [first, second] = await Promise.all(urls.map((url) => watch(url)));
    const id = idIn(await place(urls[0], undefined, { cancel_on_disconnect: true }));
    // Both processes have told the engine by then that somebody watches there.
    await sleep(1_500);
    first.socket.disconnect();
    await sleep(1_500);
    expect(await openIds(urls[1])).toContain(id);
    second.socket.disconnect();
    await expect.poll(() => openIds(urls[1])).not.toContain(id);
  });

  test('loses nothing when Redis is flushed and filled with garbage', async () => {
    const { commands, events } = placesOf(await Seal.of(database));
    await survives(async ({ progress }) => {
      await redis.flushall();
      await progress();
      for (let index = 0; index < 20; index++) {
        await redis.xadd(commands, '*', 'm', `garbage ${index}`);
        await redis.publish(events, Buffer.alloc(index * 9, index));
      }
      await progress();
      await redis.set(commands, 'no stream at all');
      await progress();
      await redis.xadd(commands, '9999999999999-1', 'm', 'from the future', 'and', 'more').catch(() => undefined);
    });
  });

  test('hands over to the standby when the engine is killed', async () => {
    await survives(async ({ progress, answers }) => {
      process.kill(pidOf('engine'), 'SIGKILL');
      const killed = performance.now();
      await progress();
      const refused = answers.filter(({ status }) => status === 503);
      lines.push(`taken over after ${Math.round(performance.now() - killed)} ms, ${refused.length} refused`);
    });
    expect(lines.some((line) => line.startsWith('[standby] leading under epoch 2'))).toBe(true);
    expect(lines.filter((line) => line.includes('begin anew'))).toEqual([]);
  });

  test('refuses within a second while Redis is away, and goes on when it is back', async () => {
    await survives(async ({ progress, answers }) => {
      const { port } = new URL(cluster.file.redis_url);
      process.kill(pidOf('redis'), 'SIGKILL');
      await expect.poll(() => answers.at(-1)?.status, { interval: 20 }).toBe(503);
      await sleep(1_500);
      for (const url of urls) {
        const { status, retryAfter, millis } = await place(url);
        expect({ status, retryAfter }).toEqual({ status: 503, retryAfter: '1' });
        expect(millis).toBeLessThan(1_000);
      }
      redisAgain = spawn(REDIS_SERVER, ['--bind', '127.0.0.1', '--port', port, '--save', '', '--appendonly', 'no'], { stdio: 'ignore' });
      await progress();
    });
  });
});
