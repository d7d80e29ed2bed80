/** Every screen under axe: nothing serious, light and dark, empty and full, and readable in every palette. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Visits, type Visit } from './visits.ts';

const executablePath = process.env['CHROMIUM_PATH'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const GRAVE: (string | null | undefined)[] = ['serious', 'critical'];

const SCREENS: Visit[] = [
  { path: '/trade', role: 'borrower' },
  { path: '/trade', role: 'borrower', scenario: 'empty' },
  { path: '/trade?chart=candles', role: 'borrower', options: { colorScheme: 'dark' } },
  { path: '/provider', role: 'provider' },
  { path: '/provider', role: 'provider', scenario: 'empty', options: { colorScheme: 'dark' } },
  { path: '/credit', role: 'borrower' },
  { path: '/credit', role: 'borrower', scenario: 'empty', options: { colorScheme: 'dark' } },
  { path: '/credit', role: 'lender', options: { colorScheme: 'dark' } },
  { path: '/developers', role: 'borrower' },
  { path: '/operator', role: 'operator', options: { colorScheme: 'dark' } },
  { path: '/operator', role: 'operator', scenario: 'broken' },
  { path: '/login' },
  { path: '/register', options: { colorScheme: 'dark' } },
];

describe.skipIf(!executablePath)('screens for everybody', () => {
  let visits: Visits;
  beforeAll(async () => {
    visits = await Visits.open(executablePath);
  });
  afterAll(() => visits.close());
  afterEach(() => visits.settle());

  test.each(SCREENS)('$path for $role, $scenario', async (screen) => {
    // The policy allows no injected script; axe comes over the debugger, as an extension would.
    const page = await visits.visit({ ...screen, options: { ...screen.options, bypassCSP: true } });
    await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' });
    await page.waitForFunction(() => document.querySelectorAll('main [aria-busy="true"]').length === 0);
    await page.evaluate(AXE);
    const graveOf = async (palette: string, options: object): Promise<string[]> => {
      const { violations } = (await page.evaluate(`axe.run(document, ${JSON.stringify({ resultTypes: ['violations'], rules: { 'target-size': { enabled: true } }, ...options })})`)) as AxeResults;
      return violations.filter(({ impact }) => GRAVE.includes(impact)).map(({ id, nodes }) => `${palette}, ${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`);
    };
    const grave = await graveOf('standard', {});
    // A palette changes colours alone.
    for (const palette of ['vivid', 'contrast']) {
      await page.evaluate((name) => (document.documentElement.dataset['palette'] = name), palette);
      grave.push(...(await graveOf(palette, { runOnly: ['color-contrast'] })));
    }
    expect(grave).toEqual([]);
  });
});
