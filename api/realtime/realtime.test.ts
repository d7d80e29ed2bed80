import { createServer } from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { pino } from 'pino';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { BUY, SELL } from '../../engine/vocabulary.ts';
import { randomOf } from '../demo/random.ts';
import { HOUR, INSTRUMENT, START, openExchange, orderOf, place, trade } from '../market/test/exchange.ts';
import type { Exchange } from '../market/test/exchange.ts';
import { checksumOf, levelPair } from '../market/wire.ts';
import type { LevelPair } from '../market/wire.ts';
import type { Revoked } from '../auth/auth.ts';
import type { Principal } from '../auth/principal.ts';
import type { Message } from './messages.ts';
import { FRAME_MILLIS } from './pace.ts';
import { Realtime } from './realtime.ts';
import type { Pings } from './realtime.ts';
import type { SocketAuth } from './sessions.ts';

/** For which an answer may be owed while other tests have the machine. */
const ANSWER_MILLIS_MAX = 15_000;
const TRADER = 'ccx_test_trader';
const READER = 'ccx_test_reader';

/** Two keys of the second buyer, and a session cookie. */
class FakeAuth implements SocketAuth {
  buyer = 0;
  private readonly listeners = new Set<(revoked: Revoked) => void>();

  authenticate({ headers }: Parameters<SocketAuth['authenticate']>[0]): ReturnType<SocketAuth['authenticate']> {
    const key = headers.authorization?.replace('Bearer ', '');
    const scopes = key === READER ? ['read'] : ['read', 'trade'];
    const principal: Principal = { user: 'u', company: this.buyer, role: 'borrower', key: key ?? 'session', session: key === undefined ? 'digest' : undefined, scopes };
    if (key === TRADER || key === READER || headers.cookie === 'ccx_session=good') return Promise.resolve({ ok: true, principal });
    return Promise.resolve({ ok: false, reason: key === undefined ? 'unauthenticated' : 'invalid_api_key' });
  }
  onRevoked(listener: (revoked: Revoked) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  revoke(revoked: Revoked): void {
    for (const listener of this.listeners) listener(revoked);
  }
}

let exchange: Exchange;
let auth: FakeAuth;
let realtime: Realtime;
let url: string;
let sockets: Socket[];

beforeEach(async () => {
  exchange = await openExchange();
  auth = new FakeAuth();
  auth.buyer = exchange.buyers[1];
  await serve();
  sockets = [];
});

async function serve(pings?: Pings): Promise<void> {
  const http = createServer();
  const { view: market, directory, sequencer } = exchange;
  realtime = new Realtime({ http, market, directory, sequencer, auth, log: pino({ level: 'silent' }), ...(pings === undefined ? {} : { pings }) });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

afterEach(async () => {
  for (const socket of sockets) socket.disconnect();
  await realtime.close();
});

interface Client {
  socket: Socket;
  messages: Message[];
  closed: unknown[];
}

function connect(namespace: string, options: { auth?: object; headers?: Record<string, string> } = {}): Client {
  const socket = io(url + namespace, { transports: ['websocket'], forceNew: true, auth: options.auth, extraHeaders: options.headers, reconnection: false });
  const client: Client = { socket, messages: [], closed: [] };
  socket.on('message', (message: Message) => client.messages.push(message));
  socket.on('closed', (reason: unknown) => client.closed.push(reason));
  sockets.push(socket);
  return client;
}

const ask = (client: Client, event: string, payload: unknown): Promise<unknown> => client.socket.timeout(ANSWER_MILLIS_MAX).emitWithAck(event, payload);
const refused = (client: Client): Promise<unknown> =>
  new Promise((resolve) => {
    client.socket.on('connect', () => resolve('connected'));
    client.socket.on('connect_error', (error: Error & { data?: unknown }) => resolve(error.data));
  });
const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis));

