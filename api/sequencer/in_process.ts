/** A sequencer in the caller's own thread: for tests, simulation and benchmarks. */
import { Engine } from '../../engine/engine.ts';
import { RULES_VERSION } from '../../engine/rules.ts';
import type { Journal } from '../../db/journal_record.ts';
import { MemoryJournal } from '../../db/memory_journal.ts';
import { AllocationAuthoriser } from './authoriser.ts';
import type { Authoriser } from './authoriser_port.ts';
import { SequencerClient } from './client.ts';
import { ManualClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { SequencerHost } from './host.ts';
import type { Request } from './messages.ts';
import type { SequencerPort } from './port.ts';
import type { SequencedEngine, SequencerLimits } from './sequencer_parts.ts';

export interface InProcessOptions {
  engine?: SequencedEngine;
  journal?: Journal;
  /** Manual and at the engine's time unless given. A clock without `set` moves engine time by itself each second. */
  clock?: Clock;
  authoriser?: Authoriser;
  limits?: Partial<SequencerLimits>;
}

/** Where a manual clock starts in tests: 2026-12-01T00:00Z. */
export const TEST_EPOCH = Date.UTC(2026, 11, 1);

/**
 * Ready at once. Engine time reaches the clock's with the first command or query.
 * The port's `close` also stops the timer that a clock without `set` needs.
 */
export function createInProcessSequencer(options: InProcessOptions = {}): SequencerPort {
  const engine = options.engine ?? new Engine();
  const clock = options.clock ?? new ManualClock(engine.now === 0 ? TEST_EPOCH : engine.now);
  const client = new SequencerClient({
    channel: { post: (messages: Request[]) => host.receive(messages) },
    schedule: queueMicrotask,
  });
  const host = new SequencerHost({
    engine,
    journal: options.journal ?? new MemoryJournal(),
    clock,
    authoriser: options.authoriser ?? new AllocationAuthoriser(),
    rulesVersion: RULES_VERSION,
    limits: options.limits,
    channel: { post: (replies) => client.receive(replies) },
    onFailed: (error) => client.suspend(error.message),
  });
  if (clock.set !== undefined) return client;
  const timer = setInterval(() => host.heartbeat(), 250);
  timer.unref();
  const close = client.close.bind(client);
  return Object.assign(client, {
    close: async () => {
      clearInterval(timer);
      await close();
    },
  });
}
