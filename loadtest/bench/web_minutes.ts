/**
 * `npm run bench -- web --minutes 30`: what the trade screen keeps, by the clock. A real server with its demo market, a real
 * Chromium with the demo borrower logged in; another company changes the book all the time, the borrower itself trades each
 * second, and somebody looks at every chart and list once a minute. The heap is read after forced collections.
 */
import type { Browser, CDPSession, Page } from 'playwright-core';
import { temporaryFolder } from '../../db/temporary_postgres.ts';
import { buildServer, freePort, pause, ServerProcess } from '../faults/server_process.ts';
import type { BenchOptions, BenchResult } from './benchmark.ts';
import { Random } from './random.ts';

const TURNS_PER_SECOND = 10;
const OWN_TRADE_MILLIS = 1_000;
const MINUTE_MILLIS = 60_000;
/** By then lists that hold so many rows at most are full, and what runs often is compiled: code counts as heap. */
const WARM_MINUTES_MAX = 10;
const HOURS_AHEAD = 5;
const NEAR_TICKS = 400;
const TICKS = 10_000;
const PATIENCE_MILLIS = 180_000;
/** An answer that takes longer is not waited for. */
const CALL_MILLIS_MAX = 15_000;
const STILL_MILLIS_MAX = 60_000;
const MEGABYTE = 1_000_000;
const VIEWPORT = { width: 1440, height: 900 };
const CHARTS = ['Curve', 'Depth', 'Candles', 'Heat map'];
const LISTS = [/Fills/, /Allocations/, /Open orders/];

interface Market {
  url: string;
  instrument: string;
}
/** What the load did since it was asked last. */
interface Done {
  updatesPerSecond: number;
  trades: number;
  troubles: number;
  trouble: string;
}
interface Reading extends Done {
  minute: number;
  heap: number;
  /** That anything still refers to; code, which is compiled as it is used, is not among them. */
  objects: number;
  nodes: number;
  listeners: number;
}

export async function watchMinutes(browser: Browser, root: string, options: BenchOptions): Promise<BenchResult> {
  const minutes = options.number('minutes', 30);
  const rate = options.number('rate', 300);
  buildServer(root);
  const { folder, remove } = temporaryFolder('web-minutes-');
  const server = ServerProcess.spawn({ root, dataDir: folder, databaseUrl: '', port: await freePort() });
  try {
    await server.ready();
    const market = { url: server.url, instrument: instrumentAhead(HOURS_AHEAD) };
    const page = await openAs(browser, market, server.demo.borrower);
    const load = await Load.begin(market, rate, server.demo.borrower.api_key);
    const readings = await read(page, load, minutes, options);
    await load.end();
    return { ...summary(readings), minutes };
  } finally {
    await server.stop();
    remove();
  }
}

const instrumentAhead = (hours: number): string => {
  const hour = new Date(Date.now() + hours * 3_600_000).toISOString();
  return `H100-SXM-80.us-east.${hour.slice(0, 13).replaceAll('-', '')}Z`;
};

async function openAs(browser: Browser, { url, instrument }: Market, { email, password }: { email: string; password: string }): Promise<Page> {
  const page = await (await browser.newContext({ viewport: VIEWPORT })).newPage();
  // A machine that is busy elsewhere lets a page wait.
  page.setDefaultTimeout(PATIENCE_MILLIS);
  const answer = await page.request.post(`${url}/api/v1/auth/login`, { data: { email, password } });
  if (!answer.ok()) throw new Error(`no login: ${await answer.text()}`);
  await page.goto(`${url}/trade/${instrument}`);
  await page.getByRole('button', { name: /^ask / }).first().waitFor();
  return page;
}

/** Once a minute, and once more at the beginning. @throws Error when the load has stopped: an idle page keeps nothing */
async function read(page: Page, load: Load, minutes: number, options: BenchOptions): Promise<Reading[]> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const readings: Reading[] = [];
  const began = performance.now();
  for (let minute = 0; minute <= minutes; minute++) {
    await pause(Math.max(0, began + minute * MINUTE_MILLIS - performance.now()));
    const done = load.take();
    await lookAround(page);
    const reading = { minute, ...(await measure(session)), ...done };
    readings.push(reading);
    options.say(`minute ${minute}: heap ${reading.heap.toFixed(2)} MB, ${reading.objects} objects, ${reading.nodes} nodes, ${reading.listeners} listeners; ${toldOf(done)}`);
  }
  return readings;
}