/** The TCP socket under a websocket client. */
function wireOf(socket: Socket): NetSocket {
  const transport: unknown = socket.io.engine.transport;
  return (transport as { ws: { _socket: NetSocket } }).ws._socket;
}

/** Applies book messages as a client does; expects an unbroken chain and true checksums. */
function rebuild(messages: readonly Message[]): { bids: LevelPair[]; asks: LevelPair[] } {
  const sides = { bids: new Map<string, string>(), asks: new Map<string, string>() };
  const sorted = (): { bids: LevelPair[]; asks: LevelPair[] } => ({
    bids: [...sides.bids].sort(([a], [b]) => Number(b) - Number(a)),
    asks: [...sides.asks].sort(([a], [b]) => Number(a) - Number(b)),
  });
  let before: number | null = null;
  for (const { type, seq, prev_seq: previous, data } of messages) {
    expect(previous).toBe(before);
    before = seq;
    const { bids, asks, checksum } = data as { bids: LevelPair[]; asks: LevelPair[]; checksum: number };
    for (const [name, levels] of [['bids', bids], ['asks', asks]] as const) {
      if (type === 'snapshot') sides[name].clear();
      for (const [price, quantity] of levels) if (quantity === '0') sides[name].delete(price);
      else sides[name].set(price, quantity);
    }
    expect(checksumOf(sorted().bids, sorted().asks)).toBe(checksum);
  }
  return sorted();
}

/** Random orders around a price, some of which trade, and cancels. */
function shake(seed: number, count: number): void {
  const random = randomOf(seed);
  const { sequencer, providers, buyers } = exchange;
  for (let index = 0; index < count; index++) {
    const sell = random.below(2) === 0;
    const company = (sell ? providers : buyers)[random.below(5)];
    const open = exchange.view.openOrders(company);
    if (random.below(3) === 0 && open.length > 0) sequencer.run({ type: 'cancel', company, order: open[random.below(open.length)].order });
    else sequencer.run(orderOf(company, sell ? SELL : BUY, 20_000 + random.below(40) - 20, 1 + random.below(500)));
  }
}

