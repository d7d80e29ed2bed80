/** Replays a database's journal and says whether it is whole, what state it leads to, and whether that state is sound. */
import { existsSync } from 'node:fs';
import pg from 'pg';
import { openPostgres } from '../../db/postgres.ts';
import { copyRows } from '../../db/copy_out.ts';
import { readArchived, readHighWater, readRowOf, verifyJournal } from '../../db/journal_reader.ts';
import { PostgresSnapshots } from '../../db/snapshots.ts';
import { recover } from '../sequencer/recovery.ts';
import { replayInThreads } from '../sequencer/replay_thread.ts';
import { WORKER_FILE } from '../sequencer/start.ts';

export interface ReplayJournalOptions {
  databaseUrl: string | undefined;
  dataDir: string;
  /** Start from the newest snapshot before this sequence; undefined: execute every command. */
  from: number | undefined;
  /** The result, line by line. */
  print: (line: string) => void;
  /** What goes on meanwhile. */
  say: (line: string) => void;
}

/**
 * Only reads: a server may be running on the same database.
 * @returns 0 when the invariants hold, 1 when one does not
 * @throws JournalCorrupt, ReplayMismatch naming the sequence
 * @throws Error when there is no journal, or none of it after `from`
 */
export async function replayJournal(options: ReplayJournalOptions): Promise<number> {
  const { databaseUrl, dataDir, say } = options;
  // Whoever mistypes a folder shall not be given a new database there.
  if (databaseUrl === undefined && !existsSync(dataDir)) throw new Error(`there is no folder ${dataDir}: no server has run on it`);
  const postgres = await openPostgres({ databaseUrl, dataDir, say });
  try {
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    try {
      return await replayOf(client, postgres.url, options);
    } finally {
      await client.end();
    }
  } finally {
    // A server that was running, or has come to use it meanwhile, keeps its database.
    if (postgres.started) await postgres.stop({ onlyIfIdle: true });
  }
}

async function replayOf(client: pg.Client, url: string, { from, print, say }: ReplayJournalOptions): Promise<number> {
  const { rows } = await client.query<{ present: boolean }>(`select to_regclass('journal') is not null as present`);
  if (!rows[0].present) throw new Error('this database holds no journal: no server has run on it');
  // Its thread loads its program meanwhile.
  const replay = replayInThreads(WORKER_FILE, url);
  await verifyJournal(client);
  const end = await readHighWater(client);
  if (from !== undefined && from > end) throw new Error(`--from ${from} is beyond the journal: its last command is ${end}`);
  const journal = { rowOf: (sequence: number) => readRowOf(client, sequence), rows: (sequence: number) => copyRows(url, sequence) };
  const { lastSequence: archived } = await readArchived(client);
  if (archived > 0) say(`commands up to ${archived} are archived: execution begins at a snapshot`);
  const snapshots = from === undefined && archived === 0 ? {} : { snapshots: new PostgresSnapshots(url), snapshotSequenceMaximum: from === undefined ? Infinity : from - 1, say };
  const { engine, snapshotSequence, replayedRows, replayedCommands, replayMillis } = await recover({ journal, ...snapshots, replay });
  const broken = engine.checkInvariants().filter(({ ok }) => !ok);
  if (snapshotSequence > 0) print(`snapshot at ${snapshotSequence}`);
  print(`replayed ${replayedCommands} commands of ${replayedRows} batches in ${(replayMillis / 1000).toFixed(2)} s: every event is the same`);
  print(`sequence ${engine.sequence}`);
  print(`engine_time ${new Date(engine.now).toISOString()}`);
  print(`state_hash ${engine.stateHash()}`);
  for (const { number, name, detail } of broken) print(`invariant ${number} (${name}) does not hold: ${detail}`);
  print(broken.length === 0 ? 'invariants hold' : `${broken.length} invariants do not hold`);
  return broken.length === 0 ? 0 : 1;
}
