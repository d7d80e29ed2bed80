/** The open rooms of a namespace. A room outlives its last subscriber a while, for those who come back. */
import type { Namespace } from 'socket.io';
import type { Connection } from './connection.ts';
import type { Message } from './messages.ts';
import { Pace } from './pace.ts';
import { Room } from './room.ts';
import type { Audience, Progress, Source } from './room.ts';

const KEPT_EMPTY_MILLIS = 60_000;
const SWEEP_MILLIS = 10_000;

/** A frame is serialised once for all sockets of the room, and stays in this process. */
class SocketAudience implements Audience<Connection> {
  private readonly namespace: Namespace;

  constructor(namespace: Namespace) {
    this.namespace = namespace;
  }

  toRoom(room: string, message: Message): void {
    this.namespace.local.to(room).emit('message', message);
  }
  toEach(members: readonly Connection[], message: Message): void {
    this.namespace.local.to(members.map(({ id }) => id)).emit('message', message);
  }
  enter(room: string, member: Connection): void {
    member.enter(room);
  }
  exit(room: string, member: Connection): void {
    member.exit(room);
  }
}

export interface RoomPlan {
  channel: string;
  instrument: string | null;
  /** Unique in its namespace. */
  name: string;
  /** Milliseconds between frames. */
  interval: number;
  /** What the room tells, and how it learns that there is something to tell; `attach` returns the detachment. */
  open(): { source: Source; attach: (room: Room<Connection>) => () => void };
}

export class RoomTable {
  private readonly rooms = new Map<string, { room: Room<Connection>; detach: () => void }>();
  private readonly audience: SocketAudience;
  private readonly progress: Progress;
  private readonly onError: (error: unknown) => void;
  private readonly pace: Pace;
  private readonly sweeper: NodeJS.Timeout;

  constructor(namespace: Namespace, progress: Progress, onError: (error: unknown) => void) {
    this.audience = new SocketAudience(namespace);
    this.progress = progress;
    this.onError = onError;
    this.pace = new Pace(onError);
    this.sweeper = setInterval(() => this.sweep(performance.now()), SWEEP_MILLIS);
    this.sweeper.unref();
  }

  get size(): number {
    return this.rooms.size;
  }

  /** The room of that name, opened when it is not. */
  open(plan: RoomPlan): Room<Connection> {
    const known = this.rooms.get(plan.name);
    if (known !== undefined) return known.room;
    const { channel, instrument, name, interval } = plan;
    const { audience, progress, onError } = this;
    const { source, attach } = plan.open();
    const room: Room<Connection> = new Room({
      channel, instrument, name, interval, source, audience, progress, onError, wake: () => this.pace.wake(room),
    });
    this.rooms.set(name, { room, detach: attach(room) });
    return room;
  }

  /** Closes rooms that have been empty long enough. */
  sweep(wallNow: number): void {
    for (const [name, { room, detach }] of this.rooms) {
      if (!room.isEmpty) room.emptySince = 0;
      else if (room.emptySince === 0) room.emptySince = wallNow;
      else if (wallNow - room.emptySince >= KEPT_EMPTY_MILLIS) {
        this.rooms.delete(name);
        detach();
        room.close();
      }
    }
  }

  close(): void {
    clearInterval(this.sweeper);
    this.pace.close();
    for (const { room, detach } of this.rooms.values()) {
      detach();
      room.close();
    }
    this.rooms.clear();
  }
}
