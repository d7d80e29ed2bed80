import { afterEach, expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import { migrate } from './migrate.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { query } from './test/databases.ts';
import { emptyDatabase, freshDatabase } from './test/fresh_database.ts';
import type { FreshDatabase } from './test/fresh_database.ts';

let fresh: FreshDatabase;
afterEach(() => fresh.drop());

test('runs each migration once, whoever starts, also after one was killed while it migrated', async () => {
  fresh = await emptyDatabase();
  const databases = [openDatabase(fresh.url, 2), openDatabase(fresh.url, 2)];
  const ran = await Promise.all(databases.map(migrate));
  expect(ran.flat()).toEqual(MIGRATIONS.map(({ name }) => name));
  await query(fresh.url, 'update knex_migrations_lock set is_locked = 1');
  expect(await migrate(databases[0])).toEqual([]);
  for (const database of databases) await database.destroy();
});

test('refuses a database of another version', async () => {
  fresh = await freshDatabase();
  await query(fresh.url, `insert into knex_migrations (name, batch, migration_time) values ('999_later', 9, now())`);
  const database = openDatabase(fresh.url, 2);
  await expect(migrate(database)).rejects.toThrow('999_later');
  await database.destroy();
});

test('every migration can be undone', async () => {
  fresh = await freshDatabase();
  const database = openDatabase(fresh.url, 2);
  for (const migration of [...MIGRATIONS].reverse()) await migration.down(database);
  const left = await query(fresh.url, `select tablename from pg_tables where schemaname = 'public' and tablename not like 'knex%'`);
  expect(left).toEqual([]);
  await database.destroy();
});
