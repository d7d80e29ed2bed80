/** For tests that end or damage their Postgres: one that is started for a test file. */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPostgres } from '../postgres.ts';
import type { Postgres } from '../postgres.ts';
import { createDatabase, migratedTemplate } from './databases.ts';

export class TestPostgres {
  private readonly dataDir: string;
  private readonly postgres: Postgres;
  private template: Promise<string> | undefined;

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
    this.template ??= migratedTemplate(this.postgres.url);
    return createDatabase(this.postgres.url, await this.template);
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
