/**
 * Waits for the lead with a warm engine: what the journal holds is executed as it is written, so that
 * taking over needs only the last rows. A standby reads; until it leads it writes nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { KEEP_ALIVE, giveUpForgotten } from '../../db/forgotten.ts';
import { PostgresJournal, leadership } from '../../db/journal.ts';
import { copyRows } from '../../db/copy_out.ts';
import { readRowOf, readRows } from '../../db/journal_reader.ts';
import type { Queryable } from '../../db/journal_reader.ts';
import { verifyRow } from '../../db/journal_record.ts';
import type { SnapshotStore } from '../../db/snapshots.ts';
import { recover, replayRow } from './recovery.ts';
import type { JournalSource, Recovered } from './recovery.ts';

const POLL_MILLIS = 50;
/** An engine that starts together with its standby leads by then. */
const FIRST_MILLIS = 3_000;
/** A market that nobody has led yet has an engine that is still starting. */
const FOUNDING_MILLIS = 60_000;

export interface StandbyOptions {
  url: string;
  holder: string;
  snapshots: SnapshotStore;
  /** Looks at the whole chain, meanwhile: before it has been looked at, this process is not warm and takes no lead. */
  verify: () => Promise<void>;
  /** While nobody leads, it lets its engine go first for a while. */
  letsFirst: boolean;
  say: (line: string) => void;
  /** Told the last sequence executed, after each look at the journal. */
  onFollowing: (sequence: number) => void;
  onLost: (error: Error) => void;
}

/** The lead, and an engine that has executed all that the journal holds. */
export interface Lead {
  journal: PostgresJournal;
  recovered: Recovered;
}

/**
 * Resolves when the lead has come to this process, however long that takes.
 * @throws JournalCorrupt, ReplayMismatch, and what breaks with the database
 */
export async function standBy({ url, holder, snapshots, verify, letsFirst, say, onFollowing, onLost }: StandbyOptions): Promise<Lead> {
  const client = new pg.Client({ connectionString: url, application_name: 'compute-credit-exchange standby', ...KEEP_ALIVE });
  client.on('error', () => undefined);
  giveUpForgotten(client, url);
  await client.connect();
  try {
    const source: JournalSource = { rowOf: (sequence) => readRowOf(client, sequence), rows: (sequence) => readRows(client, sequence) };
    // From the beginning on: who leads now, and has gone when this process is warm, is not waited for.
    const mayLead = letsFirst ? somebodyLeads(client, performance.now()) : Promise.resolve();
    mayLead.catch(() => undefined);
    const [recovered] = await Promise.all([recover({ journal: { ...source, rows: (sequence) => copyRows(url, sequence) }, snapshots, say }), verify()]);
    const lead = mayLead.then(() => PostgresJournal.lead({ url, holder, waitMillis: Infinity, onLost }));
    const waiting = { over: false };
    const over = (): void => void (waiting.over = true);
    lead.then(over, over);
    while (!waiting.over) {
      await catchUp(source, recovered);
      onFollowing(recovered.engine.sequence);
      await Promise.race([lead, sleep(POLL_MILLIS)]);
    }
    const journal = await lead;
    await catchUp(journal, recovered);
    return { journal, recovered };
  } finally {
    await client.end();
  }
}

/** Resolves also when nobody does, a while after `begun`. */
async function somebodyLeads(client: Queryable, begun: number): Promise<void> {
  for (;;) {
    const { leads, led } = await leadership(client);
    if (leads || performance.now() - begun > (led ? FIRST_MILLIS : FOUNDING_MILLIS)) return;
    await sleep(POLL_MILLIS);
  }
}

async function catchUp(source: JournalSource, recovered: Recovered): Promise<void> {
  const { engine } = recovered;
  for await (const row of source.rows(engine.sequence + 1)) {
    verifyRow(engine.sequence, recovered.journalHash, row);
    replayRow(engine, row);
    recovered.journalHash = row.hash;
    recovered.replayedRows++;
  }
}
