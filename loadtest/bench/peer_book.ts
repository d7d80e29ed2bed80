/**
 * nodejs-order-book in a process of its own, which knows nothing of how the engine's is compiled: the rounds of the engine
 * benchmark that are the peer's. It makes the same operations from the same seed, and runs a round when it is told to.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { BUY } from '../../engine/vocabulary.ts';
import { YOUNG, collectAndSweep } from './benchmark.ts';
import { CANCEL, TAKE, generateOrderFlow, type Mix, type OrderFlow } from './order_flow.ts';
import { installPeer, loadPeer } from './peer.ts';

const NAME = 'nodejs-order-book';

interface PeerOrder {
  id: string;
  side: 'buy' | 'sell';
  size: number;
  price: number;
  timeInForce: 'GTC' | 'IOC';
}
interface PeerBook {
  limit(order: PeerOrder): { err: Error | null };
  cancel(id: string): unknown;
  depth(): [[number, number][], [number, number][]];
}
interface PeerModule {
  OrderBook: new () => PeerBook;
}

/** What is to be run, over and over. */
export interface PeerTask {
  mix: Mix;
  operations: number;
  seed: number;
}

/** The process as the benchmark sees it. */
export class PeerProcess {
  private readonly child: ChildProcess;

  /** Installs the peer when it is not there. */
  constructor(task: PeerTask, say: (line: string) => void) {
    installPeer(NAME, say);
    this.child = fork(join(dirname(process.argv[1]), 'bench_peer.js'), [JSON.stringify(task)], { execArgv: ['--expose-gc', '--enable-source-maps', ...YOUNG] });
  }

  /** Operations a second. @throws Error when the process has ended */
  async round(): Promise<number> {
    this.child.send('round');
    const [answer] = (await Promise.race([once(this.child, 'message'), once(this.child, 'exit')])) as [unknown];
    if (typeof answer !== 'object' || answer === null || !('rate' in answer)) throw new Error('the process of the peer has ended');
    return Number(answer.rate);
  }

  close(): void {
    this.child.disconnect();
  }
}

/** The process itself. */
export function serve(): void {
  const { mix, operations, seed } = JSON.parse(process.argv[2]) as PeerTask;
  const { OrderBook } = loadPeer<PeerModule>(NAME, NAME, () => undefined);
  const flow = generateOrderFlow(mix, operations, seed);
  const orders = peerOperations(flow);
  // Lives as long as the process: what V8 has compiled goes when the last object of its kind does.
  const first = new OrderBook();
  let rounds = 0;
  process.on('message', () => {
    void peerRate(flow, orders, rounds++ === 0 ? first : new OrderBook()).then((rate) => process.send?.({ rate }));
  });
}

async function peerRate(flow: OrderFlow, operations: readonly (PeerOrder | string)[], book: PeerBook): Promise<number> {
  await collectAndSweep();
  const started = performance.now();
  for (const operation of operations) {
    if (typeof operation === 'string') book.cancel(operation);
    else book.limit(operation);
  }
  const rate = (operations.length * 1_000) / (performance.now() - started);
  verifyPeer(flow, book);
  return rate;
}

/** A limit order, or the id of the one to cancel. */
function peerOperations(flow: OrderFlow): (PeerOrder | string)[] {
  return Array.from({ length: flow.length }, (_, row) => {
    if (flow.kind[row] === CANCEL) return String(flow.target[row]);
    return {
      id: String(row),
      side: flow.side[row] === BUY ? 'buy' : 'sell',
      size: flow.quantity[row],
      price: flow.price[row],
      timeInForce: flow.kind[row] === TAKE ? 'IOC' : 'GTC',
    };
  });
}

/** What rests in the peer's book must be what was placed less what was cancelled and filled. */
function verifyPeer(flow: OrderFlow, book: PeerBook): void {
  const [asks, bids] = book.depth();
  const resting = [...asks, ...bids].reduce((sum, [, quantity]) => sum + quantity, 0);
  if (Math.abs(resting - flow.restingQuantity) > 1e-6) throw new Error(`the peer's book holds ${resting} steps, the reference ${flow.restingQuantity}`);
}