describe('the book channel', () => {
  test('lets a client keep the book: an unbroken chain, checksums, fewer frames than changes', async () => {
    const client = connect('/market');
    expect(await ask(client, 'subscribe', { channel: 'book', instrument: INSTRUMENT })).toEqual({ ok: true, channel: 'book', instrument: INSTRUMENT });
    const began = performance.now();
    for (let round = 0; round < 20; round++) {
      shake(round, 50);
      await pause(15);
    }
    const { sequence } = exchange.view;
    await expect.poll(() => client.messages.at(-1)?.seq).toBe(sequence);
    const instrument = exchange.view.instrument(INSTRUMENT) ?? expect.fail('no instrument');
    const depth = exchange.view.depth(instrument, Infinity);
    const { bids, asks } = rebuild(client.messages);
    expect([bids.length, asks.length]).toEqual([depth.bids.length, depth.asks.length]);
    // The snapshot, and of a frame's time one message each.
    expect(client.messages.length).toBeLessThanOrEqual(2 + (performance.now() - began) / FRAME_MILLIS);
    expect(client.messages.length).toBeGreaterThan(4);
  });

  test('shows the asks of one model alone, also when a provider begins to serve it or ceases to', async () => {
    const { sequencer, providers, view } = exchange;
    sequencer.run({ type: 'addModel', name: 'small' });
    const serve = (models: number[]): unknown => sequencer.run({ type: 'setEligibility', company: providers[0], market: 0, models });
    const instrument = view.instrument(INSTRUMENT) ?? expect.fail('no instrument');
    const small = exchange.directory.modelId('small');
    serve([small]);
    const client = connect('/market');
    expect(await ask(client, 'subscribe', { channel: 'book', instrument: INSTRUMENT, model: 'small' })).toMatchObject({ ok: true });
    for (let round = 0; round < 8; round++) {
      shake(round, 50);
      serve(round % 3 === 1 ? [] : [small]);
      const wanted = view.depth(instrument, Infinity, small);
      await expect.poll(() => rebuild(client.messages)).toEqual({ bids: wanted.bids.map(levelPair), asks: wanted.asks.map(levelPair) });
    }
    expect(client.messages.every(({ data }) => (data as { model: string }).model === 'small')).toBe(true);
    expect(view.depth(instrument, Infinity, small).asks.length).toBeLessThan(view.depth(instrument, Infinity).asks.length);
    expect(await ask(client, 'subscribe', { channel: 'book', instrument: INSTRUMENT, model: 'nothing' })).toMatchObject({ error: { field: 'model' } });
  });

  test('brings a client that was away up to date from the last message it has', async () => {
    const steady = connect('/market');
    const away = connect('/market');
    for (const client of [steady, away]) await ask(client, 'subscribe', { channel: 'book', instrument: INSTRUMENT });
    shake(1, 50);
    await expect.poll(() => away.messages.length).toBeGreaterThan(1);
    const since = away.messages.at(-1)?.seq;
    away.socket.disconnect();
    for (let round = 2; round < 5; round++) {
      shake(round, 50);
      await pause(60);
    }
    const back = connect('/market');
    back.messages.push(...away.messages);
    expect(await ask(back, 'resume', { channel: 'book', instrument: INSTRUMENT, since_seq: since })).toMatchObject({ ok: true });
    shake(6, 50);
    await expect.poll(() => back.messages.at(-1)?.seq).toBe(exchange.view.sequence);
    expect(back.messages.map(({ type }) => type).filter((type) => type === 'snapshot')).toHaveLength(1);
    await expect.poll(() => steady.messages.at(-1)?.seq).toBe(exchange.view.sequence);
    expect(rebuild(back.messages)).toEqual(rebuild(steady.messages));
  });

  test('stops queueing for a client that takes nothing, and continues with a snapshot when it does', async () => {
    // A deep book, so that a few dozen snapshots fill what the kernel holds for a connection.
    for (let level = 0; level < 3_000; level++) place(exchange, exchange.providers[1], SELL, 20_000 + level, 100);
    const client = connect('/market');
    const steady = connect('/market');
    for (const { socket } of [client, steady]) await socket.timeout(ANSWER_MILLIS_MAX).emitWithAck('subscribe', { channel: 'book', instrument: INSTRUMENT });
    const wire = wireOf(client.socket);
    wire.pause();
    for (let round = 0; round < 4; round++) {
      for (let index = 0; index < 50; index++) client.socket.emit('subscribe', { channel: 'book', instrument: INSTRUMENT });
      await pause(1_050);
      place(exchange, exchange.providers[1], SELL, 23_000 + round, 100);
    }
    await expect.poll(() => steady.messages.at(-1)?.seq).toBe(exchange.view.sequence);
    wire.resume();
    await expect.poll(() => client.messages.at(-1)?.seq).toBe(exchange.view.sequence);
    expect(client.messages.length).toBeLessThan(200);
    const last = client.messages.findLastIndex(({ type, prev_seq: before }) => type === 'snapshot' && before === null);
    expect(rebuild(client.messages.slice(last))).toEqual(rebuild(steady.messages));
  }, 20_000);

  test('tells a client that takes nothing, although the system takes it all, why it is closed', async () => {
    await realtime.close();
    await serve({ everyMillis: 250, owedMillis: 1_000, lostMillis: 20_000 });
    const client = connect('/market');
    const steady = connect('/market');
    for (const { socket } of [client, steady]) await socket.timeout(ANSWER_MILLIS_MAX).emitWithAck('subscribe', { channel: 'book', instrument: INSTRUMENT });
    const wire = wireOf(client.socket);
    wire.pause();
    place(exchange, exchange.providers[1], SELL, 20_000, 100);
    await pause(2_000);
    expect(client.socket.connected).toBe(true);
    wire.resume();
    await expect.poll(() => client.socket.connected).toBe(false);
    expect(client.closed).toEqual([{ code: 'slow_consumer', message: 'The connection has not taken what was sent for too long.' }]);
    expect(client.messages.at(-1)?.seq).toBe(exchange.view.sequence);
    expect(steady.socket.connected).toBe(true);
  });

  test('ends with unsubscribe', async () => {
    const client = connect('/market');
    await ask(client, 'subscribe', { channel: 'book', instrument: INSTRUMENT });
    expect(await ask(client, 'unsubscribe', { channel: 'book', instrument: INSTRUMENT })).toMatchObject({ ok: true });
    shake(1, 20);
    await pause(120);
    expect(client.messages).toHaveLength(1);
  });
});

