/** An exchange for tests of the screens: the contract's HTTP and live shapes over a market made of arithmetic. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readFileSync, existsSync, statSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { Server as Sockets, type Socket } from 'socket.io';
import * as account from './mock_account.ts';
import type { MockRole } from './mock_account.ts';
import * as market from './mock_market.ts';

const WEB = join(import.meta.dirname, '../../dist/web');
const TYPES: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
/** Stricter than the server's own: nothing inline at all. */
const POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'";

const TICK_MILLIS = 20;

/** full: a working market. empty: nobody has done anything. broken: every account list fails. */
export type Scenario = 'full' | 'empty' | 'broken';
export interface MockServer {
  url: string;
  scenario: Scenario;
  /** Who the next page is; undefined: nobody. */
  role: MockRole | undefined;
  /** Refuses the next order with this code. */
  refuse: string | undefined;
  /** Messages of each followed book. */
  updatesPerSecond: number;
  /** Skips one sequence number of the book, so that the page sees a gap. */
  dropOne(): void;
  disconnectAll(): void;
  /** What the account feed tells of one's credit: a freeze, its end. */
  tellBalances(balances: typeof account.balances): void;
  /** What the live connections asked for: `subscribe book`, `resume book`. */
  asked: string[];
  requests: { method: string; path: string; body: string; headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}
interface Reply {
  status: number;
  body: unknown;
}

const ok = (body: unknown, status = 200): Reply => ({ status, body });
const list = (data: unknown): Reply => ok({ data, next_cursor: null });
const refusal = (status: number, code: string, message = `The exchange refuses: ${code}.`): Reply => ok({ error: { code, message, request_id: 'req_mock_1' } }, status);

export async function startMockServer(port = 0): Promise<MockServer> {
  const http = createServer();
  const sockets = new Sockets(http);
  const feed: MarketFeed = { drop: false, streams: new Set(), asked: [] };
  const state = {
    url: '',
    scenario: 'full' as Scenario,
    updatesPerSecond: 10,
    role: undefined as MockRole | undefined,
    refuse: undefined as string | undefined,
    requests: [] as MockServer['requests'],
    asked: feed.asked,
    dropOne: () => (feed.drop = true),
    tellBalances: (data: typeof account.balances) => sockets.of('/account').emit('message', { channel: 'balances', instrument: null, seq: 1, prev_seq: null, ts: new Date().toISOString(), type: 'snapshot', data }),
    disconnectAll: () => sockets.of('/market').disconnectSockets(true),
    close: () => stop(sockets, timer),
  };
  sockets.of('/market').on('connection', (socket) => serveMarket(socket, feed, state));
  sockets.of('/account').on('connection', () => undefined);
  let due = 0;
  const timer = setInterval(() => {
    for (due += (state.updatesPerSecond * TICK_MILLIS) / 1000; due >= 1; due--) feed.streams.forEach((move) => move());
  }, TICK_MILLIS);
  const beat = setInterval(() => ['/market', '/account'].forEach((name) => sockets.of(name).emit('heartbeat', { counter: 1 })), 1000);
  timer.unref();
  beat.unref();
  http.on('request', (request, response) => void answer(request, response, state));
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  state.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  http.on('close', () => clearInterval(beat));
  return state;
}

async function stop(sockets: Sockets, timer: NodeJS.Timeout): Promise<void> {
  clearInterval(timer);
  await sockets.close();
}

interface MarketFeed {
  drop: boolean;
  streams: Set<() => void>;
  asked: string[];
}
interface Address {
  channel: string;
  instrument?: string | null;
}

function serveMarket(socket: Socket, feed: MarketFeed, state: { scenario: Scenario }): void {
  const open = new Map<string, Stream>();
  const keyOf = (address: Address): string => `${address.channel}:${address.instrument ?? ''}`;
  const release = (key: string): void => {
    const stream = open.get(key);
    if (stream !== undefined) feed.streams.delete(stream.move);
    open.delete(key);
  };
  socket.on('subscribe', (address: Address, acknowledge?: (answer: object) => void) => {
    acknowledge?.({ ok: true });
    feed.asked.push(`subscribe ${address.channel}`);
    release(keyOf(address));
    const stream = streamOf(socket, address, feed, state);
    open.set(keyOf(address), stream);
    feed.streams.add(stream.move);
  });
  socket.on('resume', (address: Address & { since_seq: number }, acknowledge?: (answer: object) => void) => {
    acknowledge?.({ ok: true });
    feed.asked.push(`resume ${address.channel}`);
    open.get(keyOf(address))?.resume(address.since_seq);
  });
  socket.on('unsubscribe', (address: Address) => release(keyOf(address)));
  socket.on('disconnect', () => [...open.keys()].forEach(release));
}

interface Stream {
  /** Sends one update. */
  move(): void;
  resume(since: number): void;
}

/** Sends the snapshot and goes on from there. */
function streamOf(socket: Socket, { channel, instrument = null }: Address, feed: MarketFeed, state: { scenario: Scenario }): Stream {
  const empty = state.scenario === 'empty';
  const book = new market.MockBook(instrument ?? '');
  const sent: { seq: number }[] = [];
  let seq = 100;
  const send = (type: 'snapshot' | 'update', data: unknown): void => {
    const previous = seq++;
    const message = { channel, instrument, seq, prev_seq: previous, ts: new Date().toISOString(), type, data };
    sent.push(message);
    if (sent.length > 200) sent.shift();
    if (feed.drop && type === 'update' && channel === 'book') {
      feed.drop = false;
      return;
    }
    socket.emit('message', message);
  };
  if (channel === 'book') send('snapshot', empty ? { bids: [], asks: [], checksum: 0 } : book.whole());
  if (channel === 'curve') {
    send('snapshot', { points: empty ? [] : market.curves(instrument, Date.now()), removed: [], otherwise: [] });
  }
  if (channel === 'candles') send('snapshot', { interval: '5m', candles: empty ? [] : market.candles(instrument ?? '', Date.now()) });
  if (channel === 'status') send('snapshot', {});
  if (channel === 'trades') send('snapshot', empty ? [] : market.trades(instrument ?? '', Date.now(), 50));
  if (channel === 'ticker') send('snapshot', empty ? { ...market.ticker(instrument ?? ''), last_price: null, open_24h: null, best_bid: null, best_ask: null, volume_24h: '0' } : market.ticker(instrument ?? ''));
  return {
    move: () => {
      if (channel !== 'book' || empty) return;
      const changed = book.move();
      send('update', { ...changed, checksum: book.whole().checksum });
    },
    resume: (since) => sent.filter((message) => message.seq > since).forEach((message) => socket.emit('message', message)),
  };
}

type State = Pick<MockServer, 'scenario' | 'role' | 'refuse' | 'requests'>;

async function answer(request: IncomingMessage, response: ServerResponse, state: State): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://mock');
  if (url.pathname.startsWith('/socket.io')) return;
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  if (url.pathname === '/v1/chat/completions') return streamCompletion(response);
  if (url.pathname === '/v1/account/usage') {
    response.writeHead(200, { 'content-type': 'application/json' });
    return void response.end(JSON.stringify({ object: 'list', data: state.scenario === 'empty' ? [] : account.usage(url.searchParams.get('group_by') ?? '', Date.now()) }));
  }
  if (!url.pathname.startsWith('/api/v1')) return serveFile(url.pathname, response);
  const path = url.pathname.slice('/api/v1'.length);
  state.requests.push({ method: request.method ?? '', path: path + url.search, body, headers: request.headers });
  const reply = api(request.method ?? 'GET', path, body, state);
  response.writeHead(reply.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(reply.body));
}

