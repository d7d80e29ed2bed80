/**
 * Counts requests from when they come to when they are answered or their connection is gone. Beyond a bound
 * clients are better told to come again: they would only wait for each other, and fill memory meanwhile.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Refusals on one connection between two looks at others. A client that reads its answers sends no more at once than it can do with. */
const REFUSED_MAX = 64;

interface Connection {
  count: number;
  /** Requests in this turn that were refused. */
  refused: number;
}

export class UnderWay {
  readonly maximum: number;
  count = 0;
  /** Of each connection: an answer that waits behind others on it is never told that it was closed. */
  private readonly connections = new WeakMap<Socket, Connection>();

  constructor(maximum: number) {
    this.maximum = maximum;
  }

  /** @returns false, and counts nothing, when there are too many */
  enter({ socket }: Pick<IncomingMessage, 'socket'>, response: Pick<ServerResponse, 'once'>): boolean {
    if (this.count >= this.maximum) return false;
    const own = this.connectionOf(socket);
    own.count++;
    this.count++;
    response.once('close', () => this.leave(own, Math.min(1, own.count)));
    return true;
  }

  /**
   * Told of each refusal: whether the connection is to be closed behind it, because what it sends without waiting for answers
   * would be refused for seconds, while nobody else is looked at.
   */
  floods({ socket }: Pick<IncomingMessage, 'socket'>): boolean {
    const own = this.connectionOf(socket);
    if (own.refused++ === 0) setImmediate(() => (own.refused = 0));
    return own.refused > REFUSED_MAX;
  }

  private connectionOf(socket: Socket): Connection {
    return this.connections.get(socket) ?? this.follow(socket);
  }

  private follow(socket: Socket): Connection {
    const own = { count: 0, refused: 0 };
    this.connections.set(socket, own);
    socket.once('close', () => this.leave(own, own.count));
    return own;
  }

  private leave(own: Connection, count: number): void {
    own.count -= count;
    this.count -= count;
  }
}