describe('the other public channels', () => {
  test('tell trades, tickers, candles, the curve and the status', async () => {
    const client = connect('/market');
    const on = (channel: string): Message[] => client.messages.filter((message) => message.channel === channel);
    for (const channel of ['trades', 'ticker', 'candles']) await ask(client, 'subscribe', { channel, instrument: INSTRUMENT });
    await ask(client, 'subscribe', { channel: 'curve', instrument: 'H100-SXM-80.us-east' });
    await ask(client, 'subscribe', { channel: 'status' });
    await expect.poll(() => client.messages).toHaveLength(5);
    expect(client.messages.every(({ type, prev_seq: before }) => type === 'snapshot' && before === null)).toBe(true);
    trade(exchange, 1, 1, 20_000, 100);
    trade(exchange, 2, 2, 20_100, 50);
    await expect.poll(() => on('trades').flatMap(({ data }) => data)).toMatchObject([{ price: '2.0000', quantity: '1', side: 'buy' }, { price: '2.0100' }]);
    await expect.poll(() => on('ticker').at(-1)?.data).toMatchObject({ last_price: '2.0100', volume_24h: '1.5' });
    await expect.poll(() => on('candles').at(-1)?.data).toMatchObject({ interval: '1m', candles: [{ open: '2.0000', close: '2.0100', volume: '1.5', trades: 2 }] });
    await expect.poll(() => on('curve').at(-1)?.data).toMatchObject({ points: [{ instrument: INSTRUMENT, last_price: '2.0100' }], removed: [] });
    const operator = exchange.sequencer.run({ type: 'registerCompany', name: 'house', role: 'operator', group: '' });
    const company = operator[0].kind === 'companyRegistered' ? operator[0].company : 0;
    exchange.sequencer.run({ type: 'setTradingMode', company, class: 0, market: -1, hour: -1, mode: 'halted', reason: 'drill' });
    await expect.poll(() => on('status').at(-1)?.data).toMatchObject({ modes: [{ scope: 'H100-SXM-80', mode: 'halted', reason: 'drill' }] });
  });

  test('tell the marks that trades of other hours and time move, and nothing where they stay', async () => {
    const client = connect('/market');
    const told = (channel: string): unknown => client.messages.filter((message) => message.channel === channel).at(-1)?.data;
    await ask(client, 'subscribe', { channel: 'ticker', instrument: INSTRUMENT });
    await ask(client, 'subscribe', { channel: 'curve', instrument: 'H100-SXM-80.eu-west' });
    await expect.poll(() => told('ticker')).toMatchObject({ mark_price: '1.5000', mark_source: 'list_price' });
    for (const index of [1, 2, 3, 4]) trade(exchange, index, index, 10_000, 4_000, { hour: HOUR + 1 });
    await expect.poll(() => told('ticker')).toMatchObject({ mark_price: '1.0000', mark_source: 'index' });
    await expect.poll(() => told('curve')).toMatchObject({ otherwise: [{ mark_price: '1.0000', mark_source: 'index' }] });
    const { length } = client.messages;
    exchange.sequencer.run({ type: 'tick', now: START + 1_000 });
    await pause(1_200);
    expect(client.messages).toHaveLength(length);
    exchange.sequencer.run({ type: 'tick', now: START + 24 * MILLIS_PER_HOUR });
    await expect.poll(() => told('ticker')).toMatchObject({ mark_source: 'list_price' });
  });

  test('refuse what does not exist, with a code and the field', async () => {
    const client = connect('/market');
    for (const [payload, field] of [
      [{ channel: 'nothing' }, 'channel'], [{ channel: 'book' }, 'instrument'], [{ channel: 'book', instrument: 'X.y.20261202T14Z' }, 'instrument'],
      [{ channel: 'book', instrument: 7 }, 'instrument'], [{ channel: 'curve', instrument: 'X.us-east' }, 'instrument'],
      [{ channel: 'candles', instrument: INSTRUMENT, interval: '2m' }, 'interval'],
    ] as const) {
      expect(await ask(client, 'subscribe', payload)).toMatchObject({ ok: false, error: { code: 'invalid_request', field } });
    }
    expect(await ask(client, 'resume', { channel: 'book', instrument: INSTRUMENT, since_seq: -1 })).toMatchObject({ error: { field: 'since_seq' } });
    expect(await ask(client, 'subscribe', null)).toMatchObject({ error: { code: 'invalid_request' } });
    expect(await refused(connect('/'))).toBeUndefined();
  });

  test('send a heartbeat each second', async () => {
    const client = connect('/market');
    const counters: number[] = [];
    client.socket.on('heartbeat', ({ counter }: { counter: number }) => counters.push(counter));
    await expect.poll(() => counters.length).toBeGreaterThan(2);
    expect(counters[1] - counters[0]).toBe(1);
  });
});

