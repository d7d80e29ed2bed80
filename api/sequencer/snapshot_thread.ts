/**
 * Takes a snapshot without asking anything of the market's thread: in a thread of its own it brings an
 * engine to where the journal is, from the last snapshot on, and keeps that. So the market never stands
 * still for it, every command is executed a second time and compared, all invariants are looked at, and
 * each snapshot is proved usable by the next.
 */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import { RULES_VERSION } from '../../engine/rules.ts';
import { LITTLE_ROOM } from '../../engine/state.ts';
import { KEEP_ALIVE } from '../../db/forgotten.ts';
import { copyRows } from '../../db/copy_out.ts';
import { readRowOf } from '../../db/journal_reader.ts';
import { PostgresSnapshots } from '../../db/snapshots.ts';
import type { SnapshotStore } from '../../db/snapshots.ts';
import { Unsound, requireSound } from './invariant_watch.ts';
import { recover } from './recovery.ts';
import type { RecoverOptions } from './recovery.ts';

/** What the worker is started with to do this instead of leading. */
export interface SnapshotTask {
  kind: 'snapshot';
  url: string;
}
export type SnapshotReport = { kind: 'saved'; sequence: number } | { kind: 'failed' | 'unsound'; message: string };

/** A snapshot that is being taken. */
export interface Taking {
  /** Its sequence; rejects when it could not be taken, with Unsound when an invariant does not hold. */
  done: Promise<number>;
  /** Gives it up. */
  end(): Promise<void>;
}

const CONNECT_MILLIS = 5_000;
/** A tenth of what a thread of the market gets where both want the same core. */
const NICE = 10;
const WRITE_BYTES_PER_SECOND = 12 << 20;

export const isSnapshotTask = (data: unknown): data is SnapshotTask => (data as SnapshotTask | undefined)?.kind === 'snapshot';

/** In a thread. @param file the bundle that takes a snapshot when it is started with a SnapshotTask, and posts a SnapshotReport */
export function takeInThread(file: URL, url: string): Taking {
  const thread = new Worker(file, { workerData: { kind: 'snapshot', url } satisfies SnapshotTask });
  const done = new Promise<number>((resolve, reject) => {
    thread.once('message', (report: SnapshotReport) => (report.kind === 'saved' ? resolve(report.sequence) : reject(report.kind === 'unsound' ? new Unsound(report.message) : new Error(report.message))));
    thread.once('error', reject);
    thread.once('exit', () => reject(new Error('it was given up')));
  });
  return { done, end: async () => void (await thread.terminate()) };
}

/** What the thread does when it has yielded to others. @returns as `takeSnapshot` */
export async function performTask({ url }: SnapshotTask): Promise<number> {
  const client = new pg.Client({ connectionString: url, application_name: 'compute-credit-exchange snapshot', connectionTimeoutMillis: CONNECT_MILLIS, ...KEEP_ALIVE });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const journal = { rowOf: (sequence: number) => readRowOf(client, sequence), rows: (sequence: number) => copyRows(url, sequence) };
    return await takeSnapshot({ journal, snapshots: new PostgresSnapshots(url, { bytesPerSecond: WRITE_BYTES_PER_SECOND }), room: LITTLE_ROOM });
  } finally {
    await client.end();
  }
}

/** @returns its sequence. @throws Error when the journal does not give its events again, or what was written is not what is read; Unsound when an invariant does not hold */
export async function takeSnapshot({ snapshots, ...options }: RecoverOptions & { snapshots: SnapshotStore }): Promise<number> {
  const { engine, journalHash, snapshotSequence } = await recover({ ...options, snapshots });
  if (engine.sequence === snapshotSequence) return engine.sequence;
  requireSound(engine);
  await snapshots.save({ sequence: engine.sequence, rulesVersion: RULES_VERSION, journalHash, state: engine.snapshot() });
  return engine.sequence;
}

/** On Linux a thread has a priority of its own. The market's comes first. */
export function yieldToOthers(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), NICE);
  } catch {
    // Then it is only less polite.
  }
}
