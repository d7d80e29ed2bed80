/** Starts the projector's worker and stops it. */
import { Worker } from 'node:worker_threads';

/** From the worker. */
export type ProjectorNotice =
  /** Wants to know where the database is. */
  | { kind: 'ask' }
  /** The tables are there; it follows the journal, or waits for another that does. */
  | { kind: 'ready' }
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
  await new Promise<void>((resolve, reject) => {
    worker.on('message', (notice: ProjectorNotice) => {
      if (notice.kind === 'ask') send({ kind: 'url', url: url() });
      else if (notice.kind === 'ready') resolve();
      else onProblem((lastProblem = notice.message));
    });
    void ended.then(() => reject(new Error(lastProblem)));
  });
  return {
    stop: async () => {
      send({ kind: 'stop' });
      await ended;
    },
  };
}
