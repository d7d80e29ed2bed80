/** Live data: clients that stop reading, and frames that never arrive. */
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import { checksumOf } from '../../api/market/wire.ts';
import type { BookData, LevelPair } from '../../api/market/wire.ts';
import type { Message } from '../../api/realtime/messages.ts';
import type { Fault } from './fault.ts';
import { memoryOf, pause, until } from './server_process.ts';

const DROPPED_SHARE = 0.1;
const MEMORY_GROWTH_MAX = 64 * 2 ** 20;
const SETTLE_MILLIS = 30_000;

/** A client that keeps the book, notices every gap and asks for what it missed. */
class Follower {
  readonly socket: Socket;
  gaps = 0;
  dropped = 0;
  mistakes = 0;
  private readonly instrument: string;
  private readonly bids = new Map<string, string>();
  private readonly asks = new Map<string, string>();
  private last: number | null = null;
  private dropping: boolean;

  constructor(url: string, instrument: string, dropping: boolean) {
    this.instrument = instrument;
    this.dropping = dropping;
    this.socket = io(`${url}/market`, { transports: ['websocket'], forceNew: true });
    this.socket.on('message', (message: Message) => {
      if (this.dropping && message.type === 'update' && Math.random() < DROPPED_SHARE) this.dropped++;
      else this.take(message);
    });
  }

  async subscribe(): Promise<void> {
    await this.socket.timeout(SETTLE_MILLIS).emitWithAck('subscribe', { channel: 'book', instrument: this.instrument });
  }

  /** No more frames are lost; the book becomes whole with the next one. */
  heal(): void {
    this.dropping = false;
  }

  get isWhole(): boolean {
    return this.last !== null;
  }

  /** Reads nothing more, and does not hear either that the other side ends the connection. */
  stall(): void {
    (this.socket.io.engine.transport as unknown as { ws: { _socket: { pause(): void } } }).ws._socket.pause();
  }

  /** Also of one that is stalled. */
  end(): void {
    (this.socket.io.engine?.transport as unknown as { ws?: { terminate(): void } } | undefined)?.ws?.terminate();
    this.socket.disconnect();
  }

  private take({ type, seq, prev_seq, data }: Message): void {
    if (type !== 'snapshot' && prev_seq !== this.last) {
      if (this.last !== null) this.gaps++;
      this.last = null;
      void this.socket.emit('subscribe', { channel: 'book', instrument: this.instrument }, () => undefined);
      this.socket.emit('resume', { channel: 'book', instrument: this.instrument, since_seq: 0 }, () => undefined);
      return;
    }
    const { bids, asks, checksum } = data as BookData;
    if (type === 'snapshot') for (const side of [this.bids, this.asks]) side.clear();
    write(this.bids, bids);
    write(this.asks, asks);
    this.last = seq;
    if (checksumOf(sorted(this.bids, -1), sorted(this.asks, 1)) !== checksum) this.mistakes++;
  }
}

function write(side: Map<string, string>, levels: readonly LevelPair[]): void {
  for (const [price, quantity] of levels) {
    if (quantity === '0') side.delete(price);
    else side.set(price, quantity);
  }
}
const sorted = (side: Map<string, string>, direction: 1 | -1): LevelPair[] => [...side].sort(([a], [b]) => (Number(a) - Number(b)) * direction);

const framesDropped: Fault = {
  name: 'frames dropped',
  times: { short: 5, long: 50 },
  async run(world, times) {
    await world.progress(5);
    const { instrument } = world.load.bodyOf('x-0') as { instrument: string };
    const followers = Array.from({ length: times }, () => new Follower(world.server.url, instrument, true));
    await Promise.all(followers.map((follower) => follower.subscribe()));
    const findings: string[] = [];
    await until('frames to be lost', () => followers.every(({ dropped }) => dropped > 0), SETTLE_MILLIS).catch((error: Error) => findings.push(error.message));
    for (const follower of followers) follower.heal();
    await until('every book to be whole', () => followers.every(({ isWhole }) => isWhole), SETTLE_MILLIS).catch((error: Error) => findings.push(error.message));
    await pause(500);
    const mistakes = followers.reduce((sum, follower) => sum + follower.mistakes, 0);
    const lost = followers.reduce((sum, { dropped }) => sum + dropped, 0);
    const unnoticed = followers.filter(({ dropped, gaps }) => dropped > 0 && gaps === 0).length;
    if (mistakes > 0) findings.push(`${mistakes} books differ from their checksum`);
    if (unnoticed > 0) findings.push(`${unnoticed} clients noticed nothing`);
    for (const follower of followers) follower.end();
    return { times: lost, findings, note: `${times} clients` };
  },
};

const socketsStalled: Fault = {
  name: 'sockets that stop reading',
  times: { short: 20, long: 200 },
  async run(world, times) {
    await world.progress(5);
    const { instrument } = world.load.bodyOf('x-0') as { instrument: string };
    const reader = new Follower(world.server.url, instrument, false);
    await reader.subscribe();
    const stalled = Array.from({ length: times }, () => new Follower(world.server.url, instrument, false));
    await Promise.all(stalled.map((follower) => follower.subscribe()));
    const before = await memoryOf(world.server);
    for (const follower of stalled) follower.stall();
    await world.progress(world.long ? 2_000 : 200);
    const grown = (await memoryOf(world.server)) - before;
    const findings: string[] = [];
    if (grown > MEMORY_GROWTH_MAX) findings.push(`memory grew by ${Math.round(grown / 2 ** 20)} MiB`);
    if (reader.mistakes > 0 || reader.gaps > 0) findings.push(`the others had ${reader.gaps} gaps and ${reader.mistakes} mistakes`);
    for (const follower of [reader, ...stalled]) follower.end();
    return { times, findings, note: `memory grew by ${Math.round(grown / 2 ** 20)} MiB` };
  },
};

export const socketFaults: Fault[] = [framesDropped, socketsStalled];
