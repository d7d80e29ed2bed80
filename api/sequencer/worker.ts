/** The thread in which the market lives. Speaks with the thread that started it in the messages of messages.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { AllocationAuthoriser } from './authoriser.ts';
import { Leader } from './leader.ts';
import type { LeaderOptions } from './leader.ts';
import type { Request, WorkerMessage } from './messages.ts';

const port = parentPort;
if (port === null) throw new Error('this runs as a worker thread');

const leader = new Leader(workerData as LeaderOptions, {
  channel: { post: (replies, transfer) => port.postMessage({ kind: 'replies', replies } satisfies WorkerMessage, transfer) },
  authoriser: new AllocationAuthoriser(),
  say: (line) => port.postMessage({ kind: 'say', line } satisfies WorkerMessage),
  onFollowing: (sequence) => port.postMessage({ kind: 'following', sequence } satisfies WorkerMessage),
});
port.on('message', (requests: Request[]) => leader.receive(requests));
await leader.start();
