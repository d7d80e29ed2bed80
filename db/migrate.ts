/** Brings a database's tables up to this version of the program. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { MIGRATIONS } from './migrations/index.ts';
import type { NamedMigration } from './migrations/index.ts';

/** Any number of processes may start at once: one migrates, the others wait. */
const LOCK = 7_301_842;
const POLL_MILLIS = 100;

const config: Knex.MigratorConfig = {
  migrationSource: {
    getMigrations: () => Promise.resolve([...MIGRATIONS]),
    getMigrationName: (migration: NamedMigration) => migration.name,
    getMigration: (migration: NamedMigration) => Promise.resolve(migration),
  },
};

/**
 * @returns the names of the migrations that were run
 * @throws Error when the database was migrated by a newer version
 */
export async function migrate(database: Knex): Promise<string[]> {
  return database.transaction(async (lock) => {
    while (!(await isLocked(lock))) await sleep(POLL_MILLIS);
    await refuseNewer(database);
    // Knex's own lock outlives a process that is killed while it migrates; ours does not.
    await database.migrate.forceFreeMigrationsLock(config);
    const [, names] = (await database.migrate.latest(config)) as [number, string[]];
    return names;
  });
}

/** Asked again and again: who waits in the database for long looks like a connection that has died. */
async function isLocked(lock: Knex): Promise<boolean> {
  const { rows } = await lock.raw<{ rows: { locked: boolean }[] }>('select pg_try_advisory_xact_lock(?) as locked', [LOCK]);
  return rows[0].locked;
}

async function refuseNewer(database: Knex): Promise<void> {
  if (!(await database.schema.hasTable('knex_migrations'))) return;
  const rows = await database<{ name: string }>('knex_migrations').select('name');
  const unknown = rows.map(({ name }) => name).filter((name) => !MIGRATIONS.some((migration) => migration.name === name));
  if (unknown.length > 0) throw new Error(`the database was migrated by another version of this program (${unknown.join(', ')})`);
}
