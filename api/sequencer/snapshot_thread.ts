/**
 * Follows the journal without asking anything of the market's thread: in a thread of its own it brings an engine to where the journal is, from
 * the last snapshot on, and keeps that as the next, or tells the hash of the state at a sequence. So the market never stands
 * still for either, every command is executed a second time and compared, and each snapshot is proved
 * usable by the next.
 */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import { RULES_VERSION } from '../../engine/rules.ts';
import { KEEP_ALIVE } from '../../db/forgotten.ts';
import { copyRows } from '../../db/copy_out.ts';
import { readRowOf } from '../../db/journal_reader.ts';
import { PostgresSnapshots } from '../../db/snapshots.ts';
import type { JournalRow } from '../../db/journal_record.ts';
import type { SnapshotStore } from '../../db/snapshots.ts';
import { recover } from './recovery.ts';
import type { RecoverOptions } from './recovery.ts';

/** What the worker is started with to do this instead of leading. hashAt: where a row of the journal ends. */
export type FollowTask = { kind: 'snapshot'; url: string } | { kind: 'hash'; url: string; hashAt: number };
/** What it comes to: the sequence of the snapshot, or the hash. */
type FollowOutcome = number | string;
export type FollowReport = { kind: 'done'; outcome: FollowOutcome } | { kind: 'failed'; message: string };

/** A thread that is under way. */
export interface Following<Outcome> {
  /** Rejects when it could not be come to. */
  done: Promise<Outcome>;
  /** Gives it up. */
  end(): Promise<void>;
}

const CONNECT_MILLIS = 5_000;
/** A tenth of what a thread of the market gets where both want the same core. */
const NICE = 10;
const WRITE_BYTES_PER_SECOND = 12 << 20;

export const isFollowTask = (data: unknown): data is FollowTask => ['snapshot', 'hash'].includes((data as FollowTask | undefined)?.kind ?? '');

/** In a thread. @param file the bundle that performs a FollowTask when it is started with one, and posts a FollowReport. @returns with the sequence of the snapshot */
export const takeInThread = (file: URL | string, url: string): Following<number> => follow<number>(file, { kind: 'snapshot', url });
/** As `takeInThread`, with the state's hash. @param sequence where a row of the journal ends */
export const hashInThread = (file: URL | string, url: string, sequence: number): Following<string> => follow<string>(file, { kind: 'hash', url, hashAt: sequence });

function follow<Outcome extends FollowOutcome>(file: URL | string, task: FollowTask): Following<Outcome> {
  const thread = new Worker(file, { workerData: task });
  const done = new Promise<Outcome>((resolve, reject) => {
    thread.once('message', (report: FollowReport) => (report.kind === 'done' ? resolve(report.outcome as Outcome) : reject(new Error(report.message))));
    thread.once('error', reject);
    thread.once('exit', () => reject(new Error('it was given up')));
  });
  return { done, end: async () => void (await thread.terminate()) };
}

/** What the thread does. */
export async function performTask(task: FollowTask): Promise<FollowOutcome> {
  yieldToOthers();
  const { url } = task;
  const client = new pg.Client({ connectionString: url, application_name: 'compute-credit-exchange snapshot', connectionTimeoutMillis: CONNECT_MILLIS, ...KEEP_ALIVE });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const journal = { rowOf: (sequence: number) => readRowOf(client, sequence), rows: (sequence: number) => copyRows(url, sequence) };
    const snapshots = new PostgresSnapshots(url, { bytesPerSecond: WRITE_BYTES_PER_SECOND });
    return await (task.kind === 'snapshot' ? takeSnapshot({ journal, snapshots }) : hashAt(task.hashAt, { journal, snapshots }));
  } finally {
    await client.end();
  }
}

/** @throws Error when the journal does not give its events again, or no row of it ends at the sequence */
export async function hashAt(sequence: number, { journal, snapshots }: RecoverOptions): Promise<string> {
  const rows = (from: number): AsyncIterable<JournalRow> => upTo(sequence, journal.rows(from));
  const { engine } = await recover({ journal: { ...journal, rows }, snapshots, snapshotSequenceMaximum: sequence });
  if (engine.sequence !== sequence) throw new Error(`the journal has no row that ends at ${sequence}`);
  return engine.stateHash();
}

async function* upTo(sequence: number, rows: AsyncIterable<JournalRow>): AsyncGenerator<JournalRow> {
  for await (const row of rows) {
    if (row.lastSequence > sequence) return;
    yield row;
  }
}

/** @returns its sequence. @throws Error when the journal does not give its events again, or what was written is not what is read */
export async function takeSnapshot({ snapshots, ...options }: RecoverOptions & { snapshots: SnapshotStore }): Promise<number> {
  const { engine, journalHash, snapshotSequence } = await recover({ ...options, snapshots });
  if (engine.sequence > snapshotSequence) await snapshots.save({ sequence: engine.sequence, rulesVersion: RULES_VERSION, journalHash, state: engine.snapshot() });
  return engine.sequence;
}

/** On Linux a thread has a priority of its own. The market's comes first. */
function yieldToOthers(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), NICE);
  } catch {
    // Then it is only less polite.
  }
}
