/** For tests: a database of one's own in a Postgres that is started once per test file. */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openDatabase } from './database.ts';
import { migrate } from './migrate.ts';
import { openPostgres } from './postgres.ts';
import type { Postgres } from './postgres.ts';

export class TestPostgres {
  private readonly dataDir: string;
  private readonly postgres: Postgres;
  private databases = 0;

  private constructor(dataDir: string, postgres: Postgres) {
    this.dataDir = dataDir;
    this.postgres = postgres;
  }

  static async start(): Promise<TestPostgres> {
    const dataDir = mkdtempSync(join(tmpdir(), 'ccx-test-'));
    chmodSync(dataDir, 0o755);
    return new TestPostgres(dataDir, await openPostgres({ databaseUrl: undefined, dataDir }));
  }

  /** The URL of a new, migrated database. */
  async database(): Promise<string> {
    const url = await this.emptyDatabase();
    const database = openDatabase(url, 2);
    await migrate(database);
    await database.destroy();
    return url;
  }

  async emptyDatabase(): Promise<string> {
    const name = `test_${++this.databases}`;
    await this.query(this.postgres.url, `create database ${name}`);
    const url = new URL(this.postgres.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  async query<R extends pg.QueryResultRow>(url: string, text: string, values: unknown[] = []): Promise<R[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<R>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** As `kill -9`; it comes back by itself. */
  kill(): void {
    const pid = Number(readFileSync(join(this.dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(pid, 'SIGKILL');
  }

  async stop(): Promise<void> {
    await this.postgres.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
