/** What the processes of an exchange say to each other comes twice, late, out of order, or not at all: every command is executed once, and all see every batch in order. */
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { Engine } from '../../engine/engine.ts';
import { decodeEventBytes } from '../../engine/codec/event_codec.ts';
import { RULES_VERSION } from '../../engine/rules.ts';
import { MemoryJournal } from '../../db/memory_journal.ts';
import { randomOf } from '../demo/random.ts';
import type { Random } from '../demo/random.ts';
import { AllocationAuthoriser } from '../sequencer/authoriser.ts';
import { SequencerClient } from '../sequencer/client.ts';
import { ManualClock } from '../sequencer/clock.ts';
import { SequencerHost } from '../sequencer/host.ts';
import { TEST_EPOCH } from '../sequencer/in_process.ts';
import type { Line, Reply, Request } from '../sequencer/messages.ts';
import { Unavailable, eventOf } from '../sequencer/port.ts';
import type { CommittedBatch, SequencerPort } from '../sequencer/port.ts';
import { Door } from './door.ts';
import { RemoteSequencer } from './remote_sequencer.ts';
import { Seal } from './seal.ts';

/** A Redis that keeps to nothing: of a hundred messages two are lost, three come late and thirty come again. */
class UnreliableRedis {
  /** False: it is as a Redis should be. */
  bad = true;
  readonly done = { lost: 0, doubled: 0, late: 0 };
  private readonly random: Random;
  private readonly streams = new Map<string, { id: string; bytes: Buffer }[]>();
  private readonly subscribers = new Map<string, Set<Connection>>();
  private nextId = 1;

  constructor(seed: number) {
    this.random = randomOf(seed);
  }

  add(stream: string, bytes: Buffer): void {
    this.carry(() => {
      const entries = this.streams.get(stream) ?? [];
      this.streams.set(stream, entries);
      entries.push({ id: `${this.nextId++}-0`, bytes });
    });
  }
  read(stream: string): { id: string; bytes: Buffer }[] {
    return [...(this.streams.get(stream) ?? [])];
  }
  remove(stream: string, ids: readonly string[]): void {
    this.carry(() => this.streams.set(stream, this.read(stream).filter(({ id }) => !ids.includes(id))));
  }
  publish(place: string, bytes: Buffer): void {
    this.carry(() => {
      for (const connection of this.subscribers.get(place) ?? []) connection.emit('messageBuffer', Buffer.from(place), bytes);
    });
  }
  subscribe(place: string, connection: Connection): void {
    this.subscribers.set(place, (this.subscribers.get(place) ?? new Set()).add(connection));
  }

  private carry(arrive: () => void): void {
    const chance = this.bad ? this.random.below(100) : 100;
    if (chance < 2) return void this.done.lost++;
    if (chance < 5) {
      this.done.late++;
      setTimeout(arrive, this.random.below(40));
      return;
    }
    setImmediate(arrive);
    if (chance >= 35) return;
    this.done.doubled++;
    setTimeout(arrive, this.random.below(200));
  }
}

/** The part of ioredis that the processes use. */
class Connection extends EventEmitter {
  status = 'ready';
  private readonly redis: UnreliableRedis;

  constructor(redis: UnreliableRedis) {
    super();
    this.redis = redis;
    setImmediate(() => this.emit('ready'));
  }
  subscribe(...places: string[]): Promise<void> {
    for (const place of places) this.redis.subscribe(place, this);
    return Promise.resolve();
  }
  publish(place: string, bytes: Buffer): Promise<void> {
    return Promise.resolve(this.redis.publish(place, bytes));
  }
  xadd(...words: unknown[]): Promise<void> {
    return Promise.resolve(this.redis.add(words[0] as string, words.at(-1) as Buffer));
  }
  async callBuffer(_command: string, ...words: string[]): Promise<unknown> {
    await sleep(2);
    const stream = words[words.indexOf('STREAMS') + 1];
    const entries = this.redis.read(stream);
    return entries.length === 0 ? null : [[stream, entries.map(({ id, bytes }) => [id, ['m', bytes]])]];
  }
  call(_command: string, stream: string, ...ids: string[]): Promise<void> {
    return Promise.resolve(this.redis.remove(stream, ids));
  }
  disconnect(): void {
    this.status = 'end';
  }
  quit(): Promise<void> {
    return Promise.resolve(this.disconnect());
  }
}

