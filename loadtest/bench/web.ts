/**
 * The web app in a real Chromium: how long until the market is seen; frames, the main thread, and how long messages and hands
 * wait while one book changes 5,000 times a second; what the heap grows by; orders through the page to a durable exchange.
 * The sizes are those that the build wrote down when it held them to their budgets.
 */
import { execFileSync, fork } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { findChromium } from '../../api/cli/tools.mjs';
import type { ApiReady } from './api_server.ts';
import { median } from './benchmark.ts';
import type { BenchOptions, BenchResult } from './benchmark.ts';
import { startWebFeed } from './web_feed.ts';
import type { WebFeed } from './web_feed.ts';
import { watchMinutes } from './web_minutes.ts';
import { LARGEST_PAINT, LAYOUT_SHIFT, WATCH_MESSAGES, clickToOrder, framesFor, interactionToPaint, messageToPixel } from './web_page.ts';

const VIEWPORT = { width: 1440, height: 900 };
const LOADS = 5;
const SETTLE_MILLIS = 3_000;
const LCP_QUIET_MILLIS = 700;
const PIXEL_MILLIS = 5_000;
/** Changes a second while orders are sent: a busy book as a server sends it. */
const ORDER_RATE = 500;
/** This runs from dist/. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The server sends a book so often at most; what the page gets here faster is the same feed in less time. */
const SERVER_MESSAGES_PER_SECOND = 20;
const MEGABYTE = 1_000_000;

