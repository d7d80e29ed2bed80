/** The clients of the realtime benchmark, in a process of their own. */
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import type { Message } from '../../api/realtime/messages.ts';
import { checksumOf } from '../../api/market/wire.ts';
import type { BookData, LevelPair } from '../../api/market/wire.ts';

export interface ClientOrders {
  url: string;
  instrument: string;
  clients: number;
  /** So many of the clients stop reading once they are connected. */
  stalled: number;
}
export interface ClientReport {
  /** (previous sequence, sequence, time received) of every update of every client that reads. */
  frames: Float64Array;
  /** Broken chains and wrong checksums. */
  gaps: number;
  received: number;
}

/** Clients that connect at once. */
const CONNECTING = 50;
/** One client in so many rebuilds the book and checks every checksum. */
const CHECKED = 50;

const clock = (): number => performance.timeOrigin + performance.now();

class Recorder {
  frames = new Float64Array(3 * 2 ** 18);
  length = 0;
  gaps = 0;
  received = 0;

  add(before: number, sequence: number): void {
    if (this.length === this.frames.length) {
      const grown = new Float64Array(2 * this.frames.length);
      grown.set(this.frames);
      this.frames = grown;
    }
    this.frames[this.length++] = before;
    this.frames[this.length++] = sequence;
    this.frames[this.length++] = clock();
  }
}

/** The book as a client keeps it. */
class Rebuilt {
  private readonly bids = new Map<string, string>();
  private readonly asks = new Map<string, string>();

  /** False when the result is not what the server has. */
  apply({ type, data }: Message): boolean {
    const { bids, asks, checksum } = data as BookData;
    if (type === 'snapshot') for (const side of [this.bids, this.asks]) side.clear();
    write(this.bids, bids);
    write(this.asks, asks);
    return checksumOf(sorted(this.bids, -1), sorted(this.asks, 1)) === checksum;
  }
}

function write(side: Map<string, string>, levels: readonly LevelPair[]): void {
  for (const [price, quantity] of levels) {
    if (quantity === '0') side.delete(price);
    else side.set(price, quantity);
  }
}
const sorted = (side: Map<string, string>, direction: 1 | -1): LevelPair[] => [...side].sort(([a], [b]) => (Number(a) - Number(b)) * direction);

type Head = Pick<Message, 'type' | 'seq' | 'prev_seq'>;
const HEAD = /^2\/market,\["message",\{"channel":"book","instrument":"[^"]*","seq":(\d+),"prev_seq":(\d+|null),"ts":"[^"]*","type":"(snapshot|update)",/;

/** Of a message as it comes, undefined when it is something else. */
function headOf(text: unknown): Head | undefined {
  const found = typeof text === 'string' ? HEAD.exec(text) : null;
  return found === null ? undefined : { seq: Number(found[1]), prev_seq: found[2] === 'null' ? null : Number(found[2]), type: found[3] as Head['type'] };
}

/**
 * A thousand clients on the processor that also serves them: those that check nothing look at the head of a message and leave its book unread. Else
 * most of the lag would be the other clients' reading, which in life each does on a machine of its own.
 */
function follow(socket: Socket, recorder: Recorder, checked: boolean): void {
  const book = checked ? new Rebuilt() : undefined;
  let last: number | null = null;
  const hear = ({ type, seq, prev_seq }: Head): void => {
    recorder.received++;
    if (type === 'update') recorder.add(prev_seq ?? 0, seq);
    if (prev_seq !== last) recorder.gaps++;
    last = seq;
  };
  if (book === undefined) {
    const { decoder } = socket.io as unknown as { decoder: { add(text: unknown): void } };
    const decode = decoder.add.bind(decoder);
    decoder.add = (text) => {
      const head = headOf(text);
      if (head === undefined) decode(text);
      else hear(head);
    };
    return;
  }
  socket.on('message', (message: Message) => {
    hear(message);
    if (!book.apply(message)) recorder.gaps++;
  });
}

/** Resolves when subscribed. */
async function connect({ url, instrument }: ClientOrders, recorder: Recorder | undefined, checked: boolean): Promise<void> {
  const socket = io(`${url}/market`, { transports: ['websocket'], forceNew: true, reconnection: false });
  if (recorder !== undefined) follow(socket, recorder, checked);
  await socket.timeout(30_000).emitWithAck('subscribe', { channel: 'book', instrument });
  if (recorder === undefined) stall(socket);
}

/** The client goes on living and reads nothing more. */
function stall(socket: Socket): void {
  const transport: unknown = socket.io.engine.transport;
  (transport as { ws: { _socket: { pause(): void } } }).ws._socket.pause();
}

async function connectAll(orders: ClientOrders, recorder: Recorder): Promise<void> {
  for (let first = 0; first < orders.clients; first += CONNECTING) {
    const count = Math.min(CONNECTING, orders.clients - first);
    await Promise.all(Array.from({ length: count }, (_, index) => {
      const client = first + index;
      return connect(orders, client < orders.stalled ? undefined : recorder, client % CHECKED === 0);
    }));
  }
}

/** Waits for orders, connects, and reports when asked. */
export function serve(): void {
  const recorder = new Recorder();
  process.once('message', (orders) => {
    connectAll(orders as ClientOrders, recorder).then(
      () => process.send?.('ready'),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
    process.once('message', () => {
      const { frames, length, gaps, received } = recorder;
      process.send?.({ frames: frames.slice(0, length), gaps, received } satisfies ClientReport);
    });
  });
  process.once('disconnect', () => process.exit(0));
}
