/** What every process has: its database and its port. */
import { fileURLToPath } from 'node:url';
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import { openDatabase } from '../../db/database.ts';
import { stopAtOnce } from '../../db/embedded_postgres.ts';
import { migrate } from '../../db/migrate.ts';
import { openPostgres } from '../../db/postgres.ts';
import type { Postgres } from '../../db/postgres.ts';
import type { Config } from '../config.ts';
import { Front } from './front.ts';
import { lookWhenClosing } from './last_looks.ts';
import { patiently } from './patience.ts';
import type { Parts } from './parts.ts';

export interface Core {
  config: Config;
  log: Logger;
  /** Told to the person at the terminal. */
  say: (line: string) => void;
  parts: Parts;
  front: Front;
  /** Where people on this machine reach it. */
  url: string;
  postgres: Postgres;
  database: Knex;
  /** The process cannot go on. */
  onFatal: (error: Error) => void;
  /** Told when the process is ending. */
  closing: AbortSignal;
}

/** In dist/ beside the server's bundle; from the sources, where the build puts it. */
export const inDist = (name: string): string => fileURLToPath(new URL(import.meta.url.includes('/dist/') ? name : `../../dist/${name}`, import.meta.url));

/** Listens, and opens Postgres with its tables. */
export async function openCore(means: Pick<Core, 'config' | 'log' | 'say' | 'parts' | 'onFatal' | 'closing'>): Promise<Core> {
  const { config, log, parts } = means;
  const front = new Front();
  const port = await front.listen(config);
  parts.add('port', () => front.close());
  const opened = parts.count;
  const open = (): ReturnType<typeof openTables> => openTables(means);
  // Processes of an exchange are started in any order; who starts one alone is told at once.
  const tables = config.single ? await open() : await patiently('the database', open, { ...means, undo: () => parts.close(log, opened) });
  return { ...means, front, url: `http://localhost:${port}`, ...tables };
}

async function openTables({ config, say, parts, closing }: Pick<Core, 'config' | 'say' | 'parts' | 'closing'>): Promise<Pick<Core, 'postgres' | 'database'>> {
  const giveUp = new AbortController();
  const opening = openPostgres({ databaseUrl: config.databaseUrl, dataDir: config.dataDir, say, preparesLog: true, signal: giveUp.signal });
  let isOurs = (): boolean => false;
  // Whoever is told to stop meanwhile leaves none behind that is just coming up. One that was found running may be another server's: it goes on while anybody is connected.
  const stop = (): Promise<void> => {
    giveUp.abort();
    return opening.then((postgres) => postgres.stop({ onlyIfIdle: !postgres.started }), () => undefined);
  };
  parts.add('postgres', stop, () => isOurs() && stopAtOnce(config.dataDir));
  const postgres = await opening;
  isOurs = () => postgres.embedded && postgres.started;
  const database = openDatabase(postgres.url);
  const endLooks = lookWhenClosing(closing, () => postgres.url, () => {
    say('the database does not answer: it is not waited for');
    parts.hurry();
  });
  parts.add('database', async () => {
    await database.destroy();
    // Whoever is connected would keep an embedded one from being stopped.
    await endLooks();
  });
  const migrations = await migrate(database);
  if (migrations.length > 0) say(`migrated the database: ${migrations.join(', ')}`);
  return { postgres, database };
}