const world = vi.hoisted(() => ({ redis: undefined as unknown, rows: [] as unknown[] }));
vi.mock('./redis.ts', () => ({ connectRedis: () => new Connection(world.redis as UnreliableRedis), sayTrouble: () => undefined }));
vi.mock('./journal_gap.ts', () => ({
  MissedForGood: class extends Error {},
  missedBatches: async function* (_url: string, from: number, to: number) {
    for await (const row of (world.rows as MemoryJournal[])[0].rows(from)) {
      if (row.firstSequence > to) return;
      yield { firstSequence: row.firstSequence, lastSequence: row.lastSequence, now: row.engineTime, events: decodeEventBytes(row.events) };
    }
  },
}));

/** The engine's process, all but its thread. */
function openEngine(journal: MemoryJournal): { engine: Engine; sequencer: SequencerPort & Line } {
  const engine = new Engine();
  const hearers = new Set<(replies: readonly Reply[]) => void>();
  const client = new SequencerClient({ channel: { post: (requests: Request[]) => host.receive(requests) }, schedule: queueMicrotask });
  const host: SequencerHost = new SequencerHost({
    engine, journal, clock: new ManualClock(TEST_EPOCH), authoriser: new AllocationAuthoriser(), rulesVersion: RULES_VERSION, onFailed: (error) => client.suspend(error.message),
    channel: {
      post: (replies) => {
        client.receive(replies);
        for (const hear of hearers) hear(replies);
      },
    },
  });
  const line: Line = {
    post: (requests) => {
      host.receive(requests);
      return true;
    },
    onReplies: (listener) => {
      hearers.add(listener);
      return () => hearers.delete(listener);
    },
  };
  return { engine, sequencer: Object.assign(client, line) };
}

const BAD_MILLIS = 1_000;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test.each([1, 2])('every command is executed once and every batch is seen, seed %i', { timeout: 60_000 }, async (seed) => {
  const redis = new UnreliableRedis(seed);
  const journal = new MemoryJournal();
  world.redis = redis;
  world.rows = [journal];
  const { engine, sequencer } = openEngine(journal);
  const parts = { redisUrl: '', seal: new Seal(Buffer.alloc(32, seed)), log: pino({ level: 'silent' }) };
  const door = new Door({ ...parts, sequencer, say: () => undefined, onHeldUp: (error) => expect.unreachable(error.message) });
  const open = () => RemoteSequencer.open({ ...parts, databaseUrl: () => '', onFatal: (error) => expect.unreachable(error.message) });
  const remotes = [await open(), await open()];
  closing.push(() => door.close(), ...remotes.map((remote) => () => remote.close()));
  const seen = remotes.map((remote) => {
    const batches: CommittedBatch[] = [];
    remote.onCommitted((batch) => batches.push(batch));
    return batches;
  });
  /** As a careful client does: again under the same key, at whichever process, until it is answered. */
  const execute = async (command: Parameters<SequencerPort['submit']>[0]['command'], key: string, at: number): Promise<{ sequence: number; company: number }> => {
    for (let time = 0; ; time++) {
      try {
        const { sequence, events } = await remotes[(at + time) % remotes.length].submit({ command, idempotencyKey: key, bodyHash: key });
        return { sequence, company: eventOf(events, 'companyRegistered')?.company ?? -1 };
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        await sleep(20);
      }
    }
  };
  const { company } = await execute({ type: 'registerCompany', name: 'b', role: 'borrower', group: '' }, 'company', 0);
  const answers = new Map<string, number>();
  // What is lost is waited for: all at the same time.
  setTimeout(() => (redis.bad = false), BAD_MILLIS);
  await Promise.all(Array.from({ length: 30 }, async (_, client) => {
    for (let count = 0; count < 20; count++) {
      const key = `${client} ${count}`;
      const { sequence } = await execute({ type: 'deposit', company, amount: 1_000_000, reference: key }, key, client + count);
      answers.set(key, sequence);
      // What was answered answers alike at the other process.
      if (count % 5 === 0) expect((await execute({ type: 'deposit', company, amount: 1_000_000, reference: key }, key, client + count + 1)).sequence).toBe(sequence);
    }
  }));
  expect(engine.query('balances', { company }).usd).toBe(600 * 1_000_000);
  expect(new Set(answers.values()).size).toBe(600);
  for (const batches of seen) {
    await expect.poll(() => batches.at(-1)?.lastSequence).toBe(engine.sequence);
    expect(batches.every((batch, index) => index === 0 || batch.firstSequence === batches[index - 1].lastSequence + 1)).toBe(true);
  }
  // How many messages there are hangs on the machine: some of most kinds.
  expect(redis.done.doubled).toBeGreaterThan(0);
  expect(redis.done.lost + redis.done.late).toBeGreaterThan(0);
});
