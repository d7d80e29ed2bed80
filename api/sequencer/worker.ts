/** The thread in which the market lives, or in which its state is kept or its journal compared. Speaks with the thread that started it in the messages of messages.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { AllocationAuthoriser } from './authoriser.ts';
import { compileWhole } from './compiler.ts';
import { Unsound } from './invariant_watch.ts';
import { Leader } from './leader.ts';
import type { LeaderOptions } from './leader.ts';
import type { Request, WorkerMessage } from './messages.ts';
import { compareTask, isCompareTask } from './replay_thread.ts';
import { isSnapshotTask, performTask, yieldToOthers } from './snapshot_thread.ts';
import type { SnapshotReport, SnapshotTask } from './snapshot_thread.ts';
import { meetLargeIds, warmUp } from './warm_up.ts';

const port = parentPort;
if (port === null) throw new Error('this runs as a worker thread');

async function snapshot(task: SnapshotTask): Promise<SnapshotReport> {
  // Before anything else: its beginning takes 70 ms of a processor.
  yieldToOthers();
  meetLargeIds();
  try {
    return { kind: 'saved', sequence: await performTask(task) };
  } catch (error) {
    return { kind: error instanceof Unsound ? 'unsound' : 'failed', message: error instanceof Error ? error.message : String(error) };
  }
}

async function lead(options: LeaderOptions, port: MessagePort): Promise<void> {
  const leader = new Leader(options, {
    channel: { post: (replies, transfer) => port.postMessage({ kind: 'replies', replies } satisfies WorkerMessage, transfer) },
    authoriser: new AllocationAuthoriser(),
    snapshotFile: new URL(import.meta.url),
    say: (line) => port.postMessage({ kind: 'say', line } satisfies WorkerMessage),
    onFollowing: (sequence) => port.postMessage({ kind: 'following', sequence } satisfies WorkerMessage),
  });
  port.on('message', (requests: Request[]) => leader.receive(requests));
  if (options.alone) compileWhole();
  meetLargeIds();
  warmUp();
  await leader.start();
}

if (isCompareTask(workerData)) await compareTask(workerData);
else if (isSnapshotTask(workerData)) port.postMessage(await snapshot(workerData));
else await lead(workerData as LeaderOptions, port);
