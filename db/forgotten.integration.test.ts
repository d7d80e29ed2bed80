/** A connection that has died without a word is found and given up; one whose server is only slow is not. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { giveUpForgotten } from './forgotten.ts';
import { freshDatabase } from './test/fresh_database.ts';
import type { FreshDatabase } from './test/fresh_database.ts';

let database: FreshDatabase;
let url: string;
let silent = false;
const server = createServer((near: Socket) => {
  const { hostname, port } = new URL(database.url);
  const far = connect({ host: hostname, port: Number(port) });
  // Of a connection that was there when it fell silent nothing passes any more.
  const isNew = silent;
  const passes = (): boolean => !silent || isNew;
  near.on('data', (bytes) => passes() && far.write(bytes));
  far.on('data', (bytes) => passes() && near.write(bytes));
  for (const socket of [near, far]) socket.on('error', () => undefined);
  near.on('close', () => far.destroy());
  far.on('close', () => passes() && near.destroy());
});

beforeAll(async () => {
  database = await freshDatabase();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(database.url);
  through.hostname = '127.0.0.1';
  through.port = String((server.address() as AddressInfo).port);
  url = through.href;
});
afterAll(async () => {
  server.close();
  await database.drop();
});

async function watched(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  giveUpForgotten(client, url);
  await client.connect();
  return client;
}

test('what waits for a dead connection fails soon, amid a COPY too, what waits for a slow server does not', { timeout: 30_000 }, async () => {
  const [client, copying] = await Promise.all([watched(), watched()]);
  expect((await client.query('select pg_sleep(4), 1 as one')).rows).toMatchObject([{ one: 1 }]);
  await copying.query('create temporary table written (value int)');
  const copy = copying.query(copyFrom('copy written from stdin'));
  const copied = new Promise((resolve, reject) => copy.once('error', reject).once('finish', resolve));
  await new Promise<void>((resolve) => copy.write('1\n', () => resolve()));
  silent = true;
  copy.end('2\n');
  await Promise.all([client.query('select 1'), copied].map((waiting) => expect(waiting).rejects.toThrow(/died|terminated/)));
  await Promise.all([client.end(), copying.end()]);
});