describe('the account namespace', () => {
  test('tells orders, fills, balances and allocations as they change', async () => {
    const client = connect('/account', { auth: { token: TRADER } });
    const on = (channel: string): Message[] => client.messages.filter((message) => message.channel === channel);
    for (const channel of ['orders', 'fills', 'balances', 'allocations', 'facility']) {
      expect(await ask(client, 'subscribe', { channel })).toEqual({ ok: true, channel, instrument: null });
    }
    await expect.poll(() => client.messages).toHaveLength(5);
    const order = place(exchange, auth.buyer, BUY, 20_000, 300);
    await expect.poll(() => on('orders').at(-1)?.data).toMatchObject([{ id: `ord_${order}`, status: 'open', remaining_quantity: '3', hold: '6.03' }]);
    await expect.poll(() => on('balances').at(-1)?.data).toMatchObject({ credits: { held: '6.03' } });
    place(exchange, exchange.providers[1], SELL, 20_000, 100);
    await expect.poll(() => on('orders').at(-1)?.data).toMatchObject([{ status: 'partially_filled', filled_quantity: '1', average_price: '2.0000' }]);
    await expect.poll(() => on('fills').at(-1)?.data).toMatchObject([{ order_id: `ord_${order}`, liquidity: 'maker', counterparty: null }]);
    await expect.poll(() => on('allocations').at(-1)?.data).toMatchObject([{ quantity: '1', status: 'open' }]);
    exchange.sequencer.run({ type: 'cancel', company: auth.buyer, order });
    await expect.poll(() => on('orders').at(-1)?.data).toMatchObject([{ status: 'canceled', cancel_reason: 'requested', hold: '0.00' }]);
    for (const channel of ['orders', 'fills', 'balances', 'allocations']) {
      const chain = on(channel);
      chain.forEach((message, index) => expect(message.prev_seq).toBe(index === 0 ? null : chain[index - 1].seq));
    }
  });

  test('shows nothing of other companies', async () => {
    const client = connect('/account', { auth: { token: TRADER } });
    for (const channel of ['orders', 'fills']) await ask(client, 'subscribe', { channel });
    trade(exchange, 2, 2, 20_000, 100);
    place(exchange, exchange.buyers[2], BUY, 19_000, 100);
    await pause(120);
    expect(client.messages.map(({ data }) => data)).toEqual([[], []]);
  });

  test('refuses no key, a wrong key, a session from another site', async () => {
    expect(await refused(connect('/account'))).toMatchObject({ code: 'unauthenticated' });
    expect(await refused(connect('/account', { auth: { token: 'ccx_live_wrong' } }))).toMatchObject({ code: 'invalid_api_key' });
    expect(await refused(connect('/account', { auth: { token: 7 } }))).toMatchObject({ code: 'invalid_request' });
    const cookie = 'ccx_session=good';
    expect(await refused(connect('/account', { headers: { cookie, origin: 'https://evil.example' } }))).toMatchObject({ code: 'cross_site' });
    expect(await refused(connect('/account', { headers: { cookie, origin: url } }))).toBe('connected');
    expect(await refused(connect('/account', { auth: { token: TRADER }, headers: { origin: 'https://bots.example' } }))).toBe('connected');
  });

  test('closes what was revoked, and nothing else', async () => {
    const [trader, reader] = [TRADER, READER].map((token) => connect('/account', { auth: { token } }));
    const page = connect('/account', { headers: { cookie: 'ccx_session=good', origin: url } });
    for (const client of [trader, reader, page]) await ask(client, 'subscribe', { channel: 'orders' });
    auth.revoke({ kind: 'key', subject: READER });
    await expect.poll(() => reader.socket.connected).toBe(false);
    expect(reader.closed).toMatchObject([{ code: 'revoked' }]);
    expect([trader.socket.connected, page.socket.connected]).toEqual([true, true]);
    auth.revoke({ kind: 'session', subject: 'digest' });
    await expect.poll(() => page.socket.connected).toBe(false);
    expect(trader.socket.connected).toBe(true);
  });

  const cancels = () => exchange.sequencer.submitted.map(({ command }) => command);
  const cancelOfBuyer = () => ({ type: 'cancelAll', company: auth.buyer, onDisconnect: true });
  const joined = async (token: string): Promise<Client> => {
    const client = connect('/account', { auth: { token } });
    await ask(client, 'subscribe', { channel: 'orders' });
    return client;
  };

  test('cancels orders that asked for it when the last connection that may trade ends', async () => {
    place(exchange, auth.buyer, BUY, 19_000, 100, { cancelOnDisconnect: true });
    const kept = place(exchange, auth.buyer, BUY, 18_000, 100);
    const [first, last, reader] = [await joined(TRADER), await joined(TRADER), await joined(READER)];
    for (const client of [first, reader]) client.socket.disconnect();
    await pause(50);
    expect(cancels()).toEqual([]);
    const alsoReads = await joined(READER);
    last.socket.disconnect();
    await expect.poll(() => exchange.view.openOrders(auth.buyer).map(({ order }) => order)).toEqual([kept]);
    alsoReads.socket.disconnect();
    await pause(50);
    expect(cancels()).toMatchObject([cancelOfBuyer()]);
  });

  test.each<[string, (client: Client) => void]>([
    ['is cut', ({ socket }) => void wireOf(socket).destroy()],
    ['is revoked', () => auth.revoke({ kind: 'key', subject: TRADER })],
  ])('cancels them when the connection %s', async (_, end) => {
    place(exchange, auth.buyer, BUY, 19_000, 100, { cancelOnDisconnect: true });
    end(await joined(TRADER));
    await expect.poll(() => exchange.view.openOrders(auth.buyer)).toEqual([]);
    expect(cancels()).toMatchObject([cancelOfBuyer()]);
  });

  test('cancels them when the server closes', async () => {
    place(exchange, auth.buyer, BUY, 19_000, 100, { cancelOnDisconnect: true });
    const clients = [await joined(TRADER), await joined(TRADER)];
    await realtime.close();
    expect(exchange.view.openOrders(auth.buyer)).toEqual([]);
    expect(cancels()).toMatchObject([cancelOfBuyer()]);
    for (const client of clients) await expect.poll(() => client.closed).toMatchObject([{ code: 'server_closing' }]);
  });
});
