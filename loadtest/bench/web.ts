/**
 * The web app in a real Chromium: how long until the market is seen, then frames and the main thread while one book
 * changes 5,000 times a second. The sizes are those that the build wrote down when it held them to their budgets.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { findChromium } from '../../api/cli/tools.mjs';
import { median } from './benchmark.ts';
import type { BenchOptions, BenchResult } from './benchmark.ts';
import { startWebFeed } from './web_feed.ts';
import type { WebFeed } from './web_feed.ts';

const VIEWPORT = { width: 1440, height: 900 };
const LOADS = 5;
const SETTLE_MILLIS = 3_000;
const LCP_QUIET_MILLIS = 700;
/** This runs from dist/. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Runs in the page. */
const LARGEST_PAINT = `new Promise((resolve) => {
  new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime)).observe({ type: 'largest-contentful-paint', buffered: true });
})`;
/** Runs in the page: the times of its frames for so many milliseconds. */
const framesFor = (millis: number): string => `new Promise((resolve) => {
  const times = [];
  const started = performance.now();
  const frame = (now) => {
    times.push(now);
    if (performance.now() - started < ${millis}) requestAnimationFrame(frame);
    else resolve(times);
  };
  requestAnimationFrame(frame);
})`;

export async function run(options: BenchOptions): Promise<BenchResult> {
  const rate = options.number('rate', 5_000);
  const seconds = options.number('seconds', 10);
  const executablePath = findChromium();
  if (executablePath === '') throw new Error('no Chromium: set CHROMIUM_PATH or install chromium');
  execFileSync(process.execPath, ['api/cli/build.mjs', 'web'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const folder = join(ROOT, 'dist/web');
  const feed = await startWebFeed(folder);
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
  try {
    const lcp = await loads(browser, feed, options);
    const moving = await watch(browser, feed, { rate, seconds, options });
    return { ...moving, lcp_ms: lcp, ...sizesOf(folder) };
  } finally {
    await browser.close();
    await feed.close();
  }
}

/** Median of the largest contentful paint over visits of browsers without a cache. */
async function loads(browser: Browser, feed: WebFeed, options: BenchOptions): Promise<number> {
  const paints: number[] = [];
  for (let load = 0; load < LOADS; load++) {
    const page = await open(browser, feed);
    await page.waitForTimeout(LCP_QUIET_MILLIS);
    paints.push(await page.evaluate<number>(LARGEST_PAINT));
    await page.context().close();
  }
  options.say(`largest contentful paint: ${paints.map((paint) => Math.round(paint)).join(', ')} ms`);
  return median(paints);
}

async function open(browser: Browser, feed: WebFeed): Promise<Page> {
  const page = await (await browser.newContext({ viewport: VIEWPORT })).newPage();
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
