import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freshDatabase } from '../test/fresh_database.ts';
import type { FreshDatabase } from '../test/fresh_database.ts';
import { CopyBuffer } from './copy_buffer.ts';
import { RowBuffer, insertInto } from './row_buffer.ts';
import type { Row } from './row_buffer.ts';

const COLUMNS = { id: 'bigint', amount: 'bigint', flag: 'boolean', name: 'text', detail: 'jsonb' } as const;
const REPLACEMENT = '\ufffd';
/** Halves of characters and the character 0 are what Postgres cannot keep. */
const kept = (text: string): string => Buffer.from(text.replaceAll('\0', REPLACEMENT)).toString();

let database: FreshDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await freshDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('create table things (id bigint primary key, amount bigint, flag boolean, name text, detail jsonb)');
});
beforeEach(() => client.query('truncate things'));
afterAll(async () => {
  await client.end();
  await database.drop();
});

const buffers = {
  copy: () => new CopyBuffer('things', COLUMNS),
  insert: () => new RowBuffer('things_insert', COLUMNS, insertInto('things', COLUMNS)),
};
const rowsOf = async (): Promise<unknown[]> => (await client.query('select id::int, amount, flag, name, detail from things order by id')).rows as unknown[];

const TEXTS = ['', '\\N', 'null', '{}', '{"a"}', "it's", 'a\tb\nc\rd\\e', '\\.', 'é😀', '\0zero', 'half \ud83d', '\udc00', '\\u0000', '\\\0', '"', 'NULL', ',', '\u2028'];

describe.each(Object.entries(buffers))('%s', (_, open) => {
  test('keeps numbers, flags, absence and awkward texts', async () => {
    const buffer = open();
    const texts = TEXTS.map((name, id): Row<typeof COLUMNS> => ({ id, amount: id === 3 ? null : Number.MAX_SAFE_INTEGER - id, flag: id % 2 === 0, name, detail: JSON.stringify({ [name]: [name] }) }));
    const absent: Row<typeof COLUMNS> = { id: 100, amount: null, flag: null, name: null, detail: null };
    for (const row of [...texts, absent]) buffer.add(row);
    await buffer.write(client);
    const wanted = texts.map(({ id, amount, flag, name }) => ({
      id, amount: amount === null ? null : String(amount), flag, name: kept(name as string), detail: { [kept(name as string)]: [kept(name as string)] },
    }));
    expect(await rowsOf()).toEqual([...wanted, absent]);
    await buffer.write(client);
    expect(await rowsOf()).toHaveLength(TEXTS.length + 1);
  });

  test('keeps any text', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { minLength: 1, maxLength: 20 }), async (texts) => {
      await client.query('truncate things');
      const buffer = open();
      texts.forEach((name, id) => buffer.add({ id, amount: 0, flag: true, name, detail: JSON.stringify(name) }));
      await buffer.write(client);
      expect(await rowsOf()).toEqual(texts.map((name, id) => ({ id, amount: '0', flag: true, name: kept(name), detail: kept(name) })));
    }), { numRuns: 100 });
  });

  test('tells what the table refuses, and leaves the connection usable', async () => {
    const buffer = open();
    await client.query('begin');
    for (const id of [1, 1]) buffer.add({ id, amount: 0, flag: true, name: '', detail: '{}' });
    await expect(buffer.write(client)).rejects.toThrow(/duplicate key/);
    await client.query('rollback');
    expect(await rowsOf()).toEqual([]);
  });
});