export async function run(options: BenchOptions): Promise<BenchResult> {
  const rate = options.number('rate', 5_000);
  const seconds = options.number('seconds', 10);
  const executablePath = findChromium();
  if (executablePath === '') throw new Error('no Chromium: set CHROMIUM_PATH or install chromium');
  execFileSync(process.execPath, ['api/cli/build.mjs', 'web'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const folder = join(ROOT, 'dist/web');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
  if (options.has('minutes')) return watchMinutes(browser, ROOT, options).finally(() => browser.close());
  const feed = await startWebFeed(folder);
  try {
    const loaded = await loads(browser, feed, options);
    const moving = await watch(browser, feed, { rate, seconds, options });
    const touched = await touch(browser, feed, rate);
    const kept = await remember(browser, feed, { rate, seconds: options.number('memory', 20), options });
    const ordered = await order(browser, feed, options);
    return { ...moving, ...loaded, ...sizesOf(folder), ...touched, ...ordered, ...kept };
  } finally {
    await browser.close();
    await feed.close();
  }
}

/** Visits of browsers without a cache: the median of the largest contentful paint, the worst layout shift. */
async function loads(browser: Browser, feed: WebFeed, options: BenchOptions): Promise<Pick<BenchResult, 'lcp_ms' | 'cls'>> {
  const paints: number[] = [];
  const shifts: number[] = [];
  for (let load = 0; load < LOADS; load++) {
    const page = await open(browser, feed);
    await page.waitForTimeout(LCP_QUIET_MILLIS);
    paints.push(await page.evaluate<number>(LARGEST_PAINT));
    shifts.push(await page.evaluate<number>(LAYOUT_SHIFT));
    await page.context().close();
  }
  options.say(`largest contentful paint: ${paints.map((paint) => Math.round(paint)).join(', ')} ms`);
  return { lcp_ms: median(paints), cls: Math.max(...shifts) };
}

async function open(browser: Browser, feed: WebFeed, before = ''): Promise<Page> {
  const page = await (await browser.newContext({ viewport: VIEWPORT })).newPage();
  if (before !== '') await page.addInitScript(before);
  await page.goto(feed.url + feed.path);
  await page.getByRole('button', { name: /^ask / }).first().waitFor();
  return page;
}

interface Watch {
  rate: number;
  seconds: number;
  options: BenchOptions;
}

async function watch(browser: Browser, feed: WebFeed, { rate, seconds, options }: Watch): Promise<Pick<BenchResult, 'fps' | 'worst_frame_ms' | 'main_thread_busy'>> {
  const page = await open(browser, feed);
  const session = await page.context().newCDPSession(page);
  // The thread's own time: what other programs of the machine take while it waits is not its work.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  feed.rate = rate;
  await page.waitForTimeout(SETTLE_MILLIS);
  const before = await metricsOf(session);
  const started = performance.now();
  const sentBefore = feed.sent;
  const frames = await page.evaluate<number[]>(framesFor(seconds * 1000));
  const after = await metricsOf(session);
  const elapsed = (performance.now() - started) / 1000;
  feed.rate = 0;
  const share = (name: string): string => `${Math.round(((after[name] - before[name]) * 100) / elapsed)} %`;
  const gaps = frames.slice(1).map((time, index) => time - frames[index]);
  options.say(`${Math.round((feed.sent - sentBefore) / elapsed)} updates a second, ${gaps.filter((gap) => gap > 33.4).length} of ${gaps.length} frames over 33 ms`);
  options.say(`script ${share('ScriptDuration')}, style ${share('RecalcStyleDuration')}, layout ${share('LayoutDuration')} of the main thread`);
  return {
    fps: ((frames.length - 1) * 1000) / (frames[frames.length - 1] - frames[0]),
    worst_frame_ms: Math.max(...gaps),
    main_thread_busy: (after.TaskDuration - before.TaskDuration) / elapsed,
  };
}

/** While the book changes: how long messages and hands wait for their frame. */
async function touch(browser: Browser, feed: WebFeed, rate: number): Promise<Pick<BenchResult, 'message_to_pixel_p95_ms' | 'inp_ms'>> {
  const page = await open(browser, feed, WATCH_MESSAGES);
  feed.rate = rate;
  await page.waitForTimeout(SETTLE_MILLIS);
  const pixel = await messageToPixel(page, PIXEL_MILLIS);
  const inp = await interactionToPaint(page);
  feed.rate = 0;
  await page.context().close();
  return { message_to_pixel_p95_ms: pixel, inp_ms: inp };
}

/** Orders of one buyer through the page to an exchange that commits them, while the book changes as often as a server sends it. */
async function order(browser: Browser, feed: WebFeed, options: BenchOptions): Promise<Pick<BenchResult, 'click_to_order_p95_ms'>> {
  const server = fork(process.argv[1], ['api-server'], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  try {
    const { port, instrument, buyers } = await new Promise<ApiReady>((resolve, reject) => {
      server.once('message', (ready) => resolve(ready as ApiReady));
      server.once('exit', (code) => reject(new Error(`the exchange ended with ${code}`)));
    });
    feed.exchange = { port, instrument, key: buyers[0] };
    const usual = feed.tickMillis;
    const page = await open(browser, feed);
    feed.rate = ORDER_RATE;
    feed.tickMillis = 1000 / SERVER_MESSAGES_PER_SECOND;
    await clickToOrder(page, 5);
    const p95 = await clickToOrder(page, options.number('orders', 60));
    feed.rate = 0;
    feed.tickMillis = usual;
    await page.context().close();
    return { click_to_order_p95_ms: p95 };
  } finally {
    feed.exchange = undefined;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.send('close');
    await ended;
  }
}

/** What the page's heap grows by, after collections, over a feed at twice the usual messages. */
async function remember(browser: Browser, feed: WebFeed, { rate, seconds, options }: Watch): Promise<Pick<BenchResult, 'heap_growth_mb' | 'heap_feed_minutes'>> {
  const page = await open(browser, feed);
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const heap = async (): Promise<number> => {
    await session.send('HeapProfiler.collectGarbage');
    return (await metricsOf(session)).JSHeapUsedSize / MEGABYTE;
  };
  feed.rate = rate;
  feed.messagesPerTick = 2;
  await page.waitForTimeout(SETTLE_MILLIS);
  const before = await heap();
  const sentBefore = feed.messages;
  await page.waitForTimeout(seconds * 1000);
  const messages = feed.messages - sentBefore;
  const after = await heap();
  feed.rate = 0;
  feed.messagesPerTick = 1;
  await page.context().close();
  options.say(`heap ${before.toFixed(2)} MB, after ${messages} messages ${after.toFixed(2)} MB`);
  return { heap_growth_mb: after - before, heap_feed_minutes: messages / SERVER_MESSAGES_PER_SECOND / 60 };
}

type Metrics = Record<string, number>;
async function metricsOf(session: CDPSession): Promise<Metrics> {
  const { metrics } = await session.send('Performance.getMetrics');
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

/** Brotli, in kB of 1000 bytes: the page with all it loads before it runs, and the same with the trade screen. */
function sizesOf(folder: string): Pick<BenchResult, 'shell_kb_br' | 'trade_kb_br'> {
  const file = join(folder, '.vite/sizes.json');
  if (!existsSync(file)) throw new Error(`${file} is missing: build the web app`);
  const { shell, trade } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  return { shell_kb_br: shell, trade_kb_br: trade };
}
