/** From a handler to the engine and back: a refusal becomes the answer, an acceptance its events. */
import type { Command } from '../../engine/commands.ts';
import type { EventKind, EventOf } from '../../engine/events.ts';
import { ApiError } from '../errors.ts';
import { eventOf } from '../sequencer/port.ts';
import type { Ack } from '../sequencer/port.ts';
import type { Services } from '../services.ts';

/** What of a handler's context a command needs. */
export interface Caller {
  services: Services;
  idempotencyKey: string;
  bodyHash: string;
}

/** Executes a command under the client's idempotency key. A refusal is among the events. */
export async function attempt(caller: Caller, command: Command): Promise<Ack> {
  const { idempotencyKey, bodyHash } = caller;
  const { sequencer, committed } = caller.services;
  const ack = await sequencer.submit({ command, idempotencyKey, bodyHash });
  if (!ack.repeated) committed.saw(ack.sequence);
  return ack;
}

/** As `attempt`. @throws ApiError with the engine's code when it refuses */
export async function submit(caller: Caller, command: Command): Promise<Ack> {
  const ack = await attempt(caller, command);
  const rejected = eventOf(ack.events, 'rejected');
  if (rejected !== undefined) throw new ApiError(rejected.code, rejected.field === '' ? {} : { field: rejected.field });
  return ack;
}

/** The event that an accepted command always leaves. */
export function expectEvent<K extends EventKind>(ack: Ack, kind: K): EventOf<K> {
  const event = eventOf(ack.events, kind);
  if (event === undefined) throw new Error(`command ${ack.sequence} left no ${kind}`);
  return event;
}

const BEHIND_MILLIS = 1_000;

/** Waits until market data includes everything acknowledged before. @throws ApiError unavailable when it stays behind */
export async function marketCaughtUp({ market, committed }: Services): Promise<void> {
  const target = await committed.present();
  const deadline = performance.now() + BEHIND_MILLIS;
  while (market.sequence < target) {
    if (performance.now() > deadline) throw new ApiError('unavailable', { retryAfterSeconds: 1 });
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
