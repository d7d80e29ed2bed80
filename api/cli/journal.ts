/**
 * `npm run journal -- verify | archive --into FOLDER [--keep-days N] | restore --from FOLDER`: looks at
 * the whole chain, moves old rows into files, and puts them back.
 */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import pg from 'pg';
import { archiveJournal, KEEP_DAYS_MIN, restoreArchive } from '../../db/journal_archive.ts';
import { readArchived, readLastRow, verifyJournal } from '../../db/journal_reader.ts';
import { openPostgres } from '../../db/postgres.ts';
import { readConfig } from '../config.ts';
import { UsageError, exitCodeOf, readArguments, wholeNumber } from './arguments.ts';

const USAGE = `usage: npm run journal -- verify
       npm run journal -- archive --into FOLDER [--keep-days N]
       npm run journal -- restore --from FOLDER`;
const KEEP_DAYS = 30;

async function verify(client: pg.Client): Promise<void> {
  await verifyJournal(client);
  const { lastSequence } = await readArchived(client);
  const last = await readLastRow(client);
  console.log(`the chain is whole from ${lastSequence + 1} to ${last?.lastSequence ?? lastSequence}${lastSequence > 0 ? `; what was before is archived` : ''}`);
}

async function archive(client: pg.Client, folder: string, keepDays: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await verifyJournal(client);
  const archived = await archiveJournal(client, folder, keepDays);
  if (archived === undefined) console.log(`nothing to archive: rows stay until they are ${keepDays} days old and every snapshot and projection includes them`);
  else console.log(`moved ${archived.rows} rows, commands ${archived.firstSequence} to ${archived.lastSequence}, to ${archived.file}`);
}

async function restore(client: pg.Client, folder: string): Promise<void> {
  console.log(`put back ${await restoreArchive(client, folder)} rows`);
  await verify(client);
}

function chosen(): (client: pg.Client) => Promise<void> {
  const { values, positionals } = readArguments(USAGE, {
    allowPositionals: true, options: { into: { type: 'string' }, from: { type: 'string' }, 'keep-days': { type: 'string', default: String(KEEP_DAYS) } },
  });
  const [command, ...rest] = positionals;
  const { into, from } = values;
  const keepDays = wholeNumber(USAGE, 'keep-days', values['keep-days'], { least: KEEP_DAYS_MIN });
  if (rest.length > 0) throw new UsageError(USAGE);
  if (command === 'verify') return verify;
  if (command === 'archive' && into !== undefined) return (client) => archive(client, resolve(into), keepDays);
  if (command === 'restore' && from !== undefined) return (client) => restore(client, resolve(from));
  throw new UsageError(USAGE);
}

async function main(): Promise<number> {
  const run = chosen();
  const { databaseUrl, dataDir } = readConfig(process.env);
  const postgres = await openPostgres({ databaseUrl, dataDir, say: (line) => console.error(line) });
  const client = new pg.Client({ connectionString: postgres.url });
  try {
    await client.connect();
    const { rows } = await client.query<{ present: boolean }>(`select to_regclass('journal_archive') is not null as present`);
    if (!rows[0].present) throw new Error('this database holds no journal of this version: no server has run on it');
    await run(client);
    return 0;
  } finally {
    await client.end();
    if (postgres.started) await postgres.stop({ onlyIfIdle: true });
  }
}

process.exitCode = await exitCodeOf(main);