const toldOf = ({ updatesPerSecond, trades, troubles, trouble }: Done): string =>
  `${Math.round(updatesPerSecond)} updates a second, ${trades} own trades${troubles === 0 ? '' : `, ${troubles} calls failed, the last by ${trouble}`}`;

async function lookAround(page: Page): Promise<void> {
  for (const chart of CHARTS) await page.getByText(chart, { exact: true }).first().click();
  for (const list of LISTS) await page.getByRole('tab', { name: list }).click();
}

async function measure(session: CDPSession): Promise<Omit<Reading, 'minute' | keyof Done>> {
  // Twice: what finalizers let go of is collected by the second.
  await session.send('HeapProfiler.collectGarbage');
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  const of = (wanted: string): number => metrics.find(({ name }) => name === wanted)?.value ?? Number.NaN;
  return { heap: of('JSHeapUsedSize') / MEGABYTE, objects: await objectsOf(session), nodes: of('Nodes'), listeners: of('JSEventListeners') };
}

async function objectsOf(session: CDPSession): Promise<number> {
  const group = { objectGroup: 'count' };
  const { result } = await session.send('Runtime.evaluate', { expression: 'Object.prototype', ...group });
  const { objects } = await session.send('Runtime.queryObjects', { prototypeObjectId: result.objectId ?? '', ...group });
  const { result: length } = await session.send('Runtime.callFunctionOn', { objectId: objects.objectId, functionDeclaration: 'function () { return this.length }', returnByValue: true });
  await session.send('Runtime.releaseObjectGroup', group);
  return length.value as number;
}

function summary(readings: readonly Reading[]): BenchResult {
  const warm = readings.slice(Math.min(WARM_MINUTES_MAX, readings.length >> 1));
  const [first, last] = [warm[0], warm[warm.length - 1]];
  // The first reading is of the beginning, before a minute of load.
  const loaded = readings.slice(1);
  return {
    heap_warm_mb: first.heap,
    heap_last_mb: last.heap,
    heap_slope_mb_per_hour: slope(warm.map(({ minute, heap }) => [minute / 60, heap])),
    objects_growth: last.objects - first.objects,
    nodes_growth: last.nodes - first.nodes,
    listeners_growth: last.listeners - first.listeners,
    updates_per_second: loaded.reduce((sum, { updatesPerSecond }) => sum + updatesPerSecond, 0) / loaded.length,
    slowest_minute_updates_per_second: Math.min(...loaded.map(({ updatesPerSecond }) => updatesPerSecond)),
    own_trades: loaded.reduce((sum, { trades }) => sum + trades, 0),
    failed_calls: loaded.reduce((sum, { troubles }) => sum + troubles, 0),
  };
}

/** Of the line of least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (axis: 0 | 1): number => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const products = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return products / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

/**
 * Bids of a company that come and go near the best one, and small purchases of the one who looks. A call that fails, whether the
 * market refuses it or a connection breaks, is counted and made again: half an hour must not end by one of ten thousand.
 */
class Load {
  private readonly random = new Random(1);
  private readonly turns: Promise<unknown>;
  private over = false;
  private done = { updates: 0, trades: 0, troubles: 0, trouble: '' };
  private since = performance.now();
  private changedAt = performance.now();

  private readonly market: Market;
  private readonly perTurn: number;
  private readonly key: string;
  private readonly looker: string;

  private constructor(market: Market, perTurn: number, key: string, looker: string) {
    this.market = market;
    this.perTurn = perTurn;
    this.key = key;
    this.looker = looker;
    this.turns = Promise.all([this.change(), this.trade()]);
  }

  /** @param looker the key of the one whose page is watched */
  static async begin(market: Market, rate: number, looker: string): Promise<Load> {
    // Of each turn one half is placed and another cancelled.
    return new Load(market, Math.ceil(rate / TURNS_PER_SECOND / 2), await registered(market.url), looker);
  }

