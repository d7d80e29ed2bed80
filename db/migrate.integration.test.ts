import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import { migrate } from './migrate.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { TestPostgres } from './testing.ts';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start();
});
afterAll(() => postgres.stop());

test('runs each migration once, whoever starts, also after one was killed while it migrated', async () => {
  const url = await postgres.emptyDatabase();
  const databases = [openDatabase(url, 2), openDatabase(url, 2)];
  const ran = await Promise.all(databases.map(migrate));
  expect(ran.flat()).toEqual(MIGRATIONS.map(({ name }) => name));
  await postgres.query(url, 'update knex_migrations_lock set is_locked = 1');
  expect(await migrate(databases[0])).toEqual([]);
  for (const database of databases) await database.destroy();
});

test('refuses a database of another version', async () => {
  const url = await postgres.database();
  await postgres.query(url, `insert into knex_migrations (name, batch, migration_time) values ('999_later', 9, now())`);
  const database = openDatabase(url, 2);
  await expect(migrate(database)).rejects.toThrow('999_later');
  await database.destroy();
});

test('every migration can be undone', async () => {
  const url = await postgres.database();
  const database = openDatabase(url, 2);
  for (const migration of [...MIGRATIONS].reverse()) await migration.down(database);
  const left = await postgres.query(url, `select tablename from pg_tables where schemaname = 'public' and tablename not like 'knex%'`);
  expect(left).toEqual([]);
  await database.destroy();
});
