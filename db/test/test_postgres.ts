/** For tests that end or damage their Postgres: one that is started for a test file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTemporaryPostgres } from '../temporary_postgres.ts';
import type { TemporaryPostgres } from '../temporary_postgres.ts';
import { createDatabase, migratedTemplate } from './databases.ts';

export class TestPostgres {
  private readonly own: TemporaryPostgres;
  private template: Promise<string> | undefined;

  private constructor(own: TemporaryPostgres) {
    this.own = own;
  }

  static async start(): Promise<TestPostgres> {
    return new TestPostgres(await openTemporaryPostgres('ccx-test-'));
  }

  /** The URL of a new, migrated database. */
  async database(): Promise<string> {
    const { url } = this.own.postgres;
    this.template ??= migratedTemplate(url);
    return createDatabase(url, await this.template);
  }

  /** As `kill -9`; it comes back by itself. */
  kill(): void {
    const pid = Number(readFileSync(join(this.own.folder, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(pid, 'SIGKILL');
  }

  stop(): Promise<void> {
    return this.own.end();
  }
}
