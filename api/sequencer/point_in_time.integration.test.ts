/** As docs/backup.md: a base backup and the archived log bring back the market of a moment, to the last bit. */
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openDatabase } from '../../db/database.ts';
import { PostgresJournal } from '../../db/journal.ts';
import { verifyJournal } from '../../db/journal_reader.ts';
import { migrate } from '../../db/migrate.ts';
import { baseBackup, connected, giveToPostgres, homeOf, temporaryClusters } from '../../db/test/base_backup.ts';
import { createInProcessSequencer } from './in_process.ts';
import { JournalMark } from './journal_mark.ts';
import { recover } from './recovery.ts';

const { folder, open, end } = temporaryClusters('ccx-moment-');
afterAll(end);

test('a base backup and the log bring back the state of a named moment, and its successor is told what it lacks', async () => {
  const [dataDir, archive, copy] = [folder(), folder(), folder()];
  const first = await open(dataDir);
  const home = homeOf(dataDir);
  giveToPostgres(home, archive);
  await connected(first.url, async (client) => {
    await client.query(`alter system set archive_mode = 'on'`);
    await client.query(`alter system set archive_command = 'test ! -f ${archive}/%f && cp %p ${archive}/%f'`);
  });
  await first.stop();
  const original = await open(dataDir);
  const knex = openDatabase(original.url, 2);
  await migrate(knex);
  await knex.destroy();

  const journal = await PostgresJournal.lead({ url: original.url, holder: 'test' });
  const port = createInProcessSequencer({ journal });
  const deposits = async (name: string): Promise<void> => {
    for (let count = 0; count < 40; count++) {
      await port.submit({ command: { type: 'deposit', company: 0, amount: 1, reference: `${name} ${count}` }, idempotencyKey: `${name} ${count}`, bodyHash: '' });
    }
  };
  await port.submit({ command: { type: 'registerCompany', name: 'a', role: 'borrower', group: '' }, idempotencyKey: '', bodyHash: '' });
  await deposits('before the backup');
  await baseBackup(original, home, join(copy, 'postgres'));
  await deposits('after the backup');
  const moment = await port.query('status', {});
  await connected(original.url, (client) => client.query(`select pg_create_restore_point('the moment')`));
  await deposits('after the moment');
  const marks = new JournalMark(folder(), 'test', () => undefined);
  await marks.keep(journal);
  const segment = await connected(original.url, async (client) => (await client.query<{ name: string }>('select pg_walfile_name(pg_switch_wal()) as name')).rows[0].name);
  const archived = () => connected(original.url, async (client) => (await client.query<{ last: string | null }>('select last_archived_wal as last from pg_stat_archiver')).rows[0].last ?? '');
  await expect.poll(archived, { timeout: 30_000 }).toSatisfy((last: string) => last >= segment);

  const cluster = join(copy, 'postgres', 'cluster');
  rmSync(join(cluster, 'pg_wal'), { recursive: true });
  mkdirSync(join(cluster, 'pg_wal', 'archive_status'), { recursive: true });
  appendFileSync(join(cluster, 'postgresql.auto.conf'), `archive_mode = off\nrestore_command = 'cp ${archive}/%f %p'\nrecovery_target_name = 'the moment'\nrecovery_target_action = 'promote'\n`);
  writeFileSync(join(cluster, 'recovery.signal'), '');
  giveToPostgres(home, cluster);
  const restored = await open(copy);
  await connected(restored.url, verifyJournal);
  const successor = await PostgresJournal.lead({ url: restored.url, holder: 'successor', waitMillis: 10_000 });
  const { engine } = await recover({ journal: successor });
  expect([engine.sequence, engine.stateHash()]).toEqual([moment.sequence, moment.stateHash]);
  await expect(marks.check(successor, undefined)).rejects.toThrow(`ACCEPT_JOURNAL_END=${moment.sequence}`);
  await successor.close();
  await journal.close();
});
