/**
 * `[CHROMIUM_PATH=...] node web/test/take_screens.mjs [--data .data] [--out docs/screens] [--png]`: pictures of every screen of a running demo
 * server, light and dark, and of the trade screen on a phone. It logs in as the demo's companies and changes nothing.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values } = parseArgs({ options: { data: { type: 'string', default: '.data' }, out: { type: 'string', default: 'docs/screens' }, only: { type: 'string', default: '' }, png: { type: 'boolean', default: false } } });
const demo = JSON.parse(readFileSync(join(values.data, 'demo.json'), 'utf8'));

const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const SETTLE_MILLIS = 2_500;
const QUALITY = 72;

/** Screens, and who looks at them; `whole`: the page to its end. */
const SCREENS = [
  { name: 'trade', path: '/trade', as: 'borrower' },
  { name: 'provider', path: '/provider', as: 'provider', whole: true },
  { name: 'credit', path: '/credit', as: 'borrower', whole: true },
  { name: 'lender', path: '/credit', as: 'lender', whole: true },
  { name: 'developers', path: '/developers', as: 'borrower', whole: true },
  { name: 'operator', path: '/operator', as: 'operator', whole: true },
  { name: 'login', path: '/login', as: undefined },
  { name: 'trade-phone', path: '/trade', as: 'borrower', whole: true, viewport: PHONE },
  { name: 'provider-phone', path: '/provider', as: 'provider', whole: true, viewport: PHONE },
].filter((screen) => values.only === '' || values.only.split(',').includes(screen.name));
const KEPT_PHONE_THEMES = ['light'];

/** The session's cookie, by logging in as the page does. */
async function sessionOf(context, company) {
  const { email, password } = demo[company];
  await context.request.post(`${demo.url}/api/v1/auth/login`, { data: { email, password } });
}

async function picture(page, file, whole) {
  const { width, height } = await page.evaluate(() => ({ width: innerWidth, height: document.documentElement.scrollHeight }));
  const session = await page.context().newCDPSession(page);
  const clip = whole ? { x: 0, y: 0, width, height, scale: 1 } : undefined;
  const format = values.png ? { format: 'png' } : { format: 'webp', quality: QUALITY };
  const { data } = await session.send('Page.captureScreenshot', { ...format, captureBeyondViewport: whole, ...(clip ? { clip } : {}) });
  writeFileSync(`${file}.${format.format}`, Buffer.from(data, 'base64'));
}

mkdirSync(values.out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
for (const { name, path, as, whole = false, viewport = DESKTOP } of SCREENS) {
  for (const colorScheme of viewport === PHONE ? KEPT_PHONE_THEMES : ['light', 'dark']) {
    const context = await browser.newContext({ viewport, colorScheme });
    if (as !== undefined) await sessionOf(context, as);
    const page = await context.newPage();
    await page.goto(demo.url + path);
    await page.waitForTimeout(SETTLE_MILLIS);
    await picture(page, join(values.out, `${name}-${colorScheme}`), whole);
    process.stdout.write(`${name}-${colorScheme}\n`);
    await context.close();
  }
}
await browser.close();
