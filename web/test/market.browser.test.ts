/** The main job in a browser on the real server: see the market move, bid, match, use what was bought, be frozen, be halted. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startExchangeServer, type ExchangeServer } from './exchange_server.ts';

const executablePath = process.env['CHROMIUM_PATH'];
const isBuilt = existsSync(join(import.meta.dirname, '../../dist/server.js'));
const LONG = { timeout: 60_000 };
/** A class that the demo quotes on both sides, a few hours ahead. */
const MARKET = 'A100-SXM-80.us-west';

const two = (value: number): string => String(value).padStart(2, '0');
function instrumentAhead(hours: number): string {
  const at = new Date(Date.now() + hours * 3_600_000);
  return `${MARKET}.${at.getUTCFullYear()}${two(at.getUTCMonth() + 1)}${two(at.getUTCDate())}T${two(at.getUTCHours())}Z`;
}

describe.skipIf(!executablePath || !isBuilt)('the exchange in a browser', () => {
  let server: ExchangeServer;
  let browser: Browser;
  const troubles: string[] = [];

  beforeAll(async () => {
    server = await startExchangeServer();
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    expect(troubles.splice(0)).toEqual([]);
  });

  async function visit(path: string): Promise<Page> {
    const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
    page.on('pageerror', (error) => troubles.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) troubles.push(message.text());
    });
    await page.goto(server.url + path);
    return page;
  }

  async function enter(company: string, path: string): Promise<Page> {
    const page = await visit(`/login?next=${encodeURIComponent(path)}`);
    await page.getByRole('button', { name: new RegExp(`^${company} `) }).first().click();
    await page.waitForURL((url) => url.pathname === path);
    return page;
  }

  const asks = (page: Page) => page.getByRole('button', { name: /^ask / });
  const balance = async (page: Page, name: string): Promise<number> => {
    const text = await page.getByRole('region', { name: 'Balances' }).getByText(name, { exact: true }).locator('xpath=../dd').innerText();
    return Number(text.replace(/[^0-9.]/g, ''));
  };
  const ticket = async (page: Page, price: string, quantity: string): Promise<void> => {
    await page.getByLabel('Price', { exact: true }).fill(price);
    await page.getByLabel('Quantity', { exact: true }).fill(quantity);
  };
  const bestAsk = async (page: Page): Promise<string> => /^ask ([\d.]+),/.exec((await asks(page).last().getAttribute('aria-label')) ?? '')?.[1] ?? '';

  test('anybody sees a live market', async () => {
    const page = await visit('/');
    await page.waitForURL(/\/trade\//);
    await page.goto(`${server.url}/trade/${instrumentAhead(2)}`);
    await asks(page).first().waitFor(LONG);
    await page.getByRole('banner').getByText('Live', { exact: true }).waitFor();
    const ladder = (): Promise<string> => page.getByRole('region', { name: 'Order book' }).innerText();
    const before = await ladder();
    await expect.poll(ladder, { timeout: 60_000, interval: 250 }).not.toBe(before);
    await page.getByRole('link', { name: 'Log in to trade' }).waitFor();
  });

  test('a borrower bids and cancels, then buys what becomes an allocation', async () => {
    const page = await enter('Borrower', `/trade/${instrumentAhead(3)}`);
    await asks(page).first().waitFor(LONG);
    const available = await balance(page, 'Available');
    await ticket(page, '0.01', '10');
    await page.getByRole('button', { name: 'Buy 10 GPU-h' }).click();
    await page.getByText(/^Resting at/).waitFor();
    await expect.poll(() => balance(page, 'Held')).toBeCloseTo(0.1, 1);
    await page.getByRole('row', { name: /0\.0100/ }).getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(() => balance(page, 'Available')).toBe(available);
    await expect.poll(() => balance(page, 'Held')).toBe(0);

    await ticket(page, await bestAsk(page), '2');
    await page.getByText('All-in per GPU-h').locator('xpath=../dd').getByText(/\d\.\d{4}/).waitFor();
    await page.getByRole('button', { name: 'Buy 2 GPU-h' }).click();
    await page.getByText(/^Filled at/).waitFor();
    await expect.poll(() => balance(page, 'Contracted')).toBeGreaterThan(0);
    await page.getByRole('tab', { name: /Allocations/ }).click();
    await page.getByRole('row', { name: /A100-SXM-80 · us-west/ }).first().waitFor();
    await page.getByRole('tab', { name: 'Fills' }).click();
    await page.getByRole('row', { name: /Taker/ }).first().waitFor();
  });

  test('a lender freezes while the ticket is open, and lifts it', async () => {
    const borrower = await enter('Borrower', `/trade/${instrumentAhead(3)}`);
    await asks(borrower).first().waitFor(LONG);
    await ticket(borrower, '0.01', '1');
    await borrower.getByRole('button', { name: 'Buy 1 GPU-h' }).waitFor();
    const lender = await enter('Lender', '/credit');
    await lender.getByRole('button', { name: 'Freeze' }).first().click();
    await lender.getByLabel('Reason').fill('Covenant breached');
    await lender.getByLabel('Type Demo Borrower to confirm').fill('demo borrower');
    await lender.getByRole('button', { name: 'Freeze 100 %' }).click();
    await borrower.getByRole('button', { name: 'The lender has frozen this credit' }).waitFor();
    await lender.getByRole('button', { name: 'Lift freeze' }).click();
    await lender.getByRole('dialog').getByRole('button', { name: 'Lift freeze' }).click();
    await borrower.getByRole('button', { name: 'Buy 1 GPU-h' }).waitFor();
  });

  test('a provider declares capacity, and an offer beyond what is verified is refused', async () => {
    const page = await enter('Provider', '/provider');
    await page.getByRole('button', { name: 'Declare capacity' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('GPU class').selectOption('A100-SXM-80');
    await dialog.getByLabel('GPUs').fill('8');
    await dialog.getByRole('button', { name: 'Declare' }).click();
    await page.getByRole('region', { name: 'Capacity' }).getByRole('row', { name: /A100-SXM-80.*8.*Pending/ }).waitFor();
    await page.getByLabel('Price').fill('0.5');
    await page.getByLabel('GPUs through each hour').fill('4');
    await page.getByRole('button', { name: 'Offer', exact: true }).click();
    await page.getByRole('alert').getByText('insufficient_capacity').waitFor();
  });

  /** Spot trading pauses for the last minute of an hour. */
  async function spotOpen(): Promise<void> {
    const left = 3_600_000 - (Date.now() % 3_600_000);
    if (left < 90_000) await new Promise((resolve) => setTimeout(resolve, left + 5_000));
  }

  test('a developer makes a key and gets a completion that says what it cost', async () => {
    await spotOpen();
    const page = await enter('Borrower', '/developers');
    await page.getByRole('button', { name: 'Create key' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('Browser');
    await dialog.getByRole('button', { name: 'Create key' }).click();
    await dialog.getByText(/^ccx_(live|test)_/).waitFor();
    await dialog.getByRole('button', { name: 'I have copied it' }).click();
    await page.getByRole('button', { name: 'Send' }).click(LONG);
    await page.getByText('Credits used').waitFor(LONG);
    expect(await page.getByText('Credits used').locator('xpath=../dd[1]').innerText()).toMatch(/^\d+\.\d+ CR$/);
  }, 240_000);

  test('an operator halts a class: every open page says so at once; it takes two to resume', async () => {
    const trader = await enter('Borrower', `/trade/${instrumentAhead(3)}`);
    await asks(trader).first().waitFor(LONG);
    const operator = await enter('Operator', '/operator');
    await operator.getByText('All hold').waitFor();
    const act = async (page: Page, name: string): Promise<void> => {
      await page.getByLabel('GPU class').selectOption('A100-SXM-80');
      await page.getByRole('button', { name, exact: true }).first().click();
      await page.getByLabel('Reason').fill('Test of the switch');
      await page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
    };
    await act(operator, 'Halt');
    await trader.getByRole('button', { name: 'This market is halted' }).waitFor();
    await act(operator, 'Resume');
    await operator.getByText('Waits for the confirmation of another operator').waitFor();
    const second = await enter('Operator 2', '/operator');
    await act(second, 'Resume');
    await trader.getByRole('button', { name: 'This market is halted' }).waitFor({ state: 'detached' });
  });
});
