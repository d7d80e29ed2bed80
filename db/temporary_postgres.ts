/** A Postgres for a test or a benchmark, in a folder that goes with it. It does not outlive its process, also when that is killed. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastWill } from './last_will.ts';
import { openPostgres } from './postgres.ts';
import type { Postgres, PostgresOptions } from './postgres.ts';

export interface TemporaryPostgres {
  readonly folder: string;
  readonly postgres: Postgres;
  /** Stops it and takes the folder away. */
  end(): Promise<void>;
}

/** Its data may stand elsewhere, where its user can reach them. */
const END = `
  home=$(cat "$1/postgres/location" 2> /dev/null || echo "$1/postgres")
  pid=$(head -n 1 "$home/cluster/postmaster.pid") && kill -QUIT "$pid"
  for second in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" && sleep 1; done
  rm -rf "$home" "$1"`;

export async function openTemporaryPostgres(prefix: string, options: Pick<PostgresOptions, 'say' | 'preparesLog'> = {}): Promise<TemporaryPostgres> {
  const { folder, remove } = temporaryFolder(prefix);
  const postgres = await openPostgres({ databaseUrl: undefined, dataDir: folder, ...options });
  return {
    folder,
    postgres,
    end: async () => {
      await postgres.stop();
      remove();
    },
  };
}

/** One that Postgres' own user may enter. When this process ends, it goes, and so does the Postgres whose data folder it is. */
export function temporaryFolder(prefix: string): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(folder, 0o755);
  const forget = lastWill(END, folder);
  return {
    folder,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
      forget();
    },
  };
}
