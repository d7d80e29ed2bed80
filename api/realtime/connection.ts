/** One socket of one namespace: how far behind it is, what it follows, and how it is ended. */
import type { Socket } from 'socket.io';
import { CLOSE_REASONS } from './messages.ts';
import type { CloseCode, Message } from './messages.ts';
import type { Member, Room } from './room.ts';

/** Messages that may wait for a connection before it is given snapshots instead. */
const QUEUE_MAX = 32;
/** Beyond so many, answers to its own requests among them, it is closed. */
const QUEUE_CUT = 10 * QUEUE_MAX;
const REQUESTS_PER_SECOND = 200;
/** How long a closed connection may take to go before it is cut: one that has taken nothing hears why when it goes on, after what it was sent before. */
const FAREWELL_MILLIS: Record<CloseCode, number> = { slow_consumer: 15_000, too_many_requests: 1_000, server_closing: 1_000, revoked: 1_000, expired: 1_000 };

export class Connection implements Member {
  readonly id: string;
  /** By channel and instrument: one subscription each. */
  readonly rooms = new Map<string, Room<Connection>>();
  private readonly socket: Socket;
  private queued = 0;
  private second = 0;
  private requests = 0;

  /** @param owedMillis for which it may owe the answer to a ping, which it finds after all that was sent before */
  constructor(socket: Socket, owedMillis: number) {
    this.socket = socket;
    this.id = socket.id;
    this.watchPings(owedMillis);
    // Packets wait in engine.io until the transport has taken those before.
    socket.conn.on('packetCreate', () => this.queued++);
    socket.conn.on('flush', () => (this.queued = 0));
  }

  /** The system takes megabytes for a connection that reads nothing: long before they are full, or the ping is given up, an answer is owed. */
  private watchPings(owedMillis: number): void {
    const { conn } = this.socket;
    let owed: NodeJS.Timeout | undefined;
    const answered = (): void => {
      clearTimeout(owed);
      owed = undefined;
    };
    conn.on('packetCreate', ({ type }: { type: string }) => {
      if (type === 'ping') owed ??= setTimeout(() => this.close('slow_consumer'), owedMillis).unref();
    });
    conn.on('heartbeat', answered);
    conn.once('close', answered);
  }

  /** More waits for it than it can be given. */
  get congested(): boolean {
    return this.queued >= QUEUE_MAX;
  }
  get drained(): boolean {
    return this.queued === 0;
  }

  send(message: Message): void {
    this.socket.emit('message', message);
  }

  /** At once: rooms of this process are kept in its memory. */
  enter(room: string): void {
    void this.socket.join(room);
  }
  exit(room: string): void {
    void this.socket.leave(room);
  }

  /** Takes nothing and asks for more. */
  get hopeless(): boolean {
    return this.queued >= QUEUE_CUT;
  }

  /** Counts a request; false when there are too many in this second. */
  mayRequest(now: number): boolean {
    const second = Math.floor(now / 1_000);
    if (second !== this.second) {
      this.second = second;
      this.requests = 0;
    }
    return ++this.requests <= REQUESTS_PER_SECOND;
  }

  /**
   * Says why and ends the connection. Who has lost the right to it leaves this namespace for good; else the
   * whole connection goes, so that the client comes back by itself. What does not go is cut.
   */
  close(code: CloseCode): void {
    const { conn } = this.socket;
    this.socket.emit('closed', { code, message: CLOSE_REASONS[code] });
    if (code === 'revoked' || code === 'expired') {
      this.socket.disconnect();
      return;
    }
    conn.close();
    const late = setTimeout(() => conn.close(true), FAREWELL_MILLIS[code]).unref();
    conn.once('close', () => clearTimeout(late));
  }
}
