import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Feed, type FeedMessage, type FeedSocket } from './feed.ts';

type Listener = (...values: unknown[]) => void;

/** A socket whose other end is the test. */
class FakeSocket implements FeedSocket {
  connected = false;
  active = false;
  readonly sent: { event: string; body: Record<string, unknown>; acknowledge?: (answer: unknown) => void }[] = [];
  private readonly listeners = new Map<string, Listener>();

  on(event: string, listener: (...values: never[]) => void): void {
    this.listeners.set(event, listener as Listener);
  }
  emit(event: string, body: Record<string, unknown>, acknowledge?: (answer: unknown) => void): void {
    this.sent.push({ event, body, acknowledge });
  }
  connect(): void {
    this.connected = this.active = true;
    this.receive('connect');
  }
  disconnect(): void {
    this.connected = this.active = false;
  }
  receive(event: string, value?: unknown): void {
    this.listeners.get(event)?.(value);
  }
  lose(reason: string): void {
    this.connected = false;
    this.active = reason !== 'io server disconnect';
    this.receive('disconnect', reason);
  }
  events(): string[] {
    return this.sent.map(({ event }) => event);
  }
}

const message = (type: 'snapshot' | 'update', seq: number, previous: number | null): FeedMessage => ({ channel: 'book', instrument: 'I', type, seq, prev_seq: previous, ts: '2026-12-01T14:00:00Z', data: seq });

function setUp() {
  const socket = new FakeSocket();
  const feed = new Feed(socket);
  const received: unknown[] = [];
  const lives: boolean[] = [];
  const refused: string[] = [];
  feed.start();
  const unsubscribe = feed.subscribe('book', 'I', {
    onMessage: ({ data }) => received.push(data),
    onLive: (live) => lives.push(live),
    onRefused: (code) => refused.push(code),
  });
  return { socket, feed, received, lives, refused, unsubscribe };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('a subscription', () => {
  test('starts with a snapshot and applies what follows it', () => {
    const { socket, received, lives } = setUp();
    expect(socket.sent[0]).toMatchObject({ event: 'subscribe', body: { channel: 'book', instrument: 'I' } });
    socket.receive('message', message('update', 4, 3));
    socket.receive('message', message('snapshot', 5, null));
    socket.receive('message', message('update', 9, 5));
    socket.receive('message', message('update', 9, 5));
    expect(received).toEqual([5, 9]);
    expect(lives.at(-1)).toBe(true);
  });

  test('asks for what it missed and waits for it', () => {
    const { socket, received, lives } = setUp();
    socket.receive('message', message('snapshot', 5, null));
    socket.receive('message', message('update', 7, 6));
    expect(socket.sent.at(-1)).toMatchObject({ event: 'resume', body: { since_seq: 5 } });
    expect(lives.at(-1)).toBe(false);
    socket.receive('message', message('update', 8, 7));
    expect(socket.events().filter((event) => event === 'resume')).toHaveLength(1);
    for (const seq of [6, 7, 8]) socket.receive('message', message('update', seq, seq - 1));
    expect(received).toEqual([5, 6, 7, 8]);
    expect(lives.at(-1)).toBe(true);
  });

  test('starts anew when recovery does not come', () => {
    const { socket } = setUp();
    socket.receive('message', message('snapshot', 5, null));
    socket.receive('message', message('update', 9, 8));
    vi.advanceTimersByTime(3_100);
    expect(socket.sent.at(-1)?.event).toBe('subscribe');
  });

  test('survives a lost connection', () => {
    const { socket, received, lives } = setUp();
    socket.receive('message', message('snapshot', 5, null));
    socket.lose('transport close');
    expect(lives.at(-1)).toBe(false);
    socket.connect();
    socket.receive('message', message('snapshot', 40, null));
    socket.receive('message', message('update', 41, 40));
    expect(received).toEqual([5, 40, 41]);
    expect(lives.at(-1)).toBe(true);
  });

  test('that the server refuses is not asked for again', () => {
    const { socket, refused } = setUp();
    socket.sent[0].acknowledge?.({ ok: false, error: { code: 'invalid_request', message: '' } });
    expect(refused).toEqual(['invalid_request']);
    socket.lose('transport close');
    socket.connect();
    vi.advanceTimersByTime(10_000);
    expect(socket.events()).toEqual(['subscribe']);
  });

  test('ends', () => {
    const { socket, received, unsubscribe } = setUp();
    unsubscribe();
    socket.receive('message', message('snapshot', 5, null));
    expect(socket.sent.at(-1)?.event).toBe('unsubscribe');
    expect(received).toEqual([]);
  });
});

describe('the connection', () => {
  test('is late without its heartbeat', () => {
    const { socket, feed } = setUp();
    expect(feed.state.value).toBe('live');
    vi.advanceTimersByTime(4_100);
    expect(feed.state.value).toBe('stale');
    socket.receive('heartbeat', { counter: 1 });
    expect(feed.state.value).toBe('live');
  });

  test('that is refused asks about the login and tries again later', () => {
    const socket = new FakeSocket();
    const closings: string[] = [];
    const feed = new Feed(socket, ({ code }) => closings.push(code));
    feed.start();
    socket.connected = socket.active = false;
    socket.receive('connect_error', new Error('log in'));
    expect([closings, feed.state.value]).toEqual([['refused'], 'connecting']);
    vi.advanceTimersByTime(1_100);
    expect(feed.state.value).toBe('live');
  });

  test('comes back after the server has ended it, unless nobody wants it', () => {
    const { socket, feed } = setUp();
    socket.lose('io server disconnect');
    vi.advanceTimersByTime(1_100);
    expect(socket.connected).toBe(true);
    feed.stop();
    socket.lose('io server disconnect');
    vi.advanceTimersByTime(1_100);
    expect(socket.connected).toBe(false);
  });
});
