/** A base backup as `pg_basebackup` makes it, of the embedded Postgres, which comes without that program. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import pg from 'pg';
import { openPostgres } from '../postgres.ts';
import type { Postgres } from '../postgres.ts';
import { temporaryFolder } from '../temporary_postgres.ts';

export interface TemporaryClusters {
  /** A new folder that Postgres' own user may enter. */
  folder(): string;
  open(dataDir: string): Promise<Postgres>;
  /** Stops what was opened and takes the folders away. */
  end(): Promise<void>;
}

export function temporaryClusters(prefix: string): TemporaryClusters {
  const removals: (() => void)[] = [];
  const running: Postgres[] = [];
  return {
    folder: () => {
      const { folder, remove } = temporaryFolder(prefix);
      removals.push(remove);
      return folder;
    },
    open: async (dataDir) => {
      const postgres = await openPostgres({ databaseUrl: undefined, dataDir });
      running.push(postgres);
      return postgres;
    },
    end: async () => {
      for (const postgres of running) await postgres.stop();
      for (const remove of removals) remove();
    },
  };
}

/** Where the embedded Postgres of a data folder keeps its cluster and its password. */
export function homeOf(dataDir: string): string {
  const location = join(dataDir, 'postgres', 'location');
  return existsSync(location) ? readFileSync(location, 'utf8').trim() : join(dataDir, 'postgres');
}

export async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return work(client).finally(() => client.end());
}

/** To be called with files that Postgres is to own. */
export function giveToPostgres(home: string, path: string): void {
  const owner = execFileSync('stat', ['-c', '%u:%g', join(home, 'cluster')], { encoding: 'utf8' }).trim();
  execFileSync('chown', ['-R', owner, path]);
}

/** Told to Postgres, copied while it goes on, with the log up to its end. */
export async function baseBackup(from: Postgres, home: string, target: string): Promise<void> {
  await connected(from.url, async (client) => {
    await client.query(`select pg_backup_start('test', true)`);
    mkdirSync(target, { recursive: true });
    // Files may vanish while they are copied; cp goes on, and the log makes up for it.
    spawnSync('cp', ['-a', join(home, 'cluster'), target]);
    const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
    const log = join(home, 'cluster', 'pg_wal');
    // What the archiver notes beside the log's files comes and goes, and is of no use in a copy.
    const filter = (path: string): boolean => path !== join(log, 'archive_status');
    cpSync(log, join(target, 'cluster', 'pg_wal'), { recursive: true, preserveTimestamps: true, filter });
    writeFileSync(join(target, 'cluster', 'backup_label'), rows[0].labelfile);
  });
  for (const name of ['postmaster.pid', 'postmaster.opts']) rmSync(join(target, 'cluster', name), { force: true });
  cpSync(join(home, 'password'), join(target, 'password'));
  giveToPostgres(home, join(target, 'cluster'));
}
