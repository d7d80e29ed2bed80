/** Starts the projector's worker and stops it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

/** For which a transaction is waited for when the thread is to end: a server that is stopped has seconds for everything. */
export const TRANSACTION_MILLIS_MAX = 1_500;
/** One that is amid rows without a look at what it is told says nothing until it has read them. */
const STOP_MILLIS_MAX = TRANSACTION_MILLIS_MAX + 1_000;

/** From the worker. */
export type ProjectorNotice =
  /** Wants to know where the database is. */
  | { kind: 'ask' }
  /** The tables are there; it follows the journal, or waits for another that does. */
  | { kind: 'ready' }
  /** Nothing of the database is open any more. */
  | { kind: 'stopped' }
  | { kind: 'problem'; message: string };
/** To the worker. */
export type ProjectorRequest = { kind: 'url'; url: string } | { kind: 'stop' };

export interface ProjectorWorkerOptions {
  /** The bundle of projector_worker.ts. */
  file: URL | string;
  /** Where the database is now. */
  url: () => string;
  /** Told what went wrong; the worker tries again by itself. */
  onProblem: (message: string) => void;
}

export interface ProjectorWorker {
  /** Lets the transaction under way end, unless that takes long. */
  stop(): Promise<void>;
}

/**
 * Resolves when the projections' tables are there.
 * @throws Error when the worker ends before, as with tables of a newer version
 */
export async function startProjector({ file, url, onProblem }: ProjectorWorkerOptions): Promise<ProjectorWorker> {
  const worker = new Worker(file);
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const send = (request: ProjectorRequest): void => worker.postMessage(request);
  let lastProblem = 'the projector ended';
  worker.on('error', (error: Error) => onProblem(error.message));
  let hasStopped: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => (hasStopped = resolve));
  await new Promise<void>((resolve, reject) => {
    worker.on('message', (notice: ProjectorNotice) => {
      if (notice.kind === 'ask') send({ kind: 'url', url: url() });
      else if (notice.kind === 'ready') resolve();
      else if (notice.kind === 'stopped') hasStopped();
      else onProblem((lastProblem = notice.message));
    });
    void ended.then(() => reject(new Error(lastProblem)));
  });
  return {
    stop: async () => {
      send({ kind: 'stop' });
      await Promise.race([stopped, ended, sleep(STOP_MILLIS_MAX, undefined, { ref: false })]);
      // Not waited for: a thread ends only when nothing of the whole process is being compiled, and one that cannot listen is cut off.
      void worker.terminate();
    },
  };
}
