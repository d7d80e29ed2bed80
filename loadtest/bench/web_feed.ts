/**
 * What the page of the web benchmark talks to: the built app, the few lists it needs, and one book that changes. Its updates
 * leave 250 times a second, so every frame draws. The server sends 20 messages a second: a page has less to do with it.
 */
import { createServer, request } from 'node:http';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import express from 'express';
import type { Response } from 'express';
import { Server as Sockets } from 'socket.io';
import type { Socket } from 'socket.io';
import { webApp } from '../../api/http/middleware/static_files.ts';
import { securityHeaders } from '../../api/http/middleware/security_headers.ts';
import { formatSteps, formatTicks, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { Random } from './random.ts';

const CLASS = 'H100-SXM-80';
const REGION = 'us-east';
const MIDDLE = 21_000;
const LEVELS = 200;
/** Updates fall on levels so near to the middle that a ladder of 30 rows shows most of them. */
const NEAR = 30;
const CHECKED = 10;
const TICK_MILLIS = 4;

type Level = [price: string, quantity: string];
interface Side {
  prices: string[];
  quantities: string[];
}

/** Best first; every level exists all the time and changes its quantity. */
class FeedBook {
  private readonly random = new Random(1);
  private readonly sides: [bids: Side, asks: Side];

  constructor() {
    const side = (direction: number): Side => ({
      prices: Array.from({ length: LEVELS }, (_, index) => formatTicks(MIDDLE + direction * (index + 1) * 5)),
      quantities: Array.from({ length: LEVELS }, () => this.size()),
    });
    this.sides = [side(-1), side(1)];
  }

  /** Changes so many levels. */
  move(updates: number): { bids: Level[]; asks: Level[]; checksum: number } {
    const changed: [bids: Level[], asks: Level[]] = [[], []];
    for (let update = 0; update < updates; update++) {
      const which = this.random.below(2);
      const level = this.random.below(NEAR);
      const { prices, quantities } = this.sides[which];
      quantities[level] = this.size();
      changed[which].push([prices[level], quantities[level]]);
    }
    return { bids: changed[0], asks: changed[1], checksum: this.checksum() };
  }

  whole(): { bids: Level[]; asks: Level[]; checksum: number } {
    const [bids, asks] = this.sides.map(({ prices, quantities }) => prices.map((price, index): Level => [price, quantities[index]]));
    return { bids, asks, checksum: this.checksum() };
  }

  private size(): string {
    return formatSteps(100 + 25 * this.random.below(400));
  }

  private checksum(): number {
    return crc32(this.sides.flatMap(({ prices, quantities }) => prices.slice(0, CHECKED).map((price, index) => `${price}:${quantities[index]}`)).join('|'));
  }
}

export interface WebFeed {
  url: string;
  /** The page of the instrument that moves. */
  path: string;
  /** Changed levels of the book a second. */
  rate: number;
  /** Milliseconds between messages: what changes meanwhile goes in one. */
  tickMillis: number;
  /** Messages into which each tick's changes are divided. */
  messagesPerTick: number;
  sent: number;
  messages: number;
  /** Where orders go: an exchange that keeps them, with a key of a buyer. Then somebody is logged in. */
  exchange: { port: number; key: string; instrument: string } | undefined;
  close(): Promise<void>;
}

/** @param folder where the build put the app */
export async function startWebFeed(folder: string): Promise<WebFeed> {
  const app = express();
  const http = createServer(app);
  const hour = Math.floor(Date.now() / MILLIS_PER_HOUR) + 3;
  const instrument = `${CLASS}.${REGION}.${new Date(hour * MILLIS_PER_HOUR).toISOString().slice(0, 13).replaceAll('-', '')}Z`;
  app.use(securityHeaders(false));
  const feed: WebFeed = { url: '', path: `/trade/${instrument}`, rate: 0, tickMillis: TICK_MILLIS, messagesPerTick: 1, sent: 0, messages: 0, exchange: undefined, close: () => Promise.resolve() };
  app.get('/api/v1/*path', (asked, response) => {
    response.json(bodyOf(asked.path.slice('/api/v1'.length), feed));
  });
  app.post('/api/v1/orders/preview', (_asked, response) => void response.json({}));
  app.post('/api/v1/orders', express.text({ type: '*/*' }), (asked, response) => passOn(feed, asked.body as string, response));
  app.use(webApp(folder));
  const timers = serveBook(new Sockets(http), feed);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  feed.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  feed.close = () => end(http, timers);
  return feed;
}

/** The order as the page sent it, to the exchange that keeps it; what that answers, to the page. */
function passOn({ exchange, path }: WebFeed, body: string, response: Response): void {
  if (exchange === undefined) return void response.sendStatus(404);
  const { port, key, instrument } = exchange;
  const sent = body.replace(path.slice('/trade/'.length), instrument);
  const onward = request({ port, host: '127.0.0.1', path: '/api/v1/orders', method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } }, (answer) => {
    const parts: Buffer[] = [];
    answer.on('data', (part: Buffer) => parts.push(part));
    answer.on('end', () => response.status(answer.statusCode ?? 502).type('json').send(Buffer.concat(parts).toString().replaceAll(instrument, path.slice('/trade/'.length))));
  });
  onward.on('error', () => response.sendStatus(502));
  onward.end(sent);
}

