import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Lane } from '../gateway/relay/lanes.ts';
import { Seal } from './seal.ts';
import { SharedRooms } from './shared_rooms.ts';

/** Redis as far as it is needed here: what one publishes all hear, later. */
const redis = vi.hoisted(() => ({ clients: [] as EventEmitter[], isAway: false }));
vi.mock('./redis.ts', () => ({
  connectRedis: () => {
    const client = Object.assign(new EventEmitter(), {
      status: 'ready', subscribe: () => Promise.resolve(), disconnect: () => void redis.clients.splice(redis.clients.indexOf(client), 1),
      publish: (_place: string, bytes: Buffer) => {
        if (!redis.isAway) setTimeout(() => redis.clients.forEach((other) => other.emit('messageBuffer', Buffer.alloc(0), bytes)), 3);
        return Promise.resolve();
      },
    });
    redis.clients.push(client);
    return client;
  },
}));

const ROOM = 32;
const NOBODY = { aborted: false, addEventListener: () => undefined, removeEventListener: () => undefined };

/** A gateway with one endpoint. */
class Gateway {
  readonly lane = new Lane();
  readonly rooms = new SharedRooms({ redisUrl: '', seal: new Seal(Buffer.alloc(32)) });
  constructor() {
    this.rooms.begin(() => new Map([['e', { taken: this.lane.taken, wanted: this.lane.wanted }]]), () => this.lane.admit(this.share));
  }
  get share(): number {
    return this.rooms.share('e', ROOM);
  }
  ask(requests: number): void {
    const entry = { flow: 1, weight: 1, cost: 1, room: 1 };
    for (let index = 0; index < requests; index++) if (!this.lane.tryEnter(entry, this.share)) void this.lane.wait(entry, 60_000, NOBODY);
  }
  end(requests: number): void {
    for (let index = 0; index < requests; index++) this.lane.left(1, this.share);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  redis.isAway = false;
});
afterEach(() => vi.useRealTimers());

test('gateways never take more together than an endpoint serves, and one alone takes all of it', () => {
  const one = new Gateway();
  one.ask(50);
  expect(one.lane.taken).toBe(ROOM);
  one.end(50);
  const other = new Gateway();
  vi.advanceTimersByTime(500);
  expect([one.share, other.share]).toEqual([16, 16]);
  one.ask(40);
  expect(one.lane.taken).toBe(16);
  // The second comes while the first is about to be given its part.
  vi.advanceTimersByTime(60);
  other.ask(40);
  for (let step = 0; step < 40; step++) {
    vi.advanceTimersByTime(7);
    expect(one.lane.taken + other.lane.taken).toBeLessThanOrEqual(ROOM);
  }
  other.end(40);
  vi.advanceTimersByTime(500);
  expect(one.lane.taken).toBe(ROOM);
  redis.isAway = true;
  vi.advanceTimersByTime(1_500);
  expect([one.share, other.share]).toEqual([16, 16]);
  redis.isAway = false;
  other.rooms.close();
  vi.advanceTimersByTime(3_000);
  expect(one.share).toBe(ROOM);
  one.rooms.close();
});
