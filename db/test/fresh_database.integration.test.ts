import pg from 'pg';
import { expect, test } from 'vitest';
import { freshDatabase } from './fresh_database.ts';

test('a database of its own, gone when dropped although somebody is connected', async () => {
  const database = await freshDatabase();
  const client = new pg.Client({ connectionString: database.url });
  const ended = new Promise((resolve) => client.on('error', resolve));
  await client.connect();
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await database.drop();
  await ended;
  await expect(new pg.Client({ connectionString: database.url }).connect()).rejects.toThrow(/does not exist/);
});