  /** @throws Error when nothing has come or gone for a while */
  take(): Done {
    const now = performance.now();
    if (now - this.changedAt > STILL_MILLIS_MAX) throw new Error(`the load stands still: ${this.done.trouble}`);
    const { updates, ...rest } = this.done;
    const done = { ...rest, updatesPerSecond: (updates * 1_000) / Math.max(now - this.since, 1) };
    this.done = { updates: 0, trades: 0, troubles: 0, trouble: '' };
    this.since = now;
    return done;
  }

  async end(): Promise<void> {
    this.over = true;
    await this.turns;
  }

  private async change(): Promise<void> {
    let resting: string[] = [];
    let best = TICKS;
    let next = performance.now();
    for (let turn = 0; !this.over; turn++) {
      await this.attempt(async () => {
        if (turn % (TURNS_PER_SECOND * 10) === 0) best = await this.best();
        const places = Array.from({ length: this.perTurn }, () => this.bid(best));
        const operations = [...resting.map((id) => ({ op: 'cancel', id })), ...places];
        const { results } = await call<{ results: BatchResult[] }>(this.market.url, this.key, '/orders/batch', { operations });
        this.done.updates += results.filter(({ status }) => status < 300).length;
        this.changedAt = performance.now();
        resting = results.flatMap(({ status, order }) => (status === 201 && order !== undefined ? [order.id] : []));
      });
      // A machine that was away does not make up for it at once.
      next = Math.max(next + 1_000 / TURNS_PER_SECOND, performance.now() - 1_000);
      await pause(Math.max(0, next - performance.now()));
    }
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.done.troubles++;
      this.done.trouble = error instanceof Error ? `${error.message} ${error.cause instanceof Error ? error.cause.message : ''}`.trim() : String(error);
      await pause(OWN_TRADE_MILLIS);
    }
  }

  private bid(best: number): object {
    const price = Math.max(1, best - this.random.below(NEAR_TICKS));
    return { op: 'place', instrument: this.market.instrument, side: 'buy', type: 'limit', price: (price / TICKS).toFixed(4), quantity: '0.01', time_in_force: 'gtc', post_only: true };
  }

  /** The highest price, in ticks, at which a bid rests. */
  private async best(): Promise<number> {
    const answer = await fetch(`${this.market.url}/api/v1/instruments/${this.market.instrument}/book?depth=1`, { signal: AbortSignal.timeout(CALL_MILLIS_MAX) });
    const { asks } = (await answer.json()) as { asks: [string, string][] };
    return asks.length === 0 ? TICKS : Math.round(Number(asks[0][0]) * TICKS) - 1;
  }

  private async trade(): Promise<void> {
    while (!this.over) {
      await this.attempt(async () => {
        const order = { instrument: this.market.instrument, side: 'buy', type: 'limit', price: '3.0000', quantity: '0.01', time_in_force: 'ioc' };
        await call(this.market.url, this.looker, '/orders', order);
        this.done.trades++;
        await pause(OWN_TRADE_MILLIS);
      });
    }
  }
}

interface BatchResult {
  status: number;
  order?: { id: string };
}

/** @throws Error of a refusal, of a connection that broke, or of an answer that does not come */
async function call<Answer>(url: string, key: string, path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const authorization: Record<string, string> = key === '' ? {} : { authorization: `Bearer ${key}` };
  const answer = await fetch(`${url}/api/v1${path}`, { method: 'POST', headers: { ...authorization, ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body), signal: AbortSignal.timeout(CALL_MILLIS_MAX) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return (await answer.json()) as Answer;
}

/** A company of its own with credit; @returns its key */
async function registered(url: string): Promise<string> {
  const person = { email: 'minutes@demo.example', password: crypto.randomUUID() };
  await call(url, '', '/auth/register', { ...person, company: 'minutes', role: 'borrower' });
  const session = await fetch(`${url}/api/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(person) });
  const { csrf_token } = (await session.json()) as { csrf_token: string };
  const cookie = session.headers.get('set-cookie')?.split(';')[0] ?? '';
  const { secret } = await call<{ secret: string }>(url, '', '/keys', { name: 'minutes', scopes: ['trade', 'account', 'read'] }, { cookie, 'x-csrf-token': csrf_token });
  await call(url, secret, '/deposits', { amount: '10000', reference: 'minutes' });
  await call(url, secret, '/prepayments', { amount: '10000' });
  return secret;
}