function api(method: string, path: string, body: string, state: State): Reply {
  const open = publicApi(path, state) ?? authApi(path, body, state);
  if (open !== undefined) return open;
  if (state.role === undefined) return refusal(401, 'unauthenticated');
  if (state.scenario === 'broken') return refusal(503, 'unavailable', 'The exchange takes no calls at the moment.');
  if (method !== 'GET') return changeApi(method, path, body, state);
  return readApi(path, state.role, state.scenario === 'empty') ?? refusal(404, 'not_found');
}

function publicApi(path: string, state: State): Reply | undefined {
  const now = Date.now();
  switch (path) {
    case '/classes':
      return list(market.classes());
    case '/regions':
      return list(market.REGIONS.map((id) => ({ id })));
    case '/indices':
      return list([{ class: 'H100-SXM-80', price: '2.2100' }]);
    case '/models':
      return list(market.models());
    case '/status':
      return ok({ status: 'open', demo: true, clock: 'wall', price_band: { above: '10', below: '0.001' }, now: new Date(now).toISOString(), sequence: 184_220, modes: state.scenario === 'broken' ? [{ scope: '*', mode: 'halted', reason: 'Test' }] : [] });
    case '/demo':
      return ok({ data: account.MOCK_ROLES.map((role) => ({ name: role, role, email: `${role}@demo.example`, password: 'demo-password-1' })), next_cursor: null, endpoint: { url: 'http://127.0.0.1:9/yours/v1', models: ['meta-llama/Llama-3.1-8B-Instruct'] } });
    default:
      return /^\/instruments\/[^/]+\/book/.test(path) ? ok(new market.MockBook('book').whole()) : undefined;
  }
}

