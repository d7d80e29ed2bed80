/** A command carries a deadline: one that comes too late to the engine, or has waited too long on its way and there, is refused and never executed. */
import { EventEmitter } from 'node:events';
import { pino } from 'pino';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { EnvelopeWriter } from '../../engine/codec/command_codec.ts';
import { Engine } from '../../engine/engine.ts';
import { RULES_VERSION } from '../../engine/rules.ts';
import { MemoryJournal } from '../../db/memory_journal.ts';
import { AllocationAuthoriser } from '../sequencer/authoriser.ts';
import { SequencerClient } from '../sequencer/client.ts';
import { ManualClock } from '../sequencer/clock.ts';
import { SequencerHost } from '../sequencer/host.ts';
import { TEST_EPOCH } from '../sequencer/in_process.ts';
import type { Reply, Request } from '../sequencer/messages.ts';
import { Door } from './door.ts';
import { TAKEN_WITHIN_MILLIS, placesOf } from './messages.ts';
import type { Answers, Upward } from './messages.ts';
import { Seal } from './seal.ts';

/** One stream, and what is published. */
class Connection extends EventEmitter {
  static entries: Buffer[] = [];
  static published: { place: string; bytes: Buffer }[] = [];
  status = 'ready';
  async callBuffer(_command: string, ...words: string[]): Promise<unknown> {
    await new Promise((resolve) => setTimeout(resolve, 2));
    const taken = Connection.entries.splice(0);
    return taken.length === 0 ? null : [[words.at(-2), taken.map((bytes, place) => [`${place}`, ['m', bytes]])]];
  }
  call(): Promise<void> {
    return Promise.resolve();
  }
  publish(place: string, bytes: Buffer): Promise<void> {
    Connection.published.push({ place, bytes });
    return Promise.resolve();
  }
  disconnect(): void {
    this.status = 'end';
  }
  quit(): Promise<void> {
    return Promise.resolve(this.disconnect());
  }
}
vi.mock('./redis.ts', () => ({ connectRedis: () => new Connection(), sayTrouble: () => undefined }));

const seal = new Seal(Buffer.alloc(32, 7));
const places = placesOf(seal);
const CLIENT = 'client';

function register(name: string): Uint8Array<ArrayBuffer> {
  const writer = new EnvelopeWriter();
  writer.add({ command: { type: 'registerCompany', name, role: 'borrower', group: '' }, idempotencyKey: '', bodyHash: '' });
  return writer.take();
}

/** The engine's process, and one other that sends to it. */
function open(waitMillis: number): { engine: Engine; send: (name: string, until: number) => void; refused: () => string[]; close: () => Promise<void> } {
  Connection.entries = [];
  Connection.published = [];
  const engine = new Engine();
  const hearers = new Set<(replies: readonly Reply[]) => void>();
  const client = new SequencerClient({ channel: { post: (requests: Request[]) => host.receive(requests) }, schedule: queueMicrotask });
  const host: SequencerHost = new SequencerHost({
    engine, journal: new MemoryJournal(), clock: new ManualClock(TEST_EPOCH), authoriser: new AllocationAuthoriser(), rulesVersion: RULES_VERSION, limits: { waitMillis },
    onFailed: (error) => expect.unreachable(error.message),
    channel: {
      post: (replies) => {
        client.receive(replies);
        for (const hear of hearers) hear(replies);
      },
    },
  });
  const line = {
    post: (requests: Request[]) => {
      host.receive(requests);
      return true;
    },
    onReplies: (listener: (replies: readonly Reply[]) => void) => {
      hearers.add(listener);
      return () => hearers.delete(listener);
    },
  };
  const door = new Door({ redisUrl: '', seal, sequencer: Object.assign(client, line), log: pino({ level: 'silent' }), say: () => undefined, onHeldUp: (error) => expect.unreachable(error.message) });
  let number = 0;
  return {
    engine,
    send: (name, until) => {
      const message: Upward = { client: CLIENT, number: ++number, epoch: 1, until, requests: [{ kind: 'commands', ids: [number], bytes: register(name) }] };
      Connection.entries.push(seal.close(places.commands, message));
    },
    refused: () => Connection.published.filter(({ place }) => place === places.answers(CLIENT))
      .flatMap(({ place, bytes }) => (seal.open(place, bytes) as Answers).replies)
      .flatMap((reply) => (reply.kind === 'refused' ? [reply.message] : [])),
    close: async () => {
      await door.close();
      await client.close();
    },
  };
}

const named = (engine: Engine): string[] => engine.query('directory', {}).companies.map(({ name }) => name);

describe('a deadline over Redis', () => {
  let close: () => Promise<void> = () => Promise.resolve();
  afterEach(() => close());

  test('a command that comes after it is refused and never executed; the next one is', async () => {
    const world = open(5_000);
    close = world.close;
    world.send('late', performance.now() - 1);
    world.send('in time', performance.now() + TAKEN_WITHIN_MILLIS);
    await expect.poll(() => named(world.engine)).toEqual(['in time']);
    expect(world.refused()).toEqual(['it came too late and was not executed']);
  });

  test('what it has waited on its way counts with what it waits in the queue', async () => {
    const world = open(1_000);
    close = world.close;
    // It was sent two seconds ago.
    world.send('old', performance.now() + TAKEN_WITHIN_MILLIS - 2_000);
    world.send('new', performance.now() + TAKEN_WITHIN_MILLIS);
    await expect.poll(() => named(world.engine)).toEqual(['new']);
    await expect.poll(() => world.refused()).toEqual(['it waited too long and was not executed']);
  });
});
