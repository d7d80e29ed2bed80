/** The main jobs of provider, borrower, lender, developer and operator on the mock exchange. */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PHONE, Visits } from './visits.ts';

const executablePath = process.env['CHROMIUM_PATH'];

describe.skipIf(!executablePath)('the screens of work', () => {
  let visits: Visits;
  beforeAll(async () => {
    visits = await Visits.open(executablePath);
  });
  afterAll(() => visits.close());
  afterEach(() => visits.settle());

  const sent = (path: string): unknown => {
    const request = visits.server.requests.find((candidate) => candidate.path === path && candidate.method === 'POST');
    return request === undefined ? undefined : JSON.parse(request.body);
  };
  const region = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

  test('a provider clicks an hour in the calendar and sees what the offer would bring; many offers go at once', async () => {
    const page = await visits.visit({ path: '/provider', role: 'provider' });
    // One stop for the keyboard; arrows go on from there.
    const stop = region(page, 'Capacity calendar').locator('button[tabindex="0"]');
    await stop.focus();
    await page.keyboard.press('ArrowDown');
    expect(await stop.evaluateAll((stops) => stops.map((button) => button === document.activeElement))).toEqual([true]);
    await region(page, 'Capacity calendar').getByRole('button', { name: /: free/ }).last().click();
    await page.getByLabel('Price').fill('2.1');
    await page.getByLabel('GPUs through each hour').fill('4');
    await page.getByText('You receive per GPU-h').locator('xpath=../dd').getByText('1.3912').waitFor();
    await page.getByRole('button', { name: 'Many offers' }).click();
    const dialog = page.getByRole('dialog', { name: 'Many offers at once' });
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 13);
    await dialog.getByRole('textbox').fill(`${tomorrow} 3 8 1.95`);
    await dialog.getByRole('button', { name: 'Offer 3 hours' }).click();
    await expect.poll(() => (sent('/orders/batch') as { operations: unknown[] } | undefined)?.operations).toHaveLength(3);
  });

  test('a borrower reads what a repayment pays before it is sent', async () => {
    const page = await visits.visit({ path: '/credit', role: 'borrower' });
    await page.getByRole('button', { name: 'Repay' }).click();
    const dialog = page.getByRole('dialog', { name: 'Repay' });
    await dialog.getByLabel('Amount').fill('10000');
    expect(await dialog.getByText('Interest', { exact: true }).locator('xpath=../dd').innerText()).toMatch(/^1,112\.33/);
    expect(await dialog.getByText('Principal after').locator('xpath=../dd').innerText()).toMatch(/^397,112\.33/);
    await dialog.getByRole('button', { name: 'Repay' }).click();
    await expect.poll(() => sent('/facilities/fac_7/repayments')).toEqual({ amount: '10000' });
  });

  test('a lender types the name before it freezes a company whole', async () => {
    const page = await visits.visit({ path: '/credit', role: 'lender' });
    await page.getByRole('button', { name: 'Freeze', exact: true }).click();
    await page.getByLabel('Reason').fill('Covenant breached');
    const dialog = page.getByRole('dialog', { name: 'Freeze facility' });
    expect(await dialog.getByRole('button', { name: 'Type the name' }).isDisabled()).toBe(true);
    await dialog.getByLabel('Type Meridian Labs to confirm').fill('meridian labs');
    await dialog.getByRole('button', { name: 'Freeze 100 %' }).click();
    await expect.poll(() => sent('/facilities/fac_7/freeze')).toEqual({ fraction: '1', reason: 'Covenant breached' });
  });

  test('a developer sees usage by model and sets a budget', async () => {
    const page = await visits.visit({ path: '/developers', role: 'borrower' });
    await page.getByRole('radio', { name: 'Model', exact: true }).check({ force: true });
    await page.getByRole('row', { name: /model 0/ }).waitFor();
    await page.getByRole('button', { name: 'Create key' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('Batch');
    await dialog.getByLabel('Budget each month').fill('250');
    await dialog.getByRole('button', { name: 'Create key' }).click();
    await expect.poll(() => sent('/keys')).toMatchObject({ name: 'Batch', monthly_limit: '250' });
  });

  test('a developer sees which endpoints were tried for a request, and rotates a key', async () => {
    const page = await visits.visit({ path: '/developers', role: 'borrower' });
    await region(page, 'Requests, last day').getByRole('row', { name: /provider_unavailable/ }).getByRole('button', { name: 'Attempts' }).click();
    await page.getByRole('list', { name: 'Attempts, in their order' }).getByText('Failed: connection').waitFor();
    await region(page, 'Keys').getByRole('button', { name: 'Rotate' }).first().click();
    await page.getByLabel('The old one works for').selectOption('86400');
    await page.getByRole('dialog', { name: 'Rotate key' }).getByRole('button', { name: 'Rotate' }).click();
    await page.getByRole('dialog', { name: 'Your new key' }).getByText(/^ccx_test_rotated/).waitFor();
    expect(sent('/keys/key_1/rotate')).toEqual({ overlap_seconds: 86_400 });
  });

  test('a developer gives keys a common budget, and a webhook whose secret is shown once; what failed is sent again', async () => {
    const page = await visits.visit({ path: '/developers', role: 'borrower' });
    await region(page, 'Projects').getByText('331.20 of 400.00 CR this month').waitFor();
    await page.getByRole('button', { name: 'New project' }).click();
    await page.getByLabel('Name').fill('Agents');
    await page.getByLabel('Budget each month').fill('75');
    await page.getByRole('dialog', { name: 'New project' }).getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => sent('/projects')).toEqual({ name: 'Agents', monthly_budget: '75' });
    await region(page, 'Webhooks').getByRole('button', { name: 'Deliveries' }).click();
    await page.getByText('facility.frozen').locator('xpath=..').getByRole('button', { name: 'Replay' }).click();
    await expect.poll(() => sent('/webhooks/whk_1/replay')).toEqual({ delivery_id: 'whk_1.evt_1' });
    await page.getByRole('button', { name: 'Add webhook' }).click();
    await page.getByLabel('URL').fill('https://hooks.example.com/ccx');
    await page.getByRole('dialog', { name: 'Add webhook' }).getByRole('button', { name: 'Add', exact: true }).click();
    const shown = page.getByRole('dialog', { name: 'The secret of your webhook' });
    await shown.getByText(/^whsec_/).waitFor();
    await shown.getByRole('button', { name: 'I have copied it' }).click();
    expect(await page.getByText(/whsec_/).count()).toBe(0);
  });

  test('a borrower lets a bank file fill the application; a line that cannot be read is named; what is chosen and planned is asked for', async () => {
    const page = await visits.visit({ path: '/credit', role: 'borrower' });
    await page.getByRole('button', { name: 'Apply for a facility' }).click();
    await page.getByLabel('Revenue growth, yearly').fill('90');
    await page.getByLabel('Bank transactions').setInputFiles({ name: 'bank.csv', mimeType: 'text/csv', buffer: Buffer.from('date,amount\n2026-10-01,x\n') });
    await page.getByText('Line 17: amount: not a decimal').waitFor();
    expect(await page.getByLabel('Monthly burn').inputValue()).toBe('246000.00');
    expect(await page.getByLabel('Revenue growth, yearly').inputValue()).toBe('90');
    const uploaded = visits.server.requests.find(({ path }) => path === '/feeds/bank');
    expect(uploaded).toMatchObject({ body: 'date,amount\n2026-10-01,x\n', headers: { 'content-type': 'text/csv' } });
    for (const [label, answer] of [['Amount', '1,000,000'], ['Gross margin', '55'], ['Compute, share of spend', '40'], ['Compute forecast error', '15'], ['Largest customer', '22'], ['Days overdue, past year', '0']]) await page.getByLabel(label, { exact: true }).fill(answer);
    await page.getByLabel('Interest alone, no principal').selectOption('First 3 months');
    await page.getByLabel('Even last instalment').check();
    await page.getByLabel('Compute planned, optional').fill('40000,45000');
    await page.getByText('put a space between months').waitFor();
    expect(await page.getByRole('button', { name: 'Look at the plan' }).isEnabled()).toBe(false);
    await page.getByLabel('Compute planned, optional').fill('40,000 45,000');
    await page.getByText('45,000.00 USD in each month after').waitFor();
    await page.getByRole('button', { name: 'Apply', exact: true }).click();
    await expect.poll(() => sent('/facilities')).toMatchObject({ amount: '1000000', months: 12, method: 'annuity', interest_only_periods: 3, refine: true, application: { cash: '3950000.00', compute_plan: ['40000', '45000'] }, feeds: ['feed_1'] });
  });

  test('a lender sees what it may take out, and confirms what leaves', async () => {
    const page = await visits.visit({ path: '/credit', role: 'lender' });
    await page.getByLabel('Withdraw', { exact: true }).fill('10,000');
    await page.getByRole('button', { name: 'Withdraw', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Withdraw from the fund' });
    // Cash of 2,500.00, paid interest of 5,312.40, and capital.
    for (const part of ['Cash: 2,500.00 USD', 'Interest: 5,312.40 USD', 'Capital: 2,187.60 USD']) await dialog.getByText(part).waitFor();
    await dialog.getByRole('button', { name: 'Withdraw 10,000.00 USD' }).click();
    await expect.poll(() => sent('/withdrawals')).toEqual({ amount: '10000' });
  });

  test('a lender gives an offer back within its day', async () => {
    const page = await visits.visit({ path: '/credit', role: 'lender' });
    await page.getByRole('row', { name: /Lumen Robotics/ }).getByRole('button', { name: 'Decline' }).click();
    const dialog = page.getByRole('dialog', { name: 'Decline to fund' });
    await dialog.getByLabel('Reason').fill('Sector is full');
    await dialog.getByRole('button', { name: 'Decline' }).click();
    await page.getByText('another lender takes your place').last().waitFor();
    expect(sent('/facilities/fac_9/decline')).toEqual({ reason: 'Sector is full' });
  });

  test('a borrower takes a rung of the proposed ladder to the ticket; nothing is ordered by that', async () => {
    const page = await visits.visit({ path: '/credit', role: 'borrower' });
    await region(page, 'Forecast of use').getByRole('button', { name: 'Prepare' }).first().click();
    await page.waitForURL(/\/trade\/H100-SXM-80\.us-east\.\d{8}T00Z\?hours=168$/);
    await expect.poll(() => page.getByLabel('Average price').inputValue()).toBe('2.2300');
    expect(sent('/blocks')).toBeUndefined();
  });

  test('a first borrower and a first provider are led to their next step', async () => {
    const borrower = await visits.visit({ path: '/trade', role: 'borrower', scenario: 'empty' });
    const guide = borrower.getByRole('complementary', { name: 'First steps' });
    await guide.getByText('Apply for a facility').first().waitFor();
    await guide.getByRole('link', { name: 'Go there' }).click();
    await borrower.waitForURL(/\/credit$/);
    await borrower.waitForFunction(() => document.documentElement.dataset['guide'] === 'apply');
    await guide.getByRole('button', { name: 'End the guide' }).click();
    await guide.waitFor({ state: 'detached' });
    const provider = await visits.visit({ path: '/provider', role: 'provider', scenario: 'empty' });
    await provider.getByRole('complementary', { name: 'First steps' }).getByText('Post a bond').first().waitFor();
  });

  test('what is told covers no step of the guide', async () => {
    const page = await visits.visit({ path: '/credit', role: 'borrower', scenario: 'empty' });
    const guide = page.getByRole('complementary', { name: 'First steps' });
    await guide.getByText('Apply for a facility').first().waitFor();
    await page.getByRole('button', { name: 'Cash' }).click();
    const dialog = page.getByRole('dialog', { name: 'Cash' });
    await dialog.getByText('Deposit', { exact: true }).click();
    await dialog.getByLabel('Amount').fill('100');
    await dialog.getByRole('button', { name: 'Deposit', exact: true }).last().click();
    const told = page.getByText('Deposit: 100.00 USD');
    await told.waitFor();
    const [guideBox, toldBox] = [await guide.boundingBox(), await told.boundingBox()];
    expect(toldBox?.y).toBeGreaterThan((guideBox?.y ?? 0) + (guideBox?.height ?? 0));
  });

  test('on a phone nothing covers the price and the state of an order', async () => {
    const page = await visits.visit({ path: '/trade', role: 'borrower', options: { viewport: PHONE } });
    const row = page.getByRole('row', { name: /2\.1500/ });
    const [price, state, cancel] = await Promise.all([row.getByText('2.1500'), row.getByText('Open', { exact: true }), row.getByRole('button', { name: 'Cancel' })].map((part) => part.boundingBox()));
    for (const box of [price, state]) {
      expect(box?.x).toBeLessThan(PHONE.width - 20);
      expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(cancel?.y ?? 0);
    }
  });

  test('an operator suspends a provider, stops payouts, and sees how far everything has come', async () => {
    const page = await visits.visit({ path: '/operator', role: 'operator' });
    await region(page, 'Positions').getByText('Projection: ledger').waitFor();
    await region(page, 'Income by source, 30 days').getByText('Origination fees').waitFor();
    await region(page, 'Users').getByRole('row', { name: /lender@demo\.example/ }).waitFor();
    await region(page, 'Providers').getByRole('button', { name: 'Suspend' }).click();
    await page.getByLabel('Reason').fill('Wrong answers');
    await page.getByRole('dialog', { name: 'Suspend Northwind Compute' }).getByRole('button', { name: 'Suspend' }).click();
    await expect.poll(() => sent('/providers/cmp_8/suspend')).toEqual({ reason: 'Wrong answers' });
    await region(page, 'Kill switches').getByRole('button', { name: 'Stop draws' }).click();
    await page.getByLabel('Reason').fill('Bank is closed');
    await page.getByRole('dialog', { name: 'Stop: draws' }).getByRole('button', { name: 'Stop' }).click();
    await expect.poll(() => sent('/switches')).toEqual({ name: 'draw', on: true, reason: 'Bank is closed' });
  });

  test('an operator starts an auction with a reason', async () => {
    const page = await visits.visit({ path: '/operator', role: 'operator' });
    await region(page, 'Exposure and concentration').getByRole('row', { name: /Meridian Labs.*100\.00 %/ }).waitFor();
    await page.getByRole('button', { name: 'Auction' }).click();
    await page.getByLabel('Reason').fill('Reopening');
    await page.getByRole('dialog').getByRole('button', { name: 'Auction' }).click();
    await expect.poll(() => sent('/markets/auction')).toEqual({ scope: '*', reason: 'Reopening' });
  });
});
