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

/**
 * Its data may stand elsewhere, where its user can reach them. Every process that names them is ended, where /proc tells of it: one that was only being
 * made or started, too, and one that stands still. What takes too long is ended without its consent.
 */
const END = `
  home=$(cat "$1/postgres/location" 2> /dev/null || echo "$1/postgres")
  found() { grep -laF -e "$home/cluster" /proc/[0-9]*/cmdline | cut -d/ -f3; }
  end() { kill -CONT $2; kill "-$1" $2; }
  pids="$(head -n 1 "$home/cluster/postmaster.pid") $(found)"
  for second in 1 2 3 4 5 6 7 8 9 10; do
    end QUIT "$pids"
    sleep 1
    pids=$(for pid in $pids $(found); do kill -0 "$pid" && echo "$pid"; done)
    if [ -z "$pids" ]; then break; fi
  done
  end KILL "$pids"
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