function authApi(path: string, body: string, state: State): Reply | undefined {
  if (path === '/auth/session') return ok({ session: state.role === undefined ? null : account.me(state.role) });
  if (path === '/auth/logout') {
    state.role = undefined;
    return ok({});
  }
  if (path !== '/auth/login' && path !== '/auth/register') return undefined;
  const { email } = JSON.parse(body) as { email: string };
  const role = account.MOCK_ROLES.find((candidate) => email === `${candidate}@demo.example`);
  if (role === undefined) return refusal(401, 'invalid_credentials', 'The email or the password is wrong.');
  state.role = role;
  return ok(account.me(role));
}

function readApi(path: string, role: MockRole, empty: boolean): Reply | undefined {
  const now = Date.now();
  const rows: Record<string, () => unknown[]> = {
    '/orders': () => account.orders(role, now),
    '/fills': () => account.fills(now),
    '/allocations': () => account.allocations(now),
    '/lots': () => account.lots(now),
    '/facilities': () => [account.facility(now), ...(role === 'lender' ? [account.offered(now)] : [])],
    '/mandates': () => account.mandates,
    '/capacity': () => account.capacity,
    '/repricing-rules': () => account.repricingRules(now),
    '/endpoints': () => account.endpoints,
    '/payouts': () => account.payouts(now),
    '/facilities/fac_7/statement': () => account.statement(now),
    '/deliveries': () => account.deliveries(now),
    '/audit': () => account.audit(now),
    '/keys': () => account.keys(now),
    '/statements': () => account.statements,
    '/requests': () => account.requests(now),
    '/endpoints/ep_1/probes': () => account.probes(now),
    '/users': () => account.users(now),
    '/switches': () => account.switches,
    '/confirmations': () => account.confirmations(now),
    '/providers': () => account.providers,
    '/projects': () => account.projects(now),
    '/webhooks': () => account.webhooks(now),
    '/webhooks/whk_1/deliveries': () => account.webhookDeliveries(now),
    '/portfolio/cohorts': () => account.cohorts,
  };
  if (rows[path] !== undefined) return list(empty ? [] : rows[path]());
  if (path === '/facilities/fac_7/schedule') return ok({ rows: account.schedule(now) });
  const whole: Record<string, () => unknown> = {
    '/portfolio': () => account.portfolio,
    '/portfolio/stress': () => account.stress,
    '/facilities/fac_7/disclosure': () => account.disclosure(now),
    '/facilities/fac_7/dashboard': () => account.dashboard(now),
    '/facilities/fac_7/forecast': () => (empty ? { ...account.forecast(now), method: 'none', weeks: [] } : account.forecast(now)),
    '/payouts/statement': () => account.payoutStatement(now),
    '/income': () => (empty ? { ...account.incomeReport(now), data: [] } : account.incomeReport(now)),
    '/resale-policy': () => account.resalePolicy,
    '/bands': () => (empty ? { ...account.bands, pending: null } : account.bands),
    '/positions': () => account.positions(now),
    '/price-risk': () => account.priceRisk(now, empty),
  };
  if (whole[path] !== undefined) return ok(whole[path]());
  if (path === '/risk') return ok(empty ? { exposures: [], outstanding: '0', modes: [] } : account.risk);
  if (path === '/balances') return ok(empty ? account.NO_BALANCES : account.balances);
  return path === '/invariants' ? ok(account.invariants) : undefined;
}

