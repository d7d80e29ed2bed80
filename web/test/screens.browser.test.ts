/** The screens in a real browser against a market made of arithmetic: what they show, and how they take trouble. */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { balances } from './mock_account.ts';
import type { MockServer } from './mock_server.ts';
import { PHONE, Visits, type Visit } from './visits.ts';

const executablePath = process.env['CHROMIUM_PATH'];

describe.skipIf(!executablePath)('the screens', () => {
  let visits: Visits;
  let server: MockServer;
  const visit = (visit: Visit): Promise<Page> => visits.visit(visit);

  beforeAll(async () => {
    visits = await Visits.open(executablePath);
    ({ server } = visits);
  });
  afterAll(() => visits.close());
  afterEach(() => visits.settle());

  const SCREENS: Visit[] = [
    { path: '/trade' },
    { path: '/trade', role: 'borrower' },
    { path: '/trade', role: 'borrower', scenario: 'empty' },
    { path: '/provider', role: 'provider' },
    { path: '/provider', role: 'provider', scenario: 'empty' },
    { path: '/provider' },
    { path: '/credit', role: 'borrower' },
    { path: '/credit', role: 'borrower', scenario: 'broken' },
    { path: '/credit', role: 'lender' },
    { path: '/developers', role: 'borrower' },
    { path: '/operator', role: 'operator' },
    { path: '/login' },
    { path: '/register' },
    { path: '/nowhere' },
  ];

  test.each(SCREENS)('$path for $role, $scenario: no error, nothing inline, no sideways scrolling on a phone', async (screen) => {
    const page = await visit({ ...screen, options: { viewport: PHONE } });
    await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' });
    await page.waitForTimeout(300);
    const { content, window } = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, window: innerWidth }));
    expect(content).toBeLessThanOrEqual(window);
  });

  test('the layout does not shift while data arrive', async () => {
    const page = await visit({ path: '/trade', role: 'borrower' });
    const shift = await page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          let sum = 0;
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) sum += (entry as PerformanceEntry & { value: number }).value;
          }).observe({ type: 'layout-shift', buffered: true });
          setTimeout(() => resolve(sum), 1_500);
        }),
    );
    expect(shift).toBeLessThan(0.02);
  });

  describe('trading', () => {
    const buy = (page: Page) => page.getByRole('button', { name: /^Buy .*GPU-h$/ });

    test('fills the ticket from the ladder, previews, sends and cancels', async () => {
      const page = await visit({ path: '/trade', role: 'borrower' });
      await page.getByRole('button', { name: /^ask / }).last().click();
      // The ladder is a picture: each side of the spread is drawn.
      const inked = await page.locator('.book canvas').evaluate((canvas: HTMLCanvasElement) => {
        const half = Math.floor(canvas.height / 2);
        const drawn = (top: number): number => canvas.getContext('2d')?.getImageData(0, top, canvas.width, half).data.filter((value, index) => index % 4 === 3 && value > 0).length ?? 0;
        return [drawn(0), drawn(half)];
      });
      expect(Math.min(...inked)).toBeGreaterThan(2_000);
      // What is heard is what is picked.
      const heard = /^ask ([\d.]+),/.exec((await page.getByRole('button', { name: /^ask / }).last().getAttribute('aria-label')) ?? '')?.[1];
      expect(heard).toMatch(/^\d\.\d{4}$/);
      await expect.poll(() => page.getByLabel('Price', { exact: true }).inputValue()).toBe(heard);
      await page.getByLabel('Quantity', { exact: true }).fill('2.5');
      await buy(page).waitFor();
      expect(await page.getByText('Average price').locator('xpath=../dd').innerText()).toMatch(/^\d\.\d{4} CR$/);
      await buy(page).click();
      await page.getByText('Resting at').waitFor();
      const sent = server.requests.find(({ method, path }) => method === 'POST' && path === '/orders');
      expect(JSON.parse(sent?.body ?? '{}')).toMatchObject({ side: 'buy', type: 'limit', quantity: '2.5', time_in_force: 'gtc', post_only: false });
      expect(sent?.headers['x-csrf-token']).toBe('mock-csrf');
      expect(sent?.headers['idempotency-key']).toBeTruthy();
      await page.getByRole('row', { name: / 2\.50 / }).getByRole('button', { name: 'Cancel' }).click();
      await page.getByText('Cancelled', { exact: true }).first().waitFor();
    });

    test('says why an order cannot be sent, and what the exchange refused', async () => {
      const page = await visit({ path: '/trade', role: 'borrower' });
      await page.getByRole('button', { name: 'Enter a quantity' }).waitFor();
      await page.getByLabel('Quantity', { exact: true }).fill('99999999');
      await page.getByLabel('Price', { exact: true }).fill('2');
      expect(await page.getByRole('button', { name: 'Not enough available credit' }).isDisabled()).toBe(true);
      await page.getByLabel('Quantity', { exact: true }).fill('1');
      server.refuse = 'facility_frozen';
      await buy(page).click();
      await page.getByRole('alert').getByText('facility_frozen').waitFor();
      expect(await page.getByLabel('Quantity', { exact: true }).inputValue()).toBe('1');
    });

    test('by keyboard: arrows step the price, Enter sends, Shift+Esc cancels all', async () => {
      const page = await visit({ path: '/trade', role: 'borrower' });
      await page.getByLabel('Price', { exact: true }).fill('1.5');
      await page.keyboard.press('ArrowUp');
      expect(await page.getByLabel('Price', { exact: true }).inputValue()).toBe('1.5001');
      await page.getByLabel('Quantity', { exact: true }).fill('3');
      await buy(page).waitFor();
      await page.keyboard.press('Enter');
      await page.getByText('Resting at').waitFor();
      await page.keyboard.press('Shift+Escape');
      await expect.poll(() => server.requests.some(({ method, path }) => method === 'DELETE' && path === '/orders')).toBe(true);
    });

    test('the address names the hour, and choosing another changes it', async () => {
      server.asked.length = 0;
      const page = await visit({ path: '/', role: 'borrower' });
      await page.waitForURL(/\/trade\/H100-SXM-80\.us-east\.\d{8}T\d{2}Z$/);
      await page.getByRole('button', { name: /^ask / }).first().waitFor();
      expect(server.asked.filter((request) => request === 'subscribe book')).toHaveLength(1);
      await page.getByLabel('Region').selectOption('eu-west');
      await page.waitForURL(/\.eu-west\./);
      await page.getByRole('button', { name: 'Day after' }).click();
      const address = page.url();
      const other = address.endsWith('T14Z') ? '15' : '14';
      await page.getByRole('radio', { name: new RegExp(`${other}:00 UTC`) }).click();
      await page.waitForURL(new RegExp(`T${other}Z$`));
      expect(page.url()).not.toBe(address);
    });
  });

  describe('the feed', () => {
    const dot = (page: Page, text: string) => page.getByRole('banner').getByText(text, { exact: true });

    test('recovers a gap without a word', async () => {
      const page = await visit({ path: '/trade', role: 'borrower' });
      await page.getByRole('button', { name: /^ask / }).first().waitFor();
      await page.getByLabel('Quantity', { exact: true }).fill('3.25');
      server.asked.length = 0;
      server.dropOne();
      await expect.poll(() => server.asked).toEqual(['resume book']);
      // The checksum of the best levels is compared in every frame: a wrong book would be asked for anew.
      await page.waitForTimeout(500);
      expect(server.asked).toEqual(['resume book']);
      expect(await page.getByText('Catching up').count()).toBe(0);
      expect(await page.getByLabel('Quantity', { exact: true }).inputValue()).toBe('3.25');
    });

    test('a freeze while the ticket is open says why nothing can be sent; what was typed stays, and goes when it is lifted', async () => {
      const page = await visit({ path: '/trade', role: 'borrower' });
      await page.getByRole('button', { name: /^ask / }).last().click();
      await page.getByLabel('Quantity', { exact: true }).fill('2.5');
      await page.getByRole('button', { name: /^Buy .*GPU-h$/ }).waitFor();
      server.tellBalances({ ...balances, credits: { ...balances.credits, frozen: balances.credits.available } });
      const refused = page.getByRole('button', { name: 'The lender has frozen this credit' });
      await refused.waitFor();
      expect(await refused.isDisabled()).toBe(true);
      expect(await page.getByLabel('Quantity', { exact: true }).inputValue()).toBe('2.5');
      server.tellBalances(balances);
      await page.getByRole('button', { name: /^Buy .*GPU-h$/ }).click();
      await page.getByText('Resting at').waitFor();
    });

    test('comes back after the connection is lost, and shows the old book meanwhile', async () => {
      const page = await visit({ path: '/trade', role: 'borrower' });
      await page.getByRole('button', { name: /^ask / }).first().waitFor();
      await page.getByLabel('Price', { exact: true }).fill('1.7501');
      server.disconnectAll();
      await dot(page, 'Connecting').waitFor();
      expect(await page.getByRole('button', { name: /^ask / }).count()).toBeGreaterThan(3);
      await dot(page, 'Live').waitFor();
      await page.getByText('Catching up').waitFor({ state: 'detached' });
      expect(await page.getByLabel('Price', { exact: true }).inputValue()).toBe('1.7501');
    });
  });

  test('a demo company enters with one click and lands where it works', async () => {
    const page = await visit({ path: '/login' });
    await page.getByRole('button', { name: /^Provider/ }).click();
    await page.waitForURL(/\/provider$/);
    await page.getByRole('heading', { name: 'Provide' }).waitFor();
  });

  test('a wrong password is said, and what was typed stays', async () => {
    const page = await visit({ path: '/login?next=/developers' });
    await page.getByLabel('Email').fill('nobody@example.com');
    await page.getByLabel('Password').fill('wrong-password');
    await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').getByText('invalid_credentials').waitFor();
    expect(await page.getByLabel('Email').inputValue()).toBe('nobody@example.com');
  });

  test('a key is shown once and the playground streams with it', async () => {
    const page = await visit({ path: '/developers', role: 'borrower' });
    await page.getByRole('button', { name: 'Create key' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('New');
    await dialog.getByRole('button', { name: 'Create key' }).click();
    await dialog.getByText('ccx_test_mQ3x8vN0pL2rT6yU1wE5aB7cD9fG4hJk').waitFor();
    // Nobody can show it again: only its own button closes it.
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await dialog.getByRole('button', { name: 'I have copied it' }).click();
    expect(await page.content()).not.toContain('ccx_test_mQ3x8vN0pL2rT6yU1wE5aB7cD9fG4hJk');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('it is gone.').waitFor();
    await page.getByRole('region', { name: 'Playground' }).getByText('0.000259').waitFor();
  });

  test('the theme follows the system until one is chosen, and is remembered', async () => {
    const page = await visit({ path: '/login', options: { colorScheme: 'dark' } });
    const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.getByText('Appearance').or(page.locator('summary[aria-label="Appearance"]')).first().click();
    await page.getByRole('radio', { name: 'Light' }).check({ force: true });
    const light = await background();
    expect(light).not.toBe(dark);
    await page.reload();
    expect(await background()).toBe(light);
  });
});
