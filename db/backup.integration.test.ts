/** As docs/backup.md: a copy of the cluster that is made while the market runs, started as a Postgres of its own. */
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import { PostgresJournal } from './journal.ts';
import { readRows, verifyJournal } from './journal_reader.ts';
import { migrate } from './migrate.ts';
import { baseBackup, connected, homeOf, temporaryClusters } from './test/base_backup.ts';

const { folder, open, end } = temporaryClusters('ccx-backup-');
afterAll(end);

/** The chained hash of each row: equal hashes mean equal journals. */
const hashes = (url: string): Promise<string[]> =>
  connected(url, async (client) => {
    await verifyJournal(client);
    const found: string[] = [];
    for await (const row of readRows(client, 1)) found.push(Buffer.from(row.hash).toString('hex'));
    return found;
  });

test('a copy made while the journal grows is whole, and a part of the journal it was made of', async () => {
  const dataDir = folder();
  const original = await open(dataDir);
  const knex = openDatabase(original.url, 2);
  await migrate(knex);
  await knex.destroy();
  const journal = await PostgresJournal.lead({ url: original.url, holder: 'test' });
  const append = (): Promise<void> => {
    const sequence = journal.lastSequence + 1;
    return journal.append({ firstSequence: sequence, lastSequence: sequence, engineTime: sequence, rulesVersion: 1, commands: Buffer.alloc(2_000, sequence), events: Buffer.alloc(3_000, sequence) });
  };
  for (let row = 0; row < 50; row++) await append();
  let copying = true;
  const writing = (async () => {
    while (copying) await append();
  })();
  const copy = folder();
  await baseBackup(original, homeOf(dataDir), join(copy, 'postgres'));
  copying = false;
  await writing;
  await journal.close();
  const restored = await hashes((await open(copy)).url);
  const all = await hashes(original.url);
  expect(restored.length).toBeGreaterThanOrEqual(50);
  expect(restored).toEqual(all.slice(0, restored.length));
});
