/**
 * The projector in a thread of its own, so that it disturbs neither the engine nor the api. What
 * fails is tried again: the projections fall behind meanwhile, nothing else.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { Projector } from './projections/projector.ts';
import { NewerProjection } from './projections/positions.ts';
import { TRANSACTION_MILLIS_MAX } from './projector.ts';
import type { ProjectorNotice, ProjectorRequest } from './projector.ts';

/** The first wait after a failure, and between looks at whether another projector still follows; it doubles with each further failure. */
const RETRY_MILLIS = 500;
const RETRY_MILLIS_MAX = 15_000;

const port = parentPort;
if (port === null) throw new Error('this is a worker of the server');
const stopping = new AbortController();
let following: Projector | undefined;
const tell = (notice: ProjectorNotice): void => port.postMessage(notice);

let answer: (url: string) => void = () => undefined;
port.on('message', (request: ProjectorRequest) => {
  if (request.kind === 'url') answer(request.url);
  else stop();
});

/** Where the database is now: an embedded one may have moved to another port. */
function databaseUrl(): Promise<string> {
  return new Promise((resolve) => {
    answer = resolve;
    tell({ kind: 'ask' });
  });
}

/** Of a transaction that takes long nothing is kept: the next projector begins it again. */
function stop(): void {
  stopping.abort();
  setTimeout(() => void following?.close(), TRANSACTION_MILLIS_MAX).unref();
}

/** Until the connection breaks or the thread is to end. */
async function follow(): Promise<void> {
  const projector = await Projector.open({ url: await databaseUrl() });
  following = projector;
  tell({ kind: 'ready' });
  if (projector === undefined) return;
  try {
    await projector.run(stopping.signal);
  } finally {
    await projector.close();
  }
}

let failures = 0;
while (!stopping.signal.aborted) {
  const started = performance.now();
  try {
    await follow();
    failures = 0;
  } catch (error) {
    if (!stopping.signal.aborted) tell({ kind: 'problem', message: error instanceof Error ? error.message : String(error) });
    if (error instanceof NewerProjection) break;
    failures = performance.now() - started > RETRY_MILLIS_MAX ? 1 : failures + 1;
  }
  const wait = Math.min(RETRY_MILLIS * 2 ** Math.max(failures - 1, 0), RETRY_MILLIS_MAX);
  await sleep(wait, undefined, { signal: stopping.signal }).catch(() => undefined);
}
tell({ kind: 'stopped' });
port.close();
