/** The trade screen on the mock exchange: every kind of order, blocks, changes, keys, and how it takes trouble. */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { MockServer } from './mock_server.ts';
import { PHONE, Visits, type Visit } from './visits.ts';

const executablePath = process.env['CHROMIUM_PATH'];

describe.skipIf(!executablePath)('the trade screen', () => {
  let visits: Visits;
  let server: MockServer;
  beforeAll(async () => {
    visits = await Visits.open(executablePath);
    ({ server } = visits);
  });
  afterAll(() => visits.close());
  afterEach(() => visits.settle());

  async function trade(visit: Partial<Visit> = {}): Promise<Page> {
    const page = await visits.visit({ path: '/trade', role: 'borrower', ...visit });
    await page.getByRole('button', { name: /^ask / }).first().waitFor();
    return page;
  }
  const buy = (page: Page) => page.getByRole('button', { name: /^Buy .*GPU-h$/ });
  const type = (page: Page, name: string) => page.getByRole('radio', { name, exact: true }).check({ force: true });
  const sent = (path: string, method = 'POST'): Record<string, unknown> | undefined => {
    // Not what begins so: a preview is asked for whenever a hand rests.
    const request = server.requests.find((candidate) => candidate.path === path && candidate.method === method);
    return request === undefined ? undefined : (JSON.parse(request.body === '' ? '{}' : request.body) as Record<string, unknown>);
  };

  test('sends a stop limit, then an iceberg with a minimum', async () => {
    const page = await trade();
    await type(page, 'Stop limit');
    await page.getByLabel('Stop price').fill('2.5');
    await page.getByLabel('Price', { exact: true }).fill('2.6');
    await page.getByLabel('Quantity', { exact: true }).fill('4');
    await buy(page).click();
    await expect.poll(() => sent('/orders')).toMatchObject({ type: 'stop_limit', stop_price: '2.5000', price: '2.6000', quantity: '4' });
    await page.getByText('Resting at').waitFor();
    server.requests.length = 0;
    await type(page, 'Limit');
    await page.getByLabel('Iceberg, minimum').check();
    await page.getByLabel('Quantity', { exact: true }).fill('10');
    await page.getByLabel('Shown in the book').fill('11');
    await page.getByRole('button', { name: 'At most the quantity' }).waitFor();
    await page.getByLabel('Shown in the book').fill('2');
    await page.getByLabel('First fill at least').fill('5');
    await page.getByLabel('Cancel on disconnect').check();
    await buy(page).click();
    await expect.poll(() => sent('/orders')).toMatchObject({ display_quantity: '2', minimum_quantity: '5', cancel_on_disconnect: true, type: 'limit' });
  });

  test('the keyboard selects a block in the heat map; it is sent as one order', async () => {
    const page = await trade();
    await page.getByText('Click an hour to trade it').waitFor();
    const map = page.getByRole('button', { name: 'Move in the heat map by arrow keys' });
    await map.focus();
    await page.keyboard.press('ArrowRight');
    for (let hour = 0; hour < 3; hour++) await page.keyboard.press('Shift+ArrowRight');
    await page.keyboard.press('Enter');
    await page.getByText('4 hours').first().waitFor();
    expect(new URL(page.url()).searchParams.get('hours')).toBe('4');
    await page.getByLabel('Average price').fill('3.4');
    await page.getByLabel('Quantity', { exact: true }).fill('2');
    await page.getByRole('button', { name: 'Buy 8 GPU-h' }).click();
    await expect.poll(() => sent('/blocks')).toMatchObject({ class: 'H100-SXM-80', region: 'us-east', side: 'buy', price: '3.4000', quantity: '2', minimum_acceptance_ratio: '1' });
    const block = sent('/blocks') as { start_at: string; end_at: string };
    expect(Date.parse(block.end_at) - Date.parse(block.start_at)).toBe(4 * 3_600_000);
    await page.reload();
    await page.getByText('4 hours').first().waitFor();
  });

  test('changes an order in its row, resells an allocation, saves a table', async () => {
    const page = await trade();
    await page.getByRole('row', { name: /2\.1500/ }).getByRole('button', { name: 'Change' }).click();
    await page.getByLabel('New price').fill('2.16');
    await page.getByRole('form', { name: /^Change order/ }).getByRole('button', { name: 'Change' }).click();
    await expect.poll(() => sent('/orders/ord_101', 'PATCH')).toEqual({ price: '2.16' });
    // Who changed it stands where the change began.
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Change');
    const saving = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save “Open orders” as CSV' }).click();
    expect((await saving).suggestedFilename()).toBe('open_orders.csv');
    await page.getByRole('tab', { name: /Allocations/ }).click();
    await page.getByRole('button', { name: 'Resell' }).first().click();
    await page.getByText('Resells allocation').waitFor();
    await page.getByRole('button', { name: 'Resell 8 GPU-h' }).click();
    await expect.poll(() => sent('/orders')).toMatchObject({ side: 'sell', resale_of: 'alc_0', quantity: '8' });
  });

  test('keys: ? tells them, / finds a market, b and s choose a side; none acts while one types', async () => {
    const page = await trade();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('s');
    expect(await page.getByRole('radio', { name: 'Sell', exact: true }).isChecked()).toBe(true);
    await page.keyboard.press('p');
    await page.keyboard.type('b1.5');
    expect(await page.getByRole('radio', { name: 'Sell', exact: true }).isChecked()).toBe(true);
    await page.getByRole('heading', { name: 'Order book' }).click();
    await page.keyboard.press('/');
    await page.getByRole('combobox', { name: 'Class or region' }).fill('a100 west');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/trade\/A100-SXM-80\.(us|eu)-west\./);
  });

  test('by keys alone nobody stands nowhere: a row that is cancelled leaves the focus in its table, a button that cannot be pressed says where to go', async () => {
    const page = await trade();
    const cancels = page.getByRole('tabpanel').getByRole('button', { name: 'Cancel', exact: true });
    const before = await cancels.count();
    await page.getByRole('tab', { name: /Open orders/ }).focus();
    while (!(await cancels.first().evaluate((button) => button === document.activeElement))) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await expect.poll(() => cancels.count()).toBe(before - 1);
    await expect.poll(() => page.evaluate(() => document.activeElement?.closest('[role="tabpanel"]') !== null && document.activeElement?.tagName)).toBe('BUTTON');
    await page.getByRole('button', { name: 'Enter a quantity' }).focus();
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => (document.activeElement as HTMLInputElement).labels?.[0]?.innerText)).toBe('Price');
  });

  test('what was typed into the ticket is there again after a reload', async () => {
    const page = await trade();
    await page.getByLabel('Price', { exact: true }).fill('2.15');
    await page.getByLabel('Quantity', { exact: true }).fill('7');
    await page.reload();
    await page.getByRole('button', { name: 'Buy 7 GPU-h' }).waitFor();
    expect(await page.getByLabel('Price', { exact: true }).inputValue()).toBe('2.15');
  });

  test('candles load when they are asked for, with the address to share them', async () => {
    const page = await trade();
    await type(page, 'Candles');
    await page.waitForURL(/chart=candles/);
    await page.getByRole('img', { name: /^Candles of .*, 40 intervals/ }).waitFor();
    await page.locator('main canvas').first().waitFor();
    await type(page, 'Depth');
    await page.getByRole('img', { name: /GPU-hours bid/ }).waitFor();
  });

  test('a session that ends keeps what was typed; logging in again continues', async () => {
    const page = await trade();
    await page.getByLabel('Price', { exact: true }).fill('2');
    await page.getByLabel('Quantity', { exact: true }).fill('7');
    await buy(page).waitFor();
    server.role = undefined;
    await buy(page).click();
    await page.getByRole('status').filter({ hasText: 'Your session has ended' }).waitFor();
    await page.getByRole('button', { name: 'Log in again' }).click();
    const dialog = page.getByRole('dialog', { name: 'Log in again' });
    await dialog.getByLabel('Email').fill('borrower@demo.example');
    await dialog.getByLabel('Password').fill('demo-password-1');
    await dialog.getByRole('button', { name: 'Log in' }).click();
    await buy(page).waitFor();
    expect(await page.getByLabel('Quantity', { exact: true }).inputValue()).toBe('7');
  });

  test('two tabs of one company each follow the market', async () => {
    const page = await trade();
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.getByRole('button', { name: /^ask / }).first().waitFor();
    for (const tab of [page, other]) await tab.getByRole('banner').getByText('Live', { exact: true }).waitFor();
    await other.close();
    await page.getByRole('banner').getByText('Live', { exact: true }).waitFor();
  });

  test('on a slow network the page is there before its data, and an order waits visibly', async () => {
    const page = await visits.visit({ path: '/trade', role: 'borrower', options: { serviceWorkers: 'block' } });
    await page.route('**/api/v1/**', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      await route.continue();
    });
    await page.reload();
    await page.getByRole('heading', { name: 'Order book' }).waitFor();
    await page.getByLabel('Price', { exact: true }).fill('2');
    await page.getByLabel('Quantity', { exact: true }).fill('1');
    await buy(page).click();
    await page.getByRole('button', { name: 'Sending' }).waitFor();
    await page.getByText('Resting at').waitFor();
    expect(server.requests.filter(({ method, path }) => method === 'POST' && path === '/orders')).toHaveLength(1);
  });

  test.each([['at 200 % zoom', { viewport: { width: 720, height: 450 }, deviceScaleFactor: 2 }], ['on a phone', { viewport: PHONE, hasTouch: true }]])('%s one can still buy', async (_name, options) => {
    const page = await trade({ options });
    await page.getByLabel('Price', { exact: true }).fill('2');
    await page.getByLabel('Quantity', { exact: true }).fill('1');
    await buy(page).scrollIntoViewIfNeeded();
    await buy(page).click();
    await page.getByText('Resting at').waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });
});
