/**
 * `[CHROMIUM_PATH=...] node web/test/take_screens.mjs [--out docs/screens] [--only trade,credit] [--png]`: pictures of every
 * screen, light and dark, and of some on a phone, from the built app on the mock exchange, so that they are full and repeat.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const { values } = parseArgs({ options: { out: { type: 'string', default: 'docs/screens' }, only: { type: 'string', default: '' }, png: { type: 'boolean', default: false } } });

const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const SETTLE_MILLIS = 2_000;
const QUALITY = 68;

/** Screens, and who looks at them; `whole`: the page to its end. */
const SCREENS = [
  { name: 'trade', path: '/trade', as: 'borrower' },
  { name: 'candles', path: '/trade?chart=candles', as: 'borrower' },
  { name: 'provider', path: '/provider', as: 'provider', whole: true },
  { name: 'credit', path: '/credit', as: 'borrower', whole: true },
  { name: 'lender', path: '/credit', as: 'lender', whole: true },
  { name: 'developers', path: '/developers', as: 'borrower', whole: true },
  { name: 'operator', path: '/operator', as: 'operator', whole: true },
  { name: 'login', path: '/login', as: undefined },
  { name: 'trade_phone', path: '/trade', as: 'borrower', whole: true, viewport: PHONE },
  { name: 'provider_phone', path: '/provider', as: 'provider', whole: true, viewport: PHONE },
].filter((screen) => values.only === '' || values.only.split(',').includes(screen.name));

async function mockServer() {
  const file = join('dist', 'mock_server.mjs');
  await build({ entryPoints: ['web/test/mock_server.ts'], bundle: true, packages: 'external', platform: 'node', format: 'esm', outfile: file, logLevel: 'error', define: { 'import.meta.dirname': JSON.stringify(join(process.cwd(), 'web/test')) } });
  const { startMockServer } = await import(pathToFileURL(file).href);
  rmSync(file);
  return startMockServer();
}

async function picture(page, file, whole) {
  const { width, height } = await page.evaluate(() => ({ width: innerWidth, height: document.documentElement.scrollHeight }));
  const session = await page.context().newCDPSession(page);
  const format = values.png ? { format: 'png' } : { format: 'webp', quality: QUALITY };
  const { data } = await session.send('Page.captureScreenshot', { ...format, captureBeyondViewport: whole, ...(whole ? { clip: { x: 0, y: 0, width, height, scale: 1 } } : {}) });
  writeFileSync(`${file}.${format.format}`, Buffer.from(data, 'base64'));
}

mkdirSync(values.out, { recursive: true });
const server = await mockServer();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
for (const { name, path, as, whole = false, viewport = DESKTOP } of SCREENS) {
  for (const colorScheme of ['light', 'dark']) {
    server.role = as;
    const context = await browser.newContext({ viewport, colorScheme });
    const page = await context.newPage();
    await page.goto(server.url + path);
    await page.waitForTimeout(SETTLE_MILLIS);
    if (name === 'trade') {
      await page.getByRole('button', { name: /^ask / }).last().click();
      await page.getByLabel('Quantity', { exact: true }).fill('40');
      await page.waitForTimeout(600);
    }
    await picture(page, join(values.out, `${name}_${colorScheme}`), whole);
    process.stdout.write(`${name}_${colorScheme}\n`);
    await context.close();
  }
}
await browser.close();
await server.close();
