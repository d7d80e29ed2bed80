/** A market under load, as every fault finds it: clients that remember every answer, and the verdict on what became of them. */
import pg from 'pg';
import type { DemoFile } from '../../api/demo/accounts.ts';
import { check, liveState } from './checker.ts';
import { OrderLoad } from './order_load.ts';
import type { Acknowledged } from './order_load.ts';
import { until } from './server_process.ts';

/** Repeats of old keys that are compared with their first answers. */
const REPEATED = 20;

export abstract class MarketUnderLoad {
  load: OrderLoad = undefined as never;
  /** Of every load there was. */
  readonly acknowledged: Acknowledged[] = [];
  private loads = 0;

  /** Where the next request goes. */
  abstract get url(): string;
  abstract get demo(): DemoFile;
  /** Around everything that fails. */
  abstract get databaseUrl(): string;
  /** What its servers have written, the last of it. */
  abstract get said(): string;

  /** Ends the load and begins another; what was acknowledged stays known. */
  newLoad(): void {
    this.load = new OrderLoad(() => this.url, this.demo.borrower.api_key, `load${this.loads++}`);
  }

  /** Resolves when so many more orders are acknowledged. @returns how long that took */
  progress(orders: number, millis = 60_000): Promise<number> {
    const reached = this.load.acknowledged.length + orders;
    return until(`${orders} more orders`, () => this.load.acknowledged.length >= reached, millis);
  }

  /** The ten conditions, and that old keys give their first answers. The load goes on afterwards. */
  async verdict(): Promise<string[]> {
    await this.load.stop();
    this.acknowledged.push(...this.load.acknowledged);
    const findings = [...new Set(this.load.surprises)].map((surprise) => `an answer nobody expects: ${surprise}`);
    if (findings.length > 0) findings.push(`the servers last said: ${this.said}`);
    const live = await liveState(this.url, this.demo.operator.api_key);
    findings.push(...(await check(this.databaseUrl, live, this.acknowledged)), ...(await this.compareRepeats()));
    this.newLoad();
    return findings;
  }

  private async compareRepeats(): Promise<string[]> {
    const findings: string[] = [];
    for (const { key, body, status: first } of this.load.acknowledged.slice(-REPEATED)) {
      const { status, text } = await this.load.repeat(this.load.bodyOf(key), key);
      if (status !== first || text !== body) findings.push(`the repeat of ${key} answers ${status} ${text.slice(0, 200)}, not ${body.slice(0, 200)}`);
      const other = await this.load.repeat(this.load.otherBodyOf(key), key);
      if (other.status !== 409) findings.push(`another body under ${key} answers ${other.status}`);
    }
    return findings.slice(0, 3);
  }

  async query<R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    const client = new pg.Client({ connectionString: this.databaseUrl });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<R>(text, values)).rows;
    } finally {
      await client.end();
    }
  }
}
