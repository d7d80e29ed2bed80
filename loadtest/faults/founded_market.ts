/** The demo market on its first day, made once: every world of the suite begins with a copy of it. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { openPostgres } from '../../db/postgres.ts';
import type { Postgres } from '../../db/postgres.ts';
import { temporaryFolder } from '../../db/temporary_postgres.ts';
import { ServerProcess, freePort } from './server_process.ts';

export interface MarketCopy {
  dataDir: string;
  /** At present: a Postgres that had to be started again may have moved. */
  databaseUrl: () => string;
}

export class FoundedMarket {
  readonly folder: string;
  readonly postgres: Postgres;
  private readonly remove: () => void;

  private constructor(folder: string, postgres: Postgres, remove: () => void) {
    this.folder = folder;
    this.postgres = postgres;
    this.remove = remove;
  }

  static async open(root: string): Promise<FoundedMarket> {
    const { folder, remove } = temporaryFolder('ccx-faults-');
    const postgres = await openPostgres({ databaseUrl: undefined, dataDir: folder });
    const founded = new FoundedMarket(folder, postgres, remove);
    const server = ServerProcess.spawn({ root, port: await freePort(), dataDir: founded.dataDir, databaseUrl: postgres.url });
    try {
      await server.ready();
      await server.stop();
    } catch (error) {
      await server.end();
      await founded.close();
      throw error;
    }
    return founded;
  }

  /** Everything of it under another name. Nobody may be connected to the original. */
  async copy(name: string): Promise<MarketCopy> {
    const original = new URL(this.postgres.url).pathname.slice(1);
    const client = new pg.Client({ connectionString: this.urlOf('postgres') });
    await client.connect();
    await client.query(`create database ${name} template ${original}`).finally(() => client.end());
    const dataDir = join(this.folder, name);
    cpSync(this.dataDir, dataDir, { recursive: true });
    return { dataDir, databaseUrl: () => this.urlOf(name) };
  }

  async close(): Promise<void> {
    await this.postgres.stop();
    this.remove();
  }

  private get dataDir(): string {
    return join(this.folder, 'founded');
  }
  private urlOf(database: string): string {
    const url = new URL(this.postgres.url);
    url.pathname = `/${database}`;
    return url.href;
  }
}