function changeApi(method: string, path: string, body: string, state: State): Reply {
  const now = Date.now();
  if (path === '/blocks/preview') return ok({ ...account.blockPreview });
  if (path === '/orders/preview') return ok({ draw: null, usd_per_gpu_hour: '1.6604', interest_usd_per_gpu_hour: '0.0019', outside_usd_per_gpu_hour: '2.1900', net_usd_per_gpu_hour: '1.3912', reject_code: null });
  if (state.refuse !== undefined) {
    const code = state.refuse;
    state.refuse = undefined;
    return refusal(422, code);
  }
  if (path === '/orders' && method === 'POST') {
    const placed = JSON.parse(body) as { instrument: string; quantity: string };
    return ok({ order: account.order('ord_500', placed.instrument, { ...placed, remaining_quantity: placed.quantity }), fills: [] }, 201);
  }
  if (path === '/orders/batch') return ok({ results: (JSON.parse(body) as { operations: unknown[] }).operations.map(() => ({ status: 201 })) });
  if (path === '/blocks') return ok({ order: account.order('ord_600', market.nextHour(now), { block: { start_at: '', end_at: '', quantity: '1', minimum_acceptance_ratio: '1' } }), fills: [] }, 201);
  if (path.startsWith('/orders/') && method === 'PATCH') return ok({ order: account.order(path.slice('/orders/'.length), market.nextHour(now), { ...(JSON.parse(body) as object) }), fills: [] });
  if (path.startsWith('/orders/') && method === 'DELETE') return ok({ order: account.order(path.slice('/orders/'.length), market.nextHour(now), { status: 'canceled', hold: '0.00' }) });
  if (path === '/webhooks') return ok({ ...account.webhooks(now)[0], secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }, 201);
  if (path === '/feeds/bank') return ok(account.bankFeed);
  if (path.endsWith('/decline')) return ok({ id: 'fac_7', reassigned: true });
  if (path.endsWith('/rotate')) return ok({ ...account.keys(now)[0], secret: 'ccx_test_rotated8vN0pL2rT6yU1wE5aB7cD9fG' }, 201);
  if (path === '/keys') return ok({ ...account.keys(now)[0], name: 'New', secret: 'ccx_test_mQ3x8vN0pL2rT6yU1wE5aB7cD9fG4hJk' }, 201);
  if (path.endsWith('/draws')) return ok({ lot: account.lots(now)[0] }, 201);
  return ok({}, 200);
}

function streamCompletion(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const words = 'Power cannot be stored cheaply, so its value changes from one hour to the next. A GPU hour is the same kind of good: unsold, it is gone.'.split(' ');
  words.forEach((word, index) => setTimeout(() => response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: `${word} ` } }] })}\n\n`), index * 15));
  setTimeout(() => {
    const cost = { provider: 'Northwind Compute', endpoint: 'ep_1', allocation_id: 'alc_0', gpu_seconds: '0.418210', credits_used: '0.000259', credits_remaining: '545314.842241' };
    response.write(`data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 18, completion_tokens: words.length }, x_ccx: cost })}\n\n`);
    response.end('data: [DONE]\n\n');
  }, words.length * 15 + 20);
}

function serveFile(path: string, response: ServerResponse): void {
  const named = join(WEB, path);
  const file = extname(path) !== '' && existsSync(named) && statSync(named).isFile() ? named : join(WEB, 'index.html');
  response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': POLICY });
  response.end(readFileSync(file));
}