const PERSON = { id: 'usr_bench', email: 'bench@example.com', company: 'Bench', role: 'borrower', csrf_token: 'bench' };
const CREDITS = { available: '1000000.00', held: '0.00', contracted: '0.00', frozen: '0.00', remaining: '1000000.00' };

function bodyOf(path: string, feed: WebFeed): object {
  const page = (data: object[]): object => ({ data, next_cursor: null, otherwise: [] });
  if (path === '/classes') return page([{ id: CLASS, chip: 'H100', memory_gb: 80, form_factor: 'SXM', list_price: '3.3900', list_price_inputs: [], next_list_price: null }]);
  if (path === '/regions') return page([{ id: REGION }]);
  if (path === '/status') return { status: 'open', demo: false, clock: 'wall', price_band: { above: '10', below: '0.001' }, now: new Date().toISOString(), sequence: 1, modes: [] };
  if (path === '/auth/session') return { session: feed.exchange === undefined ? null : PERSON };
  return path === '/balances' ? { usd: '0.00', credits: CREDITS } : page([]);
}

function serveBook(sockets: Sockets, feed: WebFeed): NodeJS.Timeout[] {
  const book = new FeedBook();
  const followers = new Set<Socket>();
  let seq = 1;
  const message = (type: 'snapshot' | 'update', channel: string, instrument: string | null, data: unknown, previous: number | null) =>
    ({ channel, instrument, seq, prev_seq: previous, ts: new Date().toISOString(), type, data });
  sockets.of('/market').on('connection', (socket) => {
    socket.on('subscribe', ({ channel, instrument = null }: { channel: string; instrument?: string | null }, acknowledge?: (answer: object) => void) => {
      acknowledge?.({ ok: true });
      const data = channel === 'book' ? book.whole() : channel === 'curve' ? { points: [], removed: [], otherwise: [] } : channel === 'candles' ? { interval: '1m', candles: [] } : channel === 'trades' ? [] : {};
      socket.emit('message', message('snapshot', channel, instrument, data, null));
      if (channel === 'book') followers.add(socket);
    });
    socket.on('disconnect', () => followers.delete(socket));
  });
  let last = performance.now();
  let due = 0;
  const mover = setInterval(() => {
    const now = performance.now();
    if (now - last < feed.tickMillis - TICK_MILLIS / 2) return;
    due += ((now - last) * feed.rate) / 1000;
    last = now;
    const updates = Math.floor(due);
    if (updates === 0) return;
    due -= updates;
    feed.sent += updates;
    for (let part = 0; part < feed.messagesPerTick; part++) {
      const data = book.move(Math.ceil(updates / feed.messagesPerTick));
      seq += 1;
      feed.messages += 1;
      for (const socket of followers) socket.emit('message', message('update', 'book', feed.path.slice('/trade/'.length), data, seq - 1));
    }
  }, TICK_MILLIS);
  const beat = setInterval(() => sockets.of('/market').emit('heartbeat', { counter: seq }), 1000);
  return [mover, beat];
}

async function end(http: HttpServer, timers: NodeJS.Timeout[]): Promise<void> {
  for (const timer of timers) clearInterval(timer);
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
}
