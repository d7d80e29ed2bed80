/** What the web benchmark runs within the page, and what it makes of it. */
import type { Page } from 'playwright-core';
import { percentile } from './benchmark.ts';

/** The time of the largest contentful paint. */
export const LARGEST_PAINT = `new Promise((resolve) => {
  new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime)).observe({ type: 'largest-contentful-paint', buffered: true });
})`;

/** Cumulative layout shift so far; what follows an input within half a second does not count. */
export const LAYOUT_SHIFT = `new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => resolve(sum), 100);
})`;

/** The times of the page's frames for so many milliseconds. */
export const framesFor = (millis: number): string => `new Promise((resolve) => {
  const times = [];
  const started = performance.now();
  const frame = (now) => {
    times.push(now);
    if (performance.now() - started < ${millis}) requestAnimationFrame(frame);
    else resolve(times);
  };
  requestAnimationFrame(frame);
})`;

/**
 * Before the page's own scripts: notes when each message of the book was sent, and when the frame that shows it had been
 * painted: the first task after that frame. Off until `pixels` is an array.
 */
export const WATCH_MESSAGES = `(() => {
  const Native = WebSocket;
  const pending = [];
  const painted = new MessageChannel();
  painted.port1.onmessage = () => {
    const now = performance.timeOrigin + performance.now();
    for (const sent of pending.splice(0)) window.pixels?.push(now - sent);
  };
  window.WebSocket = class extends Native {
    constructor(...given) {
      super(...given);
      this.addEventListener('message', ({ data }) => {
        if (window.pixels === undefined || typeof data !== 'string' || !data.includes('"channel":"book"')) return;
        const sent = /"ts":"([^"]+)"/.exec(data);
        if (sent === null) return;
        if (pending.length === 0) requestAnimationFrame(() => painted.port2.postMessage(0));
        pending.push(Date.parse(sent[1]));
      });
    }
  };
})()`;

/** From a message's departure to the paint of its frame: the 95th percentile over so many milliseconds. */
export async function messageToPixel(page: Page, millis: number): Promise<number> {
  await page.evaluate('window.pixels = []');
  await page.waitForTimeout(millis);
  const latencies = await page.evaluate<number[]>('window.pixels.splice(0)');
  await page.evaluate('delete window.pixels');
  return percentile(Float64Array.from(latencies).sort(), 0.95);
}

const WATCH_INTERACTIONS = `(() => {
  window.interactions = new Map();
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.interactionId > 0) window.interactions.set(entry.interactionId, Math.max(window.interactions.get(entry.interactionId) ?? 0, entry.duration));
    }
  }).observe({ type: 'event', durationThreshold: 16, buffered: false });
})()`;

/** Interaction to next paint: the longest of some sixty clicks and keys of a trader, as the browser itself counts them. */
export async function interactionToPaint(page: Page): Promise<number> {
  await page.evaluate(WATCH_INTERACTIONS);
  const price = page.getByLabel('Price', { exact: true });
  for (let round = 0; round < 4; round++) {
    await page.getByRole('button', { name: /^ask / }).last().click({ force: true });
    await page.getByText('Sell', { exact: true }).first().click();
    await page.getByText('Buy', { exact: true }).first().click();
    await price.focus();
    for (const key of ['ArrowUp', 'ArrowDown', 'Backspace', '5']) await page.keyboard.press(key);
    await page.getByLabel('Quantity', { exact: true }).fill(String(round + 1));
    for (const chart of ['Curve', 'Depth', 'Heat map']) await page.getByText(chart, { exact: true }).first().click();
    await page.getByRole('tab', { name: 'Fills' }).click();
    await page.getByRole('tab', { name: /Open orders/ }).click();
  }
  await page.waitForTimeout(200);
  return page.evaluate<number>('Math.max(0, ...window.interactions.values())');
}

/** From the click until the frame in which the order says that it rests; once the exchange has kept it. */
const CLICK_TO_ORDER = `new Promise((resolve, reject) => {
  const messages = document.querySelector('[aria-label="Messages"]');
  const shown = () => (messages.textContent.match(/Resting at/g) ?? []).length;
  const before = shown();
  let clicked = 0;
  const observer = new MutationObserver(() => {
    if (shown() <= before) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - clicked)));
  });
  observer.observe(messages, { childList: true, subtree: true, characterData: true });
  const button = document.querySelector('button.send');
  button.addEventListener('click', (event) => (clicked = event.timeStamp), { capture: true, once: true });
  setTimeout(() => reject(new Error('an order was not shown: ' + messages.textContent)), 5000);
  button.click();
})`;
const DISMISS = `document.querySelectorAll('[aria-label="Dismiss"]').forEach((button) => button.click())`;

/** The 95th percentile of so many orders, one after the other. */
export async function clickToOrder(page: Page, orders: number): Promise<number> {
  const latencies = new Float64Array(orders);
  for (let at = 0; at < orders; at++) {
    await page.evaluate(DISMISS);
    await page.getByLabel('Price', { exact: true }).fill('1.5');
    await page.getByLabel('Quantity', { exact: true }).fill('0.01');
    await page.getByRole('button', { name: /^Buy .*GPU-h$/ }).waitFor();
    latencies[at] = await page.evaluate<number>(CLICK_TO_ORDER);
  }
  return percentile(latencies.sort(), 0.95);
}
