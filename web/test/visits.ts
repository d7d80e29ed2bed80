/** Pages of a real browser on the mock exchange, each watched for errors and for requests to anybody else. */
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { expect } from 'vitest';
import type { MockRole } from './mock_account.ts';
import { startMockServer, type MockServer, type Scenario } from './mock_server.ts';

const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

export interface Visit {
  path: string;
  role?: MockRole;
  scenario?: Scenario;
  options?: BrowserContextOptions;
}

export class Visits {
  readonly server: MockServer;
  private readonly browser: Browser;
  private troubles: string[] = [];

  private constructor(server: MockServer, browser: Browser) {
    this.server = server;
    this.browser = browser;
  }

  static async open(executablePath: string | undefined): Promise<Visits> {
    const server = await startMockServer();
    return new Visits(server, await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] }));
  }

  async visit({ path, role, scenario = 'full', options = {} }: Visit): Promise<Page> {
    this.server.role = role;
    this.server.scenario = scenario;
    this.server.requests.length = 0;
    const page = await (await this.browser.newContext({ viewport: DESKTOP, ...options })).newPage();
    page.on('pageerror', (error) => this.troubles.push(String(error)));
    page.on('console', (message) => {
      // A refusal is part of the contract; the browser logs it as a failed resource. Whoever is not logged in is refused a wrong password alone.
      const mayBeRefused = role !== undefined || message.location().url.endsWith('/auth/login');
      if (message.type() === 'error' && !(mayBeRefused && message.text().startsWith('Failed to load resource'))) this.troubles.push(message.text());
    });
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      if (origin !== this.server.url && protocol !== 'blob:') this.troubles.push(`third-party request: ${request.url()}`);
    });
    await page.goto(this.server.url + path);
    return page;
  }

  /** After each test: closes its pages; fails when one of them had trouble. */
  async settle(): Promise<void> {
    for (const context of this.browser.contexts()) await context.close();
    expect(this.troubles.splice(0)).toEqual([]);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.close();
  }
}
