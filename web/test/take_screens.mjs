/**
 * `[CHROMIUM_PATH=...] node web/test/take_screens.mjs [--out docs/screens] [--only trade,credit] [--png] [--data FOLDER [--market ID]]`:
 * pictures of every screen, light and dark, and of some on a phone. They are of the real server in demo mode, after some weeks
 * that demo_life.mjs makes it live through on a manual clock; with `--data`, of one that runs already and has lived.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { instrumentAt, live } from './demo_life.mjs';

const { values } = parseArgs({
  options: { out: { type: 'string', default: 'docs/screens' }, only: { type: 'string', default: '' }, png: { type: 'boolean', default: false }, data: { type: 'string' }, market: { type: 'string' } },
});

const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const SETTLE_MILLIS = 2_500;
const QUALITY = 68;
const say = (text) => process.stdout.write(`${text}\n`);

/** Screens, and who looks at them; `whole`: the page to its end. */
const screensOf = (market) =>
  [
    { name: 'trade', path: `/trade/${market}`, as: 'borrower', fill: true },
    { name: 'candles', path: `/trade/${market}?chart=candles`, as: 'borrower' },
    { name: 'provider', path: '/provider', as: 'provider', whole: true },
    { name: 'credit', path: '/credit', as: 'borrower', whole: true },
    { name: 'lender', path: '/credit', as: 'lender', whole: true },
    { name: 'developers', path: '/developers', as: 'borrower', whole: true },
    { name: 'operator', path: '/operator', as: 'operator_2', whole: true },
    { name: 'login', path: '/login', as: undefined },
    { name: 'trade_phone', path: `/trade/${market}`, as: 'borrower', whole: true, viewport: PHONE },
    { name: 'provider_phone', path: '/provider', as: 'provider', whole: true, viewport: PHONE },
  ].filter((screen) => values.only === '' || values.only.split(',').includes(screen.name));

/** A server of its own that has lived, or the one whose folder is given. */
async function exchange() {
  if (values.data !== undefined) {
    const demo = JSON.parse(readFileSync(join(values.data, 'demo.json'), 'utf8'));
    const { now } = await (await fetch(`${demo.url}/api/v1/status`)).json();
    return { demo, market: values.market ?? instrumentAt(Date.parse(now) + 3 * 3_600_000), close: () => undefined };
  }
  execFileSync(process.execPath, ['api/cli/build.mjs', 'server', 'sequencer_worker', 'projector_worker', 'demo_provider', 'web'], { stdio: 'inherit' });
  const folder = mkdtempSync(join(tmpdir(), 'screens-'));
  // Postgres may run as another user, and must be able to reach its folder.
  chmodSync(folder, 0o755);
  const server = spawn(process.execPath, ['dist/server.js'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, PORT: '0', DATA_DIR: folder, DEMO: '1', DEMO_LOAD_EVERY: '0', CLOCK: 'manual', DATABASE_URL: '', REDIS_URL: '', LOG_LEVEL: 'error' } });
  const close = async () => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const port = await new Promise((resolve, reject) => {
    let output = '';
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
    server.stdout.on('data', (bytes) => {
      output += bytes.toString();
      const [, found] = /^ready http:\/\/localhost:(\d+)/m.exec(output) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  const demo = { ...JSON.parse(readFileSync(join(folder, 'demo.json'), 'utf8')), url: `http://127.0.0.1:${port}` };
  return { demo, market: await live(demo, say), close };
}

async function picture(page, file, whole) {
  const { width, height } = await page.evaluate(() => ({ width: innerWidth, height: document.documentElement.scrollHeight }));
  const session = await page.context().newCDPSession(page);
  const format = values.png ? { format: 'png' } : { format: 'webp', quality: QUALITY };
  const { data } = await session.send('Page.captureScreenshot', { ...format, captureBeyondViewport: whole, ...(whole ? { clip: { x: 0, y: 0, width, height, scale: 1 } } : {}) });
  writeFileSync(`${file}.${format.format}`, Buffer.from(data, 'base64'));
}

mkdirSync(values.out, { recursive: true });
const { demo, market, close } = await exchange();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
for (const { name, path, as, fill = false, whole = false, viewport = DESKTOP } of screensOf(market)) {
  for (const colorScheme of ['light', 'dark']) {
    const page = await (await browser.newContext({ viewport, colorScheme })).newPage();
    if (as !== undefined) await page.request.post(`${demo.url}/api/v1/auth/login`, { data: { email: demo[as].email, password: demo[as].password } });
    await page.goto(demo.url + path);
    await page.waitForTimeout(SETTLE_MILLIS);
    await page.waitForFunction(() => document.querySelectorAll('main [aria-busy="true"]').length === 0);
    if (fill) {
      await page.getByRole('button', { name: /^ask / }).last().click();
      await page.getByLabel('Quantity', { exact: true }).fill('12');
      // What the exchange says it would cost comes a moment after the hand rests.
      await page.waitForTimeout(SETTLE_MILLIS);
    }
    await picture(page, join(values.out, `${name}_${colorScheme}`), whole);
    say(`${name}_${colorScheme}`);
    await page.context().close();
  }
}
await browser.close();
await close();
