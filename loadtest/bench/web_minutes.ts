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
const MEGABYTE = 1_000_000;
const VIEWPORT = { width: 1440, height: 900 };
const CHARTS = ['Curve', 'Depth', 'Candles', 'Heat map'];
const LISTS = [/Fills/, /Allocations/, /Open orders/];

interface Market {
  url: string;
  instrument: string;
}
interface Reading {
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
    const readings = await read(page, minutes, options);
    const updates = await load.end();
    return { ...summary(readings), minutes, updates_per_second: updates / ((minutes * MINUTE_MILLIS) / 1000) };
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

/** Once a minute, and once more at the beginning. */
async function read(page: Page, minutes: number, options: BenchOptions): Promise<Reading[]> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const readings: Reading[] = [];
  const began = performance.now();
  for (let minute = 0; minute <= minutes; minute++) {
    await pause(Math.max(0, began + minute * MINUTE_MILLIS - performance.now()));
    await lookAround(page);
    const reading = { minute, ...(await measure(session)) };
    readings.push(reading);
    options.say(`minute ${minute}: heap ${reading.heap.toFixed(2)} MB, ${reading.objects} objects, ${reading.nodes} nodes, ${reading.listeners} listeners`);
  }
  return readings;
}

async function lookAround(page: Page): Promise<void> {
  for (const chart of CHARTS) await page.getByText(chart, { exact: true }).first().click();
  for (const list of LISTS) await page.getByRole('tab', { name: list }).click();
}

async function measure(session: CDPSession): Promise<Omit<Reading, 'minute'>> {
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
  return {
    heap_warm_mb: first.heap,
    heap_last_mb: last.heap,
    heap_slope_mb_per_hour: slope(warm.map(({ minute, heap }) => [minute / 60, heap])),
    objects_growth: last.objects - first.objects,
    nodes_growth: last.nodes - first.nodes,
    listeners_growth: last.listeners - first.listeners,
  };
}

/** Of the line of least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (axis: 0 | 1): number => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const products = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return products / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

/** Bids of a company that come and go near the best one, and small purchases of the one who looks. */
class Load {
  private readonly random = new Random(1);
  private readonly turns: Promise<void>;
  private over = false;
  private updates = 0;
  private failure: unknown;

  private readonly market: Market;
  private readonly perTurn: number;
  private readonly key: string;
  private readonly looker: string;

  private constructor(market: Market, perTurn: number, key: string, looker: string) {
    this.market = market;
    this.perTurn = perTurn;
    this.key = key;
    this.looker = looker;
    this.turns = Promise.all([this.change(), this.trade()]).then(
      () => undefined,
      (error: unknown) => void (this.failure = error),
    );
  }

  /** @param looker the key of the one whose page is watched */
  static async begin(market: Market, rate: number, looker: string): Promise<Load> {
    // Of each turn one half is placed and another cancelled.
    return new Load(market, Math.ceil(rate / TURNS_PER_SECOND / 2), await registered(market.url), looker);
  }

  /** @returns how many orders came or went. @throws what ended it before its time */
  async end(): Promise<number> {
    this.over = true;
    await this.turns;
    if (this.failure !== undefined) throw this.failure;
    return this.updates;
  }

  private async change(): Promise<void> {
    let resting: string[] = [];
    let best = TICKS;
    const began = performance.now();
    for (let turn = 0; !this.over; turn++) {
      if (turn % (TURNS_PER_SECOND * 10) === 0) best = await this.best();
      const places = Array.from({ length: this.perTurn }, () => this.bid(best));
      const cancels = resting.map((id) => ({ op: 'cancel', id }));
      const results = await this.batch([...cancels, ...places]);
      this.updates += results.filter(({ status }) => status < 300).length;
      resting = results.flatMap(({ status, order }) => (status === 201 && order !== undefined ? [order.id] : []));
      await pause(Math.max(0, began + ((turn + 1) * 1_000) / TURNS_PER_SECOND - performance.now()));
    }
  }

  /** Of a market that is too busy for a moment it is asked again. */
  private async batch(operations: object[]): Promise<BatchResult[]> {
    for (;;) {
      try {
        return (await call<{ results: BatchResult[] }>(this.market.url, this.key, '/orders/batch', { operations })).results;
      } catch (error) {
        if (!(error instanceof Refused) || this.over) throw error;
        await pause(OWN_TRADE_MILLIS);
      }
    }
  }

  private bid(best: number): object {
    const price = Math.max(1, best - this.random.below(NEAR_TICKS));
    return { op: 'place', instrument: this.market.instrument, side: 'buy', type: 'limit', price: (price / TICKS).toFixed(4), quantity: '0.01', time_in_force: 'gtc', post_only: true };
  }

  /** The highest price, in ticks, at which a bid rests. */
  private async best(): Promise<number> {
    const answer = await fetch(`${this.market.url}/api/v1/instruments/${this.market.instrument}/book?depth=1`);
    const { asks } = (await answer.json()) as { asks: [string, string][] };
    return asks.length === 0 ? TICKS : Math.round(Number(asks[0][0]) * TICKS) - 1;
  }

  private async trade(): Promise<void> {
    while (!this.over) {
      const order = { instrument: this.market.instrument, side: 'buy', type: 'limit', price: '3.0000', quantity: '0.01', time_in_force: 'ioc' };
      await call(this.market.url, this.looker, '/orders', order).catch((error: unknown) => {
        // A market without an ask below the list price is one with less to show.
        if (!(error instanceof Refused)) throw error;
      });
      await pause(OWN_TRADE_MILLIS);
    }
  }
}

interface BatchResult {
  status: number;
  order?: { id: string };
}

class Refused extends Error {}

async function call<Answer>(url: string, key: string, path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const authorization: Record<string, string> = key === '' ? {} : { authorization: `Bearer ${key}` };
  const answer = await fetch(`${url}/api/v1${path}`, { method: 'POST', headers: { ...authorization, ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Refused(`${path}: ${await answer.text()}`);
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
