/**
 * Counts requests from when they come to when they are answered or their connection is gone. Beyond a bound
 * clients are better told to come again: they would only wait for each other, and fill memory meanwhile.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export class UnderWay {
  readonly maximum: number;
  count = 0;
  /** Of each connection: an answer that waits behind others on it is never told that it was closed. */
  private readonly connections = new WeakMap<Socket, { count: number }>();

  constructor(maximum: number) {
    this.maximum = maximum;
  }

  /** @returns false, and counts nothing, when there are too many */
  enter({ socket }: Pick<IncomingMessage, 'socket'>, response: Pick<ServerResponse, 'once'>): boolean {
    if (this.count >= this.maximum) return false;
    const own = this.connections.get(socket) ?? this.follow(socket);
    own.count++;
    this.count++;
    response.once('close', () => this.leave(own, Math.min(1, own.count)));
    return true;
  }

  private follow(socket: Socket): { count: number } {
    const own = { count: 0 };
    this.connections.set(socket, own);
    socket.once('close', () => this.leave(own, own.count));
    return own;
  }

  private leave(own: { count: number }, count: number): void {
    own.count -= count;
    this.count -= count;
  }
}
